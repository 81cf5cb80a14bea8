"""An installed ngspice as a function: a netlist in, tensors out."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..checks import check_positive

CIRCUIT, RAW = "circuit.cir", "out.raw"

MISSING = (
    "Expected `ngspice` on the PATH, but found none; it is installed by `apt install ngspice` "
    "(Debian, Ubuntu), `brew install ngspice` (macOS) or `conda install -c conda-forge ngspice`."
)

FULL = (
    "Expected room for all results in the folder for temporary files (TMPDIR), but ngspice wrote "
    "only a part of them: the disk seems to be full."
)

SAID = {
    # What ngspice says, and what it means by that. The first that is found.
    "rawfile write error": FULL,
    "can't allocate": "Expected enough memory for ngspice, but it ran out of it.",
    "doAnalyses:": "Expected ngspice to reach the end of the analysis, but it stopped before.",
    "circuit not parsed|any circuits loaded|fatal error": (
        "Expected a netlist that ngspice understands, but it refused this one."
    ),
}


class NgspiceError(RuntimeError):
    """What ngspice could not do, in one sentence, and then ngspice's own last lines."""


def run(
    netlist: str, *, files: Mapping[str, str] = {}, timeout: float = 600.0
) -> dict[str, Tensor]:
    """Vectors of the one analysis in ``netlist``, by the lower-case names ngspice gives them.

    Those are ``time``, ``v(node)`` and ``i(vsource)``; what a ``.dc`` sweeps is ``v(v-sweep)``.
    Every vector is float64 of shape (points,) in s, V and A, with one point from an ``.op``;
    those of an ``.ac`` are complex128, but for its ``frequency``. Netlist and results are in a
    temporary folder that is gone when the call ends, as is ngspice, however it ends. The user's
    ``.spiceinit`` is not read.

    Args:
        netlist: text of the circuit, of which ngspice takes the first line as a title.
        files: texts by name, for ``netlist`` to ``.include``.
        timeout: s, after which ngspice is stopped.

    Raises:
        NgspiceError: if ngspice is missing, refuses the netlist, does not converge, takes longer
            than ``timeout``, is killed, lacks room for its files, or did no analysis or several.
        ValueError: if ``timeout`` is not above zero, or a name in ``files`` is a path or taken.
    """
    check_positive("s", timeout=timeout)
    for name in files:
        if Path(name).name != name or name in ("", "..", CIRCUIT, RAW):
            raise ValueError(f"Expected names without a folder in `files`, but got {name!r}.")
    program = shutil.which("ngspice")
    if program is None:
        raise NgspiceError(MISSING)
    try:
        with tempfile.TemporaryDirectory(prefix="snntorch_memristive_ngspice_") as folder:
            for name, text in {**files, CIRCUIT: netlist}.items():
                Path(folder, name).write_text(text, encoding="utf-8")
            _simulate(os.path.abspath(program), Path(folder), timeout)
            return _read(Path(folder, RAW))
    except OSError as error:
        raise NgspiceError(
            "Expected to write a netlist into the folder for temporary files (TMPDIR) and to start "
            f"ngspice there, but got: {error}."
        ) from error


def _simulate(program: str, folder: Path, timeout: float) -> None:
    """Run ``program`` on the circuit in ``folder``, and raise unless it did its work."""
    with subprocess.Popen(
        [program, "-n", "-b", "-r", RAW, CIRCUIT],
        cwd=folder,
        env=os.environ | {"SPICE_ASCIIRAWFILE": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # statistics: messages are on stderr
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # a group of its own, to be killed as one
    ) as process:
        try:
            said = process.communicate(timeout=timeout)[1]
            failure = _failure(process.returncode, said)
        except subprocess.TimeoutExpired:
            said = _kill(process)
            failure = f"Expected ngspice to end within {timeout:g} s, but it was still running."
        except BaseException:  # Ctrl-C, which does not reach another group by itself
            _kill(process)
            raise
    if failure:
        raise NgspiceError("\n".join([failure, *_last_lines(said)]))


def _kill(process: subprocess.Popen) -> str:
    """End ``process`` and whatever it has started, and return what it had said."""
    with suppress(ProcessLookupError, PermissionError):  # it has just ended
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[1]


def _failure(returncode: int, said: str) -> str | None:
    """What went wrong, by the code that ngspice returned and by what it said."""
    if returncode < 0:
        memory = ", perhaps for want of memory" if returncode == -signal.SIGKILL else ""
        reason = signal.strsignal(-returncode)
        return f"Expected ngspice to end, but signal {-returncode} ended it ({reason}){memory}."
    # ngspice 39 returns 0 when the disk is full; other versions may after other failures.
    if returncode or re.search(r"write error|run simulation\S* (aborted|interrupted)", said):
        meant = (meaning for words, meaning in SAID.items() if re.search(words, said))
        return next(meant, f"Expected ngspice to end well, but it returned {returncode}.")
    return None


def _last_lines(said: str, count: int = 15) -> list[str]:
    """The last ``count`` lines that differ, without the numbers of ngspice's progress."""
    said = re.sub(r"(Trying gmin =|Supplies reduced to|Reference value :) +\S+", "", said)
    lines = (line.strip() for line in reversed(said.splitlines()))
    return list(dict.fromkeys(line for line in lines if line))[:count][::-1]


def _read(path: Path) -> dict[str, Tensor]:
    """Vectors of a binary raw file with one plot: a text header, then a row per point."""
    if not path.exists():
        raise NgspiceError("Expected an analysis in `netlist` (.op, .dc, .tran), but found none.")
    header, start = _header(path)
    facts, _, variables = header.partition("\nVariables:\n")
    fact = dict(line.split(": ", 1) for line in facts.splitlines() if ": " in line)
    points = int(fact.get("No. Points", 0))  # ngspice counts when it has come to the end
    names = [line.split()[1].lower() for line in variables.splitlines()]
    dtype = np.dtype(complex if "complex" in fact.get("Flags", "") else float)
    announced = points * len(names) * dtype.itemsize
    there = path.stat().st_size - start
    if there < announced or not announced:
        raise NgspiceError(FULL)
    if there > announced:
        raise NgspiceError("Expected one analysis in `netlist`, but found several.")
    table = np.fromfile(path, dtype, points * len(names), offset=start).reshape(points, -1)
    columns: dict[str, np.ndarray] = dict(zip(names, table.T, strict=True))
    if "frequency" in columns:  # of which ngspice leaves the imaginary part to chance
        columns["frequency"] = columns["frequency"].real
    # Copies: whoever keeps one vector does not keep the table.
    return {name: torch.from_numpy(column.copy()) for name, column in columns.items()}


def _header(path: Path) -> tuple[str, int]:
    """Text ahead of the numbers, and where those start (bytes)."""
    lines: list[str] = []
    with path.open("rb") as file:
        for line in file:
            if line == b"Binary:\n":
                return "".join(lines), file.tell()
            lines.append(line.decode(errors="replace"))
    raise NgspiceError(FULL)
