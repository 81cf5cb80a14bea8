"""Sphinx configuration. Build with ``sphinx-build -W docs docs/_build``."""

from snntorch_memristive import __version__

project = "snntorch_memristive"
copyright = "2026, the snntorch_memristive developers"
version = release = __version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_inherit_docstrings = False
