"""Sphinx configuration. Build with ``sphinx-build -W -n docs docs/_build``."""

import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx

from snntorch_memristive import __version__

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent / "benchmarks")]

project = "snntorch_memristive"
copyright = "2026, the snntorch_memristive developers"
version = release = __version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    "mathml",
    "equations",
    "tables",
]
exclude_patterns = ["_build", "_ext"]
html_theme = "furo"
html_title = "snntorch_memristive"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_use_param = False
autodoc_inherit_docstrings = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True

nitpick_ignore_regex = [
    # Other projects' names: their inventories are on the network, which a build does without.
    ("py:.*", r"(torch|numpy|matplotlib|snntorch|collections|pathlib|os)\..*"),
    # Units are annotations, Annotated[float | Tensor, "V"]; autodoc takes them for classes.
    ("py:class", r"types\.Annotated|m²/|V s|'.*"),
    # A TypeVar has no page; the neurons' base is where the package exports it.
    ("py:class", r"snntorch_memristive\.(units\.Number|neurons\.neuron\.MemristiveNeuron)"),
    # Inherited from snnTorch, whose docstring it is.
    ("py:class", r"Leaky\.reset_mem"),
]


def keep_colons(app, what, name, obj, options, lines: list[str]) -> None:
    """Keep napoleon from taking ``word: text`` of an attribute for its type."""
    if what in ("attribute", "property", "data"):
        lines[:0] = ["..", ""]  # an empty comment has no colon


def copy_tutorials(app: Sphinx) -> None:
    """Sphinx reads nothing outside its source folder, and a tutorial is kept with its kind."""
    folder = DOCS / "tutorials"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in sorted((DOCS.parent / "tutorials").glob("tutorial_*.ipynb")):
        shutil.copy2(path, folder)  # with its time, so that only what changed is read again


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("builder-inited", copy_tutorials, priority=100)
