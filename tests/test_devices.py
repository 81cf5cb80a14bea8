"""Physics of one memristor."""

import dataclasses

import pytest
import torch
from conformance import check_device, check_units
from torch.testing import assert_close

from snntorch_memristive import circuits, devices
from snntorch_memristive.devices import MEMPROP, MSS, RRAM, thermal_voltage

PUBLISHED = {name: d for name, d in vars(devices).items() if isinstance(d, MSS)}

DATACLASSES = [
    part
    for package in (devices, circuits)
    for part in vars(package).values()
    if isinstance(part, type) and dataclasses.is_dataclass(part)
]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_device_keeps_the_contract(name):
    check_device(PUBLISHED[name])


def test_every_parameter_set_is_public():
    assert set(PUBLISHED) <= set(devices.__all__)
    assert len(PUBLISHED) == 5


@pytest.mark.parametrize("part", DATACLASSES, ids=lambda part: part.__name__)
def test_every_physical_field_has_a_unit(part):
    check_units(part)


def test_thermal_voltage_is_kt_over_q():
    assert thermal_voltage(300.0) == pytest.approx(0.025851999786, rel=1e-9)  # CODATA 2018
    assert thermal_voltage(600.0) == pytest.approx(2 * thermal_voltage(300.0), rel=1e-15)


def test_a_switch_turns_on_and_off_at_half_its_greatest_rate_at_the_thresholds():
    x = torch.tensor([0.0, 1.0], dtype=torch.float64)
    v = torch.tensor([MEMPROP.v_on, MEMPROP.v_off], dtype=torch.float64)
    expected = torch.tensor([0.5, -0.5], dtype=torch.float64) / MEMPROP.tau
    assert_close(MEMPROP.rate(x, v), expected)


def test_a_schottky_share_adds_to_the_ohmic_current():
    device = dataclasses.replace(MEMPROP, phi=0.25, a_f=2e-3, b_f=3.0, a_r=2e-3, b_r=5.0)
    x, v = torch.tensor(0.5, dtype=torch.float64), torch.tensor(0.2, dtype=torch.float64)
    ohmic = (0.5 / 1e3 + 0.5 / 100e3) * 0.2
    schottky = 2e-3 * torch.exp(3 * v) - 2e-3 * torch.exp(-5 * v)
    assert_close(device.current(x, v), 0.25 * ohmic + 0.75 * schottky)
    assert not device.ohmic


def test_values_may_be_tensors_drawn_per_device():
    tau = torch.tensor([50e-6, 100e-6, 200e-6], dtype=torch.float64, requires_grad=True)
    x, v = torch.rand(3, dtype=torch.float64), torch.rand(3, dtype=torch.float64) * 0.2
    rate = dataclasses.replace(MEMPROP, tau=tau).rate(x, v)
    one_by_one = [dataclasses.replace(MEMPROP, tau=t).rate(x, v) for t in tau.tolist()]
    assert_close(rate, torch.stack(one_by_one).diagonal())
    (slope,) = torch.autograd.grad(rate.sum(), tau)
    assert_close(slope, -rate / tau)  # rate is proportional to 1 / tau


def test_a_device_is_a_frozen_value():
    with pytest.raises(dataclasses.FrozenInstanceError):
        MEMPROP.tau = 1.0
    assert dataclasses.replace(MEMPROP, source="elsewhere") == MEMPROP


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"r_off": 1e3}, r"Expected `r_off` > `r_on`, but got r_off=1000 Ω and r_on=1000 Ω"),
        ({"r_off": 10.0}, r"Expected `r_off` > `r_on`, but got r_off=10 Ω and r_on=1000 Ω"),
        ({"r_on": 0.0}, r"Expected `r_on` > 0 Ω, but got 0 Ω"),
        ({"r_on": -1.0}, r"Expected `r_on` > 0 Ω, but got -1 Ω"),
        ({"r_on": float("nan")}, r"Expected `r_on` > 0 Ω, but got nan Ω"),
        ({"r_off": float("inf")}, r"Expected `r_off` > 0 Ω, but got inf Ω"),
        ({"v_off": 0.11}, r"Expected `v_on` > `v_off`, but got v_on=0.11 V and v_off=0.11 V"),
        ({"v_on": 0.0}, r"Expected `v_on` > `v_off`, but got v_on=0 V and v_off=0.005 V"),
        ({"v_on": float("nan")}, r"Expected a finite `v_on` in V, but got nan"),
        ({"v_off": float("-inf")}, r"Expected a finite `v_off` in V, but got -inf"),
        ({"v_t": 0.0}, r"Expected `v_t` > 0 V, but got 0 V"),
        ({"v_t": -0.01}, r"Expected `v_t` > 0 V, but got -0.01 V"),
        ({"tau": 0.0}, r"Expected `tau` > 0 s, but got 0 s"),
        ({"tau": -1e-4}, r"Expected `tau` > 0 s, but got -0.0001 s"),
        ({"tau": float("nan")}, r"Expected `tau` > 0 s, but got nan s"),
        ({"phi": 1.5}, r"Expected `phi` in \[0, 1\], but got 1.5"),
        ({"phi": -0.1}, r"Expected `phi` in \[0, 1\], but got -0.1"),
        ({"phi": float("nan")}, r"Expected `phi` in \[0, 1\], but got nan"),
        ({"a_f": float("inf")}, r"Expected a finite `a_f` in A, but got inf"),
        ({"b_r": float("nan")}, r"Expected a finite `b_r` in 1/V, but got nan"),
    ],
)
def test_an_impossible_memristor_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(MEMPROP, **change)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"r_on": 1e5}, r"Expected `r_off` > `r_on`, but got r_off=100000 Ω and r_on=100000 Ω"),
        ({"r_on": -1.0}, r"Expected `r_on` > 0 Ω, but got -1 Ω"),
        ({"r_off": float("nan")}, r"Expected `r_off` > 0 Ω, but got nan Ω"),
        ({"levels": 1}, r"Expected `levels` to be None or at least 2, but got 1"),
        ({"levels": 2.5}, r"Expected `levels` to be None or at least 2, but got 2.5"),
        (
            {"programming_error": -0.1},
            r"Expected `programming_error` >= 0 and finite, but got -0.1",
        ),
        ({"spread": -0.1}, r"Expected `spread` >= 0 and finite, but got -0.1"),
        ({"spread": float("inf")}, r"Expected .*`spread` .* but got inf"),
        ({"read_noise": float("nan")}, r"Expected `read_noise` >= 0 and finite, but got nan"),
        ({"stuck_on": 1.1}, r"Expected `stuck_on` in \[0, 1\], but got 1.1"),
        ({"stuck_off": -0.1}, r"Expected `stuck_off` in \[0, 1\], but got -0.1"),
        (
            {"stuck_on": 0.6, "stuck_off": 0.5},
            r"Expected `stuck_on` \+ `stuck_off` <= 1, but got 0.6 \+ 0.5",
        ),
    ],
)
def test_an_impossible_cell_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        RRAM(**settings)


def test_a_cell_is_ideal_until_something_is_switched_on():
    assert RRAM().ideal
    for effect in ("programming_error", "spread", "stuck_on", "stuck_off", "read_noise"):
        assert not RRAM(**{effect: 0.01}).ideal
    assert not RRAM(levels=256).ideal
