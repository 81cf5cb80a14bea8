"""What every memristive neuron has in common."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from snntorch import SpikingNeuron, surrogate
from torch import Tensor, nn

from ..checks import check_choice
from ..circuits import Circuit
from ..engine import choose_engine, kernel_keys
from ..functional import SPIKES, Dynamics, binary, check_integration
from ..relaxation import State
from ..tracing import is_traced, is_wrapped
from .carry import attach, carried
from .learned import PREFIX, add_learned, changes
from .listing import list_weakly

BETA_MARGIN = 1e-6
"""A learned ``beta`` is held this far inside (0, 1): a capacitor is neither zero nor infinite."""

ENGINES = ("auto", "eager")
"""What a neuron's ``engine=`` takes."""

SILENT_STEPS = 3
"""Steps without a spike after which a layer may be called silent."""

THRESHOLD_MARGIN = 1e-6
"""A learned ``threshold`` is held above this."""


class SilentLayerWarning(UserWarning):
    """A neuron layer sent nothing over a whole sequence in training."""


class MemristiveNeuron(SpikingNeuron):
    r"""A snnTorch neuron whose membrane is a memristive circuit.

    Abstract: :class:`~snntorch_memristive.MIF` and :class:`~snntorch_memristive.RMIF` are the
    neurons. One affine map joins snnTorch's dimensionless numbers and the circuit's volts and
    amperes. With :math:`\Delta v` from the circuit's rest to its threshold voltage and
    :math:`g_{rest}` the conductance of the membrane at rest,

    .. math::
        \frac{mem}{threshold} = \frac{v - v_{rest}}{\Delta v}, \qquad
        \frac{input}{threshold}\, gain = \frac{i_{in}\,(1 - \beta)}{\Delta v\, g_{rest}}, \qquad
        \beta = e^{-g_{rest}\, dt / c_{mem}}

    so that, as long as the memristors have not moved, ``mem' = beta mem + input`` exactly.
    """

    _is_recurrent = False

    gain: Tensor
    """Gain of the input driver, a buffer; 1 until ``calibrate`` sets it."""

    def _init_circuit(
        self,
        circuit: Circuit,
        dt: float,
        substeps: int,
        solver: str,
        spike: str,
        learn_device: Iterable[str] | Mapping[str, tuple[int, ...]],
        spike_grad: Callable[[Tensor], Tensor] | None,
        engine: str,
    ) -> None:
        """Finish a constructor, once the snnTorch class has run its own."""
        if any(isinstance(value, Tensor) for value in circuit.rest().values()):
            raise ValueError(
                "Expected a circuit of numbers, but some of its values are tensors; "
                "`learn_device` with a shape gives every neuron a value of its own."
            )
        check_choice("engine", engine, ENGINES)
        voltages, factors = add_learned(self, circuit, learn_device)
        self.dt = dt
        self.substeps = substeps
        self.solver = solver
        self.spike = spike
        self.engine = engine
        self.engine_used = None
        self._built = Dynamics(circuit, dt, substeps, solver, spike, False, voltages, factors)
        self._kernel_keys = kernel_keys(self._built)
        self._kept = None
        self._g_rest = circuit.leak() * circuit.c_mem
        self._heard = self._warned = False
        self._silent_steps = 0
        self.register_buffer("gain", torch.ones(()))
        # snnTorch's own defaults here are a closure, which cannot be pickled, and a method
        # bound to this object, which DataParallel and deepcopy would bind to the wrong one.
        self.spike_grad = self._surrogate_bypass if self.surrogate_disable else spike_grad
        del self.state_function

    # The circuit in SI units

    @property
    def circuit(self) -> Circuit:
        """The circuit as it is now, with learned values: a frozen dataclass in SI units."""
        return _as_numbers(self._dynamics.circuit_with(self._coefficients(self.beta.dtype)))

    @property
    def _dynamics(self) -> Dynamics:
        held = self._reset_mechanism == "none"
        now = (self.dt, self.substeps, self.solver, self.spike, held)
        built = self._built
        if now != (built.dt, built.substeps, built.solver, built.spike, built.hold_memristors):
            names = ("dt", "substeps", "solver", "spike", "hold_memristors")
            self._built = replace(built, **dict(zip(names, now, strict=True)))
            self._kernel_keys = kernel_keys(self._built)
        return self._built

    def _coefficients(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """What may be trained, as the circuit takes it; see Dynamics."""
        fixed = list(self._buffers.values())
        if self._parameters or not all(map(_is_fixed, fixed)):
            return self._computed_coefficients(dtype)
        now = (dtype, self.dt, *[buffer.item() for buffer in fixed])
        kept = self._kept
        if kept is None or kept[0] != now:
            kept = now, self._computed_coefficients(dtype)
            # What is made in inference mode or under torch.func is of no use elsewhere.
            if not (torch.is_inference_mode_enabled() or is_wrapped(kept[1]["c_mem"])):
                self._kept = kept
        return kept[1]

    def _computed_coefficients(self, dtype: torch.dtype) -> dict[str, Tensor]:
        learned = {
            name.removeprefix(PREFIX): p.to(dtype)
            for name, p in self._parameters.items()
            if name.startswith(PREFIX)
        }
        beta = self._held_beta(dtype)
        volts = self._built.dv / self._held_threshold(dtype)
        return {
            "amperes": volts * self._g_rest / (1 - beta) * self.gain.to(dtype),
            "volts": volts,
            "c_mem": -self._g_rest * self.dt / beta.log(),
            "height": self.graded_spikes_factor.to(dtype),
            **changes(learned, self._built.learned_voltages),
        }

    def _held_beta(self, dtype: torch.dtype) -> Tensor:
        return self.beta.to(dtype).clamp(BETA_MARGIN, 1 - BETA_MARGIN)

    def _held_threshold(self, dtype: torch.dtype) -> Tensor:
        return self.threshold.to(dtype).clamp(min=THRESHOLD_MARGIN)

    def volts(self, mem: Tensor | float) -> Tensor:
        """Membrane voltage (V) that ``mem`` (any shape, or a number) stands for."""
        mem = torch.as_tensor(mem)
        return self._built.voltage(mem, self._built.dv / self._held_threshold(mem.dtype))

    def amperes(self, input_: Tensor | float) -> Tensor:
        """Current (A) into the circuit that ``input_`` (any shape, or a number) stands for."""
        input_ = torch.as_tensor(input_)
        return input_ * self._coefficients(input_.dtype)["amperes"]

    def states(self, mem: Tensor | None = None) -> State:
        """States of the circuit by name, in SI units, each of the shape of ``mem``.

        Those that travel with ``mem``, or with the neuron's own last membrane if it is left out.
        """
        mem = self.mem if mem is None else mem
        exact, memristors = self._state(mem, mem.dtype)
        return memristors | {"v": self.volts(exact)}

    def _state(self, mem: Tensor, dtype: torch.dtype) -> tuple[Tensor, State]:
        """The exact membrane and the memristor states that travel with ``mem``."""
        states = {name: state.to(mem.device, dtype) for name, state in (carried(mem) or {}).items()}
        exact = states.pop("mem", mem).to(dtype)
        rest = self._built.rest
        at_rest = {
            name: torch.full_like(exact, rest[name])
            for name in self._built.memristors
            if name not in states
        }
        return exact, states | at_rest

    # One step

    def _advance(self, input_: Tensor, mem: Tensor, engine: str) -> tuple[Tensor, Tensor, State]:
        """``spk``, ``mem``, and the states that are to travel with it, after one time step.

        With one dimension more than ``mem``, ``input_`` is a sequence, and ``spk`` and ``mem``
        are those of every step.
        """
        dtype = torch.promote_types(input_.dtype, torch.float32)
        exact, memristors = self._state(mem, dtype)
        self.engine_used = engine
        mem, spk, memristors = self._integrate(input_.to(dtype), exact, memristors)
        if self.inhibition:
            spk = spk * _winners(mem, mem.dim() - exact.dim() + 1)
        if input_.dtype != dtype:
            memristors["mem"] = mem if input_.dim() == exact.dim() else mem[-1]
            largest = torch.finfo(input_.dtype).max
            mem = mem.clamp(-largest, largest).to(input_.dtype)
        return spk.to(input_.dtype), mem, memristors

    def _integrate(
        self, input_: Tensor, mem: Tensor, memristors: State
    ) -> tuple[Tensor, Tensor, State]:
        dynamics, coefficients = self._dynamics, self._coefficients(input_.dtype)
        if self.engine_used != "eager":
            from ..engine.run import run  # not before it is needed

            key = self._kernel_keys[input_.device.type]
            mem, spk, memristors = run(dynamics, input_, mem, memristors, coefficients, key)
        else:
            mem, memristors = dynamics.advance(input_, mem, memristors, coefficients)
            if self.state_quant:
                mem = self.state_quant(mem)
            spk = None if self.spike == "binary" else dynamics.send(mem, coefficients)
        if spk is None:  # the one output without a derivative of its own
            u = dynamics.relative(mem, coefficients)
            spk = binary(u, self.spike_grad or surrogate.atan()) * coefficients["height"]
        return mem, spk, memristors

    def _choose_engine(self, input_: Tensor, mem: Tensor) -> str:
        if self.engine == "eager" or self.state_quant:
            return "eager"
        dtype = torch.promote_types(input_.dtype, torch.float32)
        own = [*self._buffers.values(), *self._parameters.values()]
        return choose_engine(self._kernel_keys, dtype, [input_, mem, *own])

    def _previous(self, mem: Tensor | None, input_: Tensor) -> Tensor:
        """The membrane to go on from: the one handed in, the last one, or rest."""
        handed = mem is not None
        if mem is None:
            mem = self.mem
        if mem.shape != input_.shape:
            if handed and not _is_rest(mem):
                warnings.warn(
                    f"Expected `mem` of shape {tuple(input_.shape)}, but got "
                    f"{tuple(mem.shape)}: as in snnTorch, the neuron starts from rest.",
                    stacklevel=3,
                )
            return torch.zeros_like(input_)
        if handed and carried(mem) is None:
            self._check_finite("mem", mem)
        # No .to() without need: to torch.compile its result is another tensor, without states.
        return mem if mem.device == input_.device else mem.to(input_.device)

    def sequence(
        self,
        input_: Tensor,  # shape: (time, *neurons)
        mem: Tensor | None = None,  # shape: (*neurons)
    ) -> tuple[Tensor, Tensor]:  # shapes: (time, *neurons)
        """``spk`` and ``mem`` at every step of ``input_``; the same as calling step by step.

        Starts from ``mem``, from the hidden state if ``init_hidden``, or else from rest. To go
        on later, hand in ``mem[-1]`` of what was returned.

        Raises:
            TypeError: if ``mem`` is given to a neuron with ``init_hidden=True``.
            ValueError: as for one step, or if ``input_`` has no time step.
        """
        self._check_hidden(mem is not None)
        if input_.dim() == 0 or len(input_) == 0:
            raise ValueError(
                f"Expected `input_` of shape (time, ...), but got {tuple(input_.shape)}."
            )
        self._check_input(input_[0])
        goes_on = mem is not None or self.init_hidden
        previous = self._previous(mem, input_[0]) if goes_on else torch.zeros_like(input_[0])
        engine = self._choose_engine(input_, previous)
        if self._is_recurrent or engine == "eager":
            self._check_finite("input_", input_)  # before any state has moved
            if not self.init_hidden:
                self.reset_mem()
            if mem is not None:
                self.mem = mem
            steps = [self._forward_step(current) for current in input_]
            spk, mem_rec = (torch.stack(record) for record in zip(*steps, strict=True))
            states = carried(self.mem)
            if states is not None and not is_traced(mem_rec):
                attach(mem_rec[-1], states)  # so that one can go on from it
            return spk, mem_rec
        spk, mem_rec, states = self._advance(input_, previous, engine)
        if not is_traced(mem_rec):
            attach(mem_rec[-1], states)  # so that one can go on from it
        last = mem_rec[-1].clone()  # of its own, not a part of the record
        attach(last, states)
        self._keep(mem=last)
        self._listen(spk, fresh=carried(previous) is None, steps=len(spk))
        return spk, mem_rec

    def _keep(self, **state: Tensor) -> None:
        """Remember the last state, unless it must not outlive the call (``torch.func``)."""
        for name, tensor in state.items():
            if self.init_hidden or not is_wrapped(tensor):
                setattr(self, name, tensor)

    def _returned(self, spk: Tensor, mem: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return spk if self.init_hidden and not self.output else (spk, mem)

    # Refusals

    def _check_hidden(self, handed: bool) -> None:
        if self.init_hidden and handed:
            raise TypeError("Expected no state as an argument while `init_hidden=True`.")

    def _check_input(self, input_: Tensor) -> None:
        if not input_.is_floating_point():
            raise ValueError(f"Expected a floating-point `input_`, but got {input_.dtype}.")
        if self.inhibition and input_.dim() < 2:
            raise ValueError(
                f"Expected `input_` of shape (batch, neurons) for `inhibition`, "
                f"but got {tuple(input_.shape)}."
            )
        for name in ("beta", "threshold", "graded_spikes_factor"):
            self._check_fits(name, getattr(self, name), input_)
        for name, parameter in self._parameters.items():
            if name.startswith(PREFIX):
                self._check_fits(name, parameter, input_)

    @staticmethod
    def _check_finite(name: str, tensor: Tensor) -> None:
        if _is_readable(tensor) and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"Expected a finite `{name}`, but it contains NaN or infinity.")

    @staticmethod
    def _check_fits(name: str, value: Tensor, input_: Tensor) -> None:
        shape, wanted = tuple(value.shape), tuple(input_.shape)
        pairs = zip(reversed(shape), reversed(wanted), strict=False)
        if len(shape) > len(wanted) or any(s not in (1, w) for s, w in pairs):
            raise ValueError(f"Expected `{name}` to fit `input_` of shape {wanted}, got {shape}.")

    # The silent-layer trap: an exact gradient is exactly zero through a layer that sends nothing

    def _listen(self, spk: Tensor, fresh: bool, steps: int = 1) -> None:
        if self._heard or not (self.training and torch.is_grad_enabled() and _is_readable(spk)):
            return
        if fresh and self._silent_steps >= SILENT_STEPS and not self._warned:
            self._warned = True
            warnings.warn(
                f"A {type(self).__name__} layer of shape {tuple(self.mem.shape)} sent nothing over "
                f"{self._silent_steps} steps of training, so no gradient passes through it. "
                "Raise its input: calibrate(net, batch) sets the driver gains from data.",
                SilentLayerWarning,
                stacklevel=4,
            )
        self._heard = bool(spk.detach().any())
        self._silent_steps = 0 if self._heard else self._silent_steps + steps

    # nn.Module and snnTorch housekeeping

    def _init_mem(self) -> None:
        # A plain attribute and no buffer: DDP would overwrite a buffer with that of rank 0.
        self.mem = torch.zeros(0)

    def _beta_buffer(self, beta: Tensor, learn_beta: bool) -> None:
        self._own_tensor("beta", beta, learn_beta)

    def _threshold_buffer(self, threshold: Any, learn_threshold: bool) -> None:
        self._own_tensor("threshold", threshold, learn_threshold)

    def _graded_spikes_buffer(self, factor: Any, learn_graded_spikes_factor: bool) -> None:
        self._own_tensor("graded_spikes_factor", factor, learn_graded_spikes_factor)

    def _own_tensor(self, name: str, value: Any, learned: bool) -> None:
        value = as_float_tensor(value)
        if learned:
            self.register_parameter(name, nn.Parameter(value))
        else:
            self.register_buffer(name, value)

    def __getattr__(self, name: str) -> Any:
        # Reached for plain attributes only when called by hand, as snnTorch's monitors do.
        own = self.__dict__
        if name in own:
            return own[name]
        if "_built" in own and name in own["_built"].circuit.states:
            return self.states()[name]
        return super().__getattr__(name)

    def __getstate__(self) -> dict[str, Any]:
        hidden = {name: state.detach() for name, state in (carried(self.mem) or {}).items()}
        # Kernels and what is kept for them are of this process.
        own = {"_kernel_keys": None, "_kept": None, "_hidden": hidden}
        return self.__dict__ | self._hidden_detached() | own

    def _hidden_detached(self) -> dict[str, Tensor]:
        return {"mem": self.mem.detach()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        hidden = state.pop("_hidden")
        super().__setstate__(state)
        self._kernel_keys = kernel_keys(self._built)
        if hidden:
            attach(self.mem, hidden)
        list_weakly(self)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "MemristiveNeuron":
        states = carried(self.mem)
        super()._apply(fn, recurse)
        self.mem = fn(self.mem)
        if states is not None:
            attach(self.mem, {name: fn(state) for name, state in states.items()})
        return self

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # A checkpoint of the digital neuron has neither a driver gain nor learned devices.
        for name in ("gain", *(n for n in self._parameters if n.startswith(PREFIX))):
            state_dict.setdefault(prefix + name, getattr(self, name))
        for name in ("beta", "threshold", "graded_spikes_factor"):
            own, loaded = getattr(self, name), state_dict.get(prefix + name)
            if loaded is None or loaded.shape == own.shape:
                continue
            if loaded.numel() == 1:
                state_dict[prefix + name] = loaded.reshape(()).repeat(own.shape)
            elif own.numel() == 1:
                own.data = own.data.reshape(()).repeat(loaded.shape)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._reset_mechanism = list(self.reset_dict)[int(self.reset_mechanism_val)]

    def train(self, mode: bool = True) -> "MemristiveNeuron":
        """As in nn.Module; also listens anew for a silent layer."""
        self._heard = False
        return super().train(mode)

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return f"circuit={type(self._built.circuit).__name__}, dt={self.dt:g}, spike={self.spike!r}"


def check_settings(
    threshold: Any,
    dt: float,
    substeps: int,
    solver: str,
    spike: str,
    reset_mechanism: str,
    graded_spikes_factor: Any = 1.0,
) -> None:
    """Raise ValueError if a setting is impossible, before anything has been built."""
    check_integration(dt, substeps, solver)
    check_choice("spike", spike, SPIKES)
    check_choice("reset_mechanism", reset_mechanism, SpikingNeuron.reset_dict)
    threshold = as_float_tensor(threshold)
    if not bool(((threshold > 0) & threshold.isfinite()).all()):
        raise ValueError(f"Expected `threshold` > 0 and finite, but got {threshold.tolist()}.")
    factor = as_float_tensor(graded_spikes_factor)
    if not bool(((factor >= 0) & factor.isfinite()).all()):
        raise ValueError(
            f"Expected `graded_spikes_factor` >= 0 and finite, but got {factor.tolist()}."
        )


def beta_or_default(beta: Any, circuit: Circuit, dt: float) -> Tensor:
    """``beta`` as a tensor of its own; what the circuit's own capacitor gives if it is None."""
    if beta is None:
        beta = torch.tensor(-circuit.leak() * dt, dtype=torch.float64).exp().float()
    beta = as_float_tensor(beta)
    if not bool(((beta > 0) & (beta < 1)).all()):
        raise ValueError(f"Expected `beta` in (0, 1), both excluded, but got {beta.tolist()}.")
    return beta


def as_float_tensor(value: Any) -> Tensor:
    """``value`` as a floating-point tensor that shares no memory with it."""
    tensor = torch.as_tensor(value).detach().clone()
    return tensor if tensor.is_floating_point() else tensor.float()


def _winners(mem: Tensor, dim: int) -> Tensor:
    """1 where ``mem`` is highest along ``dim``, else 0."""
    return torch.zeros_like(mem).scatter(dim, mem.argmax(dim, keepdim=True), 1.0)


def _is_fixed(buffer: Tensor) -> bool:
    """Is it one number that nobody trains?"""
    return _is_readable(buffer) and not (buffer.dim() or buffer.requires_grad)


def _is_rest(mem: Tensor) -> bool:
    """Zeros of whatever shape, such as those of ``reset_mem()`` before a smaller batch."""
    return carried(mem) is None and not (_is_readable(mem) and bool(mem.any()))


def _is_readable(tensor: Tensor) -> bool:
    """Can its values be looked at here without stopping a compiler or a GPU's queue?"""
    return tensor.device.type == "cpu" and not is_traced(tensor)


def _as_numbers(part: Any) -> Any:
    """A dataclass with every 0-d tensor in it turned into a number."""
    changes = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, Tensor):
            changes[field.name] = value.item() if value.dim() == 0 else value.detach()
        elif hasattr(value, "__dataclass_fields__"):
            changes[field.name] = _as_numbers(value)
    return replace(part, **changes)
