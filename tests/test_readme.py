"""The examples in the README run as they stand."""

import pathlib
import re
import subprocess
import sys

import pytest

README = pathlib.Path(__file__).parents[1] / "README.md"
RESULTS = README.parent / "docs" / "results"


def test_the_example_runs_and_every_weight_gets_a_gradient():
    code, *others = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    code = code.replace("mem_rec = Net()(", "net = Net()\nmem_rec = net(")
    names: dict = {}
    exec(code, names)
    assert all(p.grad.abs().max() > 0 for p in names["net"].parameters())
    assert others
    for code in others:
        exec(code, names)


def printed(*command):
    """What a benchmark prints of the results that are kept."""
    command = [sys.executable, *map(str, command)]
    done = subprocess.run(command, cwd=README.parent, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_table_is_that_of_the_rows():
    table = printed(
        "benchmarks/learning.py", "table", *sorted((RESULTS / "learning").glob("*.json"))
    )
    assert table in README.read_text()


def test_the_tables_of_neurons_that_differ_are_those_of_the_results():
    file = RESULTS / "heterogeneity.json"
    tables = printed("benchmarks/heterogeneity.py", "--show", file).split("\n\n")
    assert len(tables) == 2
    assert all(table in README.read_text() for table in tables)


def test_the_tables_of_speed_are_those_of_the_results():
    tables = printed("benchmarks/speed.py", "--show", RESULTS / "speed.json").split("\n\n")
    assert len(tables) == 3
    assert all(table in README.read_text() for table in tables)


@pytest.mark.parametrize("name", ["chips", "coupling", "insitu", "one_epoch", "stdp"])
def test_a_table_is_that_of_the_results(name):
    lines = "\n".join(line.strip() for line in README.read_text().splitlines())
    assert printed(f"benchmarks/{name}.py", "--show", RESULTS / f"{name}.json") in lines


@pytest.mark.parametrize("images", ["digits", "mnist"])
def test_the_table_of_all_neurons_is_that_of_the_results(images):
    file = RESULTS / f"neurons-{images}.json"
    assert printed("benchmarks/neurons.py", "--show", file) in README.read_text()
