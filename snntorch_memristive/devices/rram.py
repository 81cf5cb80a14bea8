"""The non-volatile memristor of a synapse, described by what programming it achieves."""

import math
from dataclasses import dataclass, field
from typing import Annotated

from ..checks import check_choice, check_greater, check_not_negative, check_positive, check_within
from ..units import Value
from .conduction import Conduction, Ohmic
from .mss import MEMPROP


@dataclass(frozen=True)
class RRAM:
    """A resistive memory cell: its window, and how far a cell is from what was asked of it.

    Every imperfection is off by default; such a cell takes any conductance in its window.

    Raises:
        ValueError: if ``r_off <= r_on``, a resistance is not above zero, ``levels`` is below 2,
            a strength is negative or not finite, there is no such ``spread_law``, ``endurance`` is
            not above zero, or the stuck fractions are not in [0, 1] together.
    """

    r_on: Annotated[float, "Ω"] = float(MEMPROP.r_on)
    """Lowest resistance."""
    r_off: Annotated[float, "Ω"] = float(MEMPROP.r_off)
    """Highest resistance."""
    levels: int | None = None
    """Conductance levels, evenly spaced over the window; None for a continuum."""
    programming_error: float | tuple[float, ...] = 0.0
    """Standard deviation of a programmed conductance, as a fraction of the window. Several numbers
    are the coefficients of a polynomial in the cell's state, 0 at ``r_off`` and 1 at ``r_on``."""
    tolerance: float | None = None
    """Error, as a fraction of the window, up to which write-and-verify takes a cell as it is; it is
    written again otherwise, up to ``writes`` times. None for a single write without a look."""
    writes: int = 1
    """Most writes that a cell gets."""
    spread: Annotated[float, "1"] = 0.0
    """Device-to-device spread: standard deviation of the logarithm of the conductance, or, with
    the law "normal", of the conductance as a fraction of itself."""
    spread_law: str = "lognormal"
    """Distribution of the spread: "lognormal" or "normal", held at or above 0."""
    stuck_on: Annotated[float, "1"] = 0.0
    """Fraction of cells that stay at ``r_on``."""
    stuck_off: Annotated[float, "1"] = 0.0
    """Fraction of cells that stay at ``r_off``."""
    read_noise: Annotated[float, "1"] = 0.0
    """Standard deviation of a conductance from read to read, as a fraction of the window."""
    flicker: Annotated[float, "1"] = 0.0
    """The same in proportion to the conductance, as 1/f noise is."""
    drift: Annotated[float, "1"] = 0.0
    """Exponent nu of the fall of a conductance, (t / drift_start)^-nu."""
    drift_spread: Annotated[float, "1"] = 0.0
    """Standard deviation of the exponent between devices; it stays at or above 0 in each."""
    drift_start: Annotated[float, "s"] = 1.0
    """Time after programming at which a conductance is what was programmed."""
    drift_energy: Annotated[float, "eV"] = 0.0
    """Activation energy: above 300 K time counts for more by Arrhenius' law."""
    endurance: float | None = None
    """Writes after which half of the cells are worn out: stuck at ``r_on``, as filaments end that
    cannot be broken any more (M. Lanza et al., ACS Nano 15 (2021), doi:10.1021/acsnano.1c06980).
    None for cells that do not wear out."""
    endurance_spread: Annotated[float, "1"] = 0.0
    """Standard deviation of the logarithm of a cell's endurance between devices."""
    conduction: Conduction = Ohmic()  # noqa: RUF009 (frozen)
    """How the current of a cell grows with the voltage. Its conductance is that at the read
    voltage of the array it is in."""
    source: str = field(default="", compare=False, repr=False)
    """Where the values were published."""

    def __post_init__(self) -> None:
        check_positive("Ω", r_on=self.r_on, r_off=self.r_off)
        check_greater("Ω", r_off=self.r_off, r_on=self.r_on)
        if self.levels is not None and not (isinstance(self.levels, int) and self.levels >= 2):
            raise ValueError(f"Expected `levels` to be None or at least 2, but got {self.levels}.")
        check_not_negative(
            spread=self.spread,
            read_noise=self.read_noise,
            flicker=self.flicker,
            drift=self.drift,
            drift_spread=self.drift_spread,
            drift_energy=self.drift_energy,
            endurance_spread=self.endurance_spread,
        )
        check_choice("spread_law", self.spread_law, ("lognormal", "normal"))
        if self.endurance is not None:
            check_positive("writes", endurance=self.endurance)
        check_positive("s", drift_start=self.drift_start)
        self._check_programming()
        check_within(0.0, 1.0, stuck_on=self.stuck_on, stuck_off=self.stuck_off)
        if self.stuck_on + self.stuck_off > 1:
            raise ValueError(
                f"Expected `stuck_on` + `stuck_off` <= 1, "
                f"but got {self.stuck_on:g} + {self.stuck_off:g}."
            )

    def _check_programming(self) -> None:
        if isinstance(self.programming_error, tuple):
            states = [k / 100 for k in range(101)]
            lowest = min(self.programming_width(x) for x in states)
            if not (math.isfinite(lowest) and lowest >= 0):
                raise ValueError(
                    f"Expected a polynomial `programming_error` >= 0 between the states 0 and 1, "
                    f"but its least value is {lowest:g}."
                )
        else:
            check_not_negative(programming_error=self.programming_error)
        if not (isinstance(self.writes, int) and self.writes >= 1):
            raise ValueError(f"Expected `writes` to be at least 1, but got {self.writes}.")
        if self.tolerance is not None:
            check_positive("of the window", tolerance=self.tolerance)

    def programming_width(self, x: Value) -> Value:
        """Standard deviation of a write, as a fraction of the window, to the state ``x``."""
        if not isinstance(self.programming_error, tuple):
            return self.programming_error
        total = 0 * x
        for coefficient in reversed(self.programming_error):
            total = total * x + coefficient
        return total

    @property
    def has_programming_error(self) -> bool:
        """Does a write miss?"""
        return bool(self.programming_error) and self.programming_error != (0.0,)

    @property
    def drifts(self) -> bool:
        """Does a conductance fall with time?"""
        return bool(self.drift or self.drift_spread)

    @property
    def wears_out(self) -> bool:
        """Does writing destroy a cell in the end?"""
        return self.endurance is not None

    @property
    def has_read_noise(self) -> bool:
        """Do two reads differ?"""
        return bool(self.read_noise or self.flicker)

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
            self.has_programming_error
            or self.spread
            or self.stuck_on
            or self.stuck_off
            or self.has_read_noise
            or self.drifts
            or self.wears_out
            or self.conduction != Ohmic()
        )
