"""The AND-TS switch, the tunnel diode and the neuron made of both."""

import math
from dataclasses import replace

import ngspice
import numpy as np
import pytest
import torch
from conformance import check_circuit, check_device, check_neuron, check_units
from firing import double, error, held, passages, volts
from torch.testing import assert_close

import snntorch_memristive as snnm
from snntorch_memristive.circuits import MottCircuit, NanodotCircuit, StochasticNanodotCircuit
from snntorch_memristive.devices import AND_TS, GI401A

DT = 2e-6  # s, the neuron's time step
CIRCUIT = NanodotCircuit()
FIRING = np.array([20.8, 21.0, 21.5, 22.0, 22.25]) * 1e-6  # A


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def membrane(current, **settings):
    """Membrane voltages (V) of the neuron under currents (A), both (steps, currents)."""
    return volts(snnm.Nanodot(**settings), current)


def intervals(v, dt=DT, skip=1):
    """Inter-spike intervals (s) of one neuron's ``v``, between passages of 90 mV upwards."""
    return np.diff(passages(v, 0.09, dt))[skip:]


# The devices


def published_diode(u):
    """A at u (V): the authors' equation and values."""
    thermal = 1.16e-7 * (np.exp(u / 0.066) - np.exp(-u / 0.066))
    excess = np.arctan(26 * (u - 0.14)) + np.arctan(26 * (u + 0.14))
    return thermal + 2.17e-5 / 0.09 * u * np.exp(-(u - 0.09) / 0.09) - 3.22e-6 * excess


def published_rate(x, v):
    """1/s in state x under v (V): the authors' equation and values."""
    on = 1 / (1 + np.exp(-(v - 0.267) * (v + 0.119) / 0.0099**2))
    off = 1 - 1 / (1 + np.exp(-(v - 0.08) * (v + 0.006) / 0.0175**2))
    setting = (1 - 1 / np.exp(2 * x + 0.05)) * (1 - x) + (1 - 1 / np.exp(2 * (1 - x))) * x
    resetting = (1 - 1 / np.exp(2 * x)) * (1 - x) + (1 - 1 / np.exp(2 * (1 - x) + 0.5)) * x
    return on * setting / 1.2e-7 - off * resetting / 1.3e-7


def test_the_switch_keeps_the_contract_of_a_device():
    check_device(AND_TS)


def test_the_switch_is_the_published_one():
    x, v = np.meshgrid(np.linspace(0, 1, 41), np.linspace(-0.3, 0.3, 601))
    assert_close(AND_TS.rate(double(x), double(v)).numpy(), published_rate(x, v), rtol=1e-9, atol=1)
    current = np.where(v < 0, v * x / 1434, v * x / 806)
    assert_close(AND_TS.current(double(x), double(v)).numpy(), current)


def test_the_target_of_the_state_is_inside_its_window():
    x, v = torch.meshgrid(torch.linspace(0, 1, 101), torch.linspace(-0.4, 0.4, 401), indexing="ij")
    target = AND_TS.relaxation(x.double(), v.double()).target
    assert (target >= 0).all()
    assert (target <= 1).all()


def test_the_diode_is_the_published_one_and_goes_on_straight_outside_its_fit():
    check_units(type(GI401A))
    u = np.linspace(-0.25, 0.6, 500)
    assert_close(GI401A.current(double(u)).numpy(), published_diode(u), rtol=1e-9, atol=1e-15)
    outside = GI401A.current(double([-1.25, -0.25, 0.6, 1.6])).diff()
    assert_close(outside[[0, 2]], double([20e-3, 20e-3]))
    slope = torch.autograd.functional.jacobian(GI401A.current, double(0.0))
    assert float(slope) == pytest.approx(GI401A.slope_at_0, rel=1e-12)


def test_the_diodes_current_passes_gradcheck():
    u = torch.linspace(-0.3, 0.7, 50, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda u: GI401A.current(u) * 1e5, u)


@pytest.mark.parametrize(
    ("part", "change", "sentence"),
    [
        (AND_TS, {"tau_s": 0.0}, r"Expected `tau_s` > 0 s, but got 0 s"),
        (AND_TS, {"r_on_n": -1.0}, r"Expected `r_on_n` > 0 Ω, but got -1 Ω"),
        (AND_TS, {"v_th_n": 0.0}, r"Expected `v_h_n` > `v_th_n`, but got v_h_n=-0.006 V"),
        (AND_TS, {"spread": -1.0}, r"Expected `spread` >= 0 and finite, but got -1"),
        (GI401A, {"v_p": 0.0}, r"Expected `v_p` > 0 V, but got 0 V"),
        (GI401A, {"i_v": math.nan}, r"Expected a finite `i_v` in A, but got nan"),
        (CIRCUIT, {"c_mem": 0.0}, r"Expected `c_mem` > 0 F, but got 0 F"),
        (CIRCUIT, {"e_td": math.inf}, r"Expected a finite `e_td` in V, but got inf"),
    ],
)
def test_an_impossible_value_is_refused(part, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(part, **change)


# The circuit


@pytest.mark.parametrize(
    "circuit", [CIRCUIT, NanodotCircuit(c_mem=22e-9, e_td=0.04), StochasticNanodotCircuit()]
)
def test_circuit_keeps_the_contract(circuit):
    check_circuit(circuit)
    assert circuit.rest()["v"] == pytest.approx(-circuit.e_td)


def test_the_membrane_obeys_kirchhoffs_current_law():
    v, x = torch.rand(50, dtype=torch.float64) * 0.3 - 0.1, torch.rand(50, dtype=torch.float64)
    circuit = NanodotCircuit(e_ts=0.01)
    into_capacitor = 2.2e-9 * circuit.rate({"v": v, "x": x}, double(20e-6))["v"]
    switch = AND_TS.current(x, -v - 0.01)
    leaving = double(published_diode(v.numpy() + 0.06)) - switch
    assert_close(into_capacitor + leaving, torch.full_like(v, 20e-6))


# Against ngspice


def netlist(name, current):
    """The authors' circuit under currents (A) held for 2 µs each, in their symbols."""
    points = [f"0 {current[0]:.12g}"]
    for k in range(1, len(current)):
        points.append(f"{k * DT:.12g} {current[k - 1]:.12g}")
        points.append(f"{k * DT + 1e-12:.16g} {current[k]:.12g}")
    v, x, u = f"v(v_{name})", f"v(x_{name})", f"(v(v_{name})+60m)"
    on = f"1/(1+exp(-(-{v}-267m)*(-{v}+119m)/9.9m/9.9m))"
    off = f"1/(1+exp((-{v}-80m)*(-{v}+6m)/17.5m/17.5m))"
    setting = f"((1-exp(-2*{x}-50m))*(1-{x})+(1-exp(-2*(1-{x})))*{x})"
    resetting = f"((1-exp(-2*{x}))*(1-{x})+(1-exp(-2*(1-{x})-500m))*{x})"
    return [
        f"I_{name} 0 v_{name} PWL(" + "\n+ ".join(["", *points, ")"]),
        f"C_{name} v_{name} 0 2.2n ic=-60m",
        f"Bd_{name} v_{name} 0 I=116n*(exp({u}/66m)-exp(-{u}/66m))"
        f"+21.7u/90m*{u}*exp(-({u}-90m)/90m)-3.22u*(atan(26*({u}-140m))+atan(26*({u}+140m)))",
        f"Bm_{name} v_{name} 0 I={v}*{x}/({v} > 0 ? 1434 : 806)",
        f"Cx_{name} x_{name} 0 100n ic=0",
        f"Bx_{name} 0 x_{name} I={on}*{setting}/1.2-{off}*{resetting}/1.3",
    ]


def spice(currents, times, max_step):
    """Membrane (V) at ``times`` (s): (times, currents)."""
    columns = range(currents.shape[1])
    elements = [line for k in columns for line in netlist(str(k), currents[:, k])]
    record = ngspice.transient(elements, [f"v_{k}" for k in columns], times, max_step)
    return np.stack([record[f"v_{k}"] for k in columns], axis=1)


CONSTANT = np.concatenate([[15e-6, 20e-6], FIRING, np.array([24, 30, 50, 100, 200]) * 1e-6])
"""A: quiet, firing, and too strong."""


@pytest.fixture(scope="module")
def judge():
    return spice(np.tile(CONSTANT, (120, 1)), DT * np.arange(1, 121), max_step=10e-9)


def test_the_neuron_stays_within_one_percent_of_ngspice(judge):
    found = error(membrane(np.tile(CONSTANT, (120, 1))), judge)
    print(found.round(4))
    assert found.max() < 1e-2


@pytest.mark.slow
def test_ngspice_is_converged_in_its_time_step(judge):
    some = [4, 6, 7]
    halved = spice(np.tile(CONSTANT[some], (120, 1)), DT * np.arange(1, 121), max_step=5e-9)
    assert error(halved, judge[:, some]).max() < 1e-3


def test_the_period_is_that_of_ngspice(judge):
    ours = membrane(np.tile(CONSTANT, (120, 1)))
    for k in range(len(CONSTANT)):
        expected = intervals(judge[:, k], skip=0)
        if CONSTANT[k] in FIRING[3:]:  # two spikes in 240 µs
            assert len(expected) >= 1
            assert_close(intervals(ours[:, k], skip=0), expected, rtol=5e-3, atol=0)


# Tonic firing


def test_a_constant_current_is_answered_by_steady_intervals():
    v = membrane(held(FIRING, 700))
    times = [intervals(column) for column in v.T]
    assert all(len(t) >= 2 for t in times)
    assert all(t.std() < 1e-2 * t.mean() for t in times)
    periods = [t.mean() for t in times]
    assert periods == sorted(periods, reverse=True)
    assert periods == pytest.approx([304.6e-6, 189.5e-6, 117.8e-6, 97.2e-6, 95.1e-6], rel=0.01)


def test_it_fires_from_the_diodes_peak_current_on():
    low = CIRCUIT.threshold_current
    assert low == pytest.approx(published_diode(np.linspace(0, 0.179, 100_001)).max(), rel=1e-6)
    v = membrane(held([0.99 * low, 1.01 * low], 400))
    assert v[:, 0].max() < 0.04
    assert v[:, 1].max() > 0.1


def test_a_current_far_above_the_peak_is_answered_once():
    v = membrane(held([30e-6, 60e-6], 200))
    for column in v.T:
        assert column.max() > 0.08
        assert len(intervals(column, skip=0)) == 0
        assert np.ptp(column[-50:]) < 5e-3


# The neuron

KINDS = {
    "Nanodot": ({}, (2, 5)),
    "Nanodot of one neuron": ({"beta": 0.4, "threshold": 5.0}, (3,)),
}


@pytest.mark.parametrize(
    "kind", ["Nanodot", pytest.param("Nanodot of one neuron", marks=pytest.mark.slow)]
)
def test_the_neuron_keeps_the_contract(kind):
    settings, shape = KINDS[kind]
    check_neuron(lambda **flags: snnm.Nanodot(**settings, **flags), shape)


def test_its_defaults_are_the_published_circuit():
    neuron = snnm.Nanodot()
    assert neuron.circuit.c_mem == pytest.approx(2.2e-9, rel=1e-5)
    assert float(neuron.volts(1.0)) == pytest.approx(0.119)
    assert float(neuron.volts(0.0)) == pytest.approx(-0.06)
    assert neuron.dt / neuron.substeps == pytest.approx(5e-8)


def test_kernels_equal_the_equations_as_they_are_stated():
    current = torch.rand(8, 2, 3, generator=torch.Generator().manual_seed(0)) * 1.5
    results = []
    for engine, used in (("auto", "llvmlite"), ("eager", "eager")):
        neuron, input_ = snnm.Nanodot(engine=engine), current.clone().requires_grad_()
        spk, mem = neuron.sequence(input_)
        assert neuron.engine_used == used
        states = neuron.states()
        (spk.sum() + (mem * mem).sum() + states["x"].sum()).backward()
        results.append(({"spk": spk, "mem": mem} | states, input_.grad))
    (values, grad), (expected, expected_grad) = results
    assert float(expected["x"].detach().max()) > 0.1
    for name, value in expected.items():
        # Wider than for MIF: a spike turns roundings into differences of time.
        assert_close(values[name], value, rtol=0, atol=2e-4, msg=name)
    assert_close(grad, expected_grad, rtol=0, atol=1e-3 * float(expected_grad.abs().max()))


@pytest.mark.parametrize("strength", [1e2, 1e6, -1e6, 1e20, 1e38, -3e38])
def test_huge_inputs_give_finite_states_and_finite_gradients(strength):
    neuron = snnm.Nanodot()
    input_ = torch.rand(50).requires_grad_()
    spk, mem = neuron.sequence((strength * input_).repeat(20, 1))
    (spk.sum() + mem.sum()).backward()
    for values in (spk, mem, input_.grad):
        assert values.isfinite().all()
    x = neuron.states()["x"]
    assert ((x >= 0) & (x <= 1)).all()


@pytest.mark.parametrize(("engine", "steps"), [("auto", 60), ("eager", 1)])
def test_the_gradient_is_exact(engine, steps):
    neuron = snnm.Nanodot(engine=engine).double()
    amperes = torch.linspace(21.5e-6, 22e-6, 2, dtype=torch.float64)
    input_ = (amperes / neuron.amperes(amperes.new_ones(()))).expand(steps, -1).clone()

    def run(input_):
        return neuron.sequence(input_)[1]

    assert bool((run(input_).diff(dim=0) < -0.1).any()) == (steps == 60)  # fires
    assert torch.autograd.gradcheck(run, input_.requires_grad_(), fast_mode=True)


def test_the_gradient_of_a_learned_device_is_exact():
    """Over the threshold, to where the switch is on."""
    names = ("r_on_n", "v_th_n", "tau_s", "e_td")
    settings = {"dt": 2e-7, "substeps": 4, "engine": "eager"}
    neuron = snnm.Nanodot(learn_device=names, **settings).double()
    parameters = dict(neuron.named_parameters())

    def run(*values):
        given = dict(zip(parameters, values, strict=True))
        mem = torch.full((1,), 0.98, dtype=torch.float64)
        now = torch.full((1,), 0.1, dtype=torch.float64)
        for _ in range(6):
            _, mem = torch.func.functional_call(neuron, given, (now, mem))
        return mem

    values = [p.detach().clone().requires_grad_() for p in parameters.values()]
    assert torch.autograd.gradcheck(run, values)
    assert float(neuron.states()["x"]) > 0.1


def test_it_learns_when_to_fire():
    """A weight finds the current whose second spike comes at the right time."""
    neuron = snnm.Nanodot()
    right = 22e-6 / float(neuron.amperes(1.0))
    wanted = neuron.sequence(torch.full((60, 1), right))[1].detach()
    weight = torch.tensor(1.03 * right, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=1e-4)
    for _ in range(80):
        loss = (neuron.sequence(weight.expand(60, 1))[1] - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(weight.detach()) == pytest.approx(right, rel=2e-3)


# Stochastic switching


@torch.no_grad()
def stochastic(seed, steps=75, neurons=400):
    """A stochastic neuron after ``steps`` of 22 µA, and its membrane in volts."""
    torch.manual_seed(seed)
    neuron = snnm.Nanodot(stochastic=True)
    now = 22e-6 / float(neuron.amperes(1.0))
    _, mem = neuron.sequence(torch.full((steps, neurons), now))
    return neuron, neuron.volts(mem)


def test_a_seed_makes_the_spikes():
    (_, once), (_, again), (_, other) = (stochastic(s, neurons=5) for s in (3, 3, 4))
    assert_close(once, again, rtol=0, atol=0)
    assert (once - other).abs().max() > 0.01
    assert (once[:, 0] - once[:, 1]).abs().max() > 0.01


def test_the_height_of_a_spike_is_spread_as_the_threshold_is():
    neuron, v = stochastic(0)
    peak = v.max(0).values  # of a step's end: up to 9 mV lower than between two steps
    assert 0.11 < float(peak.mean()) < 0.119
    assert float(peak.std()) == pytest.approx(AND_TS.spread, rel=0.2)
    neuron(torch.zeros(400), torch.zeros(400))  # later, who is slow to switch off is seen longer
    assert float(neuron.states()["z_h"].mean()) == pytest.approx(0, abs=0.15)
    assert float(neuron.states()["z_h"].std()) == pytest.approx(1, abs=0.1)


def test_a_threshold_is_drawn_once_per_cycle():
    neuron = snnm.Nanodot(stochastic=True)
    now, mem = torch.full((20,), 22e-6 / float(neuron.amperes(1.0))), torch.zeros(20)
    changed = []
    for _ in range(75):
        before = neuron.states(mem)
        _, mem = neuron(now, mem)
        changed.append((neuron.states(mem)["z_th"] != before["z_th"], before["x"] > 0.05))
    redrawn, was_on = (torch.stack(part) for part in zip(*changed, strict=True))
    assert redrawn[0].all()
    assert was_on.any(0).all()
    assert torch.equal(redrawn[1:], was_on[1:])


def test_the_loop_with_a_seed_is_the_sequence_with_it():
    neuron = snnm.Nanodot(stochastic=True)
    current, mem, looped = torch.rand(20, 4), torch.zeros(4), []
    torch.manual_seed(5)
    for now in current:
        _, mem = neuron(now, mem)
        looped.append(mem)
    torch.manual_seed(5)
    assert_close(neuron.sequence(current)[1], torch.stack(looped), rtol=0, atol=0)


def test_with_a_seed_the_gradient_is_that_of_the_path():
    """By the input, and by the spread of what was drawn."""
    settings = {"dt": 2e-7, "substeps": 4, "engine": "eager", "stochastic": True}
    neuron = snnm.Nanodot(learn_device=("spread",), **settings).double()

    def run(now, spread):
        torch.manual_seed(1)
        mem = torch.full((2,), 0.98, dtype=torch.float64)
        for _ in range(6):
            arguments = {"learned_spread": spread}, (now, mem)
            _, mem = torch.func.functional_call(neuron, *arguments)
        return mem

    now = torch.full((2,), 0.1, dtype=torch.float64, requires_grad=True)
    spread = torch.zeros((), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (now, spread))
    assert float(torch.autograd.grad(run(now, spread).sum(), spread)[0].abs()) > 1e-4


def test_another_circuit_has_nothing_to_draw():
    with pytest.raises(TypeError, match="Expected a NanodotCircuit, but got MottCircuit"):
        snnm.Nanodot(circuit=MottCircuit(), stochastic=True)


def test_by_default_nothing_is_drawn():
    neuron, state = snnm.Nanodot(), torch.random.get_rng_state()
    neuron.sequence(torch.ones(5, 3))
    assert torch.equal(state, torch.random.get_rng_state())
    assert set(neuron.states()) == {"v", "x"}
