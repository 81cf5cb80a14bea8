"""Pooling as ideal sources."""

import torch
from torch import nn
from torch.nn import functional

POOLS = (nn.AvgPool2d, nn.MaxPool2d)


def pooled(
    layer: nn.AvgPool2d | nn.MaxPool2d, nodes: list[str], shape: tuple[int, ...]
) -> list[str]:
    """Expressions of the outputs of ``layer``, for ``nodes`` of an input of ``shape``.

    Raises:
        ValueError: if ``layer`` has settings that no expression is made for.
    """
    unusual = {"ceil_mode": False, "divisor_override": None, "return_indices": False}
    for name, usual in unusual.items():
        if getattr(layer, name, usual) != usual:
            raise ValueError(
                f"Expected {name}={usual} of a {type(layer).__name__}, "
                f"but got {getattr(layer, name)}."
            )
    channels, height, width = shape
    numbers = torch.arange(1.0, len(nodes) + 1, dtype=torch.float64).view(
        channels, 1, height, width
    )
    dilation = getattr(layer, "dilation", 1)
    padding = layer.padding
    seen = functional.unfold(numbers, layer.kernel_size, dilation, padding, layer.stride).long()
    windows = [[n - 1 for n in window if n] for window in seen.mT.flatten(0, 1).tolist()]
    if isinstance(layer, nn.MaxPool2d):
        return [_largest([f"V({nodes[n]})" for n in window]) for window in windows]
    sizes = [seen.shape[1] if layer.count_include_pad else len(window) for window in windows]
    return [
        f"({'+'.join(f'V({nodes[n]})' for n in window)})/{size}"
        for window, size in zip(windows, sizes, strict=True)
    ]


def _largest(terms: list[str]) -> str:
    result = terms[0]
    for term in terms[1:]:
        result = f"max({result},{term})"
    return result
