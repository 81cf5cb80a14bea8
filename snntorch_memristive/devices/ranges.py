"""Ranges of a device's parameters, in which a fit searches."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

import torch
from torch import Tensor

from ..units import Value
from .device import Device

Range = tuple[float, float]
Names = str | tuple[str, ...]


@dataclass(frozen=True)
class Ranges:
    """Parameters of ``device`` that are searched, each in a range that becomes [0, 1].

    A range that does not hold 0 is divided in the logarithm. Values of names in one tuple are
    equal.

    Raises:
        ValueError: if there is no range, one is not finite or does not rise, a name is not that
            of a parameter, or the device's own values are outside of their range or, where they
            should be equal, differ.
    """

    device: Device
    of: Mapping[Names, Range]

    def __post_init__(self) -> None:
        if not self.of:
            raise ValueError("Expected at least one parameter in `free`, but got none.")
        hints = get_type_hints(type(self.device))
        known = [name for name, hint in hints.items() if hint == Value]
        for names, (low, high) in zip(self.names, self.of.values(), strict=True):
            for name in names:
                if name not in known:
                    raise ValueError(
                        f"Expected `free` to name parameters of {type(self.device).__name__} "
                        f"({', '.join(known)}), but got {name!r}."
                    )
            if not -math.inf < low < high < math.inf:
                raise ValueError(
                    f"Expected a finite range that rises for `{names[0]}`, but got {low:g} to "
                    f"{high:g}."
                )
            own = [getattr(self.device, name) for name in names]
            if not low <= min(own) <= max(own) <= high or min(own) != max(own):
                raise ValueError(
                    f"Expected the device to start with {' = '.join(f'`{n}`' for n in names)} "
                    f"from {low:g} to {high:g}, but got {', '.join(f'{x:g}' for x in own)}."
                )

    @property
    def names(self) -> list[tuple[str, ...]]:
        """Names of every searched value."""
        return [(names,) if isinstance(names, str) else names for names in self.of]

    @property
    def own(self) -> Tensor:
        """Where the device itself is, shape (values,)."""
        return torch.tensor(
            [
                math.log(getattr(self.device, names[0]) / low) / math.log(high / low)
                if low * high > 0
                else (getattr(self.device, names[0]) - low) / (high - low)
                for names, (low, high) in zip(self.names, self.of.values(), strict=True)
            ],
            dtype=torch.float64,
        )

    def at(self, place: Tensor) -> Device:
        """The device at ``place``, shape (values, \\*candidates); with numbers if only one.

        Raises:
            ValueError: if the one is impossible. Many are not checked.
        """
        values: dict[str, Any] = {}
        for names, (low, high), z in zip(self.names, self.of.values(), place, strict=True):
            value = low * (high / low) ** z if low * high > 0 else low + (high - low) * z
            values |= dict.fromkeys(names, value if place.dim() > 1 else float(value))
        return replace(self.device, **values)

    def scales(self, place: Tensor) -> list[float]:
        """How fast every value (in its unit) rises with its place, at ``place`` (values,)."""
        device = self.at(place)
        return [
            abs(getattr(device, names[0]) * math.log(high / low)) if low * high > 0 else high - low
            for names, (low, high) in zip(self.names, self.of.values(), strict=True)
        ]
