"""The gradient is the derivative of what was computed, and it reaches every layer."""

import pathlib
import re

import pytest
import torch
from torch import nn
from torch.func import functional_call

import snntorch_memristive as snnm

NUM_STEPS = 25


class TwoLayers(nn.Module):
    """Two layers over 25 steps in the plain loop; returns one number."""

    def __init__(self, **settings):
        super().__init__()
        self.fc1, self.mif1 = snnm.RRAMLinear(3, 4), snnm.MIF(0.9, **settings)
        self.fc2, self.mif2 = snnm.RRAMLinear(4, 2), snnm.MIF(0.8, **settings)

    def forward(self, x):
        mem1, mem2, total = torch.zeros(2, 4).to(x), torch.zeros(2, 2).to(x), 0
        for step in range(NUM_STEPS):
            spk1, mem1 = self.mif1(self.fc1(x[step]), mem1)
            spk2, mem2 = self.mif2(self.fc2(spk1), mem2)
            total = total + (spk2 * (1 + step)).sum() + mem2.square().sum()
        return total


def central_difference(net, parameters, name, index, x, h=1e-6):
    values = []
    for sign in (1, -1):
        moved = {n: p.detach().clone() for n, p in parameters.items()}
        moved[name].view(-1)[index] += sign * h
        values.append(functional_call(net, moved, (x,)))
    return float(values[0] - values[1]) / (2 * h)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"substeps": 1},
        {"solver": "symmetric"},
        {"spike": "voltage"},
        {"learn_beta": True, "learn_threshold": True, "learn_graded_spikes_factor": True},
        {"learn_device": ("tau", "r_on", "v_on", "e2")},
        {"circuit": snnm.circuits.AlphaMIFCircuit(tau_alpha=5e-6)},
    ],
    ids=str,
)
def test_the_gradient_of_two_layers_equals_central_differences(settings):
    torch.manual_seed(0)
    net = TwoLayers(**settings).double()
    x = 2 * torch.rand(NUM_STEPS, 2, 3, dtype=torch.float64)
    net(x).backward()
    parameters = dict(net.named_parameters())
    compared = 0
    with torch.no_grad():
        for name, parameter in parameters.items():
            scale = float(parameter.grad.abs().max())
            assert scale > 0, f"no gradient reaches {name}"
            for index in range(min(parameter.numel(), 3)):
                expected = central_difference(net, parameters, name, index, x)
                error = abs(float(parameter.grad.view(-1)[index]) - expected)
                assert error <= 1e-6 * max(abs(expected), scale), (name, index, expected)
                compared += 1
    assert compared >= 11


@pytest.mark.parametrize("solver", snnm.solvers.SOLVERS)
def test_gradcheck_of_the_neuron_and_its_states(solver):
    neuron = snnm.MIF(0.9, solver=solver).double()

    def two_steps(input_, mem):
        _, mem = neuron(input_, mem)
        spk, mem = neuron(input_, mem)
        return spk, mem, neuron.states(mem)["x1"]

    torch.manual_seed(0)
    inputs = [torch.rand(3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    torch.autograd.gradcheck(two_steps, inputs)


def test_no_hand_written_gradient_in_the_package_and_one_surrogate_for_binary():
    package = pathlib.Path(snnm.__file__).parent
    # The engine derives its own (test_engine), a linear circuit has its adjoint (test_wires), and a
    # mapping that is kept passes on what autograd gave it (test_crossbar).
    own = ("wires.py", "written.py")
    files = [f for f in package.rglob("*.py") if f.parent.name != "engine" and f.name not in own]
    text = "".join(file.read_text() for file in files)
    assert not re.search(r"autograd\.Function|register_hook", text)
    (line,) = re.findall(r".*surrogate\.\w+\(.*", text)
    assert "binary(" in line


def test_only_the_binary_output_calls_spike_grad():
    def called(_):
        raise AssertionError("the surrogate was called")

    for spike in ("rectified", "voltage"):
        snnm.MIF(0.9, spike_grad=called, spike=spike)(torch.ones(3))
    with pytest.raises(AssertionError, match="surrogate was called"):
        snnm.MIF(0.9, spike_grad=called, spike="binary")(torch.ones(3))


@pytest.mark.parametrize("strength", [1e2, 1e4, 1e6, -1e6])
@pytest.mark.parametrize("solver", ["exponential", "symmetric"])
@pytest.mark.parametrize("spike", ["rectified", "voltage"])
def test_huge_inputs_give_finite_states_and_finite_gradients(strength, solver, spike):
    neuron = snnm.MIF(0.9, solver=solver, spike=spike, learn_beta=True, learn_threshold=True)
    input_ = torch.linspace(0, 1, 50).requires_grad_()
    spk, mem = neuron.sequence((strength * input_).repeat(20, 1))
    (spk.sum() + mem.sum()).backward()
    for values in (spk, mem, input_.grad, neuron.beta.grad, neuron.threshold.grad):
        assert torch.isfinite(values).all()
    for name in ("x1", "x2"):
        state = neuron.states()[name]
        assert (state >= 0).all()
        assert (state <= 1 + 1e-6).all()


def dense(n_hidden):
    layers = [nn.Flatten(), nn.Linear(784, 256), _leaky()]
    for _ in range(n_hidden - 1):
        layers += [nn.Linear(256, 256), _leaky()]
    return nn.Sequential(*layers, nn.Linear(256, 10), _leaky())


def convolutional(normalised):
    def block(channels_in, channels_out):
        norm = [nn.BatchNorm2d(channels_out)] if normalised else []
        conv = nn.Conv2d(channels_in, channels_out, 5)
        return [conv, *norm, nn.MaxPool2d(2), _leaky()]

    head = [nn.Flatten(), nn.Linear(64 * 4 * 4, 10), _leaky()]
    return nn.Sequential(*block(1, 12), *block(12, 64), *head)


def _leaky():
    import snntorch as snn

    return snn.Leaky(beta=0.5, init_hidden=True)


NETWORKS = {
    "784-256-256-256-10": lambda: dense(3),
    "conv-conv-dense": lambda: convolutional(normalised=False),
    "conv-conv-dense with BatchNorm": lambda: convolutional(normalised=True),
}


@pytest.mark.parametrize("num_steps", [5, 10, 25])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_has_a_gradient_on_the_first_batch(name, num_steps, mnist_batch):
    torch.manual_seed(0)
    images, labels = mnist_batch
    net = snnm.convert(NETWORKS[name]())
    record = torch.stack([net(images) for _ in range(num_steps)])
    nn.functional.cross_entropy(record.sum(0), labels).backward()
    for parameter_name, parameter in net.named_parameters():
        if parameter_name.endswith("weight"):
            assert torch.isfinite(parameter.grad).all(), parameter_name
            assert parameter.grad.abs().max() > 1e-5, parameter_name


class TestSilentLayer:
    """A layer that sends nothing over a whole sequence says so, once."""

    @staticmethod
    def sequence(neuron, strength):
        neuron.reset_mem()
        for _ in range(5):
            neuron(torch.full((2, 3), strength))

    def test_it_warns_once_and_names_the_remedy(self):
        neuron = snnm.MIF(0.9)
        self.sequence(neuron, 0.0)
        with pytest.warns(snnm.SilentLayerWarning, match=r"5 steps.*calibrate\(net, batch\)"):
            self.sequence(neuron, 0.0)

    def test_it_does_not_warn_again(self, recwarn):
        neuron = snnm.MIF(0.9)
        for _ in range(4):
            neuron.train()
            self.sequence(neuron, 0.0)
        assert len([w for w in recwarn if w.category is snnm.SilentLayerWarning]) == 1

    @pytest.mark.parametrize("case", ["active", "evaluation", "no_grad"])
    def test_it_is_quiet_when_there_is_no_reason(self, case, recwarn):
        neuron = snnm.MIF(0.9).train(case != "evaluation")
        with torch.set_grad_enabled(case != "no_grad"):
            for _ in range(3):
                self.sequence(neuron, 1.0 if case == "active" else 0.0)
        assert not recwarn.list
