"""Laws of conduction, and their fit to measured curves."""

import math
import os
import pathlib
from dataclasses import fields

import pytest
import torch
from scipy.interpolate import PchipInterpolator
from scipy.io import loadmat
from torch.autograd import gradcheck
from torch.testing import assert_close

from snntorch_memristive.devices.conduction import Ohmic, PooleFrenkel, Sinh, Table
from snntorch_memristive.devices.fit import fit_conduction
from snntorch_memristive.devices.mss import ELEMENTARY_CHARGE, thermal_voltage

SHARED = pathlib.Path(__file__).parents[2] / "shared" / "data"

CURVE = Table(v=(0.1, 0.3, 0.35, 0.8), i=(0.1, 0.4, 0.55, 2.0))

LAWS = {
    "ohmic": Ohmic(),
    "sinh": Sinh(v0=0.25),
    "poole-frenkel": PooleFrenkel(v_pf=0.35),
    "table": CURVE,
}


@pytest.fixture(params=LAWS)
def law(request):
    return LAWS[request.param]


def volts(*values, **settings):
    return torch.tensor(values, dtype=torch.float64, **settings)


# Every law


def test_current_is_conductance_times_voltage_times_chord(law):
    g, v = torch.rand(5, 1, dtype=torch.float64), volts(-1.0, -0.2, 1e-9, 0.3, 2.0)
    assert_close(law.current(g, v), g * v * law.chord(v))
    assert_close(law.chord(v), law.current(torch.ones_like(v), v) / v)


def test_one_height_needs_one_matrix(law):
    g, spikes = torch.rand(4, 3), torch.tensor([1.0, 0.0, 1.0])
    height = torch.tensor(0.6)
    matrix = g * law.chord(height)
    assert_close(matrix @ (spikes * height), law.current(g, spikes * height).sum(1))


def test_current_is_odd_and_zero_at_zero(law):
    v = torch.linspace(0.0, 2.0, 41, dtype=torch.float64)
    g = torch.tensor(1e-4, dtype=torch.float64)
    assert torch.equal(law.current(g, -v), -law.current(g, v))
    assert law.current(g, v)[0] == 0


def test_current_rises_with_the_voltage(law):
    v = torch.linspace(-2.0, 2.0, 4001, dtype=torch.float64)
    assert (law.current(torch.tensor(1.0, dtype=torch.float64), v).diff() > 0).all()


def test_g_is_the_conductance_towards_zero_volts(law):
    v = volts(0.0, 1e-20)
    assert_close(law.chord(v), torch.ones_like(v))


def test_shape_and_dtype_are_kept(law):
    for dtype in (torch.float32, torch.float64):
        g, v = torch.rand(3, 1, dtype=dtype), torch.randn(4, dtype=dtype)
        assert law.current(g, v).shape == (3, 4)
        assert law.current(g, v).dtype == dtype
        assert law.chord(v).shape == (4,)
        assert law.chord(v).dtype == dtype


def test_current_passes_gradcheck(law):
    g = torch.rand(3, 1, dtype=torch.float64, requires_grad=True)
    # Off the table's points, where its second derivative jumps, and on both sides of 0.5 v0.
    v = volts(-1.3, -0.37, -0.02, 0.06, 0.12, 0.2, 0.9, requires_grad=True)
    assert gradcheck(law.current, (g, v))


def test_the_slope_at_zero_volts_is_the_conductance(law):
    g, v = volts(2e-3), volts(0.0, requires_grad=True)
    (slope,) = torch.autograd.grad(law.current(g, v).sum(), v)
    assert_close(slope, g)


@pytest.mark.parametrize("law", [Sinh(0.25), PooleFrenkel(0.35), CURVE])
def test_single_precision_gradients_are_exact_near_zero(law):
    v = torch.logspace(-6, 0, 61)
    slopes = []
    for dtype in (torch.float32, torch.float64):
        point = v.to(dtype).requires_grad_()
        (slope,) = torch.autograd.grad(law.chord(point).sum(), point)
        slopes.append(slope.double())
    assert_close(*slopes, rtol=1e-4, atol=1e-6)


def test_laws_are_values(law):
    assert law == type(law)(**vars_of(law))
    assert hash(law) == hash(type(law)(**vars_of(law)))


def vars_of(law):
    return {field.name: getattr(law, field.name) for field in fields(law) if field.init}


def test_laws_compile_without_a_break(law):
    g, v = torch.rand(3, 1), torch.linspace(-1, 1, 7)
    compiled = torch.compile(law.current, backend="eager", fullgraph=True)
    assert_close(compiled(g, v), law.current(g, v))


# Values


def test_sinh_is_the_compact_model_at_one_gap():
    """i = i0 exp(-gap / gap0) sinh(v / v0) of Guan, Yu and Wong, any values."""
    i0, gap, gap0, v0 = 1e-3, 0.7e-9, 0.25e-9, 0.4
    prefactor = i0 * math.exp(-gap / gap0)
    v = volts(-1.0, -0.1, 0.001, 0.1, 0.5, 1.5)
    expected = prefactor * torch.sinh(v / v0)
    assert_close(Sinh(v0).current(torch.tensor(prefactor / v0), v), expected)


def test_sinh_at_its_voltage():
    assert_close(Sinh(0.2).chord(volts(0.2, -0.4)), volts(math.sinh(1), math.sinh(2) / 2))


def test_poole_frenkel_is_the_law_of_the_textbook():
    kelvin, barrier, permittivity, thickness = 300.0, 0.3, 3.9 * 8.8541878128e-12, 30e-9
    q, kt_over_q, c = ELEMENTARY_CHARGE, thermal_voltage(kelvin), 1e-4
    v = volts(0.01, 0.1, 0.5)
    lowering = (q * v / (math.pi * permittivity * thickness)).sqrt()
    expected = c * v * torch.exp(-(barrier - lowering) / kt_over_q)
    v_pf = math.pi * permittivity * thickness * kt_over_q**2 / q
    g = torch.tensor(c * math.exp(-barrier / kt_over_q), dtype=torch.float64)
    assert_close(PooleFrenkel(v_pf).current(g, v), expected)


def test_poole_frenkel_at_its_voltage():
    assert_close(PooleFrenkel(0.35).chord(volts(0.35, -1.4)), volts(math.e, math.e**2))


@pytest.mark.parametrize("law", [Sinh(1e9), PooleFrenkel(1e18)])
def test_a_large_voltage_gives_ohms_law(law):
    g, v = torch.rand(5, 1, dtype=torch.float64), torch.linspace(-3, 3, 13, dtype=torch.float64)
    assert_close(law.current(g, v), Ohmic().current(g, v), rtol=1e-8, atol=0)


def test_a_voltage_can_be_learned():
    v = volts(0.1, 0.4)
    for law in (Sinh, PooleFrenkel):
        scale = volts(0.3, requires_grad=True)
        assert gradcheck(lambda scale, law=law: law(scale).chord(v), (scale,))


# Tables


def test_a_table_goes_through_its_points():
    v, i = volts(*CURVE.v), volts(*CURVE.i)
    one = torch.tensor(1.0, dtype=torch.float64)
    assert_close(CURVE.current(one, v), i)
    assert_close(CURVE.current(one, -v), -i)


def test_a_table_is_scipys_monotone_cubic_of_the_odd_curve():
    """All but the last piece: its slope at the end is the last chord's here."""
    v, i = (0.0, *CURVE.v), (0.0, *CURVE.i)
    odd = [[-x for x in reversed(values[1:])] + list(values) for values in (v, i)]
    expected = PchipInterpolator(*odd)
    inside = torch.linspace(-CURVE.v[-2], CURVE.v[-2], 201, dtype=torch.float64)
    current = CURVE.current(torch.tensor(1.0, dtype=torch.float64), inside)
    assert_close(current, torch.from_numpy(expected(inside.numpy())))


def test_a_table_goes_on_as_a_straight_line():
    end, slope = CURVE.i[-1], (CURVE.i[-1] - CURVE.i[-2]) / (CURVE.v[-1] - CURVE.v[-2])
    expected = volts(end + 1.5 * slope)
    assert_close(CURVE.current(volts(1.0), volts(CURVE.v[-1] + 1.5)), expected)


def test_a_table_of_one_point_is_ohmic():
    v = volts(-2.0, 0.0, 0.3, 4.0)
    assert_close(Table((1.0,), (0.5,)).chord(v), torch.full_like(v, 0.5))


# Refusals


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_voltage_must_be_above_zero(value):
    with pytest.raises(ValueError, match=r"Expected `v0` > 0 V, but got"):
        Sinh(value)
    with pytest.raises(ValueError, match=r"Expected `v_pf` > 0 V, but got"):
        PooleFrenkel(value)


@pytest.mark.parametrize(
    ("v", "i", "message"),
    [
        ((), (), "of the same length, at least 1, but got 0 and 0"),
        ((0.1,), (0.1, 0.2), "of the same length, at least 1, but got 1 and 2"),
        ((0.0, 0.1), (0.1, 0.2), "Expected `v` to rise from above zero"),
        ((0.2, 0.1), (0.1, 0.2), "Expected `v` to rise from above zero"),
        ((0.1, 0.2), (0.2, 0.2), "Expected `i` to rise from above zero"),
        ((0.1, 0.2), (0.2, math.nan), "Expected `i` to rise from above zero"),
        ((0.1, 0.2), (0.2, math.inf), "Expected `i` to rise from above zero"),
    ],
)
def test_points_of_a_table_must_rise(v, i, message):
    with pytest.raises(ValueError, match=message):
        Table(v, i)


# Fits


def sweeps_of(law, noise):
    """Sweeps of three states decades apart, with lognormal noise on every current."""
    generator = torch.Generator().manual_seed(0)
    v = torch.linspace(0.02, 0.5, 97, dtype=torch.float64)
    return [
        (v, law.current(g, v) * (noise * torch.randn(v.shape, generator=generator)).exp())
        for g in volts(1e-6, 3e-5, 2e-3)
    ]


@pytest.mark.parametrize("law", [Sinh(0.21), PooleFrenkel(0.35), PooleFrenkel(27.0)])
def test_a_fit_recovers_the_law(law):
    fit = fit_conduction(type(law), sweeps_of(law, noise=0.0))
    assert vars_of(fit.law) == pytest.approx(vars_of(law), rel=1e-5)
    assert fit.g == pytest.approx((1e-6, 3e-5, 2e-3), rel=1e-5)
    assert fit.r_squared == pytest.approx(1.0, abs=1e-6)
    assert fit.median_error < 1e-5


@pytest.mark.parametrize("law", [Sinh(0.21), PooleFrenkel(0.35)])
def test_a_fit_recovers_the_law_under_noise(law):
    fit = fit_conduction(type(law), sweeps_of(law, noise=0.02))
    assert vars_of(fit.law) == pytest.approx(vars_of(law), rel=0.05)
    assert fit.g == pytest.approx((1e-6, 3e-5, 2e-3), rel=0.03)
    # Of a normal error of 0.02, the median size is 0.0135.
    assert fit.median_error == pytest.approx(0.0135, rel=0.15)
    other = PooleFrenkel if type(law) is Sinh else Sinh
    assert fit.r_squared > fit_conduction(other, sweeps_of(law, noise=0.02)).r_squared


def test_a_fit_of_poole_frenkel_is_a_straight_line_over_the_root():
    """ln(i / v) = ln g + sqrt(v) / sqrt(v_pf), so linear least squares must agree."""
    ((v, i),) = sweeps_of(PooleFrenkel(0.35), noise=0.05)[:1]
    columns = torch.stack([torch.ones_like(v), v.sqrt()], dim=1)
    ln_g, slope = torch.linalg.lstsq(columns, (i / v).log()[:, None]).solution[:, 0]
    fit = fit_conduction(PooleFrenkel, [(v, i)])
    assert fit.law.v_pf == pytest.approx(float(slope**-2), rel=1e-5)
    assert fit.g == pytest.approx((float(ln_g.exp()),), rel=1e-5)


def test_ohms_law_explains_nothing_but_the_conductance():
    sweeps = sweeps_of(Ohmic(), noise=0.02)
    fit = fit_conduction(Ohmic, sweeps)
    assert fit.law == Ohmic()
    assert fit.r_squared == 0
    assert fit.g == pytest.approx((1e-6, 3e-5, 2e-3), rel=0.01)
    assert abs(fit_conduction(Sinh, sweeps).r_squared) < 0.05


@pytest.mark.parametrize(
    ("sweeps", "message"),
    [
        ([], "Expected at least one sweep"),
        ([(volts(0.1), volts(1.0))], "with at least 2 points in sweep 0"),
        ([(volts(0.1, 0.2), volts(1.0))], r"in sweep 0, but got \(2,\) and \(1,\)"),
        ([(volts(0.0, 0.2), volts(1.0, 2.0))], "finite voltages above zero in sweep 0, but got 0"),
        ([(volts(0.1, 0.2), volts(1.0, -2.0))], "finite currents above zero in sweep 0"),
        ([(volts(0.1, 0.2), volts(1.0, math.nan))], "finite currents above zero in sweep 0"),
    ],
)
def test_a_fit_needs_positive_curves(sweeps, message):
    with pytest.raises(ValueError, match=message):
        fit_conduction(Sinh, sweeps)


# Measured curves


@pytest.fixture(scope="module")
def measured():
    """Sweeps of SiOx cells, 20 mV to 0.5 V, from the lowest resistance at 0.1 V up."""
    root = pathlib.Path(os.environ.get("SNNTORCH_MEMRISTIVE_DATA", SHARED))
    path = root / "memristor-siox-multistate" / "SiO_x-multistate-data.mat"
    if not path.is_file():
        pytest.skip(f"no measured SiOx sweeps here: set SNNTORCH_MEMRISTIVE_DATA to hold {path}")
    i, v, _ = torch.from_numpy(loadmat(path)["data"]).movedim(2, 1)[4:101].unbind(2)
    resistance = (v / i)[16]  # points at 0.02, 0.025, ... V
    return [(v[:, k], i[:, k]) for k in resistance.argsort()]


def test_high_resistance_states_of_siox_are_poole_frenkel(measured):
    """Above the resistance quantum of 12.9 kΩ one law describes 33 states over two decades."""
    states = [(v, i) for v, i in measured if v[16] / i[16] > 12906]
    assert len(states) == 33
    fits = {law: fit_conduction(law, states) for law in (Ohmic, Sinh, PooleFrenkel)}
    assert fits[PooleFrenkel].law.v_pf == pytest.approx(0.35, rel=0.01)
    assert fits[PooleFrenkel].r_squared == pytest.approx(0.88, abs=0.01)
    assert fits[PooleFrenkel].median_error == pytest.approx(0.055, abs=0.002)
    assert fits[Sinh].median_error == pytest.approx(0.069, abs=0.002)
    assert fits[Ohmic].median_error == pytest.approx(0.214, abs=0.002)


def test_low_resistance_states_of_siox_are_nearly_ohmic(measured):
    states = [(v, i) for v, i in measured if v[16] / i[16] < 5 * 289.8]
    assert len(states) == 12
    assert fit_conduction(Ohmic, states).median_error < 0.021
    assert fit_conduction(Sinh, states).law.v0 == pytest.approx(0.63, rel=0.01)


def test_the_fits_double_the_voltage_as_published(measured):
    """I(0.5 V) / I(0.25 V) of both ends: 2.989 +- 0.369 and 2.132 +- 0.095.

    Constants of the code of D. Joksas et al., Advanced Science 9 (2022),
    doi:10.1002/advs.202105784 (GitHub joksas/awarememristor), from the same sweeps.
    """
    lowest, highest = (float(v[16] / i[16]) for v, i in (measured[0], measured[-1]))
    low = [(v, i) for v, i in measured if v[16] / i[16] < 5 * lowest]
    high = [(v, i) for v, i in measured if v[16] / i[16] > highest / 5]
    for states, law, ratio, error in (
        (high, PooleFrenkel, 2.989, 0.369),
        (low, Sinh, 2.132, 0.095),
    ):
        ends = fit_conduction(law, states).law.current(volts(1e-3), volts(0.25, 0.5))
        assert float(ends[1] / ends[0]) == pytest.approx(ratio, abs=error)


def test_a_measured_sweep_makes_a_table(measured):
    v, i = measured[0]
    table = Table(tuple(v.tolist()), tuple((i / (i[0] / v[0])).tolist()))
    assert_close(table.current(i[0] / v[0], v), i)
