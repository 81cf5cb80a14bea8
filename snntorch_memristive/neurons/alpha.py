"""The memristive twin of ``snn.Alpha``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import snntorch as snn
import torch
from torch import Tensor

from ..circuits import BiexponentialMIFCircuit, MIFCircuit
from ..relaxation import State
from .listing import list_weakly
from .neuron import BETA_MARGIN, MemristiveNeuron, check_settings, decay, held_decay


class AlphaMIF(MemristiveNeuron, snn.Alpha):
    r"""Memristive neuron behind two synapses, in the place of :class:`snntorch.Alpha`.

    :class:`~snntorch_memristive.MIF` whose input passes an excitatory and an inhibitory filter, the
    circuit of :class:`~.BiexponentialMIFCircuit`, so that the
    membrane's answer to a pulse rises before it decays. The currents are ``syn_exc`` and
    ``syn_inh``, in snnTorch's numbers. In ``snn.Alpha`` the membrane follows their sum without
    delay; a membrane with a capacitor lags behind its current, and the filters' lead undoes
    that, so that, from rest and as long as the memristors have not moved,

    .. math::
        syn_{exc}' = \alpha\, syn_{exc} + input, \qquad syn_{inh}' = \beta\, syn_{inh} - input,
        \qquad mem' = \frac{\ln \beta}{\ln \beta - \ln \alpha}\, (syn_{exc}' + syn_{inh}')

    as ``snn.Alpha`` has it. That is the circuit's own solution; the default solver comes within
    0.03 % of the membrane's range for decays of 0.9 and 0.8, 0.25 % for 0.5 and 0.4 (white noise).
    The capacitor stays the circuit's own, as both decays belong to the synapses; a ``mem`` by hand
    that is not what the currents make of it loses the difference through the membrane's leak.

    Both currents are numbers like any other, handed back or made by hand; the memristor states
    travel with ``mem``, as in :class:`~snntorch_memristive.MIF`.

    Example::

        neuron = snnm.AlphaMIF(alpha=0.9, beta=0.8)
        syn_exc, syn_inh, mem = neuron.reset_mem()
        for step in range(25):
            spk, syn_exc, syn_inh, mem = neuron(input_[step], syn_exc, syn_inh, mem)

    Args:
        alpha: decay of the excitatory synapse per step, in (0, 1), a number or one per neuron; it
            sets its time constant, ``tau_exc = -dt / ln(alpha)``.
        beta: likewise of the inhibitory synapse; below ``alpha``.
        learn_alpha, learn_beta: train them. (``alpha`` is held above ``beta``.)
        threshold ... output: as in :class:`~snntorch_memristive.MIF`.
        circuit: the circuit behind the synapses, with its own capacitor.
        dt, substeps, solver, spike, learn_device, engine: as in
            :class:`~snntorch_memristive.MIF`.

    Shapes:
        - **input_**, **syn_exc**, **syn_inh**, **mem**: any, all the same.
        - returns **spk**, **syn_exc**, **syn_inh** and **mem**, as ``input_``; **spk** alone
          with ``init_hidden`` and not ``output``.

    Raises:
        ValueError: if ``alpha`` is not above ``beta``, or as :class:`~snntorch_memristive.MIF`.
        TypeError: if a state is handed in with ``init_hidden=True``, or ``circuit`` is no plain
            MIFCircuit.
    """

    _currents: ClassVar[Mapping[str, str]] = {"syn_exc": "i_exc", "syn_inh": "i_inh"}
    _tuned: ClassVar[tuple[str, ...]] = ("tau_exc", "tau_inh", "ratio", "lead")
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
        reset_mechanism: str = "zero",
        state_quant: Any = False,
        output: bool = False,
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
        circuit = BiexponentialMIFCircuit.before(circuit)
        alpha, beta = decay("alpha", alpha), decay("beta", beta)
        if not bool((alpha > beta).all()):
            raise ValueError(
                f"Expected `alpha` > `beta`, but got {alpha.tolist()} and {beta.tolist()}."
            )
        super().__init__(
            alpha,
            beta,
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
        )
        list_weakly(self)
        self._init_circuit(circuit, dt, substeps, solver, spike, learn_device, spike_grad, engine)

    def forward(
        self,
        input_: Tensor,
        syn_exc: Tensor | None = None,
        syn_inh: Tensor | None = None,
        mem: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor, Tensor, Tensor]:
        """One time step; see the class for shapes and errors."""
        handed = {"syn_exc": syn_exc, "syn_inh": syn_inh, "mem": mem}
        self._check_hidden(any(state is not None for state in handed.values()))
        return self._returned(*self._forward_step(input_, **handed))

    def sequence(  # type: ignore[override]  # the states of snn.Alpha
        self,
        input_: Tensor,  # shape: (time, *neurons)
        syn_exc: Tensor | None = None,  # shape: (*neurons)
        syn_inh: Tensor | None = None,  # shape: (*neurons)
        mem: Tensor | None = None,  # shape: (*neurons)
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # shapes: (time, *neurons)
        """``spk``, ``syn_exc``, ``syn_inh`` and ``mem`` at every step; else as in MIF."""
        return self._sequence(input_, syn_exc=syn_exc, syn_inh=syn_inh, mem=mem)

    def states(
        self,
        mem: Tensor | None = None,
        syn_exc: Tensor | None = None,
        syn_inh: Tensor | None = None,
    ) -> State:
        """States of the circuit by name, in SI units, each of the shape of ``mem``.

        Those of ``mem`` and both currents (none, if they are left out), or, without any, of the
        neuron's own last step.
        """
        return self._states(mem, syn_exc=syn_exc, syn_inh=syn_inh)

    def _computed_coefficients(self, dtype: torch.dtype) -> dict[str, Tensor]:
        coefficients = super()._computed_coefficients(dtype)
        beta = self._held_beta(dtype)
        alpha = held_decay(torch.maximum(self.alpha.to(dtype), beta + BETA_MARGIN))
        # The current that holds the membrane where a unit of either current puts it.
        tau_alpha = beta.log() / (beta.log() - alpha.log())
        unit = coefficients["volts"] * tau_alpha * self._g_rest
        c_mem = float(self._built.circuit.c_mem)
        return coefficients | {
            "amperes": unit / (1 - alpha) * self.gain.to(dtype),
            "c_mem": torch.full_like(coefficients["volts"], c_mem),
            "i_exc": unit,
            "i_inh": unit,
            "tau_exc": -self.dt / alpha.log(),
            "tau_inh": -self.dt / beta.log(),
            "ratio": (1 - alpha) / (1 - beta),
            "lead": torch.full_like(coefficients["volts"], c_mem / self._g_rest),
        }
