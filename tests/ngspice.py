"""ngspice as the judge: netlists written by hand from the published equations, and a runner.

Nothing here is generated from the package, so that a slip in one of the two statements of the
physics shows as a difference.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

DT = 1e-6  # s, one time step
EDGE = 1e-12  # s, from one held current to the next: moves v by less than 1 µV
AMPERE = 1e5  # V/A: filter currents are node voltages, so that 10 µA reads 1 V

OPTIONS = "method=trap trtol=1 reltol=1e-6 abstol=1e-13 vntol=1e-9 chgtol=1e-18"


def mif(name: str, i_in: np.ndarray, rest: Mapping[str, float]) -> list[str]:
    """The MIF circuit under currents (A) that are held for 1 µs each.

    Nodes ``v_name``, ``x1_name`` and ``x2_name``. The states are voltages on capacitors of
    tau = 100 µF, so that a current of 1 A moves them by 1 in 100 µs.
    """
    return [
        f"Iin_{name} 0 v_{name} {_held(i_in)}",
        *_mif_behind(name, rest),
    ]


def alpha_mif(name: str, i_in: np.ndarray, rest: Mapping[str, float]) -> list[str]:
    """The MIF circuit behind two buffered first-order stages of 100 µs.

    Nodes as :func:`mif`, and ``a_name`` and ``isyn_name``, which are currents: 1 V is 10 µA.
    """
    return [
        f"Vin_{name} in_{name} 0 {_held(i_in * AMPERE)}",
        f"Ca_{name} a_{name} 0 100u ic={rest['a'] * AMPERE!r}",
        f"Ba_{name} 0 a_{name} I=v(in_{name})-v(a_{name})",
        f"Cs_{name} isyn_{name} 0 100u ic={rest['i_syn'] * AMPERE!r}",
        f"Bs_{name} 0 isyn_{name} I=v(a_{name})-v(isyn_{name})",
        f"Bin_{name} 0 v_{name} I=v(isyn_{name})*10u",
        *_mif_behind(name, rest),
    ]


def tied_mif(
    name: str, v_in: np.ndarray, v_zero: float, g: np.ndarray, rest: Mapping[str, float]
) -> list[str]:
    """The MIF circuit at the end of a column of cells, with nothing in between.

    The positive cells ``g[0]`` (S) are driven by ``v_in`` (V, one column of it per row of the
    array, held for 1 µs each), the negative ones ``g[1]`` by its opposite, both from ``v_zero``
    (V). Nodes as :func:`mif`.
    """
    cells = []
    for row, volts in enumerate(v_in.T):
        for sign, drive, siemens in (("p", volts, g[0, row]), ("n", -volts, g[1, row])):
            line = f"{sign}{row}_{name}"
            cells.append(f"V{line} {line} 0 {_held(v_zero + drive)}")
            cells.append(f"R{line} {line} v_{name} {float(1 / siemens)!r}")
    return cells + _mif_behind(name, rest)


def _mif_behind(name: str, rest: Mapping[str, float]) -> list[str]:
    v, x1, x2 = (f"v({node}_{name})" for node in ("v", "x1", "x2"))
    return [
        f"Cv_{name} v_{name} 0 100p ic={rest['v']!r}",
        # Branches: memristor 1 to ground, memristor 2 to a source of 50 mV.
        f"Bg1_{name} v_{name} 0 I=({x1}/1k+(1-{x1})/100k)*{v}",
        f"Bg2_{name} v_{name} 0 I=({x2}/1k+(1-{x2})/100k)*({v}-50m)",
        # Switches: on at 110 mV, off at 5 mV, width 15 mV.
        f"Cx1_{name} x1_{name} 0 100u ic={rest['x1']!r}",
        f"Bx1_{name} 0 x1_{name} I=(1-{x1})/(1+exp((110m-{v})/15m))-{x1}/(1+exp(({v}-5m)/15m))",
        f"Cx2_{name} x2_{name} 0 100u ic={rest['x2']!r}",
        f"Bx2_{name} 0 x2_{name} "
        f"I=(1-{x2})/(1+exp((110m+50m-{v})/15m))-{x2}/(1+exp(({v}-50m-5m)/15m))",
    ]


def _held(values: np.ndarray) -> str:
    points = [f"0 {values[0]:.12g}"]
    for k in range(1, len(values)):
        points += [f"{k * DT:.12g} {values[k - 1]:.12g}", f"{k * DT + EDGE:.15g} {values[k]:.12g}"]
    return "\n+ ".join(["PWL(", *points, ")"])


def transient(
    elements: Sequence[str], nodes: Sequence[str], times: np.ndarray, max_step: float
) -> dict[str, np.ndarray]:
    """Voltages of ``nodes`` at ``times`` (s), by name, from the elements' initial values.

    ngspice puts a time point on every corner of a PWL source: a value at the end of a held
    current is a computed one, not one between two.
    """
    if shutil.which("ngspice") is None:
        pytest.skip("ngspice is not installed: nothing to judge the physics by")
    netlist = [
        "held currents into memristive circuits",
        f".options {OPTIONS}",
        *elements,
        # Several short lines: ngspice cuts long ones.
        *(f".save v({node})" for node in nodes),
        f".tran {DT:g} {times[-1]:.12g} 0 {max_step:g} uic",
        ".end",
    ]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "circuit.cir").write_text("\n".join(netlist) + "\n")
        done = subprocess.run(
            ["ngspice", "-b", "-r", "out.raw", "circuit.cir"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        raw = Path(folder, "out.raw")
        # ngspice may fail and still return 0.
        record = _read(raw.read_bytes()) if raw.exists() else {"time": np.zeros(1)}
    if record["time"][-1] < times[-1] * (1 - 1e-9):
        raise RuntimeError(f"ngspice stopped early:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return {node: np.interp(times, record["time"], record[f"v({node})"]) for node in nodes}


def _read(raw: bytes) -> dict[str, np.ndarray]:
    """Vectors of a binary raw file by name: a text header, then rows of doubles."""
    header, _, rows = raw.partition(b"Binary:\n")
    _, _, variables = header.decode().partition("Variables:\n")
    names = [line.split()[1] for line in variables.splitlines()]
    table = np.frombuffer(rows[: len(rows) // 8 * 8]).reshape(-1, len(names))
    return dict(zip(names, table.T, strict=True))
