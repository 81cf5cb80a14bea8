"""Tables that are made of the code and of what the benchmarks wrote."""

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import neurons
import speed
from rows import report
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from snntorch_memristive import devices


def published_devices() -> str:
    """Every published parameter set: its model, its values, where they come from."""
    sets = {name: getattr(devices, name) for name in devices.__all__ if name.isupper()}
    sets = {name: part for name, part in sets.items() if is_dataclass(part) and part.source}
    rows = [
        [f"`{name}`", type(part).__name__, values(part), part.source.replace("|", r"\|")]
        for name, part in sorted(sets.items(), key=lambda item: (type(item[1]).__name__, item[0]))
    ]
    return report.markdown(("set", "model", "values", "source"), rows)


def values(part: Any) -> str:
    """The values of ``part`` that are not its model's defaults, with units."""
    hints = get_type_hints(type(part), include_extras=True)
    listed = []
    for field in fields(part):
        value = getattr(part, field.name)
        if field.name == "source" or value == field.default:
            continue
        unit = getattr(hints[field.name], "__metadata__", ("1",))[0]
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        listed.append(f"`{field.name}` {text}" + ("" if unit == "1" else f" {unit}"))
    return ", ".join(listed)


def commands(results: list[dict[str, Any]]) -> str:
    """Of every finished row its accuracy, and what trained it."""
    rows = [
        [f"{100 * each['accuracy']:.2f}", f"`{each['command']}`"]
        for each in sorted(results, key=lambda each: each["command"])
    ]
    return report.markdown(("accuracy, %", "command"), rows)


class PublishedDevices(SphinxDirective):
    """The table of published parameter sets."""

    def run(self) -> list:
        """Made when the page is read."""
        return self.parse_text_to_nodes(published_devices())


class Speed(SphinxDirective):
    """A table of results/speed.json: ``sequence``, ``loop`` or ``epochs``."""

    required_arguments = 1

    def run(self) -> list:
        """Made when the page is read."""
        path = Path(self.env.srcdir) / "results" / "speed.json"
        self.env.note_dependency(path)
        (what,) = self.arguments
        results = json.loads(path.read_text())
        text = speed.epochs(results) if what == "epochs" else speed.ratios(results, what)
        return self.parse_text_to_nodes(text)


class Learning(SphinxDirective):
    """The rows of results/learning: a ``table`` over their seeds, the ``commands`` they took, or
    their ``tolerances``, where they were followed.
    """

    required_arguments = 1

    def run(self) -> list:
        """Made when the page is read."""
        files = sorted((Path(self.env.srcdir) / "results" / "learning").glob("*.json"))
        for path in files:
            self.env.note_dependency(path)
        (what,) = self.arguments
        make = {"table": report.table, "commands": commands, "tolerances": report.tolerances}[what]
        return self.parse_text_to_nodes(make(report.read(files)))


class Neurons(SphinxDirective):
    """The table of results/neurons-NAME.json."""

    required_arguments = 1

    def run(self) -> list:
        """Made when the page is read."""
        path = Path(self.env.srcdir) / "results" / f"neurons-{self.arguments[0]}.json"
        self.env.note_dependency(path)
        return self.parse_text_to_nodes(neurons.table(json.loads(path.read_text())))


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("published-devices", PublishedDevices)
    app.add_directive("speed", Speed)
    app.add_directive("learning", Learning)
    app.add_directive("neurons", Neurons)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
