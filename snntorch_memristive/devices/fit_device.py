"""A device's parameters from measured sweeps."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .device import Device
from .misfit import Misfit
from .ranges import Names, Range, Ranges
from .sweep import Sweep

REFINED = 4
"""How many starts are searched from."""


class DeviceFit(NamedTuple):
    """A device that describes sweeps, and how well."""

    device: Device
    """The device with the parameters that fit best."""
    x0: tuple[float, ...]
    """Its state at the first point of every sweep."""
    r_squared: tuple[float, ...]
    """Share of the current's variance that it explains, of every sweep."""
    error: tuple[float, ...]
    """Root mean square error over the range of the current, of every sweep."""
    standard_error: dict[str, float]
    """Standard error of every searched parameter, in its unit.

    It takes what is left for independent noise: where it is the model that falls short, the
    parameters are less well known. Infinite where it would exceed the searched range: the sweeps
    do not tell the value.
    """
    at_bound: tuple[str, ...]
    """Parameters that ended at a bound of their range: they may want to go further."""


def fit_device(device: Device, sweeps: Sequence[Sweep], free: Mapping[Names, Range]) -> DeviceFit:
    """Fit parameters of ``device`` to measured ``sweeps``, which share them.

    Least squares of the current, each sweep's in units of its range; the state at the first
    point of every sweep is searched, too. The search starts from ``device`` and from the best of
    many points all over the ranges, always the same ones, and never ends worse than ``device``.
    With a resistor in series it first takes the voltage that the measured current left the
    device, and from there on simulates the circuit of both.

    Needs scipy: ``pip install "snntorch-memristive[fit]"``.

    >>> from dataclasses import replace
    >>> from snntorch_memristive.devices import MEMPROP
    >>> from snntorch_memristive.devices.response import simulate
    >>> t = torch.linspace(0, 2e-3, 101, dtype=torch.float64)
    >>> v = 0.2 * torch.sin(2 * torch.pi * 1e3 * t)
    >>> sweep = Sweep(t, v, simulate(MEMPROP, t, v, x0=0.1).i)
    >>> start = replace(MEMPROP, r_on=3e3, tau=1e-3)
    >>> fit = fit_device(start, [sweep], {"r_on": (100.0, 1e4), "tau": (1e-6, 1e-2)})
    >>> f"{fit.device.r_on:.1f} {fit.device.tau:.3g} {fit.x0[0]:.3f}"
    '1000.0 0.0001 0.100'

    Args:
        device: the model, with its start and the values that are not searched.
        sweeps: the measurements.
        free: range of every parameter that is searched, by its name or by a tuple of names whose
            values stay equal, ``("a_f", "a_r")``. A range that does not hold 0 is searched in the
            logarithm.

    Raises:
        ImportError: without scipy.
        ValueError: if there is no sweep, one has a current that does not vary, no range is given,
            one is not finite or does not rise, a name is not that of a parameter, or the device
            does not start within its ranges with tied values equal.
    """
    ranges = Ranges(device, free)
    imposed = Misfit(ranges, [sweep.across_device for sweep in sweeps])
    own, *others = imposed.starts(REFINED)
    ends = _descents(imposed, [own, *others], REFINED)
    if not any(sweep.r_series for sweep in sweeps):
        return _report(imposed, ends[0])
    circuit = Misfit(ranges, sweeps)
    # A simulation takes tens of times longer here, and more starts found nothing better.
    return _report(circuit, _descents(circuit, [own, *ends], 1)[0])


def _descents(misfit: Misfit, starts: list[Tensor], count: int) -> list[Tensor]:
    """Where the ways down from the best ``count`` of ``starts`` end, the best first."""
    best = sorted(starts, key=misfit.cost)[:count]
    # With the starts: a way down begins just inside of the bounds, so it may begin worse.
    ends = [*best, *(_descend(misfit, start) for start in best)]
    return sorted(ends, key=misfit.cost)[:count]


def _descend(misfit: Misfit, start: Tensor) -> Tensor:
    """The place of least squares downwards from ``start``."""
    try:
        from scipy.optimize import least_squares
    except ImportError as error:
        raise ImportError(
            'Expected scipy for a fit: run `pip install "snntorch-memristive[fit]"`.'
        ) from error
    end = least_squares(
        lambda place: misfit.errors(torch.from_numpy(place)).numpy(),
        start.numpy(),
        lambda place: misfit.slopes(torch.from_numpy(place)).numpy(),
        bounds=(0, 1),
        max_nfev=100,
    )
    return torch.from_numpy(end.x)


def _report(misfit: Misfit, place: Tensor) -> DeviceFit:
    """What there is to say of the device at ``place``."""
    ranges, sweeps = misfit.ranges, misfit.sweeps
    names = [tied[0] for tied in ranges.names]
    values, x0 = place[: len(names)], place[len(names) :]
    errors = misfit.errors(place).split([len(sweep.t) for sweep in sweeps])
    squares = [float(error.square().mean()) for error in errors]
    variances = [float((sweep.i / sweep.span).var(correction=0)) for sweep in sweeps]
    widths = _standard_errors(misfit.errors(place), misfit.slopes(place))[: len(names)]
    told = zip(names, ranges.scales(values), widths.tolist(), strict=True)
    return DeviceFit(
        device=ranges.at(values),
        x0=tuple(x0.tolist()),
        r_squared=tuple(1 - e / v for e, v in zip(squares, variances, strict=True)),
        error=tuple(math.sqrt(e) for e in squares),
        standard_error={name: s * w if w < 1 else math.inf for name, s, w in told},
        at_bound=tuple(
            name for name, z in zip(names, values, strict=True) if not 1e-3 < z < 1 - 1e-3
        ),
    )


def _standard_errors(errors: Tensor, slopes: Tensor) -> Tensor:
    """Standard errors of a place, shape (values + sweeps,), from its independent ``errors``."""
    freedom = max(len(errors) - slopes.shape[1], 1)
    noise = (errors.square().sum() / freedom).sqrt()
    _, sizes, ways = torch.linalg.svd(slopes, full_matrices=False)
    # Below are rounding errors of the finite differences: nothing is known along such a way.
    blind = sizes <= 1e-8 * sizes[0]
    seen = (ways / sizes.masked_fill(blind, math.inf)[:, None]).square().sum(0).sqrt() * noise
    return seen.masked_fill((ways[blind].abs() > 1e-3).any(0), math.inf)
