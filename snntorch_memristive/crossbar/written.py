"""What an array stands for since its cells were written."""

from operator import is_
from typing import Any

import torch
from torch import Tensor

from .chip import State
from .seen import seen


class Written:
    """A mapping of cells to weights, worked out once and used until the cells change.

    Its graph is its own: it serves any number of backward passes, and a time loop adds up the
    derivatives of all its steps before they pass through it.

    Args:
        cells: what was written.
        copies: leaves of their own for the cells whose derivatives are not 1.
        weights: what the cells stand for, made of ``copies`` where there are any.
        w_max: weight that filled the window.
        is_linear: are ``weights`` linear in ``cells``?
        bends: may their derivatives be anything but 1?
        state: of the chip that is in ``weights``.
    """

    def __init__(
        self,
        cells: dict[str, Tensor],
        copies: dict[str, Tensor],
        weights: dict[str, Tensor],
        w_max: Tensor,
        is_linear: bool,
        bends: bool,
        state: State,
    ) -> None:
        self._seen = {name: seen(tensor) for name, tensor in cells.items()}
        self._learned = frozenset(copies)
        self._graph = _Graph([copies.get(n) for n in weights], list(weights.values()), is_linear)
        self.weights = {name: weight.detach() for name, weight in weights.items()}
        self.w_max = w_max
        self.variances: dict[str, Any] | None = None
        """Of the noise of a read, once they have been worked out."""
        self.state = state
        self._bends, self._is_inference = bends, w_max.is_inference()
        self.is_stale = False
        """Have the cells changed, by themselves, since?"""
        self._standing: tuple[dict, list[str], dict[str, Tensor]] = {}, [], {}
        """Cells, which of them are learned, and the weights as functions of those."""

    def __deepcopy__(self, memo: dict) -> None:
        """A copy of a layer works its own out."""

    def is_of(self, cells: dict[str, Tensor]) -> bool:
        """Are these the values of the cells that were written?"""
        is_named = cells.keys() == self._seen.keys()
        return is_named and all(self._seen[name](now) for name, now in cells.items())

    def serves(self, cells: dict[str, Tensor], state: State) -> bool:
        """Is it what ``cells``, if it :meth:`is_of` them, stand for on a chip of this ``state``?

        With all derivatives that are wanted now, and in this mode of torch.
        """
        if self.is_stale or not self.state.is_that_of(state):
            return False
        if self._is_inference and not torch.is_inference_mode_enabled():
            return False
        if not (self._bends and torch.is_grad_enabled()):
            return True
        return all(n in self._learned for n, c in cells.items() if c.requires_grad)

    def standing_for(self, cells: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weights as functions of ``cells``."""
        if not torch.is_grad_enabled():
            return self.weights
        learned = [name for name, tensor in cells.items() if tensor.requires_grad]
        if not learned:
            return self.weights
        known, known_learned, standing = self._standing  # at once, as other threads change it
        is_known = known.keys() == cells.keys() and all(map(is_, known.values(), cells.values()))
        if not (is_known and known_learned == learned):
            results = _StandsFor.apply(self._graph, list(self.weights.values()), *cells.values())
            standing = dict(zip(cells, results, strict=True))
            self._standing = cells, learned, standing
        return standing


class _Graph:
    """From the cells' copies to the weights that they stand for.

    Apart from :class:`Written`, which keeps what hangs on this: garbage in a circle through the
    graph of autograd would never be collected.
    """

    def __init__(self, copies: list[Tensor | None], mapped: list[Tensor], is_linear: bool) -> None:
        self.copies = copies
        self.mapped = mapped
        self.is_linear = is_linear

    def pull_back(self, grads: tuple[Tensor | None, ...]) -> list[Tensor | None]:
        """Derivatives by the cells, from those by the weights."""
        leaves = [copy for copy in self.copies if copy is not None]
        if not leaves:  # a step for step copy of them
            return list(grads)
        if torch.is_grad_enabled() and not self.is_linear:  # its own derivative is that of a copy
            raise RuntimeError(
                "Expected no second derivative through wires, but one was asked for."
            )
        arrived = [(m, g) for m, g in zip(self.mapped, grads, strict=True)]
        arrived = [(m, g) for m, g in arrived if g is not None and m.requires_grad]
        found = torch.autograd.grad(
            [m for m, _ in arrived],
            leaves,
            [g for _, g in arrived],
            retain_graph=True,
            create_graph=torch.is_grad_enabled(),
            allow_unused=True,
        )
        by_leaf = dict(zip(map(id, leaves), found, strict=True))
        return [by_leaf.get(id(copy)) for copy in self.copies]


class _StandsFor(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: _Graph, weights: list[Tensor], *cells: Tensor) -> Any:
        ctx.graph = graph
        ctx.set_materialize_grads(False)
        return tuple(weight.view_as(weight) for weight in weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        return None, None, *ctx.graph.pull_back(grads)
