"""What the layers on a crossbar have in common."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..devices import RRAM
from ..tracing import is_traced
from .effects import from_pair, misprogram, quantise, read_noise, spread, stick, to_pair

EFFECTS = ("programming", "spread", "stuck")
"""What is drawn once per chip, and the names of its buffers."""


class Written(NamedTuple):
    """What was last asked of the cells, and what the array stands for since."""

    cells: dict[str, Tensor]
    weights: dict[str, Tensor]
    slopes: dict[str, Tensor]
    """Derivative of ``weights`` by ``cells``, where it is not 1 and where it was wanted."""
    w_max: Tensor


class _StandsFor(torch.autograd.Function):
    """A mapping by its value and its derivative, without its graph.

    The graph would be freed by the first backward pass, while the weights may serve several.
    """

    @staticmethod
    def forward(ctx: Any, cells: Tensor, weights: Tensor, slope: Tensor | None) -> Tensor:
        ctx.slope = slope
        return weights.view_as(weights)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad if ctx.slope is None else grad * ctx.slope, None, None


class Crossbar(nn.Module):
    """Abstract: a layer whose weight (and bias, an always-on row) are differential pairs.

    The weight of torch stays the trained parameter. In ``forward`` it is mapped to a pair of
    conductances, programmed, disturbed and read back, all in the graph; the mapping is worked out
    once per writing and not at every step of a time loop. What a chip is like
    (device-to-device spread, stuck cells) is drawn by :meth:`program` and stays until it is
    called again. The programming error is drawn there too, and anew whenever the weights have
    been written while in training mode (outside ``torch.compile``); it is the same for every
    call in between. Read noise is drawn at every call, in ``train()`` and ``eval()``.

    The draws are buffers, so ``state_dict`` holds the chip. A digital checkpoint loads as it
    is and keeps the chip that is there.
    """

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
        self.program()

    def program(self, generator: torch.Generator | None = None) -> None:
        """Draw a new chip and write the weights into it.

        Args:
            generator: source of the draws, on the CPU, so that a seed names one chip whatever
                the device; torch's default one if left out.
        """
        for effect in self._drawn():
            self._draw(effect, generator)
        self._written = None

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
        return stick(g, self.rram, draws["stuck"])

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
        return self._effective(name, self._written_now())

    def _written_now(self) -> Written | None:
        """The mapping of the cells as they are; None if it cannot be kept, or there is none."""
        cells = self._cells()["weight"]
        if self.rram.ideal or is_traced(cells) or cells.is_meta:
            return None
        return self._write()

    def _effective(self, name: str, written: Written | None) -> Tensor | None:
        cells = self._cells().get(name)
        if cells is None or self.rram.ideal:
            return cells
        if written is None:
            return self._mapped(name, cells, self.w_max())
        if not (torch.is_grad_enabled() and cells.requires_grad):
            return written.weights[name]
        return _StandsFor.apply(cells, written.weights[name], written.slopes.get(name))

    def _mapped(self, name: str, cells: Tensor, w_max: Tensor) -> Tensor:
        g = self._programmed(name, cells, w_max)
        return from_pair(g, self.rram, w_max).to(cells.dtype)

    def _write(self) -> Written:
        """The mapping of the cells as they are, worked out anew if they have been written."""
        cells, written = self._cells(), self._written
        if written is None or written.cells.keys() != cells.keys() or not self._is_usable(written):
            self._written = self._work_out(cells)
        elif any(not torch.equal(cells[name], old) for name, old in written.cells.items()):
            if self.training and self.rram.programming_error:
                self._draw("programming")
            self._written = self._work_out(cells)
        return self._written

    def _is_usable(self, written: Written) -> bool:
        if written.w_max.is_inference() and not torch.is_inference_mode_enabled():
            return False
        return all(name in written.slopes for name in self._bent())

    def _bent(self) -> list[str]:
        """Cells whose derivative is wanted now and may be anything but 1."""
        straight = not (self.rram.spread or self.rram.stuck_on or self.rram.stuck_off)
        if straight or not torch.is_grad_enabled():
            return []
        return [name for name, cells in self._cells().items() if cells.requires_grad]

    def _work_out(self, cells: dict[str, Tensor]) -> Written:
        w_max, bent = self.w_max(), self._bent()
        copies = {n: c.detach().clone().requires_grad_(n in bent) for n, c in cells.items()}
        mapped = {name: self._mapped(name, copy, w_max) for name, copy in copies.items()}
        slopes = {name: torch.autograd.grad(mapped[name].sum(), copies[name])[0] for name in bent}
        weights = {name: tensor.detach() for name, tensor in mapped.items()}
        return Written({n: c.detach() for n, c in copies.items()}, weights, slopes, w_max)

    def _cells(self) -> dict[str, Tensor]:
        """The trained tensors that live in cells, by name."""
        cells = {"weight": self.weight, "bias": self.bias}
        return {name: tensor for name, tensor in cells.items() if tensor is not None}

    def _drawn(self) -> tuple[str, ...]:
        rram = self.rram
        strengths = (rram.programming_error, rram.spread, rram.stuck_on or rram.stuck_off)
        return tuple(e for e, strength in zip(EFFECTS, strengths, strict=True) if strength)

    def _draw(self, effect: str, generator: torch.Generator | None = None) -> None:
        draw = torch.rand if effect == "stuck" else torch.randn
        for name, cells in self._cells().items():
            drawn = draw((2, *cells.shape), generator=generator)
            setattr(self, f"{effect}_{name}", drawn.to(cells))

    def _read(self, input_: Tensor) -> Tensor:
        """Output of the layer for ``input_``, with everything that the device does to it."""
        written = self._written_now()
        parts = [self._effective(name, written) for name in ("weight", "bias")]
        output = self._apply_weight(input_, *parts)
        if not self.rram.read_noise:
            return output
        ones = {name: torch.ones_like(cells) for name, cells in self._cells().items()}
        power = self._apply_weight(input_.detach() ** 2, ones["weight"], ones.get("bias"))
        w_max = self.w_max() if written is None else written.w_max
        return output + read_noise(power, self.rram, w_max.to(output.dtype))

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
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._written = None  # the programming error was loaded with the weights

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return ", ".join(part for part in (super().extra_repr(), f"rram={self.rram}") if part)
