"""Finished epochs on disk, whole or not at all."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..files import replacing
from .settings import Settings

NAME = "checkpoint.pt"


def save(path: Path, settings: Settings, networks: dict[str, Any]) -> None:
    """Write the states of ``networks``, by name, so that an interruption leaves the old file."""
    with replacing(path) as unfinished:
        torch.save({"settings": asdict(settings), "networks": networks}, unfinished)


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and states of the networks, by name.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Expected a checkpoint, but there is no {path}.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        settings, networks = content["settings"], content["networks"]
        _ = [len(state["history"]) for state in networks.values()]
    except Exception as error:  # torch.load has no exception of its own
        raise ValueError(f"Expected a checkpoint in {path}, but cannot read it: {error}") from error
    return settings, networks


def load(path: Path, settings: Settings) -> dict[str, Any]:
    """States of the networks, by name.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, was written under other settings, or holds more epochs
            than are asked for.
    """
    saved, networks = read(path)
    most = max(len(state["history"]) for state in networks.values())
    differences = settings.differences(saved)
    if differences:
        raise ValueError(
            f"Expected a checkpoint of the same settings, but {path} is of "
            f"{', '.join(differences)}: give these, or another --out."
        )
    if most > settings.epochs:
        raise ValueError(
            f"Expected a checkpoint of at most {settings.epochs} epochs, but {path} holds {most}."
        )
    return networks
