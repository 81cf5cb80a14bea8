"""Neurons that differ from each other, and from one inference to the next."""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from itertools import product
from numbers import Real
from typing import Any

import torch
from snntorch import SpikingNeuron
from torch import Tensor

from ..checks import check_whole
from ..circuits import Circuit
from ..engine import kernel_keys
from ..functional.dynamics import Dynamics, factor_of, scaled
from .carry import carried
from .learned import units_of

KINDS = SPREAD, DRAW, CYCLE = "spread_", "draw_", "cycle_"
"""How names of buffers begin: a strength between neurons, what was drawn with it, and a strength
from one inference to the next."""


class VariedNeuron(SpikingNeuron):
    """Abstract: a neuron whose components have a spread; see :meth:`vary`."""

    _built: Dynamics
    _kept: tuple[tuple, dict[str, Tensor]] | None
    gain: Tensor
    _cycle: dict[str, Tensor] = {}  # noqa: RUF012 (replaced, never changed)
    """What was drawn for the present inference, by the buffer of its strength."""

    def vary(
        self,
        shape: int | Sequence[int],
        spread: Mapping[str, float] | None = None,
        *,
        cycle_to_cycle: Mapping[str, float] | None = None,
        instances: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        r"""Give every neuron components of its own, drawn around those of the circuit.

        A value is its nominal one times :math:`e^{\sigma z}`, with :math:`z` normal of unit
        variance: a strength :math:`\sigma` of 0.1 is a spread of about 10 %. Memristors are drawn
        independently of each other. The law is the lognormal of ``RRAM.spread``; that the values
        of volatile memristors follow it is inferred, and the strengths are yours to give.

        - ``spread``, from device to device, is drawn here and stays until :meth:`redraw`. The
          draws are buffers: copied, moved and saved with the neuron. A checkpoint with draws
          brings its own; one without leaves those that are there.
        - ``cycle_to_cycle`` is drawn anew wherever the neuron starts from rest, for every sample
          of the batch by itself, with torch's default generator, and travels with ``mem``. A
          switch that forms anew within one inference is not drawn anew.

        The gradient is that of the neuron that was drawn. ``mem`` stays measured from the rest of
        the nominal circuit, and the driver keeps its nominal current; ``beta`` is that of the
        nominal capacitor. (A ``beta`` with one value per neuron is the designed counterpart of a
        spread of ``c_mem``: there the driver follows.) A new call takes the place of an earlier
        one; strengths of 0 leave the nominal neuron.

        With ``instances`` the neurons are drawn that many times over, for a Monte Carlo study in
        one call: hand in an input of shape ``(instances, batch, *shape)``, or, to ``sequence``
        and :func:`~snntorch_memristive.run`, ``(time, instances, batch, *shape)``. The layers in
        between have to take any shape, as :class:`~snntorch_memristive.RRAMLinear` does and a
        convolution does not.

        Args:
            shape: of the neurons of one sample: their number, or ``(channels, height, width)``.
            spread: strength by name: ``{"tau": 0.1}`` of both memristors, ``{"m1.tau": 0.1}`` of
                one; also ``"c_mem"``, ``"e2"`` and the like.
            cycle_to_cycle: likewise.
            instances: how many layers of such neurons to draw; one, without a dimension of its
                own, if left out.
            generator: source of ``spread``, on the CPU, so that a seed names the neurons whatever
                the device; torch's default one if left out.

        Raises:
            ValueError: if a name is no component of the circuit, or of value 0; a strength is
                negative or not finite; ``shape`` or ``instances`` is not above zero; the neuron
                has ``inhibition``, which counts dimensions, and ``instances`` are asked for; or a
                circuit with the values of its neurons cannot be (those of ``cycle_to_cycle`` are
                not looked at). The neuron then stays as it was.

        >>> import snntorch_memristive as snnm
        >>> neuron, chip = snnm.MIF(0.9), torch.Generator().manual_seed(0)
        >>> neuron.vary(100, {"tau": 0.1, "c_mem": 0.05}, generator=chip)
        >>> tuple(neuron.circuit.m1.tau.shape), bool((neuron.circuit.m1.tau > 0).all())
        ((100,), True)
        """
        shape = tuple(shape) if isinstance(shape, Sequence) else (shape,)
        for size in shape:
            check_whole(1, 1 << 40, shape=size)
        if instances is not None:
            check_whole(1, 1 << 40, instances=instances)
            if self.inhibition:
                raise ValueError("Expected a neuron without inhibition for `instances`.")
            if not spread:
                raise ValueError("Expected a `spread`, by which `instances` differ.")
            shape = (instances, 1, *shape)
        known = varying(self._built.circuit, but=self._built.tuned)
        spreads = _strengths("spread", spread or {}, known)
        cycles = _strengths("cycle_to_cycle", cycle_to_cycle or {}, known)
        strengths = {SPREAD + _safe(n): s for n, s in spreads.items()}
        strengths |= {CYCLE + _safe(n): s for n, s in cycles.items()}
        draws = self._drawn(dict.fromkeys(spreads, shape), spreads, generator)
        with torch.inference_mode(False):
            made = {name: torch.tensor(float(strength)) for name, strength in strengths.items()}
            self._put(made | {DRAW + _safe(n): draw.clone() for n, draw in draws.items()})

    @property
    def is_varied(self) -> bool:
        """Has :meth:`vary` given the neuron a spread?"""
        return bool(self._built.varied)

    @property
    def draws(self) -> dict[str, Tensor]:
        """What was drawn between neurons, of unit variance, by the name of the value."""
        own = self._buffers
        drawn = {name: own.get(DRAW + _safe(name)) for name in self._built.varied}
        return {name: draw for name, draw in drawn.items() if draw is not None}

    @torch.no_grad()
    def redraw(self, generator: torch.Generator | None = None) -> None:
        """Draw the neurons anew, with the strengths and the shape of :meth:`vary`.

        Raises:
            ValueError: if a circuit that was drawn cannot be; the neuron then stays as it was.
        """
        own = self.draws
        shapes = {name: tuple(draw.shape) for name, draw in own.items()}
        spreads = {name: self._buffers[SPREAD + _safe(name)].item() for name in own}
        for name, draw in self._drawn(shapes, spreads, generator).items():
            own[name].copy_(draw)

    def _drawn(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        spreads: Mapping[str, float],
        generator: torch.Generator | None,
    ) -> dict[str, Tensor]:
        draws = {
            name: torch.randn(shape, generator=generator, device="cpu")
            for name, shape in shapes.items()
        }
        factors = {n: (draw.double() * spreads[n]).exp() for n, draw in draws.items()}
        try:
            self._check_circuits(factors)
        except ValueError as error:
            raise ValueError(
                f"Expected a spread that leaves every neuron a circuit, but drew: {error}"
            ) from error
        return draws

    def _check_circuits(self, factors: Mapping[str, Tensor]) -> None:
        """Let devices and circuit look at the values of every neuron, as numbers."""
        columns = [factor.flatten().tolist() for factor in factors.values()]
        extremes = [(min(column), max(column)) for column in columns]
        corners = product(*extremes)
        if columns and 2 ** len(columns) < len(columns[0]):
            # What is refused is an order of two values: the extremes are the worst of all neurons.
            with suppress(ValueError):
                return self._check_each(factors, corners)
        return self._check_each(factors, zip(*columns, strict=True))

    def _check_each(self, names: Iterable[str], rows: Iterable[tuple[float, ...]]) -> None:
        for values in rows:
            scaled(self._built.circuit, dict(zip(names, values, strict=True)))

    def _put(self, buffers: Mapping[str, Tensor]) -> None:
        """Have these draws and strengths, and no others."""
        for name in self._varied_buffers():
            del self._buffers[name]
        for name, value in buffers.items():
            self.register_buffer(name, value.to(self.gain))
        names = varying(self._built.circuit, but=self._built.tuned)
        varied = tuple(n for n in names if {SPREAD + _safe(n), CYCLE + _safe(n)} & set(buffers))
        self._built = replace(self._built, varied=varied)
        self._kernel_keys = kernel_keys(self._built)
        self._kept, self._cycle = None, {}

    def _varied_buffers(self) -> dict[str, Tensor]:
        return {n: b for n, b in self._buffers.items() if n.startswith(KINDS)}

    def _factors(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """The coefficients that multiply what varies."""
        factors = {}
        for name in self._built.varied:
            spread, draw, cycle = (self._buffers.get(kind + _safe(name)) for kind in KINDS)
            drawn = self._cycle.get(CYCLE + _safe(name))
            logarithm = self.gain.new_zeros((), dtype=dtype)
            if draw is not None:
                logarithm = logarithm + spread.to(dtype) * draw.to(dtype)
            if drawn is not None:
                logarithm = logarithm + cycle.to(dtype) * drawn.to(dtype)
            factors[factor_of(name)] = logarithm.exp()
        return factors

    def _enter_cycle(self, mem: Tensor) -> None:
        """Go on with the draws that travel with ``mem``; draw them if it comes from rest."""
        names = [CYCLE + _safe(name) for name in self._built.varied]
        names = [name for name in names if name in self._buffers]
        if names:
            states = carried(mem) or {}
            self._cycle = {
                name: states[name].to(mem.device)
                if name in states
                else torch.randn(mem.shape, device=mem.device)
                for name in names
            }

    def _adopt_draws(self, state_dict: dict[str, Any], prefix: str) -> None:
        """Make room for the draws in ``state_dict``; put the own ones there if it has none."""
        known = varying(self._built.circuit, but=self._built.tuned)
        names = [kind + _safe(name) for name in known for kind in KINDS]
        found = {n: state_dict[prefix + n] for n in names if prefix + n in state_dict}
        own = self._varied_buffers()
        spreads, draws = ({n for n in known if kind + _safe(n) in found} for kind in KINDS[:2])
        if not found:
            state_dict.update({prefix + name: value for name, value in own.items()})
        elif spreads == draws and {n: v.shape for n, v in found.items()} != {
            n: v.shape for n, v in own.items()
        }:
            self._put({name: torch.zeros_like(value) for name, value in found.items()})


def varying(circuit: Circuit, but: Iterable[str] = ()) -> list[str]:
    """Names of the components of ``circuit`` that can have a spread, such as ``"m1.tau"``."""
    parts = {"": circuit} | {
        f"{field.name}.": getattr(circuit, field.name)
        for field in fields(circuit)
        if is_dataclass(getattr(circuit, field.name))
    }
    return [
        prefix + name
        for prefix, part in parts.items()
        for name, unit in units_of(part).items()
        if unit != "1" and name not in but and getattr(part, name) != 0
    ]


def _strengths(what: str, given: Mapping[str, float], known: Iterable[str]) -> dict[str, float]:
    """Strengths above 0 by full name, in the order of ``known``."""
    found: dict[str, float] = {}
    if not isinstance(given, Mapping):
        raise TypeError(f'Expected `{what}` like {{"tau": 0.1}}, but got {given!r}.')
    for name, strength in given.items():
        if not (isinstance(strength, Real) and math.isfinite(strength) and strength >= 0):
            raise ValueError(
                f"Expected `{what}` of {name!r} to be a finite number >= 0, but got {strength}."
            )
        meant = [full for full in known if name in (full, full.rpartition(".")[2])]
        if not meant:
            raise ValueError(
                f"Expected `{what}` to name some of {', '.join(known)}, but got {name!r}."
            )
        found |= dict.fromkeys(meant, float(strength))
    found |= {full: float(given[full]) for full in found if full in given}  # over its kind's
    return {name: found[name] for name in known if found.get(name)}


def _safe(name: str) -> str:
    return name.replace(".", "_")
