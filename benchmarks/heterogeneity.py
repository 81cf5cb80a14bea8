"""Do neurons that differ from each other learn better, and what if nobody wanted them to differ?

Run ``python benchmarks/heterogeneity.py``. Scikit-learn's digits are shown row by row, from the
top, every row for two steps, and the class is read while the last row is shown: the network has to
remember. Hidden neurons have one time constant or one each, drawn or trained, which is the spatial
heterogeneity of X. Shi, P. Zhou, C. McTaggart and X. Yao, "Memristive Dynamical Spiking Neural
Networks with Spatiotemporal Heterogeneity", MIND 2025 (their data sets are others). Then the
components of all neurons get a spread between devices, and the accuracy is measured on many draws
in one batched call.

``--select`` makes the table on which the time constants were chosen: accuracy on a fifth of the
training images, held out from training. ``--show FILE`` prints the tables of an earlier ``--json``.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import mean, stdev

import snntorch as snn
import torch
from rows import kept
from rows.report import markdown
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

import snntorch_memristive as snnm
from snntorch_memristive import data

HIDDEN, CLASSES = 64, 10
STEPS_PER_ROW = 2

BETA_OUT = 0.9
"""Of the output neurons, in every row."""

SCALE = 3.0
"""Of the output membranes in the loss."""

LR, EPOCHS, BATCH = 1e-2, 30, 128

BETAS = (0.5, 0.7, 0.8, 0.9, 0.95)
WIDTHS = (0.5, 1.0)
"""What is tried: ``beta`` of the hidden neurons, and the standard deviation of the logarithm of
their time constants around it."""

CHOSEN = {"MIF": (0.8, 1.0), "snn.Leaky": (0.8, 0.5)}
"""The best of them by ``--select``: for all rows of a kind of neuron."""

SPREADS = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Standard deviation of the logarithm of every value below, between devices; the sources and the
thermal voltage have none."""

COMPONENTS = ("r_on", "r_off", "v_on", "v_off", "tau", "c_mem")

AWARE = 0.2
"""The spread that is trained with, in "aware"."""

DRAWS = 20


@dataclass(frozen=True)
class Case:
    """What the hidden neurons' time constants are."""

    width: bool = False
    """Are they drawn?"""
    each: bool = False
    """Has every neuron one of its own?"""
    trained: bool = False
    device: bool = False
    """Are its memristors' values trained too, per neuron?"""


CASES = {
    "one, fixed": Case(),
    "one, trained": Case(trained=True),
    "drawn, fixed": Case(width=True, each=True),
    "one each, trained from equal": Case(each=True, trained=True),
    "drawn, trained": Case(width=True, each=True, trained=True),
    "one, fixed; memristors trained": Case(device=True),
    "drawn, trained; memristors trained": Case(width=True, each=True, trained=True, device=True),
}


def hidden_betas(case: Case, beta: float, width: float) -> Tensor:
    if not case.each:
        return torch.tensor(beta)
    factor = (width * torch.randn(HIDDEN)).exp() if case.width else torch.ones(HIDDEN)
    return beta ** (1 / factor)  # of the time constant, -1 / ln(beta)


class Network(nn.Module):
    """8-64-10, of one kind of neurons."""

    def __init__(self, kind: str, case: Case, beta: float, width: float) -> None:
        super().__init__()
        betas = hidden_betas(case, beta, width)
        if kind == "MIF":
            names = ("tau", "v_on", "r_on") if case.device else ()
            held = {"init_hidden": True, "solver": "exponential"}
            learned = {"learn_beta": case.trained, "learn_device": dict.fromkeys(names, (HIDDEN,))}
            neurons = snnm.MIF(betas, **learned, **held), snnm.MIF(BETA_OUT, output=True, **held)
            make = snnm.RRAMLinear
        else:
            hidden = snn.Leaky(betas, learn_beta=case.trained, init_hidden=True)
            # Better for it: with a reset, what the output remembers goes with every spike.
            held = {"init_hidden": True, "reset_mechanism": "none"}
            neurons = hidden, snn.Leaky(BETA_OUT, output=True, **held)
            make = nn.Linear
        first, second = make(8, HIDDEN), make(HIDDEN, CLASSES)
        self.layers = nn.Sequential(first, neurons[0], second, neurons[1])

    def forward(
        self,
        images: Tensor,  # shape: (..., batch, 8, 8)
    ) -> Tensor:  # shape: (..., batch, classes)
        """Membranes of the output while the last row is shown, in the mean."""
        rows = images.movedim(-2, 0).repeat_interleave(STEPS_PER_ROW, 0)
        snnm.reset(self)
        if isinstance(self.layers[1], snnm.MIF):
            mem = snnm.run(self.layers, rows)[-1]
        else:
            mem = torch.stack([self.layers(row)[-1] for row in rows])
        return mem[-STEPS_PER_ROW:].mean(0)

    def varied(self, spread: float, generator: torch.Generator, instances: int | None) -> None:
        """Draw the components of all neurons."""
        for neuron, count in ((self.layers[1], HIDDEN), (self.layers[3], CLASSES)):
            strengths = dict.fromkeys(COMPONENTS, spread)
            neuron.vary(count, strengths, instances=instances, generator=generator)


Images = tuple[Tensor, Tensor]
"""Shapes (n, 8, 8) and (n,)."""


def train(network: Network, images: Images, before_batch: Callable[[], None] = lambda: None):
    inputs, labels = images
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR)
    batches = EPOCHS * math.ceil(len(labels) / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, batches)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(labels)).split(BATCH):
            before_batch()
            logits = SCALE * network(inputs[batch])
            optimizer.zero_grad()
            functional.cross_entropy(logits, labels[batch]).backward()
            optimizer.step()
            schedule.step()


@torch.no_grad()
def accuracies(network: Network, images: Images) -> Tensor:
    """In %, of every instance. Shape: (...)"""
    inputs, labels = images
    return 100 * (network(inputs).argmax(-1) == labels).float().mean(-1)


def trained(kind: str, case: Case, seed: int, images: Images, beta: float, width: float) -> Network:
    torch.manual_seed(seed)
    network = Network(kind, case, beta, width)
    train(network, images)
    return network


def select(kinds: list[str], images: Images, seeds: int) -> Iterator[dict]:
    """Accuracy on held-out training images, for every ``beta`` and every width."""
    count = len(images[1]) * 4 // 5
    learned, held_out = ([part[s] for part in images] for s in (slice(count), slice(count, None)))
    for kind in kinds:
        for width in (0.0, *WIDTHS):
            case = Case(width=width > 0, each=width > 0)
            for beta in BETAS:
                networks = [trained(kind, case, s, learned, beta, width) for s in range(seeds)]
                each = [float(accuracies(network, held_out)) for network in networks]
                yield {"kind": kind, "beta": beta, "width": width, "accuracies": each}


def compare(kinds: list[str], train_: Images, test: Images, seeds: int) -> Iterator[dict]:
    """A row per kind of neuron and case: test accuracy, and the time constants in the end."""
    for name, case in CASES.items():
        for kind in kinds:
            if case.device and kind != "MIF":
                continue
            each, betas = [], []
            for seed in range(seeds):
                network = trained(kind, case, seed, train_, *CHOSEN[kind])
                each.append(float(accuracies(network, test)))
                betas += network.layers[1].beta.detach().clamp(1e-6, 1 - 1e-6).flatten().tolist()
            yield {"kind": kind, "case": name, "accuracies": each, "betas": betas}


def spread_out(train_: Images, test: Images, seeds: int) -> Iterator[dict]:
    """A row per spread and training: test accuracy on every draw, network by network."""
    networks = {
        "unaware": [trained("MIF", Case(), s, train_, *CHOSEN["MIF"]) for s in range(seeds)],
        "aware": [trained_aware(s, train_) for s in range(seeds)],
    }
    for spread in SPREADS:
        for training, each in networks.items():
            yield {"spread": spread, "training": training} | on_draws(each, spread, test)


def trained_aware(seed: int, images: Images) -> Network:
    """With other neurons for every batch."""
    torch.manual_seed(seed)
    network = Network("MIF", Case(), *CHOSEN["MIF"])
    generator = torch.Generator().manual_seed(1000 + seed)
    network.varied(AWARE, generator, None)

    def redraw() -> None:
        for neuron in (network.layers[1], network.layers[3]):
            neuron.redraw(generator)

    train(network, images, redraw)
    return network


def on_draws(networks: list[Network], spread: float, test: Images) -> dict:
    inputs = test[0].expand(DRAWS, *test[0].shape)
    each = []
    for network in networks:
        network.varied(spread, torch.Generator().manual_seed(0), DRAWS)
        each.append(accuracies(network, (inputs, test[1])).tolist())
        network.varied(0.0, torch.Generator(), None)
    return {"accuracies": each}


# What is printed


def with_deviation(values: list[float]) -> str:
    return f"{mean(values):.2f} ± {stdev(values):.2f}" if len(values) > 1 else f"{values[0]:.2f}"


def with_gain(row: dict, plain: dict) -> str:
    """In brackets what it is better than ``plain`` by: mean and standard error over the seeds."""
    pairs = zip(row["accuracies"], plain["accuracies"], strict=True)
    gains = [accuracy - other for accuracy, other in pairs]
    if row is plain or len(gains) < 2:
        return with_deviation(row["accuracies"])
    error = stdev(gains) / math.sqrt(len(gains))
    return f"{with_deviation(row['accuracies'])} ({mean(gains):+.1f} ± {error:.1f})"


def time_constants(betas: list[float]) -> str:
    """Tenth, half and nine tenths of them are shorter than these, in steps."""
    steps = torch.tensor([-1 / math.log(beta) for beta in betas])
    shares = steps.quantile(torch.tensor([0.1, 0.5, 0.9])).tolist()
    return " / ".join(f"{x:.1f}" if x < 1000 else "above 1000" for x in shares)


def print_selected(rows: list[dict]) -> None:
    table = []
    for kind, width in dict.fromkeys((row["kind"], row["width"]) for row in rows):
        own = [row for row in rows if (row["kind"], row["width"]) == (kind, width)]
        table.append([kind, f"{width:g}", *(with_deviation(row["accuracies"]) for row in own)])
    print(markdown(["neuron", "width", *(f"beta {beta}" for beta in BETAS)], table))


def print_compared(rows: list[dict]) -> None:
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    table = []
    by_case = {case: {} for case in CASES}
    for row in rows:
        by_case[row["case"]][row["kind"]] = row
    plain = by_case["one, fixed"]
    for case, own in by_case.items():
        cells = [with_gain(own[k], plain[k]) if k in own else "" for k in kinds]
        table.append([case, *cells, time_constants(own["MIF"]["betas"]) if "MIF" in own else ""])
    print(markdown(["time constants", *kinds, "of MIF in the end, in steps"], table))


def print_spread(rows: list[dict]) -> None:
    table = []
    for spread in dict.fromkeys(row["spread"] for row in rows):
        cells = [f"{100 * spread:g} %"]
        for training in ("unaware", "aware"):
            own = [r for r in rows if (r["spread"], r["training"]) == (spread, training)]
            each = own[0]["accuracies"] if own else []
            # Between the draws of one network; networks differ too.
            deviation = mean(stdev(draws) for draws in each) if each else 0
            average = mean(mean(draws) for draws in each) if each else 0
            cells += (
                [f"{average:.2f} ± {deviation:.2f}", f"{min(map(min, each)):.2f}"]
                if each
                else ["", ""]
            )
        table.append(cells)
    print(markdown(["spread", "unaware", "worst", "aware", "worst"], table))


TABLES = {"selected": print_selected, "compared": print_compared, "spread": print_spread}


def show(results: dict) -> None:
    for name, rows in results.items():
        print()
        TABLES[name](rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=CHOSEN, default=list(CHOSEN))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--select", action="store_true")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    kept.add_options(parser)
    args = parser.parse_args()
    if args.show:
        show(kept.read(args.show))
        return
    images = data.load("digits")
    train_ = images.train_images[:, 0], images.train_labels
    test = images.test_images[:, 0], images.test_labels
    if args.select:
        tables = {"selected": select(args.kinds, train_, args.seeds)}
    else:
        tables = {
            "compared": compare(args.kinds, train_, test, args.seeds),
            "spread": spread_out(train_, test, args.seeds),
        }
    results = {
        name: list(tqdm(rows, desc=name)) for name, rows in tables.items() if name in args.tables
    }
    show(results)
    kept.keep(args.json, results)


if __name__ == "__main__":
    main()
