"""How weights become conductances: two cells for each, or one and a common reference column."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import snntorch_memristive as snnm
from snntorch_memristive import RRAM, RRAMConv2d, RRAMLinear
from snntorch_memristive.crossbar import (
    Array,
    RRAMOneToOne,
    Wires,
    effective,
    from_pair,
    to_pair,
)
from snntorch_memristive.energy import energy

OFFSET = Array(mapping="offset")
CELL = RRAM(r_on=10e3, r_off=200e3)
CHIP = replace(CELL, levels=33, programming_error=0.02, spread=0.1, stuck_on=0.05, stuck_off=0.05)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("mapping", ["differential", "offset"])
def test_a_mapping_fills_the_window_and_has_an_inverse(mapping):
    weight, w_max = torch.tensor([-2.0, -0.5, 0.0, 1.0, 2.0]).double(), torch.tensor(2.0).double()
    g = to_pair(weight, CELL, w_max, mapping)
    assert_close(from_pair(g, CELL, w_max, mapping), weight)
    assert_close(g.amin(), torch.tensor(CELL.g_off).to(g))
    assert_close(g.amax(), torch.tensor(CELL.g_on).to(g))
    jacobian = torch.autograd.functional.jacobian(
        lambda w: from_pair(to_pair(w, CELL, w_max, mapping), CELL, w_max, mapping), weight
    )
    assert_close(jacobian, torch.eye(5).double())


def test_an_offset_cell_is_in_the_middle_of_the_window_at_0_and_so_is_its_reference():
    g = to_pair(torch.zeros(3), CELL, torch.tensor(1.0), "offset")
    assert_close(g, torch.full((2, 3), (CELL.g_on + CELL.g_off) / 2))


@pytest.mark.parametrize("groups", [1, 2])
def test_all_outputs_of_an_array_share_one_reference_cell_per_row(groups):
    layer = RRAMConv2d(4, 6, 3, groups=groups, rram=CHIP, array=OFFSET)
    layer.fault(0.3)
    for name in ("weight", "bias"):
        own, reference = layer.conductances(name).unflatten(1, (groups, -1))
        assert torch.equal(reference, reference[:, :1].expand_as(reference))
        assert not torch.equal(own, own[:, :1].expand_as(own))
    if groups == 2:
        assert not torch.equal(reference[0], reference[1])


def test_cells_are_counted_once():
    assert RRAMLinear(7, 5, rram=CHIP).program().cells == 2 * (7 * 5 + 5)
    assert RRAMLinear(7, 5, rram=CHIP, array=OFFSET).program().cells == 7 * 5 + 5 + 7 + 1
    layer = RRAMConv2d(4, 6, 3, groups=2, rram=CHIP, array=OFFSET)
    assert layer.program().cells == 6 * 2 * 9 + 6 + 2 * (2 * 9 + 1)
    assert layer.fault(1.0) == 6 * 2 * 9 + 6 + 2 * (2 * 9 + 1)


def test_without_imperfections_both_mappings_compute_what_torch_does():
    linear = nn.Linear(7, 5).double()
    x = torch.rand(3, 7).double()
    for array in (OFFSET, Array(w_max=1.0), Array(mapping="offset", w_max=1.0)):
        layer = RRAMLinear.from_linear(linear, rram=RRAM(spread=1e-15), array=array)
        assert_close(layer(x), linear(x), rtol=1e-10, atol=1e-10)


def test_an_error_of_a_reference_cell_is_common_to_all_outputs():
    layer = RRAMLinear(7, 5, bias=False, rram=replace(CELL, spread=0.1), array=OFFSET).double()
    with torch.no_grad():
        layer.weight.fill_(1.0)
    own, reference = layer.conductances().detach()
    middle = (CELL.g_on + CELL.g_off) / 2
    assert (reference[0] != middle).all()
    off = layer.effective() - 2 * (own - middle) / (CELL.g_on - CELL.g_off)
    assert_close(off, off[:1].expand_as(off))


def test_wires_of_the_reference_are_those_of_a_column_of_its_own():
    wires = Wires(r_word=20.0, r_bit=30.0)
    layer = RRAMLinear(6, 4, rram=CHIP, array=Array(wires=wires, mapping="offset")).double()
    g = torch.cat([layer.conductances().mT, layer.conductances("bias")[:, None]], 1).detach()
    own, reference = effective(g[0], wires), effective(g[1][:, :1], wires)
    expected = (own - reference) * 2 * layer.w_max() / (CHIP.g_on - CHIP.g_off)
    assert_close(layer.effective(), expected[:-1].T)
    assert_close(layer.effective("bias"), expected[-1])


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("noise", [{"read_noise": 0.02}, {"flicker": 0.05}, {"bandwidth": 1e12}])
@pytest.mark.parametrize("mapping", ["differential", "offset"])
def test_read_noise_is_that_of_noise_on_every_cell(mapping, noise, groups):
    bandwidth = noise.get("bandwidth", 0.0)
    rram = CELL if bandwidth else replace(CELL, **noise)
    array = Array(mapping=mapping, bandwidth=bandwidth)
    layer = RRAMConv2d(3, 6, 1, groups=groups, bias=False, rram=rram, array=array).double()
    x = torch.rand(3, 1, 1).double() + 0.5
    reads = layer(x.expand(20_000, 3, 1, 1)).flatten(1).detach()
    g = layer.conductances().detach()[..., 0, 0]
    volts = x.flatten().unflatten(0, (groups, -1)).repeat_interleave(6 // groups, 0)
    if bandwidth:
        shot, heat = array.shot_variance(g), array.thermal_variance(g)
        variance = shot * volts + heat
    else:
        window = CELL.g_on - CELL.g_off
        variance = ((rram.read_noise * window) ** 2 + (rram.flicker * g) ** 2) * volts**2
    own, subtracted = variance.sum(-1)
    gain = (2 if mapping == "offset" else 1) * layer.w_max() / (CELL.g_on - CELL.g_off)
    expected = torch.diag(own + subtracted)
    if mapping == "offset":
        same = torch.arange(6) // (6 // groups)
        same = (same[:, None] == same) & ~torch.eye(6, dtype=torch.bool)
        expected = expected + same * subtracted
    scale = float(expected.amax())
    assert_close(reads.T.cov() / gain**2 / scale, expected / scale, rtol=0, atol=0.05)


def test_a_given_gain_clips_what_is_beyond_it_and_counts_it():
    layer = RRAMLinear(4, 3, bias=False, rram=replace(CELL, levels=65), array=Array(w_max=0.5))
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1, 1, 12).view(3, 4))
    assert layer.clipped == int((layer.weight.abs() > 0.5).sum()) == 6
    effective = layer.effective()
    assert_close(effective, layer.weight.clamp(-0.5, 0.5), rtol=0, atol=0.5 / 64)
    (slope,) = torch.autograd.grad(effective.sum(), layer.weight)
    assert_close(slope, torch.ones_like(slope))
    assert RRAMLinear(4, 3, rram=CHIP).clipped == 0


def test_another_mapping_is_another_chip():
    layer = RRAMLinear(4, 3, rram=CHIP)
    before = layer.chip.clone()
    layer.array = Array(w_max=1.0)
    assert torch.equal(layer.chip, before)
    layer.array = OFFSET
    assert not torch.equal(layer.chip, before)


def test_energy_counts_a_reference_column_once():
    net = nn.Sequential(
        RRAMLinear(4, 3, bias=False, rram=CELL, array=OFFSET),
        snnm.MIF(0.8, init_hidden=True),
    )
    x = torch.rand(5, 2, 4)
    report = energy(net, x)
    g = net[0].conductances().detach()
    per_row = g[0].sum(0) + g[1, 0]
    expected = ((x * 0.1).square() * per_row).sum() / 2 * 1e-6
    assert_close(report.rows[0].energy.detach(), expected)
    assert report.rows[0].memristors == 4 * 3 + 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mapping": "triple"}, "`mapping`"),
        ({"w_max": 0.0}, "`w_max`"),
        ({"w_max": float("nan")}, "`w_max`"),
    ],
)
def test_impossible_arrays_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Array(**settings)


def test_bands_of_a_large_array_are_those_of_a_chip_and_not_of_how_it_is_read():
    rram = replace(CHIP, flicker=0.01, drift=0.05, endurance=10.0, endurance_spread=2.0)
    layer, x = RRAMLinear(700, 900, rram=rram), torch.rand(2, 700)
    assert len(layer._bands("weight")) > 2
    trained = layer.effective().detach()
    with torch.no_grad():
        evaluated = copy.deepcopy(layer).eval().effective()
    assert torch.equal(trained, evaluated)
    g = layer.conductances().detach()
    assert g.shape == (2, 900, 700)
    assert len({round(value, 15) for value in g[0, :, 0].tolist()}) > 100
    layer(x).sum().backward()
    assert layer.weight.grad.isfinite().all()
    layer.fault(0.5)
    assert not torch.equal(layer.effective(), trained)


@torch.no_grad()
def test_a_write_into_a_large_array_is_noticed():
    layer = RRAMLinear(700, 900, rram=replace(CHIP, levels=None)).eval()
    before = layer.effective().clone()
    assert torch.equal(layer.effective(), before)
    layer.weight.data[3, 5] *= -1
    changed = layer.effective() != before
    assert changed[3, 5]
    assert changed.sum() == 1
    layer.rram = RRAM(levels=8)
    layer.weight.zero_().fill_diagonal_(1.0)
    layer.effective()
    layer.weight.copy_(layer.weight[torch.randperm(900)])  # sums of rows and columns stay
    assert_close(layer.effective() > 0.5, layer.weight > 0.5, rtol=0, atol=0)


def test_large_cells_in_one_row_are_read():
    assert RRAMLinear(1, 600_000, rram=RRAM(levels=8))(torch.ones(1)).shape == (600_000,)
    assert RRAMOneToOne(torch.rand(600_000), rram=RRAM(levels=8))(torch.ones(1)).any()


@pytest.mark.parametrize("shape", [(32, 64), (700, 900)])
@pytest.mark.parametrize(
    "settings", [{"spread": 0.2}, {"programming_error": 0.1, "tolerance": 0.05}]
)
def test_a_reference_column_is_one_whatever_the_size(shape, settings):
    rram = replace(CELL, writes=3, **settings)
    layer = RRAMLinear(*shape, rram=rram, array=OFFSET)
    reference = layer.conductances()[1].detach()
    assert torch.equal(reference, reference[:1].expand_as(reference))
    assert reference[0].unique().numel() > 1
    assert layer.program().cells == shape[0] * shape[1] + shape[1] + shape[0] + 1


def test_verified_references_of_groups():
    rram = replace(CELL, programming_error=0.1, tolerance=0.05, writes=3)
    layer = RRAMConv2d(6, 6, 3, groups=3, rram=rram, array=OFFSET)
    reference = layer.conductances()[1].detach().unflatten(0, (3, 2))
    assert torch.equal(reference[:, 0], reference[:, 1])
    assert not torch.equal(reference[0], reference[1])
