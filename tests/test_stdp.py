"""snnTorch's STDPLearner on crossbars and memristive neurons."""

import pathlib

import pytest
import torch
from snntorch.functional.stdp_learner import STDPLearner
from torch import nn
from torch.testing import assert_close

import snntorch_memristive as snnm

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"

TAU = 4.0
UP, DOWN = 0.02, 0.01


def learner_of(spike="binary", rram=None):
    """Two inputs that fire a neuron alone, or hardly matter to it, and their learner."""
    fc = snnm.RRAMLinear(2, 1, bias=False, rram=rram or snnm.RRAM())
    neuron = snnm.MIF(0.5, spike=spike, init_hidden=True)
    with torch.no_grad():
        fc.weight.copy_(torch.tensor([[3.0, 0.1]]))
    learner = STDPLearner(fc, neuron, TAU, TAU, lambda w: DOWN, lambda w: UP)
    return nn.Sequential(fc, neuron), learner


def present(net, *steps):
    with torch.no_grad():
        return torch.stack([net(torch.tensor([step])) for step in steps])


DRIVE, TEST, BOTH, NONE = (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0)


def test_an_input_before_the_spike_gains_and_one_after_it_loses():
    net, learner = learner_of()
    spk = present(net, TEST, DRIVE, NONE, NONE, NONE, NONE)
    assert spk[:2].flatten().tolist() == [0.0, 1.0]
    assert learner.step(on_grad=False)[0, 1] > 0

    net, learner = learner_of()
    spk = present(net, DRIVE, NONE, NONE, NONE, NONE, TEST)
    assert spk[[0, 5]].flatten().tolist() == [1.0, 0.0]
    assert learner.step(on_grad=False)[0, 1] < 0


def test_an_input_nearer_to_the_spike_changes_more():
    changes = []
    for wait in (0, 2, 4):
        net, learner = learner_of()
        present(net, TEST, *[NONE] * wait, DRIVE, NONE, NONE)
        changes.append(learner.step(on_grad=False)[0, 1].item())
    assert changes[0] > changes[1] > changes[2] > 0


@pytest.mark.parametrize("spike", ["binary", "rectified"])
def test_traces_take_a_spike_by_its_height(spike):
    net, learner = learner_of(spike)
    steps = [TEST, DRIVE, BOTH, NONE, TEST, NONE]
    spk = present(net, *steps)[:, 0]
    change, pre, post = torch.zeros(1, 2), torch.zeros(2), torch.zeros(1)
    for step, out in zip(torch.tensor(steps), spk, strict=True):
        pre, post = pre * (1 - 1 / TAU) + step, post * (1 - 1 / TAU) + out
        change += UP * out[:, None] * pre - DOWN * post[:, None] * step
    assert_close(learner.step(on_grad=False), change)
    is_analog = bool(((spk > 0) & (spk < 1)).any())
    assert is_analog == (spike == "rectified")


def test_the_change_reaches_the_cells_through_an_optimizer():
    rram = snnm.RRAM(levels=64, spread=0.05)
    net, learner = learner_of(rram=rram)
    optimizer = torch.optim.SGD([net[0].weight], lr=50.0)
    before = net[0].conductances().clone()
    present(net, TEST, DRIVE, NONE)
    learner.step(on_grad=True)
    optimizer.step()
    after = net[0].conductances()
    assert after[0, 0, 1] > before[0, 0, 1]


def test_recurrent_neurons_work_too():
    fc, neuron = snnm.RRAMLinear(2, 3), snnm.RMIF(linear_features=3, init_hidden=True)
    learner = STDPLearner(fc, neuron, TAU, TAU)
    present(nn.Sequential(fc, neuron), DRIVE, BOTH, NONE)
    assert learner.step(on_grad=False).shape == (3, 2)


@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
def test_a_crossbar_learns_four_patterns_by_itself(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import stdp

    torch.manual_seed(10)  # none of the benchmark's own
    rram = snnm.RRAM(levels=64)
    net = stdp.network(rram)
    assert stdp.recognised(net, flips=0.05) < 0.8
    stdp.learn(net, stdp.draw(150, flips=0.05)[0])
    assert stdp.recognised(net, flips=0.05) > 0.95
    g = net[0].conductances()
    assert rram.g_off * (1 - 1e-6) <= g.min()
    assert g.max() <= rram.g_on * (1 + 1e-6)
