"""Layers of torch.nn whose weights are RRAM cells."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..devices import RRAM
from .array import Array
from .crossbar import Crossbar
from .mapping import weight_per_siemens
from .noise import can_be_compiled, of_rows
from .written import Written


class RRAMLinear(Crossbar, nn.Linear):
    """:class:`torch.nn.Linear` on an RRAM crossbar.

    With the default, ideal device it computes exactly what ``nn.Linear`` computes. See
    :class:`~snntorch_memristive.crossbar.Crossbar` for what is drawn when.

    Args:
        in_features, out_features, bias, device, dtype: as in ``nn.Linear``.
        rram: the device in the cells.
        array: tiles, wires and read-out of the array.

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
        array: Array = Array(),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype)
        self.array, self.rram = array, rram

    @classmethod
    def from_linear(
        cls,
        linear: nn.Linear,
        *,
        rram: RRAM = RRAM(),  # noqa: B008 (frozen)
        array: Array = Array(),  # noqa: B008 (frozen)
    ) -> "RRAMLinear":
        """A crossbar that holds the very parameters of ``linear``."""
        layer = cls(
            linear.in_features,
            linear.out_features,
            linear.bias is not None,
            device="meta",
            rram=rram,
            array=array,
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

    def _with_noise(self, output: Tensor, input_: Tensor, written: Written | None) -> Tensor:
        """As of any crossbar; where all cells are equally noisy, in one loop."""
        is_plain = self._is_evenly_noisy() and not self._shares_references()
        if written is None or not (is_plain and can_be_compiled(output, input_)):
            return super()._with_noise(output, input_, written)
        gain = weight_per_siemens(self.rram, float(written.w_max), self.array.mapping)
        width = gain * math.sqrt(self._white_variance())
        return output.add_(of_rows(input_, self.out_features, width, self.bias is not None))

    def _power(self, input_: Tensor) -> Tensor:  # in one go; a convolution has no such thing
        power = torch.linalg.vector_norm(input_, dim=-1, keepdim=True).square()
        return power if self.bias is None else power + 1


class RRAMConv2d(Crossbar, nn.Conv2d):
    """:class:`torch.nn.Conv2d` on an RRAM crossbar.

    With the default, ideal device it computes exactly what ``nn.Conv2d`` computes. See
    :class:`~snntorch_memristive.crossbar.Crossbar` for what is drawn when. All arguments but these
    are those of ``nn.Conv2d``, in the same order.

    Args:
        rram: the device in the cells.
        array: tiles, wires and read-out of the array; a row is an input of one kernel position.

    Shapes:
        - **input_**: ``(batch, in_channels, height, width)`` or ``(in_channels, height,
          width)``; returns as ``nn.Conv2d``.

    Raises:
        ValueError: if ``input_`` does not have ``in_channels`` channels.
    """

    _output_dim = -3

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
        padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        rram: RRAM = RRAM(),  # noqa: B008 (frozen)
        array: Array = Array(),  # noqa: B008 (frozen)
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
        self.array, self.rram = array, rram

    @classmethod
    def from_conv2d(
        cls,
        conv: nn.Conv2d,
        *,
        rram: RRAM = RRAM(),  # noqa: B008 (frozen)
        array: Array = Array(),  # noqa: B008 (frozen)
    ) -> "RRAMConv2d":
        """A crossbar that holds the very parameters of ``conv``."""
        sizes = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation")
        settings = {name: getattr(conv, name) for name in (*sizes, "groups", "padding_mode")}
        bias = conv.bias is not None
        layer = cls(**settings, bias=bias, device="meta", rram=rram, array=array)
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
        self.array, self.rram = Array(), rram

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
