"""The Mott switch and the neuron made of it: physics, tonic firing, interface, learning."""

import math
from dataclasses import replace
from functools import cache

import ngspice
import numpy as np
import pytest
import torch
from conformance import check_circuit, check_neuron, check_units
from firing import double, error, held, passages, volts
from torch.testing import assert_close

import snntorch_memristive as snnm
from snntorch_memristive.circuits import MottCircuit
from snntorch_memristive.devices import VO2
from snntorch_memristive.functional import integrate

DT = 100e-9  # s, the neuron's time step
CIRCUIT = MottCircuit()
UNLOADED = MottCircuit(r_load=1e9)
DECADE = np.geomspace(0.2e-3, 2e-3, 11)  # A: quiet, firing and hot
FIRING = np.array([0.71, 0.75, 0.8, 0.9, 1.0, 1.2, 1.4, 1.55]) * 1e-3  # A
UNLOADED_FIRING = np.geomspace(0.21e-3, 1.38e-3, 8)  # A
COOL = MottCircuit(m=replace(VO2, t_amb=293.15), r_load=1e9)  # at 20 °C it fires over a decade
COOL_FIRING = np.geomspace(0.22e-3, 2.6e-3, 8)  # A


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def membrane(current, circuit=CIRCUIT, dt=DT, **settings):
    """Membrane voltages (V) of the neuron under currents (A), both (steps, currents)."""
    return volts(snnm.Mott(circuit=circuit, dt=dt, **settings), current)


def crossings(v, dt):
    """Times (s) at which the voltage ``v`` of one neuron passes the middle of its range upwards."""
    middle = (v.max() + v[len(v) // 2 :].min()) / 2
    return passages(v, middle, dt)


def intervals(v, dt):
    """Inter-spike intervals (s) after the first two."""
    return np.diff(crossings(v, dt))[2:]


# The device


def published_resistance(t):
    """Ω at t (K): the authors' equation and values, with the loop closed (w = 0)."""
    g = 0.5 + 0.5 * np.tanh(0.252796285 * (332.805839 - t))
    return 5.35882879e-3 * np.exp(5220.47417 / t) * g + 262.5 * 4.90025335


def test_the_device_names_its_source_and_units():
    check_units(type(VO2))
    assert VO2.source.strip()


def test_its_resistance_is_the_published_one():
    x = torch.linspace(-0.5, 8, 200, dtype=torch.float64)
    assert_close(VO2.resistance(x).numpy(), published_resistance(VO2.temperature(x).numpy()))
    assert_close(VO2.temperature(double([0.0, 1.0])), double([325.0, 332.805839]))


def test_its_heat_is_the_published_one():
    x, v = torch.rand(50, dtype=torch.float64) * 5, torch.randn(50, dtype=torch.float64) * 5
    t = VO2.temperature(x).numpy()
    watts = v.numpy() ** 2 / published_resistance(t) - 0.20558726e-3 * (t - 325)
    assert_close(VO2.rate(x, v).numpy() * (332.805839 - 325), watts / 49.62776831e-12)


def test_no_current_flows_at_zero_volts_and_power_is_never_given():
    x, v = torch.rand(50, 1, dtype=torch.float64) * 5, torch.randn(50, dtype=torch.float64)
    assert not VO2.current(x, torch.zeros_like(x)).any()
    assert (VO2.current(x, v) * v > 0).all()


def test_it_cools_towards_its_surroundings_and_never_below():
    x, v = double([0.0, 0.5, 3.0]), double([0.0, 0.0, 0.0])
    assert_close(VO2.rate(x, v), -x / VO2.tau)
    assert (VO2.rate(torch.zeros(9), torch.randn(9)) > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype_are_kept_and_nothing_overflows(dtype):
    x = torch.linspace(0, 10, 5, dtype=dtype)[:, None].requires_grad_()
    v = torch.cat([s * torch.logspace(-6, 36, 43, dtype=dtype) for s in (-1, 1)]).requires_grad_()
    rate, current = VO2.rate(x, v), VO2.current(x, v)
    for values in (rate, current):
        assert values.shape == (5, 86)
        assert values.dtype == dtype
        slopes = torch.autograd.grad(values.sum(), (x, v), retain_graph=True)
        assert all(part.isfinite().all() for part in (values, *slopes))


def test_rate_and_current_pass_gradcheck():
    x = (torch.rand(6, 1, dtype=torch.float64) * 3).requires_grad_()
    v = (torch.randn(4, dtype=torch.float64) * 5).requires_grad_()
    # Numbers of order one: in SI a current would pass below gradcheck's absolute tolerance.
    assert torch.autograd.gradcheck(lambda x, v: VO2.rate(x, v) * VO2.tau, (x, v))
    assert torch.autograd.gradcheck(lambda x, v: VO2.current(x, v) * 1e3, (x, v))


def test_the_threshold_voltage_is_the_highest_that_an_insulator_bears():
    t = np.linspace(325, 332.8, 100_001)
    volts = np.sqrt(0.20558726e-3 * (t - 325) * published_resistance(t))
    assert VO2.v_threshold == pytest.approx(volts.max(), rel=1e-8)
    assert VO2.v_threshold == pytest.approx(5.918, abs=1e-3)


def test_a_threshold_per_device_is_that_of_each():
    r_m = double([500.0, 1300.0])
    each = replace(VO2, r_m=r_m).v_threshold
    assert_close(each, double([replace(VO2, r_m=r).v_threshold for r in r_m.tolist()]))


def test_a_device_that_does_not_switch_has_no_threshold():
    with pytest.raises(ValueError, match=r"Expected MottSwitch.* to switch below `t_c`"):
        _ = replace(VO2, r_m=1e9).v_threshold


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"r_0": 0.0}, r"Expected `r_0` > 0 Ω, but got 0 Ω"),
        ({"r_m": -1.0}, r"Expected `r_m` > 0 Ω, but got -1 Ω"),
        ({"e_a": math.inf}, r"Expected `e_a` > 0 K, but got inf K"),
        ({"t_w": 0.0}, r"Expected `t_w` > 0 K, but got 0 K"),
        ({"t_amb": 340.0}, r"Expected `t_c` > `t_amb`, but got t_c=332.806 K and t_amb=340 K"),
        ({"g_th": math.nan}, r"Expected `g_th` > 0 W/K, but got nan W/K"),
        ({"tau": 0.0}, r"Expected `tau` > 0 s, but got 0 s"),
    ],
)
def test_an_impossible_switch_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(VO2, **change)


# The circuit


@pytest.mark.parametrize("circuit", [CIRCUIT, UNLOADED, MottCircuit(c_mem=1e-9)])
def test_circuit_keeps_the_contract(circuit):
    check_circuit(circuit)
    assert circuit.rest() == {"v": 0.0, "x": 0.0}


def test_the_membrane_obeys_kirchhoffs_current_law():
    state = {"v": torch.randn(5, dtype=torch.float64), "x": torch.rand(5, dtype=torch.float64)}
    into_capacitor = CIRCUIT.c_mem * CIRCUIT.rate(state, double(1e-3))["v"]
    leaving = VO2.current(state["x"], state["v"]) + state["v"] / 12e3
    assert_close(into_capacitor + leaving, torch.full_like(leaving, 1e-3))


@pytest.mark.parametrize(
    ("circuit", "low", "high"), [(CIRCUIT, 0.7076e-3, 1.5738e-3), (UNLOADED, 0.2052e-3, 1.4e-3)]
)
def test_firing_currents_are_where_the_fixed_point_loses_its_stability(circuit, low, high):
    assert circuit.firing_currents() == pytest.approx((low, high), rel=1e-3)
    # The trace of the Jacobian by hand: v^2 g' = g_th + (c_th / c_mem) (g + 1 / r_load).
    t = np.linspace(325.001, 350, 500_001)
    g, slope = 1 / published_resistance(t), np.gradient(1 / published_resistance(t), t)
    v = np.sqrt(0.20558726e-3 * (t - 325) / g)
    total = g + 1 / circuit.r_load
    heats = v**2 * slope > 0.20558726e-3 + 49.62776831e-12 / circuit.c_mem * total
    current = v * total
    assert (np.diff(current) > 0).all()  # one fixed point per current
    assert circuit.firing_currents() == pytest.approx(current[heats][[0, -1]], rel=1e-4)


def test_a_load_with_several_fixed_points_is_said_to_be_too_heavy():
    with pytest.raises(ValueError, match=r"one fixed point for each current.*raise `r_load`"):
        MottCircuit(r_load=4e3).firing_currents()


def test_steps_in_which_the_hot_switch_diverges_are_refused():
    with pytest.raises(ValueError, match="Expected `substeps` >= 10 for this `beta` and `dt`"):
        snnm.Mott(0.05)
    hot = snnm.Mott(0.05, substeps=10).sequence(torch.rand(40, 200) * 3)[1]
    assert torch.isfinite(hot).all()


def test_a_capacitor_too_small_to_fire_is_said_to_be():
    with pytest.raises(ValueError, match=r"Expected a circuit that fires .* rests"):
        MottCircuit(c_mem=10e-12).firing_currents()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"r_load": 0.0}, r"Expected `r_load` > 0 Ω, but got 0 Ω"),
        ({"c_mem": -1e-12}, r"Expected `c_mem` > 0 F, but got -1e-12 F"),
    ],
)
def test_an_impossible_circuit_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        MottCircuit(**settings)


# What is lost with the loop between heating and cooling


def with_the_loop(v_in, dt=5e-9, steps=4000):
    """Membrane (V) of the authors' full model: heating and cooling branches and minor loops."""
    w, t_c, beta, gamma, t_last = 7.19357064, 332.805839, 0.252796285, 0.956269682, 324.9
    sign, offset, t_r, v, t, record = 1, 0.0, t_last, 0.0, t_last, []

    def g(t):
        z = (t - t_r) / (offset + 1e-6)
        bend = 0.5 * (1 - math.sin(gamma * z)) * (1 + math.tanh(math.pi**2 - 2 * math.pi * z))
        return 0.5 + 0.5 * math.tanh(beta * (sign * w / 2 + t_c - t - offset * bend))

    for _ in range(steps):
        heard = min(max(t, 305.0), 370.0)
        if abs(heard - t_last) > 0.01:
            if (heard > t_last) != (sign > 0):
                share = g(heard)
                sign, t_r = -sign, heard
                offset = sign * w / 2 + t_c - math.atanh(2 * share - 1) / beta - t_r
            t_last = heard
        r = 5.35882879e-3 * math.exp(5220.47417 / heard) * g(heard) + 262.5 * 4.90025335
        v_rate = (v_in / 12e3 - v / 12e3 - v / r) / 145.34619293e-12
        t_rate = (v * v / r - 0.20558726e-3 * (t - 325)) / 49.62776831e-12
        v, t = v + v_rate * dt, t + t_rate * dt
        record.append(v)
    return np.array(record)


@pytest.mark.parametrize(("v_in", "fires"), [(9.5, False), (11, True), (14, True), (16.5, False)])
def test_the_loop_narrows_the_range_and_leaves_period_and_height_much_as_they_are(v_in, fires):
    full, ours = with_the_loop(v_in), membrane(held([v_in / 12e3], 200))[:, 0]
    assert np.ptp(ours[100:]) > 4
    assert (np.ptp(full[2000:]) > 4) == fires
    if fires:
        assert intervals(full, 5e-9).mean() == pytest.approx(intervals(ours, DT).mean(), rel=0.3)
        assert full[2000:].max() == pytest.approx(ours[100:].max(), rel=0.12)
        assert full[2000:].min() == pytest.approx(ours[100:].min(), rel=0.1)


# Against ngspice


def netlist(name, current, r_load=12e3, t_amb=325):
    """The authors' circuit under currents (A) held for 100 ns each, in their symbols, w = 0.

    Nodes ``v_name``, and ``t_name``, which is T - ``t_amb`` in K: heat (W) flows as a current into
    a capacitor of C_th and a resistor of 1 / S_th.
    """
    points = [f"0 {current[0]:.12g}"]
    for k in range(1, len(current)):
        points.append(f"{k * DT:.12g} {current[k - 1]:.12g}")
        points.append(f"{k * DT + 1e-13:.16g} {current[k]:.12g}")
    v, t = f"v(v_{name})", f"(v(t_{name})+{t_amb})"
    r = (
        f"(5.35882879m*exp(5220.47417/{t})*(0.5+0.5*tanh(0.252796285*(332.805839-{t})))"
        "+262.5*4.90025335)"
    )
    return [
        f"I_{name} 0 v_{name} PWL(" + "\n+ ".join(["", *points, ")"]),
        f"C_{name} v_{name} 0 145.34619293p ic=0",
        f"R_{name} v_{name} 0 {r_load!r}",
        f"Bi_{name} v_{name} 0 I={v}/{r}",
        f"Cth_{name} t_{name} 0 49.62776831p ic=0",
        f"Rth_{name} t_{name} 0 {1 / 0.20558726e-3!r}",
        f"Bq_{name} 0 t_{name} I={v}*{v}/{r}",
    ]


def spice(currents, times, max_step=1e-9, **settings):
    """Membrane (V) and temperature (K) at ``times`` (s), each (times, currents)."""
    columns = range(currents.shape[1])
    elements = [line for k in columns for line in netlist(str(k), currents[:, k], **settings)]
    nodes = [f"{node}_{k}" for node in "vt" for k in columns]
    record = ngspice.transient(elements, nodes, times, max_step)
    v, t = (np.stack([record[f"{node}_{k}"] for k in columns], axis=1) for node in "vt")
    return v, t + settings.get("t_amb", 325)


def stimuli():
    """A decade of constant currents, and four that change at random (A)."""
    random = np.random.default_rng(0).uniform(0, 2e-3, (100, 4))
    return np.concatenate([np.tile(DECADE, (100, 1)), random], axis=1)


@pytest.fixture(scope="module")
def judge():
    return spice(stimuli(), DT * np.arange(1, 101))


def test_the_default_stays_within_half_a_percent_of_ngspice_over_a_decade_of_current(judge):
    v, t = judge
    record = integrate(CIRCUIT, double(stimuli()), DT, substeps=8, solver="rk4")
    assert error(record["v"].numpy(), v).max() < 0.5e-2
    assert error(VO2.temperature(record["x"]).numpy(), t).max() < 1.5e-2


def test_the_neuron_in_volts_is_the_circuit_in_ngspice(judge):
    assert error(membrane(stimuli()), judge[0]).max() < 0.5e-2


def test_small_substeps_arrive_at_ngspice(judge):
    assert error(membrane(stimuli(), substeps=32), judge[0]).max() < 5e-4


def test_ngspice_is_converged_in_its_time_step(judge):
    some = [6, 8, 9, 12]  # of those that fire
    halved, _ = spice(stimuli()[:, some], DT * np.arange(1, 101), max_step=0.5e-9)
    assert error(halved, judge[0][:, some]).max() < 2e-4


@pytest.mark.parametrize(
    ("current", "circuit"),
    [(FIRING, CIRCUIT), (UNLOADED_FIRING, UNLOADED), (COOL_FIRING, COOL)],
    ids=["loaded", "unloaded", "cool, a decade of current"],
)
def test_the_period_is_that_of_ngspice_wherever_it_fires(current, circuit):
    steps, fine = 1000 if circuit == COOL else 400, DT / 10
    settings = {"r_load": circuit.r_load, "t_amb": circuit.m.t_amb}
    times = fine * np.arange(1, 10 * steps + 1)
    v, _ = spice(np.tile(current, (steps, 1)), times, max_step=10e-9, **settings)
    ours = membrane(held(current, steps), circuit)
    for k in range(len(current)):
        expected = intervals(v[:, k], fine).mean()
        assert intervals(ours[:, k], DT).mean() == pytest.approx(expected, rel=1e-3)


# Tonic firing


@cache
def converged():
    """Periods (s) by steps a fifth as long as the neuron's."""
    v = membrane(held(FIRING, 3000), dt=DT / 5)
    return np.array([intervals(column, DT / 5).mean() for column in v.T])


@pytest.mark.parametrize(("substeps", "bound"), [(8, 2e-4), (2, 3e-3)])
def test_the_period_converges(substeps, bound):
    v = membrane(held(FIRING, 600), substeps=substeps)
    periods = np.array([intervals(column, DT).mean() for column in v.T])
    assert np.abs(periods / converged() - 1).max() < bound


def test_over_a_decade_of_current_intervals_are_steady():
    assert COOL_FIRING.max() > 10 * COOL_FIRING.min()
    v = membrane(held(COOL_FIRING, 2000), COOL)
    times = [intervals(column, DT) for column in v.T]
    assert all(len(t) > 5 and t.std() < 1e-3 * t.mean() for t in times)


def test_a_constant_current_is_answered_by_steady_intervals_the_shorter_the_stronger_it_is():
    v = membrane(held(FIRING, 1000))
    times = [intervals(column, DT) for column in v.T]
    assert all(t.std() < 1e-2 * t.mean() for t in times)
    rates = [1 / t.mean() for t in times]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(174e3, rel=0.02)
    assert rates[-1] == pytest.approx(506e3, rel=0.02)


def amplitude(current, circuit):
    """Peak to peak (V) of the last 20 µs of 200 µs."""
    return np.ptp(membrane(held(current, 2000), circuit)[-200:], axis=0)


@pytest.mark.parametrize("circuit", [CIRCUIT, UNLOADED, COOL], ids=["loaded", "unloaded", "cool"])
@pytest.mark.parametrize("edge", [0, 1], ids=["lowest", "highest"])
def test_the_threshold_current_found_by_bisection_is_the_analytic_one(circuit, edge):
    expected = circuit.firing_currents()[edge]
    fires, rests = (1.1 * expected, 0.9 * expected)[:: 1 - 2 * edge]
    for _ in range(9):
        middle = (fires + rests) / 2
        if amplitude([middle], circuit)[0] > 0.1:
            fires = middle
        else:
            rests = middle
    # Beyond an edge both firing and rest are stable for a little while.
    assert (fires + rests) / 2 == pytest.approx(expected, rel=2e-2 if circuit == COOL else 1e-2)


def test_too_little_and_too_much_current_end_in_rest():
    low, high = CIRCUIT.firing_currents()
    v = membrane(held([0.9 * low, 1.1 * high], 400))
    assert (np.ptp(v[-100:], axis=0) < 1e-2).all()
    assert v[-1, 1] < 0.5 * CIRCUIT.v_threshold < v[-1, 0] < CIRCUIT.v_threshold


def test_the_binary_output_is_one_around_every_spike_and_nowhere_else():
    neuron = snnm.Mott(spike="binary")
    currents = torch.tensor([0.5e-3, 1e-3, 2e-3])
    input_ = currents.expand(400, -1) / neuron.amperes(torch.tensor(1.0))
    spk, mem = neuron.sequence(input_)
    begins = (spk.diff(dim=0) > 0).sum(0)
    assert begins.tolist() == [0, 15, 1]
    assert len(crossings(mem[:, 1].detach().numpy(), DT)) in (15, 16)  # the last has only begun


# The neuron

KINDS = {
    "Mott": ({}, (2, 5)),
    "Mott of one neuron": ({"beta": 0.8, "threshold": 5.0}, (3,)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_neuron_keeps_the_contract(kind):
    settings, shape = KINDS[kind]
    check_neuron(lambda **flags: snnm.Mott(**settings, **flags), shape)


def test_its_defaults_are_the_published_circuit():
    neuron = snnm.Mott()
    assert float(neuron.beta) == pytest.approx(0.9316, abs=1e-4)
    assert neuron.circuit.c_mem == pytest.approx(145.346e-12, rel=1e-5)
    plain = snnm.MIF(circuit=MottCircuit(), dt=DT, substeps=8, solver="rk4")
    input_ = torch.rand(30, 4) * 0.3
    assert_close(neuron.sequence(input_), plain.sequence(input_), rtol=0, atol=0)


def test_with_the_switch_held_it_is_the_leaky_integrator():
    neuron = snnm.Mott(0.9, reset_mechanism="none").double()
    input_, mem = torch.rand(20, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for now in input_:
        expected = 0.9 * mem + now
        _, mem = neuron(now, mem)
        assert_close(mem, expected, rtol=1e-6, atol=0)


def both_engines():
    """Values and gradient of firing neurons, on kernels and on torch's operations."""
    current = torch.rand(60, 2, 3, generator=torch.Generator().manual_seed(0)) * 0.3
    results = []
    for engine, used in (("auto", "llvmlite"), ("eager", "eager")):
        neuron = snnm.Mott(engine=engine)
        input_ = current.clone().requires_grad_()
        spk, mem = neuron.sequence(input_)
        assert neuron.engine_used == used
        states = neuron.states()
        (spk.sum() + (mem * mem).sum() + states["x"].sum()).backward()
        results.append(({"spk": spk, "mem": mem} | states, input_.grad))
    return results


def test_kernels_equal_the_equations_as_they_are_stated():
    (values, grad), (expected, expected_grad) = both_engines()
    for name, value in expected.items():
        # Wider than for MIF: a spike turns roundings into differences of time.
        assert_close(values[name], value, rtol=0, atol=2e-4, msg=name)
    assert_close(grad, expected_grad, rtol=0, atol=1e-3 * float(expected_grad.abs().max()))


@pytest.mark.parametrize("strength", [1e2, 1e6, -1e6, 1e20, 1e38, -3e38])
def test_huge_inputs_give_finite_states_and_finite_gradients(strength):
    neuron = snnm.Mott()
    input_ = torch.rand(50).requires_grad_()
    spk, mem = neuron.sequence((strength * input_).repeat(20, 1))
    (spk.sum() + mem.sum()).backward()
    for values in (spk, mem, input_.grad):
        assert values.isfinite().all()
    assert (neuron.states()["x"] >= 0).all()


# Gradients


@pytest.mark.parametrize(("engine", "steps"), [("auto", 1), ("auto", 30), ("eager", 3)])
def test_the_gradient_is_exact(engine, steps):
    neuron = snnm.Mott(engine=engine).double()
    input_ = torch.linspace(0.15, 0.2, 3, dtype=torch.float64).expand(steps, -1).clone()

    def run(input_):
        return neuron.sequence(input_)[1]

    has_fired = bool((run(input_).diff(dim=0) < -0.1).any(0).all())
    assert has_fired == (steps == 30)
    assert torch.autograd.gradcheck(run, input_.requires_grad_(), fast_mode=True)


def test_the_gradient_of_a_learned_device_is_exact():
    names = ("r_0", "r_m", "tau", "r_load")
    neuron = snnm.Mott(learn_beta=True, learn_device=names, engine="eager").double()
    parameters = dict(neuron.named_parameters())

    def run(*values):
        given = dict(zip(parameters, values, strict=True))
        mem = torch.zeros(1, dtype=torch.float64)
        for _ in range(8):  # over the threshold and half-way back
            now = torch.full((1,), 0.4, dtype=torch.float64)
            _, mem = torch.func.functional_call(neuron, given, (now, mem))
        return mem

    values = [p.detach().clone().requires_grad_() for p in parameters.values()]
    assert len(values) == 5
    assert torch.autograd.gradcheck(run, values)


def sensitivities(input_, window):
    """Largest |d mem / d input| in ``window`` steps, of a kick at the first step and of a shift."""
    neuron, small = snnm.Mott().double(), 1e-7
    kick = torch.zeros_like(input_)
    kick[0] = small
    found = []
    for change in (kick, torch.full_like(input_, small)):
        with torch.no_grad():
            high, low = (neuron.sequence(input_ + s * change)[1] for s in (1, -1))
        found.append(float(((high - low)[window] / (2 * small)).abs().max()))
    return found


def test_over_a_long_sequence_a_kick_is_not_amplified_and_a_shift_grows_as_time():
    """A limit cycle keeps its phase's error, and a longer period adds to it, cycle by cycle."""
    input_ = torch.linspace(0.09, 0.16, 8, dtype=torch.float64).expand(1600, -1)
    early, late = slice(180, 220), slice(1560, 1600)
    assert sensitivities(input_, late)[0] < 2 * sensitivities(input_, early)[0] < 12
    growth = sensitivities(input_, late)[1] / sensitivities(input_, early)[1]
    assert 4 < growth < 16  # eight times as late


def test_below_threshold_it_forgets():
    input_ = torch.linspace(0.02, 0.07, 8, dtype=torch.float64).expand(400, -1)
    kick, shift = sensitivities(input_, slice(380, 400))
    assert kick < 1e-6
    assert shift < 15  # 1 / (1 - beta)


def test_it_learns_when_to_fire():
    """A weight finds the rate of 400 kHz: four spikes in 10 µs, told from the last membrane."""
    neuron = snnm.Mott()
    wanted = neuron.sequence(torch.full((60, 1), 0.12))[1].detach()
    weight = torch.tensor(0.11, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=1e-3)
    for _ in range(60):
        loss = (neuron.sequence(weight.expand(60, 1))[1] - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(weight.detach()) == pytest.approx(0.12, abs=1e-3)
