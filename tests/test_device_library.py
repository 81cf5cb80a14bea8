"""Published memristor models: what their papers say of them."""

import math
from dataclasses import replace
from typing import get_type_hints

import pytest
import torch
from conformance import check_device
from torch.testing import assert_close

from snntorch_memristive import devices
from snntorch_memristive.devices import (
    HP_TIO2,
    MSS,
    STANFORD_ASU,
    STANFORD_PKU,
    UMICH_WOX,
    VTEAM_FAST,
    VTEAM_MAGIC,
    YAKOPCIC_HP,
    YAKOPCIC_JO,
    YAKOPCIC_OBLEA,
    Biolek,
    Device,
    HardStop,
    Joglekar,
    Prodromakis,
)
from snntorch_memristive.devices.mss import BOLTZMANN, ELEMENTARY_CHARGE

LIBRARY = {
    name: device
    for name, device in vars(devices).items()
    if isinstance(device, Device) and not isinstance(device, MSS)
}
WINDOWS = {w.__class__.__name__: w for w in (Joglekar(2), Biolek(2), Prodromakis(3, 1.5))}
WINDOWED = {
    f"{name}-{key}": replace(LIBRARY[name], window=window)
    for name in ("HP_TIO2", "VTEAM_FAST", "VTEAM_MAGIC")
    for key, window in WINDOWS.items()
}
EVERY = LIBRARY | WINDOWED
VOLATILE = {"AND_TS", "UMICH_WOX"}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("name", EVERY)
def test_a_published_device_keeps_the_contract(name):
    check_device(EVERY[name])


def test_every_set_is_public():
    assert set(LIBRARY) <= set(devices.__all__)
    assert len(LIBRARY) == 10


@pytest.mark.parametrize("name", LIBRARY)
def test_any_quantity_may_be_a_tensor_drawn_per_device(name):
    device, x, v = LIBRARY[name], torch.rand(3, 1).double(), double(-2.5, -0.3, 0.4, 2.0)
    hints = get_type_hints(type(device), include_extras=True)
    quantities = [key for key, hint in hints.items() if hasattr(hint, "__metadata__")]
    assert len(quantities) >= 4
    for key in quantities:
        drawn = (getattr(device, key) * double(1.0, 1.01, 1.02)[:, None]).requires_grad_()
        together = laws(replace(device, **{key: drawn}), x, v)
        apart = [
            laws(replace(device, **{key: number}), row, v)
            for row, number in zip(x, drawn.flatten().tolist(), strict=True)
        ]
        assert_close(together, torch.stack(apart, dim=1))
        if together.requires_grad:  # all but a threshold at which something jumps
            (slope,) = torch.autograd.grad(together.sum(), drawn)
            assert torch.isfinite(slope).all()


def laws(device, x, v):
    return torch.stack(torch.broadcast_tensors(device.rate(x, v), device.current(x, v)))


# Memory


@pytest.mark.parametrize("name", sorted(set(EVERY) - VOLATILE - {"STANFORD_ASU"}))
def test_a_non_volatile_device_keeps_every_state_at_rest(name):
    x = torch.linspace(0, 1, 101, dtype=torch.float64)
    assert (EVERY[name].rate(x, torch.zeros_like(x)) == 0).all()


def test_unequal_barriers_forget_within_a_million_years():
    x = torch.linspace(0, 1, 101, dtype=torch.float64)
    rate = STANFORD_ASU.rate(x, torch.zeros_like(x))
    assert (rate <= 0).all()
    assert (rate > -1e-12).all()


def test_a_volatile_device_forgets_with_its_time_constant():
    x = torch.linspace(0, 1, 101, dtype=torch.float64)
    assert_close(UMICH_WOX.rate(x, torch.zeros_like(x)), -x / UMICH_WOX.tau)
    assert UMICH_WOX.tau == pytest.approx(2.2222, rel=1e-4)


SWEEPS = {
    "HP_TIO2": (1.2, 1.0),
    "HP_TIO2-Joglekar": (1.2, 1.0),
    "HP_TIO2-Biolek": (1.2, 1.0),
    "HP_TIO2-Prodromakis": (1.2, 1.0),
    "VTEAM_FAST": (1.0, 50e6),
    "VTEAM_MAGIC": (2.0, 50e6),
    "YAKOPCIC_OBLEA": (0.45, 100.0),
    "YAKOPCIC_JO": (3.0, 0.2),
    "YAKOPCIC_HP": (1.5, 1.0),
    "STANFORD_PKU": (1.5, 1e5),
    "STANFORD_ASU": (2.0, 1e3),
    "UMICH_WOX": (1.5, 0.5),
}
"""Amplitude (V) and frequency (Hz) at which a sine moves the state well."""


@pytest.mark.parametrize("name", SWEEPS)
def test_the_loop_is_pinched_and_its_area_falls_with_frequency(name):
    amplitude, frequency = SWEEPS[name]
    v, i, x = sine(EVERY[name], amplitude, frequency * double(1.0, 100.0))
    half = len(v) // 2
    assert (i[[0, half]] == 0).all()
    lobes = [torch.trapezoid(i[part], v[part], dim=0) for part in (slice(half), slice(half, None))]
    slow, fast = sum(lobe.abs() for lobe in lobes)
    (moved, hardly_moved), (peak, _) = x.amax(0) - x.amin(0), i.abs().amax(0)
    assert hardly_moved < moved
    assert fast < slow / 10
    assert slow > 1e-3 * amplitude * peak


def sine(device, amplitude, frequency, steps=1000):
    """The second period of voltage (V), current (A) and state, one column per frequency (Hz)."""
    v = amplitude * torch.sin(torch.arange(steps, dtype=torch.float64) * (2 * math.pi / steps))
    v[steps // 2] = 0.0
    x, points = torch.full_like(frequency, 0.3), []
    for k in range(2 * steps):
        now = v[k % steps].expand(frequency.shape)
        points.append((now, device.current(x, now), x))
        x = (x + device.rate(x, now) / frequency / steps).clamp(0, 1)
    return [torch.stack(column) for column in zip(*points[steps:], strict=True)]


# Windows


@pytest.mark.parametrize(
    ("window", "rising", "falling"),
    [
        (HardStop(), (1, 1, 0), (0, 1, 1)),
        (Joglekar(1), (0, 1, 0), (0, 1, 0)),
        (Joglekar(10), (0, 1, 0), (0, 1, 0)),
        (Biolek(1), (1, 3 / 4, 0), (0, 3 / 4, 1)),
        (Biolek(2), (1, 15 / 16, 0), (0, 15 / 16, 1)),
        (Prodromakis(1), (0, 1 / 4, 0), (0, 1 / 4, 0)),
        (Prodromakis(2), (0, 7 / 16, 0), (0, 7 / 16, 0)),
        (Prodromakis(2, j=2.0), (0, 7 / 8, 0), (0, 7 / 8, 0)),
    ],
)
def test_windows_at_their_ends_and_in_the_middle(window, rising, falling):
    x, up = double(0.0, 0.5, 1.0), double(3.0)
    assert_close(window.apply(up, x), 3 * double(*rising), rtol=1e-15, atol=0)
    assert_close(window.apply(-up, x), -3 * double(*falling), rtol=1e-15, atol=0)


def test_joglekars_window_off_its_ends():
    # 1 - (2/4 - 1)^2 = 3/4, and one power higher 1 - (1/2)^4 = 15/16
    x, up = double(0.25, 0.75), double(1.0)
    assert_close(Joglekar(1).apply(up, x), double(3 / 4, 3 / 4), rtol=1e-15, atol=0)
    assert_close(Joglekar(2).apply(up, x), double(15 / 16, 15 / 16), rtol=1e-15, atol=0)


@pytest.mark.parametrize(("window", "is_stuck"), [(Joglekar(), True), (Biolek(), False)])
def test_a_symmetric_window_never_lets_go_of_an_end(window, is_stuck):
    rate = replace(HP_TIO2, window=window).rate(double(0.0, 1.0), double(1.0, -1.0))
    assert (rate == 0).all() == is_stuck


# Linear ion drift


def test_a_film_is_the_resistor_of_its_part():
    current = HP_TIO2.current(double(0.0, 0.5, 1.0), double(1.0))
    assert_close(current, 1 / double(16e3, 8050.0, 100.0))


def test_a_film_switches_in_the_time_of_the_paper():
    # "~ D^2 Roff / (2 mu v Ron)", 0.8 s at 1 V: Strukov et al. 2008, page 82
    x = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    time = (1 / HP_TIO2.rate(x, double(1.0))).mean()
    assert time == pytest.approx(0.8, rel=0.01)


def test_the_resistance_of_a_film_falls_with_the_charge():
    # M(q) = Roff - (Roff - Ron) mu Ron / D^2 q, so dM/dt = -(Roff - Ron) 1e4 / C i
    x, v = double(0.3), double(0.7)
    rate, i = HP_TIO2.rate(x, v), HP_TIO2.current(x, v)
    assert_close(rate, 1e4 * i)


# VTEAM


@pytest.mark.parametrize("device", [VTEAM_FAST, VTEAM_MAGIC])
def test_vteam_rests_between_its_thresholds(device):
    v = torch.linspace(device.v_on, device.v_off, 101, dtype=torch.float64)
    v[[0, -1]] = double(device.v_on, device.v_off)
    assert (device.rate(double(0.5), v) == 0).all()
    assert device.rate(double(0.5), double(device.v_off * 1.01)) < 0
    assert device.rate(double(0.5), double(device.v_on * 1.01)) > 0


@pytest.mark.parametrize("device", [VTEAM_FAST, VTEAM_MAGIC])
def test_vteam_at_twice_its_thresholds_has_the_speeds_of_the_set(device):
    v = 2 * double(device.v_off, device.v_on)
    speed = -device.rate(double(0.5), v) * device.thickness
    assert_close(speed, double(device.k_off, device.k_on))


def test_vteam_off_speed_by_hand():
    # (1.5 / 0.3 - 1)^4 * 0.091 m/s = 23.296 m/s over 3 nm
    rate = VTEAM_MAGIC.rate(double(0.5), double(1.5))
    assert_close(rate, double(-23.296 / 3e-9))


def test_vteam_is_off_at_0_and_on_at_1():
    assert_close(VTEAM_MAGIC.current(double(0.0, 1.0), double(1.0)), double(1 / 300e3, 1e-3))


# Yakopcic


@pytest.mark.parametrize("device", [YAKOPCIC_OBLEA, YAKOPCIC_JO, YAKOPCIC_HP])
def test_yakopcic_rests_between_its_thresholds(device):
    v = torch.linspace(-device.v_n, device.v_p, 101, dtype=torch.float64)
    v[[0, -1]] = double(-device.v_n, device.v_p)
    assert (device.rate(double(0.5), v) == 0).all()
    assert device.rate(double(0.5), double(device.v_p + 0.01)) > 0
    assert device.rate(double(0.5), double(-device.v_n - 0.01)) < 0


def test_yakopcic_by_hand():
    free = 4000 * (math.exp(0.45) - math.exp(0.16))
    x = double(0.0, 0.3, 0.65, 1.0)  # the last but one: e^-0.35 * 0.35 / 0.7
    expected = double(free, free, free * math.exp(-0.35) / 2, 0.0)
    assert_close(YAKOPCIC_OBLEA.rate(x, double(0.45)), expected)
    free = -4000 * (math.exp(0.45) - math.exp(0.15))
    x = double(1.0, 0.5, 0.25, 0.0)  # the last but one: e^(5 * -0.25) * 0.25 / 0.5
    expected = double(free, free, free * math.exp(-1.25) / 2, 0.0)
    assert_close(YAKOPCIC_OBLEA.rate(x, double(-0.45)), expected)


def test_yakopcic_conducts_by_the_amplitude_of_the_sign():
    v = double(-1.0, 0.0, 1.0)
    expected = 0.5 * math.sinh(0.7) * double(-4.35e-7, 0.0, 3.7e-7)
    assert_close(YAKOPCIC_JO.current(double(0.5), v), expected)


# Stanford


def test_the_gap_gives_the_resistances_of_the_ports():
    # MemTorch states 542 and 218586 ohm at 0.1 V
    resistance = 0.1 / STANFORD_PKU.current(double(1.0, 0.0), double(0.1))
    assert_close(resistance, double(542.0, 218586.0), rtol=1e-3, atol=0)
    assert_close(STANFORD_PKU.gap(double(0.0, 1.0)), double(1.7e-9, 0.2e-9))


def test_equal_barriers_are_the_published_sinh():
    x, v = double(0.4), double(-1.6, 1.6)
    heat = STANFORD_PKU.temperature(x, v)
    assert_close(heat, 298 + 2.1e3 * (v * STANFORD_PKU.current(x, v)))
    volts = BOLTZMANN * heat / ELEMENTARY_CHARGE
    gamma = 16 - 0.8 * 1.1**3  # the gap is 1.1 nm
    speed = 10 * torch.exp(-0.6 / volts) * torch.sinh(gamma * 0.25 / 12 * v / volts)
    assert_close(STANFORD_PKU.rate(x, v), speed / 1.5e-9)


def test_a_field_below_the_least_one_moves_nothing():
    # 1.4 V/nm * 12 nm / gamma, with 15.9936 and 12.0696 for gamma at both ends
    for x, v in ((1.0, -1.4 * 12 / 15.9936), (0.0, 1.4 * 12 / 12.0696)):
        below, above = STANFORD_PKU.rate(double(x), v * double(0.999, 1.001))
        assert below == 0
        assert above * v > 0


def test_the_heat_of_the_second_set_is_its_power_times_its_resistance():
    x, v = double(1.0), double(0.5)
    warm = STANFORD_ASU.temperature(x, v) - STANFORD_ASU.t0
    assert_close(warm, 722702.3 * v * STANFORD_ASU.current(x, v), rtol=1e-6, atol=0)


# UMich


def test_the_schottky_part_rectifies_and_the_tunnelling_part_does_not():
    v = double(-2.0, 2.0)
    blocked, passed = UMICH_WOX.current(double(0.0), v)
    assert_close(blocked, double(0.5e-6 * (1 - math.e)).squeeze())
    assert_close(passed, double(0.5e-6 * (1 - 1 / math.e)).squeeze())
    assert_close(UMICH_WOX.current(double(1.0), v), 4e-6 * torch.sinh(2 * v))


def test_the_area_grows_to_its_end_and_stops():
    assert_close(UMICH_WOX.rate(double(0.0), double(1.0)), double(0.018 * math.sinh(4)))
    assert UMICH_WOX.rate(double(1.0), double(1.0)) == 0
    assert UMICH_WOX.rate(double(1.0), double(0.5)) < 0


# Refusals


@pytest.mark.parametrize(
    ("device", "change", "sentence"),
    [
        (HP_TIO2, {"r_off": 50.0}, r"Expected `r_off` > `r_on`, but got r_off=50 Ω and r_on=100 Ω"),
        (HP_TIO2, {"thickness": 0.0}, r"Expected `thickness` > 0 m, but got 0 m"),
        (HP_TIO2, {"mobility": -1.0}, r"Expected `mobility` > 0 m²/\(V s\), but got -1"),
        (VTEAM_FAST, {"r_on": 2e3}, r"Expected `r_off` > `r_on`"),
        (VTEAM_FAST, {"v_on": 0.1}, r"Expected `-v_on` > 0 V, but got -0.1 V"),
        (VTEAM_FAST, {"k_on": 3.0}, r"Expected `-k_on` > 0 m/s, but got -3 m/s"),
        (VTEAM_FAST, {"alpha_on": 0}, r"Expected `alpha_on` .* whole .* 1 to 16, but got 0"),
        (VTEAM_FAST, {"alpha_off": 1.5}, r"Expected `alpha_off` .* whole .*, but got 1.5"),
        (YAKOPCIC_JO, {"a1": 0.0}, r"Expected `a1` > 0 A, but got 0 A"),
        (YAKOPCIC_JO, {"v_n": -0.5}, r"Expected `v_n` > 0 V, but got -0.5 V"),
        (YAKOPCIC_JO, {"x_p": 1.0}, r"Expected `x_p` above 0 and below 1, but got 1"),
        (YAKOPCIC_JO, {"x_n": 0.0}, r"Expected `x_n` above 0 and below 1, but got 0"),
        (YAKOPCIC_JO, {"alpha_p": -1.0}, r"Expected `alpha_p` >= 0 and finite, but got -1"),
        (STANFORD_PKU, {"gap_min": 2e-9}, r"Expected `gap_max` > `gap_min`"),
        (STANFORD_PKU, {"beta": 4.0}, r"Expected `gamma0` > `beta` .* gamma0=16 and 19.652"),
        (STANFORD_PKU, {"e_set": float("nan")}, r"Expected `e_set` > 0 eV, but got nan eV"),
        (STANFORD_PKU, {"r_th": -1.0}, r"Expected `r_th` >= 0 and finite, but got -1"),
        (UMICH_WOX, {"tau": 0.0}, r"Expected `tau` > 0 s, but got 0 s"),
        (UMICH_WOX, {"lam": float("inf")}, r"Expected `lam` > 0 1/s, but got inf 1/s"),
        (Joglekar(), {"p": 0}, r"Expected `p` to be a whole number from 1 to 16, but got 0"),
        (Biolek(), {"p": 2.5}, r"Expected `p` to be a whole number from 1 to 16, but got 2.5"),
        (Prodromakis(), {"p": 17}, r"Expected `p` .* from 1 to 16, but got 17"),
        (Prodromakis(), {"j": 0.0}, r"Expected `j` > 0 and finite, but got 0"),
    ],
)
def test_an_impossible_value_is_refused(device, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(device, **change)
