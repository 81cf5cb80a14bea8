"""snnTorch's own utilities, used for real on memristive networks."""

import matplotlib
import pytest
import snntorch as snn
import torch
from snntorch import backprop, surrogate, utils
from snntorch import functional as SF  # noqa: N812 (the name of every snnTorch tutorial)
from snntorch import spikeplot as splt
from snntorch.functional import probe, quant
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import snntorch_memristive as snnm

matplotlib.use("agg")

NUM_STEPS = 10


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def network(recurrent=False, spike="voltage"):
    """Two layers; the last sends ``spike``, by default what a loss on its spikes can train."""

    def neuron(features, **flags):
        if recurrent:
            return snnm.RMIF(0.8, linear_features=features, init_hidden=True, **flags)
        return snnm.MIF(0.8, init_hidden=True, **flags)

    last = neuron(3, output=True, spike=spike)
    return nn.Sequential(snnm.RRAMLinear(8, 16), neuron(16), snnm.RRAMLinear(16, 3), last)


def loader(n=96):
    """Three classes that differ in which inputs are strong."""
    labels = torch.arange(n) % 3
    x = torch.rand(n, 8) * 0.3
    for k in range(3):
        x[labels == k, 2 * k : 2 * k + 3] += 1.0
    return DataLoader(TensorDataset(x, labels), batch_size=32)


def record(net, x):
    utils.reset(net)
    steps = [net(x) for _ in range(NUM_STEPS)]
    return tuple(torch.stack(part) for part in zip(*steps, strict=True))


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize(("train", "k"), [(backprop.BPTT, None), (backprop.TBPTT, 5)])
def test_backprop_trains_the_network(train, k, recurrent):
    net, data = network(recurrent), loader()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    settings = {} if k is None else {"K": k}
    losses = [
        float(
            train(
                net,
                data,
                optimizer=optimizer,
                criterion=SF.ce_count_loss(),
                num_steps=NUM_STEPS,
                time_var=False,
                device="cpu",
                **settings,
            )
        )
        for _ in range(12)
    ]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    "loss",
    [
        SF.ce_rate_loss(),
        SF.ce_count_loss(),
        SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2),
        SF.ce_max_membrane_loss(),
    ],
    ids=lambda loss: loss.__name__,
)
def test_functional_losses_train_and_accuracy_follows(loss):
    net, data = network(), loader()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    on_membrane = "membrane" in loss.__name__
    for _ in range(20):
        for x, labels in data:
            spk, mem = record(net, x)
            value = loss(mem if on_membrane else spk, labels)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    spk, mem = record(net, x)
    assert SF.accuracy_rate(mem if on_membrane else spk, labels) > 0.9


def test_a_rate_loss_trains_a_binary_output_layer():
    net, data = network(spike="binary"), loader()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(20):
        for x, labels in data:
            value = SF.ce_rate_loss()(record(net, x)[0], labels)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    assert SF.accuracy_rate(record(net, x)[0], labels) > 0.9


@pytest.mark.parametrize("loss", [SF.mse_temporal_loss(), SF.ce_temporal_loss()], ids=["mse", "ce"])
def test_temporal_losses_read_exact_times_from_the_binary_output(loss):
    net = snnm.convert(
        nn.Sequential(nn.Linear(8, 3), snn.Leaky(0.8, init_hidden=True, output=True)),
        spike="binary",
    )
    x, labels = next(iter(loader()))
    spk, _ = record(net, 3 * x)
    value = loss(spk, labels)
    value.backward()
    assert torch.isfinite(value)
    assert net[0].weight.grad.abs().sum() > 0
    assert 0 <= SF.accuracy_temporal(spk, labels) <= 1


def test_rate_sparsity_is_a_sum_of_spikes_that_are_never_negative():
    spk, _ = record(network(spike="rectified"), next(iter(loader()))[0])
    assert SF.l1_rate_sparsity(Lambda=1.0)(spk) >= 0
    assert spk.min() >= 0


@pytest.mark.parametrize("attribute", ["mem", "x1", "v"])
def test_monitors_see_the_membrane_and_the_memristors(attribute):
    net = network()
    monitor = probe.AttributeMonitor(attribute, False, net, instance=snn.Leaky)
    outputs = probe.OutputMonitor(net, instance=snn.Leaky)
    record(net, torch.rand(4, 8))
    assert monitor.monitored_layers == outputs.monitored_layers == ["1", "3"]
    assert len(monitor["1"]) == NUM_STEPS
    assert monitor["1"][-1].shape == (4, 16)
    assert not torch.equal(monitor["1"][0], monitor["1"][-1])


def test_gradients_can_be_monitored():
    net = network()
    monitor = probe.GradOutputMonitor(net[:3], instance=snn.Leaky)
    record(net, torch.rand(4, 8))[0].sum().backward()
    assert len(monitor["1"]) == NUM_STEPS


def test_the_raster_of_a_resting_layer_is_empty_and_of_a_driven_one_is_not():
    _, ax = matplotlib.pyplot.subplots()
    neuron = snnm.MIF(0.9)
    rest = splt.raster(neuron.sequence(torch.zeros(200, 20))[0], ax, s=1)
    assert len(rest.get_offsets()) == 0
    spk, _ = neuron.sequence(torch.rand(50, 20))
    driven = splt.raster(spk, ax, s=1)
    assert len(driven.get_offsets()) == int((spk > 0).sum())


def test_traces_and_spike_counts_are_drawn():
    spk, mem = record(network(), torch.rand(4, 8))
    splt.traces(mem[:, 0].detach(), spk=spk[:, 0].detach(), dim=(1, 3))
    fig, ax = matplotlib.pyplot.subplots()
    splt.spike_count(spk[:, 0].detach(), fig, ax, labels=["a", "b", "c"], animate=False)


def test_quantised_states_of_snntorch_are_taken():
    neuron = snnm.MIF(0.9, state_quant=quant.state_quant(num_bits=8, uniform=True, threshold=1.0))
    _, mem = neuron.sequence(torch.rand(20, 200))
    assert len(mem.unique()) <= 2**8


def test_a_surrogate_of_snntorch_is_taken_and_does_nothing_by_default():
    plain, with_surrogate = snnm.MIF(0.9), snnm.MIF(0.9, spike_grad=surrogate.fast_sigmoid())
    input_ = torch.rand(10, 5)
    assert torch.equal(plain.sequence(input_)[0], with_surrogate.sequence(input_)[0])


def test_leaky_and_memristive_layers_mix_in_one_network():
    net = nn.Sequential(
        nn.Linear(8, 16), snn.Leaky(0.8, init_hidden=True), *list(network().children())[2:]
    )
    for _ in range(2):
        spk, _ = record(net, torch.rand(4, 8))
        spk.sum().backward()
    assert net[0].weight.grad.abs().sum() > 0
