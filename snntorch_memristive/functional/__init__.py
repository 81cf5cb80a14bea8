"""Pure functions: a circuit through time, and the spike it sends."""

from .dynamics import LARGEST_INPUT, Dynamics
from .integrate import check_integration, integrate, rest_state, step
from .spike import SPIKES, TURN_ON, binary, rectified, voltage

__all__ = [
    "LARGEST_INPUT",
    "SPIKES",
    "TURN_ON",
    "Dynamics",
    "binary",
    "check_integration",
    "integrate",
    "rectified",
    "rest_state",
    "step",
    "voltage",
]
