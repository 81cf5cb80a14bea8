"""The linear ion drift memristor of HP Labs."""

from dataclasses import dataclass

from torch import Tensor

from ..checks import check_greater, check_positive
from ..units import Metre, Ohm, SquareMetrePerVoltSecond
from .device import Device
from .windows import HARD_STOP, Window


@dataclass(frozen=True)
class LinearIonDrift(Device):
    r"""A film whose doped part grows with the charge that passes.

    The doped part, a fraction ``x`` of the thickness :math:`D`, and the rest are two resistors
    in series; dopants drift in the field of the doped part with the mobility :math:`\mu`:

    .. math::
        v = \left(r_{on}\,x + r_{off}\,(1 - x)\right) i, \qquad
        \dot x = \frac{\mu\, r_{on}}{D^2}\; i\; f(x)

    with a window :math:`f`. It keeps its state at 0 V.

    Source: D. B. Strukov, G. S. Snider, D. R. Stewart and R. S. Williams, "The missing memristor
    found", Nature 453 (2008), doi:10.1038/nature06932, equations 5 and 6; each window names its
    own.

    Raises:
        ValueError: if ``r_off <= r_on``, or a resistance, ``thickness`` or ``mobility`` is not
            above zero.
    """

    r_on: Ohm
    """Resistance of the fully doped film."""
    r_off: Ohm
    """Resistance of the undoped film."""
    thickness: Metre
    """Thickness of the film."""
    mobility: SquareMetrePerVoltSecond
    """Average mobility of the dopants."""
    window: Window = HARD_STOP
    """What keeps the boundary inside the film."""

    def __post_init__(self) -> None:
        check_positive("Ω", r_on=self.r_on, r_off=self.r_off)
        check_greater("Ω", r_off=self.r_off, r_on=self.r_on)
        check_positive("m", thickness=self.thickness)
        check_positive("m²/(V s)", mobility=self.mobility)

    def rate(self, x: Tensor, v: Tensor) -> Tensor:
        """dx/dt (1/s) of state ``x`` in [0, 1] under ``v`` (V); shapes broadcast."""
        drift = self.mobility * self.r_on / self.thickness**2 * self.current(x, v)
        return self.window.apply(drift, x)

    def current(self, x: Tensor, v: Tensor) -> Tensor:
        """Current (A) through the device in state ``x`` under ``v`` (V); shapes broadcast."""
        return v / (self.r_off + (self.r_on - self.r_off) * x)


HP_TIO2 = LinearIonDrift(
    r_on=100.0,
    r_off=160 * 100.0,
    thickness=10e-9,
    mobility=1e-14,
    source="Strukov et al. 2008, caption of Fig. 2b: r_off / r_on = 160, D = 10 nm, mobility "
    "1e-10 cm²/(V s), and 1 V / r_on = 10 mA. Illustrative, not a fit; valid while the boundary "
    "stays inside the film",
)
"""Titanium dioxide as in HP's first paper."""
