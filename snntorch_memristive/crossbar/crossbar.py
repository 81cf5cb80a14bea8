"""What the layers on a crossbar have in common."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from ..checks import check_not_negative, check_positive, check_within
from ..devices import RRAM, Ohmic
from ..tracing import is_traced
from .array import Array, from_lines, to_lines
from .effects import (
    ROOM,
    acceleration,
    drift,
    fail,
    from_pair,
    misprogram,
    quantise,
    read_variance,
    spread,
    stick,
    to_pair,
)
from .written import Written

EFFECTS = ("programming", "spread", "stuck", "drift")
"""What is drawn once per chip, and the names of its buffers."""

FAULTS = "fault_"
"""How names of buffers begin that hold which cells have failed."""


@dataclass(frozen=True)
class Programming:
    """What it took to write a chip."""

    cells: int
    """Cells that were written."""
    pulses: int
    """Writes altogether."""
    missed: int
    """Cells that were still outside the tolerance after the last write."""


class Crossbar(nn.Module):
    """Abstract: a layer whose weight (and bias, an always-on row) are differential pairs.

    The weight of torch stays the trained parameter. In ``forward`` it is mapped to a pair of
    conductances, programmed, disturbed, wired up and read back, all in the graph; the mapping is
    worked out once per writing and not at every step of a time loop.

    What a chip is like (device-to-device spread, stuck cells, how fast each cell drifts) is drawn
    by :meth:`program` and stays until it is called again. The programming error is drawn there
    too, and anew whenever the weights have been written while in training mode (outside
    ``torch.compile``); it is the same for every call in between. Read noise is drawn at every
    call, in ``train()`` and ``eval()``. :meth:`drift_to` and :meth:`fault` let the chip age; a
    write starts the drift anew.

    All of it is in buffers, so ``state_dict`` holds the chip. A digital checkpoint loads as it
    is and keeps the chip that is there.
    """

    _written: Written | None = None

    @property
    def rram(self) -> RRAM:
        """The device in the cells. Assigning another one programs a new chip of it."""
        return self._rram

    @rram.setter
    def rram(self, rram: RRAM) -> None:
        self._rram = rram
        for name in self._cells():
            for effect in EFFECTS:
                self._buffers.pop(f"{effect}_{name}", None)
            for effect in self._drawn():
                self.register_buffer(f"{effect}_{name}", None)
        self._buffers.pop("age_in_us", None)
        if rram.drifts:
            device = next(iter(self._cells().values())).device
            # Whole numbers, which half precision leaves alone.
            self.register_buffer("age_in_us", torch.zeros(2, dtype=torch.int64, device=device))
        self.program()

    @property
    def array(self) -> Array:
        """The array that the cells are in; another one may be assigned."""
        return self._array

    @array.setter
    def array(self, array: Array) -> None:
        self._array = array
        self._disturb()

    def program(self, generator: torch.Generator | None = None) -> Programming:
        """Draw a new chip, all of its cells working, and write the weights into it.

        Args:
            generator: source of the draws, on the CPU, so that a seed names one chip whatever
                the device; torch's default one if left out.

        Returns:
            How many pulses it took, with write-and-verify if ``rram.tolerance`` is set.
        """
        for name in [name for name in self._buffers if name.startswith(FAULTS)]:
            del self._buffers[name]
        self._written = None
        self._restart()
        for effect in self._drawn():
            if effect != "programming":
                self._draw(effect, generator)
        if "programming" in self._drawn():
            return self._write_and_verify(generator)
        cells = sum(2 * cells.numel() for cells in self._cells().values())
        return Programming(cells, pulses=cells, missed=0)

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
        failed = 0
        for name, cells in self._cells().items():
            drawn = torch.rand((2, *cells.shape), generator=generator)
            new = (drawn < fraction * on).to(torch.int8) - (
                (drawn >= fraction * on) & (drawn < fraction)
            ).to(torch.int8)
            old = self._buffers.get(FAULTS + name)
            new = new.to(cells.device)
            now = new if old is None else torch.where(old == 0, new, old)
            self.register_buffer(FAULTS + name, now)
            failed += int((now != 0).sum())
        self._disturb()
        return failed

    def conductances(self, name: str = "weight") -> Tensor:
        """Conductances (S) of the cells of ``weight`` or ``bias``, of shape ``(2, *shape)``.

        As programmed: with levels, error, spread and stuck cells, without read noise; at least
        in float32, which the microsiemens of a half-precision layer need.
        """
        return self._programmed(name, self._cells()[name], self.w_max())

    def _programmed(self, name: str, cells: Tensor, w_max: Tensor) -> Tensor:
        dtype = torch.promote_types(cells.dtype, torch.float32)
        draws = {effect: self._buffers.get(f"{effect}_{name}") for effect in EFFECTS}
        draws = {effect: None if d is None else d.to(dtype) for effect, d in draws.items()}
        g = quantise(to_pair(cells.to(dtype), self.rram, w_max), self.rram)
        g = misprogram(g, self.rram, draws["programming"])
        g = spread(g, self.rram, draws["spread"])
        if self.rram.drifts:
            g = drift(g, self.rram, draws["drift"], self.age_in_us[1] * 1e-6)
        g = stick(g, self.rram, draws["stuck"])
        return fail(g, self.rram, self._buffers.get(FAULTS + name))

    def w_max(self) -> Tensor:
        """Weight that fills the window: the largest, so that none is clipped (0-d, detached).

        It is the gain of the read-out, set when the weights are written; no gradient passes
        through it.
        """
        sizes = [cells.detach().abs().amax() for cells in self._cells().values() if cells.numel()]
        if not sizes:
            return torch.ones(())
        w_max = torch.stack(sizes).amax()
        w_max = w_max.to(torch.promote_types(w_max.dtype, torch.float32))
        return w_max.clamp(min=torch.finfo(w_max.dtype).tiny)

    def effective(self, name: str = "weight") -> Tensor | None:
        """The weight (or bias) that the array stands for; None if the layer has no bias."""
        return self._stands_for(self._written_now()).get(name)

    def _is_ideal(self) -> bool:
        faulty = any(name.startswith(FAULTS) for name in self._buffers)
        return self.rram.ideal and self.array.wires.ideal and not (faulty or self.array.bandwidth)

    def _stands_for(self, written: Written | None) -> dict[str, Tensor]:
        cells = self._cells()
        if self._is_ideal():
            return cells
        return self._mapped(cells, self.w_max()) if written is None else written.standing_for(cells)

    def _mapped(self, cells: dict[str, Tensor], w_max: Tensor) -> dict[str, Tensor]:
        parts = [self._programmed(name, tensor, w_max) for name, tensor in cells.items()]
        if not self.array.wires.ideal:
            seen = self.array.seen(to_lines(parts, self._groups()))
            parts = from_lines(seen, parts)
        return {
            name: from_pair(g, self.rram, w_max).to(cells[name].dtype)
            for name, g in zip(cells, parts, strict=True)
        }

    def _groups(self) -> int:
        """Arrays side by side that share no line."""
        return getattr(self, "groups", 1)

    def _written_now(self) -> Written | None:
        """The mapping of the cells as they are; None if it cannot be kept, or there is none."""
        cells = self._cells()
        if self._is_ideal() or any(is_traced(c) or c.is_meta for c in cells.values()):
            return None
        return None if forward_ad._current_level >= 0 else self._write(cells)

    def _write(self, cells: dict[str, Tensor]) -> Written:
        """The mapping of the cells as they are, worked out anew if they have been written."""
        written = self._written
        if written is not None and not written.is_of(cells):
            if self.training and self.rram.has_programming_error:
                self._write_and_verify()
            self._restart()
            written = None
        if written is None or written.is_stale or not written.serves(self._bent()):
            self._written = self._work_out(cells)
        return self._written

    def _disturb(self) -> None:
        """The cells are not what they were, though nobody has written them."""
        if self._written is not None:
            self._written.is_stale = True

    def _bent(self) -> list[str]:
        """Cells whose derivative is wanted now and may be anything but 1."""
        rram = self.rram
        straight = rram.ideal or not (rram.spread or rram.stuck_on or rram.stuck_off or rram.drifts)
        faulty = any(name.startswith(FAULTS) for name in self._buffers)
        if not torch.is_grad_enabled() or (straight and self.array.wires.ideal and not faulty):
            return []
        return [name for name, cells in self._cells().items() if cells.requires_grad]

    def _work_out(self, cells: dict[str, Tensor]) -> Written:
        w_max, bent = self.w_max(), self._bent()
        copies = {n: c.detach().clone().requires_grad_(n in bent) for n, c in cells.items()}
        return Written(cells, copies, self._mapped(copies, w_max), w_max)

    def _restart(self) -> None:
        """The cells have just been written."""
        if self.rram.drifts:
            self.age_in_us.zero_()

    def _cells(self) -> dict[str, Tensor]:
        """The trained tensors that live in cells, by name."""
        cells = {"weight": self.weight, "bias": self.bias}
        return {name: tensor for name, tensor in cells.items() if tensor is not None}

    def _drawn(self) -> tuple[str, ...]:
        rram = self.rram
        strengths = (
            rram.has_programming_error,
            rram.spread,
            rram.stuck_on or rram.stuck_off,
            rram.drifts,
        )
        return tuple(e for e, strength in zip(EFFECTS, strengths, strict=True) if strength)

    def _draw(self, effect: str, generator: torch.Generator | None = None) -> None:
        draw = torch.rand if effect == "stuck" else torch.randn
        for name, cells in self._cells().items():
            drawn = draw((2, *cells.shape), generator=generator)
            setattr(self, f"{effect}_{name}", drawn.to(cells))

    def _write_and_verify(self, generator: torch.Generator | None = None) -> Programming:
        """Draw the programming error of every cell, again where it is beyond the tolerance."""
        rram, w_max = self.rram, self.w_max()
        count = pulses = missed = 0
        for name, cells in self._cells().items():
            draw = torch.randn((2, *cells.shape), generator=generator)
            count, pulses = count + draw.numel(), pulses + draw.numel()
            if rram.tolerance is not None:
                g = quantise(to_pair(cells.detach().to(w_max.dtype), rram, w_max), rram)
                state = (g.cpu() - rram.g_off) / (rram.g_on - rram.g_off)
                width = torch.as_tensor(rram.programming_width(state))
                for _ in range(rram.writes - 1):
                    again = (draw * width).abs() > rram.tolerance
                    repeats = int(again.sum())
                    draw[again] = torch.randn(repeats, generator=generator)
                    pulses += repeats
                missed += int(((draw * width).abs() > rram.tolerance).sum())
            setattr(self, f"programming_{name}", draw.to(cells))
        return Programming(count, pulses, missed)

    def _read(self, input_: Tensor) -> Tensor:
        """Output of the layer for ``input_``, with everything that the device does to it."""
        written = self._written_now()
        parts = self._stands_for(written)
        input_ = self._driven(input_)
        output = self._apply_weight(input_, parts["weight"], parts.get("bias"))
        if not (self.rram.has_read_noise or self.array.bandwidth):
            return output
        w_max = (self.w_max() if written is None else written.w_max).to(output.dtype)
        scale = w_max / (self.rram.g_on - self.rram.g_off)
        sigma = self._read_variance(input_.detach()).sqrt() * scale
        return output + torch.randn_like(output) * sigma.to(output.dtype)

    def _driven(self, input_: Tensor) -> Tensor:
        """The input that would drive the same currents through ohmic cells.

        The law of conduction is the same in every cell, so it can act on the input, and an input of
        1, such as that of the bias, is at the voltage at which the conductances are stated. With
        wires, which are linear, this neglects what they drop.
        """
        if self.rram.conduction == Ohmic():
            return input_
        law, v_read = self.rram.conduction, self.array.v_read
        unit = law.chord(torch.as_tensor(v_read, dtype=input_.dtype))
        return input_ * (law.chord(input_ * v_read) / unit)

    def _read_variance(self, input_: Tensor) -> Tensor:
        """Variance (S^2) of every output, in units of the read voltage.

        Independent normal noise on every cell adds up to normal noise of exactly this variance on
        the output; drawing it there costs no copy of the array. No gradient passes through it.
        """
        if not (self.rram.flicker or self.array.bandwidth):  # the same in every cell of a row
            one = {n: c.new_ones((self._groups(), *c.shape[1:])) for n, c in self._cells().items()}
            power = self._apply_weight(input_**2, one["weight"], one.get("bias"))
            if self._groups() > 1:
                power = power.repeat_interleave(len(self.weight) // self._groups(), -3)
            return power * read_variance(input_.new_zeros(2), self.rram)
        cells, w_max = self._cells(), self.w_max()
        g = {n: self._programmed(n, tensor.detach(), w_max) for n, tensor in cells.items()}
        of_square = {n: read_variance(pair, self.rram).to(input_) for n, pair in g.items()}
        variance = self._apply_weight(input_**2, of_square["weight"], of_square.get("bias"))
        if self.array.bandwidth:
            total = {n: pair.sum(0).to(input_) for n, pair in g.items()}
            shot = {n: self.array.shot_variance(t) for n, t in total.items()}
            variance = variance + self._apply_weight(input_.abs(), shot["weight"], shot.get("bias"))
            heat = {n: self.array.thermal_variance(t) for n, t in total.items()}
            ones = torch.ones_like(input_)
            variance = variance + self._apply_weight(ones, heat["weight"], heat.get("bias"))
        return variance

    def _apply_weight(self, input_: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_written": None}

    def _apply(self, fn: Any, recurse: bool = True) -> "Crossbar":
        super()._apply(fn, recurse)
        self._written = None
        return self

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for name in set(self._buffers) - self._non_persistent_buffers_set:
            state_dict.setdefault(prefix + name, self._buffers[name])
        for name, cells in self._cells().items():
            if prefix + FAULTS + name in state_dict and FAULTS + name not in self._buffers:
                working = torch.zeros((2, *cells.shape), dtype=torch.int8, device=cells.device)
                self.register_buffer(FAULTS + name, working)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._written = None  # the programming error was loaded with the weights

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        parts = [super().extra_repr(), f"rram={self.rram}"]
        parts += [] if self.array == Array() else [f"array={self.array}"]
        return ", ".join(part for part in parts if part)
