"""What an array stands for since its cells were written."""

from typing import Any

import torch
from torch import Tensor


class Written:
    """A mapping of cells to weights, worked out once and used until the cells change.

    Its graph is its own: it serves any number of backward passes, and a time loop adds up the
    derivatives of all its steps before they pass through it.
    """

    def __init__(
        self,
        cells: dict[str, Tensor],
        copies: dict[str, Tensor],
        weights: dict[str, Tensor],
        w_max: Tensor,
    ) -> None:
        self._cells = cells
        self._copies = copies
        self._mapped = weights
        self.weights = {name: weight.detach() for name, weight in weights.items()}
        self.w_max = w_max
        self.is_stale = False
        """Have the cells changed, by themselves, since?"""
        self._standing: dict[str, Tensor] = {}
        self._learned: list[str] = []

    def is_of(self, cells: dict[str, Tensor]) -> bool:
        """Are these the values of the cells that were written?"""
        copies = self._copies
        return copies.keys() == cells.keys() and all(
            copies[name].dtype == cells[name].dtype and torch.equal(copies[name], cells[name])
            for name in cells
        )

    def serves(self, wanted: list[str]) -> bool:
        """Can the derivatives by the cells called ``wanted`` be had, in this mode?"""
        if self.w_max.is_inference() and not torch.is_inference_mode_enabled():
            return False
        return all(self._copies[name].requires_grad for name in wanted)

    def standing_for(self, cells: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weights as functions of ``cells``."""
        learned = [name for name, tensor in cells.items() if tensor.requires_grad]
        if not (torch.is_grad_enabled() and learned):
            return self.weights
        if self._learned != learned or any(cells[n] is not old for n, old in self._cells.items()):
            self._cells, self._learned = cells, learned
            results = _StandsFor.apply(self, *cells.values())
            self._standing = dict(zip(cells, results, strict=True))
        return self._standing

    def pull_back(self, grads: tuple[Tensor | None, ...]) -> list[Tensor | None]:
        """Derivatives by the cells, from those by the weights."""
        copies = list(self._copies.values())
        if not any(copy.requires_grad for copy in copies):  # a step for step copy of them
            return list(grads)
        arrived = [(m, g) for m, g in zip(self._mapped.values(), grads, strict=True)]
        arrived = [(m, g) for m, g in arrived if g is not None and m.requires_grad]
        leaves = [copy for copy in copies if copy.requires_grad]
        found = torch.autograd.grad(
            [m for m, _ in arrived],
            leaves,
            [g for _, g in arrived],
            retain_graph=True,
            create_graph=torch.is_grad_enabled(),
            allow_unused=True,
        )
        by_leaf = dict(zip(map(id, leaves), found, strict=True))
        return [by_leaf.get(id(copy)) for copy in copies]


class _StandsFor(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, written: Written, *cells: Tensor) -> tuple[Tensor, ...]:
        ctx.written = written
        ctx.set_materialize_grads(False)
        return tuple(weight.view_as(weight) for weight in written.weights.values())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        return None, *ctx.written.pull_back(grads)
