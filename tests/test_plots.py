import importlib
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("Agg")

from matplotlib import pyplot

from snntorch_memristive import RRAM, RRAMLinear, plots


@pytest.fixture
def ax():
    figure, ax = pyplot.subplots()
    yield ax
    figure.canvas.draw()
    pyplot.close(figure)


DRAWN = {
    "voltages": torch.linspace(0.02, 0.2, 30).reshape(10, 3),
    "states": torch.rand(10, 3),
    "spikes": torch.rand(10, 3),
    "conductances": torch.rand(4, 6) * 1e-3 + 1e-5,
    "learning_curves": {"memristive": [0.5, 0.9], "digital": [0.6, 0.8]},
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_draws_on_the_axes_it_is_given_and_labels_them(name, ax):
    before = pyplot.get_fignums()
    assert getattr(plots, name)(DRAWN[name], ax=ax) is ax
    assert ax.has_data()
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert pyplot.get_fignums() == before


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_without_axes_makes_its_own(name):
    ax = getattr(plots, name)(DRAWN[name])
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


def test_learning_curves_are_percent_over_epochs_with_a_legend(ax):
    plots.learning_curves(DRAWN["learning_curves"], ax=ax)
    x, y = ax.lines[0].get_data()
    assert list(x) == [1, 2]
    assert list(y) == pytest.approx([50, 90])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["memristive", "digital"]


@pytest.mark.parametrize("plot", [plots.spikes, plots.conductances])
def test_a_wrong_shape_is_refused(plot):
    with pytest.raises(ValueError, match=r"but got \(2, 3, 4\)"):
        plot(torch.ones(2, 3, 4))


def test_the_package_itself_imports_no_matplotlib():
    code = "import sys, snntorch_memristive; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "snntorch_memristive.plots")
    with pytest.raises(ImportError, match=r'pip install "snntorch-memristive\[demo\]"'):
        importlib.import_module("snntorch_memristive.plots")
