"""The command: train both networks, save every epoch, report."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..data import Images, load
from . import checkpoint
from .figure import draw
from .measures import measure_layers
from .network import Net, digital, memristive
from .report import describe, write_results
from .settings import Settings, parse
from .training import Training

NETWORKS = ("memristive", "digital")


def run(argv: Sequence[str]) -> int:
    """Do what ``argv`` asks for; returns the exit code.

    0 if all is done, 2 if something is missing or refused, 130 if interrupted. Wrong arguments
    leave through SystemExit, as always with argparse.
    """
    settings, args = parse(argv)
    torch.set_num_threads(settings.threads)
    path = args.out / checkpoint.NAME
    networks: dict[str, Any] = {}
    try:
        try:
            if args.resume:
                networks = checkpoint.load(path, settings)
            images = load(settings.data, args.data_root)
            _make_folder(args.out)
        except (ImportError, OSError, ValueError) as error:
            print(error, file=sys.stderr)
            return 2
        trainings = {name: _train(name, images, settings, networks, path) for name in NETWORKS}
        _report(trainings, images, settings, args.out)
    except KeyboardInterrupt:
        print(_farewell(networks, settings, argv, path), file=sys.stderr)
        return 130
    return 0


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"Expected a folder to write to, but cannot make {path}: {error.strerror}."
        ) from error


def _train(
    name: str, images: Images, settings: Settings, networks: dict[str, Any], path: Path
) -> Training:
    """Train network ``name`` to the end; every saved epoch is in ``networks``, too."""
    torch.manual_seed(settings.seed)
    training = Training(_build(name, images, settings), images, settings)
    if name in networks:
        training.load_state_dict(networks[name])
    batches, done = len(training.loader), len(training.history)
    total = settings.epochs * batches
    with tqdm(desc=name, total=total, initial=done * batches, unit="batch", mininterval=0.5) as bar:
        for _ in range(done, settings.epochs):
            training.run_epoch(lambda loss: _advance(bar, loss))
            state = training.state_dict()
            checkpoint.save(path, settings, networks | {name: state})
            networks[name] = state
    return training


def _build(name: str, images: Images, settings: Settings) -> Net:
    classes = int(images.train_labels.max()) + 1
    sizes = (images.train_images[0].numel(), *settings.hidden, classes)
    if name == "digital":
        return digital(sizes, settings.num_steps, settings.dropout)
    return memristive(sizes, settings.num_steps, settings.dropout, settings.levels)


def _advance(bar: tqdm, loss: float) -> None:
    bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
    bar.update()


def _report(trainings: dict[str, Training], images: Images, settings: Settings, out: Path) -> None:
    histories = {name: training.history for name, training in trainings.items()}
    layers = {
        name: measure_layers(training.net, images.test_images, images.test_labels, settings.device)
        for name, training in trainings.items()
    }
    accuracies = {
        f"{name}, {history[-1]['accuracy']:.1%}": [epoch["accuracy"] for epoch in history]
        for name, history in histories.items()
    }
    image = images.test_images[:1].to(settings.device)
    label = int(images.test_labels[0])
    title = f'A fully memristive network sees a test image of "{settings.data}", class {label}'
    figure = draw(trainings["memristive"].net, image, accuracies, title)
    figure.savefig(out / "demo.png", dpi=150)
    write_results(out / "results.json", settings, histories, layers)
    print(describe(histories, layers))
    print(f"Written: {out / 'demo.png'}, {out / 'results.json'}.")


def _farewell(networks: dict[str, Any], settings: Settings, argv: Sequence[str], path: Path) -> str:
    if not networks:
        return "\nInterrupted before the first epoch was finished; nothing of this run is saved."
    saved = ", ".join(
        f"{name} {len(networks[name]['history']) if name in networks else 0}" for name in NETWORKS
    )
    again = [*(word for word in argv if word != "--resume"), "--resume"]
    return (
        f"\nInterrupted. Epochs saved in {path}, of {settings.epochs}: {saved}.\n"
        f"Go on with: python -m snntorch_memristive {shlex.join(again)}"
    )
