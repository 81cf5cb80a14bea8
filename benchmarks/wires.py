"""Wires of a crossbar: how far the closed form is from the exact array, and what each costs.

Run ``python benchmarks/wires.py``. The bare solution beside it is nodal analysis as one sparse
matrix: the same array by scipy's SuperLU with one solution per read-out, timed without building
the matrix. tests/test_wires.py holds the exact array against ngspice.
"""

import argparse
from time import perf_counter

import numpy as np
import torch
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from snntorch_memristive.crossbar.wires import Wires, approximate, effective

SIZES = (16, 32, 64, 128)
OHMS = (0.1, 1.0, 10.0)
SHAPES = ((128, 100), (64, 64), (100, 128), (128, 10))
INPUTS = 200


def cells(rows: int, columns: int) -> torch.Tensor:
    """Conductances in [1e-5, 1e-3] S."""
    generator = torch.Generator().manual_seed(0)
    return 1e-5 + torch.rand(rows, columns, generator=generator, dtype=torch.float64) * 99e-5


def print_errors() -> None:
    print("Error of `approximate`, % (g uniform in [1e-5, 1e-3] S, r_word = r_bit)\n")
    print(
        "Currents: of random inputs in [0, 1] V, each against its own column's; matrix: root of the"
    )
    print(
        "sum of squares against that of the exact one; cell: largest, against the largest cell.\n"
    )
    print("| array | segment, Ω | current lost to wires | currents, max | rms | matrix | cell |")
    print("| --- |" + " --- |" * 6)
    for size in SIZES:
        v = torch.rand(INPUTS, size, generator=torch.Generator().manual_seed(1)).double()
        for r in OHMS:
            g, wires = cells(size, size), Wires(r_word=r, r_bit=r)
            exact, close = effective(g, wires), approximate(g, wires)
            lost = 100 * (1 - exact.sum() / g.sum())
            currents, matrix = (v @ close) / (v @ exact) - 1, close - exact
            errors = (
                currents.abs().max(),
                currents.square().mean().sqrt(),
                matrix.norm() / exact.norm(),
                matrix.abs().max() / exact.max(),
            )
            cols = " | ".join(f"{100 * error:.2g}" for error in errors)
            print(f"| {size} x {size} | {r:g} | {lost:.1f} | {cols} |", flush=True)


def nodal(g: np.ndarray, r: float) -> tuple[csc_matrix, np.ndarray]:
    """Nodal matrix (S) of an array with all wires at ``r``, and 1 V at each read-out."""
    rows, columns = g.shape
    word, bit = np.arange(2 * g.size).reshape(2, rows, columns)
    one = np.concatenate([word[:, 1:].ravel(), bit[1:].ravel(), word.ravel()])
    other = np.concatenate([word[:, :-1].ravel(), bit[:-1].ravel(), bit.ravel()])
    between = np.concatenate([np.full(one.size - g.size, 1 / r), g.ravel()])
    own = np.bincount(one, between, 2 * g.size) + np.bincount(other, between, 2 * g.size)
    own[word[:, 0]] += 0.5 / r
    own[bit[-1]] += 0.5 / r
    place = np.arange(2 * g.size)
    values = np.concatenate([-between, -between, own])
    at = np.concatenate([one, other, place]), np.concatenate([other, one, place])
    sensed = np.zeros((2 * g.size, columns))
    sensed[bit[-1], np.arange(columns)] = 0.5 / r
    return csc_matrix((values, at)), sensed


def bare(matrix: csc_matrix, sides: np.ndarray) -> None:
    settings = {"permc_spec": "MMD_AT_PLUS_A", "options": {"SymmetricMode": True}}
    splu(matrix, diag_pivot_thresh=0.0, **settings).solve(sides)


def seconds(*functions) -> list[float]:
    """Fastest of five times each, in turns, so that all meet the same machine."""
    times = [[] for _ in functions]
    for _ in range(5):
        for function, record in zip(functions, times, strict=True):
            start = perf_counter()
            function()
            record.append(perf_counter() - start)
    return [min(record) for record in times]


def print_costs() -> None:
    print(f"\nms, {torch.get_num_threads()} threads, fastest of five\n")
    print("| array | sparse LU + solutions | `effective` | ratio | backward | `approximate` |")
    print("| --- |" + " --- |" * 5)
    for rows, columns in SHAPES:
        r, g = 1.0, cells(rows, columns).requires_grad_()
        wires = Wires(r, r, r, r)
        matrix, sides = nodal(g.detach().numpy(), r)
        if rows < columns:
            sides = np.zeros((2 * g.numel(), rows))
            sides[np.arange(rows) * columns, np.arange(rows)] = 0.5 / r
        result = effective(g, wires)
        weight = torch.ones_like(result)
        sparse, exact, backward, close = seconds(
            lambda m=matrix, s=sides: bare(m, s),
            lambda g=g, w=wires: effective(g, w),
            lambda g=g, result=result, w=weight: torch.autograd.grad(result, g, w),
            lambda g=g, w=wires: approximate(g, w),
        )
        print(
            f"| {rows} x {columns} | {1e3 * sparse:.0f} | {1e3 * exact:.0f} "
            f"| {exact / sparse:.2f} | {1e3 * backward:.0f} | {1e3 * close:.1f} |",
            flush=True,
        )


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print_errors()
    print_costs()


if __name__ == "__main__":
    main()
