"""Arrays with wires against ngspice, and against Kirchhoff's equations written out in full."""

import itertools
import shutil
import subprocess
from pathlib import Path

import ngspice
import numpy as np
import pytest
import torch

from snntorch_memristive.crossbar.wires import Wires, approximate, effective

FIELDS = ("r_word", "r_bit", "r_source", "r_sense")
WIRES = Wires(r_word=1.5, r_bit=0.7, r_source=20.0, r_sense=8.0)
SOME = [
    Wires(**dict(zip(FIELDS, r, strict=True))) for r in itertools.product((0.0, 30.0), repeat=4)
]
SHAPES = [(7, 5), (5, 7), (6, 6), (1, 1), (1, 4), (4, 1)]


def cells(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random conductances in [1e-5, 1e-3] S."""
    draw = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 1e-5 + draw * (1e-3 - 1e-5)


def kirchhoff(g: torch.Tensor, wires: Wires) -> torch.Tensor:
    """Every segment's law and every node's sum of currents, in one dense system.

    Unknown are the word and bit nodes and the segments before and behind them: a segment of
    0 Ω is an equation like any other.
    """
    rows, columns = g.shape
    word, bit, before, behind = torch.arange(4 * g.numel()).view(4, rows, columns)
    system = torch.zeros(4 * g.numel(), 4 * g.numel(), dtype=g.dtype)
    inputs = torch.zeros(4 * g.numel(), rows, dtype=g.dtype)
    for i, j in itertools.product(range(rows), range(columns)):
        w, b, p, q = word[i, j], bit[i, j], before[i, j], behind[i, j]
        first, last = j == 0, i == rows - 1
        system[p, w], system[p, p] = 1, wires.r_word + wires.r_source * first
        system[q, b], system[q, q] = 1, -wires.r_bit - wires.r_sense * last
        if first:
            inputs[p, i] = 1
        else:
            system[p, word[i, j - 1]], system[word[i, j - 1], p] = -1, -1
        if not last:
            system[q, bit[i + 1, j]], system[bit[i + 1, j], q] = -1, 1
        system[w, p], system[b, q] = 1, -1
    w, b = word.flatten(), bit.flatten()
    stamped = torch.zeros_like(system).index_put((w, w), -g.flatten())
    stamped = stamped.index_put((b, b), -g.flatten())
    stamped = stamped.index_put((w, b), g.flatten()).index_put((b, w), g.flatten())
    return torch.linalg.solve(system + stamped, inputs)[behind[-1]].T


def spice(g: torch.Tensor, wires: Wires, v: np.ndarray, folder: Path) -> np.ndarray:
    """Currents (A) into the read-outs at ngspice's operating point."""
    if shutil.which("ngspice") is None:
        pytest.skip("ngspice is not installed: nothing to judge the physics by")
    (rows, columns), netlist = g.shape, ["a crossbar", ".options reltol=1e-9 abstol=1e-18"]
    for i in range(rows):
        netlist += [
            f"Vin{i} in{i} 0 {v[i]:.17g}",
            f"Rin{i} in{i} line{i} {wires.r_source!r}",
            f"Rword{i}_0 line{i} w{i}_0 {wires.r_word!r}",
        ]
        netlist += [
            f"Rword{i}_{j} w{i}_{j - 1} w{i}_{j} {wires.r_word!r}" for j in range(1, columns)
        ]
        netlist += [f"Rcell{i}_{j} w{i}_{j} b{i}_{j} {1 / g[i, j]:.17g}" for j in range(columns)]
    for j in range(columns):
        netlist += [f"Rbit{i}_{j} b{i - 1}_{j} b{i}_{j} {wires.r_bit!r}" for i in range(1, rows)]
        netlist += [
            f"Rbit{rows}_{j} b{rows - 1}_{j} out{j} {wires.r_bit!r}",
            f"Rout{j} out{j} sense{j} {wires.r_sense!r}",
            f"Vsense{j} sense{j} 0 0",
            f".save i(vsense{j})",
        ]
    Path(folder, "circuit.cir").write_text("\n".join([*netlist, ".op", ".end"]) + "\n")
    command = ["ngspice", "-b", "-r", "out.raw", "circuit.cir"]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=900, check=True)
    record = ngspice._read(Path(folder, "out.raw").read_bytes())
    return np.array([record[f"i(vsense{j})"][0] for j in range(columns)])


LARGE = [
    pytest.param(128, 128, Wires(r, r, 10 * r, 5 * r), marks=pytest.mark.slow)
    for r in (0.1, 1.0, 10.0)
]


@pytest.mark.parametrize(
    ("rows", "columns", "wires"),
    [
        (16, 16, Wires(1.0, 1.0, 1.0, 1.0)),
        (16, 16, Wires(10.0, 3.0, 100.0, 0.1)),
        (32, 20, WIRES),
        (20, 32, WIRES),
        (64, 64, Wires(1.0, 1.0, 10.0, 5.0)),
        *LARGE,
    ],
)
def test_currents_are_those_of_ngspice(rows, columns, wires, tmp_path):
    g, v = cells(rows, columns), np.random.default_rng(1).uniform(0, 0.2, rows)
    expected = spice(g, wires, v, tmp_path)
    np.testing.assert_allclose(v @ effective(g, wires).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("wires", [WIRES, *SOME], ids=str)
def test_conductances_and_gradient_are_those_of_kirchhoffs_equations(shape, wires):
    g, weight = cells(*shape).requires_grad_(), torch.randn(shape, dtype=torch.float64)
    results = [f(g, wires) for f in (effective, kirchhoff)]
    grads = [torch.autograd.grad(result, g, weight)[0] for result in results]
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-16)
    torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("wires", [wires for wires in SOME if not wires.ideal], ids=str)
def test_no_resistance_is_the_limit_of_a_small_one(wires):
    small = Wires(**{name: r or 1e-6 for name, r in vars(wires).items()})
    g = cells(7, 5)
    torch.testing.assert_close(effective(g, wires), effective(g, small), rtol=1e-7, atol=0)


@pytest.mark.parametrize("r", [1e-9, 1e-3, 1e3, 1e6])
def test_resistances_of_any_size_are_solved(r):
    wires, g = Wires(r, r, r, r), cells(9, 6)
    torch.testing.assert_close(effective(g, wires), kirchhoff(g, wires), rtol=1e-6, atol=0)


def test_open_cells_are_solved():
    g = cells(7, 5)
    g[2], g[:, 3], g[0, 0] = 0, 0, 0
    g.requires_grad_()
    results = [f(g, WIRES) for f in (effective, kirchhoff)]
    grads = [torch.autograd.grad(result.sum(), g)[0] for result in results]
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-16)
    assert (results[0][2] == 0).all()
    assert (results[0][:, 3] == 0).all()
    torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-12)


def test_ideal_wires_return_the_array_itself():
    g = cells(4, 3)
    assert effective(g, Wires()) is g
    assert torch.equal(approximate(g, Wires()), g)
    assert Wires().ideal
    assert not any(Wires(**{name: 1e-3}).ideal for name in FIELDS)


@pytest.mark.parametrize("shape", [(12, 8), (8, 12)])
@pytest.mark.parametrize("wires", [WIRES, Wires(r_bit=5.0), Wires(r_word=5.0)], ids=str)
def test_gradient_is_that_of_central_differences(shape, wires):
    g, weight, step = cells(*shape).requires_grad_(), cells(*shape, seed=1) * 1e3, 1e-7
    (grad,) = torch.autograd.grad(effective(g, wires), g, weight)
    units = torch.eye(g.numel(), dtype=g.dtype).view(-1, *shape) * step
    with torch.no_grad():
        change = effective(g + units, wires) - effective(g - units, wires)
    differences = (change * weight).sum((-2, -1)).view(shape) / (2 * step)
    torch.testing.assert_close(grad, differences, rtol=1e-5, atol=1e-5 * grad.abs().max().item())


@pytest.mark.parametrize("function", [effective, approximate])
def test_gradcheck(function):
    # In mS and kΩ, so that its steps suit.
    wires = Wires(0.15, 0.07, 0.2, 0.3)
    g = (cells(2, 4, 3) * 1e3).requires_grad_()
    assert torch.autograd.gradcheck(lambda g: function(g, wires), g)


def test_backward_may_be_called_again():
    g = cells(6, 4).requires_grad_()
    result = effective(g, WIRES)
    first, second, other = (
        torch.autograd.grad(result, g, torch.full_like(g, weight))[0] for weight in (1, 1, 2)
    )
    assert torch.equal(first, second)
    torch.testing.assert_close(2 * first, other)


@pytest.mark.parametrize("function", [effective, approximate])
@pytest.mark.parametrize("name", FIELDS)
def test_more_resistance_means_less_current(name, function):
    g = cells(10, 8)
    currents = [
        function(g, Wires(**{**vars(WIRES), name: r})).sum(0) for r in (0.0, 0.1, 1.0, 10.0, 100.0)
    ]
    assert all((less < more).all() for more, less in itertools.pairwise(currents))
    assert (currents[-1] > 0).all()


def test_drivers_and_read_outs_may_change_places():
    g = cells(9, 9)
    mirrored = Wires(WIRES.r_bit, WIRES.r_word, WIRES.r_sense, WIRES.r_source)
    turned = effective(g.flip(0, 1).T, mirrored).T.flip(0, 1)
    torch.testing.assert_close(effective(g, WIRES), turned, rtol=1e-11, atol=0)


@pytest.mark.parametrize("function", [effective, approximate])
def test_one_cell_is_in_series_with_its_wires(function):
    g = torch.tensor([[1e-3]], dtype=torch.float64)
    series = 1 / (1e3 + sum(vars(WIRES).values()))
    assert function(g, WIRES).item() == pytest.approx(series, rel=1e-12)


@pytest.mark.parametrize("function", [effective, approximate])
def test_batches_are_arrays_on_their_own(function):
    g = cells(2, 3, 6, 4)
    one_by_one = torch.stack([function(array, WIRES) for array in g.flatten(0, 1)])
    assert torch.equal(function(g, WIRES), one_by_one.view(g.shape))
    assert function(g[:0], WIRES).shape == (0, 3, 6, 4)


@pytest.mark.parametrize("function", [effective, approximate])
def test_single_precision_comes_back_as_such(function):
    g = cells(12, 9).float().requires_grad_()
    result = function(g, WIRES)
    result.sum().backward()
    assert result.dtype == g.grad.dtype == torch.float32
    torch.testing.assert_close(result.double(), function(g.double(), WIRES), rtol=1e-5, atol=0)


BOUNDS = {
    # (side, r of a segment in Ω): largest relative error of a column's current
    (16, 0.1): 2e-5,
    (16, 1.0): 2e-3,
    (16, 10.0): 0.06,
    (32, 0.1): 3e-4,
    (32, 1.0): 0.015,
    (64, 0.1): 2e-3,
    (64, 1.0): 0.06,
    (128, 0.1): 0.015,
}


@pytest.mark.parametrize(("side", "r"), BOUNDS)
def test_approximation_stays_within_its_bounds(side, r):
    g, wires = cells(side, side).requires_grad_(), Wires(r_word=r, r_bit=r)
    v = cells(100, side, seed=1)
    result = approximate(g, wires)
    error = (v @ result) / (v @ effective(g, wires)) - 1
    assert error.abs().max() < BOUNDS[side, r]
    (grad,) = torch.autograd.grad(result.sum(), g)
    assert grad.isfinite().all()


def test_approximation_is_exact_to_first_order():
    g = cells(12, 8)
    errors = []
    for r in (1e-2, 1e-3):
        wires = Wires(r, 2 * r, 3 * r, 4 * r)
        errors.append((approximate(g, wires) / effective(g, wires) - 1).abs().max())
    assert errors[1] < errors[0] / 90


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_impossible_wires_are_refused(name, value):
    with pytest.raises(
        ValueError, match=f"Expected `{name}` >= 0 Ω and finite, but got {value:g} Ω."
    ):
        Wires(**{name: value})


@pytest.mark.parametrize("function", [effective, approximate])
@pytest.mark.parametrize("value", [-1e-6, float("nan"), float("inf")])
def test_impossible_cells_are_refused(value, function):
    g = cells(4, 3)
    g[1, 2] = value
    with pytest.raises(ValueError, match=f"Expected `g` >= 0 S and finite, but got {value:g} S."):
        function(g, WIRES)


@pytest.mark.parametrize("function", [effective, approximate])
def test_an_array_has_two_dimensions(function):
    with pytest.raises(ValueError, match=r"Expected `g` of shape \(..., rows, columns\), but got"):
        function(cells(4), WIRES)
