"""The memristor states go where the membrane goes, and nowhere else."""

import copy
import gc
import io
import pickle
import weakref

import pytest
import snntorch as snn
import torch
from snntorch import utils
from torch import nn

import snntorch_memristive as snnm

STEPS, SHAPE = 12, (3, 4)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def drive(seed: int, steps: int = STEPS) -> torch.Tensor:
    """Input strong enough to move the memristors a long way."""
    return 3 * torch.rand(steps, *SHAPE, generator=torch.Generator().manual_seed(seed))


def run(neuron, current, mem=None):
    """The plain loop of snnTorch, from rest unless told otherwise: membranes of every step."""
    mem = torch.zeros(current.shape[1:]) if mem is None else mem
    record = []
    for now in current:
        _, mem = neuron(now, mem)
        record.append(mem)
    return torch.stack(record), mem


def memristor_states(neuron, mem):
    return {name: state for name, state in neuron.states(mem).items() if name != "v"}


def test_the_memristors_move_and_stay_with_the_membrane():
    neuron = snnm.MIF(0.9)
    _, mem = run(neuron, drive(0))
    rest = neuron.circuit.rest()
    for name, state in memristor_states(neuron, mem).items():
        assert (state - rest[name]).abs().max() > 1e-3


def test_two_streams_through_one_neuron_equal_two_neurons():
    shared, first, second = snnm.MIF(0.9), snnm.MIF(0.9), snnm.MIF(0.9)
    a, b = torch.zeros(SHAPE), torch.zeros(SHAPE)
    for now_a, now_b in zip(drive(1), drive(2), strict=True):
        _, a = shared(now_a, a)
        _, b = shared(now_b, b)
    assert torch.equal(a, run(first, drive(1))[1])
    assert torch.equal(b, run(second, drive(2))[1])


@pytest.mark.parametrize("detach", [torch.Tensor.detach, torch.Tensor.detach_])
def test_detaching_two_interleaved_streams_keeps_values_and_cuts_the_graph(detach):
    neuron, weight = snnm.MIF(0.9), torch.ones((), requires_grad=True)
    a, b = torch.zeros(SHAPE), torch.zeros(SHAPE)
    for now_a, now_b in zip(drive(1), drive(2), strict=True):
        _, a = neuron(now_a * weight, a)
        a = detach(a)
        _, b = neuron(now_b * weight, b)
        b = detach(b)
    assert torch.equal(a, run(snnm.MIF(0.9), drive(1))[1])
    assert torch.equal(b, run(snnm.MIF(0.9), drive(2))[1])
    assert not any(state.requires_grad for state in neuron.states(a).values())


def test_the_gradient_passes_through_the_memristors_while_nothing_is_detached():
    neuron, weight = snnm.MIF(0.9), torch.ones((), requires_grad=True)
    _, mem = run(neuron, drive(0) * weight)
    assert neuron.states(mem)["x1"].requires_grad


def test_euler_keeps_the_graph_of_a_memristor_that_learns_before_the_membrane_does():
    # Forward Euler moves x from the old v: after one step x depends on tau and mem does not.
    neuron = snnm.MIF(0.9, solver="euler", substeps=1, learn_device=("tau",), engine="eager")
    _, mem = neuron(torch.ones(2), torch.zeros(2))
    assert not mem.requires_grad
    _, mem = neuron(torch.ones(2), mem)
    assert mem.requires_grad


def test_a_fresh_zero_membrane_is_a_fresh_neuron():
    neuron = snnm.MIF(0.9)
    run(neuron, drive(0))
    assert torch.equal(run(neuron, drive(1))[0], run(snnm.MIF(0.9), drive(1))[0])


@pytest.mark.parametrize("edit", ["zero_", "clone", "arithmetic"])
def test_an_edited_membrane_starts_the_memristors_from_rest(edit):
    neuron = snnm.MIF(0.9)
    with torch.no_grad():
        _, mem = run(neuron, drive(0))
        mem = {"zero_": mem.zero_, "clone": mem.clone, "arithmetic": lambda: mem * 0.5}[edit]()
    by_hand = torch.empty(SHAPE).copy_(mem)
    assert torch.equal(run(neuron, drive(1), mem)[0], run(snnm.MIF(0.9), drive(1), by_hand)[0])


def test_a_view_of_a_membrane_does_not_take_states_of_another_layout():
    neuron = snnm.MIF(0.9)
    _, mem = run(neuron, drive(0)[:, :3, :3])
    assert torch.equal(neuron.states(mem.T)["x1"], snnm.MIF(0.9).states(torch.zeros(3, 3))["x1"])


def test_inference_mode_keeps_the_states():
    neuron = snnm.MIF(0.9)
    with torch.inference_mode():
        inferred, _ = run(neuron, drive(0))
    assert torch.equal(inferred, run(snnm.MIF(0.9), drive(0))[0])


class Nested(nn.Module):
    """Neurons two levels deep, hidden state."""

    def __init__(self, recurrent: bool = False):
        super().__init__()
        neuron = (
            snnm.RMIF(0.9, linear_features=4, init_hidden=True)
            if recurrent
            else snnm.MIF(0.9, init_hidden=True)
        )
        self.block = nn.ModuleDict({"inner": nn.Sequential(nn.Linear(4, 4), neuron)})

    def forward(self, x):
        return self.block["inner"](x)


def outputs(net, current):
    return torch.stack([net(now) for now in current])


def reset_instances(net):
    """What the next release of snnTorch does: reset_mem() of every neuron in the net."""
    for module in net.modules():
        if isinstance(module, snn.SpikingNeuron):
            module.reset_mem()


RESETS = {
    "utils.reset": lambda net: utils.reset(net.block["inner"]),
    "reset_mem": reset_instances,
    "snnm.reset": snnm.reset,
}


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("way", RESETS)
def test_every_reset_returns_the_whole_neuron_to_rest(way, recurrent):
    net = Nested(recurrent)
    first = outputs(net, drive(0))
    continued = outputs(net, drive(0))
    RESETS[way](net)
    assert torch.equal(outputs(net, drive(0)), first)
    assert not torch.equal(continued, first)


@pytest.mark.parametrize("way", RESETS)
def test_a_second_batch_after_a_reset_can_be_trained_on(way):
    net = Nested()
    for _ in range(2):
        RESETS[way](net)
        outputs(net, drive(0)).sum().backward()


def test_our_reset_leaves_other_networks_alone():
    net, other = Nested(), Nested()
    outputs(net, drive(0))
    outputs(other, drive(0))
    kept = other.block["inner"][1].mem
    snnm.reset(net)
    assert not net.block["inner"][1].mem.any()
    assert other.block["inner"][1].mem is kept


def test_snntorch_resets_a_deep_copy_and_an_unpickled_neuron_too():
    net = nn.Sequential(nn.Linear(4, 4), snnm.MIF(0.9, init_hidden=True))
    outputs(net, drive(0))
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        utils.reset(twin)
        assert not twin[1].mem.any()


def through_torch_save(net):
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net)), through_torch_save]
)
def test_a_copy_made_in_the_middle_of_a_graph_goes_on_where_the_original_was(copied, recurrent):
    net = Nested(recurrent)
    outputs(net, drive(0))
    twin = copied(net)
    assert torch.equal(outputs(twin, drive(1)), outputs(net, drive(1)))


def test_moving_the_network_keeps_its_hidden_state():
    net, double = Nested(), Nested().double()
    double.load_state_dict(net.state_dict())
    outputs(net, drive(0))
    outputs(double, drive(0).double())
    assert torch.allclose(
        outputs(net.double(), drive(1).double()), outputs(double, drive(1).double()), atol=1e-5
    )


def test_deleted_networks_leave_no_neuron_alive():
    alive = []
    for recurrent in [False, True] * 5:
        net = Nested(recurrent)
        outputs(net, drive(0)).sum().backward()
        outputs(net, drive(1))
        alive += [weakref.ref(m) for m in net.modules() if isinstance(m, snn.SpikingNeuron)]
        del net
    gc.collect()
    assert len(alive) == 10
    assert not any(ref() for ref in alive)


def test_graphs_without_a_backward_pass_are_freed():
    freed = []

    class Probe(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark = type("Mark", (), {})()
            freed.append(weakref.ref(ctx.mark))
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad

    neuron = snnm.MIF(0.9)
    run(neuron, torch.stack([Probe.apply(x.requires_grad_()) for x in drive(0)]))
    neuron.reset_mem()
    gc.collect()
    assert freed
    assert not any(ref() for ref in freed)


def test_a_constructor_that_refuses_leaves_nothing_behind():
    before = len(snn.SpikingNeuron.instances)
    with pytest.raises(ValueError, match="beta"):
        snnm.MIF(1.5)
    with pytest.raises(TypeError):
        snnm.RMIF(0.9)
    gc.collect()
    snnm.MIF(0.9)
    assert len([n for n in snn.SpikingNeuron.instances if n is not None]) <= before + 1


def test_a_membrane_of_another_shape_warns_and_starts_from_rest():
    neuron = snnm.MIF(0.9)
    with pytest.warns(UserWarning, match=r"Expected `mem` of shape \(3, 4\), but got \(1,\)"):
        _, mem = neuron(drive(0)[0], torch.ones(1))
    assert torch.equal(mem, snnm.MIF(0.9)(drive(0)[0], torch.zeros(SHAPE))[1])


def test_a_new_batch_size_restarts_a_hidden_neuron_silently(recwarn):
    neuron = snnm.MIF(0.9, init_hidden=True)
    neuron(torch.ones(5, 4))
    assert torch.equal(neuron(drive(0)[0]), snnm.MIF(0.9, init_hidden=True)(drive(0)[0]))
    assert not recwarn.list


def test_explicit_mode_goes_on_from_the_last_membrane_when_none_is_given():
    neuron, looped = snnm.MIF(0.9), snnm.MIF(0.9)
    for now in drive(0):
        _, mem = neuron(now)
    assert torch.equal(mem, run(looped, drive(0))[1])


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_membrane_handed_to_a_hidden_neuron_is_refused_and_changes_nothing(recurrent):
    neuron = Nested(recurrent).block["inner"][1]
    neuron(drive(0)[0])
    kept = neuron.mem
    with pytest.raises(TypeError, match="init_hidden=True"):
        neuron(drive(0)[1], torch.zeros(SHAPE))
    assert neuron.mem is kept


@pytest.mark.parametrize("settings", [{}, {"init_hidden": True}, {"reset_mechanism": "none"}])
def test_sequence_equals_the_loop(settings):
    neuron, looped = snnm.MIF(0.9, **settings), snnm.MIF(0.9, **settings)
    spk, mem = neuron.sequence(drive(0))
    for step, now in enumerate(drive(0)):
        looped(now)
        assert torch.equal(mem[step], looped.mem)
    assert spk.shape == mem.shape == (STEPS, *SHAPE)
    assert torch.equal(neuron.states()["x1"], looped.states()["x1"])


def test_sequence_of_a_recurrent_neuron_equals_the_loop():
    neuron = snnm.RMIF(0.9, linear_features=4)
    spk, mem = neuron.sequence(drive(0))
    neuron.reset_mem()
    for step, now in enumerate(drive(0)):
        looped_spk, looped_mem = neuron(now)
        assert torch.equal(spk[step], looped_spk)
        assert torch.equal(mem[step], looped_mem)


def test_sequence_starts_from_a_given_membrane_and_its_memristors():
    neuron = snnm.MIF(0.9)
    _, mem = run(neuron, drive(0))
    expected, _ = run(neuron, drive(1), mem)
    assert torch.equal(neuron.sequence(drive(1), mem)[1], expected)


def test_sequence_refuses_what_it_cannot_run():
    with pytest.raises(ValueError, match=r"Expected `input_` of shape \(time, ...\)"):
        snnm.MIF(0.9).sequence(torch.zeros(0, 3))
    with pytest.raises(TypeError, match="init_hidden"):
        snnm.MIF(0.9, init_hidden=True).sequence(drive(0), torch.zeros(SHAPE))


def test_a_sequence_can_be_cut_into_chunks():
    neuron = snnm.MIF(0.9)
    whole = neuron.sequence(drive(0))[1]
    first = neuron.sequence(drive(0)[:5])[1]
    assert torch.equal(neuron.sequence(drive(0)[5:], first[-1])[1], whole[5:])


def test_a_recurrent_neuron_with_a_fresh_membrane_is_fresh():
    neuron = snnm.RMIF(0.9, linear_features=4)
    expected = neuron.sequence(drive(0))[1]
    assert torch.equal(neuron.sequence(drive(0), torch.zeros(SHAPE))[1], expected)
    neuron.reset_mem()
    _, mem = neuron(drive(0)[0])
    neuron(drive(1)[0])
    assert torch.equal(neuron(drive(0)[0], mem=torch.zeros(SHAPE))[1], mem)


def test_a_membrane_made_a_leaf_anew_is_cut_from_the_graph():
    neuron, mem = snnm.MIF(0.9), torch.zeros(SHAPE)
    for now in drive(0):
        _, mem = neuron(now.requires_grad_(), mem)
        mem.sum().backward()
        mem = mem.detach().requires_grad_()


def test_a_membrane_given_other_data_starts_from_rest():
    neuron = snnm.MIF(0.9, init_hidden=True)
    outputs(neuron, drive(0).detach())
    neuron.mem.data = torch.zeros(SHAPE)
    assert torch.equal(neuron(drive(1)[0]), snnm.MIF(0.9, init_hidden=True)(drive(1)[0]))


def test_a_bad_step_in_a_sequence_moves_no_state():
    neuron = snnm.MIF(0.9, init_hidden=True)
    neuron(drive(0)[0])
    kept, bad = neuron.mem, drive(1)
    bad[3, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="finite `input_`"):
        neuron.sequence(bad)
    assert neuron.mem is kept


def test_a_sequence_under_vmap_is_the_sequence():
    neuron, current = snnm.MIF(0.9), drive(0)
    expected = neuron.sequence(current)[1]
    mapped = torch.func.vmap(lambda x: neuron.sequence(x)[1], in_dims=1, out_dims=1)(current)
    assert torch.allclose(mapped, expected, atol=1e-5)


def test_a_recurrent_sequence_under_vmap_is_the_sequence():
    neuron = snnm.RMIF(0.9, linear_features=4)
    current = torch.rand(3, 6, 4)
    with torch.no_grad():
        mapped = torch.func.vmap(lambda x: neuron.sequence(x)[1])(current)
        alone = torch.stack([neuron.sequence(x)[1] for x in current])
    torch.testing.assert_close(mapped, alone)


def test_vmap_leaves_nothing_behind():
    neuron = snnm.MIF(0.9)
    torch.func.vmap(lambda x: neuron(x, torch.zeros(4))[0])(drive(0)[0])
    snnm.reset(neuron)
    copy.deepcopy(neuron)


def test_a_tuple_in_the_place_of_a_membrane_is_refused():
    neuron = snnm.MIF(0.9)
    with pytest.raises(TypeError, match="Expected `mem` to be a tensor, but got a tuple"):
        neuron(torch.rand(2, 3), neuron(torch.rand(2, 3)))
