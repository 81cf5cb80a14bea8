"""What a trained row is worth: on chips, in spikes and in joules."""

from dataclasses import replace
from typing import Any

import snntorch
import torch
from torch import Tensor, nn
from torch.nn import functional

import snntorch_memristive as snnm
from snntorch_memristive.data import Images
from snntorch_memristive.energy import energy
from snntorch_memristive.neurons import MemristiveNeuron

from .row import CELLS, Network, Row, place
from .training import TEST_BATCH, accuracy

CHIPS = 20

ENERGY_BATCH = 50
"""Test images over which the energy is the mean."""

STRENGTHS = {"spread": (0.0, 0.05, 0.1, 0.2, 0.4), "stuck": (0.0, 0.01, 0.03, 0.1)}
"""Spread between devices, and share of stuck cells, along which accuracy is followed."""

FIELDS = {"spread": ("spread",), "stuck": ("stuck_on", "stuck_off")}
"""Of the device, among which a strength is shared out evenly."""

DRAWN = ("spread", "unverified", "stuck", "stuck10")
"""Settings whose chips differ from each other."""


def measure(network: Network, setting: str, images: Images) -> dict[str, Any]:
    """Everything about a trained ``network`` that its row reports.

    ``accuracy`` is the mean over the chips where chips differ, the one there is otherwise;
    ``chips`` that of each. ``layers``: ``spikes`` per neuron and inference (by their height: a half
    spike counts one half; None where membranes are sent), the share of ``silent`` neurons, and the
    largest ``gradient`` of a weight that feeds them. ``energy`` is in joules per inference, None
    without memristive neurons.
    """
    test = images.test_images, images.test_labels
    chips = on_chips(network, *test) if _differs(network, setting) else None
    return {
        "accuracy": accuracy(network, *test) if chips is None else chips.mean,
        "chips": None if chips is None else chips.values.tolist(),
        "layers": layers(network, *test),
        "energy": joules(network, images.test_images[:ENERGY_BATCH]),
    }


def _differs(network: Network, setting: str) -> bool:
    return setting in DRAWN and any(True for _ in network.crossbars())


def on_chips(network: Network, images: Tensor, labels: Tensor) -> snnm.Chips:
    """Accuracy on :data:`CHIPS` chips, the same draws for every network."""
    network.eval()
    return snnm.evaluate_chips(
        network,
        lambda twin: accuracy(twin, images, labels),
        CHIPS,
        generator=torch.Generator().manual_seed(0),
    )


def tolerance(row: Row, network: Network, images: Images) -> dict[str, dict[str, list[float]]]:
    """Accuracy on every chip, by effect and by its strength, all else as in the setting."""
    cells = CELLS[row.setting]
    found: dict[str, dict[str, list[float]]] = {}
    for effect, strengths in STRENGTHS.items():
        for strength in strengths:
            changed = {name: strength / len(FIELDS[effect]) for name in FIELDS[effect]}
            place(network, row, replace(cells, **changed))
            chips = on_chips(network, images.test_images, images.test_labels)
            found.setdefault(effect, {})[str(strength)] = chips.values.tolist()
    return found


def layers(network: Network, images: Tensor, labels: Tensor) -> list[dict[str, float | None]]:
    """Of every layer of neurons, what :func:`measure` says."""
    network.eval()
    neurons = list(network.neurons())
    with torch.no_grad(), network.listening() as sent:
        for batch in images.split(TEST_BATCH):
            network(batch)
    gradients = _largest_gradients(network, images[:TEST_BATCH], labels[:TEST_BATCH])
    return [
        {
            "spikes": float(sent[k].mean()) / len(images) if _spikes(neuron) else None,
            "silent": float((sent[k] == 0).float().mean()),
            "gradient": gradients[k],
        }
        for k, neuron in enumerate(neurons)
    ]


def _spikes(neuron: nn.Module) -> bool:
    return not (isinstance(neuron, MemristiveNeuron) and neuron.spike == "voltage")


def _largest_gradients(network: Network, images: Tensor, labels: Tensor) -> list[float]:
    network.zero_grad()
    functional.cross_entropy(network(images).mean(0), labels).backward()
    weighted = (nn.Linear, nn.Conv2d)
    weights = [layer.weight for layer in network.layers if isinstance(layer, weighted)]
    gradients = [float(weight.grad.abs().max()) for weight in weights]
    network.zero_grad()
    return gradients


def joules(network: Network, images: Tensor) -> float | None:
    """Heat per inference, cells and neurons together; None without memristive neurons."""
    if not any(isinstance(neuron, MemristiveNeuron) for neuron in network.neurons()):
        return None
    with torch.no_grad():
        return float(energy(network.layers, network.shown(images)).total)


def versions() -> dict[str, str]:
    """Of what decides a number."""
    return {
        "snntorch_memristive": snnm.__version__,
        "snntorch": snntorch.__version__,
        "torch": torch.__version__,
    }
