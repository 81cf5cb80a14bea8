"""What is drawn, written and broken in the cells of one chip."""

import math
from dataclasses import dataclass, fields
from operator import is_
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..checks import check_not_negative, check_positive, check_within
from ..devices import RRAM
from ..tracing import is_observed
from .draws import Band, bands, drawn, drawn_until_close
from .effects import ROOM, acceleration
from .mapping import counted_once

EFFECTS = ("programming", "spread", "stuck", "drift", "endurance")
"""What is drawn once per chip, the first one at every writing in training too; the buffer
``chip`` has a seed of each, in this order."""

OLDEST = 1 << 61
"""Age (µs) beyond which a chip is no older."""

PLACES = 1 << 32
"""More than there are bands of one tensor."""

REFERENCES = PLACES // 2
"""So much further on a chip are the references of a band than its own cells."""

IN_SERVICE = 1 << 62
"""So much further are the draws of later faults: a seed may be that of the chip, too."""

AGES = ("age_in_us", "times_written")
"""Buffers that say how old a chip is."""

FAULTS = "fault_"
"""How names of buffers begin that hold which cells have failed."""

DEVICE = "device_of_chip"
"""Where a ``state_dict`` says of which device its chip is."""


@dataclass(frozen=True)
class Programming:
    """What it took to write a chip."""

    cells: int
    """Cells that were written."""
    pulses: int
    """Writes altogether."""
    missed: int
    """Cells that were still outside the tolerance after the last write."""


class State(NamedTuple):
    """What a chip is remembered by."""

    seeds: tuple[int, ...]
    age: tuple[tuple[int, ...], ...]
    """Of the buffers in :data:`AGES`."""
    faults: list[Tensor]
    versions: list[int | None]
    """Of the faults; None if nobody keeps count of them."""

    def is_that_of(self, other: "State") -> bool:
        """Is it one and the same chip, as old, and are the same cells broken?"""
        is_same = self.seeds == other.seeds and self.age == other.age
        if not is_same or self.versions != other.versions or None in self.versions:
            return False
        return all(map(is_, self.faults, other.faults))


class Chip(nn.Module):
    """Abstract: a module whose trained tensors live in memory cells, on one chip.

    What a chip is like (device-to-device spread, stuck cells, how fast each cell drifts, how many
    writes it endures) is drawn by :meth:`program` and stays until it is called again. The
    programming error is drawn there too, and anew whenever the weights have been written while in
    training mode (outside ``torch.compile``). :meth:`drift_to` and :meth:`fault` let the chip age;
    a write starts the drift anew.

    A chip is remembered by the seeds of its draws, in the buffer ``chip``, its age and its faults,
    so ``state_dict`` holds it in a few bytes. A seed gives the same numbers with every release of
    torch and on every device. A digital checkpoint loads as it is and keeps the chip that is there;
    a chip of another device, or of other cells, is refused.
    """

    _kept: dict[tuple, tuple[int, Tensor]]
    """Draws and their seeds, by effect, place and shape."""
    _known: dict[str, tuple[Tensor, int, tuple[int, ...]]]
    """Buffers of whole numbers, by name: which of its versions was read, and what was in it."""

    def _cells(self) -> dict[str, Tensor]:
        """The trained tensors that live in cells, by name."""
        raise NotImplementedError

    def _asked_for(self, name: str, band: Band) -> Tensor:
        """Conductances (S) that cells of ``band`` should have. Shape: (2, *cells)."""
        raise NotImplementedError

    def _count(self, name: str) -> int:
        """How many cells hold the tensor called ``name``."""
        raise NotImplementedError

    def _disturb(self) -> None:
        """The cells are not what they were, though nobody has written them."""
        raise NotImplementedError

    def _settle(self) -> None:
        """Notice that the cells have been written, if they have been, before anything else."""
        raise NotImplementedError

    def _forget(self) -> None:
        """The cells are those of another chip, or were written by this module itself."""
        raise NotImplementedError

    @property
    def rram(self) -> RRAM:
        """The device in the cells. Assigning another one programs a new chip of it."""
        return self._rram

    @rram.setter
    def rram(self, rram: RRAM) -> None:
        self._check_weights()
        self._rram = rram
        for name, is_wanted in (
            ("chip", bool(self._drawn())),
            ("age_in_us", rram.drifts),
            ("times_written", rram.wears_out),
        ):
            self._buffers.pop(name, None)
            if is_wanted:
                self.register_buffer(name, None)
        self.program()

    def program(self, generator: torch.Generator | None = None) -> Programming:
        """Draw a new chip, all of its cells working, and write the weights into it.

        Args:
            generator: source of the draws, on the CPU, so that a seed names one chip whatever
                the device; torch's default one if left out.

        Returns:
            How many pulses it took, with write-and-verify if ``rram.tolerance`` is set.

        Raises:
            ValueError: if a weight is not finite; the chip then stays as it is.
        """
        self._check_weights()
        self._kept, self._known = {}, {}
        for name in [name for name in self._buffers if name.startswith(FAULTS)]:
            del self._buffers[name]
        device = self._device()
        with torch.inference_mode(False):
            if self._drawn():
                self.chip = _seeds(len(EFFECTS), generator).to(device)
            # Whole numbers, which half precision leaves alone.
            if self.rram.drifts:
                self.age_in_us = torch.zeros(2, dtype=torch.int64, device=device)
            if self.rram.wears_out:
                self.times_written = torch.zeros(1, dtype=torch.int64, device=device)
        self._forget()
        self._start_anew()
        return self._programming()

    @property
    def age(self) -> float:
        """Seconds since the cells were written, as far as :meth:`drift_to` has let pass."""
        return float(self.age_in_us[0]) * 1e-6 if self.rram.drifts else 0.0

    def drift_to(self, seconds: float, kelvin: float = ROOM) -> None:
        """Let the chip stand at ``kelvin`` until ``seconds`` after it was written.

        Every cell goes on along its own curve; nothing is drawn.

        Raises:
            ValueError: if that is in the past, or ``kelvin`` is not above zero.
        """
        check_not_negative(seconds=seconds)
        check_positive("K", kelvin=kelvin)
        if not self.rram.drifts:
            return
        self._settle()
        passed = round(seconds * 1e6) - int(self.age_in_us[0])
        if passed < 0:
            raise ValueError(
                f"Expected `seconds` not before the chip's age, {self.age:g} s, "
                f"but got {seconds:g} s."
            )
        felt = round(min(passed * acceleration(self.rram, kelvin), OLDEST))
        with torch.inference_mode(False):
            total = (self.age_in_us.cpu() + torch.tensor([passed, felt])).clamp(max=OLDEST)
            self.age_in_us = total.to(self.age_in_us.device)
        self._disturb()

    def fault(
        self, fraction: float, on: float = 0.5, generator: torch.Generator | None = None
    ) -> int:
        """Let ``fraction`` of the cells fail for good, a share ``on`` of them stuck at ``g_on``.

        The others are stuck at ``g_off``. A cell that has failed stays as it is.

        Returns:
            How many cells have failed now.

        Raises:
            ValueError: if ``fraction`` or ``on`` is not in [0, 1].
        """
        check_within(0.0, 1.0, fraction=fraction, on=on)
        self._settle()
        (seed,) = _seeds(1, generator)
        failed = 0
        for name, cells in self._cells().items():
            faults = self._buffers.get(FAULTS + name)
            with torch.inference_mode(False):
                working = torch.zeros((2, *cells.shape), dtype=torch.int8, device=cells.device)
                faults = working if faults is None else faults.clone()
            self.register_buffer(FAULTS + name, faults)
            for band in self._bands(name):
                place, shape = self._place(name, band), self._shape(name, band)
                draw = self._placed_draw(seed, place + IN_SERVICE, shape, uniform=True)
                draw = draw.to(cells.device)
                new = torch.where(draw < fraction * on, 1, -1).to(torch.int8)
                fails = (draw < fraction) & (faults[:, band] == 0)
                faults[:, band] = torch.where(fails, new, faults[:, band])
            failed += int((self._counted_once(faults) != 0).sum())
        self._disturb()
        return failed

    def _device(self) -> torch.device:
        return next(iter(self._cells().values())).device

    def _shares_references(self) -> bool:
        """Is what is subtracted from a cell one and the same for all outputs of its group?"""
        return False

    def _groups(self) -> int:
        """Arrays side by side that share no line."""
        return getattr(self, "groups", 1)

    def _counted_once(self, cells: Tensor) -> Tensor:
        """What belongs to cells (2, out, ...), with places that stand for another as zeros."""
        return counted_once(cells, self._groups()) if self._shares_references() else cells

    def _check_weights(self) -> None:
        for name, cells in self._cells().items():
            if cells.is_meta or not cells.numel():
                continue
            if not all(map(math.isfinite, cells.detach().aminmax())):
                raise ValueError(f"Expected a finite `{name}`, but it contains NaN or infinity.")

    def _drawn(self) -> tuple[str, ...]:
        rram = self.rram
        strengths = (
            rram.has_programming_error,
            rram.spread,
            rram.stuck_on or rram.stuck_off,
            rram.drifts,
            rram.wears_out,
        )
        return tuple(e for e, strength in zip(EFFECTS, strengths, strict=True) if strength)

    def _bands(self, name: str) -> list[Band]:
        cells = self._cells()[name]
        if not cells.dim():
            return [...]
        # Cells that share references are not cut: the references are those of all bands.
        return [slice(0, len(cells))] if self._shares_references() else bands(cells.shape)

    def _shape(self, name: str, band: Band) -> tuple[int, ...]:
        """Of the weights in ``band``."""
        shape = self._cells()[name].shape
        return (band.stop - band.start, *shape[1:]) if isinstance(band, slice) else tuple(shape)

    def _place(self, name: str, band: Band) -> int:
        start = band.start if isinstance(band, slice) else 0
        return list(self._cells()).index(name) * PLACES + start

    def _placed_draw(
        self, seed: Tensor, place: int, shape: tuple[int, ...], uniform: bool
    ) -> Tensor:
        """Draws for cells of ``shape`` (out, ...), which are at ``place``; shape (2, *cells)."""
        if not self._shares_references():
            return drawn(seed, place, (2, *shape), uniform)
        references = drawn(seed, place + REFERENCES, (self._groups(), *shape[1:]), uniform)
        return self._beside(drawn(seed, place, shape, uniform), references)

    def _beside(self, own: Tensor, references: Tensor) -> Tensor:
        """What belongs to cells (out, ...), and to the one reference that a group of them has."""
        each = len(own) // self._groups()
        return torch.stack([own, references.repeat_interleave(each, 0)])

    def _draw(self, effect: str, name: str, band: Band) -> Tensor:
        """What ``effect``, which is on, takes from the chip for the cells of ``band``.

        Kept while training, where the weights are written again and again.
        """
        number = EFFECTS.index(effect)
        place, shape = self._place(name, band), self._shape(name, band)
        asked = self.chip[number], place, shape, effect == "stuck"
        if is_observed() or not self.training:
            return self._placed_draw(*asked)
        key, wanted = (effect, place, shape), self._numbers_in("chip")[number]
        of, draw = self._kept.get(key, (None, None))
        if draw is None or of != wanted:
            draw = self._placed_draw(*asked)
            if not draw.is_inference():
                self._kept[key] = wanted, draw
        return draw

    def _draws(self, name: str, band: Band) -> dict[str, Tensor]:
        """What the chip draws for the cells of ``band``, by effect; no errors that are verified."""
        left_out = ("programming",) if self._verifies() else ()
        effects = (effect for effect in self._drawn() if effect not in left_out)
        return {effect: self._draw(effect, name, band) for effect in effects}

    def _verifies(self) -> bool:
        """Is a cell written again until it is close to what was asked for?"""
        return self.rram.has_programming_error and self.rram.tolerance is not None

    def _verified(self, name: str, band: Band, asked: Tensor) -> Tensor:
        """Error, repeats and misses of cells ``asked`` for (S). Shape: (2, *cells, 3)."""
        rram, seed = self.rram, self.chip[EFFECTS.index("programming")]
        states = (asked.detach() - rram.g_off) / (rram.g_on - rram.g_off)

        def draw(place: int, state: Tensor) -> Tensor:
            width = torch.as_tensor(rram.programming_width(state)).to(state).expand_as(state)
            return drawn_until_close(seed, place, state, width, rram.tolerance, rram.writes)

        place = self._place(name, band)
        if not self._shares_references():
            return draw(place, states)
        own, references = states
        each = max(1, len(own) // self._groups())
        return self._beside(draw(place, own), draw(place + REFERENCES, references[::each]))

    def _numbers_in(self, name: str) -> tuple[int, ...]:
        """What is in a buffer of whole numbers, where somebody (DDP, say) may have put others."""
        buffer = self._buffers.get(name)
        if buffer is None:
            return ()
        if buffer.is_inference():  # of whose versions nobody keeps count
            return tuple(buffer.tolist())
        known, version, numbers = self._known.get(name, (None, 0, ()))
        if known is not buffer or version != buffer._version:
            numbers = tuple(buffer.tolist())
            self._known[name] = buffer, buffer._version, numbers
        return numbers

    def _state(self) -> State:
        buffers = self._buffers
        faults = [b for n, b in buffers.items() if b is not None and n.startswith(FAULTS)]
        age = tuple([self._numbers_in(name) for name in AGES if name in buffers])
        return State(self._numbers_in("chip"), age, faults, [_version(f) for f in faults])

    def _write(self, misses_anew: bool) -> None:
        """The cells are written once more: they miss their targets anew, or as before."""
        if misses_anew and self.rram.has_programming_error:
            with torch.inference_mode(False):
                self.chip = torch.cat([_seeds(1).to(self.chip), self.chip[1:]])
        self._start_anew()

    def _start_anew(self) -> None:
        if self.rram.drifts or self.rram.wears_out:
            with torch.inference_mode(False):
                if self.rram.drifts:
                    self.age_in_us = torch.zeros_like(self.age_in_us)
                if self.rram.wears_out:
                    self.times_written = self.times_written + 1

    def _programming(self) -> Programming:
        """What it took to write the cells."""
        verifies, repeats, missed = self._verifies(), 0, 0
        for name in self._cells() if verifies and self._device().type != "meta" else ():
            for band in self._bands(name):
                found = self._verified(name, band, self._asked_for(name, band))
                _, again, missing = self._counted_once(found).unbind(-1)
                repeats, missed = repeats + int(again.sum()), missed + int(missing.sum())
        cells = sum(map(self._count, self._cells()))
        return Programming(cells, pulses=cells + repeats, missed=missed)

    def _chip(self) -> set[str]:
        """Names of the buffers that hold the chip."""
        return set(self._buffers) - self._non_persistent_buffers_set - set(self._cells())

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        self._settle()
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self._chip():
            text = bytearray(self._described().encode())
            destination[prefix + DEVICE] = torch.frombuffer(text, dtype=torch.uint8)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        errors = args[-1]
        text = state_dict.pop(prefix + DEVICE, None)
        own = self._described()
        theirs = own if text is None else bytes(text.tolist()).decode()
        wrong = self._of_other_shape(state_dict, prefix)
        if theirs != own:
            errors.append(f"Expected a chip of {own} for `{prefix}*`, but got one of {theirs}.")
        elif wrong:
            errors.append(f"Expected {', '.join(wrong)}.")
        else:
            if text is not None:
                self._match_faults(state_dict, prefix)
            for name in self._chip():
                state_dict.setdefault(prefix + name, self._buffers[name])
            super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
            if text is None:  # other weights, written into this chip
                self._start_anew()
            self._kept = {}
            self._forget()  # the programming error was loaded with the weights

    def _of_other_shape(self, state_dict: dict[str, Any], prefix: str) -> list[str]:
        tensors = {n: t for n, t in (self._parameters | self._buffers).items() if t is not None}
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        shapes |= {FAULTS + name: (2, *cells.shape) for name, cells in self._cells().items()}
        found = {n: tuple(state_dict[prefix + n].shape) for n in shapes if prefix + n in state_dict}
        return [
            f"`{prefix}{name}` of shape {shapes[name]}, but got {theirs}"
            for name, theirs in found.items()
            if theirs != shapes[name]
        ]

    def _described(self) -> str:
        """The device by what is not as in the default one."""
        default = RRAM()
        pairs = [(f.name, getattr(self.rram, f.name)) for f in fields(default) if f.compare]
        own = [f"{name}={value!r}" for name, value in pairs if value != getattr(default, name)]
        return f"RRAM({', '.join(own)})"

    def train(self, mode: bool = True) -> "Chip":
        """As in nn.Module; out of training, draws are not kept but drawn again when needed."""
        if not mode:
            self._kept = {}
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        self._settle()
        return self.__dict__ | {"_kept": {}, "_known": {}}

    def _apply(self, fn: Any, recurse: bool = True) -> "Chip":
        self._settle()
        super()._apply(fn, recurse)
        self._kept = {}
        self._forget()
        return self

    def _match_faults(self, state_dict: dict[str, Any], prefix: str) -> None:
        for name, cells in self._cells().items():
            self._buffers.pop(FAULTS + name, None)
            if prefix + FAULTS + name in state_dict:
                working = torch.zeros((2, *cells.shape), dtype=torch.int8, device=cells.device)
                self.register_buffer(FAULTS + name, working)


def _version(buffer: Tensor) -> int | None:
    return None if buffer.is_inference() else buffer._version


def _seeds(number: int, generator: torch.Generator | None = None) -> Tensor:
    return torch.randint(1 << 62, (number,), generator=generator)
