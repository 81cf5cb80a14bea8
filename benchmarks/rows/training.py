"""snnTorch's training loop, which can be killed at any moment and spread over processes."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from snntorch.functional.reg import l1_rate_sparsity
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from snntorch_memristive.data import Images
from snntorch_memristive.files import replacing

from .images import augmented
from .row import CELLS, Network, Row, build

TEST_BATCH = 500


class Training:
    """A row on its way.

    The random numbers of an epoch follow from the seed and the epoch: a checkpoint need not hold
    any, and whoever goes on from it gets what an uninterrupted run gets. Under ``torchrun`` every
    process learns from its share of every batch, on the same chip.
    """

    history: list[dict[str, float]]
    """Mean ``loss``, test ``accuracy`` (0 to 1, on the last chip that was trained on) and
    ``seconds`` of training of every epoch."""

    def __init__(
        self,
        row: Row,
        images: Images,
        make: Callable[[Row, torch.Size, int], Network] = build,
    ) -> None:
        self.row, self.images = row, images
        torch.manual_seed(row.seed)
        classes = int(images.train_labels.max()) + 1
        self.network = make(row, images.train_images[0].shape, classes)
        recipe = row.recipe
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
        )
        batches = row.epochs * math.ceil(len(images.train_labels) / recipe.batch_size)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda done: (1 + math.cos(math.pi * done / batches)) / 2 if recipe.falling else 1.0,
        )
        self.history = []
        self.rank, self.processes = rank_and_processes()
        self.parallel = DistributedDataParallel(self.network) if self.processes > 1 else None

    def run_epoch(self, report: Callable[[float], Any]) -> None:
        """Train on every image once, then test; ``report`` is called with every batch's loss."""
        start = time.perf_counter()
        self.network.train()
        epoch = len(self.history)
        torch.manual_seed(_seed(self.row.seed, epoch, self.rank))
        generator = torch.Generator().manual_seed(_seed(self.row.seed, epoch))
        losses = []
        for images, labels in self._batches(generator):
            if self.row.aware:
                self._new_chip(generator)
            losses.append(self._train_batch(images, labels))
            report(losses[-1])
        seconds = time.perf_counter() - start
        test = self.images.test_images, self.images.test_labels
        self.history.append(
            {
                "loss": sum(losses) / len(losses),
                "accuracy": accuracy(self.network, *test),
                "seconds": seconds,
            }
        )

    def _batches(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels of every batch, augmented, in an order that ``generator`` draws."""
        images, labels = self.images.train_images, self.images.train_labels
        order = torch.randperm(len(labels), generator=generator)
        for batch in order.split(self.row.recipe.batch_size):
            yield augmented(images[batch], self.row.recipe, generator), labels[batch]

    def _new_chip(self, generator: torch.Generator) -> None:
        for crossbar in self.network.crossbars():
            if not CELLS[self.row.setting].ideal:
                crossbar.program(generator)

    def _train_batch(self, images: Tensor, labels: Tensor) -> float:
        """One step on the batch; returns its mean loss, as far as this process sees it."""
        share = slice(self.rank, None, self.processes)
        penalty = self.row.recipe.penalty
        with self.network.listening() if penalty else nullcontext() as sent:
            mem_rec = (self.parallel or self.network)(images[share])
        logits = self.row.recipe.scale * mem_rec.mean(0)
        # The sum, as shares differ in size and DDP takes the plain mean of the gradients.
        total = functional.cross_entropy(logits, labels[share], reduction="sum")
        for spikes in sent[:-1] if sent else ():
            total = total + l1_rate_sparsity(penalty / spikes.numel())(spikes)
        loss = total * self.processes / len(labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self._hold_weights()
        return loss.item()

    @torch.no_grad()
    def _hold_weights(self) -> None:
        """Inside of what their cells can hold."""
        for crossbar in self.network.crossbars():
            if crossbar.array.w_max is not None:
                for weights in (crossbar.weight, crossbar.bias):
                    weights.clamp_(-crossbar.array.w_max, crossbar.array.w_max)

    def save(self, path: Path) -> None:
        """Write all that the next epoch depends on, whole or not at all."""
        content = {
            "row": asdict(self.row),
            "recipe": asdict(self.row.recipe),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
        }
        with replacing(path) as unfinished:
            torch.save(content, unfinished)

    def load(self, path: Path) -> None:
        """Go on from what :meth:`save` wrote, in however many processes.

        Raises:
            ValueError: if the file cannot be read, or is of another row or another recipe.
        """
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load has no exception of its own
            raise ValueError(
                f"Expected a checkpoint in {path}, but cannot read it: {error}"
            ) from error
        for what, own in (("row", self.row), ("recipe", self.row.recipe)):
            theirs = content[what]
            other = [f"{k}={v!r}" for k, v in theirs.items() if asdict(own).get(k) != v]
            if other:
                raise ValueError(
                    f"Expected the same {what} in {path}, but it was written with "
                    f"{', '.join(other)}: delete it, or give another --out."
                )
        self.network.load_state_dict(content["network"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.schedule.load_state_dict(content["schedule"])
        self.history = content["history"]


def rank_and_processes() -> tuple[int, int]:
    """Which process this is, and of how many; (0, 1) without ``torchrun``."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def _seed(seed: int, epoch: int, rank: int = -1) -> int:
    """A seed of its own for every epoch, and in it for what is common and for every process."""
    return ((seed * 10_000 + epoch) * 1_000) + rank + 1


@torch.no_grad()
def accuracy(
    network: nn.Module | Network,
    images: Tensor,  # shape: (n, 1, height, width)
    labels: Tensor,  # shape: (n,)
) -> float:
    """Share of ``images`` whose class has the highest membrane, in the mean over time."""
    network.eval()
    batches = zip(images.split(TEST_BATCH), labels.split(TEST_BATCH), strict=True)
    right = sum(
        int((network(batch).mean(0).argmax(1) == wanted).sum()) for batch, wanted in batches
    )
    return right / len(labels)
