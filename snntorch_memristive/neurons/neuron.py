"""What every memristive neuron has in common."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar

import torch
from snntorch import SpikingNeuron, surrogate
from torch import Tensor, nn

from ..checks import check_choice
from ..circuits import Circuit
from ..engine import choose_engine, kernel_keys, untraceable
from ..functional import SPIKES, Dynamics, binary, check_integration
from ..relaxation import State
from ..tracing import has_tangents, is_traced, is_watched, is_wrapped
from .carry import attach, carried
from .learned import PREFIX, add_learned, changes
from .listing import list_weakly
from .varied import VariedNeuron

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


class MemristiveNeuron(VariedNeuron):
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

    _is_stepwise = False
    """Does something happen between two time steps, so that a sequence is taken step by step?"""

    _currents: ClassVar[Mapping[str, str]] = {}
    """What stands between ``spk`` and ``mem`` in the tuple, and the circuit's states they are."""

    _tuned: ClassVar[tuple[str, ...]] = ()
    """Fields of the circuit, besides ``c_mem``, that the neuron sets by its coefficients."""

    _per_neuron: ClassVar[tuple[str, ...]] = ("beta", "threshold", "graded_spikes_factor")
    """Numbers, or tensors with one per neuron."""

    # Set by `_init_circuit`, or by snnTorch, which ships no types.
    dt: float
    substeps: int
    solver: str
    spike: str
    engine: str
    engine_used: str | None
    beta: Tensor
    threshold: Tensor
    graded_spikes_factor: Tensor
    mem: Tensor

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
        voltages, factors = add_learned(self, circuit, learn_device, but=self._tuned)
        self.dt = dt
        self.substeps = substeps
        self.solver = solver
        self.spike = spike
        self.engine = engine
        self.engine_used = None
        recorded = tuple(self._currents.values())
        learned = voltages, factors
        self._built = Dynamics(
            circuit, dt, substeps, solver, spike, False, *learned, recorded, self._tuned
        )
        self._kernel_keys = kernel_keys(self._built)
        self._kept = None
        self._g_rest = float(circuit.leak() * circuit.c_mem)
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
    def engine_reason(self) -> str | None:
        """Why there can be no kernel of the circuit's equations; None if there can."""
        return untraceable(self._dynamics)

    @property
    def _returned_states(self) -> tuple[str, ...]:
        """What is returned behind ``spk``, in order."""
        return *self._currents, "mem"

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
        fixed = self._buffers.values()
        if self._parameters or self._cycle or has_tangents() or not all(map(_is_fixed, fixed)):
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
            **self._factors(dtype),
        }

    def _held_beta(self, dtype: torch.dtype) -> Tensor:
        return held_decay(self.beta.to(dtype))

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
        return self._states(mem)

    def _states(self, mem: Tensor | None, **currents: Tensor | None) -> State:
        if mem is None:
            given = {name: getattr(self, name) for name in currents}
            mem = self.mem
        else:
            zeros = torch.zeros_like(mem)
            given = {name: zeros if c is None else c for name, c in currents.items()}
        exact, states = self._entered(given | {"mem": mem}, mem.dtype)
        return states | {"v": self.volts(exact)}

    def _entered(self, given: State, dtype: torch.dtype) -> tuple[Tensor, State]:
        """The exact membrane, and the other states of the circuit, from what is handed over.

        Those that travel with ``mem``, and the currents that stand beside it in the tuple.
        """
        mem = given["mem"]
        states = {n: _converted(s, mem.device, dtype) for n, s in (carried(mem) or {}).items()}
        exact = _converted(states.pop("mem", mem), mem.device, dtype)
        for name, state in self._currents.items():
            current = given[name].to(dtype) * self._coefficients(dtype)[state]
            if unrounded := carried(given[name]):  # else it is made by hand
                # Its value, and the derivative of what was handed in; the sum is exact.
                current = current + (unrounded[state].to(current) - current).detach()
            states[state] = current
        rest = self._built.rest
        return exact, {
            name: states[name] if name in states else torch.full_like(exact, float(rest[name]))
            for name in self._built.memristors
        }

    # One step

    def _forward_step(self, input_: Tensor, **handed: Tensor | None) -> tuple[Any, ...]:
        """``spk`` and the states of the tuple after one step from those that are ``handed`` in."""
        self._check_input(input_)
        before = self._before(input_, handed)
        engine = self._choose_engine(input_, *before.values())
        if engine == "eager":  # a kernel looks by itself
            self._check_finite("input_", input_)
        spk, after, travelling = self._advance(input_, before, engine)
        for name, states in travelling.items():
            attach(after[name], states)
        self._keep(**after)
        self._listen(spk, before["mem"])
        return spk, *after.values()

    def _advance(
        self, input_: Tensor, before: State, engine: str
    ) -> tuple[Tensor, State, dict[str, State]]:
        """``spk``, the states of the tuple, and what is to travel with each, after one time step.

        With one dimension more than ``before``, ``input_`` is a sequence, and ``spk`` and the
        states are those of every step.
        """
        dtype = torch.promote_types(input_.dtype, torch.float32)
        self._enter_cycle(before["mem"])
        exact, states = self._entered(before, dtype)
        if self.engine_used != engine:  # nn.Module takes long to set what is the same
            self.engine_used = engine
        exact_input = _converted(input_, input_.device, dtype)
        after, spk, states = self._integrate(exact_input, exact, states)
        if self.inhibition:
            spk = spk * _winners(after["mem"], after["mem"].dim() - exact.dim() + 1)
        mem = after["mem"]
        own = {n: s for n, s in states.items() if n not in self._built.recorded}
        travelling = {"mem": own | self._cycle}
        if any(map(is_wrapped, self._cycle.values())):
            self._cycle = {}  # which nothing may keep
        if not (self.state_quant or is_traced(mem)):  # there nothing would tell of an edit
            travelling |= {n: {s: states[s].detach()} for n, s in self._currents.items()}
        if input_.dtype != dtype:
            travelling["mem"]["mem"] = mem if input_.dim() == exact.dim() else mem[-1]
            largest = torch.finfo(input_.dtype).max
            after = {n: s.clamp(-largest, largest).to(input_.dtype) for n, s in after.items()}
            spk = spk.to(input_.dtype)
        return spk, after, travelling

    def _integrate(self, input_: Tensor, mem: Tensor, states: State) -> tuple[State, Tensor, State]:
        dynamics, coefficients = self._dynamics, self._coefficients(input_.dtype)
        if self.engine_used != "eager":
            from ..engine.run import run  # not before it is needed

            key = self._kernel_keys[input_.device.type]
            mem, spk, recorded, states = run(dynamics, input_, mem, states, coefficients, key)
        else:
            mem, states = dynamics.advance(input_, mem, states, coefficients)
            recorded = dynamics.record(states, coefficients)
            if self.state_quant:
                mem = self.state_quant(mem)
                recorded = {name: self.state_quant(current) for name, current in recorded.items()}
            spk = None if self.spike == "binary" else dynamics.send(mem, coefficients)
        if spk is None:  # the one output without a derivative of its own
            u = dynamics.relative(mem, coefficients)
            spk = binary(u, self.spike_grad or surrogate.atan()) * coefficients["height"]
        after = {name: recorded[state] for name, state in self._currents.items()}
        return after | {"mem": mem}, spk, states

    def _choose_engine(self, input_: Tensor, *before: Tensor) -> str:
        if self.engine == "eager" or self.state_quant:
            return "eager"
        dtype = torch.promote_types(input_.dtype, torch.float32)
        own = [*self._buffers.values(), *self._parameters.values()]
        return choose_engine(self._kernel_keys, dtype, [input_, *before, *own])

    def _before(self, input_: Tensor, handed: Mapping[str, Tensor | None]) -> State:
        """The states of the tuple to go on from: those handed in, the last ones, or rest."""
        for name, state in handed.items():
            if not (state is None or isinstance(state, Tensor)):
                kind = type(state).__name__
                raise TypeError(f"Expected `{name}` to be a tensor, but got a {kind}.")
        mem = handed["mem"]
        before = {}
        for name, state in handed.items():
            # A membrane of the caller's making is a fresh neuron, whose currents are at rest.
            if state is None and mem is not None and carried(mem) is None:
                before[name] = torch.zeros_like(input_)
            else:
                before[name] = self._previous(state, input_, name)
        return before

    def _previous(self, state: Tensor | None, input_: Tensor, name: str = "mem") -> Tensor:
        """The state to go on from: the one handed in, the last one, or rest."""
        handed = state is not None
        if state is None:
            state = getattr(self, name)
        if state.shape != input_.shape:
            if handed and not _is_rest(state):
                warnings.warn(
                    f"Expected `{name}` of shape {tuple(input_.shape)}, but got "
                    f"{tuple(state.shape)}: as in snnTorch, the neuron starts from rest.",
                    stacklevel=4,
                )
            return torch.zeros_like(input_)
        if handed and carried(state) is None:
            self._check_finite(name, state)
        # No .to() without need: to torch.compile its result is another tensor, without states.
        return state if state.device == input_.device else state.to(input_.device)

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
        return self._sequence(input_, mem=mem)

    def _sequence(self, input_: Tensor, **handed: Tensor | None) -> tuple[Any, ...]:
        is_handed = any(state is not None for state in handed.values())
        self._check_hidden(is_handed)
        if input_.dim() == 0 or len(input_) == 0:
            raise ValueError(
                f"Expected `input_` of shape (time, ...), but got {tuple(input_.shape)}."
            )
        self._check_input(input_[0])
        if is_handed or self.init_hidden:
            before = self._before(input_[0], handed)
        else:
            before = {name: torch.zeros_like(input_[0]) for name in handed}
        engine = self._choose_engine(input_, *before.values())
        if self._is_recurrent or self._is_stepwise or engine == "eager":
            self._check_finite("input_", input_)  # before any state has moved
            if not self.init_hidden:
                self.reset_mem()
            steps: list[tuple[Any, ...]] = []
            for current in input_:
                # By hand: under torch.func nothing is kept from step to step.
                sent = {"spk": steps[-1][0]} if self._is_recurrent and steps else {}
                steps.append(self._forward_step(current, **sent, **before))
                before = dict(zip(handed, steps[-1][1:], strict=True))
            spk, *stacked = (torch.stack(record) for record in zip(*steps, strict=True))
            for state, record in zip(before.values(), stacked, strict=True):
                if (states := carried(state)) is not None and not is_traced(record):
                    attach(record[-1], states)  # so that one can go on from it
            return spk, *stacked
        spk, records, travelling = self._advance(input_, before, engine)
        for name, record in records.items():
            last = record[-1].clone()  # of its own, not a part of the record
            if states := travelling.get(name):
                if not is_traced(record):
                    attach(record[-1], states)  # so that one can go on from it
                attach(last, states)
            self._keep(**{name: last})
        self._listen(spk, before["mem"], steps=len(spk))
        return spk, *records.values()

    def _keep(self, **state: Tensor) -> None:
        """Remember the last state, unless it must not outlive the call (``torch.func``)."""
        for name, tensor in state.items():
            if self.init_hidden or not is_wrapped(tensor):
                self.__dict__[name] = tensor  # what nn.Module would do in the end

    def _returned(self, spk: Tensor, *states: Tensor) -> Tensor | tuple[Any, ...]:
        return spk if self.init_hidden and not self.output else (spk, *states)

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
        for name in self._per_neuron:
            self._check_fits(name, getattr(self, name), input_)
        for name, parameter in self._parameters.items():
            if name.startswith(PREFIX):
                self._check_fits(name, parameter, input_)
        if self._built.varied:
            for name, buffer in self._varied_buffers().items():
                self._check_fits(name, buffer, input_)

    @staticmethod
    def _check_finite(name: str, tensor: Tensor) -> None:
        if _is_readable(tensor) and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"Expected a finite `{name}`, but it contains NaN or infinity.")

    @staticmethod
    def _check_fits(name: str, value: Tensor, input_: Tensor) -> None:
        if value.dim() == 0:
            return
        shape, wanted = tuple(value.shape), tuple(input_.shape)
        pairs = zip(reversed(shape), reversed(wanted), strict=False)
        if len(shape) > len(wanted) or any(s not in (1, w) for s, w in pairs):
            raise ValueError(f"Expected `{name}` to fit `input_` of shape {wanted}, got {shape}.")

    # The silent-layer trap: an exact gradient is exactly zero through a layer that sends nothing

    def _listen(self, spk: Tensor, before: Tensor, steps: int = 1) -> None:
        if self._heard or not (self.training and torch.is_grad_enabled() and _is_readable(spk)):
            return
        is_due = self._silent_steps >= SILENT_STEPS and not self._warned
        if is_due and carried(before) is None:  # another sequence has begun
            self._warned = True
            warnings.warn(
                f"A {type(self).__name__} layer of shape {tuple(self.mem.shape)} sent nothing over "
                f"{self._silent_steps} steps of training, so no gradient passes through it. "
                "Raise its input: calibrate(net, batch) sets the driver gains from data. If it is "
                'the output layer, put the loss on `mem`, or give it spike="voltage".',
                SilentLayerWarning,
                stacklevel=4,
            )
        self._heard = bool(spk.detach().any())
        self._silent_steps = 0 if self._heard else self._silent_steps + steps

    # nn.Module and snnTorch housekeeping

    def _init_mem(self) -> None:
        # Plain attributes and no buffers: DDP would overwrite a buffer with that of rank 0.
        for name in self._returned_states:
            setattr(self, name, torch.zeros(0))

    def _alpha_register_buffer(self, alpha: Tensor, learn_alpha: bool) -> None:
        self._own_tensor("alpha", alpha, learn_alpha)

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
        hidden = {
            name: {n: s.detach() for n, s in (carried(getattr(self, name)) or {}).items()}
            for name in self._returned_states
        }
        # Kernels and what is kept for them are of this process.
        own = {"_kernel_keys": None, "_kept": None, "_hidden": hidden}
        return self.__dict__ | self._hidden_detached() | own

    def _hidden_detached(self) -> dict[str, Tensor]:
        return {name: getattr(self, name).detach() for name in self._returned_states}

    def __setstate__(self, state: dict[str, Any]) -> None:
        hidden = state.pop("_hidden")
        super().__setstate__(state)
        self._kernel_keys = kernel_keys(self._built)
        for name, states in hidden.items():
            if states:
                attach(getattr(self, name), states)
        list_weakly(self)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "MemristiveNeuron":
        travelling = {name: carried(getattr(self, name)) for name in self._returned_states}
        super()._apply(fn, recurse)
        self._cycle = {name: fn(drawn) for name, drawn in self._cycle.items()}
        for name, states in travelling.items():
            setattr(self, name, fn(getattr(self, name)))
            if states is not None:
                attach(getattr(self, name), {n: fn(state) for n, state in states.items()})
        return self

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # A checkpoint of the digital neuron has neither a driver gain nor learned devices.
        for name in ("gain", *(n for n in self._parameters if n.startswith(PREFIX))):
            state_dict.setdefault(prefix + name, getattr(self, name))
        self._adopt_draws(state_dict, prefix)
        for name in self._per_neuron:
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
    return decay("beta", beta)


def decay(name: str, value: Any) -> Tensor:
    """``value``, what is left of something after a step, as a tensor of its own."""
    value = as_float_tensor(value)
    if not bool(((value > 0) & (value < 1)).all()):
        raise ValueError(f"Expected `{name}` in (0, 1), both excluded, but got {value.tolist()}.")
    return value


def held_decay(value: Tensor) -> Tensor:
    """``value`` inside (0, 1), as snnTorch holds it there where it is used."""
    return value.clamp(BETA_MARGIN, 1 - BETA_MARGIN)


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


def _converted(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """``tensor`` as one of ``dtype`` on ``device``; `.to` takes longer to see that it is."""
    if tensor.dtype == dtype and tensor.device == device:
        return tensor
    return tensor.to(device, dtype)


def _is_rest(mem: Tensor) -> bool:
    """Zeros of whatever shape, such as those of ``reset_mem()`` before a smaller batch."""
    return carried(mem) is None and not (_is_readable(mem) and bool(mem.any()))


def _is_readable(tensor: Tensor) -> bool:
    """Can its values be looked at here without stopping a compiler or a GPU's queue?"""
    return tensor.is_cpu and not (is_traced(tensor) or is_watched())


def _as_numbers(part: Any) -> Any:
    """A dataclass with every 0-d tensor in it turned into a number."""
    changes = {}
    for field in (field for field in fields(part) if field.init):  # the others are worked out
        value = getattr(part, field.name)
        if isinstance(value, Tensor):
            changes[field.name] = value.item() if value.dim() == 0 else value.detach()
        elif hasattr(value, "__dataclass_fields__"):
            changes[field.name] = _as_numbers(value)
    return replace(part, **changes)
