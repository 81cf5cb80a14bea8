"""The membrane and the memristors against ngspice, which solves hand-written netlists."""

from functools import cache

import ngspice
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import snntorch_memristive as snnm
from snntorch_memristive import functional
from snntorch_memristive.circuits import (
    AlphaMIFCircuit,
    Circuit,
    LoadedMIFCircuit,
    MIFCircuit,
)

DT = ngspice.DT
STEPS = 200
ENDS = DT * np.arange(1, STEPS + 1)  # s, just before the next current
MAX_STEP = 10e-9  # s; halving it changes nothing, see the test of it


def random(low: float, high: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, STEPS)


def half_sines(periods: int) -> np.ndarray:
    return 20e-6 * np.abs(np.sin(periods * np.pi * (np.arange(STEPS) + 0.5) / STEPS))


def bursts(on: int, off: int) -> np.ndarray:
    return np.where(np.arange(STEPS) % (on + off) < on, 60e-6, 0.0)


STIMULI = {
    **{f"0 to 30 uA, seed {seed}": random(0, 30e-6, seed) for seed in range(3)},
    **{f"0 to 100 uA, seed {seed}": random(0, 100e-6, seed) for seed in range(3)},
    **{f"-30 to 30 uA, seed {seed}": random(-30e-6, 30e-6, seed) for seed in range(3)},
    "half-sine of 200 steps": half_sines(1),
    "half-sines of 50 steps": half_sines(4),
    "bursts, 10 on 40 off": bursts(10, 40),
    "bursts, 3 on 17 off": bursts(3, 17),
    "single steps, 1 on 9 off": bursts(1, 9),
}
ALPHA_STIMULUS = random(0, 100e-6, 3)

FOUR_SUBSTEPS = 0.5e-2
"""Share of the voltage range, at every step end, that the default settings keep within."""
EIGHT_SUBSTEPS = 0.1e-2


def states_of(
    netlist: list[str], names: list[str], states: tuple[str, ...], max_step: float
) -> dict[str, dict[str, np.ndarray]]:
    nodes = [f"{state.replace('_', '')}_{name}" for name in names for state in states]
    volts = ngspice.transient(netlist, nodes, ENDS, max_step)
    return {
        name: {state: volts[f"{state.replace('_', '')}_{name}"] for state in states}
        for name in names
    }


def ngspice_mif(stimuli: dict[str, np.ndarray], max_step: float) -> dict[str, dict]:
    rest, names = MIFCircuit().rest(), [str(k) for k in range(len(stimuli))]
    netlist = [
        line
        for name, current in zip(names, stimuli.values(), strict=True)
        for line in ngspice.mif(name, current, rest)
    ]
    record = states_of(netlist, names, MIFCircuit.states, max_step)
    return {stimulus: record[name] for stimulus, name in zip(stimuli, names, strict=True)}


@pytest.fixture(scope="module")
def spice() -> dict[str, dict[str, np.ndarray]]:
    return ngspice_mif(STIMULI, MAX_STEP)


@cache
def package(**settings: int | str) -> dict[str, dict[str, np.ndarray]]:
    currents = torch.from_numpy(np.stack(list(STIMULI.values()), axis=1))
    record = functional.integrate(MIFCircuit(), currents, DT, **settings)
    return {
        stimulus: {state: record[state][:, k].numpy() for state in record}
        for k, stimulus in enumerate(STIMULI)
    }


def error(got: np.ndarray, wanted: np.ndarray) -> float:
    """Largest difference as a share of the wanted range."""
    return np.abs(got - wanted).max() / np.ptp(wanted)


@pytest.mark.parametrize("stimulus", STIMULI)
def test_four_substeps_stay_within_half_a_percent_of_ngspice(spice, stimulus):
    assert error(package()[stimulus]["v"], spice[stimulus]["v"]) < FOUR_SUBSTEPS


@pytest.mark.parametrize("stimulus", STIMULI)
def test_eight_substeps_stay_within_a_tenth_of_a_percent_of_ngspice(spice, stimulus):
    assert error(package(substeps=8)[stimulus]["v"], spice[stimulus]["v"]) < EIGHT_SUBSTEPS


@pytest.mark.parametrize("solver", ["exponential", "symmetric"])
@pytest.mark.parametrize("stimulus", STIMULI)
def test_the_cheaper_solvers_come_close_too(spice, stimulus, solver):
    record = package(solver=solver)[stimulus]  # benchmarks/accuracy.py has how close
    assert error(record["v"], spice[stimulus]["v"]) < FOUR_SUBSTEPS


@pytest.mark.parametrize("memristor", ["x1", "x2"])
@pytest.mark.parametrize("stimulus", STIMULI)
def test_memristors_follow_ngspice(spice, stimulus, memristor):
    difference = package()[stimulus][memristor] - spice[stimulus][memristor]
    assert np.abs(difference).max() < 0.005


@pytest.mark.parametrize("stimulus", STIMULI)
def test_small_substeps_arrive_at_ngspice(spice, stimulus):
    fine = package(substeps=32, solver="rk4")[stimulus]
    assert error(fine["v"], spice[stimulus]["v"]) < 1e-4
    assert np.abs(fine["x1"] - spice[stimulus]["x1"]).max() < 1e-4
    assert np.abs(fine["x2"] - spice[stimulus]["x2"]).max() < 1e-4


@pytest.mark.parametrize("stimulus", STIMULI)
def test_the_neuron_in_volts_is_the_circuit_in_ngspice(spice, stimulus):
    neuron = snnm.MIF()
    currents = torch.from_numpy(STIMULI[stimulus]).float()
    mem, volts = None, []
    for input_ in currents / neuron.amperes(torch.tensor(1.0)):
        _, mem = neuron(input_, mem)
        volts.append(neuron.volts(mem).item())
    assert mem.dtype == torch.float32
    assert error(np.array(volts), spice[stimulus]["v"]) < FOUR_SUBSTEPS


@pytest.fixture(scope="module")
def alpha_spice() -> dict[str, np.ndarray]:
    circuit = AlphaMIFCircuit()
    netlist = ngspice.alpha_mif("0", ALPHA_STIMULUS, circuit.rest())
    record = states_of(netlist, ["0"], circuit.states, MAX_STEP)["0"]
    currents = {name: record[name] / ngspice.AMPERE for name in ("a", "i_syn")}
    return record | currents


@pytest.mark.parametrize(
    ("solver", "bound"),
    [
        ("magnus", EIGHT_SUBSTEPS),
        ("exponential", EIGHT_SUBSTEPS),
        ("symmetric", EIGHT_SUBSTEPS),
    ],
)
def test_four_substeps_of_the_alpha_circuit_stay_close_to_ngspice(alpha_spice, solver, bound):
    record = functional.integrate(
        AlphaMIFCircuit(), torch.from_numpy(ALPHA_STIMULUS), DT, solver=solver
    )
    assert error(record["v"].numpy(), alpha_spice["v"]) < bound


@pytest.mark.parametrize("solver", ["magnus", "exponential", "symmetric"])
def test_the_other_states_of_the_alpha_circuit_follow_ngspice(alpha_spice, solver):
    record = functional.integrate(
        AlphaMIFCircuit(), torch.from_numpy(ALPHA_STIMULUS), DT, solver=solver
    )
    # A splitting may show a filtered current half a sub-step early or late.
    assert error(record["a"].numpy(), alpha_spice["a"]) < 0.5e-2
    assert error(record["i_syn"].numpy(), alpha_spice["i_syn"]) < 0.5e-2
    for memristor in ("x1", "x2"):
        assert np.abs(record[memristor].numpy() - alpha_spice[memristor]).max() < 0.005


COLUMNS = {"light": 1e-7, "as conductive as the neuron": 2e-6, "heavy": 2e-5}
"""Mean conductance (S) of 2 x 16 cells that are tied to the membrane."""


@pytest.fixture(scope="module")
def tied_spice() -> dict[str, tuple]:
    """What goes into the package, and what ngspice makes of it, by column."""
    random, tied, netlist = np.random.default_rng(4), {}, []
    for name, (column, mean) in enumerate(COLUMNS.items()):
        g = random.uniform(0.1, 1.9, (2, 16)) * mean
        peak = 1e-4 / mean / 16  # V, for some 50 µA
        v_in = random.uniform(0, 1, (STEPS, 16)) * peak
        circuit = LoadedMIFCircuit(r_load=float(1 / g.sum()), e_load=20e-3 * name)
        netlist += ngspice.tied_mif(str(name), v_in, 20e-3 * name, g, circuit.rest())
        tied[column] = circuit, torch.from_numpy(v_in @ (g[0] - g[1]))
    names = [str(name) for name in range(len(COLUMNS))]
    record = states_of(netlist, names, MIFCircuit.states, MAX_STEP)
    return {c: (*tied[c], record[name]) for c, name in zip(COLUMNS, names, strict=True)}


@pytest.mark.parametrize("solver", ["magnus", "exponential", "symmetric"])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_load_is_a_column_of_cells_in_ngspice(tied_spice, column, solver):
    circuit, currents, spice = tied_spice[column]
    record = functional.integrate(circuit, currents, DT, solver=solver)
    assert error(record["v"].numpy(), spice["v"]) < FOUR_SUBSTEPS
    for memristor in ("x1", "x2"):
        assert np.abs(record[memristor].numpy() - spice[memristor]).max() < 0.005


# Is the judge itself right?

JUDGED = ["0 to 100 uA, seed 0", "-30 to 30 uA, seed 1", "bursts, 10 on 40 off"]


def test_ngspice_is_converged_in_its_time_step(spice):
    halved = ngspice_mif({stimulus: STIMULI[stimulus] for stimulus in JUDGED}, MAX_STEP / 2)
    for stimulus in JUDGED:
        assert error(halved[stimulus]["v"], spice[stimulus]["v"]) < 5e-5


@pytest.mark.parametrize("stimulus", JUDGED)
def test_lsoda_on_the_circuits_rates_agrees_with_ngspice(spice, stimulus):
    volts = lsoda(MIFCircuit(), STIMULI[stimulus])[:, 0]
    assert error(volts, spice[stimulus]["v"]) < 5e-5


def lsoda(circuit: Circuit, currents: np.ndarray) -> np.ndarray:
    def slope(_: float, values: np.ndarray, i_in: torch.Tensor) -> np.ndarray:
        state = dict(zip(circuit.states, torch.from_numpy(values), strict=True))
        rate = circuit.rate(state, i_in)
        return np.array([float(rate[name]) for name in circuit.states])

    values, record = np.array(list(circuit.rest().values())), []
    for i_in in torch.from_numpy(currents):
        # Every step anew: the current jumps between them.
        run = solve_ivp(slope, (0, DT), values, "LSODA", args=(i_in,), rtol=1e-8, atol=1e-11)
        values = run.y[:, -1]
        record.append(values)
    return np.stack(record)
