"""Random numbers that are counted: each is a function of a seed and of where it stands.

Philox 4x32-10 of J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
doi:10.1145/2063384.2063405. A seed gives the same numbers with every release of torch, on every
device, and however many are asked for.
"""

from typing import Any

import numpy as np

WORD = (1 << 32) - 1
"""The largest word."""

ROUNDS = 10


def words(counter: tuple[Any, ...], key: tuple[Any, Any]) -> tuple[Any, ...]:
    """Four random words of 32 bits, from four that count and two that are the seed.

    Each is a whole number, or something of 64 bits without a sign that can be calculated with.
    """
    a, b, c, d = counter
    low, high = key
    for _ in range(ROUNDS):
        first, second = a * 0xD2511F53, c * 0xCD9E8D57
        a, b = (second >> 32 & WORD) ^ b ^ low, second & WORD
        c, d = (first >> 32 & WORD) ^ d ^ high, first & WORD
        low, high = low + 0x9E3779B9 & WORD, high + 0xBB67AE85 & WORD
    return a, b, c, d


def halves(number: Any) -> tuple[Any, Any]:
    """The lower and the upper 32 bits of a whole number of 64, or of what :func:`words` takes."""
    return number & WORD, number >> 32 & WORD


def numbers(seed: int, place: int, count: int, uniform: bool, turn: int = 0) -> np.ndarray:
    """``count`` numbers of unit variance, or uniform in [0, 1), float32.

    ``seed`` and ``place`` have 64 bits, ``turn``, which of the draws at a place it is, has 32.
    """
    index = np.arange(-(-count // 4), dtype=np.uint64)
    four = words((index, turn, *halves(place)), halves(seed))
    if uniform:
        found = [(word >> 8) * 2.0**-24 for word in four]
    else:
        found = [number for pair in (four[:2], four[2:]) for number in _normal(*pair)]
    return np.stack(found, 1).reshape(-1)[:count].astype(np.float32)


def _normal(size: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two independent numbers of unit variance from two words (G. E. P. Box, M. E. Muller)."""
    radius = np.sqrt(-2 * np.log(((size >> 8) + 1) * 2.0**-24))
    turned = angle * (2 * np.pi * 2.0**-32)
    return radius * np.cos(turned), radius * np.sin(turned)
