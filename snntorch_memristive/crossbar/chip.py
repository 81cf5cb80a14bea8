"""What is drawn, written and broken in the cells of one chip."""

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import check_not_negative, check_positive, check_within
from ..devices import RRAM
from .draws import bands, drawn, drawn_until_close, verified
from .effects import ROOM, acceleration
from .mapping import counted_once

EFFECTS = ("programming", "spread", "stuck", "drift", "endurance")
"""What is drawn once per chip; the buffer ``chip`` has a seed of each, in this order."""

PLACES = 1 << 32
"""More than there are bands of one tensor."""

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


class Chip(nn.Module):
    """Abstract: a module whose trained tensors live in memory cells, on one chip.

    What a chip is like (device-to-device spread, stuck cells, how fast each cell drifts, how many
    writes it endures) is drawn by :meth:`program` and stays until it is called again. The
    programming error is drawn there too, and anew whenever the weights have been written while in
    training mode (outside ``torch.compile``). :meth:`drift_to` and :meth:`fault` let the chip age;
    a write starts the drift anew.

    A chip is remembered by the seeds of its draws, in the buffer ``chip``, its age and its faults,
    so ``state_dict`` holds it in a few bytes. (Another release of torch may draw other numbers from
    a seed.) A digital checkpoint loads as it is and keeps the chip that is there; a chip of another
    device, or of other cells, is refused.
    """

    def _cells(self) -> dict[str, Tensor]:
        """The trained tensors that live in cells, by name."""
        raise NotImplementedError

    def _asked_for(self, name: str, band: slice) -> Tensor:
        """Conductances (S) that cells of ``band`` should have. Shape: (2, *cells)."""
        raise NotImplementedError

    def _count(self, name: str) -> int:
        """How many cells hold the tensor called ``name``."""
        raise NotImplementedError

    def _disturb(self) -> None:
        """The cells are not what they were, though nobody has written them."""
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
        self._kept = {}
        for name in [name for name in self._buffers if name.startswith(FAULTS)]:
            del self._buffers[name]
        device = self._device()
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
        passed = round(seconds * 1e6) - int(self.age_in_us[0])
        if passed < 0:
            raise ValueError(
                f"Expected `seconds` not before the chip's age, {self.age:g} s, "
                f"but got {seconds:g} s."
            )
        felt = round(passed * acceleration(self.rram, kelvin))
        self.age_in_us += torch.tensor([passed, felt], device=self.age_in_us.device)
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
        (seed,) = _seeds(1, generator)
        failed = 0
        for name, cells in self._cells().items():
            faults = self._buffers.get(FAULTS + name)
            if faults is None:
                faults = torch.zeros((2, *cells.shape), dtype=torch.int8, device=cells.device)
                self.register_buffer(FAULTS + name, faults)
            for band in self._bands(name):
                draw = self._placed_draw(seed, name, band, uniform=True).to(cells.device)
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
            if not all(bool(end.isfinite()) for end in cells.detach().aminmax()):
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

    def _bands(self, name: str) -> list[slice]:
        cells = self._cells()[name]
        return bands(cells.shape) if cells.dim() else [...]

    def _place(self, name: str, band: slice) -> int:
        start = band.start if isinstance(band, slice) else 0
        return list(self._cells()).index(name) * PLACES + start

    def _placed_draw(self, seed: Tensor, name: str, band: slice, uniform: bool) -> Tensor:
        """Draws for the cells of ``band``, shape (2, *cells)."""
        cells, place = self._cells()[name], self._place(name, band)
        shape = cells[band].shape
        if not self._shares_references():
            return drawn(seed, place, (2, *shape), uniform)
        own = drawn(seed, place, shape, uniform)
        reference = drawn(seed, place - PLACES // 2, (self._groups(), *shape[1:]), uniform)
        each = len(cells) // self._groups()
        return torch.stack([own, reference.repeat_interleave(each, 0)[band]])

    def _draw(self, effect: str, name: str, band: slice) -> Tensor | None:
        """What ``effect`` takes from the chip for the cells of ``band``; None if it is off.

        Kept while training, where the weights are written again and again.
        """
        if effect not in self._drawn():
            return None
        key = effect, name, self._place(name, band)
        if key not in self._kept:
            seed = self.chip[EFFECTS.index(effect)]
            draw = self._placed_draw(seed, name, band, uniform=effect == "stuck")
            if not self.training or torch.compiler.is_compiling() or draw.is_inference():
                return draw
            self._kept[key] = draw
        return self._kept[key]

    def _missed_by(self, name: str, band: slice, asked: Tensor) -> Tensor | None:
        """The programming error of the cells of ``band``, in units of its standard deviation."""
        rram = self.rram
        if not rram.has_programming_error or rram.tolerance is None:
            return self._draw("programming", name, band)
        width, seed = self._width(asked), self.chip[EFFECTS.index("programming")]
        return drawn_until_close(seed, self._place(name, band), width, rram.tolerance, rram.writes)

    def _width(self, asked: Tensor) -> Tensor:
        rram = self.rram
        state = (asked.detach() - rram.g_off) / (rram.g_on - rram.g_off)
        return torch.as_tensor(rram.programming_width(state)).expand_as(state)

    def _write(self, misses_anew: bool) -> None:
        """The cells are written once more: they miss their targets anew, or as before."""
        if misses_anew and self.rram.has_programming_error:
            seeds = self.chip.clone()
            seeds[EFFECTS.index("programming")] = _seeds(1)[0]
            self.chip = seeds
            self._kept = {key: draw for key, draw in self._kept.items() if key[0] != "programming"}
        self._start_anew()

    def _start_anew(self) -> None:
        if self.rram.drifts:
            self.age_in_us.zero_()
        if self.rram.wears_out:
            self.times_written += 1

    def _programming(self) -> Programming:
        """What it took to write the cells."""
        rram, repeats, missed = self.rram, 0, 0
        verifies = rram.has_programming_error and rram.tolerance is not None
        for name in self._cells() if verifies and self._device().type != "meta" else ():
            for band in self._bands(name):
                width = self._width(self._asked_for(name, band))
                seed, place = self.chip[EFFECTS.index("programming")], self._place(name, band)
                _, *counts = verified(seed, place, width, rram.tolerance, rram.writes)
                again, missing = (int(self._counted_once(count).sum()) for count in counts)
                repeats, missed = repeats + again, missed + missing
        cells = sum(map(self._count, self._cells()))
        return Programming(cells, pulses=cells + repeats, missed=missed)

    def _chip(self) -> set[str]:
        """Names of the buffers that hold the chip."""
        return set(self._buffers) - self._non_persistent_buffers_set - set(self._cells())

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self._chip():
            text = bytearray(_described(self.rram).encode())
            destination[prefix + DEVICE] = torch.frombuffer(text, dtype=torch.uint8)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        errors = args[-1]
        text = state_dict.pop(prefix + DEVICE, None)
        own = _described(self.rram)
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
            self._kept = {}
            self._forget()  # the programming error was loaded with the weights

    def _of_other_shape(self, state_dict: dict[str, Any], prefix: str) -> list[str]:
        tensors = {n: t for n, t in (self._parameters | self._buffers).items() if t is not None}
        pairs = {
            n: (t.shape, state_dict[prefix + n].shape)
            for n, t in tensors.items()
            if prefix + n in state_dict
        }
        return [
            f"`{prefix}{name}` of shape {tuple(ours)}, but got {tuple(theirs)}"
            for name, (ours, theirs) in pairs.items()
            if ours != theirs
        ]

    def train(self, mode: bool = True) -> "Chip":
        """As in nn.Module; out of training, draws are not kept but drawn again when needed."""
        if not mode:
            self._kept = {}
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_kept": {}}

    def _apply(self, fn: Any, recurse: bool = True) -> "Chip":
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


def _seeds(number: int, generator: torch.Generator | None = None) -> Tensor:
    return torch.randint(1 << 62, (number,), generator=generator)


def _described(rram: RRAM) -> str:
    """The device by what is not as in the default one."""
    default = RRAM()
    own = [
        f.name
        for f in fields(rram)
        if f.compare and getattr(rram, f.name) != getattr(default, f.name)
    ]
    return f"RRAM({', '.join(f'{name}={getattr(rram, name)!r}' for name in own)})"
