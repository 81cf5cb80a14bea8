"""A network through time in one call is the loop."""

import pytest
import snntorch as snn
import torch
from torch import nn
from torch.testing import assert_close

import snntorch_memristive as snnm


def dense(**rram):
    cell = snnm.RRAM(**rram)
    return nn.Sequential(
        nn.Flatten(),
        snnm.RRAMLinear(12, 9, rram=cell),
        snnm.MIF(0.7, init_hidden=True),
        nn.Sequential(snnm.RRAMLinear(9, 5, rram=cell), snnm.MIF(0.8, init_hidden=True)),
        nn.Linear(5, 3),
        snnm.MIF(0.6, init_hidden=True, output=True),
    )


def convolutional():
    return nn.Sequential(
        snnm.RRAMConv2d(1, 3, 2),
        nn.BatchNorm2d(3),
        nn.MaxPool2d(2),
        snnm.MIF(0.7, init_hidden=True),
        nn.Flatten(),
        snn.Leaky(0.5, init_hidden=True),
        nn.Linear(3, 4),
        snnm.RMIF(0.5, linear_features=4, init_hidden=True),
    )


NETS = {
    "dense": dense,
    "levels": lambda: dense(levels=8),
    "read noise": lambda: dense(read_noise=0.1),
    "convolutional": convolutional,
}


def loop(net, x):
    steps = [net(current) for current in x]
    if isinstance(steps[0], tuple):
        return tuple(map(torch.stack, zip(*steps, strict=True)))
    return (torch.stack(steps),)


def as_tuple(record):
    return record if isinstance(record, tuple) else (record,)


@pytest.mark.parametrize("shown", ["a film", "one image"])
@pytest.mark.parametrize("name", NETS)
def test_run_equals_the_loop(name, shown):
    x = torch.rand(6, 5, 1, 3, 4) * 2
    if shown == "one image":
        x = x[:1].expand(x.shape)
    results = []
    for function in (loop, snnm.run):
        torch.manual_seed(0)
        net = NETS[name]()
        snnm.reset(net)
        torch.manual_seed(1)
        first, second = as_tuple(function(net, x[:4])), as_tuple(function(net, x[4:]))
        sum(part.square().sum() for part in (*first, *second)).backward()
        grads = {name: p.grad for name, p in net.named_parameters()}
        mems = [m.mem for m in net.modules() if isinstance(m, snn.SpikingNeuron)]
        results.append((first, second, mems, grads))
    assert as_tuple(results[1][0])[0].any()
    assert all(grad.any() for grad in results[1][3].values())
    if name == "read noise":  # is drawn at every read, in another order
        return
    for one, other in zip(*results, strict=True):
        assert_close(other, one, rtol=1e-4, atol=2e-5)


def test_a_layer_reads_an_image_that_stays_once():
    net, calls = nn.Sequential(nn.Linear(12, 9), snnm.MIF(0.8, init_hidden=True)), []
    linear = nn.functional.linear
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            nn.functional, "linear", lambda x, *args: calls.append(x.shape) or linear(x, *args)
        )
        snnm.run(net, torch.rand(5, 12).expand(6, 5, 12))
        snnm.run(net, torch.rand(6, 5, 12))
    assert [tuple(shape) for shape in calls] == [(5, 12), (30, 12)]


@pytest.mark.parametrize("noise", [{"read_noise": 0.1}, {"flicker": 0.1}])
def test_every_step_has_noise_of_its_own(noise):
    net = nn.Sequential(
        snnm.RRAMLinear(12, 9, rram=snnm.RRAM(**noise)), snnm.MIF(0.8, init_hidden=True)
    )
    mems = []
    net[1].register_forward_pre_hook(lambda module, args: mems.append(args[0]))
    snnm.run(net, torch.ones(5, 12).expand(6, 5, 12))
    assert len(mems) == 6
    assert not torch.equal(mems[0], mems[1])


def test_a_layer_with_a_hook_is_called_step_by_step():
    net, shapes = dense(), []
    snnm.reset(net)
    net[1].register_forward_hook(lambda *args: shapes.append(tuple(args[2].shape)))
    snnm.run(net, torch.rand(6, 5, 12))
    assert shapes == [(5, 9)] * 6


class Residual(nn.Sequential):
    def forward(self, input_):
        return input_ + super().forward(input_)


def test_what_is_not_plainly_sequential_is_stepped_through():
    twice = snnm.MIF(0.8, init_hidden=True)
    for net in (
        nn.Sequential(Residual(nn.Linear(5, 5)), snnm.MIF(0.8, init_hidden=True)),
        Residual(nn.Linear(5, 5), snnm.MIF(0.8, init_hidden=True)),
        nn.Sequential(nn.Linear(5, 5), twice, twice),
    ):
        for x in (torch.rand(6, 2, 5), torch.rand(6, 5)):
            snnm.reset(net)
            (expected,) = loop(net, x)
            snnm.reset(net)
            assert_close(snnm.run(net, x), expected, rtol=0, atol=1e-6)


def test_what_it_cannot_run_is_refused():
    with pytest.raises(TypeError, match=r"Expected an nn\.Sequential, but got Linear"):
        snnm.run(nn.Linear(2, 2), torch.rand(3, 2))
    with pytest.raises(ValueError, match="time"):
        snnm.run(dense(), torch.rand(0, 5, 12))


def test_a_neuron_in_between_that_returns_its_states_is_refused():
    net = nn.Sequential(snnm.MIF(0.9), nn.Linear(4, 3), snnm.MIF(0.9))
    with pytest.raises(ValueError, match="Expected one tensor for Linear, but the neuron before"):
        snnm.run(net, torch.rand(2, 5, 4))
