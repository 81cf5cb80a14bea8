"""How long the package takes to start: its import, and the first use of a neuron.

Run ``python benchmarks/start.py``. Everything is timed in a process of its own, in turn, so that a
busy machine slows all of it alike. The first use is a forward and a backward pass of the default
neuron: once with nothing kept in the cache folder, as after an installation, and once more.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

HOST = "import torch, snntorch"
PACKAGE = "import snntorch_memristive"
FIRST_USE = """
import time, torch, snntorch_memristive as snnm
neuron, input_ = snnm.MIF(), torch.rand(25, 8, 100, requires_grad=True)
start = time.perf_counter()
neuron.sequence(input_)[1].sum().backward()
print(time.perf_counter() - start)
"""


def seconds(code: str) -> float:
    """Time of a fresh interpreter that runs ``code`` (s)."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def first_uses() -> tuple[float, float]:
    """Time of the first use, with an empty cache folder, and in the next process (s)."""
    with tempfile.TemporaryDirectory() as folder:
        command, environment = (
            [sys.executable, "-c", FIRST_USE],
            os.environ | {"XDG_CACHE_HOME": folder},
        )
        empty, full = (
            float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
            for _ in range(2)
        )
    return empty, full


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    seconds(PACKAGE)  # files into the system's cache
    runs = [(seconds(HOST), seconds(PACKAGE), *first_uses()) for _ in range(repeats)]
    host, package, empty, full = map(statistics.median, zip(*runs, strict=True))
    print(f"`{HOST}` {host:.2f} s, `{PACKAGE}` {package:.2f} s: {package / host:.2f} times")
    print(f"first use of a neuron {empty:.2f} s, in the next process {full:.2f} s")


if __name__ == "__main__":
    main()
