"""What the layers on a crossbar have in common."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from ..devices import Ohmic
from ..tracing import has_tangents, is_observed, is_traced
from .array import Array, from_lines, to_lines
from .cells import WORTH, halves_asked, loop_for, through_cells
from .chip import FAULTS, Chip, State
from .draws import Band
from .effects import fail, folds, programmed, white_variance
from .mapping import from_pair, weight_per_siemens
from .noise import of_cells
from .written import Written


class Crossbar(Chip):
    """Abstract: a layer whose weight (and bias, an always-on row) are pairs of cells.

    The weight of torch stays the trained parameter. In ``forward`` it is mapped to a pair of
    conductances, programmed, disturbed, wired up and read back, all in the graph; the mapping is
    worked out once per writing and not at every step of a time loop.

    :class:`~snntorch_memristive.crossbar.Chip` says what is drawn when. The programming error is
    the same for every call between two writings; read noise is drawn at every call, in
    ``train()`` and ``eval()``. ``torch.utils.checkpoint`` repeats it, but for steps in which the
    weights are written. ``torch.func.functional_call`` with weights alone writes them into this
    chip.

    A weight that is NaN or infinite is refused when it is written (ValueError), and the chip stays
    as it is; with an ideal device nothing is written, and it passes through as in torch.
    """

    weight: Tensor
    _array: Array
    _written: Written | None = None
    _output_dim = -1
    """Dimension of an output that counts the bit lines."""

    @property
    def array(self) -> Array:
        """The array that the cells are in; another one may be assigned."""
        return self._array

    @array.setter
    def array(self, array: Array) -> None:
        is_other_chip = hasattr(self, "_array") and array.mapping != self._array.mapping
        if is_other_chip:
            self._check_weights()
        self._array = array
        self._disturb()
        if is_other_chip:
            self.program()

    def conductances(self, name: str = "weight") -> Tensor:
        """Conductances (S) of the cells of ``weight`` or ``bias``, of shape ``(2, *shape)``.

        Of the cell, and of what is subtracted from it: the other cell of the pair, or the
        reference cell of its row, which is one and the same for all outputs.

        As programmed: with levels, error, spread and stuck cells, without read noise; at least
        in float32, which the microsiemens of a half-precision layer need.
        """
        self._settle()
        return self._all_bands(name, self._cells()[name], self.w_max(), self._programmed)

    def targets(self, name: str = "weight") -> Tensor:
        """Conductances (S) that were asked for, as :meth:`conductances`: levels, and no more."""
        return self._all_bands(
            name,
            self._cells()[name],
            self.w_max(),
            lambda _, cells, band, w: self._aimed(cells[band], w),
        )

    def _all_bands(
        self, name: str, cells: Tensor, w_max: Tensor, work: Callable[..., Tensor]
    ) -> Tensor:
        parts = [work(name, cells, band, w_max) for band in self._bands(name)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    @property
    def clipped(self) -> int:
        """Weights and biases beyond ``array.w_max``, which the cells cannot hold."""
        return sum(int((c.detach().abs() > self.w_max()).sum()) for c in self._cells().values())

    def w_max(self) -> Tensor:
        """Weight that fills the window (0-d, detached): the largest, or ``array.w_max``.

        It is the gain of the read-out, set when the weights are written; no gradient passes
        through it.
        """
        cells = list(self._cells().values())
        dtype = torch.promote_types(cells[0].dtype, torch.float32)
        if self.array.w_max is not None:
            return torch.tensor(self.array.w_max, dtype=dtype, device=cells[0].device)
        ends = [end for c in cells if c.numel() for end in c.detach().aminmax()]
        if not ends:
            return torch.ones(())
        return torch.stack(ends).abs().amax().to(dtype).clamp(min=torch.finfo(dtype).tiny)

    def effective(self, name: str = "weight") -> Tensor | None:
        """The weight (or bias) that the array stands for; None if the layer has no bias."""
        cells = self._cells()
        return self._stands_for(self._written_now(cells), cells).get(name)

    # From weights to conductances and back

    def _asked_for(self, name: str, band: Band) -> Tensor:
        return self._aimed(self._cells()[name][band], self.w_max())

    def _aimed(self, cells: Tensor, w_max: Tensor) -> Tensor:
        array, exact = self.array, cells.to(w_max.dtype)
        is_clipped = array.w_max is not None
        return torch.stack(halves_asked(exact, self.rram, w_max, array.mapping, is_clipped))

    def _programmed(self, name: str, cells: Tensor, band: Band, w_max: Tensor) -> Tensor:
        """Conductances (S) of the cells of ``band``, (2, ...), by way of every effect."""
        asked = self._aimed(cells[band], w_max)
        draws = self._draws(name, band)
        if self._verifies():
            draws["programming"] = self._verified(name, band, asked)[..., 0]
        draws = {effect: draw.to(asked) for effect, draw in draws.items()}
        g = programmed(asked, self.rram, draws, *self._since(w_max))
        faults = self._buffers.get(FAULTS + name)
        return fail(g, self.rram, None if faults is None else faults[:, band])

    def _since(self, w_max: Tensor) -> tuple[Tensor | float, Tensor | int]:
        """For how long the cells have drifted, see ``folds``, and how often they were written."""
        rram = self.rram
        passed = folds(rram, self.age_in_us[1] * 1e-6).to(w_max) if rram.drifts else 0.0
        return passed, self.times_written[0] if rram.wears_out else 0

    def _mapped(self, cells: dict[str, Tensor], w_max: Tensor) -> dict[str, Tensor]:
        """The weights that the cells stand for."""
        if self.array.wires.ideal:
            return {name: self._mapped_in_bands(name, c, w_max) for name, c in cells.items()}
        parts = [self._all_bands(name, c, w_max, self._programmed) for name, c in cells.items()]
        parts = from_lines(self.array.seen(to_lines(parts, self._groups())), parts)
        return {
            name: from_pair(g, self.rram, w_max, self.array.mapping).to(cells[name].dtype)
            for name, g in zip(cells, parts, strict=True)
        }

    def _mapped_in_bands(self, name: str, cells: Tensor, w_max: Tensor) -> Tensor:
        rram, array, loop = self.rram, self.array, None
        is_stated = not self._verifies() and FAULTS + name not in self._buffers
        if is_stated and max(c.numel() for c in self._cells().values()) >= WORTH:
            loop = loop_for(cells, rram, array.mapping, array.w_max is not None, self._drawn())

        def mapped(band: Band) -> Tensor:
            if loop is not None:
                draws, since = self._draws(name, band), self._since(w_max)
                return through_cells(loop, cells[band], w_max, draws, *since)
            g = self._programmed(name, cells, band, w_max)
            return from_pair(g, rram, w_max, array.mapping).to(cells.dtype)

        bands = self._bands(name)
        if len(bands) == 1:
            return mapped(bands[0])
        if torch.is_grad_enabled() or is_traced(cells):
            return torch.cat([mapped(band) for band in bands])
        weights = torch.empty_like(cells)  # band by band: a chip takes little more than its weights
        for band in bands:
            weights[band] = mapped(band)
        return weights

    def _shares_references(self) -> bool:
        return self.array.mapping == "offset"

    def _described(self) -> str:
        array = self.array
        parts = [super()._described(), "" if array.mapping == "differential" else array.mapping]
        parts += [] if array.w_max is None else [f"w_max={array.w_max:g}"]
        return ", ".join(part for part in parts if part)

    def _count(self, name: str) -> int:
        cells = self._cells()[name]
        if self._shares_references():
            return cells.numel() + cells[:1].numel() * self._groups()
        return 2 * cells.numel()

    def _cells(self) -> dict[str, Tensor]:
        own: dict[str, Any] = self._parameters
        if "weight" in own and "bias" in own:  # twice as fast
            weight, bias = own["weight"], own["bias"]
        else:  # others (pruning, say) keep them elsewhere
            weight, bias = self.weight, self.bias
        return {"weight": weight} if bias is None else {"weight": weight, "bias": bias}

    # What was written is kept

    def _is_ideal(self) -> bool:
        if not self.rram.ideal:
            return False
        array = self.array
        plain = array.w_max is None and not array.bandwidth and array.wires.ideal
        return plain and not self._is_faulty()

    def _is_faulty(self) -> bool:
        return any(name.startswith(FAULTS) for name in self._buffers)

    def _stands_for(self, written: Written | None, cells: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weights as functions of ``cells``."""
        if written is not None:
            return written.standing_for(cells)
        return cells if self._is_ideal() else self._mapped(cells, self.w_max())

    def _written_now(self, cells: dict[str, Tensor]) -> Written | None:
        """The mapping of the cells as they are; None if it cannot be kept, or there is none."""
        is_kept = self._written is not None and not self._written.is_stale  # so it is not ideal
        if (not is_kept and self._is_ideal()) or _are_unreadable(cells) or has_tangents():
            return None
        return self._up_to_date(cells)

    def _up_to_date(self, cells: dict[str, Tensor]) -> Written:
        """The mapping of the cells as they are, worked out anew if they have been written."""
        w_max = None
        if self._written is None or not self._written.is_of(cells):
            w_max = self._write_anew()
        written, state = self._written, self._state()
        if written is None or not written.serves(cells, state):
            w_max = self.w_max() if w_max is None else w_max
            self._written = written = self._work_out(cells, w_max, state)
        return written

    def _work_out(self, cells: dict[str, Tensor], w_max: Tensor, state: State) -> Written:
        bends = self._bends()
        is_bent = bends and torch.is_grad_enabled()
        learned = [name for name, c in cells.items() if is_bent and c.requires_grad]
        copies = {name: cells[name].detach().clone().requires_grad_() for name in learned}
        now = {n: copies.get(n, c.detach()) for n, c in cells.items()}
        with _unseen():
            mapped = self._mapped(now, w_max)
        return Written(cells, copies, mapped, w_max, self.array.wires.ideal, bends, state)

    def _disturb(self) -> None:
        if self._written is not None:
            self._written.is_stale = True

    def _forget(self) -> None:
        self._written = None

    def _settle(self) -> None:
        cells = self._cells()
        if self._written is None or _are_unreadable(cells):
            return
        if not self._written.is_of(cells):
            self._write_anew()

    def _write_anew(self) -> Tensor:
        """Let the cells be written once more, if they were before; :meth:`w_max` of the weights.

        A chip that was put in with its weights and its age (``functional_call``) is as it came.

        Raises:
            ValueError: if one is not finite.
        """
        w_max = self.w_max()
        if self.array.w_max is not None or not math.isfinite(w_max):
            self._check_weights()
        if self._written is not None:
            if self._written.is_stale or self._written.state.age == self._state().age:
                self._write(misses_anew=self.training)
            self._written = None
        return w_max

    def _bends(self) -> bool:
        """May the derivative of what a cell stands for, by the cell, be anything but 1?"""
        rram = self.rram
        bends = rram.spread or rram.stuck_on or rram.stuck_off or rram.drifts or rram.wears_out
        return bool(bends) or not self.array.wires.ideal or self._is_faulty()

    # Reading

    def _read(self, input_: Tensor) -> Tensor:
        """Output of the layer for ``input_``, with everything that the device does to it."""
        cells = self._cells()
        written = self._written_now(cells)
        parts = self._stands_for(written, cells)
        input_ = self._driven(input_)
        output = self._apply_weight(input_, parts["weight"], parts.get("bias"))
        if not (self.rram.has_read_noise or self.array.bandwidth):
            return output
        return self._with_noise(output, input_.detach(), written)

    def _driven(self, input_: Tensor) -> Tensor:
        """The input that would drive the same currents through ohmic cells.

        The law of conduction is the same in every cell, so it can act on the input, and an input of
        1, such as that of the bias, is at the voltage at which the conductances are stated. With
        wires, which are linear, this neglects what they drop.
        """
        if type(self.rram.conduction) is Ohmic:
            return input_
        law, v_read = self.rram.conduction, self.array.v_read
        unit = law.chord(torch.as_tensor(v_read, dtype=input_.dtype))
        return input_ * (law.chord(input_ * v_read) / unit)

    def _with_noise(self, output: Tensor, input_: Tensor, written: Written | None) -> Tensor:
        """``output`` with the noise of one read, through which no gradient passes."""
        w_max = self.w_max() if written is None else written.w_max
        gain = weight_per_siemens(self.rram, w_max, self.array.mapping)
        variances = self._variances(input_.to(w_max.dtype), written)
        own, *subtracted = (variance.sqrt() * gain for variance in variances)
        noisy = output.to(own.dtype).addcmul(torch.randn_like(output, dtype=own.dtype), own)
        if subtracted:  # the current of a reference column, from all columns of its array
            dim, groups = self._output_dim, self._groups()
            common = subtracted[0].unflatten(dim, (groups, -1)).narrow(dim, 0, 1)
            common = common * torch.randn_like(common)
            noisy = (noisy.unflatten(dim, (groups, -1)) - common).flatten(dim - 1, dim)
        return noisy.to(output.dtype)

    def _variances(self, input_: Tensor, written: Written | None) -> list[Tensor]:
        """Variance (S^2) of every output by the cells of its own, and by those it shares."""
        halves = 2 if self._shares_references() else 1
        if self._is_evenly_noisy():
            return [self._power(input_) * self._white_variance()] * halves
        cells = self._cell_variances(written)
        return [self._at_outputs(input_, cells, half) for half in range(halves)]

    def _is_evenly_noisy(self) -> bool:
        return not (self.rram.flicker or self.array.bandwidth)

    def _white_variance(self) -> float:
        """Variance (S^2) by the cells of one weight, or by one of them if references are shared."""
        return (1 if self._shares_references() else 2) * white_variance(self.rram)

    def _power(self, input_: Tensor) -> Tensor:
        """Sum of the squared inputs of every output's cells, where all outputs have the same."""
        groups = self._groups()
        ones = {
            name: input_.new_ones((groups, *cells.shape[1:]) if cells.dim() else ())
            for name, cells in self._cells().items()
        }
        power = self._apply_weight(input_**2, ones["weight"], ones.get("bias"))
        if groups == 1 and not self._shares_references():
            return power
        return power.repeat_interleave(len(self.weight) // groups, self._output_dim)

    def _cell_variances(self, written: Written | None) -> dict[str, dict[str, Tensor]]:
        """What :func:`of_cells` says, by kind and name."""
        if written is not None and written.variances is not None:
            return written.variances
        found: dict[str, dict[str, Tensor]] = {}
        w_max = self.w_max()
        for name, cells in self._cells().items():
            for band in self._bands(name):
                g = self._programmed(name, cells.detach(), band, w_max)
                for kind, part in of_cells(g, self.rram, self.array).items():
                    of_all = found.setdefault(kind, {})
                    if name not in of_all:
                        of_all[name] = part.new_empty(len(part), *cells.shape)
                    of_all[name][:, band] = part
        if written is not None:
            written.variances = found
        return found

    def _at_outputs(
        self, input_: Tensor, of_cells: dict[str, dict[str, Tensor]], half: int
    ) -> Tensor:
        def summed(drive: Tensor, kind: str) -> Tensor:
            parts = {name: cells[half].to(input_) for name, cells in of_cells[kind].items()}
            return self._apply_weight(drive, parts["weight"], parts.get("bias"))

        total = torch.zeros((), dtype=input_.dtype, device=input_.device)
        if self.rram.has_read_noise:
            total = total + summed(input_**2, "variance")
        if self.array.bandwidth:
            total = total + self.array.shot_variance(summed(input_.abs(), "g"))
            # Heat makes noise in a cell whatever its input, that of a padded position too.
            heats = [g[half].reshape(g.shape[1], -1).sum(1) for g in of_cells["g"].values()]
            heat = sum(heats[1:], start=heats[0])
            heat = heat.unflatten(0, (-1, *[1] * (-1 - self._output_dim))).to(input_)
            total = total + self.array.thermal_variance(heat)
        return total

    def _apply_weight(self, input_: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_written": None}

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        parts = [super().extra_repr(), f"rram={self.rram}"]
        parts += [] if self.array == Array() else [f"array={self.array}"]
        return ", ".join(part for part in parts if part)


def _unseen() -> AbstractContextManager:
    """Whoever counts or moves what a graph saves, does not see it: the graph outlives them."""
    if not torch._C._autograd._saved_tensors_hooks_is_enabled():  # type: ignore[attr-defined]
        return nullcontext()
    # Detached, as a result that its own operation saves would be garbage that holds itself.
    return saved_tensors_hooks(Tensor.detach, lambda saved: saved)


def _are_unreadable(cells: dict[str, Tensor]) -> bool:
    return is_observed() or next(iter(cells.values())).is_meta
