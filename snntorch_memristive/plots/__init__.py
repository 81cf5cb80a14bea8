"""Plots of a memristive network, each ``(data, *, ax=None) -> Axes``.

Each draws on the axes that it is given, or on new ones. Quantities come in SI units and are
shown in the units of the laboratory: mV, µs, µS, %.
"""

try:
    from .accuracy import fault_tolerance, learning_curves, retention
    from .crossbars import conductance_pairs, conductances, programmed, wire_losses
    from .neurons import spikes, states, voltages
    from .physics import frequency_current, hysteresis, phase_portrait
    from .spice import compared
except ImportError as error:
    raise ImportError(
        'Expected matplotlib and pandas for plots: run `pip install "snntorch-memristive[demo]"`.'
    ) from error

__all__ = [
    "compared",
    "conductance_pairs",
    "conductances",
    "fault_tolerance",
    "frequency_current",
    "hysteresis",
    "learning_curves",
    "phase_portrait",
    "programmed",
    "retention",
    "spikes",
    "states",
    "voltages",
    "wire_losses",
]
