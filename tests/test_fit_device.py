"""Measured sweeps: read, simulated, and fitted by a device."""

import math
import os
import pathlib
import sys
from dataclasses import dataclass, replace

import pytest
import torch
from conformance import check_units
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from torch.testing import assert_close

from snntorch_memristive.devices.device import Device
from snntorch_memristive.devices.fit_device import fit_device
from snntorch_memristive.devices.misfit import STATES
from snntorch_memristive.devices.mss import KNOWM_LTSPICE, MEMPROP, MSS
from snntorch_memristive.devices.response import simulate
from snntorch_memristive.devices.sweep import Sweep, read_sweep
from snntorch_memristive.devices.vteam import VTEAM_MAGIC
from snntorch_memristive.devices.yakopcic import YAKOPCIC_OBLEA

SHARED = pathlib.Path(__file__).parents[2] / "shared" / "data"

MEASURED = MSS(r_on=2.4e3, r_off=115e3, v_on=0.29, v_off=-0.11, v_t=0.02, tau=5e-4)
"""About what a fit makes of a Knowm W+SDC memristor."""
FREE = {
    "r_on": (100.0, 1e5),
    "r_off": (2e3, 1e7),
    "v_on": (0.02, 1.5),
    "v_off": (-2.0, -0.005),
    "v_t": (0.005, 0.3),
    "tau": (1e-8, 1e2),
}
START = MSS(r_on=2e3, r_off=1e5, v_on=0.3, v_off=-0.2, v_t=0.04, tau=1e-4)


def sine(points, hertz=10.0, height=0.4, periods=1.0):
    """Times (s) and voltages (V) of a sine."""
    t = torch.linspace(0, periods / hertz, points, dtype=torch.float64)
    return t, height * torch.sin(2 * math.pi * hertz * t)


def measure(device, t, v, x0, r_series=0.0, noise=0.0, seed=0):
    """A sweep of ``device`` with noise in units of the range of its current."""
    i = simulate(device, t, v, x0, r_series).i
    generator = torch.Generator().manual_seed(seed)
    scatter = torch.randn(i.shape, generator=generator, dtype=i.dtype)
    return Sweep(t, v, i + noise * (i.max() - i.min()) * scatter, r_series)


def number(x):
    return torch.tensor(x, dtype=torch.float64)


@dataclass(frozen=True)
class WithoutRelaxation(Device):
    """A device that states its rate alone."""

    device: Device = MEASURED

    def rate(self, x, v):
        return self.device.rate(x, v)

    def current(self, x, v):
        return self.device.current(x, v)


# Tables


@pytest.mark.parametrize(
    ("text", "columns", "dt"),
    [
        ("0.1,2\n0.2,4\n", "vi", 0.5),
        ("0.1\t2\n0.2\t4\n", "vi", 0.5),
        ("  0.1   2 \r\n\r\n 0.2 4\n", "vi", 0.5),
        ("V (V); I (uA)\n0.1; 2\n0.2; 4\n", "vi", 0.5),
        ("2,0.1\n4,0.2\n", "iv", 0.5),
        ("0,0.1,2\n0.5,0.2,4\n", "tvi", None),
        ("Sweep 7\nt,x,I,V\n0,one,2e0,1e-1\n0.5,two,4,0.2\n", "t-iv", None),
    ],
)
def test_a_table_is_read(tmp_path, text, columns, dt):
    path = tmp_path / "sweep.csv"
    path.write_text(text)
    sweep = read_sweep(path, columns, dt=dt, ampere=1e-6, r_series=5e3)
    assert_close(sweep.t, number([0.0, 0.5]))
    assert_close(sweep.v, number([0.1, 0.2]))
    assert_close(sweep.i, number([2e-6, 4e-6]))
    assert sweep.r_series == 5e3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"Expected a table of numbers in sweep.csv, but it has none"),
        ("voltage,current\n", r"Expected a table of numbers in sweep.csv, but it has none"),
        ("0.1\n0.2\n", r"Expected 2 columns \(v, i\) in sweep.csv, but line 1 has 1"),
        ("0.1,1\n0.2\n", r"Expected 2 columns \(v, i\) in sweep.csv, but line 2 has 1"),
        ("0,1;1,5\n0,2;2,5\n", r"Expected 2 columns \(v, i\) in sweep.csv, but line 1 has 4"),
        ("0.1,1\n0.2,nan\n", r"Expected finite numbers in sweep.csv, but line 2 has 'nan'"),
        ("v,i\n0.1,1\n0.2,-\n", r"Expected finite numbers in sweep.csv, but line 3 has '-'"),
        ("0.1,1\n0.2,inf\n", r"Expected finite numbers in sweep.csv, but line 2 has 'inf'"),
        ("0.1,1\n0.2,\n", r"Expected finite numbers in sweep.csv, but line 2 has ''"),
        ("0.1,1\n", r"at least 2 points, but got \(1,\), \(1,\) and \(1,\)"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, text, message):
    path = tmp_path / "sweep.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_sweep(path, dt=1.0)


@pytest.mark.parametrize(
    ("columns", "given", "message"),
    [
        ("v", {"dt": 1.0}, 'one "v" and one "i", but got \'v\''),
        ("vii", {"dt": 1.0}, 'one "v" and one "i", but got \'vii\''),
        ("VI", {"dt": 1.0}, 'one "v" and one "i", but got \'VI\''),
        ("vi", {}, "either a column \"t\" or `dt`, but got columns='vi' and dt=None"),
        ("tvi", {"dt": 1.0}, "either a column \"t\" or `dt`, but got columns='tvi' and dt=1.0"),
        ("vi", {"dt": 0.0}, "Expected `dt` > 0 s, but got 0 s"),
        ("vi", {"dt": 1.0, "ampere": -1e-6}, "Expected `ampere` > 0 A, but got -1e-06 A"),
        ("vi", {"dt": 1.0, "r_series": -1.0}, "Expected `r_series` >= 0 and finite, but got -1"),
    ],
)
def test_impossible_columns_are_refused(tmp_path, columns, given, message):
    path = tmp_path / "sweep.csv"
    path.write_text("0.1,1\n0.2,2\n")
    with pytest.raises(ValueError, match=message):
        read_sweep(path, columns, **given)


@pytest.mark.parametrize(
    ("t", "v", "i", "message"),
    [
        ([0, 1], [1, 2], [1], r"but got \(2,\), \(2,\) and \(1,\)"),
        ([[0, 1]], [[1, 2]], [[1, 2]], r"but got \(1, 2\), \(1, 2\) and \(1, 2\)"),
        ([0, 1], [1, math.nan], [1, 2], "Expected finite voltages, but got nan at point 1"),
        ([0, 1], [1, 2], [math.inf, 2], "Expected finite currents, but got inf at point 0"),
        ([0, 1, 1], [1, 2, 3], [1, 2, 3], "Expected rising times, but got 1 s after 1 s"),
    ],
)
def test_an_impossible_sweep_is_refused(t, v, i, message):
    with pytest.raises(ValueError, match=message):
        Sweep(t, v, i)


def test_every_quantity_of_a_sweep_has_a_unit():
    check_units(Sweep)


def test_a_sweep_without_its_resistor_is_what_the_device_saw():
    t, v = sine(51)
    response = simulate(MEASURED, t, v, 0.3, 5e3)
    sweep = Sweep(t, v, response.i, 5e3)
    assert_close(sweep.across_device.v, response.v)
    assert sweep.across_device.r_series == 0
    thinned = sweep.every(4)
    assert len(thinned.t) == 13
    assert thinned.r_series == 5e3
    assert_close(thinned.v, v[::4])


# Responses


def reference(device, points, height, x0, r_series=0.0, hertz=10.0):
    """Current of ``device`` under a sine, from scipy's stiff solver on the same two equations."""

    def source(t):
        return height * math.sin(2 * math.pi * hertz * t)

    def across(x, v):
        def excess(u):
            return u + r_series * float(device.current(number(x), number(u))) - v

        return brentq(excess, min(v, 0.0), max(v, 0.0), xtol=1e-15) if r_series and v else v

    def rate(t, x):
        return float(device.rate(number(x[0]), number(across(x[0], source(t)))))

    t, v = sine(points, hertz, height)
    end = float(t[-1])
    x = solve_ivp(
        rate, (0, end), [x0], "LSODA", t.numpy().clip(max=end), rtol=1e-9, atol=1e-12, max_step=2e-4
    ).y[0]
    u = [across(*pair) for pair in zip(x, v.tolist(), strict=True)]
    return device.current(torch.from_numpy(x), number(u))


@pytest.mark.parametrize(
    ("device", "height", "x0", "r_series"),
    [
        (MEASURED, 0.4, 0.1, 0.0),
        (MEASURED, 0.8, 0.01, 5e3),
        (WithoutRelaxation(), 0.4, 0.1, 0.0),
        (replace(VTEAM_MAGIC, v_on=-0.3, k_on=-2e-9, k_off=2e-9), 1.0, 0.5, 0.0),
        (replace(YAKOPCIC_OBLEA, a_p=400.0, a_n=400.0), 0.3, 0.4, 30.0),
    ],
    ids=["imposed", "series", "rate only", "vteam", "yakopcic in series"],
)
def test_the_response_converges_to_the_equations_with_the_square_of_the_step(
    device, height, x0, r_series
):
    expected = reference(device, 101, height, x0, r_series)
    span = expected.max() - expected.min()
    errors = []
    for finer in (4, 8):
        t, v = sine(100 * finer + 1, height=height)
        i = simulate(device, t, v, x0, r_series).i[::finer]
        errors.append(float(((i - expected) / span).square().mean().sqrt()))
    assert errors[1] < 3e-4
    assert errors[1] < 0.45 * errors[0]  # a quarter, but for kinks at thresholds


def test_a_relaxation_and_its_rate_give_the_same_response():
    """The rate of switches is linear in the state, where both ways are exact."""
    t, v = sine(200)
    for r_series in (0.0, 5e3):
        both = [simulate(d, t, v, 0.1, r_series) for d in (MEASURED, WithoutRelaxation())]
        for got, expected in zip(*both, strict=True):
            assert_close(got, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("r_series", [0.0, 5e3])
def test_many_candidates_respond_as_each_alone(r_series):
    t, v = sine(60)
    tau, x0 = number([1e-5, 5e-4, 1e-2]), number([0.0, 0.3, 1.0])
    together = simulate(replace(MEASURED, tau=tau), t, v, x0, r_series)
    assert together.i.shape == (60, 3)
    for k in range(3):
        alone = simulate(replace(MEASURED, tau=float(tau[k])), t, v, x0[k], r_series)
        for many, one in zip(together, alone, strict=True):
            assert_close(many[:, k], one, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("device", [MEASURED, KNOWM_LTSPICE, MEMPROP, VTEAM_MAGIC, YAKOPCIC_OBLEA])
@pytest.mark.parametrize("r_series", [10.0, 5e3, 1e6])
def test_kirchhoffs_law_holds_at_every_point(device, r_series):
    t, v = sine(100, height=1.0)
    response = simulate(device, t, v, 0.5, r_series)
    assert_close(response.v + r_series * response.i, v, rtol=0, atol=1e-11)
    assert ((response.x >= 0) & (response.x <= 1)).all()


def test_a_volatile_device_forgets_at_rest():
    t = torch.linspace(0, 1e-3, 11, dtype=torch.float64)
    x = simulate(MEMPROP, t, torch.zeros_like(t), 1.0).x
    relaxation = MEMPROP.relaxation(number(0.0))
    expected = relaxation.target + (1 - relaxation.target) * torch.exp(-relaxation.decay * t)
    assert_close(x, expected)


# Fits


def test_a_fit_recovers_the_device():
    t, v = sine(201)
    fit = fit_device(START, [measure(MEASURED, t, v, 0.3)], FREE)
    for name in FREE:
        assert getattr(fit.device, name) == pytest.approx(getattr(MEASURED, name), rel=1e-4)
    assert fit.x0 == pytest.approx((0.3,), abs=1e-4)
    assert fit.error[0] < 1e-6
    assert fit.r_squared[0] > 1 - 1e-9
    assert fit.at_bound == ()


def test_a_fit_recovers_the_device_behind_a_resistor():
    t, v = sine(101, height=0.8)
    free = {name: FREE[name] for name in ("r_on", "v_on", "tau")}
    start = replace(MEASURED, r_on=1e4, v_on=0.6, tau=1e-2)
    fit = fit_device(start, [measure(MEASURED, t, v, 0.3, r_series=5e3)], free)
    for name in free:
        assert getattr(fit.device, name) == pytest.approx(getattr(MEASURED, name), rel=1e-3)
    assert fit.x0 == pytest.approx((0.3,), abs=1e-3)
    assert fit.error[0] < 1e-5


def test_standard_errors_are_the_scatter_of_fits_under_noise():
    """Sweeps that differ in their noise: 1 but for the number of them, and 0.95 to 1.1 of 40."""
    t, v = sine(201)
    fits = [
        fit_device(MEASURED, [measure(MEASURED, t, v, 0.3, noise=1e-3, seed=k)], FREE)
        for k in range(12)
    ]
    for fit in fits:
        assert fit.error[0] == pytest.approx(1e-3, rel=0.15)
    for name in FREE:
        off = number([getattr(f.device, name) - getattr(MEASURED, name) for f in fits])
        told = number([f.standard_error[name] for f in fits])
        ratio = float((off / told).square().mean().sqrt())
        assert 0.6 < ratio < 1.5, name


def test_what_a_sweep_cannot_tell_has_no_finite_error():
    """Far below threshold a memristor is a resistor, and its switching cannot be seen."""
    t, v = sine(101, height=0.01)
    fit = fit_device(MEASURED, [measure(MEASURED, t, v, 0.0, noise=0.01)], FREE)
    assert fit.standard_error["tau"] == math.inf
    # A Schottky exponent of a device that has no Schottky current changes nothing at all.
    fit = fit_device(
        replace(MEASURED, b_f=1.0), [measure(MEASURED, *sine(101), 0.3)], {"b_f": (0.1, 10.0)}
    )
    assert fit.standard_error == {"b_f": math.inf}


def test_sweeps_share_the_device_and_have_states_of_their_own():
    sweeps = [
        measure(MEASURED, *sine(101), 0.3),
        measure(MEASURED, *sine(121, hertz=100.0, height=0.5), 0.7),
    ]
    fit = fit_device(START, sweeps, FREE)
    assert fit.x0 == pytest.approx((0.3, 0.7), abs=1e-4)
    assert fit.device.tau == pytest.approx(MEASURED.tau, rel=1e-4)
    assert len(fit.error) == len(fit.r_squared) == 2


def test_a_device_without_relaxation_is_fitted():
    device = replace(VTEAM_MAGIC, v_on=-0.3, k_on=-3e-7, k_off=1e-8, r_off=2e4)
    free = {"v_on": (-1.0, -0.1), "k_on": (-1e-3, -1e-9), "r_off": (5e3, 1e6)}
    start = replace(device, v_on=-0.5, k_on=-1e-5, r_off=1e5)
    fit = fit_device(start, [measure(device, *sine(101, height=1.0), 0.9)], free)
    for name in free:
        assert getattr(fit.device, name) == pytest.approx(getattr(device, name), rel=1e-3)


def test_values_that_are_tied_stay_equal():
    device = replace(YAKOPCIC_OBLEA, a1=0.1, a2=0.1)
    fit = fit_device(YAKOPCIC_OBLEA, [measure(device, *sine(61), 0.3)], {("a1", "a2"): (0.01, 1.0)})
    assert fit.device.a1 == fit.device.a2 == pytest.approx(0.1, rel=1e-3)
    assert list(fit.standard_error) == ["a1"]


def test_a_range_that_is_too_narrow_is_told():
    sweep = measure(MEASURED, *sine(101), 0.3)
    fit = fit_device(START, [sweep], FREE | {"r_on": (1e3, 2.1e3)})
    assert fit.at_bound == ("r_on",)


def test_a_fit_is_the_same_every_time():
    sweep = measure(MEASURED, *sine(101), 0.3, noise=0.01)
    torch.manual_seed(1)
    first = fit_device(START, [sweep], FREE)
    torch.manual_seed(2)
    assert fit_device(START, [sweep], FREE) == first


def test_an_impossible_device_is_never_the_answer():
    """Both resistances in one range: half of the places have ``r_off`` below ``r_on``."""
    t, v = sine(101)
    sweep = Sweep(t, v, v / 3e3)  # Ohm's law pulls both to one value
    free = {"r_on": (1e2, 1e5), "r_off": (1e2, 1e5)}
    fit = fit_device(START, [sweep], free)
    assert fit.device.r_off > fit.device.r_on
    assert fit.error[0] < 0.01


@settings(max_examples=15, deadline=None)
@given(
    r_on=st.floats(200.0, 5e4),
    v_on=st.floats(0.03, 1.4),
    tau=st.floats(-7.0, 1.0),
    r_series=st.sampled_from([0.0, 0.0, 2e3]),
)
def test_a_fit_is_never_worse_than_its_start(r_on, v_on, tau, r_series):
    """Of a curve that no memristor of the kind follows."""
    t, v = sine(41, height=0.5)
    sweep = Sweep(t, v, 1e-5 * torch.sin(7 * v) + 2e-6 * torch.cos(300 * t), r_series)
    start = replace(START, r_on=r_on, r_off=1e5, v_on=v_on, tau=10**tau)
    free = {name: FREE[name] for name in ("r_on", "v_on", "tau")}
    fit = fit_device(start, [sweep], free)

    def error(sweep, x0):
        off = simulate(start, sweep.t, sweep.v, x0, sweep.r_series).i - sweep.i
        return float(off.square().mean().sqrt()) / sweep.span

    # The start's own state is chosen under the voltage that the current left the device.
    x0 = min(STATES, key=lambda x0: error(sweep.across_device, x0))
    assert fit.error[0] <= error(sweep, x0) * (1 + 1e-9)


ONE = measure(MEASURED, *sine(21), 0.3)


@pytest.mark.parametrize(
    ("sweeps", "free", "message"),
    [
        ([], FREE, "Expected at least one sweep, but got none"),
        ([ONE], {}, "Expected at least one parameter in `free`, but got none"),
        ([ONE], {"source": (1, 2)}, r"name parameters of MSS \(r_on, .*\), but got 'source'"),
        ([ONE], {"ron": (1, 2)}, r"name parameters of MSS \(r_on, .*\), but got 'ron'"),
        ([ONE], {"tau": (1.0, 1e-9)}, "a finite range that rises for `tau`, but got 1 to 1e-09"),
        ([ONE], {"tau": (0.0, math.inf)}, "a finite range that rises for `tau`, but got 0 to inf"),
        ([ONE], {"tau": (1.0, 2.0)}, "start with `tau` from 1 to 2, but got 0.0001"),
        (
            [ONE],
            {("r_on", "r_off"): (1e2, 1e6)},
            "start with `r_on` = `r_off` from 100 to 1e.06, but got 2000, 100000",
        ),
        (
            [ONE, Sweep([0, 1], [0, 1], [2, 2])],
            FREE,
            "a current that varies in sweep 1, but got 2 A throughout",
        ),
    ],
)
def test_an_impossible_fit_is_refused(sweeps, free, message):
    with pytest.raises(ValueError, match=message):
        fit_device(START, sweeps, free)


def test_without_scipy_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match=r"pip install \"snntorch-memristive\[fit\]\""):
        fit_device(START, [ONE], FREE)


# Measured sweeps


@pytest.fixture(scope="module")
def knowm():
    """Folder of the measured Knowm W+SDC sweeps, or a skip that says why."""
    root = pathlib.Path(os.environ.get("SNNTORCH_MEMRISTIVE_DATA", SHARED))
    folder = root / "memristor-knowm-wsdc" / "data"
    if not folder.is_dir():
        pytest.skip(f"no measured sweeps here: set SNNTORCH_MEMRISTIVE_DATA to hold {folder}")
    return folder


def runs(folder):
    """Resistor (ohm), memristor sweep and source sweep of every run, by its folder."""
    found = {}
    for run in sorted(folder.glob("*/*")):
        kilo_ohm, _, hertz, _ = run.name.split("_")[0], *run.name.split("_")[1:]
        ohm, dt = 1e3 * float(kilo_ohm[:-2]), 1 / (200 * float(hertz[:-2]))
        tables = run / "Memristor.csv", run / "Resistor+Memristor.csv"
        across, both = (read_sweep(path, dt=dt, ampere=1e-6) for path in tables)
        found[run.name] = across, Sweep(both.t, both.v, both.i, ohm)
    return found


def test_both_tables_of_a_run_are_one_measurement(knowm):
    """The current is the difference of their voltages over the resistor, hence in µA."""
    found = runs(knowm)
    assert len(found) == 27
    for across, circuit in found.values():
        assert torch.equal(across.i, circuit.i)
        assert_close(circuit.across_device.v, across.v, rtol=0, atol=1e-12)


def test_a_run_is_one_period_of_a_sine(knowm):
    for _, circuit in runs(knowm).values():
        wave = torch.fft.rfft(circuit.v).abs()
        assert len(circuit.v) == 200
        assert wave[1] > 300 * wave[2:].max()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("5kΩ_.8V_1000Hz_M3", 0.023),
        ("5kΩ_.8V_10Hz_M1", 0.022),
        ("5kΩ_.3V_10Hz_M1", 0.029),
        ("47kΩ_.8V_1Hz_M3", 0.062),
    ],
)
def test_switches_describe_a_measured_memristor(knowm, name, error):
    across, _ = runs(knowm)[name]
    assert fit_device(START, [across], FREE).error[0] < error


def test_switches_describe_a_measured_memristor_in_its_circuit(knowm):
    _, circuit = runs(knowm)["5kΩ_.8V_10Hz_M1"]
    fit = fit_device(START, [circuit], FREE)
    assert fit.error[0] < 0.011
    assert fit.r_squared[0] > 0.998
    # Room temperature: kT/q is 26 mV.
    assert 0.01 < fit.device.v_t < 0.04
