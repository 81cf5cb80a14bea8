"""How well do fully memristive networks learn, beside snn.Leaky trained the same way?

One command per row, which goes on by itself where it was killed::

    python benchmarks/learning.py train --data mnist --net dense256 --setting spread --seed 0
    python benchmarks/learning.py table runs/*.json
    python benchmarks/learning.py follow runs/*spread*.json
    python benchmarks/learning.py plot runs/*.json --out learning.png

A row is images x network x setting (its cells) x kind: "memristive" (MIF and RRAM layers), "leaky"
(snn.Leaky and torch's layers) or "leaky-rram". All kinds of a row get the same optimiser, schedule
and augmentation; what may be their own is in ``rows/row.py``. Seeds are processes of their own::

    for seed in 0 1 2; do python benchmarks/learning.py train --net conv --seed $seed; done

and one row may be spread over processes, with the same batches and the same chips::

    torchrun --nproc-per-node 2 benchmarks/learning.py train --net conv
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rows import report
from rows.images import load
from rows.measures import measure, tolerance, versions
from rows.row import ABLATIONS, CELLS, KINDS, NETS, RECIPES, Row, place
from rows.training import Training, rank_and_processes
from torch import distributed
from tqdm import tqdm

from snntorch_memristive import data

COMMANDS = {
    "table": "of finished rows, by their JSON files",
    "plot": "of their accuracies",
    "follow": "measure how their accuracy falls with spread and with stuck cells, for the plot",
}


def train(args: argparse.Namespace) -> None:
    """Train one row to the end, from its last finished epoch if there is one; write its JSON."""
    torch.set_num_threads(args.threads)
    names = Row.__dataclass_fields__
    row = Row(**{name: getattr(args, name) for name in names})
    images = load(row.data, args.data_root)
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint = args.out / f"{row.name}.pt"
    training = Training(row, images)
    if checkpoint.is_file():
        training.load(checkpoint)
    to_do = range(len(training.history), row.epochs)
    first = rank_and_processes()[0] == 0
    for epoch in to_do:
        batches = -(-len(images.train_labels) // row.recipe.batch_size)
        name = f"{row.name} {epoch + 1}/{row.epochs}"
        with tqdm(desc=name, total=batches, unit="batch", disable=not first) as bar:
            training.run_epoch(lambda loss, bar=bar: _advance(bar, loss))
        if first:
            training.save(checkpoint)
            print(f"{name}: {training.history[-1]['accuracy']:.2%}", flush=True)
    if first:
        _write(args.out / f"{row.name}.json", training)


def _advance(bar: tqdm, loss: float) -> None:
    bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
    bar.update()


def _write(path: Path, training: Training) -> None:
    row = training.row
    if not row.aware:
        place(training.network, row, CELLS[row.setting])
    result = report.result(row, training.history, training.processes)
    result |= {"versions": versions()} | measure(training.network, row.setting, training.images)
    report.write(path, result)
    print(report.sentence(result), flush=True)


def follow(args: argparse.Namespace) -> None:
    """Add to finished rows how their accuracy falls as cells get worse."""
    torch.set_num_threads(args.threads)
    for path, result in zip(args.files, report.read(args.files), strict=True):
        row = Row(**result["row"])
        images = load(row.data, args.data_root)
        training = Training(row, images)
        training.load(path.with_suffix(".pt"))
        report.write(path, result | {"tolerance": tolerance(row, training.network, images)})


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; leaves through SystemExit with one line if any is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("train", help="train one row").add_argument
    add("--data", choices=RECIPES, default="mnist")
    add("--net", choices=NETS, default="dense256")
    add("--setting", choices=CELLS, default="ideal")
    add("--kind", choices=KINDS, default="memristive")
    add("--seed", type=int, default=0)
    add("--epochs", type=int, default=20)
    add("--unaware", dest="aware", action="store_false", help="train on ideal cells, then move")
    add("--without", choices=ABLATIONS, help="leave a part of the recipe out")
    add("--penalty", type=float, help="of spikes in the loss; that of the recipe if left out")
    add("--out", type=Path, default=Path("runs"))
    add("--data-root", default=None, help=f"${data.ROOT_VARIABLE} if left out")
    add("--threads", type=int, default=1)
    for name, what in COMMANDS.items():
        command = commands.add_parser(name, help=what)
        command.add_argument("files", type=Path, nargs="+", metavar="JSON")
        if name == "plot":
            command.add_argument("--out", type=Path, default=Path("learning.png"))
        if name == "follow":
            command.add_argument("--data-root", default=None)
            command.add_argument("--threads", type=int, default=1)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments ask for; 2 if something is missing or refused."""
    args = parse(argv)
    try:
        if "WORLD_SIZE" in os.environ:  # torchrun
            distributed.init_process_group("gloo")
        if args.command == "train":
            train(args)
        elif args.command == "follow":
            follow(args)
        elif args.command == "table":
            print(report.table(report.read(args.files)))
        else:
            report.plot(report.read(args.files), args.out)
    except (ImportError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
