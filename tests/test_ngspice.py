"""The runner of ngspice: what it reads, and what it says when ngspice fails in each known way."""

import os
import resource
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from snntorch_memristive.spice.ngspice import FULL, NgspiceError, _read, run

RC = """a resistor into a capacitor
V1 In 0 1 ac 1
R1 in Out 1k
C1 out 0 1u ic=0
.options reltol=1e-6
"""

LOGISTIC = """a state that reaches infinity after 1 s
C1 x 0 1 ic=1
B1 0 x I=v(x)*v(x)
.tran 10m 2 uic
.end
"""

LOOP = """two sources that contradict each other
V1 a 0 1
V2 a 0 2
.op
.end
"""


HEADER = b"Title: a: b\nFlags: real\nNo. Points: 50  \nVariables:\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder for temporary files, which must be empty again after every test."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    yield path
    assert not list(path.iterdir())


@pytest.fixture
def program():
    """Path of the real ngspice."""
    path = shutil.which("ngspice")
    if path is None:
        pytest.skip("ngspice is not installed: nothing to run netlists on")
    return path


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """Put a shell script in ngspice's place."""

    def install(*lines):
        script = tmp_path / "bin" / "ngspice"
        script.parent.mkdir(exist_ok=True)
        script.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)

    return install


@pytest.fixture
def hanging(pretend, tmp_path):
    """Put in ngspice's place what never ends; its child writes into the returned file."""
    beats = tmp_path / "beats"
    pretend(f"(while :; do echo >> {beats}; sleep 0.02; done) &", "echo almost there >&2", "wait")
    return beats


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def is_silent(beats: Path) -> bool:
    before = beats.stat().st_size
    time.sleep(0.3)
    return beats.stat().st_size == before


@pytest.mark.usefixtures("program")
def test_an_operating_point_has_one_point():
    record = run(RC + ".op\n.end\n")
    assert set(record) == {"v(in)", "v(out)", "i(v1)"}
    assert all(vector.shape == (1,) for vector in record.values())
    assert record["v(out)"].item() == pytest.approx(1, rel=1e-6)


@pytest.mark.usefixtures("program")
def test_a_sweep_has_a_point_per_voltage():
    record = run("a resistor\nV1 in 0 0\nR1 in 0 2k\n.dc V1 0 1 0.25\n.end\n")
    v = torch.linspace(0, 1, 5, dtype=torch.float64)
    torch.testing.assert_close(record["v(v-sweep)"], v)
    torch.testing.assert_close(record["i(v1)"], -v / 2e3)


@pytest.mark.usefixtures("program")
def test_a_transient_is_the_closed_form():
    record = run(RC + ".tran 1u 3m 0 1u uic\n.end\n")
    t, v = record["time"], record["v(out)"]
    assert t.dtype == v.dtype == torch.float64
    assert t[-1].item() == pytest.approx(3e-3)
    torch.testing.assert_close(v, -torch.expm1(-t / 1e-3), rtol=0, atol=1e-5)


@pytest.mark.usefixtures("program")
def test_a_frequency_response_is_complex():
    record = run(RC + ".ac dec 5 1 10k\n.end\n")
    assert record["frequency"].dtype == torch.float64
    expected = 1 / (1 + 2j * torch.pi * record["frequency"] * 1e-3)
    torch.testing.assert_close(record["v(out)"], expected)


@pytest.mark.usefixtures("program")
def test_files_are_there_to_be_included():
    record = run(
        "µ in a title\nV1 in 0 1\n.include Load.cir\n.op\n.end\n", files={"Load.cir": "R1 in 0 5\n"}
    )
    assert record["i(v1)"].item() == pytest.approx(-0.2)


@pytest.mark.usefixtures("program")
def test_settings_of_the_user_do_not_matter(monkeypatch, tmp_path):
    Path(tmp_path, ".spiceinit").write_text("set filetype=ascii\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SPICE_ASCIIRAWFILE", "1")
    assert "v(out)" in run(RC + ".op\n.end\n")


def test_a_vector_keeps_only_itself_alive(tmp_path):
    table = np.random.default_rng(0).normal(size=(50, 3))
    path = tmp_path / "out.raw"
    lines = "".join(f"\t{k}\tV(n{k})\tvoltage\n" for k in range(3))
    path.write_bytes(HEADER + lines.encode() + b"Binary:\n" + table.tobytes())
    record = _read(path)
    assert list(record) == ["v(n0)", "v(n1)", "v(n2)"]
    for vector, column in zip(record.values(), table.T, strict=True):
        assert vector.untyped_storage().nbytes() == 50 * 8
        np.testing.assert_array_equal(vector, column)


def test_a_missing_program_is_named_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NgspiceError, match=r"^Expected `ngspice` on the PATH.*apt install.*brew"):
        run(RC)


def test_a_program_that_cannot_start_is_an_error(pretend, tmp_path):
    pretend()
    Path(tmp_path, "bin", "ngspice").write_bytes(b"\x7fELF of another machine")
    with pytest.raises(NgspiceError, match=r"to start ngspice there, but .*Exec format error"):
        run(RC)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("B1 b 0 I=nosuch(v(in))", "no such function 'nosuch'"),
        ("Q1 b 0 in nomodel", "could not find a valid modelname"),
        ("X1 b nosub", "unknown subckt: x1 b nosub"),
        ("R2 b 0 {x}", r"Undefined parameter \[x\]"),
        (".include no.cir", "Could not find include file no.cir"),
        (".tran 1u", "TSTOP is invalid"),
        (".nosuch", "unimplemented control card"),
    ],
)
@pytest.mark.usefixtures("program")
def test_a_refused_netlist_is_an_error_with_ngspices_reason(card, said):
    with pytest.raises(NgspiceError, match=f"(?s)^Expected a netlist that ngspice under.*{said}"):
        run(f"{RC}{card}\n.op\n.end\n")


@pytest.mark.parametrize(
    ("netlist", "said"),
    [
        (LOGISTIC, 'Timestep too small; time = 0.99.* node "x"'),
        (LOOP, "singular matrix:  check node v1#branch"),
        (RC + ".save v(nosuch)\n.op\n.end\n", "no data saved"),
    ],
    ids=["tran", "op", "save"],
)
@pytest.mark.usefixtures("program")
def test_an_unfinished_analysis_is_an_error_with_ngspices_reason(netlist, said):
    with pytest.raises(NgspiceError, match=f"(?s)^Expected ngspice to reach the end.*{said}") as e:
        run(netlist)
    assert len(str(e.value).splitlines()) < 20


def test_a_failure_is_seen_though_zero_is_returned(program, pretend):
    pretend(f'{program} "$@"', "exit 0")
    with pytest.raises(NgspiceError, match="Expected ngspice to reach the end"):
        run(LOGISTIC)


def test_results_that_end_early_are_seen_though_nothing_is_said(program, pretend):
    pretend(f'{program} "$@" 2>/dev/null', "exit 0")
    with pytest.raises(NgspiceError, match="only a part"):
        run(LOGISTIC)


@pytest.mark.parametrize(
    ("analyses", "found"), [("", "an analysis .* found none"), (".op\n.ac lin 2 1 2\n", "several")]
)
@pytest.mark.usefixtures("program")
def test_there_is_exactly_one_analysis(analyses, found):
    with pytest.raises(NgspiceError, match=f"^Expected .*{found}"):
        run(f"{RC}{analyses}.end\n")


def test_unknown_failures_show_the_code_and_the_lines(pretend):
    pretend("echo libX.so not found >&2", "exit 127")
    with pytest.raises(NgspiceError, match=r"but it returned 127\.\nlibX.so not found$"):
        run(RC)


@pytest.mark.parametrize(
    ("name", "told"), [("KILL", "signal 9 .*for want of memory"), ("SEGV", r"signal 11 .*\)\.$")]
)
def test_a_signal_is_named(pretend, name, told):
    pretend(f"kill -{name} $$")
    with pytest.raises(NgspiceError, match=f"^Expected ngspice to end, but {told}"):
        run(RC)


def test_memory_that_ran_out_is_named(pretend):
    # As ngspice 39 does under `ulimit -v`.
    pretend("""echo "malloc: Internal Error: can't allocate 27 bytes." >&2""", "exit 1")
    with pytest.raises(NgspiceError, match=r"^Expected enough memory for ngspice"):
        run(RC)


@pytest.mark.parametrize("log", ["", "2>/dev/null"])
def test_a_full_disk_is_named(program, pretend, log):
    # A limit to the size of a file, and its signal ignored: the write fails as on a full disk.
    pretend("trap '' XFSZ", "ulimit -f 8", f'exec {program} "$@" {log}')
    with pytest.raises(NgspiceError) as e:
        run(RC + ".tran 1u 3m 0 1u uic\n.end\n")
    assert str(e.value).startswith(FULL)


def test_a_disk_too_full_for_any_results_is_named(pretend):
    # As ngspice 39 does when its disk is full from the start: no file, and 0 returned.
    pretend('echo "Warning: rawfile write error !!" >&2')
    with pytest.raises(NgspiceError, match=r"^Expected room for all results"):
        run(RC)


def test_results_cut_anywhere_are_a_full_disk(tmp_path):
    path = tmp_path / "out.raw"
    whole = HEADER + b"\t0\tV(a)\tvoltage\nBinary:\n" + bytes(400)
    for kept in range(len(whole)):
        path.write_bytes(whole[:kept])
        with pytest.raises(NgspiceError, match=r"^Expected room for all results"):
            _read(path)
    path.write_bytes(whole)
    assert _read(path)["v(a)"].shape == (50,)


@pytest.mark.usefixtures("program")
def test_a_disk_too_full_for_the_netlist_is_named():
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(NgspiceError, match=r"^Expected to write a netlist .*too large"):
            run(RC + "* a comment\n" * 1000 + ".op\n.end\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_that_cannot_be_written_is_named(pretend, monkeypatch, tmp_path):
    pretend()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nosuch"))
    with pytest.raises(NgspiceError, match=r"\(TMPDIR\) and to start ngspice there, .*nosuch"):
        run(RC)


def test_what_takes_too_long_is_killed_with_its_children(hanging):
    with pytest.raises(NgspiceError, match=r"to end within 1 s.*running\.\nalmost there$"):
        run(RC, timeout=1)
    assert is_silent(hanging)


def test_ctrl_c_kills_ngspice_with_its_children(hanging):
    def press():
        wait_for(hanging)
        os.kill(os.getpid(), signal.SIGINT)

    # A shell's background jobs ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=press, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            run(RC, timeout=60)
    finally:
        signal.signal(signal.SIGINT, before)
    assert is_silent(hanging)


def test_the_real_program_is_gone_after_its_time(program, pretend, tmp_path):
    pretend(f"echo $$ > {tmp_path}/pid", f'exec {program} "$@"')
    with pytest.raises(NgspiceError, match="still running"):
        run(RC + ".tran 1u 1e6 0 1u uic\n.end\n", timeout=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path(tmp_path, "pid").read_text()), 0)


@pytest.mark.parametrize("timeout", [0, -1, float("inf")])
def test_impossible_times_are_refused(timeout):
    with pytest.raises(ValueError, match="Expected `timeout` > 0 s"):
        run(RC, timeout=timeout)


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc/passwd", "circuit.cir", "out.raw"])
def test_names_that_are_paths_or_taken_are_refused(name):
    with pytest.raises(ValueError, match=r"Expected names without a folder in `files`, but got"):
        run(RC, files={name: ""})
