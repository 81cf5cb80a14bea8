"""Plots of the cells of a crossbar."""

import math
from typing import Any

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, LogNorm
from matplotlib.image import AxesImage
from matplotlib.ticker import StrMethodFormatter
from torch import Tensor

from .drawing import count_along, given_or_new, to_numpy


def conductances(
    g: Tensor,  # shape: (outputs, inputs), S
    *,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Map of the cells of one half of a crossbar: word lines are rows, bit lines columns.

    Take ``layer.conductances()[0]`` for the positive half, ``[1]`` for the negative one. The
    figure gets a logarithmic colour bar from one of ``limits`` (S) to the other; from the lowest
    to the highest of ``g`` if they are left out.

    Raises:
        ValueError: if ``g`` does not have the two dimensions, or the colours would not begin
            above 0 S.
    """
    if g.dim() != 2:
        raise ValueError(f"Expected `g` of shape (outputs, inputs), but got {tuple(g.shape)}.")
    norm = _norm(g, limits)
    ax = given_or_new(ax)
    _colour_bar(_conductances(g, norm, ax), [ax])
    return ax


def conductance_pairs(
    g: Tensor,  # shape: (2, outputs, inputs, ...), S
    *,
    limits: tuple[float, float] | None = None,
    ax: tuple[Axes, Axes] | None = None,
) -> tuple[Axes, Axes]:
    """:func:`conductances` of both halves of a crossbar side by side, on one scale.

    Take ``layer.conductances()``: positive cells, then negative ones. All dimensions from the
    third on are word lines: of a convolution, the input channels at every kernel position.

    Raises:
        ValueError: if ``g`` does not have these dimensions, ``ax`` is not a pair, or the colours
            would not begin above 0 S.
    """
    if g.dim() < 3 or len(g) != 2:
        raise ValueError(
            f"Expected `g` of shape (2, outputs, inputs, ...), but got {tuple(g.shape)}."
        )
    if isinstance(ax, Axes) or (ax is not None and len(ax) != 2):
        raise ValueError(f"Expected `ax` to be a pair of axes, but got {ax}.")
    norm = _norm(g, limits)
    if ax is None:
        ax = pyplot.subplots(1, 2, layout="constrained")[1]
    positive, negative = ax
    for half, name, each in zip(g.flatten(2), ("Positive", "Negative"), ax, strict=True):
        image = _conductances(half, norm, each)
        each.set_title(f"{name} cells")
    negative.set_ylabel("")  # the word lines of the panel on its left
    _colour_bar(image, [positive, negative])
    return positive, negative


def programmed(
    g: Tensor,  # shape: any, S
    target: Tensor,  # shape: that of ``g``, S
    *,
    ax: Axes | None = None,
) -> Axes:
    """A dot per cell, its conductance after programming against what was asked for (the line).

    Take ``layer.conductances()`` and ``layer.targets()``.

    Raises:
        ValueError: if the shapes differ.
    """
    _check_alike(g, "target", target)
    ax = given_or_new(ax)
    asked, got = to_numpy(target.flatten() * 1e6), to_numpy(g.flatten() * 1e6)
    # Rasterized: a layer has more cells than a vector graphic should have dots.
    ax.plot(asked, got, ".", markersize=3, alpha=0.4, rasterized=True)
    ends = [asked.min(), asked.max()]
    ax.plot(ends, ends, color="black", linewidth=1)
    ax.set_aspect("equal")
    ax.set_xlabel("Target conductance (µS)")
    ax.set_ylabel("Programmed conductance (µS)")
    return ax


def wire_losses(
    g: Tensor,  # shape: (rows, columns), S
    effective: Tensor,  # shape: (rows, columns), S
    *,
    ax: Axes | None = None,
) -> Axes:
    """Map of what wires take from every cell of an array, 1 - ``effective`` / ``g``.

    Take the cells ``g`` of an array and :func:`~.wires.effective` of them.
    Drivers are on the left, read-outs at the bottom. Red is lost; blue is gained, by cells past
    which more current sneaks through others. Gains beyond the largest loss share one blue.

    Raises:
        ValueError: if ``g`` does not have the two dimensions or is not above 0 S everywhere, or
            if the shapes differ.
    """
    if g.dim() != 2:
        raise ValueError(f"Expected `g` of shape (rows, columns), but got {tuple(g.shape)}.")
    _check_alike(g, "effective", effective)
    if not (g > 0).all():
        raise ValueError(f"Expected `g` > 0 S everywhere, but got {g.min():g} S.")
    ax = given_or_new(ax)
    loss = 100 * (1 - effective / g)
    top = loss.max().clamp(min=0).item() or 1.0
    image = _cells(loss, ax, cmap="RdBu_r", norm=CenteredNorm(halfrange=top))
    extend = "min" if loss.min() < -top else "neither"
    ax.figure.colorbar(image, ax=ax, label="Loss in the wires (%)", extend=extend)
    return ax


def _check_alike(g: Tensor, name: str, other: Tensor) -> None:
    if other.shape != g.shape:
        raise ValueError(
            f"Expected `{name}` of the shape of `g`, {tuple(g.shape)}, "
            f"but got {tuple(other.shape)}."
        )


def _norm(g: Tensor, limits: tuple[float, float] | None) -> LogNorm:
    low, high = limits or (g.min().item(), g.max().item())
    if not 0 < low <= high < math.inf:
        raise ValueError(
            f"Expected a scale from above 0 S upwards, but got one from {low:g} S to {high:g} S."
        )
    return LogNorm(low * 1e6, high * 1e6)


def _conductances(
    g: Tensor,  # shape: (outputs, inputs), S
    norm: LogNorm,
    ax: Axes,
) -> AxesImage:
    return _cells(g.T * 1e6, ax, norm=norm)


def _colour_bar(image: AxesImage, axes: list[Axes]) -> None:
    bar = axes[0].figure.colorbar(image, ax=axes, label="Conductance (µS)", format="%g")
    low, high = image.get_clim()
    if high < 10 * low:  # there may be no decade to label
        bar.minorformatter = StrMethodFormatter("{x:g}")


def _cells(
    values: Tensor,  # shape: (rows, columns)
    ax: Axes,
    **colours: Any,
) -> AxesImage:
    image = ax.imshow(to_numpy(values), aspect="auto", interpolation="nearest", **colours)
    count_along(ax.xaxis, ax.yaxis)
    ax.set_xlabel("Bit line (output)")
    ax.set_ylabel("Word line (input)")
    return image
