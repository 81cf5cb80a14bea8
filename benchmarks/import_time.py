"""How long the package takes to import, beside torch and snnTorch, which it needs.

Run ``python benchmarks/import_time.py``. Each import is timed in a process of its own, in turn, so
that a busy machine slows both alike.
"""

import argparse
import statistics
import subprocess
import sys
import time

HOST = "import torch, snntorch"
PACKAGE = "import snntorch_memristive"


def seconds(code: str) -> float:
    """Time of a fresh interpreter that runs ``code`` (s)."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    seconds(PACKAGE)  # files into the system's cache
    host, package = zip(*((seconds(HOST), seconds(PACKAGE)) for _ in range(repeats)), strict=True)
    host, package = statistics.median(host), statistics.median(package)
    print(f"`{HOST}` {host:.2f} s, `{PACKAGE}` {package:.2f} s: {package / host:.2f} times")


if __name__ == "__main__":
    main()
