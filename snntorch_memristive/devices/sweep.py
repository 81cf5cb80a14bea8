"""A measured current-voltage sweep, and how it is read from a table."""

import math
import os
import pathlib
import re
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ..checks import check_not_negative, check_positive


@dataclass(frozen=True, eq=False)
class Sweep:
    """A voltage over time and the current that flowed, each of shape (points,).

    With a resistor in series, ``v`` is the voltage of the source, across the device and the
    resistor together.

    Raises:
        ValueError: if the three are not of one shape (points,) with at least 2 points, a value
            is not finite, the times do not rise, or ``r_series`` is negative or not finite.
    """

    t: Annotated[Tensor, "s"]
    """Times, rising."""
    v: Annotated[Tensor, "V"]
    """Voltages at these times."""
    i: Annotated[Tensor, "A"]
    """Currents at these times."""
    r_series: Annotated[float, "Ω"] = 0.0
    """Resistor between the source and the device."""

    def __post_init__(self) -> None:
        for name in ("t", "v", "i"):
            values = torch.as_tensor(getattr(self, name), dtype=torch.float64).detach()
            object.__setattr__(self, name, values)
        shapes = [tuple(x.shape) for x in (self.t, self.v, self.i)]
        if self.t.ndim != 1 or len(set(shapes)) > 1 or len(self.t) < 2:
            raise ValueError(
                "Expected times, voltages and currents of one shape (points,) with at least 2 "
                "points, but got {}, {} and {}.".format(*shapes)
            )
        for name, values in (("times", self.t), ("voltages", self.v), ("currents", self.i)):
            if not values.isfinite().all():
                point = int((~values.isfinite()).nonzero()[0])
                raise ValueError(
                    f"Expected finite {name}, but got {values[point]:g} at point {point}."
                )
        if not (self.t.diff() > 0).all():
            point = int((self.t.diff() <= 0).nonzero()[0])
            raise ValueError(
                f"Expected rising times, but got {self.t[point + 1]:g} s after "
                f"{self.t[point]:g} s at point {point + 1}."
            )
        check_not_negative(r_series=self.r_series)

    @property
    def span(self) -> float:
        """Range of the current (A)."""
        return float(self.i.max() - self.i.min())

    def every(self, stride: int) -> "Sweep":
        """Every ``stride``-th of its points."""
        return Sweep(self.t[::stride], self.v[::stride], self.i[::stride], self.r_series)

    @property
    def across_device(self) -> "Sweep":
        """The same sweep without the resistor: its voltage is what the current left of ``v``."""
        return Sweep(self.t, self.v - self.r_series * self.i, self.i)


def read_sweep(
    path: str | os.PathLike[str],
    columns: str = "vi",
    *,
    dt: float | None = None,
    ampere: float = 1.0,
    r_series: float = 0.0,
) -> Sweep:
    """Read a sweep from a text table, a row per point, with or without a heading.

    Args:
        path: the table; commas, semicolons, tabs or spaces separate its columns, a point the
            decimals.
        columns: what they are, a letter each: "v" voltage (V), "i" current, "t" time (s), "-"
            for one that is not read.
        dt: seconds from row to row of a table without times.
        ampere: what 1 in the column of currents is in A, 1e-6 for µA.
        r_series: resistor (Ω) between the device and the source whose voltage was measured.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if ``columns`` has no "v" or no "i", or other letters; ``dt`` and a column of
            times are both there or both missing; the table holds no numbers, a row with other
            than these columns, or a value that is no finite number; or as :class:`Sweep`.
    """
    if not re.fullmatch(r"[vit-]+", columns) or any(columns.count(c) != 1 for c in "vi"):
        raise ValueError(
            f'Expected `columns` of "v", "i", "t" and "-" with one "v" and one "i", '
            f"but got {columns!r}."
        )
    if columns.count("t") + (dt is not None) != 1:
        raise ValueError(
            f'Expected either a column "t" or `dt`, but got columns={columns!r} and dt={dt}.'
        )
    check_positive("A", ampere=ampere)
    table = torch.tensor(_rows(pathlib.Path(path), columns), dtype=torch.float64)
    v, i = (table[:, columns.index(letter)] for letter in "vi")
    if dt is None:
        t = table[:, columns.index("t")]
    else:
        check_positive("s", dt=dt)
        t = torch.arange(len(table), dtype=torch.float64) * dt
    return Sweep(t, v, i * ampere, r_series)


def _rows(path: pathlib.Path, columns: str) -> list[list[float]]:
    """Numbers of every row that has them; a column "-" reads as 0."""
    rows: list[list[float]] = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        cells = re.split(r"\s*[,;\t]\s*|\s+", line.strip())
        heading = not rows and _number(cells[0]) is None
        if not line.strip() or heading:
            continue
        if len(cells) != len(columns):
            raise ValueError(
                f"Expected {len(columns)} columns ({', '.join(columns)}) in {path.name}, "
                f"but line {number} has {len(cells)}."
            )
        row = []
        for column, cell in zip(columns, cells, strict=True):
            value = 0.0 if column == "-" else _number(cell)
            if value is None or not math.isfinite(value):
                raise ValueError(
                    f"Expected finite numbers in {path.name}, but line {number} has {cell!r}."
                )
            row.append(value)
        rows.append(row)
    if not rows:
        raise ValueError(f"Expected a table of numbers in {path.name}, but it has none.")
    return rows


def _number(text: str) -> float | None:
    """``text`` as a number, None if it is not one."""
    try:
        return float(text)
    except ValueError:
        return None
