"""The neurons and layers under torch's own machinery."""

import copy
import os
import socket

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

import snntorch_memristive as snnm
from snntorch_memristive.crossbar import Array

NUM_STEPS = 3


class Net(nn.Module):
    """The usual explicit loop."""

    def __init__(self, **settings):
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.mif1 = snnm.RRAMLinear(5, 8), snnm.MIF(0.9, **settings)
        self.fc2, self.mif2 = snnm.RRAMLinear(8, 3), snnm.RMIF(0.9, linear_features=3, **settings)

    def forward(self, x):
        mem1 = torch.zeros(len(x), 8)
        spk2, mem2 = torch.zeros(len(x), 3), torch.zeros(len(x), 3)
        record = []
        for _ in range(NUM_STEPS):
            spk1, mem1 = self.mif1(self.fc1(x), mem1)
            spk2, mem2 = self.mif2(self.fc2(spk1), spk2, mem2)
            record.append(mem2)
        return torch.stack(record)


def images(n=4, seed=0):
    return 3 * torch.rand(n, 5, generator=torch.Generator().manual_seed(seed))


def gradients(net):
    return [parameter.grad.clone() for parameter in net.parameters()]


SETTINGS = [
    {},
    {"solver": "symmetric", "substeps": 2},
    {"learn_beta": True, "learn_threshold": True, "learn_device": ("tau",)},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_whole_loop_compiles_into_one_graph(settings):
    eager, net = Net(**settings), Net(**settings)
    expected = eager(images())
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")(images())
    assert torch.allclose(compiled, expected, atol=1e-6)
    expected.sum().backward()
    compiled.sum().backward()
    for ours, theirs in zip(gradients(net), gradients(eager), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("hidden", [True, False])
def test_one_step_compiles_into_one_graph_and_keeps_the_states(hidden):
    eager, neuron = (snnm.MIF(0.9, init_hidden=hidden, output=True) for _ in range(2))
    compiled = torch.compile(neuron, fullgraph=True, backend="aot_eager")
    mem = expected = torch.zeros(4, 5)
    for _ in range(NUM_STEPS):
        _, mem = compiled(images()) if hidden else compiled(images(), mem)
        _, expected = eager(images()) if hidden else eager(images(), expected)
        assert torch.allclose(mem, expected, atol=1e-6)


def test_a_compiled_step_keeps_the_states_through_detach_in_place():
    eager, neuron = snnm.MIF(0.9), snnm.MIF(0.9)
    compiled = torch.compile(neuron, fullgraph=True, backend="aot_eager")
    mem = expected = torch.zeros(4, 5)
    weight = torch.ones((), requires_grad=True)
    for _ in range(NUM_STEPS):
        _, mem = compiled(images() * weight, mem)
        mem.detach_()
        _, expected = eager(images(), expected)
    assert torch.allclose(mem, expected, atol=1e-6)


def test_a_compiled_step_and_an_eager_one_hand_states_to_each_other():
    eager, neuron = snnm.MIF(0.9), snnm.MIF(0.9)
    compiled = torch.compile(neuron, fullgraph=True, backend="aot_eager")
    mem = expected = torch.zeros(4, 5)
    for step in range(NUM_STEPS):
        _, mem = (compiled if step % 2 else neuron)(images(), mem)
        _, expected = eager(images(), expected)
    assert torch.allclose(mem, expected, atol=1e-6)


def test_vmap_over_samples_equals_the_batch():
    net = nn.Sequential(snnm.RRAMLinear(5, 4), snnm.MIF(0.9))
    expected, _ = net(images())
    net[1].reset_mem()
    spk = torch.func.vmap(lambda x: net(x)[0])(images())
    assert torch.allclose(spk, expected)


def test_jacobian_through_torch_func():
    neuron = snnm.MIF(0.9).double()
    jacobian = torch.func.jacrev(lambda x: neuron(x, torch.zeros_like(x))[1])(
        torch.ones(3).double()
    )
    assert (jacobian.diagonal() > 0).all()


def _train_in_process(rank, port, queue):
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="localhost", MASTER_PORT=str(port))
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    net = nn.parallel.DistributedDataParallel(Net())
    for step in range(2):
        batch = images(n=2 + rank, seed=10 * step + rank)  # unequal batches
        net.zero_grad()
        net(batch).square().mean().backward()
    if rank == 0:
        queue.put([grad.numpy() for grad in gradients(net)])
    torch.distributed.destroy_process_group()


def test_ddp_with_default_settings_and_unequal_batches_averages_the_right_gradients():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    context = torch.multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [
        context.Process(target=_train_in_process, args=(rank, port, queue)) for rank in range(2)
    ]
    for process in processes:
        process.start()
    parallel = queue.get(timeout=120)
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    expected = []
    for rank in range(2):
        net = Net()
        net(images(n=2 + rank, seed=10 + rank)).square().mean().backward()
        expected.append(gradients(net))
    for ours, a, b in zip(parallel, *expected, strict=True):
        assert torch.allclose(torch.from_numpy(ours), (a + b) / 2, rtol=1e-4, atol=1e-7)


def test_replicas_of_data_parallel_are_independent():
    net = Net()
    expected = net(images())
    replica = net.mif1._replicate_for_data_parallel()
    run, own = (n.sequence(images()[None])[1] for n in (replica, snnm.MIF(0.9)))
    assert torch.equal(run, own)
    assert torch.equal(net(images()), expected)


def test_state_dict_holds_settings_and_no_state():
    neuron = snnm.MIF(0.9)
    neuron.sequence(images()[None])
    keys = {"threshold", "graded_spikes_factor", "reset_mechanism_val", "beta", "gain"}
    assert set(neuron.state_dict()) == keys


def test_export_gives_the_same_step():
    neuron = snnm.MIF(0.9)
    expected = neuron(images(), torch.zeros(4, 5))
    exported = torch.export.export(snnm.MIF(0.9), (images(), torch.zeros(4, 5)))
    for ours, theirs in zip(exported.module()(images(), torch.zeros(4, 5)), expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_equals_cpu():
    cpu, cuda = snnm.MIF(0.9), snnm.MIF(0.9).cuda()
    current = 3 * torch.rand(20, 4, 5)
    for ours, theirs in zip(cuda.sequence(current.cuda()), cpu.sequence(current), strict=True):
        assert ours.is_cuda
        assert torch.allclose(ours.cpu(), theirs, atol=1e-5)


def test_a_compiled_sequence_goes_on_where_the_last_one_ended():
    torch._dynamo.reset()
    x = torch.rand(6, 4)
    compiled, plain = (snnm.MIF(0.8, init_hidden=True) for _ in range(2))
    run = torch.compile(compiled.sequence, fullgraph=True)
    for part in (x[:3], x[3:]):
        spk, mem = run(part)
        assert_close((spk, mem), plain.sequence(part), rtol=0, atol=4e-6)


def test_what_is_recorded_gives_the_same_numbers():
    neuron = snnm.MIF(0.8)
    x, start = torch.rand(5, 3), torch.zeros(3)
    spk, mem = neuron.sequence(x)  # by now it has a graph, a state and coefficients of its own
    recorded = make_fx(lambda x: neuron.sequence(x, mem=start))(x)
    for got, wanted in zip(recorded(x), (spk, mem), strict=True):
        assert_close(got, wanted)
    with FlopCounterMode(display=False):
        mem = start
        counted = torch.stack([mem := neuron(step, mem.detach())[1] for step in x])
        further = neuron.sequence(x, mem=mem)[1]
    assert_close(counted, neuron.sequence(x, mem=start)[1])
    assert_close(further, neuron.sequence(torch.cat([x, x]), mem=start)[1][5:])


def test_a_setting_has_a_forward_derivative_after_a_call_without():
    neuron = snnm.MIF(0.5)
    x, mem = torch.rand(3), torch.zeros(3)
    neuron(x, mem)

    def of_beta(beta):
        return functional_call(neuron, {"beta": beta}, (x, mem))[1]

    beta = torch.tensor(0.5)
    with forward_ad.dual_level():
        dual = of_beta(forward_ad.make_dual(beta, torch.tensor(1.0)))
        tangent = forward_ad.unpack_dual(dual).tangent
        unmoved = neuron(forward_ad.make_dual(x, torch.zeros(3)), mem)[1]
        assert not forward_ad.unpack_dual(unmoved).tangent.any()
    assert_close(tangent, torch.func.jacrev(of_beta)(beta), rtol=1e-4, atol=1e-6)


def test_nothing_without_numbers_stays_in_a_network():
    torch.manual_seed(0)
    rram = snnm.RRAM(levels=16, programming_error=0.02, spread=0.1)
    net = nn.Sequential(snnm.RRAMLinear(4, 3, rram=rram), snnm.MIF(0.8))
    x = torch.rand(2, 4)
    spk, mem = net(x)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert net(torch.rand(5, 4))[0].shape == (5, 3)
    for got, wanted in zip(net(x), (spk, mem), strict=True):
        assert_close(got, wanted, rtol=0, atol=0)


@pytest.mark.parametrize("is_warm", [True, False])
def test_nothing_without_numbers_stays_in_a_layer(is_warm):
    torch.manual_seed(0)
    rram = snnm.RRAM(levels=16, programming_error=0.02, spread=0.1)
    layer, x = snnm.RRAMLinear(4, 3, rram=rram), torch.rand(2, 4)
    expected = copy.deepcopy(layer)(x)
    if is_warm:
        layer(x)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert layer(torch.rand(2, 4)).shape == (2, 3)
    assert_close(layer(x), expected, rtol=0, atol=0)


@pytest.mark.parametrize("is_warm", [True, False])
def test_a_crossbar_under_transforms(is_warm):
    torch.manual_seed(0)
    rram = snnm.RRAM(levels=16, programming_error=0.02, spread=0.1)
    layer, x = snnm.RRAMLinear(4, 3, rram=rram), torch.rand(5, 2, 4)
    of_its_own = copy.deepcopy(layer)
    expected, weight = of_its_own(x), of_its_own.effective()
    if is_warm:
        layer(x)
    assert_close(torch.func.vmap(layer)(x), expected)
    assert_close(torch.func.jacrev(layer)(x[0, 0]), weight)
    weights = torch.stack([layer.weight.detach(), -layer.weight.detach()])
    mapped = torch.func.vmap(lambda w: functional_call(layer, {"weight": w}, (x[0],)))(weights)
    assert_close(mapped[0], expected[0])


def test_a_forward_derivative_passes_straight_through_levels_and_errors():
    torch.manual_seed(0)
    rram = snnm.RRAM(levels=16, programming_error=0.02)
    layer = snnm.RRAMLinear(4, 3, rram=rram, array=Array(w_max=0.3)).double()
    x, way = torch.rand(2, 4).double(), torch.randn(3, 4).double()

    def of_weight(weight):
        return functional_call(layer, {"weight": weight}, (x,))

    _, slope = torch.func.jvp(of_weight, (layer.weight.detach(),), (way,))
    assert_close(slope, x @ way.T)
