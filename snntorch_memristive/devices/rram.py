"""The non-volatile memristor of a synapse, described by what programming it achieves."""

from dataclasses import dataclass, field

from ..checks import check_greater, check_not_negative, check_positive, check_within
from ..units import Dimensionless, Ohm
from .mss import MEMPROP


@dataclass(frozen=True)
class RRAM:
    """A resistive memory cell: its window, and how far a cell is from what was asked of it.

    Every imperfection is off by default; such a cell takes any conductance in its window.

    Raises:
        ValueError: if ``r_off <= r_on``, a resistance is not above zero, ``levels`` is below 2,
            a strength is negative or not finite, or the stuck fractions are not in [0, 1] together.
    """

    r_on: Ohm = MEMPROP.r_on
    """Lowest resistance."""
    r_off: Ohm = MEMPROP.r_off
    """Highest resistance."""
    levels: int | None = None
    """Conductance levels, evenly spaced over the window; None for a continuum."""
    programming_error: Dimensionless = 0.0
    """Standard deviation of a programmed conductance, as a fraction of the window."""
    spread: Dimensionless = 0.0
    """Device-to-device spread: standard deviation of the logarithm of the conductance."""
    stuck_on: Dimensionless = 0.0
    """Fraction of cells that stay at ``r_on``."""
    stuck_off: Dimensionless = 0.0
    """Fraction of cells that stay at ``r_off``."""
    read_noise: Dimensionless = 0.0
    """Standard deviation of a conductance from read to read, as a fraction of the window."""
    source: str = field(default="", compare=False, repr=False)
    """Where the values were published."""

    def __post_init__(self) -> None:
        check_positive("Ω", r_on=self.r_on, r_off=self.r_off)
        check_greater("Ω", r_off=self.r_off, r_on=self.r_on)
        if self.levels is not None and not (isinstance(self.levels, int) and self.levels >= 2):
            raise ValueError(f"Expected `levels` to be None or at least 2, but got {self.levels}.")
        check_not_negative(
            programming_error=self.programming_error,
            spread=self.spread,
            read_noise=self.read_noise,
        )
        check_within(0.0, 1.0, stuck_on=self.stuck_on, stuck_off=self.stuck_off)
        if self.stuck_on + self.stuck_off > 1:
            raise ValueError(
                f"Expected `stuck_on` + `stuck_off` <= 1, "
                f"but got {self.stuck_on:g} + {self.stuck_off:g}."
            )

    @property
    def g_on(self) -> float:
        """Highest conductance (S)."""
        return 1 / self.r_on

    @property
    def g_off(self) -> float:
        """Lowest conductance (S)."""
        return 1 / self.r_off

    @property
    def ideal(self) -> bool:
        """True if a cell is exactly what was asked of it, at every read."""
        return self.levels is None and not (
            self.programming_error
            or self.spread
            or self.stuck_on
            or self.stuck_off
            or self.read_noise
        )
