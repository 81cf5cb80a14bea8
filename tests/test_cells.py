"""Weights by way of their cells in one loop: equal to the effects one after the other."""

from dataclasses import dataclass, field, replace

import pytest
import torch
from torch.testing import assert_close

from snntorch_memristive import RRAM, RRAMConv2d, RRAMLinear
from snntorch_memristive.crossbar import Array, cells, crossbar
from snntorch_memristive.engine.expression import UntraceableError
from snntorch_memristive.engine.rows import RowFunction

EXACT = {
    "nothing": RRAM(read_noise=0.01),
    "levels": RRAM(levels=64),
    "error": RRAM(levels=16, programming_error=0.02),
    "error by state": RRAM(levels=7, programming_error=(0.01, 0.05, -0.04)),
    "normal spread": RRAM(spread=0.3, spread_law="normal"),
    "stuck": RRAM(stuck_on=0.05, stuck_off=0.02),
    "wear": RRAM(endurance=5.0, endurance_spread=0.5),
}
ROUNDED = {  # by exponentials
    "spread": RRAM(spread=0.1),
    "drift": RRAM(drift=0.05, drift_spread=0.01, drift_start=20.0),
    "all": replace(EXACT["error"], spread=0.1, stuck_on=0.01, stuck_off=0.01, drift=0.05),
}
ARRAYS = {
    "pair": Array(),
    "offset": Array(mapping="offset"),
    "window": Array(w_max=0.02),
    "offset in a window": Array(mapping="offset", w_max=0.02),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
@pytest.mark.parametrize("name", [*EXACT, *ROUNDED])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_loop_equals_the_effects(name, array, threads, monkeypatch, set_threads):
    set_threads(threads)
    layer = RRAMLinear(601, 55, rram=(EXACT | ROUNDED)[name], array=array)
    layer.drift_to(1e5)
    with torch.no_grad():
        layer.weight[0, :3] = 0.0
        layer.weight[1, :3] = -0.0
    arriving = torch.randn(55, 601)

    def result() -> tuple[torch.Tensor, ...]:
        layer._forget()
        weight = layer.effective()
        assert_close(layer.effective("bias").shape, layer.bias.shape)
        (slope,) = torch.autograd.grad((weight * arriving).sum(), layer.weight)
        layer._forget()
        with torch.no_grad():
            assert torch.equal(layer.effective(), weight)
        return weight.detach(), slope

    calls = []
    by_loop = crossbar.through_cells
    monkeypatch.setattr(crossbar, "through_cells", lambda *args: calls.append(1) or by_loop(*args))
    weight, slope = result()
    assert len(calls) == 4  # weight and bias, twice
    monkeypatch.setattr(crossbar, "loop_for", lambda *args: None)
    stated, slope_stated = result()
    assert len(calls) == 4
    if name in EXACT:
        assert torch.equal(weight, stated)
    else:
        assert_close(weight, stated)
    assert_close(slope, slope_stated)


def test_bands_of_a_large_layer_and_kernels_of_a_convolution(monkeypatch):
    for layer in (
        RRAMLinear(1030, 520, rram=ROUNDED["all"]),
        RRAMConv2d(64, 64, 3, groups=2, rram=ROUNDED["all"], array=Array(mapping="offset")),
    ):
        with torch.no_grad():
            in_one = layer.effective()
            with monkeypatch.context() as patch:
                patch.setattr(crossbar, "loop_for", lambda *args: None)
                layer._forget()
                assert_close(in_one, layer.effective())


def test_small_layers_and_other_dtypes_and_faults_compile_nothing():
    cells._loop.cache_clear()
    rram = ROUNDED["all"]
    RRAMLinear(20, 20, rram=rram).effective()
    RRAMLinear(200, 100, rram=rram, dtype=torch.float64).effective()
    RRAMLinear(200, 100, rram=replace(rram, tolerance=0.1)).effective()
    broken = RRAMLinear(200, 100, rram=rram)
    broken.fault(0.5)
    broken.effective()
    assert cells._loop.cache_info().currsize == 0
    RRAMLinear(200, 100, rram=rram).effective()
    assert cells._loop.cache_info().currsize == 1


@dataclass(frozen=True)
class Rooted(RRAM):
    """A device with an error that no loop can compute."""

    def programming_width(self, x):
        return 0.02 * torch.as_tensor(x).sqrt()


@dataclass(frozen=True)
class Listed(RRAM):
    """A device that cannot be hashed."""

    notes: list = field(default_factory=list)


@pytest.mark.parametrize("device", [Rooted, Listed])
def test_devices_of_one_s_own_that_no_loop_takes_work_all_the_same(device):
    layer = RRAMLinear(200, 100, rram=device(programming_error=0.02, levels=8))
    assert torch.isfinite(layer.effective()).all()


def test_other_parameters_get_draws_of_their_own():
    rram = RRAM(spread=0.1)
    for shape in ((4000, 100), (100, 90), (50, 100)):
        layer = RRAMLinear(100, 100, rram=rram)
        layer.effective()
        layer.weight = torch.nn.Parameter(torch.randn(shape))
        layer.bias = torch.nn.Parameter(torch.randn(shape[0]))
        in_training = layer.effective()
        layer._forget()
        assert torch.equal(layer.eval().effective(), in_training)


def test_rows_of_other_shapes_are_refused():
    add = RowFunction(lambda x, y: x + y, ["x", "y"], (), None)
    x = torch.ones(5)
    assert torch.equal(add({"x": x, "y": x}, {}), x + x)
    for other in (torch.ones(4), torch.ones(5, 1), x.double()):
        with pytest.raises(ValueError, match="Expected tensors of float32 and of one shape"):
            add({"x": x, "y": other}, {})


def test_what_no_loop_can_do_is_refused_in_a_sentence():
    with pytest.raises(UntraceableError, match="Expected a function that kernels know"):
        RowFunction(lambda x: torch.special.erf(x), ["x"], (), None)
    with pytest.raises(UntraceableError, match="does not depend on the variable"):
        RowFunction(lambda x: 1 / x, ["x"], (), "x")


def test_derivatives_are_those_of_torch():
    def formula(x, a):
        return torch.where(x > a, (x * a).exp() - 2.0 * x, 3.0 - x.abs()) + (
            x.clamp(-0.5, 0.5) + x.detach() * x.round() / a
        )

    x, a = torch.linspace(-2, 2, 1001), 0.3
    x.requires_grad_()
    found, stated = RowFunction(formula, ["x"], ["a"], "x")({"x": x}, {"a": a}), formula(x, a)
    assert_close(found, stated)
    slopes = (torch.autograd.grad(result.sum(), x)[0] for result in (found, stated))
    assert_close(*slopes)
