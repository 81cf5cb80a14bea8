"""From a digital network to its memristive twin, and back to rest."""

import copy
import io
import warnings

import pytest
import snntorch as snn
import torch
from snntorch import surrogate
from torch import nn
from torch.testing import assert_close

from snntorch_memristive import (
    MIF,
    RMIF,
    RRAM,
    AlphaMIF,
    LapicqueMIF,
    RRAMConv2d,
    RRAMLinear,
    SynapticMIF,
    convert,
    reset,
)
from snntorch_memristive.circuits import AlphaMIFCircuit
from snntorch_memristive.crossbar import RRAMOneToOne


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def leaky(**settings) -> snn.Leaky:
    return snn.Leaky(**{"beta": 0.9, "init_hidden": True} | settings)


class Block(nn.Module):
    def __init__(self, layer: nn.Module, *rest: nn.Module):
        super().__init__()
        self.body = nn.Sequential(layer, *rest)

    def forward(self, input_):
        return self.body(input_)


class Net(nn.Module):
    """Convolution, batch norm, recurrence: Sequential inside Module inside ModuleList."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                Block(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), leaky()),
                Block(nn.Flatten(), nn.Linear(2 * 5 * 5, 6), leaky(beta=torch.rand(6))),
                Block(nn.Linear(6, 4), snn.RLeaky(0.8, linear_features=4, init_hidden=True)),
            ]
        )
        self.head = nn.Linear(4, 3, bias=False)
        self.out = snn.Leaky(beta=0.7, threshold=2.0)

    def forward(self, input_):
        mem = self.out.reset_mem()
        record = []
        for _ in range(3):
            x = input_
            for block in self.blocks:
                x = block(x)
            spk, mem = self.out(self.head(x), mem)
            record.append(spk)
        return torch.stack(record)


EXPECTED = {
    "blocks.0.body.0": RRAMConv2d,
    "blocks.0.body.1": nn.BatchNorm2d,
    "blocks.0.body.2": MIF,
    "blocks.1.body.1": RRAMLinear,
    "blocks.1.body.2": MIF,
    "blocks.2.body.0": RRAMLinear,
    "blocks.2.body.1": RMIF,
    "blocks.2.body.1.recurrent": RRAMLinear,
    "head": RRAMLinear,
    "out": MIF,
}


def assert_same_numbers(twin: nn.Module, digital: nn.Module) -> None:
    """Every parameter and buffer of ``digital`` has its equal in ``twin``."""
    for name, tensor in digital.state_dict().items():
        loaded = twin.state_dict()[name]
        assert_close(loaded, tensor, rtol=0, atol=0, check_dtype=False, msg=name)
    for name, parameter in digital.named_parameters():
        assert twin.get_parameter(name).dtype == parameter.dtype, name
        assert twin.get_parameter(name).requires_grad == parameter.requires_grad, name
    assert [n for n, _ in twin.named_parameters()] == [n for n, _ in digital.named_parameters()]


def test_every_layer_at_any_depth_is_replaced_and_runs():
    digital = Net()
    twin = convert(digital, rram=RRAM(levels=16))
    for name, kind in EXPECTED.items():
        assert type(twin.get_submodule(name)) is kind, name
    assert_same_numbers(twin, digital)
    for module in twin.modules():
        if isinstance(module, (RRAMLinear, RRAMConv2d)):
            assert module.rram == RRAM(levels=16)
    output = twin(torch.rand(2, 1, 5, 5))
    assert output.shape == (3, 2, 3)
    assert output.isfinite().all()


def test_the_twin_runs_in_the_usual_loop_without_a_warning():
    twin = convert(Net())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for batch in (4, 4, 2):  # the last batch of an epoch is often smaller
            reset(twin)
            twin(torch.rand(batch, 1, 5, 5)).sum().backward()


def test_what_stays_digital_is_listed():
    assert convert(Net()).left_digital == {"blocks.0.body.1": "BatchNorm2d"}
    net = nn.ModuleDict({"norm": nn.BatchNorm1d(3), "lstm": nn.LSTM(3, 3), "relu": nn.ReLU()})
    assert convert(net).left_digital == {"norm": "BatchNorm1d", "lstm": "LSTM"}
    assert convert(nn.Sequential(nn.Linear(3, 3), leaky())).left_digital == {}


def test_the_original_stays_as_it_is():
    digital = Net()
    kinds = [type(module) for module in digital.modules()]
    before = copy.deepcopy(digital.state_dict())
    twin = convert(digital)
    with torch.no_grad():
        for tensor in (*twin.parameters(), *twin.buffers()):
            tensor.zero_()
    assert [type(module) for module in digital.modules()] == kinds
    assert not hasattr(digital, "left_digital")
    assert_close(digital.state_dict(), before, rtol=0, atol=0)


def test_a_network_that_has_just_been_trained_is_converted():
    digital = nn.Sequential(nn.Linear(4, 3), leaky())
    reset(digital)
    digital(torch.rand(2, 4)).sum().backward()
    twin = convert(digital)
    assert_same_numbers(twin, digital)
    assert twin(torch.rand(2, 4)).shape == (2, 3)


def test_the_twin_can_be_saved_and_copied():
    twin = convert(nn.Sequential(nn.Linear(4, 3), leaky()))
    file = io.BytesIO()
    torch.save(twin, file)
    file.seek(0)
    input_ = torch.rand(2, 4)
    expected = twin(input_)
    for copied in (torch.load(file, weights_only=False), copy.deepcopy(twin)):
        reset(copied)
        assert torch.equal(copied(input_), expected)


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (nn.Linear(4, 3), RRAMLinear),
        (nn.Conv2d(4, 3, 2), RRAMConv2d),
        (snn.Leaky(beta=0.9), MIF),
        (snn.RLeaky(beta=0.9, linear_features=3), RMIF),
        (snn.RLeaky(beta=0.9, all_to_all=False), RMIF),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_single_layer_is_converted_whole(module, kind):
    twin = convert(module)
    assert type(twin) is kind
    assert twin.left_digital == {}
    assert_same_numbers(twin, module)


def test_the_twin_of_a_twin_is_a_copy():
    twin = convert(Net())
    again = convert(twin)
    assert again is not twin
    assert [type(module) for module in again.modules()] == [type(m) for m in twin.modules()]
    assert_same_numbers(again, twin)


# Neurons


def round_to_tenths(mem):
    return torch.round(mem * 10) / 10


SETTINGS = [
    {"beta": 0.5},
    {"beta": torch.tensor([0.2, 0.5, 0.9])},
    {"beta": 0.5, "learn_beta": True},
    {"beta": torch.tensor([0.2, 0.5, 0.9]), "learn_beta": True},
    {"threshold": 0.3},
    {"threshold": torch.tensor([0.5, 1.0, 1.5])},
    {"threshold": 2.0, "learn_threshold": True},
    {"graded_spikes_factor": 0.5},
    {"graded_spikes_factor": 2.0, "learn_graded_spikes_factor": True},
    {"reset_mechanism": "zero"},
    {"reset_mechanism": "none"},
    {"init_hidden": False},
    {"output": True},
    {"reset_delay": False},
    {"state_quant": round_to_tenths},
    {"spike_grad": surrogate.fast_sigmoid()},
    {"surrogate_disable": True},
]

FLAGS = (
    "init_hidden",
    "inhibition",
    "output",
    "reset_delay",
    "reset_mechanism",
    "state_quant",
    "surrogate_disable",
)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: " ".join(s))
def test_a_leaky_neuron_keeps_its_settings(settings):
    digital = leaky(**settings)
    twin = convert(nn.Sequential(digital))[0]
    assert type(twin) is MIF
    assert_same_numbers(twin, digital)
    for flag in FLAGS:
        assert getattr(twin, flag) == getattr(digital, flag), flag
    ours, theirs = (neuron(torch.rand(2, 3)) for neuron in (twin, digital))
    assert type(ours) is type(theirs)


def test_inhibition_is_kept():
    with pytest.warns(UserWarning, match="Inhibition"):
        digital = leaky(inhibition=True)
    with pytest.warns(UserWarning, match="Inhibition"):
        twin = convert(digital)
    assert twin.inhibition
    assert (torch.count_nonzero(twin(torch.rand(4, 3) + 1), dim=1) == 1).all()


def test_a_surrogate_of_the_digital_neuron_serves_the_binary_spike():
    digital = leaky(spike_grad=surrogate.fast_sigmoid(slope=2))
    binary, voltage = convert(digital, spike="binary"), convert(digital, spike="voltage")
    input_ = torch.full((1, 1), 0.9, requires_grad=True)
    spk, u = binary(input_), voltage(input_)
    (slope,) = torch.autograd.grad(spk, input_)
    (slope_of_u,) = torch.autograd.grad(u, input_)
    assert spk in (0, 1)
    assert_close(slope, slope_of_u / (1 + 2 * (u.detach() - 1).abs()) ** 2)


OTHERS = [
    (snn.Synaptic(0.9, 0.8, threshold=2.0, reset_delay=False), SynapticMIF),
    (snn.Synaptic(torch.rand(3), 1.0, learn_alpha=True, learn_beta=True), SynapticMIF),
    (snn.Synaptic(0.9, 0.8, init_hidden=True, output=True), SynapticMIF),
    (snn.Alpha(0.9, 0.8, reset_mechanism="none"), AlphaMIF),
    (snn.Alpha(0.9, torch.tensor([0.1, 0.8, 0.5]), learn_threshold=True), AlphaMIF),
    (snn.Lapicque(beta=0.9, reset_mechanism="zero"), LapicqueMIF),
    (snn.Lapicque(R=5.1, C=5e-3, time_step=1e-3, init_hidden=True), LapicqueMIF),
]


@pytest.mark.parametrize(("digital", "kind"), OTHERS)
def test_every_other_neuron_keeps_its_settings_and_its_tuple(digital, kind):
    twin = convert(nn.Sequential(digital))[0]
    assert type(twin) is kind
    numbers, expected = twin.state_dict(), digital.state_dict()
    for name, tensor in expected.items():
        held = tensor.clamp(max=1 - 1e-6) if name in ("alpha", "beta") else tensor
        assert_close(numbers[name].reshape(tensor.shape), held, check_dtype=False, msg=name)
        learned = name in dict(digital.named_parameters())
        assert (name in dict(twin.named_parameters())) == learned, name
    for flag in FLAGS:
        assert getattr(twin, flag, None) == getattr(digital, flag, None), flag
    ours, theirs = (neuron(torch.rand(2, 3)) for neuron in (twin, digital))
    assert type(ours) is type(theirs)
    assert len(ours) == len(theirs)


def test_a_circuit_that_fits_no_synapse_is_refused():
    with pytest.raises(TypeError, match="Expected `circuit` to be a MIFCircuit"):
        convert(snn.Synaptic(0.9, 0.8), circuit=AlphaMIFCircuit())


RECURRENCES = {
    "linear": ({"linear_features": 4}, (4,), RRAMLinear),
    "conv": ({"conv2d_channels": 2, "kernel_size": 3}, (2, 5, 6), RRAMConv2d),
    "wide conv": ({"conv2d_channels": 2, "kernel_size": (3, 5)}, (2, 5, 6), RRAMConv2d),
    "one shared weight": ({"all_to_all": False, "V": 0.5}, (4,), RRAMOneToOne),
    "one to one": ({"all_to_all": False, "V": torch.rand(4)}, (4,), RRAMOneToOne),
}


@pytest.mark.parametrize("learn_recurrent", [True, False])
@pytest.mark.parametrize("name", RECURRENCES)
def test_a_recurrent_neuron_keeps_its_recurrence(name, learn_recurrent):
    settings, shape, kind = RECURRENCES[name]
    digital = snn.RLeaky(beta=0.9, learn_recurrent=learn_recurrent, init_hidden=True, **settings)
    twin = convert(nn.Sequential(digital))[0]
    assert type(twin) is RMIF
    assert type(twin.recurrent) is kind
    assert twin.learn_recurrent == learn_recurrent
    assert_same_numbers(twin, digital)
    fed_back = torch.rand(2, *shape)
    assert_close(twin.recurrent(fed_back), digital.recurrent(fed_back))
    for _ in range(2):
        assert twin(torch.rand(2, *shape)).shape == (2, *shape)


@pytest.mark.parametrize("learn_recurrent", [True, False])
@pytest.mark.parametrize("name", RECURRENCES)
def test_a_recurrent_neuron_loads_the_checkpoint_of_its_digital_twin(name, learn_recurrent):
    settings, shape, _ = RECURRENCES[name]
    settings = {"beta": 0.9, "learn_recurrent": learn_recurrent, **settings}
    neuron, digital = RMIF(**settings), snn.RLeaky(**settings)
    trained = {k: v * 0.5 if v.is_floating_point() else v for k, v in digital.state_dict().items()}
    digital.load_state_dict(trained)
    neuron.load_state_dict(trained, strict=True)
    fed_back = torch.rand(2, *shape)
    assert_close(neuron.recurrent(fed_back), digital.recurrent(fed_back))
    again = RMIF(**settings)
    again.load_state_dict(neuron.state_dict(), strict=True)
    assert_same_numbers(again, neuron)


def test_circuit_and_settings_reach_every_neuron():
    twin = convert(Net(), circuit=AlphaMIFCircuit(), dt=2e-6, substeps=1, solver="symmetric")
    neurons = [module for module in twin.modules() if isinstance(module, (MIF, RMIF))]
    assert len(neurons) == 4
    for neuron in neurons:
        assert type(neuron.circuit) is AlphaMIFCircuit
        assert (neuron.dt, neuron.substeps, neuron.solver) == (2e-6, 1, "symmetric")


class MyLeaky(snn.Leaky):
    """What a subclass adds would be lost."""


class MyLinear(nn.Linear):
    """As above."""


@pytest.mark.parametrize(
    "neuron",
    [
        snn.RSynaptic(alpha=0.8, beta=0.9, linear_features=3, init_hidden=True),
        MyLeaky(beta=0.9, init_hidden=True),
    ],
    ids=lambda neuron: type(neuron).__name__,
)
def test_a_neuron_without_a_twin_is_left_with_a_warning(neuron):
    net = nn.Sequential(nn.Linear(3, 3), Block(nn.Linear(3, 3), neuron))
    with pytest.warns(UserWarning, match=r"Left digital, .* no memristive twin: 1\.body\.1\."):
        twin = convert(net)
    assert type(twin[1].body[1]) is type(neuron)
    assert twin.left_digital == {"1.body.1": type(neuron).__name__}
    assert twin(torch.rand(2, 3)).shape == (2, 3)


def test_a_network_with_a_twin_for_every_neuron_is_converted_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        convert(Net())


def test_a_subclass_of_a_layer_is_left_alone_and_listed():
    twin = convert(nn.Sequential(MyLinear(3, 3)))
    assert type(twin[0]) is MyLinear
    assert twin.left_digital == {"0": "MyLinear"}


# Sharing


def test_a_shared_module_stays_shared():
    layer, neuron = nn.Linear(4, 4), leaky()
    twin = convert(nn.ModuleList([layer, Block(layer, neuron), neuron]))
    assert twin[0] is twin[1].body[0]
    assert twin[2] is twin[1].body[1]
    assert type(twin[0]) is RRAMLinear
    assert len(list(twin.parameters())) == 2


def test_tied_weights_stay_tied():
    encoder, decoder = nn.Linear(4, 4), nn.Linear(4, 4)
    decoder.weight = encoder.weight
    recurrent = snn.RLeaky(beta=0.9, linear_features=4)
    other = snn.RLeaky(beta=0.9, linear_features=4)
    other.recurrent.weight = recurrent.recurrent.weight
    twin = convert(nn.ModuleList([encoder, decoder, recurrent, other]))
    assert twin[0].weight is twin[1].weight
    assert twin[2].recurrent.weight is twin[3].recurrent.weight


# Mode, precision, checkpoints


def test_the_mode_of_every_module_is_kept():
    digital = Net().train()
    digital.blocks[0].eval()
    digital.out.eval()
    twin = convert(digital)
    for name, module in digital.named_modules():
        assert twin.get_submodule(name).training == module.training, name
    assert twin.blocks[2].body[1].recurrent.training
    assert not any(module.training for module in convert(digital.eval()).modules())


def test_frozen_weights_stay_frozen():
    digital = nn.Sequential(nn.Linear(4, 3), snn.RLeaky(beta=0.9, linear_features=3))
    for frozen in (digital[0].weight, digital[1].recurrent.bias):
        frozen.requires_grad_(False)
    assert_same_numbers(convert(digital), digital)


def test_precision_is_kept():
    digital = nn.Sequential(
        nn.Linear(4, 3), snn.RLeaky(beta=0.9, linear_features=3, init_hidden=True)
    ).double()
    twin = convert(digital)
    assert_same_numbers(twin, digital)
    assert twin(torch.rand(2, 4, dtype=torch.float64)).dtype == torch.float64
    assert {parameter.dtype for parameter in twin.parameters()} == {torch.float64}


def test_a_checkpoint_of_the_digital_network_loads_into_the_twin():
    digital, twin = Net(), convert(Net(), rram=RRAM(spread=0.1))
    with torch.no_grad():
        digital.out.beta.fill_(0.3)
        digital.out.threshold.fill_(0.4)
        digital.blocks[1].body[2].beta.uniform_(0.2, 0.8)
    assert not torch.equal(twin.head.weight, digital.head.weight)
    twin.load_state_dict(digital.state_dict(), strict=True)
    assert_same_numbers(twin, digital)
    assert twin(torch.rand(2, 1, 5, 5)).isfinite().all()


# reset


def hidden(net: nn.Module) -> list[torch.Tensor]:
    """Membranes, and the memristor states of the neurons that have them."""
    neurons = [module for module in net.modules() if isinstance(module, snn.SpikingNeuron)]
    states = [neuron.mem for neuron in neurons]
    for neuron in neurons:
        if isinstance(neuron, MIF):
            at_rest = neuron.states(torch.zeros_like(neuron.mem))
            states += [state - at_rest[name] for name, state in neuron.states().items()]
    return [state.detach().clone() for state in states]


@pytest.mark.parametrize("make", [Net, lambda: convert(Net())], ids=["digital", "twin"])
def test_reset_returns_every_neuron_of_a_network_to_rest_and_no_other(make):
    net, other = make(), make()
    for one in (net, other):
        one(torch.rand(2, 1, 5, 5) * 5)
        assert all(state.any() for state in hidden(one)[:2])
    before = hidden(other)
    reset(net)
    for state in hidden(net):
        assert_close(state, torch.zeros_like(state), rtol=0, atol=1e-7)
    assert_close(hidden(other), before, rtol=0, atol=0)


def test_reset_forgets_the_spikes_that_a_recurrent_neuron_feeds_back():
    neuron = RMIF(beta=0.9, linear_features=3, init_hidden=True)
    input_ = torch.rand(2, 3) * 3
    first = neuron(input_)
    assert not torch.equal(neuron(input_), first)
    reset(neuron)
    assert torch.equal(neuron(input_), first)


def test_reset_between_batches_lets_training_go_on():
    net = convert(Net())
    for _ in range(2):
        reset(net)
        net(torch.rand(2, 1, 5, 5)).sum().backward()
    assert net.head.weight.grad.isfinite().all()
