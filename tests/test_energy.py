"""Energy and area against sums by hand, ngspice and the conservation of energy."""

import importlib
import math

import ngspice
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn
from torch.testing import assert_close

import snntorch_memristive as snnm
from snntorch_memristive.circuits import AlphaMIFCircuit, Circuit, MIFCircuit
from snntorch_memristive.crossbar import Array
from snntorch_memristive.devices import Sinh
from snntorch_memristive.energy import (
    CAPACITANCE_PER_AREA,
    CELL_AREA,
    balance,
    energy,
    programming_energy,
)

DT = 1e-6  # s
V_READ = 0.2  # V
ALPHA = AlphaMIFCircuit(tau_alpha=5e-6)


def currents(steps=40, neurons=4):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(steps, neurons, generator=generator, dtype=torch.float64) * 100e-6


def mif(beta=0.7, **settings):
    return snnm.MIF(beta, init_hidden=True, **settings)


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(),
        snnm.RRAMLinear(12, 6),
        mif(),
        nn.Sequential(nn.Dropout(0.0), snnm.RRAMLinear(6, 3, bias=False), mif(0.5, output=True)),
    ).double()


def images(steps=5, batch=4):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(steps, batch, 1, 3, 4, generator=generator, dtype=torch.float64) * 2


# Crossbars


def test_a_single_cell_turns_g_v_squared_t_into_heat():
    layer = snnm.RRAMLinear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 1.0)  # one cell of the pair fully on, one off
    report = energy(nn.Sequential(layer, mif()), torch.full((7, 1, 1), 0.5), v_read=V_READ)
    expected = (layer.rram.g_on + layer.rram.g_off) * (V_READ * 0.5) ** 2 * 7 * DT
    assert report.rows[0].energy.item() == pytest.approx(expected, rel=1e-6)


def by_hand(layer, x):
    """Joules per sample: every cell, input and output by itself. ``x``: (time, batch, inputs)."""
    total = 0.0
    for polarity in layer.conductances():
        for row_of_cells in polarity.tolist():
            for sample in x.flatten(0, 1).tolist():
                pairs = zip(row_of_cells, sample, strict=True)
                total += sum(g * (V_READ * value) ** 2 for g, value in pairs)
    if layer.bias is not None:
        total += layer.conductances("bias").sum().item() * V_READ**2 * x[..., 0].numel()
    return total * DT / x.shape[1]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rram", [{}, {"levels": 4, "spread": 0.3, "stuck_on": 0.2}])
def test_a_linear_crossbar_is_the_sum_over_its_cells(bias, rram):
    layer = snnm.RRAMLinear(5, 3, bias=bias, rram=snnm.RRAM(**rram))
    x = torch.randn(4, 6, 5)
    report = energy(nn.Sequential(layer, mif()), x, v_read=V_READ)
    assert report.rows[0].energy.item() == pytest.approx(by_hand(layer, x), rel=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_reads_every_position_of_its_window(bias):
    layer = snnm.RRAMConv2d(2, 3, (2, 3), stride=2, padding=1, bias=bias)
    x = torch.randn(3, 2, 2, 5, 6)
    report = energy(nn.Sequential(layer, nn.MaxPool2d(2), mif()), x, v_read=V_READ)
    windows = nn.functional.unfold(x.flatten(0, 1), (2, 3), padding=1, stride=2)
    g = layer.conductances().sum((0, 1)).flatten()
    expected = torch.einsum("c,scp->", g, windows**2)
    if bias:
        expected = expected + layer.conductances("bias").sum() * 6 * windows.shape[-1]
    expected = expected.item() * V_READ**2 * DT / 2
    assert report.rows[0].energy.item() == pytest.approx(expected, rel=1e-5)


def test_a_read_lasts_a_step_of_the_neuron_that_is_fed():
    layers = [snnm.RRAMLinear(2, 2) for _ in range(3)]
    x = torch.rand(3, 2, 2)
    spikes = []
    both = nn.Sequential(layers[0], mif(dt=1e-6), layers[1], mif(dt=4e-6), layers[2])
    both[3].register_forward_hook(lambda *args: spikes.append(args[2]))
    report = energy(both, x, v_read=V_READ)
    assert report.dt == (1e-6, 4e-6)
    assert report.rows[0].energy.item() == pytest.approx(by_hand(layers[0], x), rel=1e-5)
    last = by_hand(layers[2], torch.stack(spikes)) * 4
    assert report.rows[4].energy.item() == pytest.approx(last, rel=1e-5)


# Neurons


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("circuit", [MIFCircuit(), MIFCircuit(e1=-20e-3), ALPHA])
def test_what_is_delivered_becomes_heat_or_is_stored(circuit, hold):
    each = balance(circuit, currents(), DT, hold_memristors=hold)
    assert (each.memristor1 > 0).all()
    assert (each.memristor2 > 0).all()
    assert_close(each.delivered, each.heat + each.stored, rtol=2e-3, atol=0)


def test_the_input_of_a_plain_circuit_delivers_its_current_times_the_voltage():
    i_in = currents(3, 1)
    each = balance(MIFCircuit(), i_in, DT)
    fine = snnm.functional.integrate(MIFCircuit(), i_in.repeat_interleave(500, 0), DT / 500)
    power = fine["v"] * i_in.repeat_interleave(500, 0)
    assert_close(each.input, power.sum(0) * DT / 500, rtol=5e-3, atol=0)


def test_heat_and_delivery_agree_with_ngspice():
    i_in = np.random.default_rng(0).uniform(0, 60e-6, 60)
    v, x1, x2 = "v(v_n)", "v(x1_n)", "v(x2_n)"
    second = f"({x2}/1k+(1-{x2})/100k)*({v}-50m)"
    powers = {
        "memristor1": f"({x1}/1k+(1-{x1})/100k)*{v}*{v}",
        "memristor2": f"{second}*({v}-50m)",
        "source2": f"-{second}*50m",
    }
    netlist = ngspice.mif("n", i_in, MIFCircuit().rest())
    for name, power in powers.items():  # 1 V on 1 F is 1 nJ
        netlist += [f"C{name} {name} 0 1 ic=0", f"B{name} 0 {name} I={power}*1e9"]
    judged = ngspice.transient(netlist, list(powers), np.array([60 * DT]), 10e-9)
    each = balance(MIFCircuit(), torch.from_numpy(i_in), DT)
    for name, joules in judged.items():
        assert getattr(each, name).item() == pytest.approx(joules[0] * 1e-9, rel=2e-3), name


def test_rest_leaks_a_known_power():
    circuit = mif().circuit
    rest = circuit.rest()
    watts = sum(
        device.conductance(rest[x]) * (rest["v"] - e) ** 2
        for device, x, e in ((circuit.m1, "x1", 0.0), (circuit.m2, "x2", 50e-3))
    )
    report = energy(nn.Sequential(mif()), torch.zeros(9, 2, 3))
    assert report.total.item() == pytest.approx(watts * 9 * DT * 3, rel=1e-5)
    leak = report.rows[0].balance
    assert leak.source2.item() == pytest.approx(report.total.item(), rel=1e-4)
    assert abs(leak.input.item()) < 1e-4 * report.total.item()


@pytest.mark.parametrize(("beta", "error"), [(0.9, 5e-4), (None, 2e-3), (0.5, 5e-3)])
def test_the_samples_of_a_step_suffice(beta, error, monkeypatch):
    circuit = snnm.MIF(beta).circuit
    coarse = balance(circuit, currents(), DT).heat
    monkeypatch.setattr(importlib.import_module("snntorch_memristive.energy"), "SAMPLES", 64)
    assert_close(coarse, balance(circuit, currents(), DT).heat, rtol=error, atol=0)


SETTINGS = {
    "plain": {},
    "held": {"reset_mechanism": "none"},
    "alpha": {"circuit": ALPHA},
    "coarse": {"solver": "exponential", "substeps": 1},
    "learned": {"learn_beta": True, "learn_device": {"tau": (4,)}},
    "per neuron": {"beta": torch.tensor([0.5, 0.6, 0.7, 0.8])},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_layer_of_neurons_has_the_balance_of_its_circuit(name):
    neuron = mif(**SETTINGS[name]).double()
    x = torch.rand(6, 2, 4, dtype=torch.float64) * 3
    row = energy(nn.Sequential(neuron), x).rows[0]
    hold = name == "held"
    each = balance(neuron.circuit, neuron.amperes(x), DT, hold_memristors=hold)
    assert_close(row.energy.detach(), each.heat.sum().detach() / 2, rtol=1e-6, atol=0)
    assert row.memristors == 8
    c_mem = torch.as_tensor(neuron.circuit.c_mem).double().expand(4).sum().item()
    assert row.capacitance == pytest.approx(c_mem)


RECURRENT = {
    "linear": ({"linear_features": 4}, (4,), 2 * 4 * 5),
    "convolution": ({"conv2d_channels": 2, "kernel_size": 3}, (2, 3, 3), 2 * (2 * 2 * 9 + 2)),
    "one to one": ({"all_to_all": False, "V": 0.5}, (4,), 2 * 4),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_a_recurrence_is_a_crossbar_and_drives_its_neuron(name):
    settings, shape, cells = RECURRENT[name]
    neuron = snnm.RMIF(0.7, init_hidden=True, **settings)
    x = torch.rand(6, 2, *shape) * 3
    report = energy(nn.Sequential(neuron), x, v_read=V_READ)
    recurrence, row = report.rows
    assert (recurrence.name, recurrence.memristors) == ("0.recurrent", cells)
    snnm.reset(neuron)
    sent, drive = [torch.zeros_like(x[0])], []
    for current in x:
        drive.append(current + neuron.recurrent(sent[-1]))
        sent.append(neuron(current))
    each = balance(neuron.circuit, neuron.amperes(torch.stack(drive)), DT)
    assert_close(row.energy, each.heat.sum() / 2, rtol=1e-4, atol=0)
    if name == "linear":
        expected = by_hand(neuron.recurrent, torch.stack(sent[:-1]))
        assert recurrence.energy.item() == pytest.approx(expected, rel=1e-5)
    if name == "one to one":
        g = neuron.recurrent.conductances().sum()
        expected = g * torch.stack(sent[:-1]).square().sum() * V_READ**2 * DT / 2
        assert_close(recurrence.energy, expected, rtol=1e-5, atol=0)


# Differentiable


def test_the_gradient_is_that_of_finite_differences():
    network, x = net(), images().requires_grad_()
    weight = network[1].weight
    with torch.no_grad():
        weight[0, 0] = 2.0  # the largest sets the gain of the read-out: no gradient through that
    energy(network, x).total.backward()
    places = ((x, (0, 0, 0, 0, 1)), (x, (2, 3, 0, 2, 3)), (weight, (1, 2)), (weight, (5, 7)))
    for tensor, place in places:
        sides = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                tensor[place] += step
                sides.append(energy(network, x).total.item())
                tensor[place] -= step
        slope = (sides[0] - sides[1]) / 2e-5
        assert tensor.grad[place].item() == pytest.approx(slope, rel=1e-4)
    assert network[3][1].weight.grad.any()


def test_trained_devices_get_a_gradient():
    network = nn.Sequential(mif(learn_beta=True, learn_device=("tau",)))
    energy(network, torch.rand(4, 2, 3)).total.backward()
    assert all(p.grad.any() for p in network.parameters())


# The report


def test_rows_sum_to_the_total_and_shares_to_one():
    report = energy(net(), images())
    counted = [row for row in report.rows if row.energy is not None]
    assert [row.name for row in counted] == ["1", "2", "3.1", "3.2"]
    assert sum(row.energy.item() for row in counted) == pytest.approx(report.total.item())
    assert sum(row.share for row in counted) == pytest.approx(1)
    assert (report.crossbars + report.neurons).item() == pytest.approx(report.total.item())
    assert report.neurons.item() == pytest.approx((counted[1].energy + counted[3].energy).item())


def test_energy_is_per_inference_whatever_the_batch():
    network, x = net(), images()
    once, twice = energy(network, x), energy(network, torch.cat([x, x], 1))
    assert_close(twice.total, once.total)
    assert (once.batch, twice.batch, once.steps) == (4, 8, 5)


def test_more_voltage_costs_the_crossbars_its_square_and_the_neurons_nothing():
    low, high = (energy(net(), images(), v_read=v) for v in (0.1, 0.2))
    assert_close(high.crossbars, 4 * low.crossbars)
    assert_close(high.neurons, low.neurons)


def test_it_prints_a_table_and_what_it_assumes():
    network = nn.Sequential(net(), nn.Linear(3, 4), snn.Leaky(0.5, init_hidden=True))
    network[0][3][2].output = False
    text = str(energy(network, images().float()) if network.float() else None)
    assert text.count("not counted") == 4  # Flatten, Dropout, Linear, Leaky
    for words in ("RRAMLinear", "total", "100 mV", "1.00 µs", "inferred", "virtual ground"):
        assert words in text
    assert "Not counted: drivers, sense amplifiers, converters" in text


def test_the_net_is_at_rest_before_and_after():
    network, x = net(), images()
    first = energy(network, x).total
    assert not network[2].mem.any()
    snnm.run(network, x)
    assert_close(energy(network, x).total, first)


def test_half_precision_is_counted_in_single():
    layer = snnm.RRAMLinear(5, 3)
    x = torch.rand(4, 2, 5)
    single = energy(nn.Sequential(layer, mif()), x).total.item()
    half = energy(nn.Sequential(layer, mif()).bfloat16(), x.bfloat16()).total.item()
    assert half == pytest.approx(single, rel=2e-2)


# Area


def test_area_counts_two_devices_per_weight_bias_and_neuron():
    area = energy(net(), images()).area()
    counts = [row.memristors for row in area.rows]
    assert counts == [2 * (12 * 6 + 6), 2 * 6, 2 * 6 * 3, 2 * 3]
    farads = [6 * mif(0.7).circuit.c_mem, 3 * mif(0.5).circuit.c_mem]
    expected = sum(counts) * CELL_AREA + sum(farads) / CAPACITANCE_PER_AREA
    assert area.total == pytest.approx(expected, rel=1e-6)
    smaller = energy(net(), images()).area(cell_area=1e-15, capacitance_per_area=1.0)
    assert smaller.rows[0].area == pytest.approx(counts[0] * 1e-15)
    assert smaller.rows[1].capacitor_area == pytest.approx(farads[0])
    text = str(area)
    assert "lower bound" in text
    assert "2 fF/µm²" in text


def test_programming_is_pulses_times_v_squared_g_t():
    g = torch.tensor([1e-3, 1e-5])
    joules = programming_energy(g, v_write=2.0, width=50e-9, pulses=torch.tensor([1.0, 3.0]))
    assert_close(joules, torch.tensor([2e-10, 6e-12]), rtol=1e-6, atol=0)


# Refusals


class Mott(Circuit):
    def equations(self, hold_memristors=False):
        return ()

    @property
    def v_threshold(self):
        return 1.0


def test_what_it_cannot_count_is_refused():
    x = images()
    for v_read, printed in ((0.0, "0"), (-0.1, "-0.1"), (math.nan, "nan")):
        message = f"Expected `v_read` > 0 V, but got {printed} V."
        with pytest.raises(ValueError, match=message.replace(".", r"\.")):
            energy(net(), x, v_read=v_read)
    with pytest.raises(TypeError, match=r"Expected an nn\.Sequential, but got RRAMLinear"):
        energy(snnm.RRAMLinear(2, 2), x)
    for wrong in (torch.rand(4, 12), torch.rand(0, 4, 12), torch.rand(5, 0, 12), torch.rand(12)):
        with pytest.raises(ValueError, match=r"Expected `input_` of shape \(time, batch, \.\.\.\)"):
            energy(net(), wrong.double())
    with pytest.raises(ValueError, match="time, batch, channels, height, width"):
        energy(nn.Sequential(snnm.RRAMConv2d(1, 2, 2), mif()), torch.rand(4, 1, 3, 3))
    with pytest.raises(ValueError, match="to have a memristive neuron"):
        energy(nn.Sequential(snnm.RRAMLinear(12, 2)), torch.rand(5, 4, 12))
    with pytest.raises(ValueError, match="Expected `init_hidden=True` of every neuron"):
        energy(nn.Sequential(snnm.MIF(0.5)), torch.rand(5, 4, 12))
    twice = mif()
    with pytest.raises(ValueError, match="one after the other, each once"):
        energy(nn.Sequential(twice, twice), torch.rand(5, 4, 12))
    with pytest.raises(TypeError, match="Expected a MIFCircuit, but got Mott"):
        balance(Mott(), currents(), DT)
    with pytest.raises(ValueError, match="Expected `cell_area` > 0"):
        energy(net(), x).area(cell_area=0.0)


def test_a_nonlinear_cell_is_counted_by_its_law_at_the_voltage_of_its_array():
    law, v = Sinh(0.05), 0.2
    layer = snnm.RRAMLinear(
        1, 1, rram=snnm.RRAM(conduction=law), array=Array(v_read=v), bias=False
    ).double()
    x = torch.full((3, 1, 1), 0.5, dtype=torch.float64)
    report = energy(nn.Sequential(layer, mif()).double(), x)
    g = float(layer.conductances().detach().sum())
    ratio = (math.sinh(v / 2 / 0.05) / (v / 2)) / (math.sinh(v / 0.05) / v)
    expected = 3e-6 * g * (v / 2) ** 2 * ratio
    assert float(report.rows[0].energy.detach()) == pytest.approx(expected, rel=1e-6)
    assert report.v_read == (v,)
    assert "200 mV" in str(report)
