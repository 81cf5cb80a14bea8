"""The memristive twin of ``snn.Leaky``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import snntorch as snn
from torch import Tensor

from ..circuits import Circuit, MIFCircuit
from ..circuits.circuit import check_stated
from .listing import list_weakly
from .neuron import MemristiveNeuron, beta_or_default, check_settings


class MIF(MemristiveNeuron, snn.Leaky):
    r"""Memristive integrate-and-fire neuron, in the place of :class:`snntorch.Leaky`.

    The membrane is the circuit of :class:`~.MIFCircuit` (MEMprop,
    arXiv:2206.12992), integrated through its device equations. A spike is what the devices do:
    the membrane charges, memristor 1 switches on and pulls it back. Nothing is compared with a
    threshold and nothing is reset, so the gradient is the derivative of what was computed.

    Called and trained as ``snn.Leaky``. The memristor states travel with ``mem``: hand back the
    ``mem`` that the neuron returned. A ``mem`` of your own making starts the memristors from
    rest.

    Example::

        import torch
        from torch import nn
        import snntorch_memristive as snnm

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc1 = snnm.RRAMLinear(784, 256)
                self.mif1 = snnm.MIF(beta=0.9)
                self.fc2 = snnm.RRAMLinear(256, 10)
                self.mif2 = snnm.MIF(beta=0.9)

            def forward(self, x):
                mem1, mem2 = self.mif1.reset_mem(), self.mif2.reset_mem()
                record = []
                for _ in range(25):
                    spk1, mem1 = self.mif1(self.fc1(x), mem1)
                    spk2, mem2 = self.mif2(self.fc2(spk1), mem2)
                    record.append(mem2)
                return torch.stack(record)

    Args:
        beta: membrane decay per step at rest, in (0, 1), a number or one per neuron; it sets
            the capacitor, ``c_mem = -g_rest dt / ln(beta)``. The circuit's own capacitor
            (``beta`` 0.76 for the default circuit) if left out.
        threshold: value of ``mem`` at which memristor 1 switches on; above 0, a number or one
            per neuron. Input and ``mem`` scale with it.
        spike_grad: used by ``spike="binary"`` alone, the one output that needs a surrogate;
            snnTorch's default (atan) if left out.
        surrogate_disable: no gradient through ``spike="binary"``.
        init_hidden: keep ``mem`` in the neuron; ``forward`` then takes the input only.
        inhibition: let only the highest membrane of each sample send its spike.
        learn_beta: train ``beta`` (and with it the capacitor).
        learn_threshold: train ``threshold``.
        reset_mechanism: "subtract" and "zero" both mean that the memristors move and repolarise
            the membrane by themselves; "none" holds them at rest, which leaves the leaky
            integrator ``mem' = beta mem + input``. (A huge threshold alone comes within about
            5 % of it: the memristors creep at any voltage.)
        state_quant: function applied to ``mem`` after every step.
        output: with ``init_hidden``, return ``mem`` too.
        graded_spikes_factor: height of a full spike.
        learn_graded_spikes_factor: train that height.
        reset_delay: accepted for compatibility; there is no reset to delay.
        circuit: the circuit, in SI units.
        dt: length of one time step in s. That the MEMprop step is 1 µs is inferred.
        substeps: parts into which the solver cuts a step. With the default solver and 4 of
            them the membrane is within 0.5 % of its range of SPICE for currents up to 100 µA
            (0.7 % if they change sign); ``benchmarks/accuracy.py`` has the table.
        solver: "magnus"; "exponential", less than half of its time for up to 17 times its error;
            "symmetric"; "euler" (the MEMprop code's, which diverges for strong inputs) or "rk4".
        spike: "rectified" (0 at rest, analog above, 1 from threshold), "voltage" (the membrane
            itself, as in MEMprop), or "binary". A neuron that sends nothing for any sample
            gets no exact gradient, so for a loss on the spikes of the output layer give that
            layer "voltage" (or "binary"), or put the loss on ``mem``.
        learn_device: names of device and circuit parameters to train, such as ``("tau",)``, or
            a mapping from name to shape, ``{"tau": (256,)}``, to train one per neuron. ``mem``
            stays measured from the rest of the circuit as built: where a trained parameter other
            than a time constant moves that rest, ``mem`` at rest is no longer exactly 0.
        engine: "auto" runs on compiled kernels wherever there are any and on torch's operations
            elsewhere, and ``engine_used`` says on which; "eager" always takes the latter. Both
            give the same values and gradients, to rounding.

    Shapes:
        - **input_**: any, from 0-d to ``(batch, channels, height, width)`` and beyond;
          dimensionless, as for ``snn.Leaky``; any floating-point dtype.
        - **mem**: as ``input_``.
        - returns **spk** and **mem**, as ``input_``; **spk** alone with ``init_hidden`` and
          not ``output``. ``0 <= spk <= graded_spikes_factor`` except for ``spike="voltage"``.

    Raises:
        ValueError: if a setting is impossible; in ``forward``, if the input is not floating
            point, holds NaN or infinity (looked for on the CPU only), or does not fit a
            per-neuron parameter.
        TypeError: if ``mem`` is handed in with ``init_hidden=True``; the state is untouched.
    """

    def __init__(
        self,
        beta: float | Tensor | None = None,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Any = False,
        output: bool = False,
        graded_spikes_factor: float | Tensor = 1.0,
        learn_graded_spikes_factor: bool = False,
        reset_delay: bool = True,
        *,
        circuit: Circuit = MIFCircuit(),  # noqa: B008 (frozen)
        dt: float = 1e-6,
        substeps: int = 4,
        solver: str = "magnus",
        spike: str = "rectified",
        learn_device: Iterable[str] | Mapping[str, tuple[int, ...]] = (),
        engine: str = "auto",
    ) -> None:
        check_stated(circuit)
        check_settings(
            threshold, dt, substeps, solver, spike, reset_mechanism, graded_spikes_factor
        )
        beta = beta_or_default(beta, circuit, dt)
        super().__init__(
            beta,
            threshold,
            spike_grad,
            surrogate_disable,
            init_hidden,
            inhibition,
            learn_beta,
            learn_threshold,
            reset_mechanism,
            state_quant,
            output,
            graded_spikes_factor,
            learn_graded_spikes_factor,
            reset_delay,
        )
        list_weakly(self)
        self._init_circuit(circuit, dt, substeps, solver, spike, learn_device, spike_grad, engine)

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """One time step; see the class for shapes and errors."""
        self._check_hidden(mem is not None)
        return self._returned(*self._forward_step(input_, mem=mem))
