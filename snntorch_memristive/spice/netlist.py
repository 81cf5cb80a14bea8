"""A circuit for ngspice, and what is to be read from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .sources import EDGE
from .watch import Stage

MAIN = "network.cir"

LEGEND = """\
* Nodes of layer <l>, neuron or line <n>: v<l>_<n> membrane; s<l>_<n> what a neuron sends, 1 V
*   for 1; i<l>_<n> entry of its current; r<l>_<n> row of a crossbar; c... end of a column; w...,
*   b... word and bit lines with wires; a<l>_<n>, o<l>_<n> values between layers, 1 V for 1.
* Arrays <l>_<place>: p<row>_<column> positive, n... negative, r... reference cells of the tile
*   that begins there; R<array>_<row>_<column> is a cell.
* Ideal parts: E drivers of rows; V of 0 V at the end of columns, virtual grounds whose currents
*   are read; F copies of these currents into a neuron (G of voltages), or onto 1 Ohm; Bspk,
*   the selector of a neuron.
* States in sub-circuits are voltages on capacitors of 1 uF: 1 V for 1, or for 1 uA."""

CLOCKED = """\
* Clocked: B, C and Eh... are an ideal sample-and-hold (a switch of 1 Ohm, its capacitor, a
*   buffer), which samples s<l>_<n> at the end of every time step onto h<l>_<n>. A layer of
*   neurons begins a step after the one before it."""

FREE_RUNNING = "* Free-running: the next layer sees s<l>_<n> at every moment."


@dataclass(frozen=True)
class Probe:
    """A layer of neurons in the circuit."""

    name: str
    """Of the layer in the network."""
    v: tuple[str, ...]
    """Nodes of the membranes."""
    spk: tuple[str, ...]
    """Nodes of what is sent."""
    numbers: tuple[int, ...]
    """Which neurons of the layer they are."""
    shape: tuple[int, ...]
    """Of the layer, or (neurons,) if it is only a part of it."""
    times: tuple[float, ...]
    """End of every time step (s)."""

    @classmethod
    def of(cls, stage: Stage, label: str, chosen: Sequence[int], start: int, dt: float) -> "Probe":
        """The neurons ``chosen`` of ``stage``, whose first step begins after ``start`` others."""
        shape = tuple(stage.output.shape[1:])
        return cls(
            name=stage.name,
            v=tuple(f"v{label}_{j}" for j in chosen),
            spk=tuple(f"s{label}_{j}" for j in chosen),
            numbers=tuple(chosen),
            shape=shape if len(chosen) == stage.output[0].numel() else (len(chosen),),
            times=tuple((k + 1 + start) * dt for k in range(len(stage.output))),
        )


@dataclass(frozen=True)
class Netlist:
    """A circuit for ngspice. :func:`~snntorch_memristive.spice.simulate` runs it."""

    text: str = field(repr=False)
    """The circuit."""
    files: Mapping[str, str] = field(repr=False)
    """Files that it includes, by name; none if it is in one piece."""
    probes: tuple[Probe, ...]
    """The neurons in it, layer by layer."""

    @classmethod
    def of(
        cls,
        blocks: Mapping[str, list[str]],
        probes: Sequence[Probe],
        dt: float,
        coupling: str,
        max_step: float,
        reltol: float,
        per_layer: bool,
    ) -> "Netlist":
        """The lines of ``blocks``, by label of their layer, in one circuit or a file for each."""
        texts = {
            f"{label}.inc": "\n".join(lines) + "\n" for label, lines in blocks.items() if lines
        }
        body = [f'.include "{name}"' for name in texts] if per_layer else texts.values()
        end = max(probe.times[-1] for probe in probes)
        nodes = [node for probe in probes for node in (*probe.v, *probe.spk)]
        clock = [
            "* clock: samples at the end of every time step",
            f"Vclock clock 0 PULSE(0 1 {dt * (1 - EDGE):.12g} {dt * EDGE / 20:.6g} "
            f"{dt * EDGE / 20:.6g} {dt * EDGE * 0.85:.6g} {dt:.12g})",
        ]
        lines = [
            f"Memristive spiking network, {coupling}; time step {dt:g} s",
            LEGEND,
            CLOCKED if coupling == "clocked" else FREE_RUNNING,
            *(
                f"* Layer {_label(probe)}: {probe.name!a}, whose first step ends at "
                f"{probe.times[0]:g} s"
                for probe in probes
            ),
            f".options method=trap reltol={reltol:g} abstol=1e-13 vntol=1e-7 chgtol=1e-17 trtol=1",
            *(clock if coupling == "clocked" else []),
            *(text.rstrip("\n") for text in body),
            *(f".save v({node})" for node in nodes),
            f".tran {dt:g} {end:.12g} 0 {max_step:.6g} uic",
            ".end",
        ]
        return cls("\n".join(lines) + "\n", texts if per_layer else {}, tuple(probes))

    def save(self, folder: str | Path) -> Path:
        """Write the circuit into ``folder``, which is made if need be; returns its path.

        ``ngspice -b -r out.raw network.cir`` runs it there.

        Raises:
            OSError: if it cannot be written; every file is then new and whole, or as it was.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        texts = {**self.files, MAIN: self.text}
        unfinished = {name: folder / f".{name}.unfinished" for name in texts}
        try:
            for name, text in texts.items():
                unfinished[name].write_text(text)
            for name, path in unfinished.items():
                path.replace(folder / name)
        finally:
            for path in unfinished.values():
                path.unlink(missing_ok=True)
        return folder / MAIN


def _label(probe: Probe) -> str:
    return probe.v[0][1:].rpartition("_")[0]
