"""Crossbars as resistors, one for every cell and every segment of wire."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from torch import Tensor

from ..crossbar import Array, Wires

Cell = Callable[[str, str, str, float], str]
"""Line of the cell of a name, between two nodes, of a conductance (S)."""


def resistor(name: str, p: str, n: str, g: float) -> str:
    """An ohmic cell."""
    return f"R{name} {p} {n} {1 / g:.10g}"


def array(
    name: str,
    drivers: Sequence[str],  # nodes, one per row
    g: Tensor,  # shape: (rows, columns), S
    wires: Wires,
    cell: Cell = resistor,
) -> tuple[list[str], list[str]]:
    """Lines of an array with ideal drivers, and per column the source whose current it reads.

    That source is the virtual ground at the end of the bit line, 0 V. A cell of 0 S is open.
    """
    ends = [f"c{name}_{j}" for j in range(g.shape[1])]
    lines = list(chain(_words(name, drivers, g, wires), _bits(name, ends, g, wires)))
    for i, row in enumerate(g.tolist()):
        for j, siemens in enumerate(row):
            if siemens > 0:
                p, n = _word(name, drivers, i, j, wires), _bit(name, ends, i, j, g, wires)
                lines.append(cell(f"{name}_{i}_{j}", p, n, siemens))
    lines += [f"V{name}_{j} {end} 0 0" for j, end in enumerate(ends)]
    return lines, [f"V{name}_{j}" for j in range(g.shape[1])]


def pairs(
    name: str,
    drivers: Sequence[str],  # nodes, one per row
    g: Tensor,  # shape: (2, rows, columns), S
    array_: Array,
    cell: Cell = resistor,
) -> tuple[list[str], list[list[tuple[str, float]]]]:
    """Lines of an array of pairs, and per column the sources to add up, each with its sign.

    Wires tell tiles apart, each of which has its own sources; without wires there is one tile.
    """
    rows, columns = g.shape[1:]
    wires = array_.wires
    tall = rows if wires.ideal else array_.rows or rows
    wide = columns if wires.ideal else array_.columns or columns
    lines: list[str] = []
    read: list[list[tuple[str, float]]] = [[] for _ in range(columns)]

    def add(side: str, cells: Tensor, first: int, sign: float, reads: Sequence[int]) -> None:
        made, sources = array(f"{name}{side}", drivers[first : first + tall], cells, wires, cell)
        lines.extend(made)
        # A reference column is read once and counts for all.
        for k, column in enumerate(reads):
            read[column].append((sources[min(k, len(sources) - 1)], sign))

    for top in range(0, rows, tall):
        own, subtracted = g[:, top : top + tall]
        if array_.mapping == "offset":
            add(f"r{top}", subtracted[:, :1], top, -1.0, range(columns))
        for left in range(0, columns, wide):
            reads = range(left, min(left + wide, columns))
            add(f"p{top}_{left}", own[:, left : left + wide], top, 1.0, reads)
            if array_.mapping != "offset":
                add(f"n{top}_{left}", subtracted[:, left : left + wide], top, -1.0, reads)
    return lines, read


def _word(name: str, drivers: Sequence[str], i: int, j: int, wires: Wires) -> str:
    """Node of the word line of row ``i`` at column ``j``."""
    if wires.r_word:
        return f"w{name}_{i}_{j}"
    return f"w{name}_{i}" if wires.r_source else drivers[i]


def _bit(name: str, ends: Sequence[str], i: int, j: int, g: Tensor, wires: Wires) -> str:
    """Node of the bit line of column ``j`` at row ``i``."""
    if wires.r_bit:
        return f"b{name}_{i}_{j}"
    return f"b{name}_{j}" if wires.r_sense else ends[j]


def _words(name: str, drivers: Sequence[str], g: Tensor, wires: Wires) -> Iterator[str]:
    for i, driver in enumerate(drivers):
        ohms = [wires.r_source + wires.r_word, *[wires.r_word] * (g.shape[1] - 1)]
        before = driver
        for j in range(g.shape[1]):
            at = _word(name, drivers, i, j, wires)
            if at != before:
                yield f"Rw{name}_{i}_{j} {before} {at} {ohms[j]:.10g}"
            before = at


def _bits(name: str, ends: Sequence[str], g: Tensor, wires: Wires) -> Iterator[str]:
    rows = g.shape[0]
    for j, end in enumerate(ends):
        for i in range(rows):
            at = _bit(name, ends, i, j, g, wires)
            last = i == rows - 1
            after = end if last else _bit(name, ends, i + 1, j, g, wires)
            if at != after:
                ohms = wires.r_bit + (wires.r_sense if last else 0.0)
                yield f"Rb{name}_{i}_{j} {at} {after} {ohms:.10g}"
