"""The examples in the README run as they stand."""

import pathlib
import re
import subprocess
import sys

import pytest

README = pathlib.Path(__file__).parents[1] / "README.md"


def test_the_example_runs_and_every_weight_gets_a_gradient():
    code, *others = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    code = code.replace("mem_rec = Net()(", "net = Net()\nmem_rec = net(")
    names: dict = {}
    exec(code, names)
    assert all(p.grad.abs().max() > 0 for p in names["net"].parameters())
    assert others
    for code in others:
        exec(code, names)


def test_the_table_is_that_of_the_rows():
    folder = README.parent
    files = sorted((folder / "docs" / "results" / "learning").glob("*.json"))
    table = [sys.executable, "benchmarks/learning.py", "table", *map(str, files)]
    printed = subprocess.run(table, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert printed.strip() in README.read_text()


def test_the_tables_of_neurons_that_differ_are_those_of_the_results():
    folder = README.parent
    file = folder / "docs" / "results" / "heterogeneity.json"
    show = [sys.executable, "benchmarks/heterogeneity.py", "--show", str(file)]
    printed = subprocess.run(show, cwd=folder, capture_output=True, text=True, check=True).stdout
    tables = printed.strip().split("\n\n")
    assert len(tables) == 2
    assert all(table in README.read_text() for table in tables)


@pytest.mark.parametrize("images", ["digits", "mnist"])
def test_the_table_of_all_neurons_is_that_of_the_results(images):
    folder = README.parent
    file = folder / "docs" / "results" / f"neurons-{images}.json"
    show = [sys.executable, "benchmarks/neurons.py", "--show", str(file)]
    printed = subprocess.run(show, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert printed.strip() in README.read_text()
