"""The result of the demonstration in words and numbers."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import snntorch
import torch

from .._version import __version__
from .measures import Layer
from .settings import Settings

Histories = dict[str, list[dict[str, float]]]


def describe(histories: Histories, layers: dict[str, list[Layer]]) -> str:
    """Two plain tables: what each network reached, and what each of its layers does."""
    result = [("network", "test accuracy", "epochs", "s per epoch", "spikes per neuron")]
    checks = [("network", "layer", "largest gradient", "neurons that never send")]
    for name, history in histories.items():
        seconds = sum(epoch["seconds"] for epoch in history) / len(history)
        spikes = ", ".join(f"{layer.spikes:.2f}" for layer in layers[name])
        accuracy = f"{history[-1]['accuracy']:.2%}"
        result.append((name, accuracy, str(len(history)), f"{seconds:.2f}", spikes))
        checks += [
            (name, str(place), f"{layer.gradient:.1e}", f"{layer.silent:.0%}")
            for place, layer in enumerate(layers[name], start=1)
        ]
    return "\n\n".join((_table(result), _table(checks), _verdict(layers)))


def _verdict(layers: dict[str, list[Layer]]) -> str:
    dead = [
        f"layer {place} of the {name} network"
        for name, measured in layers.items()
        for place, layer in enumerate(measured, start=1)
        if layer.is_dead
    ]
    if dead:
        return f"Silent: {', '.join(dead)}; no gradient passes there."
    return "No layer is silent."


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def write_results(
    path: Path, settings: Settings, histories: Histories, layers: dict[str, list[Layer]]
) -> None:
    """Settings, versions, every epoch and every layer of both networks, as JSON."""
    networks: dict[str, Any] = {
        name: {
            "test_accuracy": [epoch["accuracy"] for epoch in history],
            "loss": [epoch["loss"] for epoch in history],
            "seconds": [epoch["seconds"] for epoch in history],
            "layers": [layer._asdict() for layer in layers[name]],
        }
        for name, history in histories.items()
    }
    versions = {
        "snntorch_memristive": __version__,
        "snntorch": snntorch.__version__,
        "torch": torch.__version__,
    }
    content = {"settings": asdict(settings), "versions": versions, "networks": networks}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
