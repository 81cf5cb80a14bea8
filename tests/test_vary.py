"""Neurons with a spread: between devices, from cycle to cycle, many layers at once."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.testing import assert_close

import snntorch_memristive as snnm
from snntorch_memristive import spice
from snntorch_memristive.circuits import MIFCircuit
from snntorch_memristive.coupling import couple
from snntorch_memristive.energy import energy
from snntorch_memristive.functional import integrate

SPREAD = {"tau": 0.2, "c_mem": 0.1}
"""Of all tests that run on a kernel, so that there is one."""


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def varied(shape=5, spread=SPREAD, beta=0.8, **settings):
    given = {"cycle_to_cycle", "instances"} & set(settings)
    options = {name: settings.pop(name) for name in given}
    neuron = snnm.MIF(beta, **settings)
    neuron.vary(shape, spread, generator=seeded(), **options)
    return neuron


def some_input(*shape, dtype=torch.float32):
    return torch.rand(*shape, generator=seeded(1), dtype=dtype) * 2


# What is drawn


def within_three_errors(logarithms, strength):
    """Are these a sample of a normal law of mean 0 and standard deviation ``strength``?"""
    count = logarithms.numel()
    assert abs(float(logarithms.mean())) < 3 * strength / math.sqrt(count)
    assert abs(float(logarithms.std()) - strength) < 3 * strength / math.sqrt(2 * count)


def test_values_are_lognormal_around_the_nominal_ones_and_memristors_independent():
    strengths = {"tau": 0.2, "c_mem": 0.1}
    circuit, nominal = varied(4000, strengths).circuit, snnm.MIF(0.8).circuit
    within_three_errors((circuit.m1.tau / nominal.m1.tau).log(), 0.2)
    within_three_errors((circuit.m2.tau / nominal.m2.tau).log(), 0.2)
    within_three_errors((circuit.c_mem / nominal.c_mem).log(), 0.1)
    both = torch.stack([circuit.m1.tau, circuit.m2.tau]).log()
    assert abs(float(torch.corrcoef(both)[0, 1])) < 3 / math.sqrt(4000)
    assert circuit.m1.r_on == nominal.m1.r_on
    assert circuit.e2 == nominal.e2


def test_a_seed_names_the_neurons():
    neuron = varied(50)
    first = neuron.circuit
    neuron.redraw(seeded(1))
    second = neuron.circuit
    neuron.redraw(seeded(0))
    assert torch.equal(neuron.circuit.m2.tau, first.m2.tau)
    assert torch.equal(neuron.circuit.c_mem, first.c_mem)
    assert not torch.isclose(second.m2.tau, first.m2.tau).any()


def test_a_spread_of_nothing_is_the_nominal_neuron():
    neuron, nominal, x = varied(3), snnm.MIF(0.8), some_input(20, 2, 3)
    assert neuron.is_varied
    neuron.vary(3, {"tau": 0.0}, cycle_to_cycle={"v_on": 0})
    assert not neuron.is_varied
    assert neuron.state_dict().keys() == nominal.state_dict().keys()
    for one, other in zip(neuron.sequence(x), nominal.sequence(x), strict=True):
        assert torch.equal(one, other)


def test_a_new_spread_takes_the_place_of_the_old_one():
    neuron = varied(3)
    neuron.vary(4, {"m1.tau": 0.1})
    names = [n for n in neuron.state_dict() if "_m1" in n or "_m2" in n or "c_mem" in n]
    assert names == ["spread_m1_tau", "draw_m1_tau"]
    assert neuron.draw_m1_tau.shape == (4,)


# What a varied neuron does


def test_every_neuron_is_the_circuit_that_was_drawn():
    spread = {"tau": 0.3, "r_on": 0.2, "r_off": 0.2, "v_on": 0.1, "v_off": 0.2, "v_t": 0.1}
    neuron = varied(4, spread | {"e2": 0.2, "c_mem": 0.2}, engine="eager").double()
    x, drawn = some_input(25, 4, dtype=torch.float64), neuron.circuit
    volts, amperes = neuron.volts(neuron.sequence(x)[1]), neuron.amperes(x)
    rest = {n: torch.tensor(x, dtype=torch.float64) for n, x in MIFCircuit().rest().items()}
    for k in range(4):
        m1, m2 = (
            replace(m, **{n: getattr(m, n)[k].item() for n in spread}) for m in (drawn.m1, drawn.m2)
        )
        circuit = MIFCircuit(m1, m2, e2=drawn.e2[k].item(), c_mem=drawn.c_mem[k].item())
        record = integrate(circuit, amperes[:, k], 1e-6, rest, 4, "magnus")
        assert_close(volts[:, k], record["v"], rtol=1e-9, atol=1e-12)
    assert (volts[-1].max() - volts[-1].min()) > 5e-3


def test_the_kernel_equals_the_equations():
    records = []
    for engine in ("auto", "eager"):
        neuron, x = varied(engine=engine), some_input(20, 3, 5).requires_grad_()
        spk, mem = neuron.sequence(x)
        assert neuron.engine_used == {"auto": "llvmlite", "eager": "eager"}[engine]
        (spk.sum() + mem.square().sum()).backward()
        records.append((spk, mem, x.grad))
    for fused, stated in zip(*records, strict=True):
        assert_close(fused, stated, rtol=0, atol=1e-4 * float(stated.detach().abs().max()))
    assert records[0][1][-1].std(1).min() > 0.01


@pytest.mark.parametrize("cycle", [{}, SPREAD])
def test_the_gradient_is_that_of_the_neuron_that_was_drawn(cycle):
    names = {"learn_beta": True, "learn_device": {"tau": (3,)}}
    neuron = varied(3, cycle_to_cycle=cycle, engine="eager", **names)
    neuron.double()

    def run(input_, beta, tau):
        torch.manual_seed(0)  # of the cycle
        parameters = {"beta": beta, "learned_tau": tau}
        _, mem = functional_call(neuron, parameters, (input_, torch.zeros_like(input_)))
        return functional_call(neuron, parameters, (input_, mem))

    inputs = some_input(2, 3, dtype=torch.float64), torch.tensor(0.8).double(), torch.zeros(3)
    inputs = [tensor.double().requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(run, inputs)


def test_a_trained_value_and_its_spread_multiply():
    neuron = varied(3, learn_device=("tau",))
    before = neuron.circuit
    with torch.no_grad():
        neuron.learned_tau += math.log(2)
    assert_close(neuron.circuit.m1.tau, 2 * before.m1.tau)
    assert_close(neuron.circuit.m2.tau, 2 * before.m2.tau)


@pytest.mark.parametrize(
    ("make", "spread"),
    [
        (lambda: snnm.SynapticMIF(0.9, 0.8), SPREAD),
        (lambda: snnm.AlphaMIF(0.9, 0.8), SPREAD),
        (lambda: snnm.LapicqueMIF(0.9), SPREAD),
        (lambda: snnm.RMIF(0.9, linear_features=3), SPREAD),
        (lambda: snnm.Mott(), {"m.t_c": 0.01}),
    ],
)
def test_every_neuron_can_vary(make, spread):
    torch.manual_seed(0)
    neuron, x = make(), 3 * torch.ones(30, 2, 3)
    neuron.engine = "eager"
    neuron.vary(3, spread)
    mem = neuron.sequence(x)[-1]
    assert mem.std(2).max() > 1e-4
    assert_close(mem[:, 0], mem[:, 1])


# From cycle to cycle


def test_every_inference_of_every_sample_has_draws_of_its_own():
    neuron = varied((), {}, cycle_to_cycle={"m1.tau": 0.1}, engine="eager")
    torch.manual_seed(0)
    neuron(torch.ones(40, 50), torch.zeros(40, 50))
    first = neuron.circuit.m1.tau
    within_three_errors((first / MIFCircuit().m1.tau).log(), 0.1)
    neuron(torch.ones(40, 50), torch.zeros(40, 50))
    second = neuron.circuit.m1.tau
    assert abs(float(torch.corrcoef(torch.stack([first, second]).flatten(1))[0, 1])) < 0.07
    assert neuron.circuit.m2.tau == pytest.approx(MIFCircuit().m2.tau)


def test_a_cycle_lasts_from_rest_to_rest_and_travels_with_mem():
    neuron = varied(3, SPREAD, cycle_to_cycle=SPREAD, engine="eager")
    x = some_input(12, 2, 3)

    def alone(seed):
        torch.manual_seed(seed)
        return neuron.sequence(x)[1]

    both = alone(1), alone(2)
    assert (both[0][-1] - both[1][-1]).abs().min() > 1e-4
    mems = [torch.zeros(2, 3)] * 2
    for t, current in enumerate(x):  # two streams, step by step in turn
        for k in (0, 1):
            torch.manual_seed(k + 1 if t == 0 else 99)
            _, mems[k] = neuron(current, mems[k])
            assert torch.equal(mems[k], both[k][t])


def test_cycles_run_on_the_kernel_and_with_hidden_states():
    neuron = varied(5, SPREAD, cycle_to_cycle=SPREAD, init_hidden=True)
    neuron.output, x = True, some_input(10, 3, 5)
    records = []
    for engine in ("auto", "eager"):
        torch.manual_seed(0)
        neuron.engine = engine
        neuron.reset_mem()
        records.append(neuron.sequence(x)[1])
    assert_close(records[0], records[1], rtol=0, atol=1e-5)
    assert (neuron.sequence(x)[1] - records[0]).abs().max() > 1e-3  # goes on, not anew


# Monte Carlo


def test_many_instances_at_once_are_one_after_the_other():
    many = varied(5, SPREAD, instances=4)
    x = some_input(20, 3, 5)
    spk, mem = many.sequence(x.expand(4, 20, 3, 5).transpose(0, 1))
    one = varied(5)
    for k in range(4):
        state = many.state_dict()
        one.load_state_dict({n: v[k, 0] if n.startswith("draw") else v for n, v in state.items()})
        for batched, alone in zip((spk, mem), one.sequence(x), strict=True):
            assert_close(batched[:, k], alone, rtol=0, atol=4e-6)
    assert (mem[:, 0] - mem[:, 1]).abs().max() > 0.01


def test_instances_go_through_a_network_in_one_call():
    net = nn.Sequential(
        snnm.RRAMLinear(6, 5), snnm.MIF(0.8, init_hidden=True), snnm.RRAMLinear(5, 5), varied()
    )
    net[3].init_hidden = net[3].output = True
    net[1].vary(5, SPREAD, instances=3)
    net[3].vary(5, SPREAD, instances=3)
    x = some_input(8, 1, 2, 6).expand(8, 3, 2, 6)
    assert snnm.run(net, x)[1].shape == (8, 3, 2, 5)


def test_chips_differ_by_their_neurons_too():
    torch.manual_seed(0)
    net = nn.Sequential(snnm.RRAMLinear(6, 5), varied(init_hidden=True))
    x = some_input(10, 2, 6)

    def measure(net):
        return float(snnm.run(net, x).detach().mean())

    own = measure(net)
    first, again = (
        snnm.evaluate_chips(net, measure, 3, generator=seeded(7)).values for _ in range(2)
    )
    assert first.tolist() == again.tolist()
    assert len(set(first.tolist())) == 3
    snnm.reset(net)
    assert measure(net) == own


# Copies


@pytest.mark.parametrize("instances", [None, 2])
def test_copies_and_checkpoints_hold_the_draws(instances, tmp_path):
    cycle = {"m1.tau": 0.1}
    neuron = varied(instances=instances, cycle_to_cycle=cycle, engine="eager")
    x = some_input(*(10, instances, 3, 5) if instances else (10, 3, 5))
    torch.save(neuron.state_dict(), tmp_path / "neuron.pt")
    fresh, other = snnm.MIF(0.8, engine="eager"), varied(7, {"e2": 0.1}, engine="eager")
    for loaded in (fresh, other):
        loaded.load_state_dict(torch.load(tmp_path / "neuron.pt"))
    torch.save(neuron, tmp_path / "whole.pt")
    whole = torch.load(tmp_path / "whole.pt", weights_only=False)
    copies = [neuron, fresh, other, whole, copy.deepcopy(neuron)]
    records = []
    for each in copies:
        torch.manual_seed(0)
        records.append(each.sequence(x)[1])
        each.redraw(seeded(5))
    assert all(torch.equal(record, records[0]) for record in records)
    assert all(torch.equal(each.draw_m2_tau, neuron.draw_m2_tau) for each in copies)


def test_a_checkpoint_without_draws_leaves_them_as_they_are():
    neuron, nominal = varied(), snnm.MIF(0.6)
    before = neuron.draw_c_mem.clone()
    neuron.load_state_dict(nominal.state_dict())
    assert neuron.beta == nominal.beta
    assert torch.equal(neuron.draw_c_mem, before)


def test_draws_move_with_the_neuron():
    neuron = varied(cycle_to_cycle=SPREAD, engine="eager")
    x = some_input(10, 3, 5)
    torch.manual_seed(0)
    mem = neuron.sequence(x[:5])[1]
    neuron.double()
    rest = neuron.sequence(x[5:].double(), neuron.mem)[1]
    torch.manual_seed(0)
    assert_close(rest.float(), varied(cycle_to_cycle=SPREAD).sequence(x)[1][5:])
    assert mem.shape == (5, 3, 5)
    assert neuron.draw_c_mem.dtype == torch.float64


def test_it_compiles_in_one_graph():
    neuron = varied(cycle_to_cycle=SPREAD, engine="eager")
    x = some_input(3, 5)
    compiled = torch.compile(neuron, fullgraph=True, backend="eager")
    torch.manual_seed(0)
    expected = neuron(x, torch.zeros(3, 5))
    torch.manual_seed(0)
    for one, other in zip(compiled(x, torch.zeros(3, 5)), expected, strict=True):
        assert_close(one, other)


# Refusals


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((3, {"phi": 0.1}), {}, "Expected `spread` to name some of e2, .* but got 'phi'"),
        ((3, {"e1": 0.1}), {}, "Expected `spread` to name some of e2, .* but got 'e1'"),
        ((3,), {"cycle_to_cycle": {"x": 1}}, "Expected `cycle_to_cycle` to name .* got 'x'"),
        ((3, {"tau": -0.1}), {}, "Expected `spread` of 'tau' to be a finite number >= 0"),
        ((3, {"tau": math.nan}), {}, "Expected `spread` of 'tau' to be a finite .* got nan"),
        ((3, {"tau": torch.rand(3)}), {}, "Expected `spread` of 'tau' to be a finite number"),
        ((0, {"tau": 0.1}), {}, "Expected `shape` to be a whole number from 1"),
        (((2, 1.5), {"tau": 0.1}), {}, "Expected `shape` to be a whole number from 1"),
        ((3, {"tau": 0.1}), {"instances": 0}, "Expected `instances` to be a whole number"),
        ((99, {"v_on": 3.0}), {}, "leaves every neuron a circuit, but drew: Expected `v_on` >"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_the_neuron_stays(arguments, options, sentence):
    neuron = varied(3)
    before = {name: value.clone() for name, value in neuron.state_dict().items()}
    with pytest.raises(ValueError, match=sentence):
        neuron.vary(*arguments, generator=seeded(), **options)
    after = neuron.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
def test_inhibition_and_instances_are_refused_together():
    neuron = snnm.MIF(0.9, inhibition=True)
    with pytest.raises(ValueError, match="without inhibition for `instances`"):
        neuron.vary(3, {"tau": 0.1}, instances=2)
    neuron.vary(3, {"tau": 0.1})


def test_an_input_that_does_not_fit_the_draws_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected `draw_c_mem` to fit `input_` of shape \(2, 4\)"
    ):
        varied(5)(torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"to fit `input_` of shape \(3, 5\), got \(2, 1, 5\)"):
        varied(5, instances=2)(torch.ones(3, 5))


def test_neurons_that_vary_are_not_coupled():
    with pytest.raises(ValueError, match="Expected a `neuron` without spread"):
        couple(snnm.RRAMLinear(6, 5), varied())


def test_instances_are_no_circuit_and_have_no_energy():
    net = nn.Sequential(snnm.RRAMLinear(6, 5), varied(instances=2, init_hidden=True))
    x = some_input(4, 2, 1, 6)
    with pytest.raises(ValueError, match="Expected one sample"):
        spice.netlist(net, x)
    with pytest.raises(ValueError, match="Expected neurons of one layer, but they vary between"):
        energy(net, x)


def test_the_capacitance_is_that_of_the_capacitors_that_were_drawn():
    neuron = varied(cycle_to_cycle={"tau": 0.1}, init_hidden=True)
    report = energy(nn.Sequential(snnm.RRAMLinear(6, 5), neuron), some_input(4, 2, 6))
    assert report.rows[1].capacitance == pytest.approx(float(neuron.circuit.c_mem.sum()))


def test_draws_of_a_transformed_call_do_not_outlive_it():
    neuron = varied(4, {"tau": 0.1}, cycle_to_cycle={"tau": 0.1}, engine="eager")
    torch.func.grad(lambda x: neuron(x, torch.zeros(4))[1].sum())(torch.ones(4))
    assert copy.deepcopy(neuron).amperes(torch.ones(4)).shape == (4,)


def test_draws_of_a_cycle_move_with_the_neuron():
    neuron = varied(4, {"tau": 0.1}, cycle_to_cycle={"c_mem": 0.1}, engine="eager")
    neuron(torch.ones(2, 4))
    assert neuron.to("meta").circuit.c_mem.device.type == "meta"


def test_half_a_checkpoint_of_draws_is_reported():
    neuron = varied(5, {"tau": 0.1})
    state = neuron.state_dict()
    del state["draw_m1_tau"]
    with pytest.raises(RuntimeError, match="draw_m1_tau"):
        varied(5, {"tau": 0.1}).load_state_dict(state)


@pytest.mark.parametrize("names", [("m1.tau", "tau"), ("tau", "m1.tau")])
def test_one_memristors_strength_goes_before_that_of_both(names):
    strengths = {"m1.tau": 0.0, "tau": 0.1}
    circuit = varied(4, {name: strengths[name] for name in names}).circuit
    assert circuit.m1.tau == snnm.MIF(0.8).circuit.m1.tau
    assert circuit.m2.tau.shape == (4,)


def test_one_impossible_neuron_among_many_is_found():
    neuron = snnm.MIF(0.8)
    with pytest.raises(ValueError, match="Expected a spread that leaves every neuron a circuit"):
        neuron.vary(5000, {"v_on": 1.0}, generator=seeded())
    assert not neuron.is_varied


def test_instances_without_a_spread_are_refused():
    with pytest.raises(ValueError, match="by which `instances` differ"):
        snnm.MIF(0.8).vary(5, cycle_to_cycle={"tau": 0.1}, instances=3)
