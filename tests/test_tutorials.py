"""Every tutorial runs, and what it says is asserted in it."""

import pathlib
import runpy

import pytest

TUTORIALS = sorted((pathlib.Path(__file__).parents[1] / "tutorials").glob("*.py"))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_the_tutorial_runs(path, capsys):
    runpy.run_path(str(path))
    assert "test accuracy" in capsys.readouterr().out


def test_there_is_a_tutorial():
    assert TUTORIALS
