"""Random numbers that are counted."""

import math
import sys

import numpy as np
import pytest
import torch

from snntorch_memristive import RRAM, RRAMLinear, philox
from snntorch_memristive.crossbar import draws
from snntorch_memristive.engine import philox as compiled

PLACES = [(0, 0, 0), (1, 2, 0), (2**62 - 5, 3 * 2**32 + 7, 3), (2**63 - 1, 2**40, 2**31)]


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((philox.WORD,) * 4, (philox.WORD,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_the_words_are_those_that_its_authors_publish(counter, key, words):
    """Values: file ``kat_vectors`` of Random123, the authors' own code."""
    assert philox.words(counter, key) == words


@pytest.mark.parametrize(("seed", "place", "turn"), PLACES)
@pytest.mark.parametrize("count", [0, 1, 6, 50_001])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_kernel_s_numbers_are_the_same(seed, place, turn, count, threads, set_threads):
    set_threads(threads)
    for uniform in (True, False):
        stated = philox.numbers(seed, place, count, uniform, turn)
        found = compiled.numbers(seed, place, count, uniform, turn).numpy()
        assert found.shape == stated.shape == (count,)
        assert found.dtype == stated.dtype == np.float32
        if uniform:
            assert np.array_equal(found, stated)
        else:
            np.testing.assert_allclose(found, stated, rtol=1e-6, atol=1e-7)


def test_threads_change_no_number(set_threads):
    found = []
    for threads in (1, 2, 3):
        set_threads(threads)
        found.append(compiled.numbers(5, 6, 50_001, False))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_their_distribution():
    n = 1_000_000
    uniform = compiled.numbers(5, 6, n, True).double()
    assert 0 <= float(uniform.min()) < 1e-5
    assert 1 - 1e-5 < float(uniform.max()) < 1
    normal = compiled.numbers(5, 6, n, False).double()
    assert float(normal.abs().max()) > 4
    moments = {1: 0.0, 2: 1.0, 3: 0.0, 4: 3.0, 6: 15.0}
    widths = {1: 1.0, 2: 2.0, 3: 15.0, 4: 96.0, 6: 10170.0}  # variances of the powers
    for power, moment in moments.items():
        found = float((normal**power).mean())
        assert abs(found - moment) < 4 * (widths[power] / n) ** 0.5, power
    for values, law in (
        (uniform, lambda x: x),
        (normal, lambda x: 0.5 * (1 + torch.erf(x / math.sqrt(2)))),
    ):
        heights = law(values.sort().values)  # Kolmogorov and Smirnov
        steps = torch.arange(1, n + 1, dtype=torch.float64) / n
        assert float((heights - steps).abs().max()) < 1.95 / n**0.5  # of 1000, one fails


def test_numbers_of_one_place_have_nothing_to_do_with_those_of_another():
    n = 200_000
    first = compiled.numbers(5, 6, n, False)
    for others in (
        compiled.numbers(6, 6, n, False),
        compiled.numbers(5, 7, n, False),
        compiled.numbers(5, 6, n, False, turn=1),
        first.roll(1),
        first.roll(4),
        first.square().roll(1) - 1,
    ):
        assert abs(float((first * others).mean())) < 4 * float(others.std()) / n**0.5


def test_a_chip_is_the_same_without_a_compiler(monkeypatch):
    """As far as the rounding of float32."""
    rram = RRAM(programming_error=0.05, spread=0.1, tolerance=0.02, writes=3, stuck_on=0.1)
    layer = RRAMLinear(30, 20, rram=rram).eval()  # in which nothing that is drawn is kept
    with_it = layer.conductances().detach()
    monkeypatch.setattr(draws, "is_usable", lambda package: False)
    monkeypatch.setitem(sys.modules, "snntorch_memristive.engine.philox", None)
    torch.testing.assert_close(layer.conductances().detach(), with_it)
