"""The package as a whole: what it exports, and which part may know which."""

import ast
import pathlib
import subprocess
import sys

import pytest

import snntorch_memristive as snnm

PACKAGE = pathlib.Path(snnm.__file__).parent
VOCABULARY = {"units", "checks", "relaxation", "tracing", "philox", "_version"}
ARROWS = {
    "devices": set(),
    "circuits": {"devices"},
    "solvers": set(),
    "functional": {"circuits", "solvers"},
    "engine": {"functional"},
    "crossbar": {"devices", "engine"},
    "neurons": {"engine", "functional", "circuits", "crossbar", "devices"},
    "reset": set(),
    "run": {"neurons", "crossbar"},
    "calibrate": {"neurons", "reset"},
    "convert": {"neurons", "crossbar", "circuits", "devices"},
    "chips": {"crossbar", "neurons", "reset"},
    "spice": {"circuits", "crossbar", "devices", "engine", "functional", "neurons", "reset"},
    "plots": {"chips", "circuits", "spice"},
    "coupling": {"circuits", "crossbar", "devices", "neurons"},
    "insitu": {"crossbar", "devices"},
    "energy": {"circuits", "crossbar", "functional", "neurons", "reset", "run"},
}


def imported(file):
    """Parts of the package that a file imports, by their first name."""
    folder = file.relative_to(PACKAGE).parts[:-1]
    parts = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = folder[: len(folder) - node.level + 1]
            names = node.module.split(".") if node.module else [node.names[0].name]
            parts.add((*base, *names)[0])
    return parts


@pytest.mark.parametrize("part", ARROWS)
def test_a_part_imports_only_what_the_design_lets_it(part):
    path = PACKAGE / part
    files = list(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    assert files
    for file in files:
        allowed = ARROWS[part] | VOCABULARY | {part}
        assert imported(file) <= allowed, file.name


def test_the_vocabulary_imports_nothing_but_itself():
    for name in VOCABULARY:
        assert imported(PACKAGE / f"{name}.py") <= VOCABULARY


def test_only_neurons_and_what_stands_on_them_know_snntorch():
    for part in ("devices", "circuits", "solvers", "functional", "crossbar"):
        path = PACKAGE / part
        for file in path.glob("*.py") if path.is_dir() else [path.with_suffix(".py")]:
            assert "import snntorch" not in file.read_text()
            assert "from snntorch" not in file.read_text().replace(
                ">>> from snntorch_memristive", ""
            )


def test_public_names_are_sorted_documented_and_there():
    public = [name for name in snnm.__all__ if name != "__version__"]
    assert snnm.__all__ == sorted(snnm.__all__, key=_ruff_order)
    for name in public:
        assert getattr(snnm, name).__doc__, name


def _ruff_order(name):
    rank = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return rank, name


def test_importing_the_package_needs_neither_plots_nor_data():
    code = (
        "import sys, snntorch_memristive;"
        "extra = {'matplotlib', 'pandas', 'sklearn', 'tonic', 'scipy'} & set(sys.modules);"
        "assert not extra, extra"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
