"""What every memristor can be asked."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Device(ABC):
    """A memristor with one state ``x``, 0 where it conducts least and 1 where it conducts most.

    A subclass is a frozen dataclass of parameters that states its two equations in operations
    that formulas are traced through, so that solvers, kernels and netlists read the same text.
    The rate points inwards at both ends: ``x`` never leaves [0, 1] by itself, though a solver's
    finite step may. No current flows at 0 V. Both equations and their derivatives are finite for
    voltages up to 5 V at least; where a model jumps, the derivative is that of the side it is on.

    A subclass whose rate is linear in ``x`` may also state it as ``relaxation(v)``, a
    ``Relaxation``, which ``simulate`` then follows exactly.
    """

    source: str = field(default="", compare=False, repr=False, kw_only=True)
    """Where the values were published."""

    @abstractmethod
    def rate(self, x: Tensor, v: Tensor) -> Tensor:
        """dx/dt (1/s) of state ``x`` in [0, 1] under ``v`` (V); shapes broadcast."""

    @abstractmethod
    def current(self, x: Tensor, v: Tensor) -> Tensor:
        """Current (A) through the device in state ``x`` under ``v`` (V); shapes broadcast."""
