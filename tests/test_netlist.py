"""Exported circuits in ngspice against the package that they are printed from."""

import re
import shutil
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import nn

import snntorch_memristive as snnm
from snntorch_memristive import devices, spice
from snntorch_memristive.circuits import AlphaMIFCircuit, LoadedMIFCircuit, MIFCircuit
from snntorch_memristive.coupling import couple, matched_window
from snntorch_memristive.crossbar import Array, Wires, effective
from snntorch_memristive.demo.export import run
from snntorch_memristive.devices import RRAM, Device, MottSwitch, PooleFrenkel, Sinh, Table
from snntorch_memristive.functional import integrate
from snntorch_memristive.relaxation import Relaxation
from snntorch_memristive.spice import LayerComparison, Simulated, arrays, ngspice
from snntorch_memristive.spice.sampled import sampled
from snntorch_memristive.spice.watch import watch

DEVICES = {n: d for n, d in vars(devices).items() if isinstance(d, (Device, MottSwitch))}

IDEAL, PLAIN = RRAM(), Array()

WITHIN = 0.5e-2
"""Share of a layer's range of voltages: half of what the package promises of SPICE."""


@pytest.fixture
def installed():
    if shutil.which("ngspice") is None:
        pytest.skip("ngspice is not installed: nothing to run the circuits with")


def mif(beta=0.9, **settings):
    return snnm.MIF(beta, init_hidden=True, **settings)


def rmif(**settings):
    return snnm.RMIF(0.9, init_hidden=True, **settings)


def two_layers(first=None, second=None, *, rram=IDEAL, array=PLAIN):
    torch.manual_seed(0)
    return nn.Sequential(
        snnm.RRAMLinear(6, 5, rram=rram, array=array),
        first or mif(),
        snnm.RRAMLinear(5, 4),
        second or mif(output=True),
    )


def noisy_input(steps=12, features=6, scale=2.0):
    return torch.rand(steps, 1, features, generator=torch.Generator().manual_seed(1)) * scale


def assert_agrees(comparison, within=WITHIN):
    print(comparison)
    for layer in comparison.layers:
        assert layer.v_range > 5e-3, "a layer at rest proves nothing"
        assert layer.v_max < within * layer.v_range
        assert layer.spk_max < 2 * within * max(1.0, float(layer.spk.max()))
    assert len(set(comparison.classes("v"))) == 1


# Devices


@pytest.mark.parametrize("name", DEVICES)
def test_a_devices_subcircuit_states_its_equations(name, installed):
    device = DEVICES[name]
    v = torch.tensor([0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0], dtype=torch.float64)
    grid = torch.cat([-v, v]), torch.linspace(0, 1, 6).double()
    v, x = (part.flatten() for part in torch.meshgrid(*grid, indexing="ij"))
    made = spice.device_subcircuit(device, "device")
    lines = ["points of a device", made.text, ".options gmin=1e-30 reltol=1e-9 vntol=1e-15"]
    for k, (volts, state) in enumerate(zip(v.tolist(), x.tolist(), strict=True)):
        nodes = {"p": f"p{k}", "n": "0", "x": f"x{k}"}
        lines += [f"Vp{k} p{k} 0 {volts!r}", f"Vx{k} x{k} 0 {state!r}"]
        lines.append(made.call(str(k), nodes, {"x0": 0}))
    found = ngspice.run("\n".join([*lines, ".op", ".end"]) + "\n")
    current = -torch.cat([found[f"i(vp{k})"] for k in range(len(v))])
    rate = torch.cat([found[f"i(vx{k})"] for k in range(len(v))]) / 1e-6
    for simulated, stated in ((current, device.current(x, v)), (rate, device.rate(x, v))):
        size = stated.abs() + 1e-9 * stated.abs().max()
        inside = size > 0  # else it is 0 everywhere
        torch.testing.assert_close(simulated[~inside], stated[~inside], rtol=0, atol=0)
        error = (simulated - stated).abs()[inside] / size[inside]
        assert error.numel() == 0 or error.max() < 1e-5


@pytest.mark.parametrize("name", ["KNOWM_XYCE", "MEMPROP", "YAKOPCIC_OBLEA"])
def test_the_hysteresis_of_a_device_is_that_of_its_rate(name, installed):
    device, dt = DEVICES[name], 1e-6
    v = 0.4 * torch.sin(torch.linspace(0, 12.56, 401, dtype=torch.float64))
    i, x = spice.device_iv(device, v, dt, x0=0.1)
    state, stated = torch.tensor(0.1, dtype=torch.float64), []
    parts = 20
    for before, after in pairwise(v):
        stated.append(state)
        for k in range(parts):  # Heun's method along the straight line between two voltages
            here, there = (torch.lerp(before, after, (k + e) / parts) for e in (0, 1))
            slope = device.rate(state, here)
            ahead = device.rate(state + slope * dt / parts, there)
            state = state + (slope + ahead) / 2 * dt / parts
    stated = torch.stack([*stated, state])
    assert stated.max() - stated.min() > 1e-3
    torch.testing.assert_close(x, stated, rtol=0, atol=1e-3 * float(stated.max() - stated.min()))
    expected = device.current(stated, v)
    torch.testing.assert_close(i, expected, rtol=0, atol=2e-3 * float(expected.abs().max()))


@pytest.mark.parametrize(
    ("name", "amplitude", "frequency"),
    [("STANFORD_PKU", 1.5, 1e5), ("STANFORD_ASU", 2.0, 1e3), ("VTEAM_MAGIC", 2.0, 50e6)],
)
def test_a_device_that_snaps_does_so_in_ngspice_as_in_lsoda(name, amplitude, frequency, installed):
    device, t = DEVICES[name], np.linspace(0, 1 / frequency, 401)
    v = amplitude * np.sin(2 * np.pi * frequency * t)

    def rate(time, x):
        here = torch.tensor(np.clip(x, 0, 1)), torch.tensor([np.interp(time, t, v)])
        return device.rate(*here).numpy()

    settings = {"method": "LSODA", "rtol": 1e-7, "atol": 1e-9, "max_step": t[1] / 4}
    stated = solve_ivp(rate, (0, t[-1]), [0.1], t_eval=t, **settings).y[0]
    i, x = spice.device_iv(device, torch.tensor(v), t[1], x0=0.1)
    assert np.abs(x.numpy() - stated).max() < 0.01 * np.ptp(stated)
    expected = device.current(torch.tensor(stated), torch.tensor(v))
    assert (i - expected).abs().max() < 0.02 * expected.abs().max()


@pytest.mark.parametrize("name", DEVICES)
def test_a_swept_device_starts_as_it_was_put_and_without_current_at_0_volts(name, installed):
    device = DEVICES[name]
    v = 0.5 * torch.sin(torch.linspace(0, 12.56, 81, dtype=torch.float64))
    i, x = spice.device_iv(device, v, 1e-6, x0=0.3)
    assert i[0] == 0
    assert x[0] == 0.3
    assert ((x > -0.01) & (x < 1.01)).all()
    assert i.isfinite().all()


def test_a_sweep_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"`x0` in \[0, 1\]"):
        spice.device_iv(devices.MEMPROP, torch.zeros(3), 1e-6, x0=2.0)
    with pytest.raises(ValueError, match="Expected finite voltages"):
        spice.device_iv(devices.MEMPROP, torch.tensor([0.0, float("nan")]), 1e-6)
    with pytest.raises(ValueError, match="`dt` > 0"):
        spice.device_iv(devices.MEMPROP, torch.zeros(3), 0.0)


def test_a_curve_without_a_formula_is_sampled_as_finely_as_is_said():
    text = sampled(torch.tanh, 3.0, "V(a)")
    numbers = [float(part) for part in text.removeprefix("pwl(V(a),").rstrip(")").split(",")]
    points, values = torch.tensor(numbers).double().view(-1, 2).T.contiguous()
    x = torch.linspace(-3, 3, 10_001).double()
    right = torch.bucketize(x, points).clamp(1, len(points) - 1)
    left = right - 1
    share = (x - points[left]) / (points[right] - points[left])
    error = (torch.lerp(values[left], values[right], share) - x.tanh()).abs().max()
    assert error < 2e-6


# Networks

IMPERFECT = RRAM(levels=16, spread=0.1, stuck_on=0.02, stuck_off=0.1, programming_error=0.02)
WIRED = Array(rows=4, columns=2, wires=Wires(2.0, 3.0, 10.0, 20.0))


def _learned():
    """Sources, resistances and rests that differ from neuron to neuron and from what was built."""
    names = {"e2": (4,), "r_off": (4,), "tau": ()}
    net = two_layers(mif(learn_device={"e2": (5,)}), mif(learn_device=names))
    for neuron in (net[1], net[3]):
        for name, value in neuron.named_parameters():
            value.data.copy_(torch.rand(value.shape) if "e2" in name else 0.1)
    net[2].weight.data.mul_(0.2)
    net[2].bias.data.mul_(0.2)
    return net


def _varied():
    """No two components alike, between neurons and from one inference to the next."""
    net = two_layers(mif(engine="eager"), mif(engine="eager"))
    names = {"r_on": 0.2, "r_off": 0.2, "v_on": 0.1, "tau": 0.3, "c_mem": 0.2, "e2": 0.2}
    for neuron, count in ((net[1], 5), (net[3], 4)):
        neuron.vary(count, names, cycle_to_cycle={"v_on": 0.05, "v_off": 0.2})
    return net


def _coupled():
    """Both layers tied to their columns; the second is pulled from where it starts to ground."""
    net = two_layers()
    for k, v_zero in ((0, None), (2, 0.0)):
        net[k].rram = matched_window(net[k], net[k + 1])
        net[k + 1] = couple(net[k], net[k + 1], v_zero)
    return net


NETWORKS = {
    "ideal": lambda: two_layers(),
    "imperfect cells": lambda: two_layers(rram=IMPERFECT),
    "offset": lambda: two_layers(rram=IMPERFECT, array=Array(mapping="offset")),
    "wires in tiles": lambda: two_layers(rram=IMPERFECT, array=WIRED),
    "offset, some wires": lambda: two_layers(
        array=Array(rows=4, columns=2, mapping="offset", wires=Wires(r_word=2.0, r_sense=5.0))
    ),
    "sinh": lambda: two_layers(rram=RRAM(conduction=Sinh(0.2))),
    "poole-frenkel": lambda: two_layers(rram=RRAM(conduction=PooleFrenkel(0.2))),
    "table": lambda: two_layers(rram=RRAM(conduction=Table((0.05, 0.1, 0.3), (0.05, 0.12, 0.6)))),
    "raw voltage": lambda: two_layers(mif(spike="voltage")),
    "binary": lambda: two_layers(mif(spike="binary")),
    "loaded": lambda: two_layers(mif(circuit=LoadedMIFCircuit())),
    "held memristors": lambda: two_layers(mif(reset_mechanism="none")),
    "a value per neuron": lambda: two_layers(
        mif(learn_device={"tau": (5,), "v_on": ()}),
        mif(torch.linspace(0.5, 0.9, 4), threshold=torch.linspace(0.6, 1.2, 4)),
    ),
    "learned values": lambda: _learned(),
    "coupled to its columns": lambda: _coupled(),
    "spread between neurons": lambda: _varied(),
    "graded": lambda: two_layers(mif(graded_spikes_factor=2.0)),
    "recurrent": lambda: two_layers(
        rmif(linear_features=5), rmif(all_to_all=False, V=torch.linspace(-1, 1, 4))
    ),
    "one weight back": lambda: two_layers(rmif(all_to_all=False, V=0.5)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_clocked_circuit_computes_what_the_loop_computes(name, installed):
    assert_agrees(spice.compare(NETWORKS[name](), noisy_input()))


def test_the_input_filter_is_in_the_circuit(installed):
    net = two_layers(mif(circuit=AlphaMIFCircuit(tau_alpha=5e-6)))
    assert_agrees(spice.compare(net, noisy_input(scale=4.0)))


def test_a_circuit_without_branches_is_printed_from_its_equations(installed):
    net = two_layers(snnm.Mott(init_hidden=True), snnm.Mott(init_hidden=True))
    assert_agrees(spice.compare(net, noisy_input(60, scale=0.4), max_step=0.02))


def test_the_nanodot_neuron_is_in_the_circuit(installed):
    net = two_layers(snnm.Nanodot(init_hidden=True), snnm.Nanodot(init_hidden=True))
    assert_agrees(spice.compare(net, noisy_input(30, scale=0.4), max_step=0.02))


def test_convolutions_pools_and_shapes(installed):
    torch.manual_seed(0)
    net = nn.Sequential(
        snnm.RRAMConv2d(2, 4, 3, padding=1, padding_mode="circular"),
        nn.MaxPool2d(2),  # of currents
        mif(),
        snnm.RRAMConv2d(4, 4, 2, groups=2, bias=False, array=Array(mapping="offset")),
        mif(),
        nn.AvgPool2d(2, padding=1),  # of spikes
        nn.Flatten(),
        nn.Dropout(),
        snnm.RRAMLinear(16, 3),
        mif(output=True),
    ).eval()
    input_ = torch.rand(8, 1, 2, 6, 6, generator=torch.Generator().manual_seed(2)) * 3
    comparison = spice.compare(net, input_)
    assert_agrees(comparison)
    assert [tuple(layer.v.shape[1:]) for layer in comparison.layers] == [(4, 3, 3), (4, 2, 2), (3,)]


class Loop(nn.Module):
    """A network as in snnTorch's tutorials."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = snnm.RRAMLinear(6, 5), snnm.MIF(0.9)
        self.fc2, self.lif2 = snnm.RRAMLinear(5, 4), snnm.MIF(0.9)

    def forward(self, image):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        record = []
        for _ in range(12):
            spk, mem1 = self.lif1(self.fc1(image), mem1)
            spk, mem2 = self.lif2(self.fc2(spk), mem2)
            record.append(spk)
        return torch.stack(record)


def test_a_network_with_its_own_loop_is_seen_while_it_runs(installed):
    torch.manual_seed(0)
    comparison = spice.compare(Loop(), noisy_input(1)[0])
    assert_agrees(comparison)
    assert [layer.name for layer in comparison.layers] == ["lif1", "lif2"]


def test_free_running_the_first_layer_is_the_same_and_the_second_ahead(installed):
    clocked = spice.compare(two_layers(), noisy_input())
    free = spice.compare(two_layers(), noisy_input(), coupling="free-running")
    assert free.layers[0].v_max < 1e-3 * free.layers[0].v_range
    assert free.layers[1].v_max > 5 * clocked.layers[1].v_max
    torch.testing.assert_close(free.layers[1].simulated.times, free.layers[0].simulated.times)
    ends = clocked.layers[1].simulated.times - clocked.layers[0].simulated.times
    torch.testing.assert_close(ends, torch.full_like(ends, 1e-6))


def test_free_running_is_what_ever_shorter_steps_lead_to(installed):
    errors = []
    for parts in (1, 4):
        beta = 0.9 ** (1 / parts)
        net = two_layers(mif(beta, dt=1e-6 / parts), mif(beta, dt=1e-6 / parts))
        for neuron in net[1::2]:
            neuron.gain.fill_((1 - beta) / 0.1)
        input_ = noisy_input().repeat_interleave(parts, 0)
        found = spice.compare(net, input_, coupling="free-running").layers[1]
        errors.append(found.v_max / found.v_range)
    assert errors[1] < 0.5 * errors[0]


def test_neurons_that_are_left_out_become_sources(installed):
    net, input_ = two_layers(), noisy_input()
    whole = spice.compare(net, input_)
    part = spice.compare(net, input_, neurons={"1": [3, 1], "3": [2]})
    assert_agrees(part)
    torch.testing.assert_close(part.layers[0].v, whole.layers[0].v[:, [1, 3]])
    last = spice.compare(net, input_, neurons={"3": [0, 2]})
    assert [layer.name for layer in last.layers] == ["3"]
    assert_agrees(last)
    circuit = spice.netlist(net, input_, neurons={"3": [0, 2]})
    assert circuit.text.count("\nR") == 2 * 2 * (5 + 1)


def test_a_layer_per_file_is_the_same_circuit(installed, tmp_path):
    net, input_ = two_layers(), noisy_input()
    whole, parts = (spice.netlist(net, input_, per_layer=p) for p in (False, True))
    assert parts.files
    assert not whole.files
    text = parts.text
    for name, part in parts.files.items():
        text = text.replace(f'.include "{name}"\n', part)
    assert text == whole.text
    assert parts.save(tmp_path / "new" / "folder").read_text() == parts.text
    assert {p.name for p in (tmp_path / "new" / "folder").iterdir()} == {
        "network.cir",
        *parts.files,
    }
    first, second = (spice.simulate(circuit) for circuit in (whole, parts))
    torch.testing.assert_close(first["3"].v, second["3"].v, rtol=0, atol=0)


def test_every_cell_and_every_neuron_is_in_the_circuit():
    net = two_layers()
    text = spice.netlist(net, noisy_input()).text
    assert text.count("\nR") == 2 * (7 * 5 + 6 * 4)
    assert text.count("\nX1_") == 5
    assert text.count("\nX3_") == 4
    g = net[0].conductances("weight").detach()
    resistors = [line.split() for line in text.splitlines() if line.startswith("R")]
    ohms = {name: float(value) for name, _, _, value in resistors}
    assert ohms["R0_0p0_0_3_2"] == pytest.approx(1 / float(g[0, 2, 3]), rel=1e-6)
    assert ohms["R0_0n0_0_3_2"] == pytest.approx(1 / float(g[1, 2, 3]), rel=1e-6)


def test_names_may_be_anything():
    torch.manual_seed(0)
    net = nn.Sequential()
    for name, layer in zip(("W\n*end", "Zelle/Ω", "w 2", "*;{}$"), two_layers(), strict=True):
        net.add_module(name, layer)
    text = spice.netlist(net, noisy_input()).text
    assert text.isascii()
    plain = spice.netlist(two_layers(), noisy_input()).text
    assert len(text.splitlines()) == len(plain.splitlines())
    assert [line[:1] for line in text.splitlines()] == [line[:1] for line in plain.splitlines()]


def test_the_network_is_as_it_was():
    net = two_layers()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    spice.netlist(net, noisy_input())
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert not any(module._forward_hooks for module in net.modules())
    before = torch.get_rng_state()
    spice.netlist(two_layers(rram=RRAM(read_noise=0.1)), noisy_input())
    broken = noisy_input()
    broken[5] = float("nan")
    net(noisy_input()[0])
    with pytest.raises(ValueError, match="NaN"):
        spice.netlist(net, broken)
    assert float(net[1].mem.abs().sum()) == 0, "at rest, whatever happened"
    assert not any(module._forward_hooks for module in net.modules())
    torch.set_rng_state(before)


def test_a_run_draws_no_random_numbers_from_the_users():
    net = two_layers(rram=RRAM(read_noise=0.1))
    net(noisy_input()[0])  # writes the cells
    before = torch.get_rng_state()
    spice.netlist(net, noisy_input())
    torch.testing.assert_close(torch.get_rng_state(), before)


def test_held_memristors_with_values_of_their_own(installed):
    neuron = mif(reset_mechanism="none", learn_device={"r_off": (5,), "e2": (5,)})
    for value in neuron.parameters():
        value.data.copy_(torch.rand(5))
    assert_agrees(spice.compare(two_layers(neuron), noisy_input()))


def test_a_subclass_with_a_law_of_its_own_is_printed_from_it(installed):
    @dataclass(frozen=True)
    class Leaking(MIFCircuit):
        def membrane(self, state, i_in):
            v = super().membrane(state, i_in)["v"]
            return {"v": Relaxation(v.drive, v.decay + 2e5)}

    assert_agrees(spice.compare(two_layers(mif(circuit=Leaking())), noisy_input()))


def test_cells_of_a_recurrence_follow_their_law_as_far_as_they_are_driven(installed):
    law = Table((0.05, 0.1, 0.2, 0.4), (0.05, 0.2, 0.21, 0.9))
    neuron = rmif(linear_features=3, spike="voltage", rram=RRAM(conduction=law))
    neuron.recurrent.weight.data.copy_(0.3 * torch.eye(3))
    neuron.recurrent.bias.data.zero_()
    input_ = torch.tensor([0.5, 0.48, 0.46]).expand(12, 1, 3)  # not alike: one is to win
    assert_agrees(spice.compare(nn.Sequential(neuron), input_))


CONVOLUTIONS = {
    "stride and dilation": lambda: snnm.RRAMConv2d(2, 3, 2, stride=2, dilation=2, padding=1),
    "dilated pool": lambda: nn.MaxPool2d(2, stride=1, dilation=2),
    "padded mean": lambda: nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_settings_of_convolutions_and_pools(name, installed):
    torch.manual_seed(0)
    net = nn.Sequential(CONVOLUTIONS[name](), mif())
    input_ = torch.rand(6, 1, 2, 5, 5, generator=torch.Generator().manual_seed(2)) * 2
    assert_agrees(spice.compare(net, input_))


def test_labels_of_layers_do_not_collide():
    names = {str(k): snnm.MIF(0.9, init_hidden=True) for k in range(12)}
    net = nn.Sequential()
    for k, neuron in enumerate(names.values()):
        net.add_module({1: "1a", 11: "a"}.get(k, f"n{k}"), neuron)
    text = spice.netlist(net, noisy_input(3)).text
    outside = re.sub(r"(?m)^\.subckt.*?^\.ends$", "", text, flags=re.DOTALL)
    elements = re.findall(r"(?m)^[A-Z]\w+", outside)
    assert len(elements) == len(set(elements))


# Comparing


def test_classes_are_numbers_of_output_neurons(installed):
    whole = spice.compare(two_layers(), noisy_input())
    volts = whole.layers[-1].v.sum(0)
    assert whole.classes("v")[0] == int(volts.argmax())
    part = spice.compare(two_layers(), noisy_input(), neurons={"3": [3, 1]})
    assert part.layers[0].numbers == (1, 3)
    assert part.classes("v")[0] == (1 if volts[1] > volts[3] else 3)
    hidden = spice.compare(two_layers(), noisy_input(), neurons={"1": torch.tensor([2])})
    with pytest.raises(ValueError, match="output layer '3'"):
        hidden.classes()
    assert "class" not in str(hidden)


def test_differences_are_seen():
    v = torch.zeros(4, 2, dtype=torch.float64)
    v[1, 0] = 1.0
    other = Simulated(v * 0.9, (v > 2).double(), torch.arange(4), torch.arange(4), v)
    layer = LayerComparison("fc", (0, 1), v, v, other)
    assert layer.v_range == 1.0
    assert layer.v_max == pytest.approx(0.1)
    assert layer.v_rms == pytest.approx(0.1 / 8**0.5)
    assert layer.spk_max == 1.0
    assert layer.agreement == 7 / 8


# Wires


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (16, 5)])
@pytest.mark.parametrize("wires", [Wires(1.0, 1.0), Wires(0.1, 10.0, 5.0, 20.0)], ids=str)
def test_currents_through_wires_are_ngspices(rows, columns, wires, installed):
    generator = torch.Generator().manual_seed(3)
    g = torch.rand(rows, columns, generator=generator, dtype=torch.float64) * 1e-3 + 1e-5
    v = torch.rand(rows, generator=generator, dtype=torch.float64)
    lines, reads = arrays.array("1", [f"r{i}" for i in range(rows)], g, wires)
    drivers = [f"Vr{i} r{i} 0 {volts!r}" for i, volts in enumerate(v.tolist())]
    options = ".options gmin=1e-30 reltol=1e-12 abstol=1e-18"
    text = "\n".join(["wires", options, *drivers, *lines, ".op", ".end"]) + "\n"
    found = ngspice.run(text)
    simulated = torch.cat([found[f"i({name.lower()})"] for name in reads])
    torch.testing.assert_close(simulated, v @ effective(g, wires), rtol=1e-6, atol=0)


# Refusals


def refused(net, input_=None, **settings):
    with pytest.raises(ValueError, match="Expected") as error:
        spice.netlist(net, noisy_input() if input_ is None else input_, **settings)
    text = str(error.value)
    assert "\n" not in text
    return text


def test_what_has_no_circuit_is_refused_in_one_sentence():
    linear = snnm.RRAMLinear(6, 5)
    assert "convert" in refused(nn.Sequential(nn.Linear(6, 5), mif()))
    assert "neuron" in refused(nn.Sequential(linear))
    assert "last layer" in refused(nn.Sequential(linear, mif(), snnm.RRAMLinear(5, 4)))
    assert "inhibition" in refused(nn.Sequential(linear, mif(inhibition=True)))
    assert "one `dt`" in refused(two_layers(mif(dt=1e-7)))
    assert "inputs and outputs" in refused(nn.Sequential(snnm.RRAMLinear(6, 0), mif()))
    assert "a batch of 1" in refused(two_layers(), torch.rand(3, 2, 6))
    assert "Dropout" in refused(
        nn.Sequential(linear, mif(), nn.Dropout(), snnm.RRAMLinear(5, 2), mif())
    )
    array = Array(wires=Wires(1.0, 1.0))
    assert "state_quant" in refused(nn.Sequential(linear, mif(state_quant=lambda x: x)))
    assert "BatchNorm1d" in refused(nn.Sequential(linear, nn.BatchNorm1d(5), mif()))
    assert "time, 1" in refused(two_layers(), noisy_input()[:0])
    assert "ohmic" in refused(two_layers(rram=RRAM(conduction=Sinh(0.2)), array=array))
    pool = nn.Sequential(nn.Unflatten(1, (1, 2, 3)), nn.MaxPool2d(2, ceil_mode=True), mif())
    assert "Unflatten" in refused(pool)


def test_impossible_settings_are_refused_in_one_sentence():
    assert "'clocked', 'free-running'" in refused(two_layers(), coupling="analog")
    assert "`max_step` > 0" in refused(two_layers(), max_step=0.0)
    assert "layers '1', '3'" in refused(two_layers(), neurons={"0": [1]})
    assert "from 0 to 4" in refused(two_layers(), neurons={"1": [5]})
    assert "at least one neuron" in refused(two_layers(), neurons={"1": []})


def test_something_between_layers_is_seen():
    class Doubled(Loop):
        def forward(self, image):
            mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
            spk, mem1 = self.lif1(self.fc1(image), mem1)
            return self.lif2(self.fc2(2 * spk), mem2)

    class Twice(Loop):
        def forward(self, image):
            self.fc1(image)
            return super().forward(image)

    class StartsElsewhere(Loop):
        def forward(self, image):
            return self.lif1(self.fc1(image), torch.full((1, 5), 0.8))

    class IsReset(Loop):
        def forward(self, image):
            _, mem = self.lif1(self.fc1(image), self.lif1.reset_mem())
            self.lif1(input_=self.fc1(image), mem=mem)
            return self.lif1(self.fc1(image), self.lif1.reset_mem())

    torch.manual_seed(0)
    assert "membrane that it returned" in refused(StartsElsewhere(), noisy_input(1)[0])
    assert "membrane that it returned" in refused(IsReset(), noisy_input(1)[0])
    hooked = two_layers()
    hooked[1].register_forward_hook(lambda module, inputs, output: output)
    assert "'1' has one" in refused(hooked)
    assert "something happens in between" in refused(Doubled(), noisy_input(1, scale=9.0)[0])
    assert "once in every time step" in refused(Twice(), noisy_input(1)[0])


def test_a_circuit_that_cannot_be_written_leaves_what_there_was(tmp_path):
    circuit = spice.netlist(two_layers(), noisy_input())
    (tmp_path / "network.cir").mkdir()  # in the way
    with pytest.raises(IsADirectoryError):
        circuit.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["network.cir"]


# The command


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    from snntorch_memristive.demo.command import run as train

    folder = tmp_path_factory.mktemp("demo")
    assert train(["--hidden", "12", "--epochs", "1", "--out", str(folder)]) == 0
    return folder / "checkpoint.pt"


def test_the_command_writes_a_circuit_and_compares(checkpoint, tmp_path, capsys, installed):
    assert run([str(checkpoint), "--sample", "2", "-o", str(tmp_path), "--compare"]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"network.cir", "comparison.png", "input.inc"} <= names
    assert "class by membranes" in capsys.readouterr().out


def test_the_command_says_what_is_wrong(checkpoint, tmp_path, capsys):
    assert run([str(tmp_path / "none.pt"), "-o", str(tmp_path)]) == 2
    assert "there is no" in capsys.readouterr().err
    assert run([str(checkpoint), "--sample", "360", "-o", str(tmp_path)]) == 2
    assert "from 0 to 359" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert run([str(checkpoint), "-o", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err


def test_watching_sees_layers_in_their_order_from_rest():
    net, input_ = two_layers(), noisy_input()
    net(input_[0] * 5)  # not at rest any more
    stages = watch(net, input_)
    assert [stage.name for stage in stages] == ["0", "1", "2", "3"]
    snnm.reset(net)
    spk, mem = snnm.run(net, input_)
    torch.testing.assert_close(stages[-1].output.float(), spk[:, 0])
    torch.testing.assert_close(stages[-1].mem.float(), mem[:, 0])


def test_a_neuron_of_its_own_follows_integrate(installed):
    neuron = mif(dt=1e-6)
    input_ = noisy_input(20, 1, scale=3.0)
    found = spice.compare(nn.Sequential(neuron), input_).layers[0]
    record = integrate(neuron.circuit, neuron.amperes(input_.double()), 1e-6, substeps=64)
    error = (found.simulated.v - record["v"][:, 0]).abs().max()
    assert error < 1e-3 * found.v_range
