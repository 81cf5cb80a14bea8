"""Which input drives which row of a crossbar, and which output is which column."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..crossbar import Crossbar, RRAMConv2d, RRAMOneToOne
from ..crossbar.array import to_lines

GROUND = -1
"""In the place of an input's number: a padded position, always 0."""


@dataclass(frozen=True)
class Copy:
    """One array of cells: a layer that is used at several places needs one for each."""

    rows: list[int]
    """Number of the input on every word line, the bias's row left out."""
    columns: list[int]
    """Number of the output of every bit line."""
    g: Tensor  # shape: (2, rows, columns), S
    """Conductances of the cells and of what is subtracted; a bias's row is the last one."""


def copies(
    layer: Crossbar,
    shape: tuple[int, ...],  # of one sample of the input
) -> list[Copy]:
    """The arrays that compute what ``layer`` does with an input of ``shape``."""
    if isinstance(layer, RRAMOneToOne):
        own, subtracted = (g.expand(shape).flatten() for g in _cells(layer, "weight"))
        g = torch.stack([own, subtracted])
        return [Copy([k], [k], g[:, k, None, None]) for k in range(len(own))]
    g = to_lines([_cells(layer, name) for name in layer._cells()], layer._groups())
    return (
        _of_conv(layer, shape, g) if isinstance(layer, RRAMConv2d) else _of_linear(shape, g[:, 0])
    )


def _cells(layer: Crossbar, name: str) -> Tensor:
    return layer.conductances(name).detach().double()


def _of_linear(shape: tuple[int, ...], g: Tensor) -> list[Copy]:
    columns = g.shape[-1]
    rows = torch.arange(torch.Size(shape).numel()).view(-1, shape[-1])
    return [
        Copy(own.tolist(), list(range(k * columns, (k + 1) * columns)), g)
        for k, own in enumerate(rows)
    ]


def _of_conv(layer: RRAMConv2d, shape: tuple[int, ...], g: Tensor) -> list[Copy]:
    numbers = torch.arange(1, torch.Size(shape).numel() + 1, dtype=torch.float64).view(1, *shape)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = functional.pad(numbers, layer._reversed_padding_repeated_twice, mode)
    seen = functional.unfold(padded, layer.kernel_size, layer.dilation, 0, layer.stride)[0]
    seen = seen.long().add(GROUND).unflatten(0, (layer.groups, -1))  # (groups, rows, positions)
    positions, columns = seen.shape[-1], g.shape[-1]
    return [
        Copy(
            seen[group, :, place].tolist(),
            [(group * columns + channel) * positions + place for channel in range(columns)],
            g[:, group],
        )
        for place in range(positions)
        for group in range(layer.groups)
    ]
