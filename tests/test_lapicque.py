"""Lapicque's RC circuit: its arguments, and its trajectories."""

import math

import pytest
import snntorch as snn
import torch
from snntorch import utils
from torch import nn

import snntorch_memristive as snnm

GIVEN = [
    {"beta": 0.9},
    {"beta": 0.5},
    {"R": 5.1, "C": 5e-3, "time_step": 1e-3},  # snnTorch's tutorial 2
    {"R": 1, "C": 1.44},
    {"beta": 0.8, "R": 3.0},
    {"beta": 0.8, "C": 3.0, "time_step": 0.5},
    {"beta": torch.tensor([0.5, 0.8, 0.9])},
]


def looped(neuron, current):
    mem, record = torch.zeros_like(current[0]), []
    for now in current:
        _, mem = neuron(now, mem)
        record.append(mem)
    return torch.stack(record)


@pytest.mark.parametrize("given", GIVEN[:-1], ids=str)
def test_the_rc_circuit_is_that_of_snntorch(given):
    neuron, digital = snnm.LapicqueMIF(**given), snn.Lapicque(**given)
    for name in ("beta", "R", "C", "time_step"):
        assert float(getattr(neuron, name)) == pytest.approx(float(getattr(digital, name)), 1e-6)


@pytest.mark.parametrize("given", GIVEN[:-1], ids=str)
@pytest.mark.parametrize("threshold", [1.0, 20000.0])
def test_with_the_memristors_held_it_is_lapicques_neuron(given, threshold):
    settings = {**given, "threshold": threshold, "reset_mechanism": "none"}
    neuron = snnm.LapicqueMIF(**settings, engine="eager").double()
    current = torch.randn(80, 4, dtype=torch.float64)
    expected = looped(snn.Lapicque(**settings).double(), current)
    # `beta` has been rounded to float32, and so has what snnTorch makes of R and C.
    size = float(expected.abs().max())
    assert torch.allclose(looped(neuron, current), expected, rtol=0, atol=2e-6 * size)


@pytest.mark.parametrize("given", [{"beta": 0.8}, {"R": 2.0, "C": 4.0}], ids=str)
def test_below_threshold_it_follows_lapicques_neuron(given):
    current = torch.rand(50, 20, generator=torch.Generator().manual_seed(0))
    expected = looped(snn.Lapicque(**given), current / 1000) * 1000
    current, expected = (part * (0.15 / expected.max()) for part in (current, expected))
    neuron = snnm.LapicqueMIF(**given)
    assert (neuron.sequence(current)[1] - expected).abs().max() < 0.02


def test_a_constant_input_settles_at_r_times_its_value():
    neuron = snnm.LapicqueMIF(R=0.5, C=20.0, reset_mechanism="none")
    assert neuron.sequence(torch.ones(200, 1))[1][-1] == pytest.approx(0.5, rel=1e-4)
    volts = neuron.amperes(1.0) / (neuron.circuit.leak() * neuron.circuit.c_mem)
    assert volts == pytest.approx(float(neuron.volts(0.5) - neuron.volts(0.0)), rel=1e-4)


def test_every_neuron_may_have_its_own_circuit():
    r, c = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([5.0, 2.0, 1.0])
    current = torch.rand(20, 2, 3)
    mem = snnm.LapicqueMIF(R=r, C=c).sequence(current)[1]
    for k in range(3):
        alone = snnm.LapicqueMIF(R=float(r[k]), C=float(c[k])).sequence(current[..., k])[1]
        assert torch.allclose(mem[..., k], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_beta_can_be_trained(engine):
    neuron = snnm.LapicqueMIF(0.8, R=2.0, learn_beta=True, engine=engine).double()
    current = torch.rand(2, 3, dtype=torch.float64)

    def membrane(beta):
        mem = torch.zeros(3, dtype=torch.float64)
        for now in current:
            _, mem = torch.func.functional_call(neuron, {"beta": beta}, (now, mem))
        return mem

    assert torch.autograd.gradcheck(membrane, torch.tensor(0.8).double().requires_grad_())
    assert [name for name, _ in neuron.named_parameters()] == ["beta"]


def test_tuples_and_resets_are_snntorchs():
    neuron = snnm.LapicqueMIF(0.9, init_hidden=True, output=True)
    net = nn.Sequential(nn.Linear(3, 3), neuron)
    _, mem = net(torch.rand(2, 3))
    assert mem is neuron.mem
    utils.reset(net)
    assert not neuron.mem.any()
    assert neuron.init_lapicque() is neuron.mem


def test_a_checkpoint_of_snntorchs_neuron_loads():
    neuron = snnm.LapicqueMIF(0.9)
    digital = snn.Lapicque(R=2.0, C=3.0, time_step=2, threshold=1.5)
    neuron.load_state_dict(digital.state_dict())
    current = torch.rand(10, 3)
    held = snnm.LapicqueMIF(R=2.0, C=3.0, time_step=2, threshold=1.5)
    assert torch.allclose(neuron.sequence(current)[1], held.sequence(current)[1])


REFUSED = {
    "nothing": ({}, "two of `beta`, `R` and `C`, but got none"),
    "R alone": ({"R": 1.0}, "but got R"),
    "C alone": ({"C": 1.0}, "but got C"),
    "all three": ({"beta": 0.9, "R": 1.0, "C": 9.5}, "but got beta and R and C"),
    "a step longer than R C": ({"R": 1.0, "C": 0.9}, "`R` `C` > `time_step`"),
    "small beta": ({"beta": 0.3}, "`beta` > 0.368"),
    "beta of 1": ({"beta": 1.0}, "`beta` in"),
    "negative R": ({"R": -1.0, "C": 1.0}, "`R` > 0"),
    "infinite C": ({"R": 1.0, "C": math.inf}, "`C` > 0 and finite"),
    "no step": ({"R": 1.0, "C": 1.0, "time_step": 0}, "`time_step` > 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_circuit_is_refused_in_a_sentence(case):
    given, sentence = REFUSED[case]
    with pytest.raises(ValueError, match=f"^Expected .*{sentence}"):
        snnm.LapicqueMIF(**given)
