"""The memristive twin of ``snn.Synaptic``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import snntorch as snn
import torch
from torch import Tensor

from ..circuits import MIFCircuit, SynapticMIFCircuit
from ..devices.conduction import sinhc
from ..relaxation import State
from .listing import list_weakly
from .neuron import MemristiveNeuron, check_settings, decay, held_decay


class SynapticMIF(MemristiveNeuron, snn.Synaptic):
    r"""Memristive neuron behind a synapse, in the place of :class:`snntorch.Synaptic`.

    :class:`~snntorch_memristive.MIF` whose input passes a first-order filter, the circuit of
    :class:`~.SynapticMIFCircuit`. Its current is ``syn``, in
    snnTorch's numbers: a unit of it is the current that a unit of input is to a ``MIF`` of the
    same ``beta``. The driver holds its current over a time step; the filter's lead undoes that
    delay of nearly half a step, so that, as long as the memristors have not moved,

    .. math::
        syn' = \alpha\, syn + input, \qquad mem' = \beta\, mem + syn'

    as ``snn.Synaptic`` has it. That is the circuit's own solution; the default solver comes within
    0.02 % of the membrane's range for decays of 0.9 and 0.8, 0.2 % for 0.5 and 0.5 (white noise).

    ``syn`` is a number like any other, handed back or made by hand; the memristor states travel
    with ``mem``, as in :class:`~snntorch_memristive.MIF`.

    Example::

        neuron = snnm.SynapticMIF(alpha=0.9, beta=0.8)
        syn, mem = neuron.reset_mem()
        for step in range(25):
            spk, syn, mem = neuron(input_[step], syn, mem)

    Args:
        alpha: decay of the synapse per step, in (0, 1), a number or one per neuron; it sets its
            time constant, ``tau_syn = -dt / ln(alpha)``.
        learn_alpha: train ``alpha``.
        beta, threshold ... reset_delay: as in :class:`~snntorch_memristive.MIF`.
        circuit: the circuit behind the synapse.
        dt, substeps, solver, spike, learn_device, engine: as in
            :class:`~snntorch_memristive.MIF`.

    Shapes:
        - **input_**, **syn**, **mem**: any, all the same.
        - returns **spk**, **syn** and **mem**, as ``input_``; **spk** alone with
          ``init_hidden`` and not ``output``.

    Raises:
        ValueError: as :class:`~snntorch_memristive.MIF`.
        TypeError: if a state is handed in with ``init_hidden=True``, or ``circuit`` is no plain
            MIFCircuit.
    """

    _currents: ClassVar[Mapping[str, str]] = {"syn": "i_syn"}
    _tuned: ClassVar[tuple[str, ...]] = ("tau_syn", "lead")
    _per_neuron: ClassVar[tuple[str, ...]] = ("alpha", *MemristiveNeuron._per_neuron)

    def __init__(
        self,
        alpha: float | Tensor,
        beta: float | Tensor,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Any = False,
        output: bool = False,
        reset_delay: bool = True,
        *,
        circuit: MIFCircuit = MIFCircuit(),  # noqa: B008 (frozen)
        dt: float = 1e-6,
        substeps: int = 4,
        solver: str = "magnus",
        spike: str = "rectified",
        learn_device: Iterable[str] | Mapping[str, tuple[int, ...]] = (),
        engine: str = "auto",
    ) -> None:
        check_settings(threshold, dt, substeps, solver, spike, reset_mechanism)
        circuit = SynapticMIFCircuit.before(circuit)
        super().__init__(
            decay("alpha", alpha),
            decay("beta", beta),
            threshold,
            spike_grad,
            surrogate_disable,
            init_hidden,
            inhibition,
            learn_alpha,
            learn_beta,
            learn_threshold,
            reset_mechanism,
            state_quant,
            output,
            reset_delay,
        )
        list_weakly(self)
        self._init_circuit(circuit, dt, substeps, solver, spike, learn_device, spike_grad, engine)

    def forward(
        self, input_: Tensor, syn: Tensor | None = None, mem: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """One time step; see the class for shapes and errors."""
        self._check_hidden(syn is not None or mem is not None)
        return self._returned(*self._forward_step(input_, syn=syn, mem=mem))

    def sequence(  # type: ignore[override]  # the states of snn.Synaptic
        self,
        input_: Tensor,  # shape: (time, *neurons)
        syn: Tensor | None = None,  # shape: (*neurons)
        mem: Tensor | None = None,  # shape: (*neurons)
    ) -> tuple[Tensor, Tensor, Tensor]:  # shapes: (time, *neurons)
        """``spk``, ``syn`` and ``mem`` at every step; else as in MIF."""
        return self._sequence(input_, syn=syn, mem=mem)

    def states(self, mem: Tensor | None = None, syn: Tensor | None = None) -> State:
        """States of the circuit by name, in SI units, each of the shape of ``mem``.

        Those of ``mem`` and ``syn`` (no current, if it is left out), or, without both, of the
        neuron's own last step.
        """
        return self._states(mem, syn=syn)

    def _computed_coefficients(self, dtype: torch.dtype) -> dict[str, Tensor]:
        coefficients = super()._computed_coefficients(dtype)
        alpha, beta = held_decay(self.alpha.to(dtype)), self._held_beta(dtype)
        tau_syn = -self.dt / alpha.log()
        # At the end of a step the membrane keeps the share `held` of a current that was held
        # over it, and `fading` of one that faded by alpha. In snnTorch a new input counts 1 and
        # the old current alpha: (1 - lead / tau_syn) fading = alpha held.
        held, fading = log_mean(torch.ones_like(beta), beta), log_mean(alpha, beta)
        return coefficients | {
            "amperes": coefficients["amperes"] / (1 - alpha),
            "i_syn": coefficients["volts"] * self._g_rest / (1 - beta),
            "tau_syn": tau_syn,
            "lead": tau_syn * (1 - alpha * held / fading),
        }


def log_mean(a: Tensor, b: Tensor) -> Tensor:
    r"""Logarithmic mean :math:`(a - b) / (\ln a - \ln b)`, smooth where both are the same.

    It is the mean over t from 0 to 1 of ``a**t * b**(1 - t)``: of what decays by ``a`` during a
    step, and, from when it has arrived, by ``b``.
    """
    return (a * b).sqrt() * sinhc((a.log() - b.log()) / 2)
