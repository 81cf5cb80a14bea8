"""Formulas as MathML, which browsers draw by themselves: no script, no network."""

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx


def _inline(translator, node: nodes.math) -> None:
    # LaTeX lets an index stand alone; docutils wants something for it to stand at.
    text = re.sub(r"^(?=[_^])", "{}", node.astext())
    translator.body.append(tex2mathml(text))
    raise nodes.SkipNode


def _display(translator, node: nodes.math_block) -> None:
    # docutils aligns rows without being told to, and knows no `split`.
    text = re.sub(r"\\(begin|end)\{split\}", "", node.astext())
    translator.body.append(f'<div class="math">{tex2mathml(text, as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Make this the renderer of formulas."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
