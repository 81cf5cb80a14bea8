"""The kernels equal the equations as they are stated, in value and in gradient."""

import copy
import ctypes
import math
import os
import random
import subprocess
import sys
import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import ir
from torch.nn.functional import softplus
from torch.testing import assert_close

import snntorch_memristive as snnm
from snntorch_memristive.circuits import (
    AlphaMIFCircuit,
    LoadedMIFCircuit,
    MIFCircuit,
    SynapticMIFCircuit,
)
from snntorch_memristive.engine import cpu, threads
from snntorch_memristive.engine.arithmetic import FUNCTIONS
from snntorch_memristive.engine.cache import cache_folder, kept, load
from snntorch_memristive.engine.expression import Symbol, gradients
from snntorch_memristive.engine.lines import write
from snntorch_memristive.engine.machine import loaded
from snntorch_memristive.engine.pieces import cut
from snntorch_memristive.engine.rewrite import (
    from_half,
    powers_of_two,
    rewritten,
    shared_logistic,
)
from snntorch_memristive.engine.sums import gathered
from snntorch_memristive.engine.value import INTEGER, NUMBERS, Row, Value, loop
from snntorch_memristive.engine.workspace import BLOCK
from snntorch_memristive.solvers import SOLVERS

VALUES = {"rtol": 0, "atol": 4e-6}
"""Of a membrane of order 1 in float32: some thirty roundings."""
GRADIENTS = 1e-4
"""Of the largest gradient of the same tensor."""

CIRCUITS = {
    "mif": MIFCircuit(),
    "alpha": AlphaMIFCircuit(),
    "loaded": LoadedMIFCircuit(),
    "synaptic": SynapticMIFCircuit(lead=5e-6),
    "synaptic, by default": SynapticMIFCircuit(),
}


def both_engines(x, dtype=torch.float32, beta=0.8, **settings):
    """What a neuron gives for ``x``, and the gradients, on kernels and on torch's operations."""
    results = []
    for engine in ("auto", "eager"):
        torch.manual_seed(1)
        neuron = snnm.MIF(beta, engine=engine, **settings).to(dtype)
        input_ = x.detach().to(dtype, copy=True).requires_grad_()
        spk, mem = neuron.sequence(input_)
        assert neuron.engine_used == {"auto": "llvmlite", "eager": "eager"}[engine]
        weights = torch.rand(2, *spk.shape, dtype=dtype)
        states = neuron.states()
        (weights * torch.stack([spk, mem])).sum().add(
            sum(s.sum() for s in states.values())
        ).backward()
        grads = {name: p.grad for name, p in neuron.named_parameters()}
        results.append(({"spk": spk, "mem": mem} | states, {"input_": input_.grad} | grads))
    return results


def assert_equal(results, values=VALUES, gradients=GRADIENTS):
    (values_a, grads_a), (values_b, grads_b) = results
    assert grads_a.keys() == grads_b.keys()
    for name, expected in values_b.items():
        assert_close(values_a[name], expected, **values, msg=name)
    for name, expected in grads_b.items():
        scale = float(expected.abs().max()) if expected.numel() else 0.0
        assert_close(grads_a[name], expected, rtol=0, atol=gradients * scale, msg=name)


def some_input(*shape, scale=2.0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * scale


@pytest.mark.parametrize("circuit", CIRCUITS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_circuit_and_solver(circuit, solver):
    scale = 0.3 if solver in ("euler", "rk4") else 2.0  # what they are stable for
    x = some_input(12, 3, 50, scale=scale)
    assert_equal(both_engines(x, circuit=CIRCUITS[circuit], solver=solver))


@pytest.mark.parametrize("substeps", range(1, 9))
def test_every_number_of_substeps(substeps):
    # More steps than a kernel keeps at a time, for every number of sub-steps.
    results = both_engines(some_input(37, 5), solver="exponential", substeps=substeps)
    assert_equal(results)


def test_double_precision_is_kept():
    results = both_engines(some_input(20, 7), dtype=torch.float64)
    assert_equal(results, values={"rtol": 0, "atol": 1e-13}, gradients=1e-12)


def test_learned_parameters_of_a_layer_and_of_every_neuron():
    results = both_engines(
        some_input(20, 4, 3),
        beta=torch.tensor([0.5, 0.7, 0.9]),
        threshold=torch.tensor([1.0, 2.0, 0.5]),
        learn_beta=True,
        learn_threshold=True,
        learn_graded_spikes_factor=True,
        learn_device={"v_on": (), "tau": (3,), "r_on": (), "e2": (3,)},
    )
    assert len(results[0][1]) == 8
    assert_equal(results)


@pytest.mark.parametrize("spike", snnm.functional.SPIKES)
@pytest.mark.parametrize("extra", [{}, {"inhibition": True}, {"reset_mechanism": "none"}])
def test_every_spike_output(spike, extra):
    assert_equal(both_engines(some_input(10, 4, 6), spike=spike, **extra))


@settings(deadline=None, max_examples=40)
@given(
    shape=st.lists(st.integers(0, 9), max_size=3),
    steps=st.integers(1, 20),
    seed=st.integers(0, 99),
    strided=st.booleans(),
)
def test_any_shape(shape, steps, seed, strided):
    x = torch.randn(*shape, steps, generator=torch.Generator().manual_seed(seed))
    x = x.movedim(-1, 0) if strided else x.movedim(-1, 0).contiguous()
    assert_equal(both_engines(x))


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK // 2])
def test_sizes_around_a_block(size):
    assert_equal(both_engines(some_input(20, size)))


@pytest.mark.parametrize("with_openmp", [True, False])
def test_threads_change_nothing(set_threads, monkeypatch, with_openmp):
    if not with_openmp:
        monkeypatch.setattr(threads, "_openmp", lambda: None)
    x = some_input(30, 5000)
    records = []
    for number in (1, 3):
        set_threads(number)
        records.append(both_engines(x)[0])
    assert_equal(records, values={"rtol": 0, "atol": 0}, gradients=0)


def test_whoever_comes_takes_the_neurons_of_threads_that_do_not(set_threads, monkeypatch):
    set_threads(3)
    expected = both_engines(some_input(30, 5000))[0]
    monkeypatch.setattr(cpu, "call", lambda function, task, _: threads.call(function, task, 1))
    alone = both_engines(some_input(30, 5000))[0]
    assert_equal([expected, alone], values={"rtol": 0, "atol": 0}, gradients=0)


def test_a_default_device_of_torch_is_not_where_a_kernel_works():
    neuron, x = snnm.MIF(0.8), some_input(4, 30).requires_grad_()
    expected = neuron.sequence(x)[1]
    with torch.device("meta"):
        mem = neuron.sequence(x)[1]
        mem.sum().backward()
    assert torch.equal(mem, expected)
    assert x.grad.abs().sum() > 0


def _work_in_fork(inherited, x, queue):
    with torch.no_grad():
        queue.put(inherited.sequence(x)[1].sum().item())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_threads_of_its_own(set_threads):
    set_threads(2)
    neuron, x = snnm.MIF(0.8), some_input(60, 500)
    expected = neuron.sequence(x)[1].sum().item()
    context = torch.multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_work_in_fork, args=(neuron, x, queue))
    process.start()
    try:
        assert queue.get(timeout=60) == expected
    finally:
        process.kill()


def test_one_step_after_the_other_gives_what_the_sequence_gives():
    neuron = snnm.MIF(0.8)
    x = some_input(30, 4)
    spk, mem = neuron.sequence(x)
    state, steps = torch.zeros(4), []
    for current in x:
        out, state = neuron(current, state)
        steps.append((out, state))
    assert neuron.engine_used == "llvmlite"
    assert_close(torch.stack([s for s, _ in steps]), spk, rtol=0, atol=0)
    assert_close(torch.stack([m for _, m in steps]), mem, rtol=0, atol=0)


@pytest.mark.parametrize("size", [1e3, 1e20, 1e38])
def test_finite_input_of_any_size_gives_finite_states_and_gradients(size):
    neuron = snnm.MIF(0.8)
    x = torch.tensor([size, -size, 0.0]).repeat(20, 1).requires_grad_()
    spk, mem = neuron.sequence(x)
    (spk.sum() + mem.sum()).backward()
    assert neuron.engine_used == "llvmlite"
    for tensor in (spk, mem, x.grad, *neuron.states(mem[-1]).values()):
        assert torch.isfinite(tensor).all()


def test_a_derivative_of_a_derivative():
    neuron = snnm.MIF(0.8).double()
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)

    def step(x):
        return neuron(x, torch.zeros(3, dtype=torch.float64))[1]

    step(x)
    assert neuron.engine_used == "llvmlite"
    assert torch.autograd.gradgradcheck(step, (x,))


def test_what_kernels_cannot_do_runs_eagerly():
    @dataclass(frozen=True)
    class Odd(MIFCircuit):
        def membrane(self, state, i_in):
            return super().membrane(state, torch.special.i0(i_in * 0) * i_in)

    neuron = snnm.MIF(0.8, circuit=Odd())
    plain = snnm.MIF(0.8)
    x = some_input(5, 3)
    _, mem = neuron.sequence(x)
    assert neuron.engine_used == "eager"
    assert "i0" in neuron.engine_reason
    assert plain.engine_reason is None
    assert_close(mem, plain.sequence(x)[1], **VALUES)
    quantised = snnm.MIF(0.8, state_quant=lambda mem: mem.round(decimals=1))
    quantised.sequence(x)
    assert quantised.engine_used == "eager"


def test_a_condition_on_a_state_is_refused_as_a_formula():
    with pytest.raises(TypeError, match=r"torch\.where"):
        bool(Symbol.named("v") > 0.0)
    with pytest.raises(TypeError, match=r"kernels know \(abs, .*, but got special_i0"):
        torch.special.i0(Symbol.named("v"))
    with pytest.raises(TypeError, match=r"torch\.exp\(p \* torch\.log\(x\)\)"):
        Symbol.named("v") ** 1.5


@pytest.mark.parametrize(
    "changed",
    [
        rewritten,
        lambda results: rewritten(results, shared_logistic, powers_of_two),
        from_half,
        lambda results: gathered(rewritten(results)),
    ],
    ids=["as it is", "powers of two", "from half", "gathered"],
)
def test_derivatives_of_every_operation(changed):
    x, y = Symbol.named("x"), Symbol.named("y")

    def formula(x, y):
        smooth = torch.exp(x * 0.3) + torch.expm1(-y) + torch.log(y + 3) + torch.sqrt(x + 4)
        bent = torch.where(x < y, x * y, x / (y + 2)) + torch.clamp(x, -0.5, 0.5) + abs(y)
        smooth = smooth + torch.tanh(x) + torch.atan(3 * y) + torch.sigmoid(x - y)
        powers = (x - 1) ** 3 + (x + 4) ** -2 + 1.7**x + torch.pow(2.0, y) + torch.exp2(x * y)
        more = torch.cosh(x) + torch.sinh(y) + torch.log1p(y + 3) + softplus(x) + softplus(-9 * y)
        less = 0.5 * torch.expm1(2 * y) + torch.expm1(4 * y) - 0.3 * (3 * x - torch.expm1(y))
        return smooth + bent + powers + more + less + x.relu()

    traced = formula(x, y)
    results = dict(
        zip(("f", "by_x", "by_y"), [traced, *gradients({traced: 1.0}, [x, y])], strict=True)
    )
    names = {
        "F": float,
        "where": lambda c, a, b: torch.where(c, torch.as_tensor(a).double(), b),
    }
    functions = "atan exp expm1 exp2 log log1p sqrt tanh sigmoid reciprocal"
    names |= {name: getattr(torch, name) for name in functions.split()}
    names |= {"exp2_within": torch.exp2, "reciprocal_within": torch.reciprocal}
    names |= {"added": lambda a, b: a + b, "subtracted": lambda a, b: a - b}
    names["exp2m1"] = lambda z: torch.exp2(torch.as_tensor(z)) - 1
    for a, b in ((0.3, 0.7), (-0.2, 0.1), (2.0, -1.0)):
        at = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (a, b)]
        expected = formula(*at)
        wanted = [expected, *torch.autograd.grad(expected, at, retain_graph=True)]
        scope = names | {"x": at[0].detach(), "y": at[1].detach()}
        exec("\n".join(write(changed(results))), scope)
        for name, value in zip(results, wanted, strict=True):
            assert_close(scope[name], value.detach(), rtol=1e-12, atol=1e-12, msg=name)


def test_numbers_move_to_where_they_cost_nothing():
    x, y, s = (Symbol.named(name) for name in ("x", "y", "s"))

    def lines(value):
        return write(gathered(rewritten({"value": value})))

    assert lines(0.5 * (0.3 + 0.1 * x) + 2.0) == write({"value": 2.15 + 0.05 * x})
    assert lines(0.1 * x - 0.1 * y + s) == write({"value": s + 0.1 * (x - y)})
    series = 1.0 + 0.5 * (s * (1.0 + s * (0.25 * s - 2.0)))
    assert lines(series) == write({"value": 1.0 + (0.5 + (0.125 * s - 1.0) * s) * s})
    # What is needed elsewhere stays whole, and so does what would lose digits.
    shared = s * (0.5 - 0.25 * s)
    assert lines(y * shared + 2.0 * shared)[:3] == lines(shared)[:3]
    assert lines(3.0 * (1.0 - x)) == write({"value": 3.0 * (1.0 - x)})


@pytest.mark.parametrize(
    "formula",
    [
        lambda x, y, s: (1.0 - x) + 1e-12,
        lambda x, y, s: (1.0 - x * y) + 1e-12,
        lambda x, y, s: (x - y) + s,
        lambda x, y, s: 0.5 * (x - y) + 0.5 * (s * s),
        lambda x, y, s: 1e-3 * (2.0 - 2.0 * x) + s,
        lambda x, y, s: s + 1e-3 * ((x - y) - s),
        lambda x, y, s: (1.0 - x * y) + s,
        lambda x, y, s: s * ((3.0 * x - 3.0 * y * y) + s),
        lambda x, y, s: 0.1 * (3.0 * x - (y + 2.0)) + s,
        lambda x, y, s: torch.where(x < 2.0, (torch.sigmoid(40.0 * x) - y) + s, x),
    ],
)
def test_what_may_cancel_is_added_first(formula):
    x, y, s = (Symbol.named(name) for name in ("x", "y", "s"))
    near = {"x": np.float32(1), "y": np.float32(1), "s": np.float32(1e-9), "F": np.float32}
    near |= {"where": np.where, "sigmoid": lambda z: np.float32(1 / (1 + np.exp(-z)))}
    before, after = dict(near), dict(near)
    results = {"value": formula(x, y, s)}
    exec("\n".join(write(results)), before)
    exec("\n".join(write(gathered(rewritten(results)))), after)
    assert after["value"] == pytest.approx(before["value"], rel=1e-6, abs=0)


def test_what_a_reciprocal_is_taken_of_stays_as_it_is():
    x, y, s = (Symbol.named(name) for name in ("x", "y", "s"))
    guarded = 1.0 / ((x * y - s * y) + 1e-12)
    lines = write(gathered(rewritten({"value": guarded})))
    *stated, last = write({"value": guarded})
    stated[2:4] = ["t2 = subtracted(t0, t1)", "t3 = added(t2, F(1e-12))"]  # in their order, unfused
    assert lines == [*stated, last]
    harmless = 1.0 / (torch.exp(x * y) + 0.5)
    assert write(gathered(rewritten({"value": harmless}))) == write({"value": harmless})


@pytest.mark.parametrize("number", [1e6, 1e-25, 1e20])
def test_no_number_leaves_the_range_of_float32(number):
    x = Symbol.named("x")
    value = x * number
    known = {"x": np.float32(1 / number), "g": np.float32(1), "F": np.float32}
    long, arriving = x, Symbol.named("g")
    for _ in range(4):
        long = (long * number) * x
    for made in (value**8, value * value * x, (value * x) * value, number * (number * long), long):
        (slope,) = gradients({made: arriving}, [x])
        results = {"value": made, "slope": slope}
        exact = {"x": float(known["x"]), "g": 1.0, "F": float}
        exec("\n".join(write(results)), exact)
        lines = write(gathered(gathered(rewritten(results))))
        with np.errstate(over="ignore", under="ignore"):
            exec("\n".join(lines), known)
        for name in ("value", "slope") if 1e-37 < abs(exact["slope"]) < 1e38 else ("value",):
            assert known[name] == pytest.approx(exact[name], rel=1e-5, abs=0)


@pytest.mark.parametrize("seed", range(40))
def test_formulas_keep_their_values_with_fewer_products(seed):
    draw = random.Random(seed)
    numbers = [0.3, 0.1 + 0.2, 0.3000001, -0.3, 1.0, -1.0, 2.0, 1e-3, 4.0]
    known = [Symbol.named(name) for name in "xyz"]
    for _ in range(25):
        a, b, number = draw.choice(known), draw.choice(known[-6:]), draw.choice(numbers)
        held = torch.tanh(b)
        fading = torch.expm1(number * held), torch.expm1(2 * number * held)
        sums = a + b, a - b, a - number, number - b
        known.append(draw.choice([*sums, *fading, held, number * a, b * (a * number)]))
    results = {f"r{k}": value for k, value in enumerate(known[-3:]) if isinstance(value, Symbol)}
    before = {name: draw.uniform(-1, 1) for name in "xyz"} | {"F": float}
    before |= {"tanh": math.tanh, "expm1": math.expm1}
    after = dict(before)
    exec("\n".join(write(results)), before)
    exec("\n".join(write(gathered(rewritten(from_half(results))))), after)
    for name in results:
        assert after[name] == pytest.approx(before[name], rel=1e-9, abs=1e-9)


def test_a_slow_state_keeps_its_digits():
    s, t = Symbol.named("s"), Symbol.named("t")
    for value in (s + (s - t) * 1e-3, s + (1e-3 * s - t)):
        assert write(gathered({"value": value})) == write({"value": value})


def test_the_inverse_tangent_of_float32_is_right_to_two_units_in_the_last_place():
    size = np.append(np.logspace(-6, 6, 400, dtype=np.float32), np.float32(1e30))
    for x in (size, -size):
        np.testing.assert_allclose(computed("atan", x), np.arctan(x.astype(float)), rtol=2.5e-7)
    assert computed("atan", np.zeros(1, np.float32)) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_elementary_functions_are_right_to_the_rounding(dtype):
    x = np.linspace(-20, 20, 1001, dtype=dtype)
    wanted = {
        "atan": np.arctan,
        "exp2": np.exp2,
        "exp2m1": lambda x: np.expm1(x * np.log(2)),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "tanh": np.tanh,
    }
    tolerance = 8 * np.finfo(dtype).eps  # the exponent of a sigmoid is rounded, up to 20
    for name, function in wanted.items():
        exact = function(x.astype(float))
        np.testing.assert_allclose(computed(name, x), exact, rtol=tolerance, err_msg=name)
    for name, function in {"log": np.log, "sqrt": np.sqrt, "reciprocal": np.reciprocal}.items():
        exact = function(x[x > 0].astype(float))
        np.testing.assert_allclose(computed(name, x[x > 0]), exact, rtol=tolerance, atol=1e-8)
    above = np.concatenate([np.logspace(-30, 3, 500), -np.logspace(-30, -1, 500), [0]])
    above = above.astype(dtype)
    exact = np.log1p(above.astype(float))
    np.testing.assert_allclose(computed("log1p", above), exact, rtol=tolerance)


def computed(name, x):
    """What a kernel's function ``name`` makes of an array."""
    number = NUMBERS[str(x.dtype)]
    module = ir.Module(name)
    types = ir.FunctionType(ir.VoidType(), [number.as_pointer()])
    function = ir.Function(module, types, "on_a_row")
    builder = ir.IRBuilder(function.append_basic_block())
    row = Row(builder, function.args[0])
    with loop(builder, Value(builder, ir.Constant(INTEGER, len(x)))) as j:
        row[j] = FUNCTIONS[str(x.dtype)][name](row[j])
    builder.ret_void()
    result = x.copy()
    engine = loaded(str(module))
    start = engine.get_function_address("on_a_row")
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(start)(result.ctypes.data)
    return result


SCRIPT = """
import torch, snntorch_memristive as snnm
neuron = snnm.MIF(0.8, solver="exponential", substeps=3)
x = torch.ones(4, 5, requires_grad=True)
neuron.sequence(x)[1].sum().backward()
assert neuron.engine_used == "llvmlite"
print(x.grad.sum().item())
"""


def run_script(folder):
    environment = os.environ | {"XDG_CACHE_HOME": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env=environment, stdout=subprocess.PIPE, text=True
    )


def test_processes_share_the_cache_from_the_first_moment(tmp_path):
    processes = [run_script(tmp_path) for _ in range(3)]
    answers = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(answers) == 1
    kept = list((tmp_path / "snntorch_memristive").rglob("*.o"))
    assert kept, "nothing compiled was kept"
    times = {path: path.stat().st_mtime_ns for path in kept}
    assert run_script(tmp_path).wait() == 0
    assert times == {path: path.stat().st_mtime_ns for path in kept}, "compiled again"


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    process = run_script(blocked)
    assert process.communicate()[0]
    assert process.returncode == 0


def test_a_damaged_source_in_the_cache_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    text = "answer = 42\n"
    module = load(text)
    assert module.answer == 42
    path = cache_folder() / f"{module.__name__}.py"
    path.write_text("answer = 0\n")
    del sys.modules[module.__name__]
    assert load(text).answer == 42


def test_damaged_code_in_the_cache_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kept("text", lambda: b"code") == b"code"
    assert kept("text", lambda: b"never made") == b"code"
    (path,) = cache_folder().iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"f")
    assert kept("text", lambda: b"code") == b"code"
    assert kept("text", lambda: b"never made") == b"code"


def test_second_derivatives_when_one_input_hangs_on_another():
    def derivatives(engine):
        neuron = snnm.MIF(0.8, engine=engine, learn_threshold=True).double()
        torch.manual_seed(0)
        x = (torch.rand(3, dtype=torch.float64) / 2).requires_grad_()
        mem, total = torch.zeros(3, dtype=torch.float64), 0
        for _ in range(5):
            spk, mem = neuron(x, mem)
            total = total + (spk + mem).sum()
        wanted = [x, neuron.threshold]
        first = torch.autograd.grad(total, wanted, create_graph=True)
        return *first, *torch.autograd.grad(sum(g.sum() for g in first), wanted)

    for ours, eager in zip(derivatives("auto"), derivatives("eager"), strict=True):
        assert_close(ours, eager, rtol=1e-9, atol=1e-9)


def test_other_machinery_of_torch_runs_eagerly():
    neuron, x, rest = snnm.MIF(0.8), torch.rand(3), torch.zeros(3)
    slope = torch.func.grad(lambda x: neuron(x, torch.zeros(3))[1].sum())(x)
    mapped = torch.func.vmap(lambda mem: neuron(x, mem)[1])(torch.zeros(4, 3))
    assert_close(mapped[2], neuron(x, rest)[1])
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones(3))
        tangent = torch.autograd.forward_ad.unpack_dual(neuron(dual, rest)[1]).tangent
        assert_close(tangent, slope, rtol=1e-4, atol=1e-4)
    copy.deepcopy(neuron)


def test_kept_coefficients_serve_no_graph():
    neuron, x, rest = snnm.MIF(0.8), torch.rand(3), torch.zeros(3)
    with torch.no_grad():
        neuron(x, rest)
    beta = torch.tensor(0.8, requires_grad=True)
    for _ in range(2):
        _, mem = torch.func.functional_call(neuron, {"beta": beta}, (x, rest))
        mem.sum().backward()
    assert beta.grad != 0


def test_parameters_on_another_device_are_refused_by_torch():
    with pytest.raises(RuntimeError, match="device"):
        snnm.MIF(0.8).to("meta")(torch.rand(3))


def test_the_hidden_state_is_no_part_of_the_record():
    neuron = snnm.MIF(0.8, init_hidden=True)
    _, mem = neuron.sequence(some_input(50, 3).requires_grad_())
    assert neuron.mem.untyped_storage().nbytes() == 3 * 4
    neuron.detach_hidden()
    assert not neuron.mem.requires_grad
    assert mem.requires_grad


def test_nan_in_a_sequence_changes_nothing():
    neuron = snnm.MIF(0.8)
    neuron(torch.ones(3))
    before = neuron.mem.clone()
    with pytest.raises(ValueError, match="NaN"):
        neuron.sequence(torch.full((4, 3), torch.nan))
    assert torch.equal(neuron.mem, before)


def test_threads_may_make_the_first_call_together():
    errors = []

    def first_call():
        try:
            snnm.MIF(0.8, solver="symmetric", substeps=7).sequence(some_input(3, 4))
        except Exception as error:
            errors.append(error)

    callers = [threading.Thread(target=first_call) for _ in range(6)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    assert errors == []


def test_circuits_of_ones_own():
    @dataclass(frozen=True)
    class Mine(MIFCircuit):
        notes: tuple | list = ()

        def membrane(self, state, i_in):
            return super().membrane(state, torch.relu(i_in).clamp(0.0, float("inf")))

    for notes in (("a '''quoted''' \"\"\"note\"\"\"",), ["not hashable"]):
        x = torch.tensor([[0.0, 1.0, -1.0]])
        results = both_engines(x, circuit=Mine(notes=notes)) if isinstance(notes, tuple) else None
        if results is None:
            neuron = snnm.MIF(0.8, circuit=Mine(notes=notes))
            neuron.sequence(x)
            assert neuron.engine_used == "eager"
        else:
            assert_equal(results)
            assert results[0][1]["input_"][0, 0] == 0


@dataclass(frozen=True)
class Conditional(MIFCircuit):
    formula: str = "product"

    def membrane(self, state, i_in):
        above, below = i_in > 1e-6, i_in < 2e-6
        formulas = {
            "product": lambda: above * i_in,
            "torch.mul": lambda: torch.mul(above, i_in),
            "sum": lambda: (above + 0.0) * i_in,
            "both": lambda: torch.where(above, below, above) * i_in,
            "as a branch": lambda: torch.where(below, above, i_in * 5e4) * i_in,
            "as a condition": lambda: torch.where(above * 1.0 > 0.5, i_in, 0.0),
        }
        return super().membrane(state, formulas[self.formula]())


@pytest.mark.parametrize(
    "formula", ["product", "torch.mul", "sum", "both", "as a branch", "as a condition"]
)
def test_a_condition_is_one_or_zero_where_a_number_is_wanted(formula):
    results = both_engines(some_input(12, 50), circuit=Conditional(formula=formula))
    assert_equal(results)


def _converted(current, capacitance):
    for _ in range(4):
        current = (current / capacitance) * capacitance
    return current


@dataclass(frozen=True)
class Stated(MIFCircuit):
    """A current with parts that a careless compiler would lose."""

    formula: str = "guard"

    def membrane(self, state, i_in):
        full = torch.clamp(i_in / 10e-6, 0.0, 1.0)
        hill = (i_in / 10e-6) ** 8
        huge = (i_in / 1e-22) * (i_in / 1e-22)
        current = {
            "guard": lambda: 1e-10 / ((1.0 - full) + 1e-10),
            "guard of a product": lambda: 1e-10 / ((1.0 - full * full) + 1e-10),
            "subthreshold": lambda: 100.0 * torch.log1p(i_in / 1e2),
            "soft": lambda: 1e3 * softplus(i_in * 4e4 - 20.0),
            "Hill": lambda: 20e-6 * hill / (1 + hill),
            "conversions": lambda: (((i_in * 1e10) * 1e10) * 1e10 * 1e5) * 1e-35,
            "conversions by a capacitor": lambda: _converted(i_in, self.c_mem),
            "guard that varies": lambda: 1e-10 / ((1.0 - full * full) + 1e-10 * state["x2"]),
            "far from 1": lambda: 20e-6 * torch.tanh(huge * 1e-35),
        }[self.formula]
        return super().membrane(state, current())


@pytest.mark.parametrize(
    "formula",
    [
        *("guard", "guard of a product", "guard that varies", "subthreshold", "soft", "Hill"),
        *("far from 1", "conversions", "conversions by a capacitor"),
    ],
)
def test_nothing_is_lost_beside_a_larger_number(formula):
    x = torch.linspace(0.1, 2.0, 48).repeat(5, 1)
    (ours, slopes), (eager, wanted) = both_engines(x, circuit=Stated(formula=formula))
    for got, expected in ((ours["mem"], eager["mem"]), (slopes["input_"], wanted["input_"])):
        assert_close(got, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


def _relative(i):
    return i / 10e-6


FORMULAS = {
    "pulse": lambda v, i: i + 1e-6 / torch.cosh((v["v"] - 1.3) / 25e-3) ** 2,
    "logistic": lambda v, i: 20e-6 / (1 + torch.exp(i * 4e6)),
    "full": lambda v, i: 2e-11 / ((1.0 - i.clamp(0.0, 10e-6) / 10e-6) + 1e-6),
    "arc": lambda v, i: 20e-6 * torch.sqrt(1.0 - (i.clamp(0.0, 12e-6) / 12e-6) ** 2 + 1e-12),
    "edge": lambda v, i: 1e-6 * torch.log(1e-10 + (0.45 - torch.where(i < 15e-6, i, 15e-6) * 3e4)),
    "dead zone": lambda v, i: 2e-15 / (0.3 * (_relative(i) - _relative(i).clamp(0, 1)) + 1e-10),
    "its slope": lambda v, i: 2e-11 / ((_relative(i) - _relative(i).clamp(0, 1)) + 1e-6),
    "swapped": lambda v, i: torch.clamp(i, 4e-6 + v["x1"] * 1e-4, 5e-6 - v["x2"] * 1e-5),
    "power": lambda v, i: 20e-6 * (i * 30) ** 10 * 1e27,
    "large power": lambda v, i: 1e-30 * ((300 + i * 1e7) / 10.0) ** 15,
    "far": lambda v, i: 10e-6 * torch.atan(torch.exp(i * 2e7)),
}


class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.where(x > 1e-5, 2e-5, 0.0 * x)

    @staticmethod
    def backward(ctx, grad):
        return grad


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, grad):
        return -grad


def _gated(i):
    with torch.no_grad():
        gate = torch.sigmoid(i * 1e5)
    return i * gate


OWN_DERIVATIVES = {
    "step": lambda v, i: Step.apply(i),
    "reversed": lambda v, i: Reversed.apply(i),
    "gate": lambda v, i: _gated(i),
}


@dataclass(frozen=True)
class Driven(MIFCircuit):
    """A current that is a formula of what flows in."""

    formula: str = "pulse"

    def membrane(self, state, i_in):
        made = (FORMULAS | OWN_DERIVATIVES)[self.formula]
        return super().membrane(state, made(state, i_in))


@pytest.mark.parametrize("formula", FORMULAS)
def test_what_saturates_cancels_or_overflows_does_so_as_in_torch(formula):
    x = torch.linspace(0.01, 3.0, 64).repeat(3, 1)
    settings = {"circuit": Driven(formula=formula), "substeps": 1, "solver": "exponential"}
    (ours, slopes), (eager, wanted) = both_engines(x, **settings)
    for got, expected in ((ours["mem"], eager["mem"]), (slopes["input_"], wanted["input_"])):
        is_finite = expected.isfinite()  # eager's slope of an overflowing logistic is NaN
        assert is_finite.any()
        assert got[is_finite].isfinite().all()
        scale = float(expected[is_finite].detach().abs().max())
        assert_close(got[is_finite], expected[is_finite], rtol=1e-4, atol=1e-5 * scale)
    assert eager["mem"].isfinite().all()


@pytest.mark.parametrize("formula", OWN_DERIVATIVES)
def test_a_derivative_that_is_not_that_of_the_formula_is_torch_s_own(formula):
    neuron = snnm.MIF(0.8, circuit=Driven(formula=formula))
    neuron.sequence(torch.ones(2, 3))
    assert neuron.engine_used == "eager"
    assert "autograd.Function" in neuron.engine_reason


NO_COMPILER = """
import sys
{}
import torch, snntorch_memristive as snnm
neuron = snnm.MIF(0.8)
neuron.sequence(torch.ones(4, 5))
assert neuron.engine_used == "eager"
"""


@pytest.mark.parametrize(
    "missing",
    [
        "sys.modules['llvmlite'] = None",
        "import llvmlite.binding; del llvmlite.binding.create_pass_builder",
    ],
    ids=["absent", "too old"],
)
def test_without_the_compiler_neurons_run_eagerly(missing):
    subprocess.run([sys.executable, "-c", NO_COMPILER.format(missing)], check=True)


def test_a_draft_that_cannot_be_kept_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept("text", lambda: b"code")
    (path,) = cache_folder().iterdir()
    path.unlink()
    path.mkdir()  # what is made cannot take this place
    assert kept("text", lambda: b"code") == b"code"
    assert list(cache_folder().iterdir()) == [path]


def test_a_loop_in_pieces_computes_the_same():
    a, b, c = (Symbol.named(name) for name in "abc")
    long = a
    for k in range(100):
        long = long * 0.5 + (b if k % 7 else c)
    results = {"a": b, "b": long, "c": long * a, "d": c, "e": 2.0}
    pieces = cut(results)
    assert len(pieces) > 3
    rows = {"a": 1.0, "b": 2.0, "c": 3.0}
    wanted = _computed(results, rows)
    for piece in pieces:
        rows |= _computed(piece, rows)
    assert {name: rows[name] for name in results} == wanted


def _computed(results, rows):
    known = {"F": float} | rows
    exec("\n".join(write({f"new_{name}": value for name, value in results.items()})), known)
    return {name: known[f"new_{name}"] for name in results}
