"""Contract suites: the same questions asked of every device, circuit, layer and neuron.

A suite is a function that takes one object and raises AssertionError at the first sentence of
the contract that does not hold; the name of the failing function is that sentence.
"""

import copy
import gc
import io
import math
import pickle
import weakref
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import pytest
import snntorch as snn
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck
from torch.func import functional_call
from torch.testing import assert_close

from snntorch_memristive import RRAM
from snntorch_memristive.circuits import Circuit
from snntorch_memristive.devices import MSS, Device
from snntorch_memristive.engine.expression import Symbol
from snntorch_memristive.engine.lines import write

EXACT = {"rtol": 0, "atol": 0}
SI_UNITS = {
    *("A", "F", "Hz", "K", "V", "eV", "m", "s", "Ω", "1"),
    *("1/V", "1/s", "K/W", "V/m", "W/K", "m/s", "m²/(V s)"),
}

# Any dataclass of physics


VOLTS = tuple[Annotated[float, "V"], ...]
PLAIN = (bool, int, str, int | None, float | None, float | tuple[float, ...], VOLTS)
"""Types of fields that carry no unit of their own: names, counts, fractions, sampled curves."""


def check_units(part: type) -> None:
    """Every field of ``part`` that holds a number in the physical sense has an SI unit."""
    hints = get_type_hints(part, include_extras=True)
    for field in fields(part):
        hint = hints[field.name]
        if hasattr(hint, "__metadata__"):
            (unit,) = hint.__metadata__
            assert unit in SI_UNITS, f"{part.__name__}.{field.name} has the unit {unit!r}"
        elif field.init:  # else it is worked out, and not stated
            plain = is_dataclass(hint) or hint in PLAIN
            assert plain, f"{part.__name__}.{field.name} has no unit"


# Devices


def check_device(device: Device) -> None:
    """The contract of a memristor with one state ``x`` in [0, 1]."""
    check_units(type(device))
    _the_source_is_named(device)
    _no_current_flows_at_zero_volts(device)
    _the_device_never_gives_power(device)
    _a_higher_state_conducts_more(device)
    _the_rate_pushes_inwards(device)
    _shape_and_dtype_are_kept_under_broadcasting(device)
    _rate_and_current_pass_gradcheck(device)
    _nothing_overflows_within_five_volts(device)
    _its_equations_are_formulas(device)
    if isinstance(device, MSS):
        _state_and_conductance_are_inverse(device)
        _a_relaxation_has_the_shape_and_dtype_of_the_voltage(device)
        _no_relaxation_overflows_at_any_voltage(device)


def _x_and_v() -> tuple[Tensor, Tensor]:
    """A grid over the whole window and from far below every threshold to 5 V, both signs."""
    x = torch.linspace(0, 1, 11, dtype=torch.float64)[:, None]
    size = torch.logspace(-4, math.log10(5), 121, dtype=torch.float64)
    return x, torch.cat([-size.flip(0), size])


def _the_source_is_named(device: Device) -> None:
    assert device.source.strip()


def _no_current_flows_at_zero_volts(device: Device) -> None:
    x, _ = _x_and_v()
    assert_close(device.current(x, torch.zeros_like(x)), torch.zeros_like(x), **EXACT)


def _the_device_never_gives_power(device: Device) -> None:
    x, v = _x_and_v()
    power = device.current(x, v) * v
    assert (power >= 0).all()
    assert (power[1:] > 0).all()  # at x = 0 some conduct nothing


def _a_higher_state_conducts_more(device: Device) -> None:
    x, v = _x_and_v()
    assert (device.current(x, v).abs().diff(dim=0) > 0).all()


def _the_rate_pushes_inwards(device: Device) -> None:
    _, v = _x_and_v()
    v = torch.cat([v, torch.zeros(1, dtype=v.dtype)])
    for dtype in (torch.float32, torch.float64):
        ends = torch.tensor([[0.0], [1.0]], dtype=dtype)
        low, high = device.rate(ends, v.to(dtype))
        assert (low >= 0).all()
        assert (high <= 0).all()


def _shape_and_dtype_are_kept_under_broadcasting(device: Device) -> None:
    for dtype in (torch.float32, torch.float64):
        x, v = torch.rand(3, 1, dtype=dtype), torch.randn(4, dtype=dtype)
        for tensor in (device.rate(x, v), device.current(x, v)):
            assert tensor.shape == (3, 4)
            assert (tensor.dtype, tensor.device) == (x.dtype, x.device)


def _rate_and_current_pass_gradcheck(device: Device) -> None:
    x = torch.rand(6, 1, dtype=torch.float64).requires_grad_()
    size = 10 ** (torch.rand(20, dtype=torch.float64) * 2.5 - 2)  # 10 mV to 3 V
    v = (size * torch.randn(20, dtype=torch.float64).sign()).requires_grad_()
    _passes_gradcheck(device.rate, x, v)
    _passes_gradcheck(device.current, x, v)


def _passes_gradcheck(law: Callable[..., Tensor], *inputs: Tensor) -> None:
    """In units of each value: many would pass below gradcheck's absolute tolerance."""
    unit = law(*inputs).detach().abs()
    unit = torch.where(unit > 0, unit, 1.0)
    assert gradcheck(lambda *inputs: law(*inputs) / unit, inputs)


def _nothing_overflows_within_five_volts(device: Device) -> None:
    for dtype in (torch.float32, torch.float64):
        x, v = (grid.to(dtype) for grid in _x_and_v())
        v = torch.cat([v, v.new_zeros(1), v.new_tensor([-5.0, 5.0])])
        inputs = x.requires_grad_(), v.requires_grad_()
        for law in (device.rate, device.current):
            value = law(*inputs)
            slopes = torch.autograd.grad(value.sum(), inputs, materialize_grads=True)
            for tensor in (value, *slopes):
                assert torch.isfinite(tensor).all()


def _its_equations_are_formulas(device: Device) -> None:
    """What a kernel is made of computes the same."""
    x, v = Symbol.named("x"), Symbol.named("v")
    lines = write({"rate": device.rate(x, v), "current": device.current(x, v)})
    values = dict(zip("xv", torch.broadcast_tensors(*_x_and_v()), strict=True))
    expected = {"rate": device.rate(**values), "current": device.current(**values)}
    exec("\n".join(lines), {**vars(torch), "F": float}, values)
    for name, value in expected.items():
        size = value.abs().amax(dim=0)  # of the voltage: a rate is a difference
        assert ((values[name] - value).abs() <= 1e-10 * size).all(), name


def _state_and_conductance_are_inverse(device: MSS) -> None:
    x, _ = _x_and_v()
    g = device.conductance(x)
    assert g.shape == x.shape
    assert_close(g[[0, -1], 0], torch.tensor([1 / device.r_off, 1 / device.r_on]).to(g))
    assert (g.diff(dim=0) > 0).all()
    assert_close(device.state(g), x)


def _a_relaxation_has_the_shape_and_dtype_of_the_voltage(device: MSS) -> None:
    for dtype in (torch.float32, torch.float64):
        v = torch.randn(4, dtype=dtype) * device.v_on
        for tensor in (*device.relaxation(v), device.conductance(v)):
            assert tensor.shape == (4,)
            assert (tensor.dtype, tensor.device) == (v.dtype, v.device)


def _no_relaxation_overflows_at_any_voltage(device: MSS) -> None:
    for dtype in (torch.float32, torch.float64):
        size = torch.logspace(-6, 6, 121, dtype=dtype)
        v = torch.cat([-size, size.new_zeros(1), size]).requires_grad_()
        for term in device.relaxation(v):
            (slope,) = torch.autograd.grad(term.sum(), v, retain_graph=True)
            assert torch.isfinite(term).all()
            assert torch.isfinite(slope).all()
        assert (device.relaxation(v).decay > 0).all()


# Circuits


def check_circuit(circuit: Circuit) -> None:
    """The contract of a neuron circuit: current in, voltage out."""
    check_units(type(circuit))
    _every_state_has_an_equation_and_a_unit(circuit)
    _the_rate_returns_the_states_it_was_given(circuit)
    _rest_is_a_fixed_point_below_threshold(circuit)
    _the_leak_is_the_slope_of_the_membrane_at_rest(circuit)
    _every_state_forgets(circuit)
    _the_rate_passes_gradcheck(circuit)


SCALES = {"V": 0.1, "A": 1e-5, "1": 1.0}
"""Ordinary sizes of a state, by its unit."""


def _random_state(circuit: Circuit, *shape: int, dtype: torch.dtype = torch.float64) -> dict:
    return {
        name: torch.rand(shape, dtype=dtype) * SCALES[circuit.state_units[name]]
        for name in circuit.states
    }


def _every_state_has_an_equation_and_a_unit(circuit: Circuit) -> None:
    state, i_in = _random_state(circuit, 3), torch.zeros(3, dtype=torch.float64)
    stated = [name for equation in circuit.equations() for name in equation(state, i_in)]
    assert sorted(stated) == sorted(circuit.states) == sorted(circuit.state_units)
    held = [name for equation in circuit.equations(True) for name in equation(state, i_in)]
    assert "v" in held
    assert set(held) < set(stated)
    assert "c_mem" in {field.name for field in fields(circuit)}


def _the_rate_returns_the_states_it_was_given(circuit: Circuit) -> None:
    for dtype in (torch.float32, torch.float64):
        state = _random_state(circuit, 3, 4, dtype=dtype)
        rate = circuit.rate(state, torch.full((3, 4), 1e-5, dtype=dtype))
        assert set(rate) == set(state)
        for name in circuit.states:
            assert rate[name].shape == (3, 4)
            assert (rate[name].dtype, rate[name].device) == (dtype, state[name].device)


def _at_rest(circuit: Circuit) -> dict[str, Tensor]:
    return {n: torch.tensor(x, dtype=torch.float64) for n, x in circuit.rest().items()}


def _rest_is_a_fixed_point_below_threshold(circuit: Circuit) -> None:
    rest, no_current = _at_rest(circuit), torch.zeros((), dtype=torch.float64)
    assert set(rest) == set(circuit.states)
    for equation in circuit.equations():
        for name, relaxation in equation(rest, no_current).items():
            target = torch.as_tensor(relaxation.target, dtype=torch.float64)
            assert_close(target, rest[name], rtol=1e-12, atol=1e-30)
    assert rest["v"] < circuit.v_threshold


def _the_leak_is_the_slope_of_the_membrane_at_rest(circuit: Circuit) -> None:
    rest, no_current = _at_rest(circuit), torch.zeros((), dtype=torch.float64)
    rest["v"].requires_grad_()
    (slope,) = torch.autograd.grad(circuit.rate(rest, no_current)["v"], rest["v"])
    assert_close(float(-slope), circuit.leak(), rtol=1e-12, atol=0)


def _every_state_forgets(circuit: Circuit) -> None:
    state, i_in = _random_state(circuit, 1000), torch.zeros(1000, dtype=torch.float64)
    state["v"] = (state["v"] - SCALES["V"] / 2) * 100
    for equation in circuit.equations():
        for relaxation in equation(state, i_in).values():
            assert (torch.as_tensor(relaxation.decay) > 0).all()


def _the_rate_passes_gradcheck(circuit: Circuit) -> None:
    sizes = [SCALES[circuit.state_units[name]] for name in circuit.states]

    def rate(*numbers: Tensor) -> tuple[Tensor, ...]:
        """Everything of order one, so that gradcheck's absolute tolerance means something."""
        *states, i_in = numbers
        sized = zip(circuit.states, states, sizes, strict=True)
        derivative = circuit.rate({name: s * size for name, s, size in sized}, i_in * 1e-5)
        pairs = zip(circuit.states, sizes, strict=True)
        return tuple(derivative[name] * (1e-4 / size) for name, size in pairs)

    numbers = [torch.rand(4, dtype=torch.float64, requires_grad=True) for _ in (*sizes, 0)]
    assert gradcheck(rate, numbers)


# Crossbar layers

IMPERFECT = RRAM(levels=16, programming_error=0.02, spread=0.1, stuck_on=0.05, stuck_off=0.05)
"""Everything but read noise."""

IN_WINDOW = RRAM(levels=16, programming_error=0.2, stuck_on=0.05, stuck_off=0.05)
"""Everything that a cell inside its window can have."""

ZERO = {
    "programming_error": 0.0,
    "spread": 0.0,
    "stuck_on": 0.0,
    "stuck_off": 0.0,
    "read_noise": 0.0,
    "levels": None,
}
FAINT = {**dict.fromkeys(ZERO, 1e-12), "levels": 10**12}

Make = Callable[..., Any]


def check_layer(make_layer: Make, make_digital: Make, from_digital: Make) -> None:
    """The contract of a layer of torch.nn on RRAM cells.

    Args:
        make_layer: builds the layer; takes ``rram`` and ``dtype``.
        make_digital: builds its digital twin; takes ``dtype``.
        from_digital: builds the layer from a digital twin; takes ``rram``.
    """
    _it_is_the_digital_layer_with_the_same_initial_parameters(make_layer, make_digital)
    _an_ideal_device_computes_the_same_bit_for_bit(make_layer, make_digital)
    _an_imperfection_of_no_strength_changes_nothing(make_layer, make_digital)
    _a_digital_checkpoint_loads_strictly(make_layer, make_digital)
    _it_holds_the_very_parameters_of_the_layer_it_is_made_from(make_digital, from_digital)
    _conductances_stay_within_the_window(make_layer)
    _a_copy_is_the_same_chip(make_layer)
    _a_checkpoint_holds_the_chip(make_layer)
    _the_layer_passes_gradcheck(make_layer)
    _wrong_shapes_are_refused_in_a_sentence(make_layer)
    _it_compiles_in_one_graph(make_layer)


def random_input(layer: Any, **factory: Any) -> Tensor:
    """An input that fits an ``nn.Linear`` or an ``nn.Conv2d``, of both signs."""
    if isinstance(layer, nn.Linear):
        return torch.randn(5, layer.in_features, **factory)
    return torch.randn(2, layer.in_channels, 7, 6, **factory)


def _it_is_the_digital_layer_with_the_same_initial_parameters(
    make_layer: Make, make_digital: Make
) -> None:
    for rram in (RRAM(), IMPERFECT):
        torch.manual_seed(1)
        digital = make_digital()
        torch.manual_seed(1)
        layer = make_layer(rram=rram)
        assert isinstance(layer, type(digital))
        ours, theirs = dict(layer.named_parameters()), dict(digital.named_parameters())
        assert list(ours) == list(theirs)
        for name in theirs:
            assert torch.equal(ours[name], theirs[name])
    assert list(make_layer().state_dict()) == list(digital.state_dict())


def _pair_of_equals(make_layer: Make, make_digital: Make, **settings: Any) -> tuple[Any, Any]:
    digital = make_digital(dtype=settings.get("dtype"))
    layer = make_layer(**settings)
    layer.load_state_dict(digital.state_dict())
    return layer, digital


def _an_ideal_device_computes_the_same_bit_for_bit(make_layer: Make, make_digital: Make) -> None:
    for dtype in (torch.float32, torch.float64):
        layer, digital = _pair_of_equals(make_layer, make_digital, dtype=dtype)
        ours = random_input(digital, dtype=dtype).requires_grad_()
        theirs = ours.detach().clone().requires_grad_()
        output, expected = layer(ours), digital(theirs)
        assert output.dtype == dtype
        assert torch.equal(output, expected)
        output.square().sum().backward()
        expected.square().sum().backward()
        assert torch.equal(ours.grad, theirs.grad)
        for parameter, twin in zip(layer.parameters(), digital.parameters(), strict=True):
            assert torch.equal(parameter.grad, twin.grad)


def _an_imperfection_of_no_strength_changes_nothing(make_layer: Make, make_digital: Make) -> None:
    double = {"dtype": torch.float64}
    for name in ZERO:
        layer, digital = _pair_of_equals(make_layer, make_digital, rram=RRAM(**{name: ZERO[name]}))
        input_ = random_input(digital)
        assert torch.equal(layer(input_), digital(input_)), name
        faint = RRAM(**{name: FAINT[name]})
        layer, digital = _pair_of_equals(make_layer, make_digital, rram=faint, **double)
        input_ = random_input(digital, **double)
        assert_close(layer(input_), digital(input_), rtol=1e-9, atol=1e-9, msg=name)


def _a_digital_checkpoint_loads_strictly(make_layer: Make, make_digital: Make) -> None:
    digital, layer = make_digital(), make_layer(rram=IMPERFECT)
    chip = {name: buffer.clone() for name, buffer in layer.named_buffers()}
    layer.load_state_dict(digital.state_dict(), strict=True)
    for name, parameter in digital.named_parameters():
        assert torch.equal(layer.get_parameter(name), parameter)
    assert chip
    for name, buffer in chip.items():
        assert torch.equal(layer.get_buffer(name), buffer)


def _it_holds_the_very_parameters_of_the_layer_it_is_made_from(
    make_digital: Make, from_digital: Make
) -> None:
    for rram in (RRAM(), IMPERFECT):
        digital = make_digital(dtype=torch.float64).eval()
        layer = from_digital(digital, rram=rram)
        for name, parameter in digital.named_parameters():
            assert layer.get_parameter(name) is parameter
        assert len(list(layer.parameters())) == len(list(digital.parameters()))
        assert not layer.training
        assert layer.rram is rram
        input_ = random_input(digital, dtype=torch.float64)
        assert layer(input_).shape == digital(input_).shape
        assert torch.equal(layer(input_), digital(input_)) == rram.ideal


def _conductances_stay_within_the_window(make_layer: Make) -> None:
    for dtype in (torch.float32, torch.float64):
        layer = make_layer(rram=IN_WINDOW, dtype=dtype)
        rounding = 4 * torch.finfo(dtype).eps
        for name, cells in layer.named_parameters():
            g = layer.conductances(name)
            assert g.shape == (2, *cells.shape)
            assert (g >= IN_WINDOW.g_off * (1 - rounding)).all()
            assert (g <= IN_WINDOW.g_on * (1 + rounding)).all()


def _saved_and_loaded(layer: Any) -> Any:
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def _a_copy_is_the_same_chip(make_layer: Make) -> None:
    layer = make_layer(rram=IMPERFECT)
    input_ = random_input(layer)
    expected = layer(input_)
    ways = (copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one)), _saved_and_loaded)
    for copied in ways:
        twin = copied(layer)
        assert torch.equal(twin(input_), expected)
        assert torch.equal(twin.eval()(input_), expected)
        twin.program()
        assert not torch.equal(twin(input_), expected)
    assert torch.equal(layer(input_), expected)


def _a_checkpoint_holds_the_chip(make_layer: Make) -> None:
    layer, other = make_layer(rram=IMPERFECT), make_layer(rram=IMPERFECT)
    input_ = random_input(layer)
    expected = layer(input_)
    assert not torch.equal(other(input_), expected)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(input_), expected)
    assert torch.equal(other.eval()(input_), expected)


def _the_layer_passes_gradcheck(make_layer: Make) -> None:
    """With the window held: one weight that is not differentiated sets its scale."""
    layer = make_layer(rram=RRAM(spread=0.2), dtype=torch.float64)
    held = layer.weight.detach().clone()
    held.view(-1)[0] = 3.0
    bias = layer.bias.detach().clone().requires_grad_()
    weights = held.view(-1)[1:].clone().requires_grad_()
    input_ = random_input(layer, dtype=torch.float64).requires_grad_()

    def output(input_: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
        weight = torch.cat([held.view(-1)[:1], weights]).view_as(held)
        return functional_call(layer, {"weight": weight, "bias": bias}, (input_,))

    assert gradcheck(output, (input_, weights, bias), fast_mode=True)


def _wrong_shapes_are_refused_in_a_sentence(make_layer: Make) -> None:
    layer = make_layer()
    right = random_input(layer)
    channels = -1 if isinstance(layer, nn.Linear) else -3
    for wrong in (torch.cat([right, right], dim=channels), torch.tensor(1.0)):
        with pytest.raises(ValueError, match=r"Expected `input_` .* but got \("):
            layer(wrong)


def _it_compiles_in_one_graph(make_layer: Make) -> None:
    layer = make_layer(rram=IMPERFECT)
    input_ = random_input(layer)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    output, expected = compiled(input_), layer(input_)
    assert_close(output, expected)
    names = dict(layer.named_parameters())
    ours = torch.autograd.grad(output.sum(), names.values())
    theirs = torch.autograd.grad(expected.sum(), names.values())
    assert_close(ours, theirs)


# Neurons


def check_neuron(make_neuron: Callable[..., nn.Module], shape: tuple[int, ...]) -> None:
    """``make_neuron(init_hidden=..., output=...)`` makes a snnTorch neuron for inputs of ``shape``.

    Every neuron it makes has the same parameters.
    """
    _it_returns_spk_first_and_mem_last(make_neuron, shape)
    _it_is_at_rest_until_driven(make_neuron, shape)
    _hidden_and_explicit_states_agree(make_neuron, shape)
    _a_reset_neuron_is_a_fresh_one(make_neuron, shape)
    _its_sequence_is_its_loop(make_neuron, shape)
    _a_state_by_hand_is_taken(make_neuron, shape)
    _it_survives_every_kind_of_copy(make_neuron, shape)
    _its_gradient_is_exact(make_neuron, shape)
    _snntorch_knows_it_and_does_not_keep_it(make_neuron)


def driven(shape: tuple[int, ...], steps: int = 8) -> Tensor:
    """A current strong enough to move the memristors, of shape (steps, *shape)."""
    return 3 * torch.rand(steps, *shape, generator=torch.Generator().manual_seed(0))


def _looped(neuron: nn.Module, current: Tensor) -> Tensor:
    """Membranes of every step, with the state in the neuron."""
    record = []
    for now in current:
        neuron(now)
        record.append(neuron.mem.detach().clone())
    return torch.stack(record)


def _states(neuron: nn.Module) -> tuple[Tensor, ...]:
    """What a neuron is handed beside its input, as it keeps them."""
    own = ("spk",) if hasattr(neuron, "recurrent") else neuron._currents
    return *(getattr(neuron, name) for name in own), neuron.mem


def _it_returns_spk_first_and_mem_last(make_neuron, shape) -> None:
    now = driven(shape)[0]
    for flags in ({}, {"init_hidden": True, "output": True}):
        neuron = make_neuron(**flags)
        spk, *currents, mem = neuron(now)
        assert mem is neuron.mem
        for kept, current in zip(_states(neuron), currents, strict=False):
            assert current is kept
        for tensor in (spk, *currents, mem):
            assert tensor.shape == shape
            assert tensor.dtype == now.dtype
    alone = make_neuron(init_hidden=True)(now)
    assert_close(alone, spk)


def _it_is_at_rest_until_driven(make_neuron, shape) -> None:
    neuron = make_neuron()
    for _ in range(20):
        spk, *currents, mem = neuron(torch.zeros(shape))
        assert not any(tensor.any() for tensor in (spk, *currents))
        assert mem.abs().max() < 1e-6


def _hidden_and_explicit_states_agree(make_neuron, shape) -> None:
    hidden, explicit = make_neuron(init_hidden=True), make_neuron()
    states = [torch.zeros(shape) for _ in _states(explicit)]
    for now in driven(shape):
        hidden(now)
        returned = explicit(now, *states)
        states = returned[-len(states) :]
        assert_close(states[-1], hidden.mem, **EXACT)


def _a_reset_neuron_is_a_fresh_one(make_neuron, shape) -> None:
    neuron, current = make_neuron(init_hidden=True), driven(shape)
    first = _looped(neuron, current)
    neuron.reset_mem()
    assert not any(state.any() for state in _states(neuron))
    assert_close(_looped(neuron, current), first, **EXACT)


def _its_sequence_is_its_loop(make_neuron, shape) -> None:
    current = driven(shape)
    neuron = make_neuron()
    *_, mem = records = neuron.sequence(current)
    assert_close(mem.detach(), _looped(make_neuron(), current), **EXACT)
    kept = _states(neuron)[1 - len(records) :]
    for record, state in zip(records[1:], kept, strict=True):
        assert_close(record[-1], state, **EXACT)


def _a_state_by_hand_is_taken(make_neuron, shape) -> None:
    rest, neuron = [torch.zeros(shape) for _ in _states(make_neuron())], make_neuron()
    *_, at_rest = neuron(torch.zeros(shape), *rest)
    for k in range(len(rest)):
        by_hand = [torch.ones(shape) if k == j else state for j, state in enumerate(rest)]
        *_, mem = neuron(torch.zeros(shape), *by_hand)
        assert (mem - at_rest).abs().max() > 1e-2


def _it_survives_every_kind_of_copy(make_neuron, shape) -> None:
    neuron, current = make_neuron(init_hidden=True), driven(shape)
    _looped(neuron, current)
    copies = [copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))]
    expected = _looped(neuron, current)
    for twin in copies:
        assert_close(_looped(twin, current), expected, **EXACT)
    loaded = make_neuron(init_hidden=True)
    loaded.load_state_dict(neuron.state_dict())
    neuron.reset_mem()
    assert_close(_looped(loaded, current), _looped(neuron, current), **EXACT)


def _its_gradient_is_exact(make_neuron, shape) -> None:
    neuron = make_neuron().double()

    def two_steps(current: Tensor) -> Tensor:
        neuron.reset_mem()
        neuron(current)
        return torch.stack(neuron(current))

    current = driven(shape)[0].double().requires_grad_()
    assert gradcheck(two_steps, current, fast_mode=True)


def _snntorch_knows_it_and_does_not_keep_it(make_neuron) -> None:
    neuron = make_neuron()
    listed = [other for other in snn.SpikingNeuron.instances if other is not None]
    assert sum(other == neuron for other in listed) == 1
    del listed
    gone = weakref.ref(neuron)
    del neuron
    gc.collect()
    assert gone() is None
