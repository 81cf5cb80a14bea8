"""Physics of one neuron."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest
import torch
from conformance import check_circuit
from torch.testing import assert_close

import snntorch_memristive as snnm
from snntorch_memristive.circuits import (
    AlphaMIFCircuit,
    BiexponentialMIFCircuit,
    Circuit,
    LoadedMIFCircuit,
    MIFCircuit,
    SynapticMIFCircuit,
)
from snntorch_memristive.devices import KNOWM_IDEAL, KNOWM_LTSPICE, KNOWM_XYCE, MEMPROP, MSS
from snntorch_memristive.relaxation import Relaxation
from snntorch_memristive.units import Farad, Ohm, Second

CIRCUITS = {
    "MIF": MIFCircuit(),
    "MIF of Knowm's devices": MIFCircuit(m1=KNOWM_LTSPICE, m2=KNOWM_IDEAL),
    "MIF of other sources": MIFCircuit(e1=-20e-3, e2=100e-3, c_mem=1e-9),
    "AlphaMIF": AlphaMIFCircuit(),
    "AlphaMIF with a fast filter": AlphaMIFCircuit(tau_alpha=2e-6),
    "SynapticMIF": SynapticMIFCircuit(),
    "SynapticMIF that leads": SynapticMIFCircuit(tau_syn=5e-6, lead=0.5e-6),
    "BiexponentialMIF": BiexponentialMIFCircuit(lead=3e-6),
    "LoadedMIF": LoadedMIFCircuit(),
    "LoadedMIF with a heavy load": LoadedMIFCircuit(r_load=1e3, e_load=30e-3),
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", CIRCUITS)
def test_circuit_keeps_the_contract(name):
    check_circuit(CIRCUITS[name])


def test_the_memprop_circuit_rests_at_18_millivolts():
    rest = MIFCircuit().rest()
    assert rest["v"] == pytest.approx(18.3e-3, rel=5e-3)
    assert 0 < rest["x2"] < rest["x1"] < 0.01


def test_a_circuit_with_a_capacitor_per_neuron_rests_where_any_of_them_does():
    each = MIFCircuit(c_mem=torch.tensor([50e-12, 100e-12, 200e-12])).rest()
    for name, value in MIFCircuit().rest().items():
        rest = torch.as_tensor(each[name], dtype=torch.float64).expand(3)
        assert_close(rest, torch.full_like(rest, value), rtol=1e-5, atol=0)


@pytest.mark.parametrize("i_in", [0.0, 20e-6, -5e-6])
def test_the_membrane_obeys_kirchhoffs_current_law(i_in):
    circuit = MIFCircuit()
    state = {name: torch.rand(5, dtype=torch.float64) for name in circuit.states}
    into_capacitor = circuit.c_mem * circuit.rate(state, torch.tensor(i_in))["v"]
    through_1 = circuit.m1.current(state["x1"], state["v"] - circuit.e1)
    through_2 = circuit.m2.current(state["x2"], state["v"] - circuit.e2)
    assert_close(into_capacitor + through_1 + through_2, torch.full_like(through_1, i_in))


def test_each_memristor_feels_the_voltage_across_itself():
    circuit = MIFCircuit(m2=KNOWM_IDEAL, e1=30e-3, e2=-70e-3)
    state = {name: torch.rand(5, dtype=torch.float64) for name in circuit.states}
    rate = circuit.rate(state, torch.zeros(5))
    assert_close(rate["x1"], MEMPROP.rate(state["x1"], state["v"] - 30e-3))
    assert_close(rate["x2"], KNOWM_IDEAL.rate(state["x2"], state["v"] + 70e-3))


def test_the_alpha_filter_answers_a_pulse_of_charge_with_an_alpha_function():
    circuit = AlphaMIFCircuit(tau_alpha=50e-6)
    charge, dt = 1e-11, 0.05e-6  # C, s; short Euler steps are exact enough here
    state = {n: torch.zeros((), dtype=torch.float64) for n in circuit.states}
    state["a"] += charge / circuit.tau_alpha  # what the pulse leaves in the first stage
    none = torch.zeros((), dtype=torch.float64)
    arrived = []
    for _ in range(4000):
        rate = circuit.rate(state, none)
        state["a"], state["i_syn"] = (state[n] + dt * rate[n] for n in ("a", "i_syn"))
        arrived.append(state["i_syn"])
    t = dt * torch.arange(1, 4001, dtype=torch.float64)
    expected = charge * t / circuit.tau_alpha**2 * torch.exp(-t / circuit.tau_alpha)
    assert_close(torch.stack(arrived), expected, rtol=0, atol=2e-3 * float(expected.max()))


def test_the_alpha_filter_settles_at_a_constant_current():
    circuit, i_in = AlphaMIFCircuit(), torch.tensor(7e-6, dtype=torch.float64)
    rate = circuit.rate(dict.fromkeys(circuit.states, i_in), i_in)
    assert_close(torch.stack([rate["a"], rate["i_syn"]]), torch.zeros(2, dtype=torch.float64))


def test_the_membrane_behind_the_filter_is_fed_by_its_second_stage_alone():
    circuit = AlphaMIFCircuit()
    state = {name: torch.rand(5, dtype=torch.float64) for name in circuit.states}
    rate = circuit.rate(state, torch.rand(5, dtype=torch.float64))
    plain = MIFCircuit().rate({n: state[n] for n in MIFCircuit.states}, state["i_syn"])
    assert_close({name: rate[name] for name in plain}, plain)


def test_a_load_takes_the_current_that_ohms_law_gives_it():
    plain = MIFCircuit(c_mem=50e-12)
    loaded = LoadedMIFCircuit(r_load=20e3, e_load=40e-3, c_mem=50e-12)
    state = {name: torch.rand(5, dtype=torch.float64) for name in plain.states}
    i_in = torch.rand(5, dtype=torch.float64) * 1e-5
    expected = plain.rate(state, i_in - (state["v"] - 40e-3) / 20e3)
    assert_close(loaded.rate(state, i_in), expected)


def test_a_load_pulls_the_rest_to_its_source_and_adds_to_the_leak():
    plain = MIFCircuit()
    g_rest = plain.leak() * plain.c_mem
    loaded = LoadedMIFCircuit(r_load=1 / (3 * g_rest))
    # To a few per cent: the memristors rest elsewhere, too.
    assert loaded.rest()["v"] == pytest.approx(plain.rest()["v"] / 4, rel=0.06)
    assert loaded.leak() == pytest.approx(plain.leak() * 4, rel=0.06)
    at_rest = replace(loaded, e_load=plain.rest()["v"])
    assert at_rest.rest() == pytest.approx(plain.rest(), rel=1e-12)
    assert at_rest.leak() == pytest.approx(plain.leak() * 4, rel=1e-12)


def test_threshold_is_where_memristor_1_switches_on():
    assert MIFCircuit().v_threshold == MEMPROP.v_on
    assert MIFCircuit(e1=10e-3).v_threshold == pytest.approx(10e-3 + MEMPROP.v_on)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"c_mem": 0.0}, r"Expected `c_mem` > 0 F, but got 0 F"),
        ({"c_mem": -100e-12}, r"Expected `c_mem` > 0 F, but got -1e-10 F"),
        ({"c_mem": float("nan")}, r"Expected `c_mem` > 0 F, but got nan F"),
        ({"e1": float("nan")}, r"Expected a finite `e1` in V, but got nan"),
        ({"e2": float("inf")}, r"Expected a finite `e2` in V, but got inf"),
        ({"m1": KNOWM_XYCE}, r"Expected an ohmic `m1` \(phi = 1\), but got .*0.8"),
        ({"m2": KNOWM_XYCE}, r"Expected an ohmic `m2` \(phi = 1\), but got .*0.8"),
    ],
)
@pytest.mark.parametrize("circuit", [MIFCircuit, AlphaMIFCircuit])
def test_an_impossible_circuit_is_refused(circuit, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        circuit(**settings)


@pytest.mark.parametrize("r_load", [0.0, -1e4, float("inf"), float("nan")])
def test_an_impossible_load_is_refused(r_load):
    with pytest.raises(ValueError, match=rf"Expected `r_load` > 0 Ω, but got {r_load:g} Ω"):
        LoadedMIFCircuit(r_load=r_load)


def test_an_impossible_source_of_a_load_is_refused():
    with pytest.raises(ValueError, match="Expected a finite `e_load` in V, but got nan"):
        LoadedMIFCircuit(e_load=float("nan"))


@pytest.mark.parametrize("tau_alpha", [0.0, -1e-4, float("nan")])
def test_an_impossible_filter_is_refused(tau_alpha):
    with pytest.raises(ValueError, match=rf"Expected `tau_alpha` > 0 s, but got {tau_alpha:g} s"):
        replace(AlphaMIFCircuit(), tau_alpha=tau_alpha)


def test_a_branch_may_hold_a_device_of_ones_own():
    """Whatever is no resistor has a state and an equation."""

    @dataclass(frozen=True)
    class Wrapped:
        inner: MSS = MEMPROP

        def conductance(self, x):
            return self.inner.conductance(x)

        def relaxation(self, v):
            return self.inner.relaxation(v)

    class Own(MIFCircuit):
        def branches(self):
            first, second = super().branches()
            return first._replace(device=Wrapped()), second

    assert Own().rest() == MIFCircuit().rest()


def stated(**parts):
    """A circuit of one memristor that is right but for ``parts``."""
    right = {
        "states": ("v", "x"),
        "state_units": {"v": "V", "x": "1"},
        "c_mem": 1e-10,
        "v_threshold": 0.1,
        "membrane": lambda self, state, i_in: {"v": Relaxation(i_in / 1e-10, 1e4)},
        "switching": lambda self, state, i_in: {"x": Relaxation(0.0 * state["v"], 1e4)},
        "equations": lambda self, hold_memristors=False: (self.membrane, self.switching),
    }
    made = type("Own", (Circuit,), right | {"__annotations__": {"c_mem": float}} | parts)
    return dataclass(frozen=True)(made)


@dataclass(frozen=True)
class Hidden(MIFCircuit):
    gain: float = field(default=1.0, compare=False)
    source: str = field(default="may be hidden", compare=False)
    worked_out: float = field(default=1.0, init=False, compare=False)


@dataclass(frozen=True, eq=False)
class Inherited(MIFCircuit):
    gain: float = 1.0


@pytest.mark.parametrize(
    ("circuit", "sentence"),
    [
        (stated(), "Expected an instance of a Circuit"),
        (stated(states=("x",))(), "Expected `v`, the membrane, among the states of Own"),
        (stated(state_units={"v": "V"})(), "Expected `state_units` of Own to name a unit for each"),
        (stated(c_mem=-1e-10)(), "Expected `c_mem` > 0 F"),
        (stated(switching=lambda *_: torch.zeros(()))(), "Expected .* to return a Relaxation by"),
        (
            stated(equations=lambda self, hold_memristors=False: (self.membrane,))(),
            "Expected one equation for each of the states v, x of Own, but got them for v",
        ),
        (
            stated(switching=lambda self, s, i: {"x": Relaxation(1e4 * (s["x"] + 1), 1e4)})(),
            "Expected .* to come to rest without input",
        ),
        (Hidden(gain=0.5), "Expected circuits to be equal only .* does not see Hidden.gain:"),
        (Inherited(gain=0.5), "Expected circuits to be equal only .* does not see Inherited.gain"),
    ],
)
def test_a_circuit_that_is_not_wholly_stated_is_refused(circuit, sentence):
    snnm.MIF(circuit=stated()())
    with pytest.raises((TypeError, ValueError, RuntimeError), match=sentence):
        snnm.MIF(circuit=circuit)


@dataclass(frozen=True)
class Biased(Circuit):
    """A memristor that a bias holds on the steep part of its switching."""

    states: ClassVar = ("v", "x")
    state_units: ClassVar = {"v": "V", "x": "1"}
    c_mem: Farad = 20e-12

    def membrane(self, state, i_in):
        g = 1e-7 + state["x"] * 1e-4 + 2e-6
        return {"v": Relaxation((i_in + 10e-6) / self.c_mem, g / self.c_mem)}

    def switching(self, state, i_in):
        return {"x": Relaxation(torch.sigmoid((state["v"] - 0.3) / 15e-3) / 1e-5, 1 / 1e-5)}

    def equations(self, hold_memristors=False):
        return (self.membrane,) if hold_memristors else (self.membrane, self.switching)

    @property
    def v_threshold(self):
        return 0.5


def test_a_circuit_rests_where_its_equations_settle_however_steep_they_are():
    rest = {name: torch.tensor(value).double() for name, value in Biased().rest().items()}
    assert 0.05 < rest["x"] < 0.5
    rates = Biased().rate(rest, torch.zeros((), dtype=torch.float64))
    assert abs(rates["v"]) < 0.1  # V/s, where it could be 1e5
    assert abs(rates["x"]) < 0.1  # 1/s, where it could be 1e5


@dataclass(frozen=True)
class WorkedOut(MIFCircuit):
    """A field that follows from others."""

    r: Ohm = 3e3
    tau_m: Second = field(init=False, compare=False)

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "tau_m", self.r * self.c_mem)

    def membrane(self, state, i_in):
        return super().membrane(state, i_in * (self.tau_m / 3e-7))


def test_what_is_worked_out_follows_what_is_learned_or_varied():
    neuron = snnm.MIF(0.8, circuit=WorkedOut(), learn_device=["r"])
    circuit = neuron.circuit
    assert circuit.tau_m == pytest.approx(circuit.r * circuit.c_mem)
    neuron.vary(7, {"r": 0.1})
    neuron.sequence(torch.ones(2, 7))
    assert neuron.circuit.tau_m.shape == (7,)
    with pytest.raises(ValueError, match=r"to name some of .*, but got 'tau_m'"):
        neuron.vary(7, {"tau_m": 0.1})
    with pytest.raises(ValueError, match=r"to name some of .*, but got 'tau_m'"):
        snnm.MIF(0.8, circuit=WorkedOut(), learn_device=["tau_m"])
