"""What a memristor does under a voltage: its state, its voltage and its current over time."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..relaxation import relax
from ..units import Value
from .device import Device


class Response(NamedTuple):
    """A device over time; every tensor has the shape (points, \\*candidates)."""

    x: Tensor
    """State of the device."""
    v: Tensor
    """Voltage across the device (V)."""
    i: Tensor
    """Current (A)."""


@torch.no_grad()
def simulate(
    device: Device,
    t: Tensor,  # shape: (points,), s
    v: Tensor,  # shape: (points,), V
    x0: Value,  # shape: (*candidates,)
    r_series: float = 0.0,
) -> Response:
    r"""Response of ``device``, in state ``x0`` at the first point, to a source of voltage ``v``.

    Parameters of the device may be tensors that broadcast against ``x0``: many candidates then
    cost little more than one. Between two points the source is held at its mean. A device that
    states its ``relaxation`` follows it exactly; another takes one step of the exponential
    Rosenbrock-Euler method, exact where the rate is linear in ``x``, and is kept in [0, 1]:
    M. Hochbruck and A. Ostermann, "Exponential integrators", Acta Numerica 19 (2010),
    doi:10.1017/S0962492910000048.

    With a resistor ``r_series`` (Ω) between source and device, the device sees over a step the
    voltage that Kirchhoff's law leaves it in the middle of the step. This is implicit, so that
    a device may switch against its resistor much faster than the points. The error falls with
    the square of their distance; a device that runs away by itself, as STANFORD_PKU does, asks
    for points that resolve it: double them until nothing changes.

    Nothing here has a gradient.
    """
    x0 = torch.as_tensor(x0).to(v)
    along_time = (-1, *[1] * x0.dim())
    v, dt = v.reshape(along_time), t.diff().reshape(along_time)
    middle = (v[1:] + v[:-1]) / 2
    if not r_series:
        x = _states(device, x0, middle, dt)
        return Response(x, v.expand_as(x), device.current(x, v))
    states = [x0]
    for source, step in zip(middle, dt, strict=True):
        states.append(_in_series(device, states[-1], source, step, r_series))
    x = torch.stack(states)
    across = _divided(lambda u: device.current(x, u), v.expand_as(x), r_series)
    return Response(x, across, device.current(x, across))


def _states(device: Device, x0: Tensor, v: Tensor, dt: Tensor) -> Tensor:
    """States at every point under voltages ``v`` held over ``dt``, (steps, \\*ones) both."""
    if hasattr(device, "relaxation"):
        relaxation = device.relaxation(v)
        return _recurrence(x0, torch.exp(-relaxation.decay * dt), relaxation.target)
    x = [x0]
    for held, step in zip(v, dt, strict=True):
        x.append(_moved(device, x[-1], held, step))
    return torch.stack(x)


def _recurrence(x: Tensor, kept: Tensor, target: Tensor) -> Tensor:
    """All ``x[n + 1] = target[n] + kept[n] (x[n] - target[n])``, from the first on.

    Two neighbouring steps are one of the same form: pairs, then pairs of pairs, take no loop
    over time. W. D. Hillis and G. L. Steele, "Data parallel algorithms", Communications of the
    ACM 29 (1986), doi:10.1145/7902.7903.
    """
    arrived = torch.cat([x[None], (target * (1 - kept)).expand(-1, *x.shape)])
    kept = torch.cat([torch.zeros_like(kept[:1]), kept])
    reach = 1
    while reach < len(kept):
        further = arrived[reach:] + kept[reach:] * arrived[:-reach]
        arrived = torch.cat([arrived[:reach], further])
        kept = torch.cat([kept[:reach], kept[reach:] * kept[:-reach]])
        reach *= 2
    return arrived


def _moved(device: Device, x: Tensor, v: Tensor, dt: Tensor) -> Tensor:
    """State ``x`` after ``dt`` under a held ``v``."""
    if hasattr(device, "relaxation"):
        return relax(x, device.relaxation(v), dt)
    aside = torch.where(x < 0.5, 1e-6, -1e-6).to(x)  # to the inside of [0, 1]
    here, there = device.rate(torch.stack([x, x + aside]), v)
    growth = ((there - here) / aside * dt).clamp(max=50.0)  # e^50 reaches the bound anyway
    mean = torch.where(growth.abs() < 1e-9, 1.0, torch.expm1(growth) / growth)
    return (x + here * dt * mean).clamp(0, 1)


def _in_series(device: Device, x: Tensor, v: Tensor, dt: Tensor, r: float) -> Tensor:
    """State ``x`` after ``dt`` under a held source ``v`` behind the resistor ``r``."""

    def current(across: Tensor) -> Tensor:
        return device.current(_moved(device, x, across, dt / 2), across)

    across = _divided(current, v.expand_as(x), r)
    return _moved(device, x, across, dt)


def _divided(current: Callable[[Tensor], Tensor], v: Tensor, r: float) -> Tensor:
    """Voltage ``u`` of a device behind ``r`` with ``u + r current(u) = v``, between 0 and ``v``.

    It exists, as a device never gives power. Of several, any may be found: a device that runs
    away against its resistor jumps. Method: N. Anderson and Å. Björck, "A new high order method
    of regula falsi type", BIT 13 (1973), doi:10.1007/BF01951936.
    """
    a, b = torch.zeros_like(v), v
    short, excess = r * current(a) - v, r * current(b)
    for _ in range(100):
        new = b - (excess * (b - a) / (excess - short)).nan_to_num(0.0)
        rest = new + r * current(new) - v
        if not (rest.abs() > 1e-12 * v.abs()).any():
            return new
        same = (rest > 0) == (excess > 0)
        weight = 1 - rest / excess
        weight = torch.where(weight > 0, weight, 0.5)
        a, short = torch.where(same, a, b), torch.where(same, weight * short, excess)
        b, excess = new, rest
    return b
