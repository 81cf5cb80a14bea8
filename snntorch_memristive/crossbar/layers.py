"""Layers of torch.nn whose weights are RRAM cells."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..devices import RRAM
from .effects import from_pair, misprogram, quantise, read_noise, spread, stick, to_pair


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
        self._written = self._versions()

    def conductances(self, name: str = "weight") -> Tensor:
        """Conductances (S) of the cells of ``weight`` or ``bias``, of shape (2, *its shape).

        As programmed: with levels, error, spread and stuck cells, without read noise.
        """
        g = quantise(to_pair(self._cells()[name], self.rram, self.w_max()), self.rram)
        g = misprogram(g, self.rram, self._buffers.get(f"programming_{name}"))
        g = spread(g, self.rram, self._buffers.get(f"spread_{name}"))
        return stick(g, self.rram, self._buffers.get(f"stuck_{name}"))

    def w_max(self) -> Tensor:
        """Weight that fills the window: the largest, so that none is clipped (0-d, detached)."""
        sizes = [cells.detach().abs().amax() for cells in self._cells().values() if cells.numel()]
        return torch.stack(sizes).amax().clamp(min=1e-12) if sizes else torch.ones(())

    def effective(self, name: str = "weight") -> Tensor | None:
        """The weight (or bias) that the array stands for; None if the layer has no bias."""
        cells = self._cells().get(name)
        if cells is None or self.rram.ideal:
            return cells
        return from_pair(self.conductances(name), self.rram, self.w_max())

    def _cells(self) -> dict[str, Tensor]:
        """The trained tensors that live in cells, by name."""
        cells = {"weight": self.weight, "bias": self.bias}
        return {name: tensor for name, tensor in cells.items() if tensor is not None}

    def _drawn(self) -> tuple[str, ...]:
        stuck = self.rram.stuck_on or self.rram.stuck_off
        strengths = {
            "programming": self.rram.programming_error,
            "spread": self.rram.spread,
            "stuck": stuck,
        }
        return tuple(effect for effect, strength in strengths.items() if strength)

    def _draw(self, effect: str, generator: torch.Generator | None = None) -> None:
        draw = torch.rand if effect == "stuck" else torch.randn
        for name, cells in self._cells().items():
            drawn = draw((2, *cells.shape), generator=generator)
            setattr(self, f"{effect}_{name}", drawn.to(cells))

    def _versions(self) -> tuple[int, ...]:
        return tuple(cells._version for cells in self._cells().values())

    def _rewrite(self) -> None:
        """A new programming error if the weights have been written since the last one."""
        if torch.compiler.is_compiling() or not self.training or not self.rram.programming_error:
            return
        if self._written != self._versions():
            self._draw("programming")
            self._written = self._versions()

    def _read(self, input_: Tensor) -> Tensor:
        """Output of the layer for ``input_``, with everything that the device does to it."""
        self._rewrite()
        output = self._apply_weight(input_, self.effective("weight"), self.effective("bias"))
        if not self.rram.read_noise:
            return output
        ones = {name: torch.ones_like(cells) for name, cells in self._cells().items()}
        power = self._apply_weight(input_.detach() ** 2, ones["weight"], ones.get("bias"))
        return output + read_noise(power, self.rram, self.w_max())

    def _apply_weight(self, input_: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        raise NotImplementedError

    def _apply(self, fn: Any, recurse: bool = True) -> "Crossbar":
        super()._apply(fn, recurse)
        self._written = self._versions()  # moved, not written
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._written = self._versions()  # copied, not written

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for name, draw in self._buffers.items():
            state_dict.setdefault(prefix + name, draw)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._written = self._versions()  # the error was loaded with the weights

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
