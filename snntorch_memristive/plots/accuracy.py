"""Plots of what a network is worth: as it learns, as its chips age and as their cells fail."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from ..checks import check_positive, check_within
from ..chips import Chips
from .drawing import count_along, given_or_new


def learning_curves(
    accuracies: Mapping[str, Sequence[float]],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Accuracy (0 to 1) after every epoch, a line per network, by its name."""
    ax = given_or_new(ax)
    for name, curve in accuracies.items():
        percent = [100 * accuracy for accuracy in curve]
        ax.plot(range(1, len(percent) + 1), percent, marker="o", markersize=3, label=name)
    count_along(ax.xaxis)
    ax.set_xlabel("Epoch")
    ax.set_ylabel("Test accuracy (%)")
    ax.legend()
    return ax


def retention(
    chips: Mapping[float, Chips],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Accuracy (0 to 1) of chips by the seconds since they were programmed.

    The line is the mean over the chips; the band goes from the worst to the best of them.

    Raises:
        ValueError: if there are no ``chips``, a time is not above zero (the axis is logarithmic)
            or an accuracy is not in [0, 1].
    """
    for seconds in chips:
        check_positive("s", seconds=seconds)
    ax = _means_and_bands(chips, ax)
    ax.set_xscale("log")
    ax.set_xlabel("Time since programming (s)")
    return ax


def fault_tolerance(
    chips: Mapping[float, Chips],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Accuracy (0 to 1) of chips by the fraction of their cells that failed.

    The line is the mean over the chips; the band goes from the worst to the best of them.

    Raises:
        ValueError: if there are no ``chips``, or a fraction or an accuracy is not in [0, 1].
    """
    for fraction in chips:
        check_within(0.0, 1.0, fraction=fraction)
    ax = _means_and_bands({100 * fraction: each for fraction, each in chips.items()}, ax)
    ax.set_xlabel("Failed cells (%)")
    return ax


def _means_and_bands(chips: Mapping[float, Chips], ax: Axes | None) -> Axes:
    if not chips:
        raise ValueError("Expected `chips` for at least one point, but got none.")
    for each in chips.values():
        for accuracy in each.values.tolist():
            check_within(0.0, 1.0, accuracy=accuracy)
    ax = given_or_new(ax)
    places = sorted(chips)
    means = [100 * chips[place].mean for place in places]
    worst = [100 * chips[place].worst for place in places]
    best = [100 * float(chips[place].values.max()) for place in places]
    (line,) = ax.plot(places, means, marker="o", markersize=3, label="mean")
    ax.fill_between(
        places, worst, best, color=line.get_color(), alpha=0.25, label="worst to best chip"
    )
    ax.set_ylabel("Accuracy (%)")
    ax.legend()
    return ax
