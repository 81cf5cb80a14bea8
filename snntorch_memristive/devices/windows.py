"""Window functions: what keeps the state of a drift model between its two ends."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from ..checks import check_whole
from ..units import Dimensionless


@dataclass(frozen=True)
class Window(ABC):
    """A factor on the rate of a state ``x`` in [0, 1]."""

    @abstractmethod
    def apply(self, rate: Tensor, x: Tensor) -> Tensor:
        """``rate`` (any unit) under the window in state ``x``; shapes broadcast.

        Positive means that ``x`` rises.
        """


@dataclass(frozen=True)
class HardStop(Window):
    """No window: the full rate up to the end, where the state rests until the rate turns.

    Source: D. B. Strukov, G. S. Snider, D. R. Stewart and R. S. Williams, "The missing memristor
    found", Nature 453 (2008), doi:10.1038/nature06932, its boundary condition of hard switching;
    for VTEAM the asymmetric rectangular window, equation 7 of D. Biolek et al., "(V)TEAM for
    SPICE simulation of memristive devices with improved numerical performance", IEEE Access 9
    (2021), doi:10.1109/ACCESS.2021.3059241.
    """

    def apply(self, rate: Tensor, x: Tensor) -> Tensor:
        """``rate``, or 0 where it would push ``x`` out of [0, 1]."""
        rising = torch.where(x < 1, rate, 0.0)
        falling = torch.where(x > 0, rate, 0.0)
        return torch.where(rate > 0, rising, falling)


HARD_STOP = HardStop()
"""What devices have unless told otherwise."""


@dataclass(frozen=True)
class Joglekar(Window):
    r"""The symmetric window :math:`f(x) = 1 - (2x - 1)^{2p}`.

    It is 0 at both ends, in both directions: a state that starts exactly there never leaves.
    (:class:`Biolek` is the remedy.)

    Source: Y. N. Joglekar and S. J. Wolf, "The elusive memristor: properties of basic electrical
    circuits", European Journal of Physics 30 (2009), doi:10.1088/0143-0807/30/4/001.

    Raises:
        ValueError: if ``p`` is not a whole number from 1 to 16.
    """

    p: int = 1
    """Exponent: the higher, the flatter in between."""

    def __post_init__(self) -> None:
        check_whole(1, 16, p=self.p)

    def apply(self, rate: Tensor, x: Tensor) -> Tensor:
        """``rate`` times the window."""
        return rate * (1 - ((2 * x - 1) ** 2) ** self.p)


@dataclass(frozen=True)
class Biolek(Window):
    r"""The window that is 0 only at the end towards which the state moves.

    .. math::
        f(x) = \begin{cases} 1 - x^{2p} & \text{rising} \\
                             1 - (x - 1)^{2p} & \text{falling} \end{cases}

    Source: Z. Biolek, D. Biolek and V. Biolkova, "SPICE model of memristor with nonlinear dopant
    drift", Radioengineering 18 (2009), 210-214, equations 10 and 11.

    Raises:
        ValueError: if ``p`` is not a whole number from 1 to 16.
    """

    p: int = 1
    """Exponent: the higher, the flatter in between."""

    def __post_init__(self) -> None:
        check_whole(1, 16, p=self.p)

    def apply(self, rate: Tensor, x: Tensor) -> Tensor:
        """``rate`` times the window of its direction."""
        rising = 1 - (x**2) ** self.p
        falling = 1 - ((x - 1) ** 2) ** self.p
        return rate * torch.where(rate > 0, rising, falling)


@dataclass(frozen=True)
class Prodromakis(Window):
    r"""The symmetric window :math:`f(x) = j\,(1 - [(x - 1/2)^2 + 3/4]^p)`.

    It is 0 at both ends, as :class:`Joglekar`'s is. The paper lets ``p`` be any positive number;
    whole ones are what kernels can raise to.

    Source: T. Prodromakis, B. P. Peh, C. Papavassiliou and C. Toumazou, "A versatile memristor
    model with nonlinear dopant kinetics", IEEE Transactions on Electron Devices 58 (2011),
    doi:10.1109/TED.2011.2158004.

    Raises:
        ValueError: if ``p`` is not a whole number from 1 to 16 or ``j`` is not above zero.
    """

    p: int = 1
    """Exponent: the higher, the flatter in between."""
    j: Dimensionless = 1.0
    """Height that the window approaches in the middle as ``p`` grows."""

    def __post_init__(self) -> None:
        check_whole(1, 16, p=self.p)
        if isinstance(self.j, Real) and not 0 < self.j < math.inf:
            raise ValueError(f"Expected `j` > 0 and finite, but got {self.j:g}.")

    def apply(self, rate: Tensor, x: Tensor) -> Tensor:
        """``rate`` times the window."""
        return rate * (self.j * (1 - ((x - 0.5) ** 2 + 0.75) ** self.p))
