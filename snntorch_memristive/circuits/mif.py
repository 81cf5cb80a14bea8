"""The memristive integrate-and-fire circuit of MEMprop."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..checks import check_finite, check_positive
from ..devices import MEMPROP, MSS
from ..relaxation import Equation, Relaxation, State
from ..units import Farad, Second, Value, Volt
from .branch import Branch, Resistor
from .circuit import Circuit


@dataclass(frozen=True)
class MIFCircuit(Circuit):
    r"""Two volatile memristors, a capacitor and two bias sources.

    The capacitor is in parallel with two branches, each a memristor in series with a source.
    Memristor 1 switches on when the membrane is charged and pulls it back down: that is the
    spike. Memristor 2 is the leak towards ``e2``.

    .. math::
        c_{mem} \dot v = i_{in} - g_1(x_1)\,(v - e_1) - g_2(x_2)\,(v - e_2)

    and each :math:`x_k` follows its device under :math:`v - e_k`. States: ``v`` (V), ``x1`` and
    ``x2`` (fraction of switches on).

    Source: P. Zhou, J. K. Eshraghian, D.-U. Choi, W. D. Lu and S.-M. Kang, "Gradient-based
    neuromorphic learning on dynamical RRAM arrays", arXiv:2206.12992,
    doi:10.1109/JETCAS.2022.3224071; values from the first author's code (GitHub
    pengzhouzp/snntorch 317bd7a). ``c_mem`` in farad follows from a step of 1 µs, which is
    inferred.

    Raises:
        ValueError: if ``c_mem`` is not above zero, a source is not finite, or a memristor is
            not ohmic (``phi`` < 1).
    """

    states: ClassVar[tuple[str, ...]] = ("v", "x1", "x2")
    state_units: ClassVar[dict[str, str]] = {"v": "V", "x1": "1", "x2": "1"}

    m1: MSS = MEMPROP
    """Memristor of branch 1, which repolarises the membrane."""
    m2: MSS = MEMPROP
    """Memristor of branch 2, which sets the rest voltage."""
    e1: Volt = 0.0
    """Source in series with memristor 1."""
    e2: Volt = 50e-3
    """Source in series with memristor 2."""
    c_mem: Farad = 100e-12
    """Membrane capacitor."""

    def __post_init__(self) -> None:
        check_positive("F", c_mem=self.c_mem)
        check_finite("V", e1=self.e1, e2=self.e2)
        for name, device in (("m1", self.m1), ("m2", self.m2)):
            if not isinstance(device, MSS):
                raise TypeError(f"Expected `{name}` to be an MSS, but got {device!r}.")
            if not device.ohmic:
                raise ValueError(
                    f"Expected an ohmic `{name}` (phi = 1), but got phi = {device.phi}."
                )

    def branches(self) -> tuple[Branch, ...]:
        """What is in parallel with the capacitor."""
        return Branch(self.m1, self.e1, "x1"), Branch(self.m2, self.e2, "x2")

    def arriving(self, state: State, i_in: Tensor) -> Tensor:
        """Current (A) that reaches the membrane."""
        return i_in

    def equations(self, hold_memristors: bool = False) -> tuple[Equation, ...]:
        """The membrane, then the memristors under its new voltage."""
        return (self.membrane,) if hold_memristors else (self.membrane, self.memristors)

    def membrane(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """Kirchhoff's current law at the membrane."""
        current = self.arriving(state, i_in)
        conductance: Value = 0.0
        for branch in self.branches():
            g = branch.conductance(state)
            current = current + g * branch.source
            conductance = conductance + g
        return {"v": Relaxation(drive=current / self.c_mem, decay=conductance / self.c_mem)}

    def memristors(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """Every device under the voltage across it."""
        return {
            branch.state: branch.device.relaxation(state["v"] - branch.source)
            for branch in self.branches()
            if not isinstance(branch.device, Resistor)
        }

    @property
    def v_threshold(self) -> Value:
        """Where memristor 1 switches on: ``e1 + m1.v_on`` (V)."""
        return self.e1 + self.m1.v_on


@dataclass(frozen=True)
class AlphaMIFCircuit(MIFCircuit):
    r"""The MIF circuit behind an alpha-function input filter.

    Two cascaded first-order stages of unit gain, so that a short pulse of charge arrives as
    :math:`(t / \tau_\alpha^2)\, e^{-t/\tau_\alpha}` and a constant current unchanged:

    .. math::
        \tau_\alpha \dot a = i_{in} - a, \qquad \tau_\alpha \dot i_{syn} = a - i_{syn}

    States: ``a`` and ``i_syn`` (A), then those of :class:`MIFCircuit`.

    Source: as :class:`MIFCircuit`. The first author's code accumulates ``a`` without decay,
    which its thesis's text ("alpha-function") contradicts; the filter here is the alpha
    function.

    Raises:
        ValueError: if ``tau_alpha`` is not above zero, or as :class:`MIFCircuit`.
    """

    states: ClassVar[tuple[str, ...]] = ("a", "i_syn", "v", "x1", "x2")
    state_units: ClassVar[dict[str, str]] = {"a": "A", "i_syn": "A"} | MIFCircuit.state_units

    tau_alpha: Second = 100e-6
    """Time constant of both stages."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("s", tau_alpha=self.tau_alpha)

    def equations(self, hold_memristors: bool = False) -> tuple[Equation, ...]:
        """Both stages of the filter, then the circuit behind it.

        The second stage comes first: a splitting solver then leads with one stage by the half
        sub-step by which it lags with the other, and not by both.
        """
        return (self.second_stage, self.first_stage, *super().equations(hold_memristors))

    def first_stage(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """Input current into ``a``."""
        return {"a": Relaxation(drive=i_in / self.tau_alpha, decay=1 / self.tau_alpha)}

    def second_stage(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """``a`` into the current that reaches the membrane."""
        return {"i_syn": Relaxation(drive=state["a"] / self.tau_alpha, decay=1 / self.tau_alpha)}

    def arriving(self, state: State, i_in: Tensor) -> Tensor:
        """What has passed the filter."""
        return state["i_syn"]
