"""What the plots have in common."""

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import MaxNLocator
from numpy import ndarray
from torch import Tensor


def given_or_new(ax: Axes | None) -> Axes:
    """``ax``, or axes of their own in a new figure."""
    return pyplot.subplots()[1] if ax is None else ax


def count_along(*axes: Axis) -> None:
    """Ticks at whole numbers only."""
    for axis in axes:
        axis.set_major_locator(MaxNLocator(integer=True))


def to_numpy(values: Tensor) -> ndarray:
    """``values`` for matplotlib, from any device and out of any graph."""
    return values.detach().cpu().numpy()
