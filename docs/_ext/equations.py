"""``{equations} NAME``: what the package computes for a circuit or a published device.

The code's own functions are called with symbols, as for kernels and netlists, and the formulas
that come out are printed. No equation is written here.
"""

from dataclasses import fields, is_dataclass, replace
from typing import Any, get_type_hints

import sympy
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from snntorch_memristive import circuits, devices
from snntorch_memristive.engine.expression import Symbol, ordered
from snntorch_memristive.units import Volt

FORMS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "reciprocal": lambda a: 1 / a,
    "exp": sympy.exp,
    "expm1": lambda a: sympy.exp(a) - 1,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "tanh": sympy.tanh,
    "atan": sympy.atan,
    "sigmoid": sympy.Function("sigma"),
    "less": sympy.Lt,
    "not_greater": sympy.Le,
    "equal": sympy.Eq,
    "where": lambda c, a, b: choice(c, a, b),
}
"""Every operation of a formula, for sympy."""


def choice(condition: sympy.Basic, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """``a`` where ``condition`` holds, else ``b``; a clamp reads as a minimum or maximum."""
    if isinstance(condition, sympy.Lt):
        if (a, b) == (condition.lts, condition.gts):
            return sympy.Min(a, b)
        if (b, a) == (condition.lts, condition.gts):
            return sympy.Max(a, b)
    return sympy.Piecewise((a, condition), (b, True))


def formula(value: Any) -> sympy.Expr:
    """A symbol or a number of the engine as an expression of sympy."""
    made: dict[Symbol, sympy.Expr] = {}

    def term(part: Any) -> sympy.Expr:
        return made[part] if isinstance(part, Symbol) else sympy.nsimplify(part)

    for symbol in ordered([value]):
        if symbol.op == "input":
            made[symbol] = sympy.Symbol(symbol.args[0])
        else:
            made[symbol] = FORMS[symbol.op](*map(term, symbol.args))
    return term(value)


def named(part: Any, suffix: str = "") -> Any:
    """``part`` with a symbol in the place of every voltage, and of any number but 0 and 1."""
    hints = get_type_hints(type(part), include_extras=True)
    values = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            values[field.name] = named(value, f",{field.name[1:]}".rstrip(","))
        elif isinstance(value, float) and (value not in (0.0, 1.0) or hints[field.name] == Volt):
            values[field.name] = Symbol.named(
                latex_name(field.name) + suffix_of(field.name, suffix)
            )
    return replace(part, **values)


def latex_name(name: str) -> str:
    """A field's name as a symbol: ``r_on`` is r with the index on."""
    stem, _, index = name.partition("_")
    if not index and stem[-1:].isdigit():
        stem, index = stem[:-1], stem[-1]
    return f"{stem}_{index.replace('_', '')}" if index else stem


def suffix_of(name: str, suffix: str) -> str:
    """``suffix`` behind an index, or as the index where there is none."""
    return suffix if "_" in name else suffix.replace(",", "_")


def row(left: str, right: Any) -> str:
    """One equation as LaTeX."""
    return f"{left} = {sympy.latex(formula(right))}"


def of_device(device: devices.Device) -> list[str]:
    """Rate and current of ``device``."""
    device, x, v = named(device), Symbol.named("x"), Symbol.named("v")
    return [row(r"\dot x", device.rate(x, v)), row("i", device.current(x, v))]


def of_circuit(circuit: circuits.Circuit) -> list[str]:
    """Every rate of ``circuit``, in the order in which a splitting solver advances the states."""
    circuit = named(circuit)
    state = {name: Symbol.named(latex_name(name)) for name in circuit.states}
    return [
        row(rf"\dot {{{sympy.latex(formula(state[name]))}}}", relaxation.rate(state[name]))
        for equation in circuit.equations()
        for name, relaxation in equation(state, Symbol.named("i_in")).items()
    ]


class Equations(SphinxDirective):
    """Formulas of the class in ``circuits`` or the published set in ``devices`` that is named."""

    required_arguments = 1

    def run(self) -> list:
        """Made when the page is read."""
        (name,) = self.arguments
        if hasattr(circuits, name):
            rows = of_circuit(getattr(circuits, name)())
        else:
            rows = of_device(getattr(devices, name))
        return self.parse_text_to_nodes("\n\n".join(f"```{{math}}\n{line}\n```" for line in rows))


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("equations", Equations)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
