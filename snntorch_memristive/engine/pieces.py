"""A long loop cut into shorter ones.

A processor looks some hundred operations ahead. Several iterations of a short loop fit into that
view and hide the time that one operation waits for another; those of a long one do not.
"""

from typing import Any

from .expression import Symbol, ordered
from .rewrite import rewritten

LONGEST = 50
"""Operations of a loop, on average at most; cuts are moved to where little crosses."""

CROSSING = "cross"
"""How names of rows begin by which a piece hands values to later ones."""


def cut(results: dict[str, Any]) -> list[dict[str, Any]]:
    """``results``, formulas by the rows that they are written to, piece by piece.

    What a piece takes from one before it is in rows of its own, :data:`CROSSING` and a number.
    A row is written in the last of the pieces that read what was in it before.
    """
    results = rewritten(results)
    order = [symbol for symbol in ordered(list(results.values())) if symbol.op != "input"]
    starts = _starts(order)
    piece = {symbol: sum(start <= k for start in starts) for k, symbol in enumerate(order)}
    copies = {value: len(starts) for value in results.values() if _is_row(value)}
    used = [(argument, piece[symbol]) for symbol in order for argument in _arguments(symbol)]
    last_read = {a.args[0]: k for a, k in [*used, *copies.items()] if _is_row(a)}
    computed = piece | copies
    written = {
        row: max(computed.get(value, 0), last_read.get(row, 0)) for row, value in results.items()
    }
    used += [(value, written[row]) for row, value in results.items() if value in piece]
    crossing = dict.fromkeys(s for s, k in used if s in piece and piece[s] < k)
    names = {symbol: f"{CROSSING}{k}" for k, symbol in enumerate(crossing)}
    pieces = []
    for k in range(len(starts) + 1):
        own = {row: value for row, value in results.items() if written[row] == k}
        own |= {name: symbol for symbol, name in names.items() if piece[symbol] == k}
        known = {symbol: name for symbol, name in names.items() if piece[symbol] < k}
        pieces.append(rewritten(own, replaced=known))
    return pieces


def _starts(order: list[Symbol]) -> list[int]:
    """Where the pieces after the first begin: near equal parts, where little crosses."""
    last_use = {a: k for k, symbol in enumerate(order) for a in _arguments(symbol)}
    count = -(-len(order) // LONGEST)
    size = len(order) / count if count else 0

    def crossing(start: int) -> int:
        return sum(last_use.get(symbol, 0) >= start for symbol in order[:start])

    nearby = [range(int((k - 0.4) * size), int((k + 0.4) * size)) for k in range(1, count)]
    return [min(places, key=crossing) for places in nearby]


def _is_row(value: Any) -> bool:
    return isinstance(value, Symbol) and value.op == "input"


def _arguments(symbol: Symbol) -> list[Symbol]:
    return [argument for argument in symbol.args if isinstance(argument, Symbol)]
