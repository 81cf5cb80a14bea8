"""The MIF circuit with a load on its membrane."""

from dataclasses import dataclass

from ..checks import check_finite, check_positive
from ..units import Ohm, Volt
from .branch import Branch, Resistor
from .mif import MIFCircuit


@dataclass(frozen=True)
class LoadedMIFCircuit(MIFCircuit):
    r"""The MIF circuit with a third branch, a resistor in series with a source.

    The resistor is what a column of cells is to a membrane that is tied to it, all cells of the
    column in parallel, and the source the voltage around which their drivers swing; ``i_in`` is
    then the cells' current into a membrane at ``e_load``.

    .. math::
        c_{mem} \dot v = i_{in} - g_1(x_1)\,(v - e_1) - g_2(x_2)\,(v - e_2)
            - (v - e_{load}) / r_{load}

    States and source: as :class:`~.MIFCircuit`; the resistor is Ohm's law.

    Raises:
        ValueError: if ``r_load`` is not above zero, ``e_load`` is not finite, or as
            :class:`~.MIFCircuit`.
    """

    r_load: Ohm = 100e3
    """Resistor from the membrane to ``e_load``; the default is a cell of ``RRAM()`` that is off."""
    e_load: Volt = 0.0
    """Source in series with the resistor."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("Ω", r_load=self.r_load)
        check_finite("V", e_load=self.e_load)

    def branches(self) -> tuple[Branch, ...]:
        """Both memristors, and the load."""
        return *super().branches(), Branch(Resistor(self.r_load), self.e_load)
