"""How fast the neurons are, against snn.Leaky in the usual loop.

Run ``python benchmarks/speed.py`` on an idle machine. Repeats of all variants are interleaved and
medians are taken, so that only the ratios of one run are compared. Forward and backward, float32,
with derivatives arriving at every spike and every membrane. ``--json FILE`` keeps everything, and
``--show FILE`` prints the tables of what was kept.
"""

import argparse
import ast
import math
import platform
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import snntorch as snn
import torch
from rows import kept
from rows.report import markdown
from torch import Tensor, nn

import snntorch_memristive as snnm

USUAL, FRIENDLY = "snn.Leaky, input_[step]", "snn.Leaky, input_.unbind()"
SHAPES = ((100, 1, 100), (25, 128, 10), (25, 128, 100), (25, 128, 1000), (100, 128, 1000))
SOLVERS = {"exponential, 1": ("exponential", 1), "exponential, 4": ("exponential", 4)}
SOLVERS["magnus, 4"] = ("magnus", 4)


def step_by_step(neuron: nn.Module, steps: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The loop of snnTorch's tutorials."""
    mem = neuron.reset_mem()
    record = []
    for current in steps:
        spk, mem = neuron(current, mem)
        record.append((spk, mem))
    spk, mem = (torch.stack(part) for part in zip(*record, strict=True))
    return spk, mem


def variants(with_compile: bool) -> dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]]:
    """Functions from (time, batch, neurons) to spikes and membranes, by name."""
    leaky = snn.Leaky(0.9)
    made = {
        USUAL: lambda x: step_by_step(leaky, [x[k] for k in range(len(x))]),
        FRIENDLY: lambda x: step_by_step(leaky, x.unbind(0)),
    }
    for name, (solver, substeps) in SOLVERS.items():
        neuron = snnm.MIF(0.9, solver=solver, substeps=substeps)
        made[f"sequence, {name}"] = neuron.sequence
        made[f"loop, {name}, unbind()"] = lambda x, n=neuron: step_by_step(n, x.unbind(0))
        made[f"loop, {name}, [step]"] = lambda x, n=neuron: step_by_step(
            n, [x[k] for k in range(len(x))]
        )
    for name in list(SOLVERS)[:2]:
        solver, substeps = SOLVERS[name]
        eager = snnm.MIF(0.9, solver=solver, substeps=substeps, engine="eager")
        made[f"eager loop, {name}"] = lambda x, eager=eager: step_by_step(eager, x.unbind(0))
        if with_compile:
            step = torch.compile(snnm.MIF(0.9, solver=solver, substeps=substeps, engine="eager"))
            made[f"compiled eager loop, {name}"] = lambda x, step=step: step_by_step(
                _WithReset(step), x.unbind(0)
            )
    return made | _others()


class _WithReset:
    """A compiled step under the name of a neuron."""

    def __init__(self, step: Callable) -> None:
        self.step = step

    def reset_mem(self) -> Tensor:
        return torch.zeros(())

    def __call__(self, current: Tensor, mem: Tensor) -> tuple[Tensor, Tensor]:
        return self.step(current, mem if mem.dim() else torch.zeros_like(current))


def _others() -> dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]]:
    """Other libraries' neurons, where they are installed."""
    found = {}
    try:
        from spikingjelly.activation_based import functional, neuron
    except ImportError:
        pass
    else:
        lif = neuron.LIFNode(tau=10.0, step_mode="m", store_v_seq=True)

        def jelly(x: Tensor) -> tuple[Tensor, Tensor]:
            functional.reset_net(lif)
            return lif(x), lif.v_seq

        found["spikingjelly LIFNode, multi-step"] = jelly
    try:
        import norse.torch as norse
    except ImportError:
        pass
    else:
        cell = norse.LIFCell()

        def norse_loop(x: Tensor) -> tuple[Tensor, Tensor]:
            state, record = None, []
            for current in x.unbind(0):
                spk, state = cell(current, state)
                record.append((spk, state.v))
            spk, mem = (torch.stack(part) for part in zip(*record, strict=True))
            return spk, mem

        found["norse LIFCell, loop"] = norse_loop
    return found


def median_times(work: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median seconds of each, with the repeats of all interleaved."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for function in work.values():
        function()  # compiles, warms up
    for _ in range(repeats):
        for name, function in work.items():
            _warm_up(function)
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def _warm_up(function: Callable[[], None], seconds: float = 0.01) -> None:
    """Its own code and data back into the caches: a small one takes a few calls to get there."""
    end = time.perf_counter() + seconds
    function()
    while time.perf_counter() < end:
        function()


def there_and_back(function: Callable, shape: tuple[int, ...]) -> Callable[[], None]:
    """Forward and backward of ``function`` on random input of ``shape``."""
    x = torch.rand(*shape, requires_grad=True)
    grads = [torch.rand(*shape), torch.rand(*shape)]

    def work() -> None:
        torch.autograd.backward(list(function(x)), grads)
        x.grad = None

    return work


def measure_shapes(
    repeats: int, with_compile: bool, shapes: Sequence[tuple[int, ...]] = SHAPES
) -> dict[str, dict[str, float]]:
    """Seconds by shape and variant."""
    results = {}
    for shape in shapes:
        chosen = variants(with_compile)
        if math.prod(shape) > 5e6:
            chosen = {n: f for n, f in chosen.items() if "eager" not in n}
        work = {name: there_and_back(f, shape) for name, f in chosen.items()}
        results[str(shape)] = median_times(work, max(3, repeats // (1 + math.prod(shape) // 10**6)))
        print(_table(shape, results[str(shape)]), flush=True)
    return results


def _table(shape: tuple[int, ...], seconds: dict[str, float]) -> str:
    usual, friendly = seconds["snn.Leaky, input_[step]"], seconds["snn.Leaky, input_.unbind()"]
    rows = [f"\n{shape} (time, batch, neurons)\n"]
    rows += ["| variant | ms | x Leaky, input_[step] | x Leaky, input_.unbind() |"]
    rows += ["| --- | --- | --- | --- |"]
    for name, value in seconds.items():
        rows.append(
            f"| {name} | {1e3 * value:.2f} | {usual / value:.2f} | {friendly / value:.2f} |"
        )
    return "\n".join(rows)


def measure_growth(repeats: int) -> dict[str, dict[str, float]]:
    """Seconds of a sequence by its number of neuron-steps, and the exponent of growth."""
    results = {}
    neuron = snnm.MIF(0.9, solver="exponential")
    axes = {
        "neurons": [(10, n) for n in (10**4, 10**5, 10**6, 10**7)],
        "time steps": [(t, 10**4) for t in (10, 100, 1000, 10**4)],
    }
    for name, shapes in axes.items():
        work = {math.prod(s): there_and_back(neuron.sequence, s) for s in shapes}
        seconds = median_times(work, repeats)
        slope = _slope(list(seconds), list(seconds.values()))
        results[name] = {str(size): value for size, value in seconds.items()} | {"exponent": slope}
        print(f"Time grows with the number of {name} to the power of {slope:.2f}.", flush=True)
    return results


def _slope(sizes: list[float], values: list[float]) -> float:
    x, y = ([math.log(v) for v in values] for values in (sizes, values))
    mx, my = statistics.fmean(x), statistics.fmean(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum(
        (a - mx) ** 2 for a in x
    )


def measure_memory(shape: tuple[int, ...] = (25, 128, 1000)) -> dict[str, float]:
    """Peak memory (MB) of forward and backward above input and arriving derivatives."""
    names = ["snn.Leaky, input_.unbind()", "sequence, exponential, 1", "sequence, exponential, 4"]
    results = {name: _peak_of(name, shape) for name in names}
    for name, value in results.items():
        print(f"Peak memory of {name} at {shape}: {value:.0f} MB", flush=True)
    return results


def measure_growth_of_memory() -> dict[str, float]:
    """The same (MB) of a sequence by its number of neuron-steps, and the exponent of growth."""
    peaks = {10 * n: _peak_of("sequence, exponential, 4", (10, n)) for n in (10**5, 10**6, 10**7)}
    slope = _slope(list(peaks), list(peaks.values()))
    print(f"Memory grows with the number of neurons to the power of {slope:.2f}.", flush=True)
    return {str(size): value for size, value in peaks.items()} | {"exponent": slope}


def _peak_of(name: str, shape: tuple[int, ...]) -> float:
    """In a process of its own."""
    command = [sys.executable, __file__, "--peak-of", name, "--shape", *map(str, shape)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(answer.split()[-1])


def _print_peak(name: str, shape: list[int]) -> None:
    function = variants(with_compile=False)[name]
    there_and_back(function, (2, *shape[1:]))()  # code and kernels
    work = there_and_back(function, tuple(shape))
    before, done, peak = resident(), threading.Event(), [0.0]

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(3):
        work()
    done.set()
    watcher.join()
    print(peak[0] - before)


def resident() -> float:
    """Memory of this process in MB, as Linux counts it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure_epoch(repeats: int) -> dict[str, float]:
    """Seconds for 50 batches of training the demonstration's MNIST network, 10 steps each."""

    def dense(layer: Callable, neuron: Callable) -> nn.Sequential:
        last = neuron()
        last.output = True
        return nn.Sequential(nn.Flatten(), layer(784, 256), neuron(), layer(256, 10), last)

    def mif() -> snnm.MIF:
        return snnm.MIF(0.5, solver="exponential", init_hidden=True)

    def rram(inputs: int, outputs: int) -> snnm.RRAMLinear:
        return snnm.RRAMLinear(inputs, outputs, rram=snnm.RRAM(levels=64))

    def loop(net: nn.Sequential, x: Tensor) -> Tensor:
        return torch.stack([net(current)[1] for current in x])

    ways = {
        "Leaky + Linear, loop": (lambda: snn.Leaky(0.5, init_hidden=True), nn.Linear, loop),
        "MIF + RRAMLinear, loop": (mif, rram, loop),
        "MIF + RRAMLinear, run": (mif, rram, lambda net, x: snnm.run(net, x)[1]),
        "MIF + Linear, run": (mif, nn.Linear, lambda net, x: snnm.run(net, x)[1]),
    }
    images, labels = torch.rand(50, 128, 1, 28, 28), torch.randint(10, (50, 128))
    work = {}
    for name, (neuron, layer, forward) in ways.items():
        net = dense(layer, neuron)
        optimizer = torch.optim.AdamW(net.parameters())

        def epoch(net=net, optimizer=optimizer, forward=forward) -> None:
            for image, label in zip(images, labels, strict=True):
                snnm.reset(net)
                mem = forward(net, image.expand(10, *image.shape))
                loss = nn.functional.cross_entropy(mem.mean(0), label)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

        work[name] = epoch
    seconds = median_times(work, repeats)
    for name, value in seconds.items():
        print(f"50 batches of 784-256-10, 10 steps, {name}: {value:.2f} s", flush=True)
    return seconds


def measure_floor(shape: tuple[int, ...] = (25, 128, 1000)) -> dict[str, float]:
    """Milliseconds that the tensors in and out of memory take at the speed of a copy."""
    x, y = (torch.rand(16, *shape) for _ in range(2))  # far more than the caches hold
    copy = median_times({"copy": lambda: y.copy_(x)}, 5)["copy"] * 1e3 / 16
    # input_, mem, spk; then input_, two derivatives in, one out. A copy moves two of them.
    floor = copy * 7 / 2
    print(f"The seven tensors of {shape} in and out of memory: {floor:.1f} ms at a copy's speed")
    return {"copy_ms": copy, "floor_ms": floor}


def ratios(results: dict[str, Any], prefix: str) -> str:
    """Time of ``snn.Leaky`` over that of "sequence" or "loop", per shape, as a table."""
    rows = []
    for shape, seconds in results["seconds"].items():
        cells = [_ratio(seconds, f"{prefix}, {solver}") for solver in SOLVERS]
        rows.append([", ".join(map(str, ast.literal_eval(shape))), *cells])
    return markdown(("time, batch, neurons", *SOLVERS), rows)


def _ratio(seconds: dict[str, float], name: str) -> str:
    """Under either way of feeding a loop; a sequence is fed in one."""
    indexed, unbound = (
        seconds.get(name) or seconds[f"{name}, {feed}"] for feed in ("[step]", "unbind()")
    )
    return f"{seconds[USUAL] / indexed:.1f} / {seconds[FRIENDLY] / unbound:.1f}"


def epochs(results: dict[str, Any]) -> str:
    """Seconds of 50 training batches of 784-256-10, as a table."""
    rows = [[name, f"{value:.2f}"] for name, value in results["epoch_seconds"].items()]
    return markdown(("network", "seconds"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--compile", action="store_true", help="with torch.compile of eager steps")
    parser.add_argument(
        "--only", type=int, nargs=3, help="one shape (time, batch, neurons) and nothing else"
    )
    kept.add_options(parser)
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    parser.add_argument("--shape", type=int, nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak_of:
        _print_peak(args.peak_of, args.shape)
        return
    if args.show:
        results = kept.read(args.show)
        print(ratios(results, "sequence"), ratios(results, "loop"), epochs(results), sep="\n\n")
        return
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    if args.only:
        measure_shapes(args.repeats, args.compile, [tuple(args.only)])
        return
    results = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "seconds": measure_shapes(args.repeats, args.compile),
        "growth": measure_growth(max(3, args.repeats // 3)),
        "memory_mb": measure_memory(),
        "growth_of_memory": measure_growth_of_memory(),
        "epoch_seconds": measure_epoch(max(3, args.repeats // 3)),
        "floor": measure_floor(),
    }
    kept.keep(args.json, results)


if __name__ == "__main__":
    main()
