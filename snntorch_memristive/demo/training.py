"""Training one network, as in snnTorch's tutorial on fully connected networks."""

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from ..data import Images
from .network import Net
from .settings import Settings

TEST_BATCH = 1000

WEIGHT_DECAY = 0.1
"""Of AdamW, for both networks; it also keeps single weights from coarsening the levels of all."""


class Training:
    """A network on its way: what a checkpoint has to hold, and how to go on."""

    history: list[dict[str, float]]
    """Mean ``loss``, test ``accuracy`` (0 to 1) and ``seconds`` of training of every epoch."""

    def __init__(self, net: Net, images: Images, settings: Settings) -> None:
        self.net = net.to(settings.device)
        self.images = images
        self.device = settings.device
        self.optimizer = torch.optim.AdamW(
            net.parameters(), lr=settings.lr, weight_decay=WEIGHT_DECAY
        )
        # Of its own, so that both networks get the same batches whatever else they draw.
        self.shuffle = torch.Generator().manual_seed(settings.seed)
        self.loader = DataLoader(
            TensorDataset(images.train_images, images.train_labels),
            batch_size=settings.batch_size,
            shuffle=True,
            generator=self.shuffle,
        )
        # Down to 0 along a cosine. More epochs for a finished run stretch it, and go on from there.
        batches = settings.epochs * len(self.loader)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda done: (1 + math.cos(math.pi * done / batches)) / 2
        )
        self.history = []

    def run_epoch(self, report: Callable[[float], Any]) -> None:
        """Train on every image once, then test; ``report`` is called with every batch's loss."""
        start = time.perf_counter()
        self.net.train()
        losses = []
        for images, labels in self.loader:
            losses.append(self._train_batch(images.to(self.device), labels.to(self.device)))
            report(losses[-1])
        seconds = time.perf_counter() - start
        self.history.append(
            {
                "loss": sum(losses) / len(losses),
                "accuracy": measure_accuracy(
                    self.net, self.images.test_images, self.images.test_labels, self.device
                ),
                "seconds": seconds,
            }
        )

    def _train_batch(self, images: Tensor, labels: Tensor) -> float:
        _, mem_rec = self.net(images)
        loss = membrane_loss(mem_rec, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return loss.item()

    def state_dict(self) -> dict[str, Any]:
        """All that the next epoch depends on, and what the past ones gave."""
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "shuffle": self.shuffle.get_state(),
            "rng": torch.get_rng_state(),
            "history": list(self.history),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to where ``state_dict`` was called, torch's random numbers included."""
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.shuffle.set_state(state["shuffle"])
        torch.set_rng_state(state["rng"])
        self.history = list(state["history"])


def membrane_loss(
    mem_rec: Tensor,  # shape: (time, batch, classes)
    labels: Tensor,  # shape: (batch,)
) -> Tensor:  # shape: ()
    """Cross-entropy of the output membranes, averaged over the time steps."""
    return functional.cross_entropy(mem_rec.mean(0), labels)


@torch.no_grad()
def measure_accuracy(
    net: Net,
    images: Tensor,  # shape: (n, 1, height, width)
    labels: Tensor,  # shape: (n,)
    device: str,
) -> float:
    """Fraction of ``images`` whose class has the highest membrane, summed over time."""
    net.eval()
    correct = 0
    batches = zip(images.split(TEST_BATCH), labels.split(TEST_BATCH), strict=True)
    for batch, wanted in batches:
        _, mem_rec = net(batch.to(device))
        correct += int((mem_rec.sum(0).argmax(1).cpu() == wanted).sum())
    return correct / len(labels)
