"""The life of a chip: how it was written, how it ages, what its array and its cells do to reads."""

import copy
import math
import threading
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import snntorch_memristive as snnm
from snntorch_memristive import RRAM, RRAMConv2d, RRAMLinear, devices
from snntorch_memristive.crossbar import Array, Wires, acceleration, approximate, drift, effective
from snntorch_memristive.crossbar.effects import BOLTZMANN
from snntorch_memristive.devices import Ohmic, PooleFrenkel, Sinh

MONTH = 30 * 24 * 3600.0
DRIFTING = RRAM(drift=0.05, drift_spread=0.01, drift_start=20.0)
PRESETS = {name: d for name, d in vars(devices).items() if isinstance(d, RRAM)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def within_3_standard_errors(values, mean, width):
    """Do normal ``values`` have this mean and standard deviation?"""
    n = values.numel()
    assert abs(float(values.mean()) - mean) < 3 * width / n**0.5
    assert abs(float(values.std()) - width) < 3 * width / (2 * n) ** 0.5


# Drift


def test_drift_follows_the_power_law_of_each_device():
    g, draw = torch.full((2, 3), 1e-4, dtype=torch.float64), torch.randn(2, 3).double()
    later = drift(g, DRIFTING, draw, 2000.0)
    assert_close(later, g * 100.0 ** -(0.05 + 0.01 * draw))
    assert_close(drift(g, DRIFTING, draw, 5.0), g)  # before it starts


def test_the_exponents_have_the_stated_mean_and_width():
    layer = RRAMLinear(200, 200, bias=False, rram=DRIFTING, dtype=torch.float64)
    young = layer.conductances().detach()
    layer.drift_to(20.0 * math.e)
    within_3_standard_errors((young / layer.conductances().detach()).log(), 0.05, 0.01)


def test_drift_is_one_trajectory():
    layer, x = RRAMLinear(20, 10, rram=DRIFTING), torch.rand(3, 20)
    direct = copy.deepcopy(layer)
    layer.drift_to(100.0)
    layer.drift_to(MONTH)
    layer.drift_to(MONTH)
    direct.drift_to(MONTH)
    assert torch.equal(layer(x), direct(x))
    assert layer.age == MONTH
    with pytest.raises(ValueError, match=r"not before the chip's age, 2\.592e\+06 s, but got 1 s"):
        layer.drift_to(1.0)


def test_heat_lets_time_pass_faster():
    rram = replace(DRIFTING, drift_energy=1.0)
    factor = math.exp(1.0 / BOLTZMANN * (1 / 300 - 1 / 350))
    assert acceleration(rram, 350.0) == pytest.approx(factor)
    assert acceleration(rram, 300.0) == 1.0
    hot = RRAMLinear(20, 10, rram=rram)
    cold = copy.deepcopy(hot)
    hot.drift_to(100.0, kelvin=350.0)
    cold.drift_to(100.0 * factor)
    assert_close(hot.conductances(), cold.conductances())
    assert hot.age == 100.0


def test_writing_starts_the_drift_anew():
    layer = RRAMLinear(4, 3, rram=DRIFTING)
    layer(torch.rand(4))
    layer.drift_to(MONTH)
    with torch.no_grad():
        layer.weight.mul_(0.5)
    layer(torch.rand(4))
    assert layer.age == 0.0
    layer.drift_to(MONTH)
    layer.program()
    assert layer.age == 0.0


def test_two_reads_of_a_drifted_chip_differ_by_read_noise_alone():
    layer, x = RRAMLinear(50, 10, rram=replace(DRIFTING, read_noise=0.01)), torch.rand(50)
    layer.drift_to(3600.0)
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    layer.drift_to(3600.0)
    quiet = torch.nn.functional.linear(x, layer.effective(), layer.effective("bias"))
    reads = torch.stack([layer(x) for _ in range(2000)]).detach()
    assert ((reads.mean(0) - quiet).abs() < 4 * reads.std(0) / 2000**0.5).all()


# Faults


def test_faults_add_up_and_stay_and_a_new_chip_has_none():
    layer = RRAMLinear(100, 100, bias=False, rram=RRAM(levels=8))
    healthy = layer.conductances()
    first, second = (torch.Generator().manual_seed(seed) for seed in (1, 2))
    failed = layer.fault(0.1, on=1.0, generator=first)
    assert failed == pytest.approx(2000, abs=3 * (2e4 * 0.09) ** 0.5)
    on = layer.conductances() == layer.rram.g_on
    failed = layer.fault(0.1, on=0.0, generator=second)
    assert failed == pytest.approx(0.19 * 2e4, abs=3 * (2e4 * 0.19 * 0.81) ** 0.5)
    faults = layer.fault_weight
    assert (layer.conductances()[faults == 1] == layer.rram.g_on).all()
    assert (layer.conductances()[faults == -1] == layer.rram.g_off).all()
    assert torch.equal(layer.conductances()[faults == 0], healthy[faults == 0])
    assert (on[faults == 1]).all()
    layer.program()
    assert torch.equal(layer.conductances(), healthy)


def test_an_ideal_layer_with_faults_is_no_longer_ideal_and_saves_them():
    layer, x = RRAMLinear(30, 20), torch.rand(4, 30)
    before = layer(x)
    layer.fault(0.2)
    after = layer(x)
    assert not torch.equal(before, after)
    other = RRAMLinear(30, 20)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), after)


def test_no_gradient_passes_through_a_failed_cell():
    layer = RRAMLinear(5, 4, bias=False)
    layer.fault(1.0, on=0.0)
    layer(torch.rand(5)).sum().backward()
    assert not layer.weight.grad.any()


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_impossible_fractions_change_nothing(wrong):
    layer = RRAMLinear(5, 4)
    with pytest.raises(ValueError, match="Expected `fraction` in"):
        layer.fault(wrong)
    assert set(layer.state_dict()) == {"weight", "bias"}


# Writing


def test_write_and_verify_keeps_every_cell_inside_the_tolerance():
    rram = RRAM(programming_error=0.05, tolerance=0.02, writes=200)
    layer = RRAMLinear(100, 100, rram=rram)
    report = layer.program()
    assert report.cells == 2 * (100 * 100 + 100)
    assert report.missed == 0
    # A write succeeds with the probability of a normal number within 0.4 standard deviations; a
    # cell that is asked to be within the tolerance of an end cannot miss beyond it.
    within = math.erf(0.4 / 2**0.5)
    asked = torch.cat([layer.targets(name).detach().flatten() for name in ("weight", "bias")])
    state = (asked - rram.g_off) / (rram.g_on - rram.g_off)
    success = torch.where((state - 0.5).abs() > 0.48, (1 + within) / 2, within)
    variance = ((1 - success) / success**2).sum()
    assert abs(report.pulses - float((1 / success).sum())) < 3 * float(variance) ** 0.5
    asked = layer.targets().detach()
    error = (layer.conductances().detach() - asked).abs() / (rram.g_on - rram.g_off)
    assert error.max() <= 0.02 * 1.001


def test_cells_that_never_get_there_are_counted():
    rram = RRAM(programming_error=0.05, tolerance=0.001, writes=2)
    layer = RRAMLinear(50, 50, rram=rram)
    report = layer.program()
    window = rram.g_on - rram.g_off
    off = [(layer.conductances(n) - layer.targets(n)).abs() / window for n in ("weight", "bias")]
    assert report.missed == sum(int((error > rram.tolerance).sum()) for error in off)
    assert report.missed > 0.5 * report.cells
    assert report.pulses > 1.6 * report.cells
    assert RRAMLinear(5, 4).program() == snnm.crossbar.Programming(cells=48, pulses=48, missed=0)


def test_the_programming_error_may_depend_on_the_state():
    rram = RRAM(programming_error=(0.001, 0.05, -0.04))
    layer = RRAMLinear(200, 200, bias=False, rram=rram, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.randint(0, 2, (200, 200)) - 0.5)
        layer.weight[0, 0] = 1.0
    layer.program()
    g = torch.where(layer.weight > 0, *layer.conductances())
    state = (g - rram.g_off) / (rram.g_on - rram.g_off)
    within_3_standard_errors(state.detach().flatten()[1:], 0.5, 0.001 + 0.025 - 0.01)


def test_an_error_that_is_negative_somewhere_is_refused():
    with pytest.raises(ValueError, match=r"but its least value is -0\.1"):
        RRAM(programming_error=(0.1, -0.2))


# The array


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("rows", "columns"), [(None, None), (4, 3)])
def test_a_layer_on_wires_reads_what_its_arrays_do(exact, rows, columns):
    array = Array(rows, columns, Wires(r_word=5.0, r_bit=3.0, r_source=20.0), exact)
    layer = RRAMLinear(9, 7, array=array, dtype=torch.float64)
    g = layer.conductances().mT, layer.conductances("bias")[:, None, :]
    lines = torch.cat(g, -2)  # the bias is the last row
    through = effective if exact else approximate
    seen = torch.zeros_like(lines)
    for top in range(0, 10, rows or 10):
        for left in range(0, 7, columns or 7):
            tile = ..., slice(top, top + (rows or 10)), slice(left, left + (columns or 7))
            seen[tile] = through(lines[tile], array.wires)
    weights = (seen[0] - seen[1]) * layer.w_max() / (layer.rram.g_on - layer.rram.g_off)
    x = torch.rand(5, 9, dtype=torch.float64)
    assert_close(layer(x), x @ weights[:-1] + weights[-1])
    assert not torch.allclose(layer(x), nn.functional.linear(x, layer.weight, layer.bias))


def test_without_resistance_an_array_is_ideal():
    layer, x = RRAMLinear(9, 7, array=Array(rows=4)), torch.rand(5, 9)
    assert torch.equal(layer(x), nn.functional.linear(x, layer.weight, layer.bias))
    assert RRAMLinear(9, 7, array=Array(wires=Wires(1e-6))).effective() is not None


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_on_wires_equals_its_unrolled_kernel(groups):
    array = Array(wires=Wires(r_word=5.0, r_bit=3.0))
    conv = RRAMConv2d(4, 6, 3, groups=groups, array=array, dtype=torch.float64)
    dense = RRAMLinear(36 // groups, 6 // groups, array=array, dtype=torch.float64)
    for k in range(groups):
        mine = slice(6 // groups * k, 6 // groups * (k + 1))
        with torch.no_grad():
            dense.weight.copy_(conv.weight[mine].flatten(1))
            dense.bias.copy_(conv.bias[mine])
        scale = conv.w_max() / dense.w_max()  # the gain is common to the groups
        if groups == 1:
            assert_close(conv.effective()[mine].flatten(1), dense.effective())
        else:
            assert scale >= 1


@pytest.mark.parametrize("steps", [1, 5])
def test_the_gradient_through_wires_is_that_of_the_circuit(steps):
    array = Array(rows=4, wires=Wires(r_word=50.0, r_bit=30.0))
    layer = RRAMLinear(6, 3, array=array, rram=RRAM(spread=0.1), dtype=torch.float64)
    layer.w_max = lambda: torch.tensor(1.0, dtype=torch.float64)  # its derivative is no part of it
    x = torch.rand(steps, 6, dtype=torch.float64)
    sum(layer(current).square().sum() for current in x).backward()
    step = 1e-6
    for name in ("weight", "bias"):
        cells = getattr(layer, name)
        numeric = torch.zeros_like(cells)
        for place in range(cells.numel()):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    cells.view(-1)[place] += sign * step
                    values.append(sum(layer(current).square().sum() for current in x))
                    cells.view(-1)[place] -= sign * step
            numeric.view(-1)[place] = (values[0] - values[1]) / (2 * step)
        assert_close(cells.grad, numeric, rtol=1e-5, atol=1e-8)


def test_a_time_loop_solves_the_wires_once(monkeypatch):
    calls = []
    monkeypatch.setattr(
        Array, "seen", lambda self, g, seen=Array.seen: calls.append(1) or seen(self, g)
    )
    layer = RRAMLinear(6, 3, array=Array(wires=Wires(r_word=50.0)))
    for _ in range(5):
        layer(torch.rand(6)).sum().backward()
    assert len(calls) == 1


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"columns": -1}, {"rows": 2.5}])
def test_a_tile_without_cells_is_refused(wrong):
    with pytest.raises(ValueError, match="to be None or at least 1"):
        Array(**wrong)


def test_thermal_and_shot_noise_have_the_variance_of_the_formulas():
    array = Array(v_read=0.05, bandwidth=1e9)
    layer = RRAMLinear(40, 3, bias=False, array=array, dtype=torch.float64)
    x = torch.rand(40, dtype=torch.float64)
    total = layer.conductances().sum(0).detach()
    thermal = 4 * 1.380649e-23 * 300 * 1e9 * total.sum(1)  # A^2
    shot = 2 * 1.602176634e-19 * 1e9 * 0.05 * (total * x).sum(1)
    scale = layer.w_max() / (0.05 * (layer.rram.g_on - layer.rram.g_off))
    reads = torch.stack([layer(x) for _ in range(4000)]).detach()
    expected = (thermal + shot).sqrt() * scale
    assert ((reads.std(0) / expected - 1).abs() < 4 / 8000**0.5).all()


def test_flicker_is_in_proportion_to_the_conductance():
    layer = RRAMLinear(40, 3, bias=False, rram=RRAM(flicker=0.03), dtype=torch.float64)
    x = torch.rand(40, dtype=torch.float64)
    g = layer.conductances().detach()
    expected = ((0.03 * g * x) ** 2).sum((0, 2)).sqrt()
    scale = layer.w_max() / (layer.rram.g_on - layer.rram.g_off)
    reads = torch.stack([layer(x) for _ in range(4000)]).detach()
    assert ((reads.std(0) / (expected * scale) - 1).abs() < 4 / 8000**0.5).all()


# Conduction


@pytest.mark.parametrize("law", [Sinh(0.2), PooleFrenkel(0.35)])
def test_a_nonlinear_cell_sees_every_input_through_its_law(law):
    layer = RRAMLinear(4, 3, rram=RRAM(conduction=law), array=Array(v_read=0.3)).double()
    x = torch.rand(5, 4, dtype=torch.float64)
    unit = law.chord(torch.tensor(0.3, dtype=torch.float64))
    current = law.current(torch.ones(()).double() / unit, 0.3 * x) / 0.3
    assert_close(layer(x), nn.functional.linear(current, layer.weight, layer.bias))
    ones = torch.ones(4, dtype=torch.float64)  # spikes of the height of the read voltage
    assert_close(layer(ones), layer.weight.sum(1) + layer.bias)


def test_ohm_s_law_is_ideal():
    assert RRAM(conduction=Ohmic()).ideal
    assert not RRAM(conduction=Sinh(1.0)).ideal


# Presets, chips


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_names_its_source_and_reads(name):
    rram = PRESETS[name]
    assert rram.source.strip()
    layer = RRAMLinear(20, 10, rram=rram)
    layer.drift_to(MONTH)
    output = layer(torch.rand(4, 20))
    assert output.isfinite().all()
    output.sum().backward()
    assert layer.weight.grad.isfinite().all()
    assert layer.weight.grad.any()


def test_many_chips_are_measured_and_the_network_stays_on_its_own():
    net = nn.Sequential(RRAMLinear(20, 10, rram=replace(devices.PCM, flicker=0.0)))
    x = torch.rand(8, 20)
    mine = net(x)
    net[0].drift_to(5.0)

    def measure(chip):
        return float((chip(x) - mine).square().mean())

    fresh = snnm.evaluate_chips(net, measure, 12, generator=torch.Generator().manual_seed(1))
    again = snnm.evaluate_chips(net, measure, 12, generator=torch.Generator().manual_seed(1))
    old = snnm.evaluate_chips(net, measure, 12, seconds=MONTH)
    broken = snnm.evaluate_chips(net, measure, 12, faults=0.3)
    assert torch.equal(fresh.values, again.values)
    assert len(set(fresh.values.tolist())) == 12
    assert fresh.worst == fresh.values.min()
    assert old.mean > fresh.mean
    assert broken.mean > fresh.mean
    assert "12 chips" in str(fresh)
    assert net[0].age == 5.0
    assert torch.equal(net(x), mine)
    for wrong, message in (((net, measure, 0), "`chips`"), ((nn.Linear(2, 2), measure), "`net`")):
        with pytest.raises(ValueError, match=message):
            snnm.evaluate_chips(*wrong)


ALL = replace(
    devices.PCM, levels=32, spread=0.1, stuck_on=0.01, stuck_off=0.01, flicker=0.0, tolerance=0.1
)


@pytest.mark.parametrize("copied", ["load", "deepcopy", "to", "pickle"])
def test_a_chip_that_is_saved_or_copied_or_moved_gives_the_same_output(copied, tmp_path):
    array = Array(rows=16, wires=Wires(1.0, 1.0, 100.0, 100.0))
    layer, x = RRAMLinear(20, 10, rram=ALL, array=array), torch.rand(3, 20)
    layer.fault(0.05)
    layer.drift_to(1e4)
    before = layer(x)
    if copied == "load":
        torch.save(layer.state_dict(), tmp_path / "chip")
        other = RRAMLinear(20, 10, rram=ALL, array=array)
        other.load_state_dict(torch.load(tmp_path / "chip"))
    elif copied == "pickle":
        torch.save(layer, tmp_path / "chip")
        other = torch.load(tmp_path / "chip", weights_only=False)
    else:
        other = copy.deepcopy(layer) if copied == "deepcopy" else layer.to("cpu").double().float()
    assert torch.equal(other(x), before)
    assert other.age == 1e4


# Wear


def test_cells_wear_out_at_their_own_number_of_writes():
    rram = RRAM(endurance=10.0, endurance_spread=0.5)
    layer = RRAMLinear(200, 200, bias=False, rram=rram, dtype=torch.float64)
    layer(torch.rand(1, 200).double())  # what the constructor wrote
    worn = []
    for _ in range(10):
        worn.append(float((layer.conductances() == rram.g_on).double().mean()))
        with torch.no_grad():
            layer.weight.mul_(0.99)
        layer(torch.rand(1, 200).double())
    # After ten writes, by the lognormal law; half of the cells is its median.
    expected = 0.5 * (1 + math.erf(math.log(10 / 10.0) / 0.5 / math.sqrt(2)))
    cells = 2 * 200 * 200
    error = 3 * math.sqrt(expected * (1 - expected) / cells)
    assert abs(worn[-1] - expected) < error + 1 / cells
    assert worn == sorted(worn)
    assert layer.times_written == 11
    layer.program()
    assert layer.times_written == 1


def test_cells_that_endure_everything_are_ideal():
    assert RRAM().ideal
    assert not RRAM(endurance=1e6).ideal
    for wrong in ({"endurance": 0.0}, {"endurance": math.nan}, {"endurance_spread": -1.0}):
        with pytest.raises(ValueError, match="`endurance"):
            RRAM(**wrong)


def test_a_normal_spread_has_the_stated_width_and_no_negative_conductance():
    rram = RRAM(spread=0.1, spread_law="normal")
    layer = RRAMLinear(200, 200, bias=False, rram=rram, dtype=torch.float64)
    asked = snnm.crossbar.to_pair(layer.weight.detach(), rram, layer.w_max())
    within_3_standard_errors((layer.conductances() / asked).detach(), 1.0, 0.1)
    wide = RRAMLinear(50, 50, rram=RRAM(spread=2.0, spread_law="normal"))
    assert (wide.conductances() >= 0).all()
    with pytest.raises(ValueError, match="`spread_law`"):
        RRAM(spread_law="cauchy")


# Bad input


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_weight_that_is_no_number_is_refused_and_the_chip_stays(bad):
    layer, x = RRAMLinear(4, 3, rram=RRAM(programming_error=0.05, spread=0.1)), torch.rand(2, 4)
    expected, good = layer(x), layer.weight.detach().clone()
    chip = {name: buffer.clone() for name, buffer in layer.named_buffers()}
    with torch.no_grad():
        layer.weight[0, 0] = bad
    for act in (lambda: layer(x), layer.program):
        with pytest.raises(ValueError, match=r"finite `weight`.*NaN or infinity"):
            act()
    for name, buffer in layer.named_buffers():
        assert torch.equal(buffer, chip[name])
    with torch.no_grad():
        layer.weight.copy_(good)
    assert torch.equal(layer(x), expected)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            lambda: RRAMLinear(4, 3, rram=RRAM(spread=0.2)),
            r"RRAM\(spread=0.2\).*RRAM\(spread=0.1\)",
        ),
        (lambda: RRAMLinear(4, 3), r"RRAM\(\).*RRAM\(spread=0.1\)"),
        (lambda: RRAMLinear(4, 3, rram=devices.PCM), r"RRAM\(r_on=40000.0"),
        (lambda: RRAMLinear(5, 3, rram=RRAM(spread=0.1)), r"\(3, 5\), but got \(3, 4\)"),
    ],
    ids=["strength", "ideal", "preset", "shape"],
)
def test_a_chip_of_another_device_or_shape_is_refused_and_the_layer_stays(other, message):
    chip = RRAMLinear(4, 3, rram=RRAM(spread=0.1)).state_dict()
    layer = nn.Sequential(other())
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(RuntimeError, match=f"(?s)Expected.*{message}"):
        layer.load_state_dict({f"0.{name}": value for name, value in chip.items()})
    assert before.keys() == layer.state_dict().keys()
    for name, value in layer.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_chip_without_faults_takes_the_place_of_one_with_faults():
    rram = RRAM(spread=0.1)
    layer, other, x = RRAMLinear(4, 3, rram=rram), RRAMLinear(4, 3, rram=rram), torch.rand(2, 4)
    other.fault(0.5)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), layer(x))


# Writes that nobody has read yet


def written_but_not_read():
    layer = RRAMLinear(6, 5, rram=replace(DRIFTING, programming_error=0.1))
    layer(torch.rand(2, 6))
    layer.drift_to(1e6)
    with torch.no_grad():
        layer.weight.mul_(-0.5)
    return layer


def test_a_chip_drifts_from_its_last_write():
    layer = written_but_not_read().eval()
    layer.drift_to(MONTH)
    layer(torch.rand(2, 6))
    assert layer.age == MONTH


COPIES = {
    "deepcopy": copy.deepcopy,
    "state": lambda layer: loaded(RRAMLinear(6, 5, rram=layer.rram), layer.state_dict()),
    "to": lambda layer: copy.deepcopy(layer).to(torch.float64).to(torch.float32),
}


def loaded(layer, state):
    layer.load_state_dict(state)
    return layer


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("training", [True, False])
def test_a_copy_of_a_chip_that_was_just_written_is_that_chip(copied, training):
    layer, x = written_but_not_read().train(training), torch.rand(2, 6)
    other = COPIES[copied](layer).train(training)
    assert layer.age == other.age == 0.0
    assert torch.equal(layer(x), other(x))
    assert torch.equal(layer.conductances(), other.conductances())


def test_digital_weights_that_are_loaded_are_written():
    rram = replace(DRIFTING, endurance=1e6)
    layer = RRAMLinear(6, 5, rram=rram)
    layer.drift_to(1e6)
    layer.load_state_dict(nn.Linear(6, 5).state_dict())
    assert layer.age == 0.0
    assert layer.times_written == 2


def test_a_chip_from_inference_mode_lives_on(tmp_path):
    layer, x = RRAMLinear(6, 5, rram=replace(ALL, endurance=1e6)), torch.rand(2, 6)
    with torch.inference_mode():
        layer.program()
        layer.weight.mul_(0.5)
        layer(x)
        layer.drift_to(10.0)
        layer.fault(0.1)
    layer.drift_to(20.0)
    layer.fault(0.1)
    layer(x).sum().backward()
    other = loaded(RRAMLinear(6, 5, rram=layer.rram), layer.state_dict())
    assert torch.equal(other(x), layer(x))


def test_seeds_that_somebody_else_puts_in_are_noticed():
    layer, x = RRAMLinear(6, 5, rram=RRAM(spread=0.1)), torch.rand(2, 6)
    other = RRAMLinear(6, 5, rram=layer.rram)
    other.load_state_dict(dict(layer.named_parameters()))
    before = other(x)
    other.chip.copy_(layer.chip)  # as DDP does with buffers
    assert not torch.equal(other(x), before)
    assert torch.equal(other.eval()(x), layer.eval()(x))


def test_age_and_faults_that_somebody_else_puts_in_are_noticed():
    layer, x = RRAMLinear(6, 5, rram=RRAM(spread=0.1, drift=0.1)).eval(), torch.rand(2, 6)
    layer.fault(0.0)
    other = copy.deepcopy(layer)
    before = other(x)
    layer.drift_to(1e6)
    aged = layer(x)
    state = dict(layer.named_parameters()) | dict(layer.named_buffers())
    assert torch.equal(torch.func.functional_call(other, state, (x,)), aged)
    assert torch.equal(other(x), before)
    other.age_in_us.copy_(layer.age_in_us)
    assert torch.equal(other(x), aged)
    layer.fault(0.5)
    state = dict(layer.named_parameters()) | dict(layer.named_buffers())
    assert torch.equal(torch.func.functional_call(other, state, (x,)), layer(x))
    assert torch.equal(other(x), aged)
    other.fault_weight.copy_(layer.fault_weight)
    other.fault_bias.copy_(layer.fault_bias)
    assert torch.equal(other(x), layer(x))
    assert not torch.equal(other(x), aged)


@pytest.mark.parametrize("training", [False, True])
def test_a_chip_with_weights_of_its_own_that_is_put_in_is_read_as_it_is(training):
    rram, x = RRAM(spread=0.1, drift=0.1, endurance=100.0), torch.rand(2, 6)
    layer, other = (RRAMLinear(6, 5, rram=rram).train(training) for _ in range(2))
    layer.drift_to(1e3)
    other.drift_to(1e6)
    before, expected = layer(x), other(x)
    state = dict(other.named_parameters()) | dict(other.named_buffers())
    assert torch.equal(torch.func.functional_call(layer, state, (x,)), expected)
    assert torch.equal(layer(x), before)
    assert (layer.age, other.age) == (1e3, 1e6)


def test_a_chip_that_is_copied_in_inference_mode_is_read():
    layer, x = RRAMLinear(6, 5, rram=RRAM(programming_error=0.05)).eval(), torch.rand(2, 6)
    layer.fault(0.1)
    with torch.inference_mode():
        other = copy.deepcopy(layer)
        assert torch.equal(other(x), layer(x))
        layer.fault(0.3)
        other.fault_weight.copy_(layer.fault_weight)
        other.fault_bias.copy_(layer.fault_bias)
        assert torch.equal(other(x), layer(x))
    assert torch.equal(other(x), layer(x))


def test_which_cells_fail_does_not_depend_on_how_they_were_written():
    layer = RRAMLinear(200, 200, bias=False, rram=RRAM(programming_error=0.05))
    with torch.no_grad():
        layer.weight.uniform_(0.3, 0.7)
    layer.program(torch.Generator().manual_seed(0))
    error = (layer.conductances() - layer.targets())[0].detach()
    layer.fault(0.2, generator=torch.Generator().manual_seed(0))
    works = layer.fault_weight[0] == 0
    # The spread of 32000 of 40000 normal numbers, within four standard errors.
    tolerance = 4 * 0.2**0.5 / (2 * len(error[works])) ** 0.5
    assert float(error[works].std() / error.std()) == pytest.approx(1, abs=tolerance)


@pytest.mark.parametrize("mapping", ["differential", "offset"])
def test_a_layer_without_outputs_is_programmed(mapping):
    rram = RRAM(programming_error=0.05, tolerance=0.01, writes=3)
    layer = RRAMLinear(5, 0, rram=rram, array=Array(mapping=mapping))
    assert layer.program().pulses == 0
    assert layer(torch.rand(2, 5)).shape == (2, 0)


@pytest.mark.parametrize("change", ["rram", "array"])
def test_a_refused_assignment_changes_nothing(change):
    layer = RRAMLinear(6, 5, rram=RRAM(spread=0.1))
    before, chip = getattr(layer, change), layer.chip.clone()
    with torch.no_grad():
        layer.weight[0, 0] = math.nan
    with pytest.raises(ValueError, match="finite `weight`"):
        setattr(layer, change, devices.PCM if change == "rram" else Array(mapping="offset"))
    assert getattr(layer, change) == before
    assert torch.equal(layer.chip, chip)


def test_a_chip_of_another_mapping_or_faults_of_another_shape_are_refused():
    layer = RRAMLinear(4, 3, rram=RRAM(spread=0.1))
    offset = RRAMLinear(4, 3, rram=layer.rram, array=Array(mapping="offset"))
    with pytest.raises(RuntimeError, match="offset"):
        layer.load_state_dict(offset.state_dict())
    state, weight = layer.state_dict(), layer.weight.detach().clone()
    state["weight"] = state["weight"] * 2
    with pytest.raises(RuntimeError, match=r"fault_weight` of shape \(2, 3, 4\)"):
        layer.load_state_dict(state | {"fault_weight": torch.zeros(2, 9, dtype=torch.int8)})
    assert torch.equal(layer.weight, weight)


def test_a_cell_s_error_does_not_depend_on_its_neighbours():
    rram = RRAM(programming_error=0.05, tolerance=0.03, writes=5)
    layer = RRAMLinear(30, 20, bias=False, rram=rram, array=Array(w_max=1.0)).eval()
    before = layer.conductances().detach().clone()
    with torch.no_grad():
        layer.weight[3, 4] = 0.9
    changed = (layer.conductances() != before).any(0)
    assert changed[3, 4]
    assert changed.sum() == 1


def test_every_chip_is_measured_from_rest():
    net = nn.Sequential(RRAMLinear(8, 5, rram=RRAM(levels=8)), snnm.MIF(0.9, init_hidden=True))
    x = torch.rand(4, 3, 8)
    values = snnm.evaluate_chips(net, lambda net: float(snnm.run(net, x).mean()), 3).values
    assert values.unique().numel() == 1


def test_read_noise_survives_half_precision():
    for noise in ({"read_noise": 0.05}, {"flicker": 0.05}):
        layer = RRAMLinear(50, 20, bias=False, rram=RRAM(**noise))
        x = torch.rand(50).expand(2000, 50)
        exact = layer(x).std(0)
        half = layer.half()(x.half()).float()
        assert half.isfinite().all()
        assert_close(half.std(0), exact, rtol=0.1, atol=0)


def test_cells_at_a_padded_position_are_warm_too():
    array = Array(bandwidth=1e12)
    layer = RRAMConv2d(1, 1, 3, padding=1, bias=False, array=array).double()
    noise = layer(torch.zeros(20_000, 1, 3, 3, dtype=torch.float64)).var(0)[0].detach()
    assert_close(noise[0, 0], noise[1, 1], rtol=0.1, atol=0)


def test_a_second_derivative_through_wires_is_refused():
    wires = Wires(50.0, 50.0)
    for exact in (True, False):
        layer = RRAMLinear(4, 3, array=Array(wires=wires, exact=exact)).double()
        out = layer(torch.rand(2, 4).double()).square().sum()
        with pytest.raises(RuntimeError, match="derivative"):
            torch.autograd.grad(out, layer.weight, create_graph=True)


def test_threads_share_a_layer():
    layer = snnm.RRAMLinear(6, 4, rram=snnm.RRAM(levels=16))
    x = torch.rand(2, 6)
    wanted = layer(x)
    outputs, errors = [], []

    def call():
        try:
            outputs.append(layer(x))
        except Exception as error:
            errors.append(error)

    for _ in range(100):
        layer.program()
        with torch.no_grad():  # what it stands for is worked out without a graph
            layer(x)
        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors
    assert len(outputs) == 400
    for output in outputs:
        assert_close(output, wanted, rtol=0, atol=0)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_sign_of_zero_is_no_write(transposed):
    layer = snnm.RRAMLinear(4, 4, rram=snnm.RRAM(programming_error=0.05, drift=0.05))
    with torch.no_grad():
        if transposed:
            layer.weight = torch.nn.Parameter(layer.weight.t())
        layer.weight[1, 2] = 0.0
        layer.program()
        layer.drift_to(1e6)
        before = layer(torch.ones(4))
        layer.weight[1, 2] = -0.0
        assert_close(layer(torch.ones(4)), before, rtol=0, atol=0)
        layer.weight[1, 2] = 0.1
        assert not torch.equal(layer(torch.ones(4)), before)
