"""Driver gains from data."""

import copy

import pytest
import snntorch as snn
import torch
from torch import nn
from torch.testing import assert_close

from snntorch_memristive import MIF, RMIF, RRAMLinear, calibrate

NUM_STEPS = 5
TARGET = 0.1


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def silent(layer: nn.Module) -> nn.Module:
    """``layer`` with weights so small that the neurons behind it send nothing."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(0.005)
    return layer


def stepwise_net() -> nn.Sequential:
    """One call is one time step."""
    return nn.Sequential(
        silent(RRAMLinear(10, 20)),
        MIF(beta=0.9, init_hidden=True),
        silent(RRAMLinear(20, 20)),
        silent(RMIF(beta=0.9, linear_features=20, init_hidden=True)),
        silent(RRAMLinear(20, 5)),
        MIF(beta=0.8, init_hidden=True, graded_spikes_factor=3.0),
    )


class LoopingNet(nn.Module):
    """One call is one whole sequence."""

    def __init__(self):
        super().__init__()
        self.fc = nn.ModuleList([silent(RRAMLinear(10, 20)), silent(RRAMLinear(20, 5))])
        self.mif = nn.ModuleList([MIF(beta=0.9), MIF(beta=0.9)])

    def forward(self, input_):
        mems = [mif.reset_mem() for mif in self.mif]
        record = []
        for _ in range(NUM_STEPS):
            x = input_
            for i, (fc, mif) in enumerate(zip(self.fc, self.mif, strict=True)):
                x, mems[i] = mif(fc(x), mems[i])
            record.append(x)
        return torch.stack(record)


@torch.no_grad()
def spikes(net: nn.Module, batch: torch.Tensor, num_steps: int) -> dict[str, torch.Tensor]:
    """What every neuron layer sends over a sequence, between 0 and 1, by name."""
    record = {}
    hooks = []
    for name, module in net.named_modules():
        if isinstance(module, (MIF, RMIF)):

            def keep(neuron, _, output, name=name):
                spk = output[0] if isinstance(output, tuple) else output
                record.setdefault(name, []).append(spk / neuron.graded_spikes_factor)

            hooks.append(module.register_forward_hook(keep))
    for _ in range(num_steps):
        net(batch)
    for hook in hooks:
        hook.remove()
    return {name: torch.stack(sent) for name, sent in record.items()}


NETS = {"one call per step": (stepwise_net, NUM_STEPS), "one call per sequence": (LoopingNet, None)}


@pytest.mark.parametrize("target", [0.05, TARGET, 0.2])
@pytest.mark.parametrize("name", NETS)
def test_every_layer_of_a_silent_network_becomes_active_near_the_target(name, target):
    make, num_steps = NETS[name]
    net, batch = make(), torch.rand(16, 10)
    silence = spikes(net, batch, num_steps or 1)
    assert not any(sent.any() for sent in silence.values())
    reached = calibrate(net, batch, num_steps, target)
    active = spikes(net, batch, num_steps or 1)
    assert list(reached) == list(silence)
    for layer, sent in active.items():
        assert float(sent.mean()) == pytest.approx(target, rel=0.1), layer
        assert reached[layer] == pytest.approx(float(sent.mean()), rel=1e-5)
        assert net.get_submodule(layer).gain > 1


@pytest.mark.parametrize("name", NETS)
def test_after_calibration_every_layer_has_a_gradient(name):
    make, num_steps = NETS[name]
    net, batch = make(), torch.rand(16, 10)
    calibrate(net, batch, num_steps)
    sum(net(batch).sum() for _ in range(num_steps or 1)).backward()
    for layer, parameter in net.named_parameters():
        assert parameter.grad is not None, layer
        assert parameter.grad.any(), layer
        assert parameter.grad.isfinite().all(), layer


def test_calibration_also_quietens_a_layer_that_is_too_loud():
    net = nn.Sequential(RRAMLinear(10, 20), MIF(beta=0.9, init_hidden=True))
    with torch.no_grad():
        net[0].weight.abs_().mul_(20)
    batch = torch.rand(16, 10)
    reached = calibrate(net, batch, NUM_STEPS, TARGET)
    assert reached["1"] == pytest.approx(TARGET, rel=0.1)
    assert net[1].gain < 1


def test_calibration_changes_nothing_but_the_gains():
    net = nn.Sequential(
        silent(RRAMLinear(10, 20)), nn.BatchNorm1d(20), MIF(beta=0.9, init_hidden=True)
    )
    before = copy.deepcopy(net.state_dict())
    calibrate(net, torch.rand(16, 10), NUM_STEPS)
    after = net.state_dict()
    assert after.pop("2.gain") != before.pop("2.gain")
    assert_close(after, before, rtol=0, atol=0)
    assert net.training
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert not net[2].mem.any()
    assert not net[2]._forward_hooks


def test_a_layer_that_cannot_be_brought_there_keeps_its_gain():
    net = nn.Sequential(RRAMLinear(10, 20), MIF(beta=0.9, init_hidden=True))
    with torch.no_grad():
        net[0].weight.abs_().neg_()  # nothing drives it upwards
        net[0].bias.zero_()
        net[1].gain.fill_(0.7)
    with pytest.warns(
        UserWarning, match="'1' could only be brought to 0, .* gain was left"
    ) as seen:
        calibrate(net, torch.rand(16, 10), NUM_STEPS, TARGET)
    assert float(net[1].gain) == pytest.approx(0.7)
    assert seen[0].filename == __file__


def test_a_layer_that_sends_its_membrane_is_left_alone():
    net = stepwise_net()
    net[-1].spike = "voltage"
    reached = calibrate(net, torch.rand(16, 10), NUM_STEPS, TARGET)
    assert list(reached) == ["1", "3"]
    assert net[-1].gain == 1


class Interrupted(nn.Sequential):
    """Stops at its 20th call: the first layer has been set by then, the second not yet."""

    calls = 0

    def forward(self, input_):
        self.calls += 1
        if self.calls == 20:
            raise KeyboardInterrupt
        return super().forward(input_)


def test_an_interrupted_calibration_restores_the_gains():
    net = Interrupted(*stepwise_net())
    with torch.no_grad():
        net[1].gain.fill_(0.7)
    with pytest.raises(KeyboardInterrupt):
        calibrate(net, torch.rand(16, 10))
    assert [float(net[i].gain) for i in (1, 3, 5)] == pytest.approx([0.7, 1.0, 1.0])
    assert not net[1]._forward_hooks


@pytest.mark.parametrize("target", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_an_impossible_target_is_refused(target):
    with pytest.raises(ValueError, match=rf"Expected `target` between 0 and 1, but got {target}"):
        calibrate(stepwise_net(), torch.rand(16, 10), target=target)


@pytest.mark.parametrize(
    "net",
    [nn.Linear(10, 5), nn.Sequential(nn.Linear(10, 5), snn.Leaky(beta=0.9, init_hidden=True))],
    ids=["no neuron", "digital neuron"],
)
def test_a_network_without_memristive_neurons_is_refused(net):
    with pytest.raises(ValueError, match="Expected a network in which memristive neurons send"):
        calibrate(net, torch.rand(16, 10))
