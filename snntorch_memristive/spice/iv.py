"""A single device under a voltage."""

import numpy as np
import torch
from torch import Tensor

from ..checks import check_positive, check_within
from ..devices import Device
from . import ngspice
from .subcircuits import device_subcircuit


def device_iv(
    device: Device,
    v: Tensor,  # shape: (time,), V
    dt: float,
    *,
    x0: float = 0.0,
    reltol: float = 1e-6,
    timeout: float = 600.0,
) -> tuple[Tensor, Tensor]:  # shapes: (time,), A and 1
    """Current and state that ngspice computes for ``device`` under ``v``.

    The voltage goes straight from one value to the next, ``dt`` seconds apart; the device is in the
    state ``x0`` before the first.

    Raises:
        ValueError: if ``v`` has fewer than two values or one that is not finite, ``dt`` is not
            above zero or ``x0`` outside [0, 1].
        NgspiceError: as :func:`~snntorch_memristive.spice.simulate`.

    >>> from snntorch_memristive.devices import KNOWM_LTSPICE
    >>> v = 0.3 * torch.sin(torch.linspace(0, 6.28, 101))
    >>> i, x = device_iv(KNOWM_LTSPICE, v, dt=1e-6)  # doctest: +SKIP
    """
    check_positive("s", dt=dt)
    check_positive("(a fraction)", reltol=reltol)
    check_within(0.0, 1.0, x0=x0)
    if v.dim() != 1 or len(v) < 2 or not v.isfinite().all():
        raise ValueError(
            f"Expected finite voltages of shape (time,), at least 2, but got {tuple(v.shape)}."
        )
    points = " ".join(f"{k * dt:.12g} {volts:.12g}" for k, volts in enumerate(v.tolist()))
    made = device_subcircuit(device, "device")
    nodes, values = {"p": "p", "n": "0", "x": "x"}, dict.fromkeys(made.parameters, x0)
    lines = [
        "a device under a voltage",
        # Gear's method does not ring where a device snaps from one state to another.
        f".options method=gear reltol={reltol:g} abstol=1e-12 vntol=1e-6 chgtol=1e-14 trtol=1",
        made.text,
        f"Vp p 0 PWL({points})",
        made.call("1", nodes, values),
        ".save i(vp) v(x)",
        f".tran {dt:g} {(len(v) - 1) * dt:.12g} 0 {dt / 10:g} uic",
        ".end",
    ]
    found = ngspice.run("\n".join(lines) + "\n", timeout=timeout)
    # ngspice keeps no point before its first step: there the device is as it was put.
    start = torch.tensor(x0, dtype=torch.float64), v[0].double()
    first = {"time": 0.0, "i(vp)": -float(device.current(*start)), "v(x)": x0}
    wave = {name: np.append(value, found[name]) for name, value in first.items()}
    times = np.arange(len(v)) * dt
    i, x = (torch.from_numpy(np.interp(times, wave["time"], wave[n])) for n in ("i(vp)", "v(x)"))
    return -i, x
