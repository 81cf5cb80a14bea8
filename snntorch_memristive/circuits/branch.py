"""What hangs on a membrane."""

from dataclasses import dataclass
from typing import NamedTuple

from ..devices import MSS
from ..relaxation import State
from ..units import Ohm, Value, Volt


@dataclass(frozen=True)
class Resistor:
    """A resistor; it has no state."""

    r: Ohm

    def conductance(self) -> Value:
        """1 / r (S)."""
        return 1 / self.r


class Branch(NamedTuple):
    """A device from the membrane to a source, whose other end is at ground."""

    device: MSS | Resistor
    source: Volt
    state: str = ""
    """Name of the device's state in the circuit; empty if it has none."""

    def conductance(self, state: State) -> Value:
        """Of the device (S), any shape, when the circuit is in ``state``."""
        if isinstance(self.device, Resistor):
            return self.device.conductance()
        return self.device.conductance(state[self.state])
