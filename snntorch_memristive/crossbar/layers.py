"""Layers of torch.nn whose weights are RRAM cells."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..devices import RRAM
from .effects import from_pair, misprogram, quantise, read_noise, spread, stick, to_pair

EFFECTS = ("programming", "spread", "stuck")
"""What is drawn once per chip, and the names of its buffers."""


class Crossbar(nn.Module):
    """Abstract: a layer whose weight (and bias, an always-on row) are differential pairs.

    The weight of torch stays the trained parameter. In ``forward`` it is mapped to a pair of
    conductances, programmed, disturbed and read back, all in the graph. What a chip is like
    (device-to-device spread, stuck cells) is drawn by :meth:`program` and stays until it is
    called again. The programming error is drawn there too, and anew whenever the weights have
    been written while in training mode (outside ``torch.compile``); it is the same for every
    call in between. Read noise is drawn at every call, in ``train()`` and ``eval()``.

    The draws are buffers, so ``state_dict`` holds the chip. A digital checkpoint loads as it
    is and keeps the chip that is there.
    """

    rram: RRAM

    def _init_crossbar(self, rram: RRAM) -> None:
        self.rram = rram
        for name in self._cells():
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
        self._remember()

    def conductances(self, name: str = "weight") -> Tensor:
        """Conductances (S) of the cells of ``weight`` or ``bias``, of shape (2, *its shape).

        As programmed: with levels, error, spread and stuck cells, without read noise; at least
        in float32, which the microsiemens of a half-precision layer need.
        """
        cells, w_max = self._cells()[name], self.w_max()
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
        cells = self._cells().get(name)
        if cells is None or self.rram.ideal:
            return cells
        return from_pair(self.conductances(name), self.rram, self.w_max()).to(cells.dtype)

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

    def _remember(self) -> None:
        """Keep what is written now, to notice the next writing; only where it matters."""
        cells = self._cells() if self.rram.programming_error else {}
        self._written = {name: tensor.detach().clone() for name, tensor in cells.items()}

    def _rewrite(self) -> None:
        """A new programming error if the weights have been written since the last one."""
        if not (self.training and self._written) or torch.compiler.is_compiling():
            return
        cells = self._cells()
        if any(not torch.equal(cells[name], old) for name, old in self._written.items()):
            self._draw("programming")
            self._remember()

    def _read(self, input_: Tensor) -> Tensor:
        """Output of the layer for ``input_``, with everything that the device does to it."""
        self._rewrite()
        output = self._apply_weight(input_, self.effective("weight"), self.effective("bias"))
        if not self.rram.read_noise:
            return output
        ones = {name: torch.ones_like(cells) for name, cells in self._cells().items()}
        power = self._apply_weight(input_.detach() ** 2, ones["weight"], ones.get("bias"))
        return output + read_noise(power, self.rram, self.w_max().to(output.dtype))

    def _apply_weight(self, input_: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        raise NotImplementedError

    def _apply(self, fn: Any, recurse: bool = True) -> "Crossbar":
        super()._apply(fn, recurse)
        self._remember()  # moved, not written
        return self

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for name in set(self._buffers) - self._non_persistent_buffers_set:
            draw = self._buffers[name]
            state_dict.setdefault(prefix + name, draw)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._remember()  # the error was loaded with the weights

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return ", ".join(part for part in (super().extra_repr(), f"rram={self.rram}") if part)


class RRAMLinear(Crossbar, nn.Linear):
    """:class:`torch.nn.Linear` on an RRAM crossbar.

    With the default, ideal device it computes exactly what ``nn.Linear`` computes. See
    :class:`~snntorch_memristive.crossbar.Crossbar` for what is drawn when.

    Args:
        in_features, out_features, bias, device, dtype: as in ``nn.Linear``.
        rram: the device in the cells.

    Shapes:
        - **input_**: ``(*, in_features)``; returns ``(*, out_features)``.

    Raises:
        ValueError: if the last dimension of ``input_`` is not ``in_features``.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        rram: RRAM = RRAM(),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype)
        self._init_crossbar(rram)

    @classmethod
    def from_linear(cls, linear: nn.Linear, *, rram: RRAM = RRAM()) -> "RRAMLinear":  # noqa: B008
        """A crossbar that holds the very parameters of ``linear``."""
        layer = cls(
            linear.in_features,
            linear.out_features,
            linear.bias is not None,
            device="meta",
            rram=rram,
        )
        return _adopt(layer, linear)

    def forward(self, input_: Tensor) -> Tensor:
        """Currents of the bit lines, in units of the weights times ``input_``."""
        if input_.dim() == 0 or input_.shape[-1] != self.in_features:
            raise ValueError(
                f"Expected `input_` of shape (*, {self.in_features}), "
                f"but got {tuple(input_.shape)}."
            )
        return self._read(input_)

    def _apply_weight(self, input_: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.linear(input_, weight, bias)


class RRAMConv2d(Crossbar, nn.Conv2d):
    """:class:`torch.nn.Conv2d` on an RRAM crossbar.

    With the default, ideal device it computes exactly what ``nn.Conv2d`` computes. See
    :class:`~snntorch_memristive.crossbar.Crossbar` for what is drawn when.

    Args:
        rram: the device in the cells.
        all others: as in ``nn.Conv2d``, in the same order.

    Shapes:
        - **input_**: ``(batch, in_channels, height, width)`` or ``(in_channels, height,
          width)``; returns as ``nn.Conv2d``.

    Raises:
        ValueError: if ``input_`` does not have ``in_channels`` channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: str | int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        rram: RRAM = RRAM(),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )
        self._init_crossbar(rram)

    @classmethod
    def from_conv2d(cls, conv: nn.Conv2d, *, rram: RRAM = RRAM()) -> "RRAMConv2d":  # noqa: B008
        """A crossbar that holds the very parameters of ``conv``."""
        layer = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
            conv.bias is not None,
            conv.padding_mode,
            device="meta",
            rram=rram,
        )
        return _adopt(layer, conv)

    def forward(self, input_: Tensor) -> Tensor:
        """Currents of the bit lines, in units of the weights times ``input_``."""
        if input_.dim() not in (3, 4) or input_.shape[-3] != self.in_channels:
            raise ValueError(
                f"Expected `input_` of shape (batch, {self.in_channels}, height, width), "
                f"but got {tuple(input_.shape)}."
            )
        return self._read(input_)

    def _apply_weight(self, input_: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self._conv_forward(input_, weight, bias)


class RRAMOneToOne(Crossbar):
    """One device pair per neuron: the recurrence of ``RMIF(all_to_all=False)``.

    Args:
        V: the weights, a Parameter or a tensor, one or one per neuron.
        rram: the device in the cells.
    """

    def __init__(self, V: Tensor, *, rram: RRAM = RRAM()) -> None:  # noqa: B008, N803
        super().__init__()
        if isinstance(V, nn.Parameter):
            self.V = V
        else:
            self.register_buffer("V", V, persistent=False)
        self._init_crossbar(rram)

    def forward(self, input_: Tensor) -> Tensor:
        """``input_`` (any shape that ``V`` fits) times the weights."""
        return self._read(input_)

    def _cells(self) -> dict[str, Tensor]:
        return {"weight": self.V}

    def _apply_weight(self, input_: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return input_ * weight


def _adopt(layer: Any, digital: nn.Module) -> Any:
    """``layer``, built without memory, with the parameters and the mode of ``digital``."""
    layer.weight, layer.bias = digital.weight, digital.bias
    layer.train(digital.training)
    layer.program()
    return layer
