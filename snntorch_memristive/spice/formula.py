"""Equations of the package as expressions of ngspice."""

from collections import Counter
from typing import Any

from ..engine.expression import Symbol, ordered

FORMS = {
    "add": "({}+{})",
    "sub": "({}-{})",
    "mul": "({}*{})",
    "reciprocal": "(1/{})",
    "exp": "exp({})",
    "expm1": "(exp({})-1)",
    "log": "ln({})",
    "sqrt": "sqrt({})",
    "tanh": "tanh({})",
    "atan": "atan({})",
    "sigmoid": "(1/(1+exp(-({}))))",
    "where": "({} ? {} : {})",
    "less": "({} < {})",
    "not_greater": "({} <= {})",
    "equal": "({} == {})",
}
"""Every operation of a formula, as ngspice writes it. Its exp grows no further than 1e99."""

LONG = 40
"""Characters from which an expression that is used twice becomes a node of its own."""


def parameter(name: str) -> Symbol:
    """A parameter of a sub-circuit."""
    return Symbol.named(f"{{{name}}}")


class Printer:
    """Formulas of one sub-circuit as text."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        """Sources whose voltages are parts of the formulas."""
        self.parameters: list[str] = []
        """Names of the sub-circuit's parameters that the formulas hold."""

    def __call__(self, formula: Any) -> str:
        """``formula`` (a symbol or a number) as ngspice reads it; inputs stand by their names."""
        symbols = ordered([formula])
        uses = Counter(a for symbol in symbols for a in symbol.args if isinstance(a, Symbol))
        texts: dict[Symbol, str] = {}
        for symbol in symbols:
            if symbol.op == "input":
                texts[symbol] = self._input(symbol.args[0])
                continue
            text = FORMS[symbol.op].format(*(_term(a, texts) for a in symbol.args))
            is_value = symbol.op not in ("less", "not_greater", "equal")
            if uses[symbol] > 1 and is_value and len(text) > LONG:
                text = self._node(text)
            texts[symbol] = text
        return _term(formula, texts)

    def _input(self, name: str) -> str:
        if name.startswith("{") and name[1:-1] not in self.parameters:
            self.parameters.append(name[1:-1])
        return name

    def _node(self, text: str) -> str:
        name = f"aux{len(self.lines) + 1}"
        self.lines.append(f"B{name} {name} 0 V={text}")
        return f"V({name})"


def number(value: float) -> str:
    """``value`` to all the digits that ngspice reads."""
    return f"{float(value):.15g}"


def _term(value: Any, texts: dict[Symbol, str]) -> str:
    if isinstance(value, Symbol):
        return texts[value]
    text = number(value)
    return f"({text})" if text.startswith("-") else text
