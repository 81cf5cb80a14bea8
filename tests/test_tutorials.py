"""Every tutorial runs from top to bottom, and what it says is asserted in its cells."""

import pathlib
import re

import pytest

nbformat = pytest.importorskip("nbformat", reason="no nbformat: install the extra [test]")
nbclient = pytest.importorskip("nbclient", reason="no nbclient: install the extra [test]")

FOLDER = pathlib.Path(__file__).parents[1] / "tutorials"
TUTORIALS = sorted(FOLDER.glob("*.ipynb"))
SECONDS = 120
"""For one cell, which may have to compile kernels first."""

every_tutorial = pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)


@every_tutorial
def test_the_tutorial_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    try:
        client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        traceback = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # without its colours
        pytest.fail(f"A cell of {path.name} failed.\n{traceback}", pytrace=False)


@every_tutorial
def test_the_tutorial_is_a_valid_notebook_stored_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            where = f"cell {cell.id!r} of {path.name}"
            assert not cell.outputs, f"{where} is stored with outputs: clear them"
            assert cell.execution_count is None, f"{where} is stored with a number: clear it"


@every_tutorial
def test_the_tutorial_asserts_what_it_says(path):
    cells = nbformat.read(path, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert re.search(r"^ *assert ", code, re.MULTILINE)


@every_tutorial
def test_the_notebooks_that_the_tutorial_links_to_exist(path):
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for name in re.findall(r"\(([^()\s]+\.ipynb)\)", text):
        assert (FOLDER / name).is_file(), f"{path.name} links to {name}"


def test_there_is_a_tutorial():
    assert TUTORIALS
