"""How cells are joined to an array, and what it reads of them."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ..checks import check_choice, check_not_negative, check_positive
from ..devices.mss import BOLTZMANN, ELEMENTARY_CHARGE
from ..units import Hertz, Kelvin
from .mapping import MAPPINGS
from .wires import Wires, approximate, effective


@dataclass(frozen=True)
class Array:
    """Size of an array, what its cells stand for, its wires, and how its columns are read.

    Inputs are word lines, a bias the last of them; outputs are bit lines at virtual ground. A
    weight larger than an array is cut into tiles whose currents are added. The positive and the
    negative cells of the pairs are in arrays of their own, as is a column of reference cells.

    Raises:
        ValueError: if there is no such ``mapping``, a tile has no row or column, ``w_max`` is not
            above zero, or a value is negative or not finite.
    """

    rows: int | None = None
    """Word lines of a tile; None for as many as there are inputs."""
    columns: int | None = None
    """Bit lines of a tile; None for as many as there are outputs."""
    wires: Wires = Wires()  # noqa: RUF009 (frozen)
    """Resistance of word and bit lines, drivers and sense amplifiers."""
    exact: bool = True
    """Solve the circuit of wires and cells, or take its first order (``wires.approximate``)."""
    v_read: Annotated[float, "V"] = 0.1
    """Voltage of an input of 1."""
    bandwidth: Hertz = 0.0
    """Bandwidth of the read-out, in which cells make thermal and shot noise; 0 for none."""
    kelvin: Kelvin = 300.0
    """Temperature of that noise."""
    mapping: str = "differential"
    """"differential" for two cells per weight, "offset" for one and a common reference column."""
    w_max: float | None = None
    """Weight that fills the window. None for the largest of the layer at each writing, so that all
    fit; with a number, weights beyond it are clipped, and the layer's ``clipped`` counts them."""

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            size = getattr(self, name)
            if size is not None and not (isinstance(size, int) and size >= 1):
                raise ValueError(f"Expected `{name}` to be None or at least 1, but got {size}.")
        check_choice("mapping", self.mapping, MAPPINGS)
        if self.w_max is not None:
            check_positive("(a weight)", w_max=self.w_max)
        check_positive("V", v_read=self.v_read)
        check_positive("K", kelvin=self.kelvin)
        check_not_negative(bandwidth=self.bandwidth)

    def seen(
        self,
        g: Tensor,  # shape: (2, ..., rows, columns), S
    ) -> Tensor:  # shape: (2, ..., rows, columns), S
        """Conductances that cells ``g`` show from outside, through their wires."""
        if self.wires.ideal:
            return g
        if self.mapping == "differential":
            return self._tiled(g)
        own, reference = g
        return torch.stack([self._tiled(own), self._tiled(reference[..., :1]).expand_as(own)])

    def _tiled(self, g: Tensor) -> Tensor:
        through = effective if self.exact else approximate
        tall, wide = self.rows or g.shape[-2], self.columns or g.shape[-1]
        bands = [
            torch.cat([through(tile, self.wires) for tile in band.split(wide, -1)], -1)
            for band in g.split(tall, -2)
        ]
        return torch.cat(bands, -2)

    def thermal_variance(self, total: Tensor) -> Tensor:
        """Variance (S^2, in units of the read voltage) of 4 k T B on ``total`` conductances (S).

        ``total`` is the sum along every bit line, any shape, which the result has.
        """
        return 4 * BOLTZMANN * self.kelvin * self.bandwidth / self.v_read**2 * total

    def shot_variance(self, total: Tensor) -> Tensor:
        """Variance (S^2, per unit of input) of 2 q B on the current through ``total`` (S).

        ``total`` is the sum of conductances times inputs, any shape, which the result has.
        """
        return 2 * ELEMENTARY_CHARGE * self.bandwidth / self.v_read * total


def to_lines(parts: list[Tensor], groups: int) -> Tensor:
    """Cells of a weight, and of a bias if there is one, as (..., groups, rows, columns).

    The weight's are of shape (2, out, in, ...), the bias's of shape (2, out).
    """
    weight, *bias = parts
    lines = weight.reshape(2, groups, weight.shape[1] // groups, -1).mT
    rows = [cells.reshape(2, groups, 1, -1) for cells in bias]
    return torch.cat([lines, *rows], -2)


def from_lines(lines: Tensor, like: list[Tensor]) -> list[Tensor]:
    """The inverse of :func:`to_lines`, for parts of the shapes of ``like``."""
    weight, *bias = like
    rows = lines.shape[-2] - len(bias)
    parts = [lines[..., :rows, :].mT.reshape(weight.shape)]
    return parts + [lines[..., rows:, :].reshape(part.shape) for part in bias]
