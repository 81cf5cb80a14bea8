"""The memristive twin of ``snn.RLeaky``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from ..circuits import Circuit, MIFCircuit
from ..circuits.circuit import check_stated
from ..crossbar import Crossbar, RRAMConv2d, RRAMLinear, RRAMOneToOne
from ..devices import RRAM
from .carry import attach, carried
from .listing import list_weakly
from .neuron import MemristiveNeuron, beta_or_default, check_settings


class RMIF(MemristiveNeuron, snn.RLeaky):
    r"""Recurrent memristive neuron, in the place of :class:`snntorch.RLeaky`.

    :class:`~snntorch_memristive.MIF` whose input current is ``input_ + recurrent(spk)``. The
    recurrent weights are a crossbar: :class:`~snntorch_memristive.RRAMLinear` with
    ``linear_features``, :class:`~snntorch_memristive.RRAMConv2d` with ``conv2d_channels`` and
    ``kernel_size``, one device pair per neuron with ``all_to_all=False``.

    Args:
        beta, threshold ... reset_delay: as in :class:`~snntorch_memristive.MIF`.
        V, all_to_all, linear_features, conv2d_channels, kernel_size, learn_recurrent: as in
            ``snn.RLeaky``.
        rram: the device of the recurrent weights.
        circuit, dt, substeps, solver, spike, learn_device, engine: as in
            :class:`~snntorch_memristive.MIF`.

    Shapes:
        - **input_**: ``(batch, linear_features)`` or ``(batch, channels, height, width)``; any
          with ``all_to_all=False``.
        - **spk**, **mem**: as ``input_``. Both are returned; **spk** alone with
          ``init_hidden`` and not ``output``.

    Raises:
        ValueError: as :class:`~snntorch_memristive.MIF`.
        TypeError: if the recurrence is described in two ways or none, or a state is handed in
            with ``init_hidden=True``.
    """

    _is_recurrent = True  # an input of its own follows from every step's spikes

    recurrent: Crossbar
    """The recurrent weights."""

    def __init__(
        self,
        beta: float | Tensor | None = None,
        V: float | Tensor = 1.0,  # noqa: N803 (snnTorch's name)
        all_to_all: bool = True,
        linear_features: int | None = None,
        conv2d_channels: int | None = None,
        kernel_size: int | tuple[int, int] | None = None,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        learn_recurrent: bool = True,
        reset_mechanism: str = "subtract",
        state_quant: Any = False,
        output: bool = False,
        reset_delay: bool = True,
        *,
        rram: RRAM = RRAM(),  # noqa: B008 (frozen)
        circuit: Circuit = MIFCircuit(),  # noqa: B008 (frozen)
        dt: float = 1e-6,
        substeps: int = 4,
        solver: str = "magnus",
        spike: str = "rectified",
        learn_device: Iterable[str] | Mapping[str, tuple[int, ...]] = (),
        engine: str = "auto",
    ) -> None:
        check_stated(circuit)
        check_settings(threshold, dt, substeps, solver, spike, reset_mechanism)
        beta = beta_or_default(beta, circuit, dt)
        try:
            super().__init__(
                beta,
                V,
                all_to_all,
                linear_features,
                conv2d_channels,
                kernel_size,
                threshold,
                spike_grad,
                surrogate_disable,
                init_hidden,
                inhibition,
                learn_beta,
                learn_threshold,
                learn_recurrent,
                reset_mechanism,
                state_quant,
                output,
                reset_delay,
            )
        finally:  # RLeaky lists itself before it refuses a recurrence
            list_weakly(self)
        self.adopt_recurrence(self, rram)
        self._init_circuit(circuit, dt, substeps, solver, spike, learn_device, spike_grad, engine)

    def adopt_recurrence(self, neuron: snn.RLeaky, rram: RRAM) -> None:
        """Put the very recurrent weights of ``neuron``, of this one's kind, on a crossbar."""
        if not self.all_to_all:
            self.V = neuron.V
            self.recurrent = RRAMOneToOne(self.V, rram=rram)
        elif self.linear_features:
            self.recurrent = RRAMLinear.from_linear(neuron.recurrent, rram=rram)
        else:
            self.recurrent = RRAMConv2d.from_conv2d(neuron.recurrent, rram=rram)

    def forward(
        self, input_: Tensor, spk: Tensor | None = None, mem: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """One time step; see the class for shapes and errors."""
        self._check_hidden(spk is not None or mem is not None)
        return self._returned(*self._forward_step(input_, spk=spk, mem=mem))

    def _forward_step(self, input_: Tensor, **handed: Tensor | None) -> tuple[Any, ...]:
        spk, mem = handed.get("spk"), handed.get("mem")
        self._check_input(input_)
        self._check_finite("input_", input_)
        previous = self._previous(mem, input_)
        if spk is None:  # a membrane of the caller's making is a fresh neuron
            fresh = mem is not None and carried(mem) is None
            spk = torch.zeros_like(input_) if fresh else self.spk
        if spk.shape != input_.shape:
            spk = torch.zeros_like(input_)
        drive = input_ + self.recurrent(spk.to(input_))
        engine = self._choose_engine(drive, previous)
        spk, after, travelling = self._advance(drive, {"mem": previous}, engine)
        mem = after["mem"]
        attach(mem, travelling["mem"])
        self._keep(spk=spk, mem=mem)
        self._listen(spk, previous)
        return spk, mem

    def _init_mem(self) -> None:
        super()._init_mem()
        self.spk = torch.zeros(0)

    def _hidden_detached(self) -> dict[str, Tensor]:
        return super()._hidden_detached() | {"spk": self.spk.detach()}

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "RMIF":
        super()._apply(fn, recurse)
        self.spk = fn(self.spk)
        if not self.all_to_all and not isinstance(self.V, nn.Parameter):
            self.recurrent.V = self.V  # torch has moved both, apart from each other
        return self
