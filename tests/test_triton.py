"""The CUDA kernels: their values in Triton's interpreter, and that they compile."""

import os
import subprocess
import sys

import pytest
import torch

import snntorch_memristive as snnm
from snntorch_memristive.circuits import (
    AlphaMIFCircuit,
    MIFCircuit,
    NanodotCircuit,
    SynapticMIFCircuit,
)
from snntorch_memristive.functional import Dynamics

pytest.importorskip("triton", reason="no triton here: pip install triton")

RECORDED = {"recorded": ("i_syn",), "tuned": ("tau_syn", "lead")}
CASES = {
    "exponential": Dynamics(MIFCircuit(), 1e-6, 4, "exponential", "rectified"),
    "magnus": Dynamics(MIFCircuit(), 1e-6, 2, "magnus", "voltage", learned_factors=("tau",)),
    "alpha": Dynamics(AlphaMIFCircuit(), 1e-6, 1, "symmetric", "binary", False, ("v_on",)),
    "synaptic": Dynamics(SynapticMIFCircuit(), 1e-6, 2, "magnus", "rectified", **RECORDED),
    "held": Dynamics(MIFCircuit(), 1e-6, 1, "magnus", "rectified", hold_memristors=True),
    "nanodot": Dynamics(NanodotCircuit(), 1e-7, 2, "exponential", "rectified"),
}

COMPARE = """
import sys, torch
from torch.testing import assert_close
sys.path.insert(0, sys.argv[1])
from test_triton import CASES
from snntorch_memristive.engine.kernel import kernel

dynamics = CASES[sys.argv[2]]
learned = dynamics.coefficients[4:]
settings = dynamics, frozenset(learned), learned, torch.float32
cpu, cuda = (kernel(*settings, device) for device in ("cpu", "cuda"))
random = torch.Generator().manual_seed(0)
steps, neurons = 7, 150
x = torch.randn(steps, neurons, generator=random) * 3
before = [torch.rand(neurons, generator=random) / 10]
before += [torch.full((neurons,), float(dynamics.rest[n])) for n in dynamics.memristors]
values = {"amperes": 5e-6, "volts": 0.09, "c_mem": 1e-10, "height": 1.0, "tau": 1.1, "v_on": 0.01}
values |= {"i_syn": 5e-6, "tau_syn": 5e-6, "lead": 4e-7}
shape = {name: (neurons,) if name in learned else () for name in values}
given = [torch.full(shape[n], values[n]) for n in dynamics.coefficients]
ours, theirs = (k.forward(x, before, given, True) for k in (cuda, cpu))
for a, b in zip(ours[:-1], theirs[:-1], strict=True):
    assert_close(a, b, rtol=0, atol=4e-6 * float(b.abs().max()))
grads = [torch.rand(o.shape, generator=random) for o in theirs[:-1]]
grads[-1] = None
back = cuda.backward(x, before, given, ours[-1], grads)
for a, b in zip(back, cpu.backward(x, before, given, theirs[-1], grads), strict=True):
    assert_close(a, b, rtol=0, atol=1e-4 * float(b.abs().max()))
"""


@pytest.mark.parametrize("case", CASES)
def test_in_the_interpreter_it_equals_the_cpu_kernel(case):
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    command = [sys.executable, "-c", COMPARE, os.path.dirname(__file__), case]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="Triton brings its assembler on Linux only")
@pytest.mark.parametrize("case", ["exponential", "magnus"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_it_compiles_for_a_gpu_that_is_not_there(case, direction):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from snntorch_memristive.engine import triton_functions
    from snntorch_memristive.engine.cache import load
    from snntorch_memristive.engine.layout import layout
    from snntorch_memristive.engine.triton_source import generate

    dynamics = CASES[case]
    plan = layout(dynamics, frozenset(), dynamics.coefficients[4:], "cuda")
    module = load(generate(dynamics, plan), (triton_functions,))
    signature = {f"p_{name}": "*fp32" for name in getattr(plan, direction)}
    signature |= {"n": "i32", "steps": "i32", "BLOCK": "constexpr"}
    constants = {"BLOCK": 128}
    if direction == "backward":  # of the last step: nothing arrives for the memristors
        absent = [f"p_g_{name}_after" for name in plan.memristors]
        constants |= dict.fromkeys(absent)
        signature |= dict.fromkeys(absent, "constexpr")
    source = ASTSource(getattr(module, direction), signature, constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32))
    assert "ex2.approx" in compiled.asm["ptx"]
    assert compiled.asm["cubin"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("settings", [{}, {"solver": "exponential"}, {"learn_beta": True}])
def test_on_a_gpu_it_equals_eager(settings):
    x = torch.rand(30, 8, 300, device="cuda")
    results = []
    for engine in ("auto", "eager"):
        neuron = snnm.MIF(0.8, engine=engine, **settings).cuda()
        input_ = x.clone().requires_grad_()
        spk, mem = neuron.sequence(input_)
        assert neuron.engine_used == {"auto": "triton", "eager": "eager"}[engine]
        (spk.sum() + mem.sum()).backward()
        results.append((spk, mem, input_.grad))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4 * float(b.abs().max()))
