"""Formulas written out as lines of code."""

from typing import Any

from .expression import Symbol, ordered
from .rewrite import rewritten

INFIX = {"add": "+", "sub": "-", "mul": "*", "less": "<", "not_greater": "<=", "equal": "=="}


def write(results: dict[str, Any]) -> list[str]:
    """Lines that compute ``results``, formulas by the names that their values are to have.

    A line is Python with the functions ``exp2``, ``exp2m1``, ``reciprocal``, ``where`` and so
    on, which whoever compiles the lines provides; every number is written ``F(number)``.
    """
    roots = list(rewritten(results).values())
    names: dict[Symbol, str] = {}
    lines: list[str] = []
    for symbol in ordered(roots):
        if symbol.op == "input":
            names[symbol] = symbol.args[0]
        else:
            names[symbol] = f"t{len(lines)}"
            lines.append(f"{names[symbol]} = {_expression(symbol, names)}")
    lines += [f"{name} = {_term(root, names)}" for name, root in zip(results, roots, strict=True)]
    return lines


def _expression(symbol: Symbol, names: dict[Symbol, str]) -> str:
    terms = [_term(argument, names) for argument in symbol.args]
    if symbol.op in INFIX:
        return f"{terms[0]} {INFIX[symbol.op]} {terms[1]}"
    return f"{symbol.op}({', '.join(terms)})"


def _term(value: Any, names: dict[Symbol, str]) -> str:
    return names[value] if isinstance(value, Symbol) else f"F({value!r})"
