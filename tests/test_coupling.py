"""Columns tied to the membranes of their neurons."""

import copy
from dataclasses import replace

import ngspice
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from snntorch_memristive import MIF, RMIF, RRAM, RRAMLinear
from snntorch_memristive.circuits import AlphaMIFCircuit, LoadedMIFCircuit, MIFCircuit
from snntorch_memristive.coupling import couple, matched_window
from snntorch_memristive.crossbar import Array, Wires
from snntorch_memristive.devices import Sinh

IMPERFECT = RRAM(levels=16, programming_error=0.02, spread=0.2, stuck_on=0.05, stuck_off=0.05)
G_REST = MIFCircuit().leak() * MIFCircuit().c_mem


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def matched(neuron, rram=RRAM(), v_read=0.5, bias=True):  # noqa: B008 (frozen)
    """A layer of 6 inputs and 4 neurons whose cells can drive ``neuron``."""
    layer = RRAMLinear(6, 4, bias, dtype=torch.float64, rram=rram, array=Array(v_read=v_read))
    layer.rram = matched_window(layer, neuron)
    return layer


def cells_of(layer):
    """Conductances of all cells, the bias as the last row. Shape: (2, outputs, rows)."""
    g = layer.conductances().detach()
    return g if layer.bias is None else torch.cat([g, layer.conductances("bias")[..., None]], -1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rram", [RRAM(), IMPERFECT])
@pytest.mark.parametrize("v_zero", [None, 0.0, -0.03])
def test_the_current_is_the_sum_over_all_cells_at_any_voltage_of_the_membrane(rram, bias, v_zero):
    neuron = MIF(0.7, threshold=2.0)
    layer = matched(neuron, rram, bias=bias)
    coupled = couple(layer, neuron, v_zero)
    input_, v = torch.randn(6).double(), torch.randn(4).double() * 0.1
    v_in = layer.array.v_read * torch.cat([input_, torch.ones(1)])[: 6 + bias]
    g, across = cells_of(layer), (MIFCircuit().rest()["v"] if v_zero is None else v_zero) - v
    cell_by_cell = (g[0] * (across[:, None] + v_in) + g[1] * (across[:, None] - v_in)).sum(1)
    circuit = coupled.circuit
    rate, unloaded = (
        c.rate({"v": v, "x1": 0 * v, "x2": 0 * v}, i_in)["v"]
        for c, i_in in (
            (circuit, coupled.amperes(layer(input_))),
            (MIFCircuit(c_mem=circuit.c_mem), torch.zeros(4).double()),
        )
    )
    assert_close((rate - unloaded) * circuit.c_mem, cell_by_cell, rtol=2e-6, atol=1e-12)


def test_a_matched_window_gives_the_current_that_the_neuron_takes():
    neuron = MIF(0.9)
    layer = matched(neuron, IMPERFECT)
    rram = layer.rram
    unit = (1 / rram.r_on - 1 / rram.r_off) * 0.5 / float(layer.w_max())
    assert unit == pytest.approx(float(neuron.amperes(1.0)), rel=1e-6)
    assert rram.r_off / rram.r_on == pytest.approx(100)
    assert replace(rram, r_on=1e3, r_off=1e5) == IMPERFECT
    assert float(couple(layer, neuron).gain) == pytest.approx(1.0, rel=1e-5)


def test_the_gain_and_the_load_are_those_of_the_window_that_is_there():
    neuron = MIF(0.9)
    layer = matched(neuron)
    before = couple(layer, neuron)
    neuron.gain.fill_(5.0)  # not its own to choose
    layer.rram = replace(layer.rram, r_on=layer.rram.r_on / 3, r_off=layer.rram.r_off / 3)
    after = couple(layer, neuron)
    assert float(after.gain) == pytest.approx(3.0, rel=1e-5)
    assert_close(after.circuit.r_load, before.circuit.r_load / 3, rtol=1e-5, atol=0)


def test_the_load_of_a_matched_window_is_as_stated():
    neuron = MIF(0.6, threshold=2.0)
    layer = matched(neuron)
    w_max = layer.w_max()
    sizes = layer.weight.abs().sum(1) + layer.bias.abs() + 2 * 7 * w_max / (100 - 1)
    dv = MIFCircuit().v_threshold - MIFCircuit().rest()["v"]
    expected = dv / 0.5 / (2.0 * (1 - 0.6)) * sizes.detach()
    load = 1 / (couple(layer, neuron).circuit.r_load.double() * G_REST)
    assert_close(load, expected, rtol=1e-5, atol=0)


def test_far_above_the_membranes_swing_a_read_voltage_makes_a_virtual_ground():
    neuron, input_ = MIF(0.8), torch.rand(20, 3, 6).double() * 3
    layer = matched(neuron, v_read=1e6)
    behind = neuron.sequence(layer(input_))
    tied = couple(layer, neuron).sequence(layer(input_))
    assert behind[0].max() > 0.5
    assert_close(tied, behind, rtol=0, atol=1e-4)


@pytest.mark.parametrize("v_zero", [None, 0.0, 0.05])
def test_leak_gain_and_rest_are_as_stated_while_the_memristors_are_held(v_zero):
    neuron = MIF(0.8, reset_mechanism="none").eval()
    layer = matched(neuron)
    coupled = couple(layer, neuron, v_zero)
    load = 1 / (coupled.circuit.r_load.double() * G_REST)
    forgets, steps = 0.8 ** (1 + load), torch.arange(1, 13)[:, None]
    rest, threshold = MIFCircuit().rest()["v"], MIFCircuit().v_threshold
    pulled = 0.0 if v_zero is None else (v_zero - rest) / (threshold - rest)
    moved = (1 - forgets**steps) / (1 + load)
    zero = coupled.sequence(torch.zeros(12, 4).double())[1]
    assert_close(zero, pulled * load * moved, rtol=1e-4, atol=1e-6)
    driven = coupled.sequence(torch.full((12, 4), 0.3).double())[1]
    assert_close(driven - zero, 0.3 / (1 - 0.8) * moved, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("v_read", [0.1, 10.0])
def test_a_quiet_neuron_stays_at_rest_when_the_drivers_swing_around_it(v_read):
    neuron = MIF(0.9)
    spk, mem = couple(matched(neuron, v_read=v_read), neuron).sequence(torch.zeros(500, 2, 4))
    assert not spk.any()
    assert mem.abs().max() < 1e-6


def test_kernels_equal_the_eager_equations_in_value_and_gradient():
    results = []
    for engine in ("auto", "eager"):
        torch.manual_seed(1)
        neuron = MIF(0.8, engine=engine)
        layer = matched(neuron, v_read=20.0)
        coupled = couple(layer, neuron)
        spk, mem = coupled.sequence(layer(torch.rand(15, 5, 6).double() * 4))
        assert coupled.engine_used == {"auto": "llvmlite", "eager": "eager"}[engine]
        assert spk.max() > 0.5
        (spk.sum() + mem.square().sum()).backward()
        results.append((spk, mem, layer.weight.grad, layer.bias.grad))
    assert_close(*results, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("v_read", "v_zero"), [(0.3, None), (3.0, 0.0), (30.0, None)])
def test_the_membranes_are_those_at_the_columns_of_resistors_in_ngspice(v_read, v_zero):
    neuron = MIF(substeps=8)  # whose capacitor is the one in the netlist
    layer = matched(neuron, IMPERFECT, v_read)
    input_ = torch.rand(100, 6).double() * 4
    coupled = couple(layer, neuron, v_zero)
    volts = coupled.volts(coupled.sequence(layer(input_))[1]).detach().numpy()
    g, v_in = cells_of(layer).detach().numpy(), np.concatenate([input_, np.ones((100, 1))], 1)
    rest = MIFCircuit().rest()
    zero = rest["v"] if v_zero is None else v_zero
    netlist = [
        part
        for k in range(4)
        for part in ngspice.tied_mif(str(k), v_in * v_read, zero, g[:, k], rest)
    ]
    nodes, ends = [f"v_{k}" for k in range(4)], ngspice.DT * np.arange(1, 101)
    spice = ngspice.transient(netlist, nodes, ends, 10e-9)
    for k, node in enumerate(nodes):
        assert np.abs(volts[:, k] - spice[node]).max() < 0.5e-2 * np.ptp(spice[node])


def test_it_follows_the_weights_when_it_is_done_anew():
    neuron = MIF(0.9)
    layer = RRAMLinear(6, 4)
    first = couple(layer, neuron).circuit.r_load
    with torch.no_grad():
        layer.weight[0] = layer.weight.abs().max()
    second = couple(layer, neuron).circuit.r_load
    assert second[0] < first[0]
    assert torch.equal(second[1:], first[1:])


def test_everything_else_about_the_neuron_stays_and_nothing_is_trained():
    settings = {"init_hidden": True, "output": True, "solver": "exponential", "substeps": 2}
    neuron = MIF(0.6, 2.0, dt=2e-6, spike="voltage", graded_spikes_factor=3.0, **settings).eval()
    before = copy.deepcopy(neuron.state_dict())
    coupled = couple(matched(neuron), neuron)
    names = (*settings, "dt", "spike", "beta", "threshold", "graded_spikes_factor", "training")
    for name in names:
        assert getattr(coupled, name) == getattr(neuron, name), name
    assert type(coupled.circuit) is LoadedMIFCircuit
    assert coupled.circuit.c_mem == pytest.approx(neuron.circuit.c_mem, rel=1e-5)
    assert_close(coupled.volts(0.7), neuron.volts(0.7))
    assert not any(parameter.requires_grad for parameter in coupled.parameters())
    assert type(neuron.circuit) is MIFCircuit
    assert all(torch.equal(neuron.state_dict()[name], value) for name, value in before.items())


def test_a_checkpoint_holds_the_load():
    neuron, layer = MIF(0.9), RRAMLinear(6, 4)
    coupled, other = couple(layer, neuron), couple(RRAMLinear(6, 4), neuron)
    other.load_state_dict(coupled.state_dict())
    x = torch.rand(5, 2, 4)
    assert torch.equal(other.sequence(x)[1], coupled.sequence(x)[1])


@pytest.mark.parametrize(
    ("layer", "neuron", "sentence"),
    [
        (torch.nn.Linear(6, 4), MIF(0.9), "Expected `layer` to be an RRAMLinear, but got Linear"),
        (RRAMLinear(6, 4), RMIF(0.9, linear_features=4), "Expected `neuron` .* MIF, but got RMIF"),
        (
            RRAMLinear(6, 4),
            MIF(0.9, circuit=AlphaMIFCircuit()),
            "Expected a `neuron` with a MIFCircuit, but got a AlphaMIFCircuit",
        ),
        (
            RRAMLinear(6, 4),
            couple(RRAMLinear(6, 4), MIF(0.9)),
            "Expected a `neuron` with a MIFCircuit, but got a LoadedMIFCircuit",
        ),
    ],
)
@pytest.mark.parametrize("function", [couple, matched_window])
def test_what_is_no_column_of_a_plain_neuron_is_refused(function, layer, neuron, sentence):
    with pytest.raises(TypeError, match=sentence):
        function(layer, neuron)


@pytest.mark.parametrize(
    ("layer", "neuron", "sentence"),
    [
        ({}, {"learn_beta": True}, "Expected a `neuron` that trains nothing, but got beta"),
        ({}, {"learn_device": ("tau",)}, "Expected a `neuron` that trains .* got learned_tau"),
        ({}, {"beta": torch.rand(4)}, r"Expected one `beta` for all .* but got shape \(4,\)"),
        ({}, {"threshold": torch.ones(4)}, r"Expected one `threshold` for all .* shape \(4,\)"),
        ({"rram": RRAM(conduction=Sinh(v0=0.2))}, {}, "Expected ohmic cells, but got Sinh"),
        ({"array": Array(wires=Wires(1.0, 1.0))}, {}, "Expected an array with ideal wires"),
        ({"array": Array(mapping="offset")}, {}, "Expected differential pairs, but got 'offset'"),
    ],
)
@pytest.mark.parametrize("function", [couple, matched_window])
def test_what_no_plain_column_can_be_is_refused(function, layer, neuron, sentence):
    with pytest.raises(ValueError, match=sentence):
        function(RRAMLinear(6, 4, **layer), MIF(**({"beta": 0.9} | neuron)))


def test_a_zero_that_is_no_voltage_is_refused():
    with pytest.raises(ValueError, match="Expected a finite `e_load` in V, but got inf"):
        couple(RRAMLinear(6, 4), MIF(0.9), float("inf"))
