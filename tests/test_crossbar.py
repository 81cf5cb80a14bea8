"""Weights as conductances, one effect at a time, and the layers made of them."""

import copy
import gc
import weakref
from dataclasses import replace

import pytest
import torch
from conformance import check_layer, random_input
from snntorch.functional.stdp_learner import STDPLearner
from torch import nn
from torch.func import functional_call
from torch.testing import assert_close
from torch.utils._pytree import tree_map
from torch.utils.checkpoint import checkpoint

from snntorch_memristive import MIF, RRAM, RRAMConv2d, RRAMLinear, philox
from snntorch_memristive.crossbar import (
    Array,
    RRAMOneToOne,
    Wires,
    from_pair,
    misprogram,
    quantise,
    spread,
    stick,
    to_pair,
)
from snntorch_memristive.crossbar.chip import EFFECTS
from snntorch_memristive.engine import noise

ALL = RRAM(
    levels=16, programming_error=0.02, spread=0.1, stuck_on=0.02, stuck_off=0.02, read_noise=0.01
)
CHIP = replace(ALL, read_noise=0.0)
WINDOW = RRAM().g_on - RRAM().g_off
ONE = torch.tensor(1.0, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def half_open_layer(n: int = 200, **effects) -> RRAMLinear:
    """Every weight +-1/2 of the window but one, so that an active cell is far from both ends."""
    layer = RRAMLinear(n, n, bias=False, dtype=torch.float64, rram=RRAM(**effects))
    with torch.no_grad():
        layer.weight.copy_(torch.randint(0, 2, (n, n)) - 0.5)
        layer.weight[0, 0] = 1.0
    return layer


def active_and_idle(layer: RRAMLinear) -> tuple[torch.Tensor, torch.Tensor]:
    """Conductances (S) of the cells asked for +-1/2, and of their partners asked for g_off."""
    g, positive = layer.conductances().detach(), layer.weight > 0
    ends = torch.where(positive, g[0], g[1]), torch.where(positive, g[1], g[0])
    return tuple(cells.flatten()[1:] for cells in ends)


HALF_OPEN = RRAM().g_off + WINDOW / 2


def assert_within_3_standard_errors(value, expected, standard_error):
    assert abs(float(value) - expected) < 3 * standard_error


# The mapping


def test_a_pair_stands_for_its_weight_and_one_of_its_cells_is_off():
    weight = torch.randn(7, 5, dtype=torch.float64)
    weight[0, 0] = 0.0
    g = to_pair(weight, RRAM(), weight.abs().amax())
    assert g.shape == (2, 7, 5)
    assert_close(from_pair(g, RRAM(), weight.abs().amax()), weight)
    assert_close(g.amin(dim=0), torch.full_like(weight, RRAM().g_off))
    assert_close(g.amax(), torch.tensor(RRAM().g_on, dtype=torch.float64))


@pytest.mark.parametrize("rram", [RRAM(), RRAM(r_on=1e5, r_off=3e6)])
def test_the_derivative_of_the_mapping_is_1_also_at_a_weight_of_0(rram):
    weight = torch.tensor([-0.7, -0.0, 0.0, 1e-30, 0.2], dtype=torch.float64, requires_grad=True)
    w_max = torch.tensor(0.7, dtype=torch.float64)
    back = from_pair(to_pair(weight, rram, w_max), rram, w_max)
    (slope,) = torch.autograd.grad(back.sum(), weight)
    assert_close(slope, torch.ones_like(slope), rtol=1e-15, atol=0)


def test_the_largest_weight_or_bias_fills_the_window():
    layer = RRAMLinear(4, 3, rram=RRAM(spread=0.1))
    with torch.no_grad():
        layer.bias[1] = -2.5
    assert layer.w_max() == 2.5
    assert not layer.w_max().requires_grad


# Levels


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("levels", [2, 8, 33])
def test_levels_are_so_many_distinct_conductances_evenly_spaced(levels, dtype):
    rram = RRAM(levels=levels)
    asked = torch.linspace(rram.g_off, rram.g_on, 10_001, dtype=dtype)
    values = quantise(asked, rram).unique()
    assert len(values) == levels
    assert_close(values, torch.linspace(rram.g_off, rram.g_on, levels, dtype=dtype))


def test_a_level_is_the_nearest_one_and_passes_the_gradient_straight_through():
    rram = RRAM(levels=5)
    asked = torch.linspace(rram.g_off, rram.g_on, 101, dtype=torch.float64, requires_grad=True)
    g = quantise(asked, rram)
    assert float((g - asked).detach().abs().max()) <= WINDOW / 8 * (1 + 1e-9)
    (slope,) = torch.autograd.grad(g.sum(), asked)
    assert_close(slope, torch.ones_like(slope), rtol=0, atol=0)


# Programming error


def test_programming_error_is_normal_with_the_stated_width():
    layer = half_open_layer(programming_error=0.03)
    active, _ = active_and_idle(layer)
    error = (active - HALF_OPEN) / WINDOW
    assert_within_3_standard_errors(error.mean(), 0.0, 0.03 / len(error) ** 0.5)
    assert_within_3_standard_errors(error.std(), 0.03, 0.03 / (2 * len(error)) ** 0.5)


def test_a_cell_asked_to_be_off_cannot_be_programmed_below_the_window():
    _, idle = active_and_idle(half_open_layer(programming_error=0.03))
    share = (idle <= RRAM().g_off * (1 + 1e-12)).double().mean()
    assert_within_3_standard_errors(share, 0.5, (0.25 / len(idle)) ** 0.5)
    mean = 0.03 / (2 * torch.pi) ** 0.5  # of a normal value cut at 0
    standard_error = (0.03**2 / 2 - mean**2) ** 0.5 / len(idle) ** 0.5
    assert_within_3_standard_errors((idle.mean() - RRAM().g_off) / WINDOW, mean, standard_error)


def test_programming_passes_the_gradient_straight_through():
    g = torch.full((2, 4), RRAM().g_off, dtype=torch.float64, requires_grad=True)
    draw = torch.tensor([-1.0, 0.0, 1.0, 100.0], dtype=torch.float64).expand(2, 4)
    (slope,) = torch.autograd.grad(misprogram(g, RRAM(programming_error=0.1), draw).sum(), g)
    assert_close(slope, torch.ones_like(g), rtol=0, atol=0)


def programmed(layer):
    return layer.conductances().detach().clone()


def missed(layer):
    """The programming error of the weights, in units of its standard deviation."""
    (band,) = layer._bands("weight")
    return layer._draws("weight", band)["programming"]


def test_the_chip_stays_the_same_over_a_time_loop_and_across_modes():
    layer = RRAMLinear(6, 5, rram=CHIP)
    input_ = torch.rand(2, 6)
    first = layer(input_)
    for mode in (True, True, False, False, True):
        assert torch.equal(layer.train(mode)(input_), first)


OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=1e-3),
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
    "Adam foreach": lambda parameters: torch.optim.Adam(parameters, lr=1e-3, foreach=True),
    "Adam fused": lambda parameters: torch.optim.Adam(parameters, lr=1e-3, fused=True),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_step_in_training_draws_a_new_programming_error_and_the_same_device(optimizer):
    layer = RRAMLinear(6, 5, rram=RRAM(programming_error=0.05, spread=0.1, stuck_on=0.1))
    before, missed_before = layer.chip.clone(), missed(layer)
    optimizer = OPTIMIZERS[optimizer](layer.parameters())
    layer(torch.rand(2, 6)).sum().backward()
    optimizer.step()
    layer(torch.rand(2, 6))
    assert (layer.chip != before).tolist() == [effect == "programming" for effect in EFFECTS]
    settled = missed(layer)
    assert not torch.equal(settled, missed_before)
    layer(torch.rand(2, 6))
    assert torch.equal(missed(layer), settled)


def write(layer):
    with torch.no_grad():
        layer.weight.mul_(1.5)


def test_a_write_in_eval_draws_no_new_programming_error():
    layer = RRAMLinear(6, 5, rram=RRAM(programming_error=0.05)).eval()
    before = missed(layer)
    write(layer)
    layer(torch.rand(2, 6))
    assert torch.equal(missed(layer), before)


def to_with_new_parameters(layer):
    """As on devices whose tensors cannot take the place of those of the CPU."""
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        return layer.to(torch.float64)
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)


MOVES = {
    "load_state_dict": lambda layer: layer.load_state_dict(layer.state_dict()) and layer,
    "load_state_dict assign": lambda layer: (
        layer.load_state_dict(copy.deepcopy(layer.state_dict()), assign=True) and layer
    ),
    "deepcopy": copy.deepcopy,
    "to": lambda layer: layer.to(torch.float64),
    "to with new parameters": to_with_new_parameters,
    "to in a network": lambda layer: nn.ModuleList([nn.Sequential(layer)]).to(torch.float64)[0][0],
}


@pytest.mark.parametrize("move", MOVES)
def test_a_layer_that_is_moved_keeps_its_programming_error(move):
    layer = RRAMLinear(6, 5, rram=RRAM(programming_error=0.05))
    write(layer)
    layer(torch.rand(2, 6))
    before = missed(layer)
    moved = MOVES[move](layer)
    moved(torch.rand(2, 6, dtype=moved.weight.dtype))
    assert torch.equal(missed(moved), before)


def test_one_seed_names_one_chip_and_programming_draws_another():
    layer, other = RRAMLinear(6, 5, rram=CHIP), RRAMLinear(6, 5, rram=CHIP)
    other.load_state_dict({"weight": layer.weight, "bias": layer.bias})
    layer.program(torch.Generator().manual_seed(7))
    other.program(torch.Generator().manual_seed(7))
    assert torch.equal(programmed(layer), programmed(other))
    before = programmed(layer)
    layer.program()
    assert not torch.equal(programmed(layer), before)
    layer.program(torch.Generator().manual_seed(8))
    assert not torch.equal(programmed(layer), before)


# Spread and stuck cells


def test_spread_is_lognormal_with_the_stated_width():
    active, idle = active_and_idle(half_open_layer(spread=0.2))
    for cells, asked in ((active, HALF_OPEN), (idle, RRAM().g_off)):
        log = (cells / asked).log()
        assert_within_3_standard_errors(log.mean(), 0.0, 0.2 / len(log) ** 0.5)
        assert_within_3_standard_errors(log.std(), 0.2, 0.2 / (2 * len(log)) ** 0.5)


def test_the_gradient_through_spread_is_the_factor_of_the_device():
    g = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    draw = torch.randn(2, 3, dtype=torch.float64)
    (slope,) = torch.autograd.grad(spread(g, RRAM(spread=0.3), draw).sum(), g)
    assert_close(slope, (0.3 * draw).exp())


def test_a_stuck_cell_is_at_an_end_of_the_window_and_passes_no_gradient():
    middle = torch.full((2, 500), HALF_OPEN, dtype=torch.float64, requires_grad=True)
    draw = torch.rand(2, 500, dtype=torch.float64)
    g = stick(middle, RRAM(stuck_on=0.1, stuck_off=0.2), draw)
    ends = torch.tensor([RRAM().g_off, HALF_OPEN, RRAM().g_on], dtype=torch.float64)
    assert_close(g.unique(), ends)
    (slope,) = torch.autograd.grad(g.sum(), middle)
    assert_close(slope, (g == middle).double())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("on", "off"), [(0.03, 0.0), (0.0, 0.002), (0.1, 0.2)])
def test_the_stated_fractions_of_cells_are_stuck(on, off, dtype):
    layer = half_open_layer(stuck_on=on, stuck_off=off).to(dtype)
    g, _ = active_and_idle(layer)
    # Cells were asked for the middle, so that a quarter of the window tells an end from it.
    for stuck, fraction in (
        (g > RRAM().g_on - WINDOW / 4, on),
        (g < RRAM().g_off + WINDOW / 4, off),
    ):
        standard_error = (fraction * (1 - fraction) / len(g)) ** 0.5
        if fraction == 0:
            assert not stuck.any()
        else:
            assert_within_3_standard_errors(stuck.double().mean(), fraction, standard_error)


def test_a_weight_whose_active_cell_is_stuck_has_no_gradient():
    layer = half_open_layer(40, stuck_on=0.1, stuck_off=0.1)
    (slope,) = torch.autograd.grad(layer.effective().sum(), layer.weight)
    active, _ = active_and_idle(layer)
    stuck = ~torch.isclose(active, torch.tensor(HALF_OPEN, dtype=active.dtype))
    assert 0 < stuck.sum() < stuck.numel()
    assert_close(slope.flatten()[1:], (~stuck).double())
    layer = half_open_layer(40, stuck_on=0.4, stuck_off=0.6)
    (slope,) = torch.autograd.grad(layer.effective().sum(), layer.weight)
    assert not slope.any()


# Read noise


NOISY = {
    "linear": lambda **kw: RRAMLinear(5, 4, **kw),
    "linear without bias": lambda **kw: RRAMLinear(5, 4, bias=False, **kw),
    "conv": lambda **kw: RRAMConv2d(2, 4, 3, padding=1, groups=2, **kw),
    "circular conv": lambda **kw: RRAMConv2d(2, 3, 3, padding=1, padding_mode="circular", **kw),
}


def reads_of_noisy_cells(layer: RRAMLinear, input_: torch.Tensor, reads: int) -> torch.Tensor:
    """What the layer would read if every cell of every pair had its own noise each time."""
    ideal = copy.deepcopy(layer)
    ideal.rram = RRAM()
    noisy = {}
    for name, cells in layer.named_parameters():
        g = to_pair(cells, layer.rram, layer.w_max())[:, None]
        noise = torch.randn(2, reads, *cells.shape, dtype=g.dtype) * layer.rram.read_noise * WINDOW
        noisy[name] = from_pair(g + noise, layer.rram, layer.w_max())
    return torch.vmap(lambda cells: functional_call(ideal, cells, input_))(noisy)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NOISY)
def test_read_noise_has_the_mean_and_variance_of_noise_on_every_cell(name, dtype):
    reads = 20_000
    layer = NOISY[name](rram=RRAM(read_noise=0.05), dtype=dtype)
    input_ = random_input(layer, dtype=dtype)[:1, ..., :5]
    if isinstance(layer, RRAMConv2d):
        input_ = input_[..., :4, :4]
    with torch.no_grad():
        expected = reads_of_noisy_cells(layer, input_, reads)[:, 0]
        drawn = layer(input_.expand(reads, *input_.shape[1:]))
    shift = (drawn.mean(dim=0) - expected.mean(dim=0)) / drawn.std(dim=0)
    widening = (drawn.var(dim=0) / expected.var(dim=0)).log()
    # 4.5 standard errors, because the largest of up to 64 outputs is asked.
    assert float(shift.abs().max()) < 4.5 * (2 / reads) ** 0.5
    assert float(widening.abs().max()) < 4.5 * (4 / reads) ** 0.5


@pytest.mark.parametrize("mode", [True, False])
def test_read_noise_is_fresh_at_every_call_in_both_modes(mode):
    layer = RRAMLinear(6, 5, rram=RRAM(read_noise=0.02)).train(mode)
    input_ = torch.rand(2, 6)
    assert not torch.equal(layer(input_), layer(input_))
    assert not torch.equal(layer(input_.expand(3, 2, 6))[0], layer(input_.expand(3, 2, 6))[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_read_noise_leaves_the_gradient_of_the_ideal_layer(dtype):
    layer = RRAMLinear(6, 5, rram=RRAM(read_noise=0.1), dtype=dtype)
    ideal = RRAMLinear.from_linear(layer)
    input_ = torch.rand(2, 6, dtype=dtype, requires_grad=True)
    noisy = torch.autograd.grad(layer(input_).sum(), [input_, *layer.parameters()])
    assert_close(noisy, torch.autograd.grad(ideal(input_).sum(), [input_, *ideal.parameters()]))


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize(("batch", "inputs", "outputs"), [(1, 1, 1), (5, 37, 6), (300, 64, 100)])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_loop_of_read_noise_is_what_is_stated(
    batch, inputs, outputs, has_bias, threads, set_threads
):
    set_threads(threads)
    layer = RRAMLinear(inputs, outputs, has_bias, rram=RRAM(read_noise=0.05))
    input_ = torch.randn(batch, inputs)
    torch.manual_seed(7)
    found = layer(input_) - RRAMLinear.from_linear(layer)(input_)
    torch.manual_seed(7)
    seed, per_row = int(torch.randint(1 << 62, ())), -(-outputs // 4) * 4
    drawn = torch.from_numpy(philox.numbers(seed, 0, batch * per_row, False, turn=noise.TURN))
    (variance,) = layer._variances(input_, None)
    gain = layer.w_max() / (layer.rram.g_on - layer.rram.g_off)
    stated = drawn.reshape(batch, per_row)[:, :outputs] * variance.sqrt() * gain
    assert_close(found, stated, rtol=1e-4, atol=1e-5)


def test_noise_has_nothing_to_do_with_the_errors_of_a_chip_of_the_same_seed():
    layer = RRAMLinear(6, 8, rram=RRAM(read_noise=0.05, programming_error=0.05)).eval()
    pairs = []
    for seed in range(200):
        layer.program(torch.Generator().manual_seed(seed))
        asked, written = layer.targets(), layer.conductances()
        torch.manual_seed(seed)
        noise = layer(torch.ones(6)) - layer.effective().sum(1) - layer.effective("bias")
        pairs.append(torch.stack([(written - asked)[0, 0, :4], noise[:4]]))
    own, read = torch.cat(pairs, 1).detach()
    assert abs(float(torch.corrcoef(torch.stack([own, read]))[0, 1])) < 4 / len(own) ** 0.5


class Wrapped(torch.Tensor):
    """A tensor that has no memory of its own, as those of torch.distributed."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        args, kwargs = tree_map(plain, (args, kwargs or {}))
        found = function(*args, **kwargs)
        return cls(found) if isinstance(found, torch.Tensor) else found


def plain(tensor):
    return tensor.inner if isinstance(tensor, Wrapped) else tensor


@pytest.mark.parametrize("make", [lambda x: Wrapped(x), lambda x: torch._efficientzerotensor(2, 6)])
def test_noise_of_an_input_without_memory(make):
    layer = RRAMLinear(6, 5, rram=RRAM(read_noise=0.05)).eval()
    with torch.no_grad():
        input_ = make(torch.rand(2, 6))
        first, second = plain(layer(input_)), plain(layer(input_))
    assert first.shape == (2, 5)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    "make", [lambda w: Wrapped(w), lambda w: torch._efficientzerotensor(5, 6), torch._neg_view]
)
def test_weights_without_memory_are_read_again(make):
    layer = RRAMLinear(6, 5, bias=False, rram=RRAM(programming_error=0.05)).eval()
    weight = make(torch.rand(5, 6))
    del layer.weight
    layer.register_buffer("weight", weight, persistent=False)
    with torch.no_grad():
        first, second = plain(layer(torch.ones(6))), plain(layer(torch.ones(6)))
    assert torch.equal(first, second)


def test_a_step_may_be_computed_again():
    layer, input_ = RRAMLinear(6, 5, rram=RRAM(spread=0.1, stuck_on=0.1)), torch.rand(2, 6)
    layer(input_).sum().backward()
    expected, layer.weight.grad = layer.weight.grad, None
    with torch.no_grad():
        layer.weight[0, 0] = layer.weight[0, 0] * 0.999  # to be written within
    checkpoint(layer, input_, use_reentrant=False).sum().backward()
    assert_close(layer.weight.grad, expected)


@pytest.mark.parametrize("exact", [True, False])
def test_what_was_written_before_is_freed(exact):
    array = Array(wires=Wires(1.0, 1.0), exact=exact)
    layer, input_ = RRAMLinear(6, 5, rram=RRAM(spread=0.1), array=array), torch.rand(2, 6)

    def tensors_after(writings):
        for _ in range(writings):
            with torch.no_grad():
                layer.weight.mul_(0.9)
            layer(input_).sum().backward()
        gc.collect()
        return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())

    assert tensors_after(3) == tensors_after(3)


def test_a_layer_is_written_where_nobody_may_look_at_what_is_saved():
    layer = RRAMLinear(6, 5, rram=RRAM(spread=0.1))
    with torch.autograd.graph.disable_saved_tensors_hooks("not here"):
        layer(torch.rand(2, 6)).sum().backward()
    assert layer.weight.grad is not None


def test_noise_without_inputs_and_with_another_default_device():
    assert RRAMLinear(0, 5, rram=RRAM(read_noise=0.05))(torch.rand(2, 0)).shape == (2, 5)
    layer, input_ = RRAMLinear(6, 5, rram=RRAM(read_noise=0.05)), torch.rand(2, 6)
    with torch.device("meta"):
        assert layer(input_).device.type == "cpu"


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
def test_a_traced_layer_is_noisy():
    layer = RRAMLinear(6, 5, rram=RRAM(read_noise=0.05)).eval().requires_grad_(False)
    with torch.no_grad():
        traced = torch.jit.trace(layer, torch.rand(2, 6), check_trace=False)
        input_ = torch.ones(1000, 6)
        assert float(traced(input_).std(0).mean()) == pytest.approx(
            float(layer(input_).std(0).mean()), rel=0.1
        )


def test_the_seed_of_torch_decides_the_noise_of_any_input():
    layer = RRAMLinear(6, 5, rram=RRAM(read_noise=0.05))
    input_ = torch.rand(3, 4, 6)
    for view in (input_, input_[0], input_[0, 0], input_.transpose(0, 1), input_[:0]):
        outputs = []
        for _ in range(2):
            torch.manual_seed(3)
            outputs.append(layer(view))
        assert outputs[0].shape == (*view.shape[:-1], 5)
        assert torch.equal(*outputs)


def test_a_silent_input_to_a_layer_without_bias_reads_without_noise():
    layer = RRAMLinear(6, 5, bias=False, rram=RRAM(read_noise=0.1))
    assert not layer(torch.zeros(3, 6)).any()


# Layers


CONVOLUTIONS = {
    "plain": {},
    "same": {"padding": "same"},
    "stride": {"stride": 2, "padding": (1, 0)},
    "groups": {"groups": 2},
    "dilation": {"dilation": (2, 1)},
    "circular": {"padding": 1, "padding_mode": "circular"},
}


def test_rram_linear_keeps_the_contract():
    check_layer(
        lambda **settings: RRAMLinear(4, 3, **settings),
        lambda **settings: nn.Linear(4, 3, **settings),
        RRAMLinear.from_linear,
    )


@pytest.mark.parametrize("name", ["plain", "circular"])
def test_rram_conv2d_keeps_the_contract(name):
    check_layer(
        lambda **settings: RRAMConv2d(4, 2, 3, **CONVOLUTIONS[name], **settings),
        lambda **settings: nn.Conv2d(4, 2, 3, **CONVOLUTIONS[name], **settings),
        RRAMConv2d.from_conv2d,
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_every_kind_of_convolution_is_that_of_torch(name, bias):
    conv = nn.Conv2d(4, 6, 3, bias=bias, **CONVOLUTIONS[name])
    input_ = random_input(conv)
    assert torch.equal(RRAMConv2d.from_conv2d(conv)(input_), conv(input_))
    assert torch.equal(RRAMConv2d.from_conv2d(conv)(input_[0]), conv(input_[0]))
    layer = RRAMConv2d(4, 6, 3, bias=bias, **CONVOLUTIONS[name], rram=CHIP)
    effective = {"weight": layer.effective("weight")}
    if bias:
        effective["bias"] = layer.effective("bias")
    assert_close(layer(input_), functional_call(conv, effective, input_))
    assert RRAMConv2d(4, 6, 3, bias=bias, **CONVOLUTIONS[name], rram=ALL)(input_).isfinite().all()


def test_a_layer_without_bias_has_none():
    layer = RRAMLinear(4, 3, bias=False, rram=CHIP)
    assert layer.bias is None
    assert layer.effective("bias") is None
    assert not any("bias" in name for name in layer.state_dict())
    assert_close(layer(torch.zeros(2, 4)), torch.zeros(2, 3))


def test_the_state_dict_of_an_ideal_layer_is_that_of_torch():
    assert list(RRAMLinear(4, 3).state_dict()) == ["weight", "bias"]
    assert list(RRAMConv2d(4, 3, 2).state_dict()) == ["weight", "bias"]
    assert list(RRAMLinear(4, 3, rram=RRAM(levels=4)).state_dict()) == ["weight", "bias"]


@pytest.mark.parametrize("rram", [ALL, replace(ALL, r_on=1e6, r_off=1e8)], ids=["1 kΩ", "1 MΩ"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_precision_is_the_same_chip_to_within_its_rounding(rram, dtype):
    # Without levels: there rounding may choose the neighbour.
    rram = replace(rram, levels=None, read_noise=0.0)
    layer = RRAMLinear(20, 10, rram=rram).to(dtype)
    exact = copy.deepcopy(layer).double()
    input_ = torch.rand(4, 20).to(dtype).requires_grad_()
    output = layer(input_)
    assert output.dtype == dtype
    assert_close(output.double(), exact(input_.double()), rtol=0, atol=10 * torch.finfo(dtype).eps)
    output.sum().backward()
    assert layer.weight.grad.dtype == input_.grad.dtype == dtype
    assert layer.weight.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("rram", [CHIP, ALL, RRAM(levels=8)])
def test_weights_that_are_all_zero_read_as_zero(rram, dtype):
    layer = RRAMLinear(4, 3, rram=rram, dtype=dtype)
    for cells in layer.parameters():
        nn.init.zeros_(cells)
    output = layer(torch.ones(2, 4, dtype=dtype))
    assert_close(output, torch.zeros_like(output), rtol=0, atol=1e-3)
    (slope,) = torch.autograd.grad(output.sum(), layer.weight)
    assert slope.isfinite().all()


def test_single_weights_of_zero_read_as_zero_and_learn():
    layer = RRAMLinear(4, 3, rram=RRAM(levels=9), dtype=torch.float64)
    with torch.no_grad():
        layer.weight[:, ::2] = 0.0
    assert not layer.effective()[:, ::2].any()
    (slope,) = torch.autograd.grad(layer(torch.ones(1, 4).double()).sum(), layer.weight)
    assert_close(slope, torch.ones_like(slope))


@pytest.mark.parametrize("rram", [RRAM(), ALL], ids=["ideal", "all"])
def test_an_empty_batch_is_an_empty_batch(rram):
    assert RRAMLinear(4, 3, rram=rram)(torch.rand(0, 4)).shape == (0, 3)
    assert RRAMLinear(4, 3, rram=rram)(torch.rand(6, 0, 4)).shape == (6, 0, 3)
    assert RRAMConv2d(4, 3, 2, rram=rram)(torch.rand(0, 4, 5, 5)).shape == (0, 3, 4, 4)


def test_a_linear_layer_takes_any_rank():
    layer = RRAMLinear(4, 3, rram=CHIP)
    input_ = torch.rand(2, 5, 4)
    assert_close(layer(input_)[1, 2], layer(input_[1, 2]))


def test_a_shared_weight_is_one_parameter_on_two_chips():
    layer, other = (RRAMLinear(4, 4, bias=False, rram=CHIP) for _ in range(2))
    other.weight = layer.weight
    net = copy.deepcopy(nn.Sequential(layer, other))
    assert net[0].weight is net[1].weight
    assert len(list(net.parameters())) == 1
    input_ = torch.rand(2, 4)
    assert not torch.equal(net[0](input_), net[1](input_))
    grads = [torch.autograd.grad(part(input_).sum(), part.weight)[0] for part in net]
    (net[0](input_) + net[1](input_)).sum().backward()
    assert_close(net[0].weight.grad, grads[0] + grads[1])


def test_the_stdp_learner_of_snntorch_changes_the_weights_in_one_step():
    fc, mif = RRAMLinear(4, 3, rram=CHIP), MIF(beta=0.9, init_hidden=True)
    net = nn.Sequential(fc, mif)
    learner = STDPLearner(fc, mif, tau_pre=2.0, tau_post=2.0)
    optimizer = torch.optim.SGD(fc.parameters(), lr=0.1)
    with torch.no_grad():
        fc.weight.fill_(0.5)
        for _ in range(10):
            net(torch.bernoulli(torch.full((2, 4), 0.5)))
    before, seen = fc.weight.detach().clone(), programmed(fc)
    learner.step(on_grad=True)
    optimizer.step()
    assert not torch.equal(fc.weight, before)
    assert fc.weight.isfinite().all()
    assert not torch.equal(programmed(fc), seen)


@pytest.mark.parametrize("V", [0.5, [0.2, -0.4, 1.0]])
def test_one_pair_per_neuron_multiplies_element_by_element(V):  # noqa: N803
    V = torch.tensor(V)  # noqa: N806
    input_ = torch.rand(2, 3)
    assert torch.equal(RRAMOneToOne(V)(input_), input_ * V)
    recurrent = RRAMOneToOne(nn.Parameter(V), rram=CHIP)
    assert_close(recurrent(input_), input_ * recurrent.effective())
    assert RRAMOneToOne(V, rram=ALL)(input_).isfinite().all()


@pytest.mark.parametrize("learned", [True, False])
def test_one_pair_per_neuron_loads_its_own_checkpoint(learned):
    tensor = nn.Parameter if learned else torch.clone
    one, other = (RRAMOneToOne(tensor(torch.ones(3)), rram=CHIP) for _ in range(2))
    other.load_state_dict(one.state_dict())
    input_ = torch.rand(2, 3)
    assert torch.equal(one(input_), other(input_))


def test_a_layer_shows_its_device():
    assert "spread=0.1" in repr(RRAMLinear(4, 3, rram=CHIP))
    assert "in_features=4" in repr(RRAMLinear(4, 3))
    assert "padding=same" in repr(RRAMConv2d(4, 3, 3, padding="same", rram=CHIP))


def mapped(layer):
    """The weights straight through the effects, with their graph."""
    return from_pair(layer.conductances(), layer.rram, layer.w_max())


@pytest.mark.parametrize("rram", [RRAM(levels=8), RRAM(spread=0.3, stuck_on=0.1)], ids=str)
class TestWritingOnce:
    """The mapping is worked out once per writing, and nobody can tell."""

    def test_weights_changed_behind_torch_s_back_are_noticed(self, rram):
        layer, x = RRAMLinear(6, 4, rram=rram), torch.rand(2, 6)
        before = layer(x)
        layer.weight.data.mul_(-1)
        assert not torch.equal(layer(x), before)
        assert torch.equal(layer.effective().detach(), mapped(layer).detach())

    def test_two_backward_passes_over_one_writing_add_up(self, rram):
        layer, x = RRAMLinear(6, 4, rram=rram), torch.rand(2, 6)
        layer(x).sum().backward()
        once = layer.weight.grad.clone()
        layer(x).sum().backward()
        assert torch.allclose(layer.weight.grad, 2 * once)

    def test_the_gradient_is_that_of_the_mapping(self, rram):
        layer = RRAMLinear(6, 4, rram=rram).double()
        probe = torch.randn(4, 6, dtype=torch.float64)
        with torch.inference_mode():
            layer(torch.rand(2, 6, dtype=torch.float64))  # a first reading without gradients
        (ours,) = torch.autograd.grad((layer.effective() * probe).sum(), layer.weight)
        (direct,) = torch.autograd.grad((mapped(layer) * probe).sum(), layer.weight)
        assert torch.allclose(ours, direct)

    def test_frozen_weights_that_are_thawed_get_their_gradient(self, rram):
        layer, x = RRAMLinear(6, 4, rram=rram), torch.rand(2, 6)
        layer.weight.requires_grad_(False)
        layer(x).sum().backward()
        assert layer.weight.grad is None
        layer.weight.requires_grad_(True)
        layer(x).sum().backward()
        (direct,) = torch.autograd.grad((mapped(layer) @ x.T).sum(), layer.weight)
        assert torch.allclose(layer.weight.grad, direct, atol=1e-5)

    def test_another_device_programs_another_chip(self, rram):
        layer, x = RRAMLinear(6, 4, rram=rram), torch.rand(2, 6)
        layer(x)
        layer.rram = RRAM(levels=2, spread=0.1)
        assert torch.equal(layer.effective().detach(), mapped(layer).detach())
        assert "chip" in layer.state_dict()
        layer.rram = RRAM()
        assert set(layer.state_dict()) == {"weight", "bias"}

    def test_a_parametrized_weight_is_followed(self, rram):
        layer = nn.utils.parametrizations.weight_norm(RRAMLinear(6, 4, rram=rram))
        layer(torch.rand(2, 6))
        layer = copy.deepcopy(layer)
        layer(torch.rand(2, 6)).sum().backward()
        assert all(p.grad is not None for p in layer.parameters())


@pytest.mark.parametrize("rram", [RRAM(levels=8), RRAM(spread=0.3)], ids=["straight", "bent"])
def test_what_was_written_before_is_let_go(rram):
    layer, x, before = RRAMLinear(6, 4, rram=rram), torch.rand(2, 6), []
    for _ in range(3):
        layer(x).sum().backward()
        before.append(weakref.ref(layer._written))
        write(layer)
    gc.collect()
    assert [ref() is None for ref in before] == [True, True, False]
