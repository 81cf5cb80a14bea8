"""A tensor that has been written is told from what it was."""

import itertools

import pytest
import torch

from snntorch_memristive.crossbar.seen import seen
from snntorch_memristive.engine import is_usable

pytestmark = pytest.mark.skipif(not is_usable("llvmlite"), reason="needs llvmlite")

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
SIZES = (0, 1, 3, 64, 129, 1024, 5000)
"""Some that fill no word, no round of all sums, or none that is left over."""


def found(tensor):
    from snntorch_memristive.engine.fingerprint import fingerprint

    return fingerprint(tensor)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_no_bit_of_no_number_can_change_unseen(size, dtype):
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    tensor = torch.randn(size).to(dtype)
    before = found(tensor)
    assert before == found(tensor.clone())
    bits = tensor.view(whole)
    for place in {0, 1, size // 2, size - 1} & set(range(size)):
        for bit in range(8 * dtype.itemsize):
            flip = torch.tensor(1 << bit if bit < 8 * dtype.itemsize - 1 else -(1 << bit)).to(whole)
            bits[place] ^= flip
            assert found(tensor) != before
            bits[place] ^= flip
    assert found(tensor) == before


CHANGES = {
    "all signs": lambda w: w.neg(),
    "all doubled": lambda w: 2 * w,
    "rows in another order": lambda w: w.roll(1, 0),
    "columns in another order": lambda w: w.roll(1, 1),
    "back to front": lambda w: w.flip(0, 1),
    "two numbers swapped": lambda w: w.view(-1)[[1, 0, *range(2, w.numel())]].view_as(w),
    "one column": lambda w: w.index_fill(1, torch.tensor([3]), 0.5),
    "one row": lambda w: w.index_fill(0, torch.tensor([3]), 0.5),
    "nothing but zeros": torch.zeros_like,
    "one added": lambda w: w + 1.0,
    "one step of rounding": lambda w: torch.nextafter(w, torch.tensor(9.0).to(w)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("columns", [8, 128, 256, 100])
def test_what_is_done_to_many_numbers_is_seen(columns, dtype):
    """Rows of 128 and 256 put a column into one and the same sum."""
    weight = torch.randn(64, columns, dtype=dtype)
    prints = {name: found(change(weight).contiguous()) for name, change in CHANGES.items()}
    assert len({found(weight), *prints.values()}) == 1 + len(CHANGES)


A_ROUND = 512
"""Bytes that are taken before the first sum gets its second word."""


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("change", [lambda x: -x, lambda x: 2 * x, lambda x: x * 0.5])
def test_no_two_numbers_cancel_each_other(change, dtype):
    """One of the first two rows of words, and one of three rounds, both changed alike."""
    first_ones, numbers = 128 // dtype.itemsize, 3 * A_ROUND // dtype.itemsize
    weight = torch.full((numbers,), 0.75, dtype=dtype)
    prints = []
    for first in range(first_ones):
        for second in range(first + 1, numbers):
            changed = weight.clone()
            changed[first], changed[second] = change(changed[first]), change(changed[second])
            prints.append(found(changed))
    assert len({found(weight), *prints}) == 1 + len(prints)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_bit_of_a_word_is_undone_by_one_of_the_words_behind_it(dtype):
    """One of the first two words, and one of the next word of the sum, of the last one's, or of
    what is left over and goes into one sum, word by word.
    """
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    width = 8 * dtype.itemsize
    flips = (torch.ones((), dtype=torch.int64) << torch.arange(width)).to(whole)
    numbers, a_word, a_round = (
        3 * A_ROUND // dtype.itemsize - 3,
        8 // dtype.itemsize,
        A_ROUND // dtype.itemsize,
    )
    places = [k + j for k in (0, a_round, 2 * a_round) for j in range(2 * a_word)]
    weight = torch.randn(numbers).to(dtype)
    prints = []
    for first, second in itertools.combinations(places, 2):
        for one, other in itertools.product(flips, flips):
            bits = weight.clone()
            bits.view(whole)[first] ^= one
            bits.view(whole)[second] ^= other
            prints.append(found(bits))
    assert len({found(weight), *prints}) == 1 + len(prints)


def test_steps_of_a_level_and_signs_do_not_cancel():
    """Weights on a grid have few bits, so that two changes might match in all of them."""
    weight = torch.randint(-8, 9, (256,)) / 8.0 + 1 / 16
    prints = set()
    changes = [*itertools.product(range(0, 32), (0.125, -0.125, 0.25), range(128, 256))]
    for first, step, second in changes:
        changed = weight.clone()
        changed[first] += step
        changed[second] *= -1
        prints.add(found(changed))
    assert len(prints | {found(weight)}) == 1 + len(changes)


def test_no_two_of_many_tensors_have_one_fingerprint():
    tensors = torch.zeros(20_000, 512)
    tensors[torch.arange(20_000), torch.randint(512, (20_000,))] = torch.arange(20_000.0) + 1
    assert len({found(tensor) for tensor in tensors}) == 20_000


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_a_sign_of_zero_is_no_change(size, dtype):
    zeros = torch.zeros(size, dtype=dtype)
    assert found(zeros) == found(-zeros)
    assert seen(zeros)(-zeros)


@pytest.mark.parametrize(
    "other",
    [
        lambda w: w.double(),
        lambda w: w.view(8, 2),
        lambda w: w.t(),
        lambda w: w.new_ones(5),
        lambda w: w.to("meta"),
    ],
)
def test_another_kind_of_tensor_is_not_the_one_that_was_seen(other):
    weight = torch.ones(4, 4)
    weight[0, 1] = 2.0
    assert seen(weight)(weight.clone())
    assert not seen(weight)(other(weight))


@pytest.mark.parametrize(
    "same",
    [
        lambda w: w.t().contiguous().t(),
        lambda w: torch._neg_view(-w),
        lambda w: torch.cat([w, w])[4:],
        torch.nn.Parameter,
    ],
)
def test_the_same_numbers_in_another_place_are_the_same(same):
    weight = torch.randn(4, 3)
    assert torch.equal(same(weight), weight)
    assert seen(weight)(same(weight))
    assert seen(same(weight))(weight)
    assert not seen(weight)(same(weight + 1))


def test_what_is_not_read_is_copied():
    weight = torch.rand(4, 4, dtype=torch.complex64)
    was = seen(weight)
    assert was(weight)
    assert was(weight.clone())
    weight[0, 0] = 5.0
    assert not was(weight)
