"""The MIF circuit behind synapses: filters through which the input current reaches it."""

from abc import abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

from torch import Tensor

from ..checks import check_not_negative, check_positive
from ..relaxation import Equation, Relaxation, State
from ..units import Dimensionless, Second
from .mif import MIFCircuit


@dataclass(frozen=True)
class FilteredMIFCircuit(MIFCircuit):
    r"""The MIF circuit behind first-order filters side by side, of which a subclass says which.

    Their currents add up, with a lead: a membrane, or a driver that holds its current over a
    time step, comes later than what it follows, and the lead takes that back.

    .. math::
        i_{arriving} = \sum_k \left( i_k + t_{lead}\, \dot i_k \right)

    In the frequency domain that is :math:`(1 + s\, t_{lead}) / (1 + s\, \tau_k)`, the lag-lead
    filter of a capacitor with a resistor in series.

    Raises:
        ValueError: if ``lead`` is below zero, or as :class:`~.MIFCircuit`.
    """

    lead: Second = 0.0
    """Time by which the currents lead."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_not_negative(lead=self.lead)

    @abstractmethod
    def filters(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """Input current into the current of every filter."""

    @classmethod
    def before(cls, circuit: MIFCircuit) -> "FilteredMIFCircuit":
        """This synapse, with its default values, in front of ``circuit``.

        Raises:
            TypeError: if ``circuit`` is neither a plain MIFCircuit nor of this class already.
        """
        if type(circuit) not in (MIFCircuit, cls):
            raise TypeError(
                f"Expected `circuit` to be a MIFCircuit or a {cls.__name__}, "
                f"but got {type(circuit).__name__}."
            )
        return cls(**{field.name: getattr(circuit, field.name) for field in fields(circuit)})

    def equations(self, hold_memristors: bool = False) -> tuple[Equation, ...]:
        """The filters, then the circuit behind them."""
        return self.filters, *super().equations(hold_memristors)

    def arriving(self, state: State, i_in: Tensor) -> Tensor:
        """What has passed the filters."""
        filters = self.filters(state, i_in).items()
        first, *others = (state[n] + self.lead * filter_.rate(state[n]) for n, filter_ in filters)
        return sum(others, start=first)


@dataclass(frozen=True)
class SynapticMIFCircuit(FilteredMIFCircuit):
    r"""The MIF circuit behind one synapse, whose current decays exponentially.

    .. math::
        \tau_{syn} \dot i_{syn} = i_{in} - i_{syn}

    States: ``i_syn`` (A), then those of :class:`~.MIFCircuit`.

    Source: as :class:`~.MIFCircuit`; the synapse is that of ``snn.Synaptic`` in continuous time.

    Raises:
        ValueError: if ``tau_syn`` is not above zero, or as :class:`FilteredMIFCircuit`.
    """

    states: ClassVar[tuple[str, ...]] = ("i_syn", *MIFCircuit.states)
    state_units: ClassVar[dict[str, str]] = {"i_syn": "A"} | MIFCircuit.state_units

    tau_syn: Second = 10e-6
    """Time constant of the synapse."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("s", tau_syn=self.tau_syn)

    def filters(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """Input current into ``i_syn``."""
        return {"i_syn": Relaxation(drive=i_in / self.tau_syn, decay=1 / self.tau_syn)}


@dataclass(frozen=True)
class BiexponentialMIFCircuit(FilteredMIFCircuit):
    r"""The MIF circuit behind an excitatory and an inhibitory synapse with the same input.

    A pulse of charge arrives as the difference of two exponentials: a rise, then a decay.

    .. math::
        \tau_{exc} \dot i_{exc} = i_{in} - i_{exc}, \qquad
        \tau_{inh} \dot i_{inh} = -r\, i_{in} - i_{inh}

    States: ``i_exc`` and ``i_inh`` (A), then those of :class:`~.MIFCircuit`.

    Source: as :class:`~.MIFCircuit`; the synapses are those of ``snn.Alpha`` in continuous time.

    Raises:
        ValueError: if a time constant or ``ratio`` is not above zero, or as
            :class:`FilteredMIFCircuit`.
    """

    states: ClassVar[tuple[str, ...]] = ("i_exc", "i_inh", *MIFCircuit.states)
    state_units: ClassVar[dict[str, str]] = {"i_exc": "A", "i_inh": "A"} | MIFCircuit.state_units

    tau_exc: Second = 10e-6
    """Time constant of the excitatory synapse."""
    tau_inh: Second = 5e-6
    """Time constant of the inhibitory synapse."""
    ratio: Dimensionless = 0.5
    """Inhibitory current over excitatory current once both have settled."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("s", tau_exc=self.tau_exc, tau_inh=self.tau_inh)
        check_positive("", ratio=self.ratio)

    def filters(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """Input current into both currents."""
        inhibiting = -self.ratio * i_in
        return {
            "i_exc": Relaxation(drive=i_in / self.tau_exc, decay=1 / self.tau_exc),
            "i_inh": Relaxation(drive=inhibiting / self.tau_inh, decay=1 / self.tau_inh),
        }
