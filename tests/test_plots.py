import importlib
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot

from snntorch_memristive import RRAM, Chips, RRAMConv2d, RRAMLinear, plots
from snntorch_memristive.circuits import (
    AlphaMIFCircuit,
    MIFCircuit,
    MottCircuit,
    SynapticMIFCircuit,
)
from snntorch_memristive.crossbar import Wires, effective
from snntorch_memristive.functional import integrate
from snntorch_memristive.spice import LayerComparison, Simulated


@pytest.fixture
def ax():
    figure, ax = pyplot.subplots()
    yield ax
    figure.canvas.draw()
    pyplot.close(figure)


def chips(*values):
    return Chips(torch.tensor(values, dtype=torch.float64))


G = torch.rand(4, 6) * 1e-3 + 1e-5
V, WAVE = torch.rand(10, 3), torch.rand(40, 3)
TIMES, WAVE_TIMES = torch.linspace(1e-6, 1e-5, 10), torch.linspace(0, 1e-5, 40)
DRAWN = {
    "voltages": [torch.linspace(0.02, 0.2, 30).reshape(10, 3)],
    "states": [torch.rand(10, 3)],
    "spikes": [torch.rand(10, 3)],
    "conductances": [G],
    "programmed": [G, G * 1.1],
    "wire_losses": [G, G * 0.9],
    "learning_curves": [{"memristive": [0.5, 0.9], "digital": [0.6, 0.8]}],
    "retention": [{1.0: chips(0.8, 0.9), 1e6: chips(0.5, 0.9)}],
    "fault_tolerance": [{0.0: chips(0.8, 0.9), 0.1: chips(0.5, 0.9)}],
    "compared": [
        LayerComparison("fc", (0, 1, 2), V, V, Simulated(V, V, TIMES, WAVE_TIMES, WAVE)),
        (0, 2),
    ],
    "hysteresis": [WAVE, WAVE**3 * 1e-3],
    "phase_portrait": [MIFCircuit(), 20e-6, (0.0, 0.3), (0.0, 0.2)],
    "frequency_current": [torch.linspace(0, 1e-3, 5), torch.linspace(0, 5e5, 5)],
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_draws_on_the_axes_it_is_given_and_labels_them(name, ax):
    before = pyplot.get_fignums()
    assert getattr(plots, name)(*DRAWN[name], ax=ax) is ax
    assert ax.has_data()
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert pyplot.get_fignums() == before


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_without_axes_makes_its_own(name):
    ax = getattr(plots, name)(*DRAWN[name])
    assert ax.has_data()
    pyplot.close(ax.figure)


def test_voltages_are_in_millivolts_over_microseconds(ax):
    plots.voltages(torch.tensor([0.02, 0.11]), dt=1e-6, ax=ax)
    x, y = ax.lines[0].get_data()
    assert x.tolist() == pytest.approx([1, 2])
    assert y.tolist() == pytest.approx([20, 110])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time (µs)", "Membrane voltage (mV)")


def test_tensors_that_require_grad_can_be_drawn(ax):
    plots.voltages(torch.zeros(5, 2, requires_grad=True), ax=ax)
    plots.spikes(torch.ones(5, 2, requires_grad=True), ax=ax)


def test_the_raster_has_a_dot_for_every_spike_and_none_elsewhere(ax):
    spk = torch.zeros(6, 4)
    spk[1, 2], spk[5, 0] = 1.0, 0.25
    plots.spikes(spk, ax=ax)
    dots = ax.collections[0]
    assert dots.get_offsets().tolist() == [[1, 2], [5, 0]]
    assert dots.get_array().tolist() == [1.0, 0.25]


def test_the_raster_of_a_silent_layer_is_empty(ax):
    plots.spikes(torch.zeros(6, 4), ax=ax)
    assert len(ax.collections[0].get_offsets()) == 0


def test_the_conductance_map_has_word_lines_as_rows_and_microsiemens(ax):
    layer = RRAMLinear(5, 3, rram=RRAM(levels=8))
    g = layer.conductances()[0].detach()
    plots.conductances(g, limits=(layer.rram.g_off, layer.rram.g_on), ax=ax)
    image = ax.images[0]
    np.testing.assert_allclose(image.get_array(), g.T * 1e6, rtol=1e-6)
    assert image.get_clim() == pytest.approx((10, 1000))
    assert image.colorbar.ax.get_ylabel() == "Conductance (µS)"


def test_a_narrow_scale_of_conductances_has_plain_numbers_on_it(ax):
    plots.conductances(torch.tensor([[1.01e-4, 1.09e-4]]), ax=ax)
    bar = ax.images[0].colorbar.ax
    ax.figure.canvas.draw()
    labels = [tick.get_text() for tick in bar.get_yticklabels(minor=True)]
    assert {"102", "108"} <= set(labels)


@pytest.mark.parametrize("g", [[[0.0, 1e-4]], [[1e-4, float("nan")]], [[1e-4, float("inf")]]])
def test_conductances_without_a_logarithm_are_refused(g):
    with pytest.raises(ValueError, match="Expected a scale from above 0 S upwards, but got one"):
        plots.conductances(torch.tensor(g))


@pytest.fixture
def axes():
    figure, axes = pyplot.subplots(1, 2)
    yield tuple(axes)
    figure.canvas.draw()
    pyplot.close(figure)


def test_both_halves_are_on_the_axes_given_and_on_one_scale(axes):
    layer = RRAMLinear(5, 3, rram=RRAM(levels=8, spread=0.1))
    g = layer.conductances()
    assert plots.conductance_pairs(g, ax=axes) == axes
    images = [ax.images[0] for ax in axes]
    for image, half in zip(images, g.detach(), strict=True):
        np.testing.assert_allclose(image.get_array(), half.T * 1e6, rtol=1e-6)
        assert image.get_clim() == pytest.approx((1e6 * g.min().item(), 1e6 * g.max().item()))
    assert [ax.get_title() for ax in axes] == ["Positive cells", "Negative cells"]
    assert [ax.get_xlabel() for ax in axes] == ["Bit line (output)"] * 2
    assert axes[0].get_ylabel() == "Word line (input)"
    bars = [ax for ax in axes[0].figure.axes if ax not in axes]
    assert [bar.get_ylabel() for bar in bars] == ["Conductance (µS)"]


def test_both_halves_of_a_convolution_have_its_kernel_positions_as_word_lines():
    conv = RRAMConv2d(3, 4, 2)
    positive, negative = plots.conductance_pairs(conv.conductances(), limits=(1e-5, 1e-3))
    expected = conv.conductances().detach()[1].reshape(4, 12).T * 1e6
    np.testing.assert_allclose(negative.images[0].get_array(), expected, rtol=1e-6)
    assert positive.images[0].get_clim() == pytest.approx((10, 1000))
    pyplot.close(positive.figure)


@pytest.mark.parametrize("shape", [(2, 4), (3, 4, 6)])
def test_something_else_than_two_halves_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(2, outputs, inputs, ...\), but got \(\d, 4"):
        plots.conductance_pairs(torch.ones(shape))


def test_something_else_than_a_pair_of_axes_is_refused(ax):
    for given in (ax, (ax,)):
        with pytest.raises(ValueError, match="Expected `ax` to be a pair of axes, but got"):
            plots.conductance_pairs(torch.ones(2, 3, 4), ax=given)


def test_programmed_cells_stand_over_their_targets_with_the_line_where_they_agree(ax):
    target = torch.tensor([[1e-5, 1e-4], [1e-3, 5e-4]])
    g = (target * 1.1).requires_grad_()
    plots.programmed(g, target, ax=ax)
    cells, line = ax.lines
    assert cells.get_xdata().tolist() == pytest.approx([10, 100, 1000, 500])
    assert cells.get_ydata().tolist() == pytest.approx([11, 110, 1100, 550])
    assert list(line.get_xdata()) == list(line.get_ydata()) == pytest.approx([10, 1000])
    assert ax.get_xlabel() == "Target conductance (µS)"
    assert ax.get_ylabel() == "Programmed conductance (µS)"


def test_wire_losses_are_percent_of_every_cell_with_word_lines_as_rows(ax):
    g = torch.full((6, 4), 1e-4, requires_grad=True)
    plots.wire_losses(g, effective(g, Wires(r_word=10.0, r_bit=10.0)), ax=ax)
    loss = ax.images[0].get_array()
    assert loss.shape == (6, 4)
    assert loss[-1, 0] == loss.min() > 0  # nearest to its driver and to its read-out
    assert loss[0, -1] == loss.max() < 100
    assert ax.images[0].colorbar.ax.get_ylabel() == "Loss in the wires (%)"


def test_wire_losses_are_coloured_from_the_largest_loss_to_the_same_gain(ax):
    plots.wire_losses(torch.ones(1, 3), torch.tensor([[0.8, 1.0, 1.5]]), ax=ax)
    image = ax.images[0]
    np.testing.assert_allclose(image.get_array(), [[20, 0, -50]], atol=1e-5)
    assert image.get_clim() == pytest.approx((-20, 20))
    assert image.colorbar.extend == "min"


def test_ideal_wires_lose_nothing(ax):
    plots.wire_losses(G, G, ax=ax)
    assert not ax.images[0].get_array().any()


def test_wire_losses_of_an_open_cell_are_refused():
    with pytest.raises(ValueError, match="Expected `g` > 0 S everywhere, but got 0 S"):
        plots.wire_losses(torch.tensor([[1e-4, 0.0]]), torch.zeros(1, 2))


@pytest.mark.parametrize("plot", [plots.programmed, plots.wire_losses])
def test_cells_of_two_shapes_are_refused(plot):
    with pytest.raises(ValueError, match=r"of the shape of `g`, \(4, 6\), but got \(6, 4\)"):
        plot(G, G.T)


@pytest.mark.parametrize(
    ("name", "x", "label"),
    [
        ("retention", [1, 1e6], "Time since programming (s)"),
        ("fault_tolerance", [0, 10], "Failed cells (%)"),
    ],
)
def test_accuracies_of_chips_are_their_mean_and_a_band_from_worst_to_best(name, x, label, ax):
    (of_chips,) = DRAWN[name]
    getattr(plots, name)(dict(reversed(of_chips.items())), ax=ax)
    (mean,), (band,) = ax.lines, ax.collections
    assert list(mean.get_xdata()) == pytest.approx(x)
    assert list(mean.get_ydata()) == pytest.approx([85, 70])
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.round(6).tolist()}
    assert corners == {(x[0], 80), (x[0], 90), (x[1], 50), (x[1], 90)}
    assert (ax.get_xlabel(), ax.get_ylabel()) == (label, "Accuracy (%)")
    assert ax.get_xscale() == ("log" if name == "retention" else "linear")
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["mean", "worst to best chip"]


@pytest.mark.parametrize(
    ("plot", "of_chips", "message"),
    [
        (plots.retention, {}, "for at least one point, but got none"),
        (plots.fault_tolerance, {}, "for at least one point, but got none"),
        (plots.retention, {0.0: chips(0.5)}, "Expected `seconds` > 0 s, but got 0 s"),
        (plots.retention, {1.0: chips(0.5, 93.0)}, r"`accuracy` in \[0, 1\], but got 93"),
        (plots.fault_tolerance, {5.0: chips(0.5)}, r"`fraction` in \[0, 1\], but got 5"),
    ],
)
def test_impossible_chips_are_refused(plot, of_chips, message):
    with pytest.raises(ValueError, match=message):
        plot(of_chips)


def test_learning_curves_are_percent_over_epochs_with_a_legend(ax):
    plots.learning_curves(*DRAWN["learning_curves"], ax=ax)
    x, y = ax.lines[0].get_data()
    assert list(x) == [1, 2]
    assert list(y) == pytest.approx([50, 90])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["memristive", "digital"]


@pytest.mark.parametrize("plot", [plots.spikes, plots.conductances])
def test_a_wrong_shape_is_refused(plot):
    with pytest.raises(ValueError, match=r"but got \(2, 3, 4\)"):
        plot(torch.ones(2, 3, 4))


def test_wire_losses_of_several_arrays_are_refused():
    with pytest.raises(ValueError, match=r"shape \(rows, columns\), but got \(2, 3, 4\)"):
        plots.wire_losses(torch.ones(2, 3, 4), torch.ones(2, 3, 4))


def test_the_package_itself_imports_no_matplotlib():
    code = "import sys, snntorch_memristive; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("snntorch_memristive.plots")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match=r'pip install "snntorch-memristive\[demo\]"'):
        importlib.import_module("snntorch_memristive.plots")


def test_the_flow_behind_a_filter_is_that_of_the_circuit_without_it():
    lines = []
    for circuit in (SynapticMIFCircuit(), AlphaMIFCircuit(), MIFCircuit()):
        ax = plots.phase_portrait(circuit, 20e-6, v=(0.0, 0.2), x=(0.0, 0.2))
        lines.append([path.vertices for c in ax.collections[1:] for path in c.get_paths()])
    for theirs in lines[:-1]:
        assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(theirs, lines[-1], strict=True))


def test_the_flow_of_another_circuit_is_over_its_own_state():
    ax = plots.phase_portrait(MottCircuit(), 1e-3, v=(0.0, 6.0), x=(0.0, 3.0))
    assert ax.get_ylabel() == "State x"
    with pytest.raises(ValueError, match="Expected `state` to be one of 'x', but got 'x1'"):
        plots.phase_portrait(MottCircuit(), 1e-3, v=(0.0, 6.0), x=(0.0, 3.0), state="x1")


def test_a_trajectory_is_drawn_into_the_flow_and_ends_at_the_fixed_point(ax):
    circuit, current = MottCircuit(), 0.4e-3  # too little to fire
    settled = integrate(circuit, torch.full((2000,), current, dtype=torch.float64), 1e-7)
    plots.phase_portrait(circuit, current, (0, 7), (0, 1), state="x", trajectory=settled, ax=ax)
    (path,) = [line for line in ax.lines if line.get_label() == "trajectory"]
    end = path.get_xydata()[-1]
    nullclines = [
        np.concatenate(c.get_paths()[0].to_polygons(closed_only=False)) for c in ax.collections[-2:]
    ]
    for line in nullclines:
        distance = np.abs((line - end) / [7e3, 1]).max(1).min()
        assert distance < 0.03  # of the plane: the lines' points are that far apart
