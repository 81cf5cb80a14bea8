"""What the wires of a crossbar take from the voltages of its cells.

An array of ``rows`` word lines, which are driven, and ``columns`` bit lines, which are read at
virtual ground. Every line has its terminal at one end, and every cell ends one segment of its
word line and begins one of its bit line::

    driver i -- r_source -- r_word -- cell (i, 0) -- r_word -- cell (i, 1) -- ...
    cell (0, j) -- r_bit -- cell (1, j) -- ... -- cell (rows - 1, j) -- r_bit -- r_sense -- ground

Cells and wires are linear, so an array is one matrix G with i_j = sum_i G[i, j] v_i whatever
its inputs. Functions are pure and take the conductances ``g`` of the cells in S.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

PASSES = 2
"""Passes of :func:`approximate`; the first alone is the plain first-order formula."""


@dataclass(frozen=True)
class Wires:
    """Resistances of the wires of a crossbar; without any, every cell sees its input.

    Raises:
        ValueError: if a resistance is negative or not finite.
    """

    r_word: Annotated[float, "Ω"] = 0.0
    """Segment of a word line: between neighbouring cells, and before the first cell."""
    r_bit: Annotated[float, "Ω"] = 0.0
    """Segment of a bit line: between neighbouring cells, and behind the last cell."""
    r_source: Annotated[float, "Ω"] = 0.0
    """From a driver to its word line."""
    r_sense: Annotated[float, "Ω"] = 0.0
    """From a bit line to the virtual ground that reads it."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"Expected `{name}` >= 0 Ω and finite, but got {value:g} Ω.")

    @property
    def ideal(self) -> bool:
        """True if no wire has a resistance."""
        return not any(vars(self).values())


def effective(
    g: Tensor,  # shape: (*batch, rows, columns), S
    wires: Wires,
) -> Tensor:  # shape: (*batch, rows, columns), S
    """The conductances that the array has from its drivers to its read-outs, exactly.

    Kirchhoff's equations are solved directly, in float64 on the CPU whatever ``g`` is. Any of
    the resistances may be zero, and any cell may be open. The gradient is exact and is worked
    out from the same factors, which are kept (24 bytes times the cells times the shorter side)
    until the result is released: backward may run several times.

    Raises:
        ValueError: if ``g`` has fewer than two dimensions, or is negative or not finite
            anywhere.
    """
    _check(g)
    if wires.ideal or g.numel() == 0:
        return g
    rows, columns = g.shape[-2:]
    if rows < columns:
        mirrored = Wires(wires.r_bit, wires.r_word, wires.r_sense, wires.r_source)
        return _mirror(effective(_mirror(g), mirrored))
    arrays = g.to("cpu", torch.float64).reshape(-1, rows, columns)
    solved = [_Solved.apply(array, wires) for array in arrays.unbind()]
    return torch.stack(solved).view(g.shape).to(g)


def approximate(
    g: Tensor,  # shape: (*batch, rows, columns), S
    wires: Wires,
) -> Tensor:  # shape: (*batch, rows, columns), S
    """:func:`effective` in closed form: good as long as wires take a small part of the voltage.

    Every cell keeps the share of its input that the drops along its two lines would leave it
    if all inputs were alike: g / (1 + drops), where the drops come from the currents of the
    cells beside it relative to its own. benchmarks/wires.py has how close it comes.

    Raises:
        ValueError: as :func:`effective`.
    """
    _check(g)
    share = torch.ones_like(g)
    for _ in range(PASSES):
        current = g * share
        word = _drop(current, wires.r_source, wires.r_word, -1)
        bit = _drop(current.flip(-2), wires.r_sense, wires.r_bit, -2).flip(-2)
        share = 1 / (1 + (word + bit) / share)
    return g * share


def _check(g: Tensor) -> None:
    if g.dim() < 2:
        raise ValueError(f"Expected `g` of shape (..., rows, columns), but got {tuple(g.shape)}.")
    wrong = g.detach()[~(g.isfinite() & (g >= 0))]
    if wrong.numel():
        raise ValueError(f"Expected `g` >= 0 S and finite, but got {wrong[0]:g} S.")


def _mirror(array: Tensor) -> Tensor:
    """The array seen from its read-outs: drivers and read-outs change places."""
    return array.flip((-2, -1)).mT


def _drop(current: Tensor, first: float, each: float, dim: int) -> Tensor:
    """Voltage lost up to every cell along ``dim``, from a terminal before the first cell."""
    through = current.flip(dim).cumsum(dim).flip(dim)  # a segment carries all cells behind it
    return first * current.sum(dim, keepdim=True) + each * through.cumsum(dim)


class _Solved(torch.autograd.Function):
    """One array by block elimination, in matrices of columns x columns.

    Word lines go first: each row becomes an admittance between its bit nodes. Bit lines
    follow from the top down: what is above a segment is one admittance P, and
    ``(1 + r P)^-1`` tells what of a voltage below the segment arrives above it. These are
    resistances times conductances: nothing is divided by a resistance, which may be zero.

    By reciprocity, G[i, j] is also the current into driver i when read-out j is at 1 V. If
    x and y are the voltages over a cell in the two cases, dG[i, j] / dg = x y.
    """

    @staticmethod
    def forward(ctx: Any, g: Tensor, wires: Wires) -> Tensor:
        rows, columns = g.shape
        unit = torch.eye(columns, dtype=g.dtype)
        place = torch.arange(1, columns + 1, dtype=g.dtype)
        shared = wires.r_source + wires.r_word * torch.minimum(place[:, None], place)
        # Of the voltage between its driver and the bit lines, what is over the cells of a row.
        over = torch.linalg.inv(unit + shared * g[:, None, :])  # shape: (rows, columns, columns)
        admittance = g[:, :, None] * over
        segments = [wires.r_bit] * (rows - 1) + [wires.r_bit + wires.r_sense]
        passed, through, above = [], unit, torch.zeros_like(unit)
        for row, r in zip(admittance, segments, strict=True):
            above = torch.addmm(row, through, above)
            through = torch.linalg.inv(torch.add(unit, above, alpha=r))
            passed.append(through)
        # Voltages of the bit nodes of every row, with one read-out at 1 V in each column.
        from_sense, at = torch.empty_like(over), unit
        for i in reversed(range(rows)):
            at = torch.mm(passed[i], at, out=from_sense[i])
        driven = admittance.sum(-1)  # currents into the bit lines per volt of the driver
        # Plain attributes: saved tensors would be freed by the first backward pass.
        ctx.kept = over, passed, from_sense, driven, segments
        return (driven[:, None, :] @ from_sense)[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        over, passed, from_sense, driven, segments = ctx.kept
        # Column j of every matrix: the array with its drivers at the voltages grad[:, j].
        into = driven[:, :, None] * grad[:, None, :]
        for i in range(1, len(into)):
            into[i].addmm_(passed[i - 1], into[i - 1])
        bit, at = torch.empty_like(into), torch.zeros_like(into[0])
        for i in reversed(range(len(into))):
            at = torch.mm(passed[i], torch.add(at, into[i], alpha=segments[i]), out=bit[i])
        x = over @ (grad[:, None, :] - bit)
        y = over @ from_sense
        return (x * y).sum(-1), None
