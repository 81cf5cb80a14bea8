"""Parameters of devices and circuits that are trained with the weights."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

import torch
from torch import Tensor, nn

from ..circuits import Circuit

PREFIX = "learned_"
"""``neuron.learned_tau`` is the trained coordinate of ``tau``."""

VOLTAGE_SCALE = 25e-3
"""Change of a voltage (V) per unit of its trained coordinate; about kT/q."""


def add_learned(
    module: nn.Module,
    circuit: Circuit,
    names: Iterable[str] | Mapping[str, tuple[int, ...]],
    but: Iterable[str] = (),
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give ``module`` a parameter for every name: a scalar, or of the shape given beside it.

    The parameter is a dimensionless coordinate ``p`` that starts at 0, so that one learning
    rate suits all: a voltage is its nominal value plus ``p`` times 25 mV, a resistance or time
    its nominal value times ``exp(p)``. A name that two devices share is one parameter of both.
    Those in ``but`` the module sets itself.

    Returns the names of the voltages, and the others.

    Raises:
        ValueError: if a name is no voltage, resistance or time of the circuit or its devices.
            (``learn_beta`` trains ``c_mem``.)
    """
    if isinstance(names, str):
        names = (names,)
    shapes = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names, ())
    units = units_of(circuit)
    for field in fields(circuit):
        units |= units_of(getattr(circuit, field.name))
    trainable = (name for name, unit in units.items() if unit in ("s", "V", "Ω"))
    known = sorted(name for name in trainable if name not in but)
    for name, shape in shapes.items():
        if name not in known:
            raise ValueError(
                f"Expected `learn_device` to name some of {', '.join(known)}, but got {name!r}."
            )
        module.register_parameter(PREFIX + name, nn.Parameter(torch.zeros(shape)))
    voltages = tuple(name for name in shapes if units[name] == "V")
    return voltages, tuple(name for name in shapes if name not in voltages)


def changes(learned: Mapping[str, Tensor], voltages: Iterable[str]) -> dict[str, Tensor]:
    """What the coordinates in ``learned`` (by name) stand for: a shift in V, or a factor."""
    return {name: p * VOLTAGE_SCALE if name in voltages else p.exp() for name, p in learned.items()}


def units_of(part: Any) -> dict[str, str]:
    """Unit of every field of ``part`` that is a physical quantity; empty for a mere value.

    Fields that are worked out from others are left out.
    """
    if not is_dataclass(part):
        return {}
    hints = get_type_hints(type(part), include_extras=True)
    return {
        field.name: hints[field.name].__metadata__[0]
        for field in fields(part)
        if field.init and hasattr(hints[field.name], "__metadata__")
    }
