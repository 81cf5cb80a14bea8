"""Neurons behind synapses: snnTorch's tuples, its trajectories, gradients, kernels, ngspice."""

import copy
import pickle
import shutil

import pytest
import snntorch as snn
import torch
from snntorch import backprop, utils
from snntorch import functional as SF  # noqa: N812 (the name of every snnTorch tutorial)
from torch import nn
from torch.func import functional_call
from torch.testing import assert_close
from torch.utils.data import DataLoader, TensorDataset

import snntorch_memristive as snnm
from snntorch_memristive import spice
from snntorch_memristive.circuits import (
    AlphaMIFCircuit,
    BiexponentialMIFCircuit,
    LoadedMIFCircuit,
    MIFCircuit,
    SynapticMIFCircuit,
)
from snntorch_memristive.energy import energy
from snntorch_memristive.neurons.synaptic import log_mean

TWINS = {"synaptic": (snnm.SynapticMIF, snn.Synaptic), "alpha": (snnm.AlphaMIF, snn.Alpha)}
CURRENTS = {"synaptic": ("syn",), "alpha": ("syn_exc", "syn_inh")}
DECAYS = {
    "synaptic": [(0.9, 0.8), (0.9, 0.9), (0.5, 0.5), (0.5, 0.9), (0.9, 0.5), (0.99, 0.95)],
    "alpha": [(0.9, 0.8), (0.8, 0.7), (0.5, 0.4), (0.9, 0.1), (0.99, 0.95)],
}
CASES = [(kind, *decays) for kind in TWINS for decays in DECAYS[kind]]
both = pytest.mark.parametrize("kind", TWINS)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def ours(kind, alpha=0.9, beta=0.8, **settings):
    return TWINS[kind][0](alpha, beta, **settings)


def theirs(kind, alpha=0.9, beta=0.8, **settings):
    return TWINS[kind][1](alpha, beta, **settings)


def looped(neuron, current, states=None):
    """Every step's ``spk`` and states, from rest or from ``states``, stacked."""
    states = states or [torch.zeros_like(current[0]) for _ in neuron.reset_mem()]
    record = []
    for now in current:
        record.append(neuron(now, *states))
        states = record[-1][1:]
    return [torch.stack(part) for part in zip(*record, strict=True)]


def drive(*shape, size=2.0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * size


# snnTorch's trajectories


def differences(kind, alpha, beta, current, **settings):
    """Largest difference of every state from snnTorch's, as a share of its largest value."""
    settings |= {"reset_mechanism": "none"}
    _, *expected = looped(theirs(kind, alpha, beta, reset_mechanism="none").double(), current)
    _, *found = ours(kind, alpha, beta, **settings).double().sequence(current)
    pairs = zip(found, expected, strict=True)
    return [float((a - b).abs().max() / b.abs().max()) for a, b in pairs]


@pytest.mark.parametrize("threshold", [1.0, 20000.0])
@pytest.mark.parametrize(("kind", "alpha", "beta"), CASES)
def test_with_the_memristors_held_it_is_snntorchs_neuron(kind, alpha, beta, threshold):
    current = torch.randn(60, 5, dtype=torch.float64)
    settings = {"threshold": threshold, "engine": "eager"}
    *currents, mem = differences(kind, alpha, beta, current, **settings)
    assert max(currents) < 1e-12
    assert mem < 3e-3


@pytest.mark.parametrize(("kind", "alpha", "beta"), [CASES[2], CASES[-3]])
def test_what_is_left_of_the_difference_is_the_solvers(kind, alpha, beta):
    current = torch.randn(30, 5, dtype=torch.float64)
    four, sixteen = (
        differences(kind, alpha, beta, current, substeps=n, engine="eager")[-1] for n in (4, 16)
    )
    assert sixteen == pytest.approx(four / 16, rel=0.05)  # second order, towards nothing


@both
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_below_threshold_it_follows_snntorchs_neuron(kind, seed):
    current = torch.rand(50, 20, generator=torch.Generator().manual_seed(seed))
    peak = looped(theirs(kind), current / 1000)[-1].abs().max() * 1000
    current = current * (0.15 / peak)
    expected = looped(theirs(kind), current)[-1]
    assert expected.abs().max() <= 0.15 + 1e-6
    assert (ours(kind).sequence(current)[-1] - expected).abs().max() < 0.02


def test_a_strong_input_through_a_synapse_spikes_within_one_step():
    pulse = torch.zeros(60, 1)
    pulse[0] = 4.0
    spk, _, mem = ours("synaptic", 0.5).sequence(pulse)
    held = ours("synaptic", 0.5, reset_mechanism="none").sequence(pulse)[2]
    assert spk[0] == 1
    assert mem[20] < 0.5 * held[20]


def test_behind_two_synapses_the_membrane_rises_before_it_falls():
    pulse = torch.zeros(40, 1)
    pulse[0] = 0.5
    mem = ours("alpha", 0.9, 0.8).sequence(pulse)[3]
    assert mem[0].abs() < 1e-3
    assert 4 < mem.argmax() < 9


@pytest.mark.parametrize(("kind", "alpha", "beta"), CASES)
def test_it_goes_on_from_the_states_of_snntorchs_neuron(kind, alpha, beta):
    digital = theirs(kind, alpha, beta, reset_mechanism="none").double()
    neuron = ours(kind, alpha, beta, reset_mechanism="none", engine="eager").double()
    current = torch.rand(9, 3, dtype=torch.float64)
    _, *before = looped(digital, current[:4])
    states = [record[-1] for record in before]
    _, *expected = looped(digital, current[4:], states)
    _, *found = looped(neuron, current[4:], states)
    for record, wanted in zip(found, expected, strict=True):
        assert_close(record, wanted, rtol=0, atol=3e-3 * float(wanted.abs().max()))


@both
def test_every_neuron_may_have_its_own_decays(kind):
    alpha, beta = torch.tensor([0.9, 0.6, 0.95]), torch.tensor([0.8, 0.5, 0.3])
    current = drive(20, 2, 3)
    records = ours(kind, alpha, beta).sequence(current)
    for k in range(3):
        alone = ours(kind, float(alpha[k]), float(beta[k])).sequence(current[..., k])
        for record, single in zip(records, alone, strict=True):
            assert_close(record[..., k], single, rtol=1e-4, atol=1e-4)


def test_the_logarithmic_mean_is_smooth_where_both_are_the_same():
    a = torch.tensor([0.5, 0.9, 0.3, 1 - 1e-6], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([0.5, 0.8, 0.9, 1e-6], dtype=torch.float64, requires_grad=True)
    t = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    expected = torch.stack([(x**t * y ** (1 - t)).mean() for x, y in zip(a, b, strict=True)])
    assert_close(log_mean(a, b), expected, rtol=1e-8, atol=0)
    assert torch.autograd.gradcheck(log_mean, (a[:3], b[:3]))
    assert torch.autograd.gradgradcheck(log_mean, (a[:3], b[:3]))


def test_the_gain_of_the_driver_is_one_of_the_input_alone():
    neuron, scaled = ours("synaptic"), ours("synaptic")
    scaled.gain.fill_(3.0)
    current = drive(10, 4)
    for a, b in zip(scaled.sequence(current), neuron.sequence(3 * current), strict=True):
        assert_close(a, b, rtol=1e-5, atol=1e-5)
    by_hand = torch.ones(4), torch.zeros(4)
    assert_close(scaled(torch.zeros(4), *by_hand), neuron(torch.zeros(4), *by_hand))


# snnTorch's contract


@both
def test_tuples_flags_and_resets_are_snntorchs(kind):
    for flags in ({}, {"init_hidden": True}, {"init_hidden": True, "output": True}):
        neuron, digital = ours(kind, **flags), theirs(kind, **flags)
        returned, expected = neuron(torch.rand(2, 3)), digital(torch.rand(2, 3))
        assert type(returned) is type(expected)
        assert len(returned) == len(expected)
        for name in (*CURRENTS[kind], "mem"):
            assert getattr(neuron, name).shape == (2, 3)
        old_name = {"synaptic": "init_synaptic", "alpha": "init_alpha"}[kind]
        for states in (neuron.reset_mem(), getattr(neuron, old_name)()):
            assert len(states) == len(CURRENTS[kind]) + 1
            assert not any(state.any() for state in states)


@both
def test_every_reset_returns_the_currents_to_rest_and_cuts_the_graph(kind):
    net = nn.Sequential(nn.Linear(3, 4), ours(kind, init_hidden=True))
    current = drive(6, 2, 3)
    first = [net(now) for now in current]
    for reset in (utils.reset, snnm.reset, lambda net: net[1].reset_mem()):
        reset(net)
        again = [net(now) for now in current]
        assert_close(again, first, rtol=0, atol=0)
        torch.stack(again).sum().backward()
    net[1].detach_hidden()
    net(current[0]).sum().backward()


@both
def test_the_hidden_state_is_that_of_the_explicit_loop_and_survives_a_copy(kind):
    hidden, explicit = ours(kind, init_hidden=True), ours(kind)
    current = drive(8, 2, 3)
    expected = looped(explicit, current)
    for now in current[:4]:
        hidden(now)
    for twin in (copy.deepcopy(hidden), pickle.loads(pickle.dumps(hidden)), hidden):
        for now in current[4:]:
            twin(now)
        for name, record in zip((*CURRENTS[kind], "mem"), expected[1:], strict=True):
            assert torch.equal(getattr(twin, name), record[-1])


@both
def test_a_state_handed_to_a_hidden_neuron_is_refused_and_changes_nothing(kind):
    neuron = ours(kind, init_hidden=True)
    neuron(torch.ones(3))
    kept = neuron.mem
    for name in (*CURRENTS[kind], "mem"):
        with pytest.raises(TypeError, match="init_hidden=True"):
            neuron(torch.ones(3), **{name: torch.zeros(3)})
    assert neuron.mem is kept


@both
def test_two_streams_through_one_neuron_are_two_neurons(kind):
    shared, currents = ours(kind), (drive(8, 3), drive(8, 3, size=1.0))
    streams = [[torch.zeros(3)] * (len(CURRENTS[kind]) + 1) for _ in currents]
    for step in range(8):
        for k, current in enumerate(currents):
            streams[k] = shared(current[step], *streams[k])[1:]
    for current, states in zip(currents, streams, strict=True):
        for record, state in zip(looped(ours(kind), current)[1:], states, strict=True):
            assert torch.equal(record[-1], state)


@both
def test_a_membrane_of_ones_own_without_currents_is_a_fresh_neuron(kind):
    neuron = ours(kind)
    neuron(torch.ones(3))
    expected = ours(kind)(torch.ones(3))
    assert_close(neuron(torch.ones(3), mem=torch.zeros(3)), expected, rtol=0, atol=0)


@both
def test_a_later_membrane_has_a_derivative_by_every_state_returned_before(kind):
    neuron = ours(kind)
    _, *states = neuron(torch.ones(3, requires_grad=True))
    *_, mem = neuron(torch.ones(3), *states)
    assert all(grad.any() for grad in torch.autograd.grad(mem.sum(), states))
    *_, mem = neuron(torch.ones(3), *(state.detach() for state in states))
    assert not mem.requires_grad


def test_an_edited_current_is_one_by_hand():
    neuron = ours("synaptic")
    _, syn, mem = neuron(torch.ones(3))
    expected = neuron(torch.zeros(3), torch.full((3,), 0.5), mem)
    with torch.no_grad():
        assert_close(neuron(torch.zeros(3), syn * 0.5, mem), expected)
        assert_close(neuron(torch.zeros(3), syn.mul_(0.5), mem), expected)


@both
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_rounds_the_output_and_not_the_dynamics(kind, dtype):
    current = torch.tensor([0.25, 0.5, 1.0]).expand(30, 3).contiguous()
    exact, low = (looped(ours(kind), c) for c in (current, current.to(dtype)))
    for a, b in zip(exact, low, strict=True):
        assert b.dtype == dtype
        assert torch.equal(a.to(dtype), b)
    for a, b in zip(ours(kind).sequence(current.to(dtype)), low, strict=True):
        assert torch.equal(a, b)


@both
@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_a_sequence_can_be_cut_into_chunks(kind, engine):
    neuron, current = ours(kind, engine=engine), drive(12, 4)
    whole = neuron.sequence(current)
    first = neuron.sequence(current[:5])
    second = neuron.sequence(current[5:], *(record[-1] for record in first[1:]))
    for parts in zip(first, second, whole, strict=True):
        assert torch.equal(torch.cat(parts[:2]), parts[2])


@both
def test_states_of_the_circuit_are_in_si_units(kind):
    neuron = ours(kind)
    states = neuron.states(torch.zeros(2))
    assert {name: float(value[0]) for name, value in states.items()} == pytest.approx(
        neuron.circuit.rest(), rel=1e-6
    )
    *_, mem = neuron(torch.ones(2))
    assert torch.equal(neuron.states()["v"], neuron.volts(mem))
    settled = ours(kind).sequence(torch.ones(500, 1))
    last = neuron.states(**{n: settled[k + 1][-1] for k, n in enumerate((*CURRENTS[kind], "mem"))})
    excitatory = last["i_syn" if kind == "synaptic" else "i_exc"]
    assert_close(excitatory, neuron.amperes(torch.ones(1)), rtol=1e-4, atol=0)


def test_a_unit_of_the_synapses_current_is_a_unit_of_a_mifs_input():
    neuron, plain = ours("synaptic"), snnm.MIF(0.8)
    current = neuron.states(torch.zeros(1), torch.ones(1))["i_syn"]
    assert_close(current, plain.amperes(torch.ones(1)))


@both
def test_quantised_states_are_taken(kind):
    neuron = ours(kind, state_quant=lambda state: (state * 4).round() / 4)
    for record in neuron.sequence(drive(10, 5))[1:]:
        assert torch.equal(record * 4, (record * 4).round())


@both
def test_run_is_the_loop(kind):
    net = nn.Sequential(
        snnm.RRAMLinear(3, 4),
        ours(kind, init_hidden=True),
        snnm.RRAMLinear(4, 2),
        ours(kind, init_hidden=True, output=True),
    )
    current = drive(7, 2, 3)
    steps = [net(now) for now in current]
    snnm.reset(net)
    for record, step in zip(snnm.run(net, current), zip(*steps, strict=True), strict=True):
        assert_close(record, torch.stack(step))
    balance = energy(net, current).rows[-1].balance
    assert_close(balance.delivered, balance.heat + balance.stored, rtol=1e-2, atol=0)


@both
@pytest.mark.parametrize("train", [backprop.BPTT, backprop.TBPTT])
def test_snntorchs_backprop_trains_a_network_of_them(kind, train):
    labels = torch.arange(96) % 3
    x = torch.rand(96, 8) * 0.3
    for k in range(3):
        x[labels == k, 2 * k : 2 * k + 3] += 1.0
    data = DataLoader(TensorDataset(x, labels), batch_size=32)
    net = nn.Sequential(
        snnm.RRAMLinear(8, 12),
        ours(kind, init_hidden=True),
        snnm.RRAMLinear(12, 3),
        ours(kind, init_hidden=True, output=True, spike="voltage"),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    settings = {"K": 5} if train is backprop.TBPTT else {}
    settings |= {"num_steps": 10, "time_var": False, "device": "cpu"}
    loss = SF.ce_count_loss()
    losses = [
        float(train(net, data, optimizer=optimizer, criterion=loss, **settings)) for _ in range(10)
    ]
    assert losses[-1] < 0.8 * losses[0]


@both
def test_one_step_compiles_into_one_graph(kind):
    eager, neuron = ours(kind, learn_alpha=True), ours(kind, learn_alpha=True)
    compiled = torch.compile(neuron, fullgraph=True, backend="aot_eager")
    states = expected = [torch.zeros(4, 5)] * (len(CURRENTS[kind]) + 1)
    for now in drive(3, 4, 5):
        _, *states = compiled(now, *states)
        _, *expected = eager(now, *expected)
        assert_close(states, expected, rtol=0, atol=1e-6)
    grads = [
        torch.autograd.grad(sum(s.sum() for s in last), one.alpha)[0]
        for last, one in ((states, neuron), (expected, eager))
    ]
    assert_close(*grads, rtol=1e-4, atol=1e-5)


# Gradients and kernels


class Steps(nn.Module):
    """Two steps from given states; returns everything."""

    def __init__(self, neuron):
        super().__init__()
        self.neuron = neuron

    def forward(self, current, *states):
        first = self.neuron(current, *states)
        return (*first, *self.neuron(current, *first[1:]))


@both
@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_gradients_by_everything_are_exact(kind, engine):
    settings = {"learn_alpha": True, "learn_beta": True, "learn_threshold": True}
    alpha = torch.tensor([0.7, 0.9])
    beta = torch.tensor([0.7, 0.8]) if kind == "synaptic" else torch.tensor([0.5, 0.8])
    net = Steps(ours(kind, alpha, beta, engine=engine, **settings)).double()
    names = list(dict(net.named_parameters()))
    parameters = [p.detach().clone().requires_grad_() for p in net.parameters()]
    current = torch.rand(3, 2, dtype=torch.float64, requires_grad=True)
    states = [
        (torch.rand(3, 2, dtype=torch.float64) / 2).requires_grad_()
        for _ in (*CURRENTS[kind], "mem")
    ]

    def steps(current, *numbers):
        given = dict(zip(names, numbers[len(states) :], strict=True))
        return functional_call(net, given, (current, *numbers[: len(states)]))

    assert torch.autograd.gradcheck(steps, (current, *states, *parameters))
    assert net.neuron.engine_used == {"auto": "llvmlite", "eager": "eager"}[engine]


@pytest.mark.parametrize(
    ("kind", "spike"), [("synaptic", "rectified"), ("synaptic", "binary"), ("alpha", "rectified")]
)
def test_kernels_equal_the_eager_engine_in_values_and_gradients(kind, spike):
    current = drive(40, 5, 3)
    results = []
    for engine in ("auto", "eager"):
        alpha = torch.tensor([0.8, 0.9, 0.95])
        settings = {"learn_alpha": True, "learn_beta": True, "learn_device": ("tau",)}
        neuron = ours(kind, alpha, 0.75, engine=engine, spike=spike, **settings)
        input_ = current.clone().requires_grad_()
        records = neuron.sequence(input_)
        assert neuron.engine_used == {"auto": "llvmlite", "eager": "eager"}[engine]
        values = [*records, *neuron.states().values()]
        torch.manual_seed(1)
        sum((torch.rand_like(value) * value).sum() for value in values).backward()
        results.append((values, [input_.grad, *(p.grad for p in neuron.parameters())]))
    (values, grads), (expected, expected_grads) = results
    for found, wanted in zip(values, expected, strict=True):
        assert_close(found, wanted, rtol=0, atol=4e-6 * max(1.0, float(wanted.abs().max())))
    assert len(grads) == 4
    for found, wanted in zip(grads, expected_grads, strict=True):
        assert_close(found, wanted, rtol=0, atol=1e-4 * float(wanted.abs().max()))


@both
def test_a_derivative_of_a_derivative_is_that_of_the_eager_engine(kind):
    found = []
    for engine in ("auto", "eager"):
        neuron = ours(kind, engine=engine, learn_alpha=True).double()
        current = (drive(3).double() / 4).requires_grad_()
        total = sum(part.sum() for part in Steps(neuron)(current))
        wanted = [current, neuron.alpha]
        first = torch.autograd.grad(total, wanted, create_graph=True)
        found.append(torch.autograd.grad(sum(g.sum() for g in first), wanted))
    assert_close(found[0], found[1], rtol=1e-9, atol=1e-9)


def test_learned_decays_stay_those_of_a_circuit():
    neuron = ours("alpha", 0.9, 0.8, learn_alpha=True, learn_beta=True, engine="eager")
    with torch.no_grad():
        neuron.alpha.fill_(0.5)  # below beta
    records = neuron.sequence(drive(5, 3))
    sum(record.sum() for record in records).backward()
    assert all(torch.isfinite(record).all() for record in records)
    with torch.no_grad():
        neuron.alpha.fill_(1.5)
        neuron.beta.fill_(-1.0)
    assert all(torch.isfinite(record).all() for record in neuron.sequence(drive(5, 3)))


# Circuits


@both
@pytest.mark.parametrize("coupling", ["clocked", "free-running"])
def test_ngspice_computes_the_same(kind, coupling):
    if shutil.which("ngspice") is None:
        pytest.skip("ngspice is not installed: nothing to run the circuits with")
    first = ours(kind, torch.linspace(0.7, 0.95, 5), torch.linspace(0.5, 0.9, 5), init_hidden=True)
    layers = [snnm.RRAMLinear(6, 5), first]
    if coupling == "clocked":  # free-running, what a second layer gets is not held
        layers += [snnm.RRAMLinear(5, 4), ours(kind, init_hidden=True, output=True)]
    net = nn.Sequential(*layers)
    with torch.no_grad():
        for layer in layers[::2]:
            layer.weight.mul_(2)
    comparison = spice.compare(net, drive(15, 1, 6), coupling=coupling)
    print(comparison)
    for layer in comparison.layers:
        assert layer.v_range > 5e-3
        assert layer.v_max < 0.5e-2 * layer.v_range


def test_the_filters_can_be_had_without_their_neurons():
    circuit = SynapticMIFCircuit(tau_syn=5e-6)
    _, mem = snnm.MIF(0.9, circuit=circuit).sequence(drive(20, 3))
    alpha = float(torch.tensor(-1e-6 / 5e-6).exp())
    neuron = ours("synaptic", alpha, 0.9)
    assert neuron.circuit.tau_syn == pytest.approx(5e-6, rel=1e-5)
    assert 0 < neuron.circuit.lead < 0.5e-6
    assert mem.isfinite().all()


def test_the_circuit_behind_the_synapse_is_the_one_given():
    circuit = MIFCircuit(e2=40e-3, c_mem=80e-12)
    assert ours("synaptic", circuit=circuit).circuit.e2 == 40e-3
    neuron = ours("alpha", circuit=circuit)
    assert neuron.circuit.c_mem == pytest.approx(80e-12, rel=1e-6)
    again = ours("alpha", circuit=neuron.circuit)
    assert again.circuit.lead == pytest.approx(neuron.circuit.lead, rel=1e-6)
    assert type(again.circuit) is BiexponentialMIFCircuit


REFUSED = {
    "alpha of 0": ("synaptic", {"alpha": 0.0}, ValueError, "`alpha` in"),
    "alpha of 1": ("alpha", {"alpha": 1.0}, ValueError, "`alpha` in"),
    "beta of 1": ("synaptic", {"beta": 1.0}, ValueError, "`beta` in"),
    "alpha below beta": ("alpha", {"alpha": 0.7, "beta": 0.8}, ValueError, "`alpha` > `beta`"),
    "alpha is beta": ("alpha", {"alpha": 0.8, "beta": 0.8}, ValueError, "`alpha` > `beta`"),
    "threshold": ("synaptic", {"threshold": 0.0}, ValueError, "`threshold` > 0"),
    "tau_syn": ("synaptic", {"learn_device": ("tau_syn",)}, ValueError, "`learn_device` to name"),
    "lead": ("alpha", {"learn_device": ("lead",)}, ValueError, "`learn_device` to name"),
    "loaded": ("synaptic", {"circuit": LoadedMIFCircuit()}, TypeError, "got LoadedMIFCircuit"),
    "another filter": ("alpha", {"circuit": AlphaMIFCircuit()}, TypeError, "AlphaMIFCircuit"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_a_sentence(case):
    kind, settings, error, sentence = REFUSED[case]
    with pytest.raises(error, match=f"^Expected .*{sentence}"):
        ours(kind, **settings)


def test_what_does_not_fit_the_input_is_refused():
    with pytest.raises(ValueError, match="`alpha` to fit"):
        ours("synaptic", torch.full((4,), 0.9))(torch.ones(2, 3))
    with pytest.raises(ValueError, match="finite `syn`"):
        ours("synaptic")(torch.ones(2), torch.tensor([1.0, float("nan")]), torch.zeros(2))
    with pytest.warns(UserWarning, match=r"Expected `syn` of shape \(2,\), but got \(1,\)"):
        ours("synaptic")(torch.ones(2), torch.ones(1), torch.zeros(2))
    with pytest.raises(ValueError, match="`lead` >= 0"):
        SynapticMIFCircuit(lead=-1e-6)
    with pytest.raises(ValueError, match="`tau_syn` > 0"):
        SynapticMIFCircuit(tau_syn=0.0)
    with pytest.raises(ValueError, match="`ratio` > 0"):
        BiexponentialMIFCircuit(ratio=0.0)
