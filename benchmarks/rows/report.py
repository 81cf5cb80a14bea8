"""Rows in words, as a table over seeds, and as curves."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from snntorch_memristive.files import replacing

from .measures import STRENGTHS
from .row import CELLS, KINDS, Row

Result = dict[str, Any]

CASE = ("data", "net", "setting", "aware", "without", "penalty", "epochs")
"""What the rows of one line of the table have in common."""

HEAD = (
    *("images", "epochs", "network", "cells", *KINDS),
    *("worst chip", "spikes", "nJ", "s per epoch", "seeds"),
)


def result(row: Row, history: Sequence[dict[str, float]], processes: int) -> Result:
    """What a row was asked to do, and how its training went."""
    return {
        "row": asdict(row),
        "recipe": asdict(row.recipe),
        "cells": None if row.kind == "leaky" else repr(CELLS[row.setting]),
        "command": f"python benchmarks/learning.py train {_options(row)}",
        "processes": processes,
        "history": list(history),
        "seconds_per_epoch": mean(epoch["seconds"] for epoch in history),
    }


def _options(row: Row) -> str:
    options = [f"--{name} {getattr(row, name)}" for name in ("data", "net", "setting", "kind")]
    options += [] if row.aware else ["--unaware"]
    options += [f"--without {row.without}"] if row.without else []
    options += [] if row.penalty is None else [f"--penalty {row.penalty:g}"]
    return " ".join([*options, f"--epochs {row.epochs} --seed {row.seed}"])


def sentence(result: Result) -> str:
    """Accuracy of one finished row."""
    chips = result["chips"]
    on = "" if chips is None else f", mean of {len(chips)} chips, at worst {min(chips):.2%}"
    return f"{Row(**result['row']).name}: {result['accuracy']:.2%}{on}"


def write(path: Path, result: Any) -> None:
    """Write the JSON of a row, or of others, whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def read(files: Iterable[Path]) -> list[Result]:
    """The finished rows in ``files``.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if one holds no row.
    """
    results = []
    for file in files:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            Row(**content["row"])
        except FileNotFoundError as error:
            raise FileNotFoundError(f"Expected a finished row, but there is no {file}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"Expected a finished row in {file}, but cannot read it.") from error
        results.append(content)
    return results


def table(results: Sequence[Result]) -> str:
    """A line for every case, in Markdown: mean ± standard deviation over the seeds of each kind.

    A digital network has no cells, so its accuracy stands in every line of its images, network,
    epochs and augmentation.
    Columns without an entry are left out.
    The last columns are of the memristive rows, or, without any, of the first kind there is;
    spikes are per neuron and inference, in the mean over the layers.
    """
    cases: dict[tuple, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for each in results:
        row = Row(**each["row"])
        cases[tuple(getattr(row, name) for name in CASE)][each["row"]["kind"]].append(each)
    digital: dict[tuple, list[Result]] = defaultdict(list)
    for each in results:
        if each["row"]["kind"] == "leaky":
            digital[_without_cells(each)].append(each)
    rows = []
    for case, kinds in sorted(cases.items(), key=lambda item: _place(item[0])):
        beside = digital[_without_cells(next(iter(kinds.values()))[0])]
        rows.append(_cells(case, kinds | {"leaky": beside}))
    columns = [column for column in zip(HEAD, *rows, strict=True) if any(column[1:])]
    head, *rows = zip(*columns, strict=True)
    return markdown(head, rows)


def tolerances(results: Sequence[Result]) -> str:
    """Accuracies that were followed, a line per row: mean of the chips (the worst of them)."""
    followed = [each for each in results if "tolerance" in each]
    names = [(effect, s) for effect, of in STRENGTHS.items() for s in map(str, of)]
    head = [f"{effect} {100 * float(strength):g} %" for effect, strength in names]
    rows = []
    for each in followed:
        chips = [each["tolerance"][effect][strength] for effect, strength in names]
        cells = [f"{100 * mean(of):.2f} ({100 * min(of):.2f})" for of in chips]
        rows.append([Row(**each["row"]).name, *cells])
    return markdown(("row", *head), rows)


def markdown(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _without_cells(result: Result) -> tuple:
    """What a digital twin has in common, the images as they were shown too."""
    row, recipe = Row(**result["row"]), result["recipe"]
    named = (getattr(row, name) for name in ("data", "net", "without", "penalty", "epochs"))
    return *named, *(recipe[name] for name in ("shift", "rotation", "zoom", "mirror"))


def _place(case: tuple) -> tuple:
    data, net, setting, aware, without, penalty, epochs = case
    return data, net, list(CELLS).index(setting), not aware, without or "", penalty or 0.0, epochs


def _cells(case: tuple, kinds: dict[str, list[Result]]) -> list[str]:
    data, net, setting, aware, without, penalty, epochs = case
    cells = [setting, *([] if aware else ["unaware"]), *([f"without {without}"] if without else [])]
    cells += [] if penalty is None else [f"penalty {penalty:g}"]
    shown = next(kinds[kind] for kind in KINDS if kinds.get(kind))
    chips = [min(each["chips"]) for each in shown if each["chips"]]
    joules = [1e9 * each["energy"] for each in shown if each["energy"] is not None]
    spikes = [layer["spikes"] for each in shown for layer in each["layers"]]
    return [
        data,
        str(epochs),
        net,
        ", ".join(cells),
        *(_percent([each["accuracy"] for each in kinds.get(kind, [])]) for kind in KINDS),
        f"{100 * min(chips):.2f}" if chips else "",
        "" if None in spikes else f"{mean(spikes):.2f}",
        f"{mean(joules):.3g}" if joules else "",
        f"{mean(each['seconds_per_epoch'] for each in shown):.0f}",
        " ".join(str(each["row"]["seed"]) for each in shown),
    ]


def _percent(accuracies: Sequence[float]) -> str:
    if not accuracies:
        return ""
    spread = f" ± {100 * stdev(accuracies):.2f}" if len(accuracies) > 1 else ""
    return f"{100 * mean(accuracies):.2f}{spread}"


def plot(results: Sequence[Result], path: Path) -> None:
    """Test accuracy after every epoch, and against every effect that was followed.

    A line per row, as a figure in ``path``.
    """
    from matplotlib.figure import Figure

    from snntorch_memristive import plots

    effects = sorted({effect for each in results for effect in each.get("tolerance", {})})
    figure = Figure(figsize=(7, 4 * (1 + len(effects))), layout="constrained")
    first, *others = figure.subplots(1 + len(effects), squeeze=False)[:, 0]
    curves = {
        Row(**each["row"]).name: [epoch["accuracy"] for epoch in each["history"]]
        for each in results
    }
    plots.learning_curves(curves, ax=first)
    for effect, ax in zip(effects, others, strict=True):
        for each in results:
            chips = each.get("tolerance", {}).get(effect)
            if chips is None:
                continue
            strengths = [100 * float(strength) for strength in chips]
            low, high, means = (
                [100 * of(accuracies) for accuracies in chips.values()] for of in (min, max, mean)
            )
            (line,) = ax.plot(strengths, means, "o-", label=Row(**each["row"]).name)
            ax.fill_between(strengths, low, high, color=line.get_color(), alpha=0.2)
        ax.set_xlabel(f"{effect} (%)")
        ax.set_ylabel("Test accuracy (%), mean and range of chips")
        ax.legend()
    figure.savefig(path, dpi=150)
