"""Pure functions: a circuit through time, and the spike it sends."""

from .integrate import check_integration, integrate, rest_state, step
from .spike import SPIKES, TURN_ON, binary, rectified, voltage

__all__ = [
    "SPIKES",
    "TURN_ON",
    "binary",
    "check_integration",
    "integrate",
    "rectified",
    "rest_state",
    "step",
    "voltage",
]
