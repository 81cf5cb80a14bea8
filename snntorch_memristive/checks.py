"""Refusals of impossible parameters, in one sentence each.

Numbers are checked. Tensors (learned values, values drawn per neuron) pass: they are checked
as numbers when the circuit is first described, and a check that reads a tensor would stop
``torch.compile``.
"""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any


def check_finite(unit: str, **values: Any) -> None:
    """Raise ValueError unless every number in ``values`` is finite."""
    for name, value in values.items():
        if _is_number(value) and not math.isfinite(value):
            raise ValueError(f"Expected a finite `{name}` in {unit}, but got {value}.")


def check_positive(unit: str, **values: Any) -> None:
    """Raise ValueError unless every number in ``values`` is finite and above zero."""
    for name, value in values.items():
        if _is_number(value) and not (math.isfinite(value) and value > 0):
            raise ValueError(f"Expected `{name}` > 0 {unit}, but got {value:g} {unit}.")


def check_not_negative(**values: Any) -> None:
    """Raise ValueError unless every number in ``values`` is finite and not below zero."""
    for name, value in values.items():
        if _is_number(value) and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"Expected `{name}` >= 0 and finite, but got {value:g}.")


def check_within(low: float, high: float, **values: Any) -> None:
    """Raise ValueError unless every number in ``values`` is in [low, high]."""
    for name, value in values.items():
        if _is_number(value) and not low <= value <= high:
            raise ValueError(f"Expected `{name}` in [{low:g}, {high:g}], but got {value:g}.")


def check_whole(low: int, high: int, **values: Any) -> None:
    """Raise ValueError unless every one of ``values`` is an ``int`` in [low, high]."""
    for name, value in values.items():
        if not isinstance(value, int) or not low <= value <= high:
            raise ValueError(
                f"Expected `{name}` to be a whole number from {low} to {high}, but got {value!r}."
            )


def check_greater(unit: str, **pair: Any) -> None:
    """Raise ValueError unless the first of the two numbers is above the second."""
    (high, above), (low, below) = pair.items()
    if _is_number(above) and _is_number(below) and not above > below:
        raise ValueError(
            f"Expected `{high}` > `{low}`, but got {high}={above:g} {unit} "
            f"and {low}={below:g} {unit}."
        )


def check_choice(name: str, value: Any, choices: Mapping[str, Any] | tuple[str, ...]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"Expected `{name}` to be one of {known}, but got {value!r}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real)
