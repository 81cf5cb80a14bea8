"""One-step maps: order, exactness, bounds and gradients."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor
from torch.testing import assert_close

from snntorch_memristive import functional
from snntorch_memristive.circuits import AlphaMIFCircuit, Circuit, MIFCircuit
from snntorch_memristive.relaxation import Equation, Relaxation, State, rates
from snntorch_memristive.solvers import EULER, EXPONENTIAL, SOLVERS, SYMMETRIC, relax

DT = 1e-6  # s, one time step
CIRCUITS = {"MIF": MIFCircuit(), "AlphaMIF": AlphaMIFCircuit()}
SPLITTINGS = ["exponential", "symmetric"]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def double(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


# Order

STEPS_PER_DT = {  # small enough for the leading error, large enough to be above rounding
    "exponential": (128, 256, 512, 1024),
    "magnus": (64, 128, 256, 512),
    "symmetric": (64, 128, 256, 512),
    "euler": (128, 256, 512, 1024),
    "rk4": (64, 96, 128, 192),
}


def web() -> tuple[Equation, ...]:
    """Four states in three groups, each driving or quenching the others: non-linear."""

    def first(state: State, input_: Tensor) -> dict[str, Relaxation]:
        return {"a": Relaxation(drive=input_ + state["d"], decay=1 + state["b"] ** 2)}

    def second(state: State, input_: Tensor) -> dict[str, Relaxation]:
        return {
            "b": Relaxation(drive=state["a"] ** 2, decay=0.5 + state["d"]),
            "c": Relaxation(drive=state["a"].sin() + 1, decay=input_ * state["a"]),
        }

    def third(state: State, input_: Tensor) -> dict[str, Relaxation]:
        return {"d": Relaxation(drive=state["b"] * state["c"], decay=0.3 + state["a"])}

    return first, second, third


def slope_of_log_error(errors: Sequence[float], steps: Sequence[int]) -> float:
    return -np.polyfit(np.log(steps), np.log(errors), 1)[0]


def exact(
    equations: Sequence[Equation], state: State, inputs: Sequence[Tensor], dt: float
) -> State:
    """``state`` after every input has been held for ``dt``, by scipy."""
    names = list(state)

    def slope(_: float, values: np.ndarray, input_: Tensor) -> list[float]:
        slopes = rates(equations, dict(zip(names, torch.from_numpy(values), strict=True)), input_)
        return [float(slopes[name]) for name in names]

    values = np.array([float(state[name]) for name in names])
    for input_ in inputs:
        run = solve_ivp(slope, (0, dt), values, "DOP853", args=(input_,), rtol=1e-13, atol=1e-20)
        values = run.y[:, -1]
    return dict(zip(names, torch.from_numpy(values), strict=True))


def largest_error(got: State, wanted: State, scale: dict[str, float]) -> float:
    return max(float((got[name] - wanted[name]).abs()) / scale[name] for name in scale)


@pytest.mark.parametrize("solver", SOLVERS)
def test_order_on_a_non_linear_web(solver):
    start = {"a": double(0.4), "b": double(1.0), "c": double(0.2), "d": double(1.5)}
    inputs, held, steps = [double(0.7), double(2.0)], 0.8, (16, 32, 64, 128)
    wanted = exact(web(), start, inputs, held)
    errors = []
    for n in steps:
        state = start
        for input_ in inputs:
            for _ in range(n):
                state = SOLVERS[solver].step(web(), state, input_, held / n)
        errors.append(largest_error(state, wanted, dict.fromkeys(start, 1.0)))
    assert slope_of_log_error(errors, steps) == pytest.approx(SOLVERS[solver].order, abs=0.15)


@pytest.mark.parametrize("circuit", CIRCUITS.values(), ids=CIRCUITS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_order_on_a_spiking_circuit(solver, circuit):
    scale = {"a": 10e-6, "i_syn": 10e-6, "v": 0.1, "x1": 1.0, "x2": 1.0}
    scale = {name: scale[name] for name in circuit.states}
    inputs = [double(i_in) for i_in in (60e-6, 5e-6, 20e-6)]
    # Already under current, so that the filter of the alpha circuit has something to pass on.
    start = {name: double(value) for name, value in circuit.rest().items()}
    start |= {name: double(40e-6) for name in ("a", "i_syn") if name in start}
    wanted = exact(circuit.equations(), start, inputs, DT)
    errors = []
    for n in STEPS_PER_DT[solver]:
        record = functional.integrate(circuit, torch.stack(inputs), DT, start, n, solver)
        final = {name: values[-1] for name, values in record.items()}
        errors.append(largest_error(final, wanted, scale))
    slope = slope_of_log_error(errors, STEPS_PER_DT[solver])
    assert slope == pytest.approx(SOLVERS[solver].order, abs=0.15)


# Exactness


@pytest.mark.parametrize("dt", [1e-9, 1e-3, 1.0, 1e3])
def test_relax_is_exact_for_a_linear_equation(dt):
    state, drive, decay = torch.randn(3, 7, dtype=torch.float64).unbind()
    decay = decay.abs() + 0.1
    moved = relax(state, Relaxation(drive, decay), dt)
    forgotten = torch.exp(-decay * dt)
    assert_close(moved, state * forgotten + drive / decay * (1 - forgotten), rtol=1e-13, atol=1e-15)


def test_relax_moves_by_the_rate_in_a_step_too_short_for_one_plus_its_size():
    # exp(-1e-18) is 1 in float64: only expm1 sees the step.
    moved = relax(double(0.0), Relaxation(drive=3.0, decay=1.0), 1e-18)
    assert_close(moved, double(3e-18), rtol=1e-14, atol=0)


def linear(state: State, input_: Tensor) -> dict[str, Relaxation]:
    return {"a": Relaxation(drive=input_, decay=2.0)}


@pytest.mark.parametrize("solver", [EXPONENTIAL, SYMMETRIC])
@pytest.mark.parametrize("dt", [1e-3, 1.0, 1e3])
def test_splitting_solvers_are_exact_for_a_linear_equation(solver, dt):
    moved = solver.step([linear], {"a": double(5.0)}, double(3.0), dt)
    assert_close(moved["a"], 1.5 + 3.5 * torch.exp(double(-2.0 * dt)), rtol=1e-14, atol=0)


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_a_solver_leaves_states_that_no_equation_names_alone(solver):
    bystander = torch.randn(3)
    moved = solver.step([linear], {"a": torch.zeros(3), "b": bystander}, torch.ones(3), 0.1)
    assert set(moved) == {"a", "b"}
    assert moved["b"] is bystander
    assert (moved["a"] > 0).all()


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_a_solver_does_not_edit_the_state_it_is_given(solver):
    state = {name: torch.full((3,), value) for name, value in MIFCircuit().rest().items()}
    before = {name: value.clone() for name, value in state.items()}
    solver.step(MIFCircuit().equations(), state, torch.full((3,), 20e-6), DT)
    assert_close(state, before, rtol=0, atol=0)


@pytest.mark.parametrize("solver", SOLVERS)
def test_held_memristors_do_not_move(solver):
    i_in = torch.full((20, 1), 50e-6)
    record = functional.integrate(MIFCircuit(), i_in, DT, solver=solver, hold_memristors=True)
    rest = MIFCircuit().rest()
    for name in ("x1", "x2"):
        assert_close(record[name], torch.full((20, 1), rest[name]), rtol=0, atol=0)
    assert record["v"].std() > 0.1


# Bounds


def strong_currents() -> Tensor:
    """Held, jumping, random and short currents up to a million times normal, (200, 4, 8)."""
    k = torch.arange(200)
    shapes = [
        torch.ones(200),
        -torch.ones(200),
        (-1.0) ** k,
        (-1.0) ** (k // 10),
        torch.rand(200),
        2 * torch.rand(200) - 1,
        (k == 5).float(),
        (k % 50 < 10).float(),
    ]
    largest = torch.tensor([30e-6, 3e-3, 0.3, 30.0])
    return largest[:, None] * torch.stack(shapes, dim=1)[:, None, :]


@pytest.mark.parametrize("substeps", [1, 4])
@pytest.mark.parametrize("solver", SPLITTINGS)
@pytest.mark.parametrize("circuit", CIRCUITS.values(), ids=CIRCUITS)
def test_every_finite_current_leaves_states_bounded_and_gradients_finite(circuit, solver, substeps):
    i_in = strong_currents().requires_grad_()

    def per_neuron(value: float) -> Tensor:
        return torch.full_like(i_in[0], value, requires_grad=True)

    start = {name: per_neuron(value) for name, value in circuit.rest().items()}
    c_mem, tau = per_neuron(circuit.c_mem), per_neuron(circuit.m1.tau)
    learned = replace(circuit, c_mem=c_mem, m1=replace(circuit.m1, tau=tau))
    record = functional.integrate(learned, i_in, DT, start, substeps, solver)
    for name in ("x1", "x2"):
        assert record[name].min() >= -1e-6
        assert record[name].max() <= 1 + 1e-6
    # The current through the least conductance, 20 µS, and the source drive v no further.
    reach = i_in.detach().abs().amax(0) / 20e-6 * (1 + 1e-5) + 50e-3
    assert (record["v"].abs() <= reach).all()
    assert all(values.isfinite().all() for values in record.values())
    outcome = torch.stack(list(record.values())).sum()
    for gradient in torch.autograd.grad(outcome, [i_in, *start.values(), c_mem, tau]):
        assert gradient.isfinite().all()


@pytest.mark.parametrize(("x", "stays"), [(0.08, True), (0.10, False)])
def test_forward_euler_diverges_once_the_memristors_are_18_percent_on(x, stays):
    # One sub-step of the MEMprop code: 1 µs is two membrane time constants at x1 + x2 = 0.18.
    circuit, i_in = MIFCircuit(), torch.full((400,), 100e-6, dtype=torch.float64)
    state = {"v": double(0.0), "x1": double(x), "x2": double(x)}
    v = functional.integrate(circuit, i_in, DT, state, 1, "euler", hold_memristors=True)["v"]
    g = 2 * circuit.m1.conductance(x)
    settled = (i_in[0] + g / 2 * circuit.e2) / g
    assert bool((v[-1] - settled).abs() < 0.01 * settled) is stays
    if not stays:
        assert v[-1].abs() > 100 * settled


@pytest.mark.parametrize("i_in", [20e-6, 60e-6, 100e-6])
def test_forward_euler_diverges_in_a_strong_drive_where_splitting_does_not(i_in):
    circuit, i_in = MIFCircuit(), torch.full((200,), i_in)
    euler = functional.integrate(circuit, i_in, DT, substeps=1, solver="euler")
    split = functional.integrate(circuit, i_in, DT, substeps=1)
    assert (split["x1"] + split["x2"]).max() > 0.18
    assert not euler["v"][-1].isfinite()
    assert split["v"].abs().max() < 1.5


# Gradients


@pytest.mark.parametrize("circuit", CIRCUITS.values(), ids=CIRCUITS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_gradients_of_a_step(solver, circuit):
    unit = {"a": 10e-6, "i_syn": 10e-6, "v": 0.1, "x1": 1.0, "x2": 1.0}

    def step(i_in: Tensor, tau: Tensor, c_mem: Tensor, e2: Tensor, *values: Tensor) -> tuple:
        # Numbers near one, so that the finite differences of gradcheck fit all of them.
        state = {n: s * unit[n] for n, s in zip(circuit.states, values, strict=True)}
        driven = replace(
            circuit,
            m2=replace(circuit.m2, tau=tau * circuit.m2.tau),
            c_mem=c_mem * circuit.c_mem,
            e2=e2 * circuit.e2,
        )
        # A step that every solver, the paper's too, takes without diverging.
        moved = functional.step(driven, state, i_in * 10e-6, DT, substeps=8, solver=solver)
        return tuple(moved[name] / unit[name] for name in circuit.states)

    near_one = [0.5 + torch.rand(3, dtype=torch.float64) for _ in range(4)]
    state = [torch.rand(3, dtype=torch.float64) * 0.8 + 0.1 for _ in circuit.states]
    inputs = [tensor.requires_grad_() for tensor in (*near_one, *state)]
    assert torch.autograd.gradcheck(step, inputs)


# Refusals


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"dt": 0.0}, "Expected `dt` > 0 s, but got 0 s."),
        ({"dt": -1e-6}, "Expected `dt` > 0 s, but got -1e-06 s."),
        ({"dt": math.nan}, "Expected `dt` > 0 s, but got nan s."),
        ({"dt": math.inf}, "Expected `dt` > 0 s, but got inf s."),
        ({"substeps": 0}, "Expected `substeps` to be a whole number >= 1, but got 0."),
        ({"substeps": -4}, "Expected `substeps` to be a whole number >= 1, but got -4."),
        ({"substeps": 2.0}, "Expected `substeps` to be a whole number >= 1, but got 2.0."),
        (
            {"solver": "heun"},
            "Expected `solver` to be one of 'magnus', 'exponential', 'symmetric', 'euler', 'rk4', "
            "but got 'heun'.",
        ),
    ],
)
def test_impossible_settings_are_refused_in_one_sentence(settings, sentence):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 (the whole sentence is compared)
        functional.integrate(MIFCircuit(), torch.zeros(3, 2), **({"dt": DT} | settings))
    assert str(refusal.value) == sentence


# Rest

RESTING: dict[str, Circuit] = CIRCUITS | {"MIF of other sources": MIFCircuit(e1=-20e-3, e2=0.1)}


@pytest.mark.parametrize("circuit", RESTING.values(), ids=RESTING)
def test_rest_does_not_move(circuit):
    rest = {name: double(value) for name, value in circuit.rest().items()}
    for name, rate in circuit.rate(rest, double(0.0)).items():
        assert float(rate) * DT == pytest.approx(0, abs=1e-15), name


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("circuit", RESTING.values(), ids=RESTING)
def test_a_thousand_steps_without_input_stay_at_rest(circuit, solver):
    record = functional.integrate(
        circuit, torch.zeros(1000, dtype=torch.float64), DT, substeps=1, solver=solver
    )
    for name, value in circuit.rest().items():
        stayed = torch.full_like(record[name], value)
        assert_close(record[name], stayed, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_nudged_circuit_comes_back_to_rest(solver):
    circuit = MIFCircuit()
    state = {name: double(value) for name, value in circuit.rest().items()}
    state["v"] = state["v"] + 10e-3
    i_in = torch.zeros(1000, dtype=torch.float64)
    record = functional.integrate(circuit, i_in, DT, state, substeps=1, solver=solver)
    assert record["v"][-1] == pytest.approx(circuit.rest()["v"], abs=1e-5)


def test_an_equation_solved_by_hand_agrees_with_one_euler_step():
    # The one solver whose step can be written down: the circuit's rate times the step.
    circuit, i_in = MIFCircuit(), double(20e-6)
    state = {"v": double(0.05), "x1": double(0.2), "x2": double(0.1)}
    moved = EULER.step(circuit.equations(), state, i_in, DT)
    g1, g2 = 0.2 / 1e3 + 0.8 / 100e3, 0.1 / 1e3 + 0.9 / 100e3
    slope = (20e-6 - g1 * 0.05 - g2 * (0.05 - 0.05)) / 100e-12
    assert_close(moved["v"], double(0.05 + slope * DT), rtol=1e-14, atol=0)
