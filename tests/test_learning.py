import dataclasses
import json
import pathlib
import subprocess
import sys
import time

import pytest
import torch

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import learning  # noqa: E402
import neurons as table_of_neurons  # noqa: E402
from rows import images as pictures  # noqa: E402
from rows import measures, report  # noqa: E402
from rows.row import (  # noqa: E402
    ABLATIONS,
    CELLS,
    KINDS,
    NETS,
    RECIPES,
    Parts,
    Recipe,
    Row,
    build,
    place,
)
from rows.training import Training  # noqa: E402

import snntorch_memristive as snnm  # noqa: E402
from snntorch_memristive import data  # noqa: E402

ROW = Row("digits", "dense256", "spread", "memristive", seed=0, epochs=2)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trained(row, images, epochs):
    training = Training(row, images)
    for _ in range(epochs):
        training.run_epoch(lambda loss: None)
    return training


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder in which ROW and its leaky twin have been trained without interruption."""
    out = tmp_path_factory.mktemp("runs")
    for kind in ("memristive", "leaky"):
        setting = "spread" if kind == "memristive" else "ideal"
        argv = ["--data", "digits", "--setting", setting, "--kind", kind, "--epochs", "2"]
        assert learning.main(["train", *argv, "--out", str(out)]) == 0
    return out


# The command


def test_a_row_leaves_its_json(whole):
    content = json.loads((whole / f"{ROW.name}.json").read_text())
    assert Row(**content["row"]) == ROW
    assert Recipe(**content["recipe"]) == ROW.recipe
    assert content["command"] == (
        "python benchmarks/learning.py train --data digits --net dense256 --setting spread "
        "--kind memristive --epochs 2 --seed 0"
    )
    assert set(content["versions"]) == {"snntorch_memristive", "snntorch", "torch"}
    assert [set(epoch) for epoch in content["history"]] == [{"loss", "accuracy", "seconds"}] * 2
    assert content["seconds_per_epoch"] > 0
    assert len(content["chips"]) == measures.CHIPS == 20
    assert content["accuracy"] == pytest.approx(sum(content["chips"]) / 20)
    assert content["accuracy"] > 0.7
    assert len(content["layers"]) == 2
    assert all(layer["spikes"] > 0 and layer["gradient"] > 0 for layer in content["layers"])
    assert 1e-12 < content["energy"] < 1e-3
    assert content["cells"].startswith("RRAM(")


def test_a_digital_row_has_neither_cells_nor_chips_nor_joules(whole):
    name = dataclasses.replace(ROW, setting="ideal", kind="leaky").name
    content = json.loads((whole / f"{name}.json").read_text())
    assert content["cells"] is content["chips"] is content["energy"] is None
    assert content["accuracy"] == content["history"][-1]["accuracy"] > 0.7


def test_no_unfinished_file_is_left(whole):
    assert {path.suffix for path in whole.iterdir()} == {".pt", ".json"}


def killed(out):
    """Arguments of a run in the folder ``out`` that was killed after its first epoch."""
    argv = ["train", "--data", "digits", "--setting", "spread", "--epochs", "2", "--out", str(out)]
    path = out / f"{ROW.name}.pt"
    program = [sys.executable, str(BENCHMARKS / "learning.py"), *argv]
    with subprocess.Popen(program, stderr=subprocess.DEVNULL) as process:
        while not path.exists() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    assert 1 <= len(torch.load(path)["history"]) <= 2
    return argv


def test_a_killed_run_goes_on_to_the_same_result(whole, tmp_path):
    assert learning.main(killed(tmp_path)) == 0
    first, again = (json.loads((d / f"{ROW.name}.json").read_text()) for d in (whole, tmp_path))
    assert again["chips"] == first["chips"]
    assert again["layers"] == first["layers"]
    first, again = (torch.load(d / f"{ROW.name}.pt")["network"] for d in (whole, tmp_path))
    torch.testing.assert_close(again, first, rtol=0, atol=0)


@pytest.mark.parametrize("is_resumed", [False, True])
def test_two_processes_equal_one(whole, tmp_path, is_resumed):
    """1437 images leave 29 for the last batch: 15 for one process and 14 for the other.

    From the start, and from where one process was killed.
    """
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    program += ["--nproc-per-node", "2", str(BENCHMARKS / "learning.py")]
    argv = ["train", "--data", "digits", "--setting", "spread", "--epochs", "2"]
    argv = killed(tmp_path) if is_resumed else [*argv, "--out", str(tmp_path)]
    done = subprocess.run([*program, *argv], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    one, two = (torch.load(d / f"{ROW.name}.pt")["network"] for d in (whole, tmp_path))
    torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-4)
    result = json.loads((tmp_path / f"{ROW.name}.json").read_text())
    assert result["processes"] == 2


def test_the_table_and_the_plot_are_drawn(whole, tmp_path, capsys, monkeypatch):
    files = sorted(str(path) for path in whole.glob("*.json"))
    assert learning.main(["table", *files]) == 0
    head, rule, *lines = capsys.readouterr().out.splitlines()
    assert head.count("|") == rule.count("|") == lines[0].count("|")
    assert len(lines) == 2
    assert "| digits | 2 | dense256 | ideal |" in lines[0]
    assert "| digits | 2 | dense256 | spread |" in lines[1]
    monkeypatch.setattr(measures, "CHIPS", 2)
    assert learning.main(["follow", str(whole / f"{ROW.name}.json")]) == 0
    found = json.loads((whole / f"{ROW.name}.json").read_text())["tolerance"]
    assert {effect: [*map(float, curve)] for effect, curve in found.items()} == {
        effect: [*strengths] for effect, strengths in measures.STRENGTHS.items()
    }
    assert sum(found["stuck"]["0.0"]) > sum(found["stuck"]["0.1"])
    figure = tmp_path / "learning.png"
    assert learning.main(["plot", *files, "--out", str(figure)]) == 0
    assert figure.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["train"], "put train-images-idx3-ubyte.gz"),
        (["train", "--data", "digits", "--kind", "leaky", "--setting", "stuck"], "has no cells"),
        (["train", "--data", "digits", "--net", "conv"], "at least 16 x 16"),
        (["train", "--data", "digits", "--setting", "paper", "--penalty", "1"], "no penalty on"),
        (["table", "nowhere.json"], "there is no nowhere.json"),
        (["table", __file__], "Expected a finished row in"),
    ],
)
def test_a_refusal_is_one_sentence(argv, message, monkeypatch, capsys):
    monkeypatch.delenv(data.ROOT_VARIABLE, raising=False)
    assert learning.main(argv) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


# The table


def made_up(accuracy, seed, **changes):
    row = dataclasses.replace(ROW, seed=seed, **changes)
    history = [{"loss": 1.0, "accuracy": accuracy, "seconds": 10.0}]
    layers = [{"spikes": 1.5, "silent": 0.0, "gradient": 0.1}]
    chips = None if row.kind == "leaky" else [accuracy - 0.01, accuracy + 0.01]
    more = {"accuracy": accuracy, "chips": chips, "layers": layers, "energy": 2e-9}
    return report.result(row, history, 1) | more


def test_the_table_has_mean_and_spread_over_seeds_beside_the_digital_network():
    results = [made_up(0.97, 0), made_up(0.99, 1)]
    results += [made_up(0.95, 0, kind="leaky", setting="ideal")]
    head, _, digital, memristive = report.table(results).splitlines()
    assert "leaky-rram" not in head  # as there is none
    assert memristive == (
        "| digits | 2 | dense256 | spread | 98.00 ± 1.41 | 95.00 | 96.00 | 1.50 | 2 | 10 | 0 1 |"
    )
    assert digital.startswith("| digits | 2 | dense256 | ideal |  | 95.00 |  | 1.50 |")


# Rows


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("setting", ["stuck", "paper"])
def test_every_memristive_network_learns_in_every_layer(net, setting, digits):
    row = dataclasses.replace(ROW, net=net, setting=setting)
    images = torch.nn.functional.interpolate(digits.test_images[:50], (16, 16))
    network = build(row, images[0].shape, 10)
    found = measures.layers(network, images, digits.test_labels[:50])
    assert all(layer["gradient"] > 0 and layer["silent"] < 1 for layer in found)
    assert all((layer["spikes"] is None) == (setting == "paper") for layer in found)


def test_all_kinds_of_a_row_start_from_the_same_weights(digits):
    networks = []
    for kind in KINDS:
        torch.manual_seed(0)
        row = dataclasses.replace(ROW, setting="ideal", kind=kind)
        networks.append(build(row, digits.train_images[0].shape, 10))
    for network in networks[1:]:
        for mine, theirs in zip(network.parameters(), networks[0].parameters(), strict=True):
            assert torch.equal(mine, theirs)


def test_the_paper_sends_membranes_between_layers():
    assert Parts(dataclasses.replace(ROW, setting="paper")).neuron().spike == "voltage"
    assert Parts(ROW).neuron().spike == "rectified"


def test_an_unaware_row_meets_its_cells_at_the_end(digits):
    row = dataclasses.replace(ROW, aware=False)
    network = build(row, digits.train_images[0].shape, 10)
    assert all(crossbar.rram == snnm.RRAM() for crossbar in network.crossbars())
    place(network, row, CELLS["spread"])
    assert all(crossbar.rram == CELLS["spread"] for crossbar in network.crossbars())


def test_aware_training_draws_a_chip_for_every_batch(digits, monkeypatch):
    seen = set()
    train_batch = Training._train_batch

    def noted(self, *args):
        seen.add(tuple(next(iter(self.network.crossbars())).chip.tolist()))
        return train_batch(self, *args)

    monkeypatch.setattr(Training, "_train_batch", noted)
    training = trained(ROW, digits, 1)
    assert len(seen) == training.schedule.last_epoch == 12


@pytest.mark.parametrize(("without", "last"), [(None, 0.0), ("schedule", 5e-3)])
def test_the_rate_falls_to_nothing_along_a_cosine(digits, without, last):
    training = trained(dataclasses.replace(ROW, epochs=1, without=without), digits, 1)
    assert training.optimizer.param_groups[0]["lr"] == pytest.approx(last)


@pytest.mark.parametrize("kind", ["memristive", "leaky"])
def test_a_penalty_on_spikes_leaves_fewer_of_them(digits, kind):
    spikes = []
    for penalty in (0.0, 1.0):
        setting = "spread" if kind == "memristive" else "ideal"
        row = dataclasses.replace(ROW, kind=kind, setting=setting, penalty=penalty)
        network = trained(row, digits, 2).network
        hidden, _ = measures.layers(network, digits.test_images, digits.test_labels)
        spikes.append(hidden["spikes"])
        assert hidden["gradient"] > 0
        assert not any(neuron._forward_hooks for neuron in network.neurons())
    assert 0 < spikes[1] < 0.8 * spikes[0]


# Resuming


def test_a_checkpoint_of_another_recipe_is_refused(digits, tmp_path):
    path = tmp_path / "row.pt"
    Training(ROW, digits).save(path)
    other = dataclasses.replace(ROW, without="clip")
    with pytest.raises(ValueError, match=r"Expected the same row .* without=None: delete it"):
        Training(other, digits).load(path)


@pytest.mark.parametrize("without", ABLATIONS)
@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("images", RECIPES)
def test_any_part_of_any_recipe_can_be_left_out(images, net, without):
    for kind in KINDS:
        recipe = Row(images, net, "ideal", kind, 0, 1, without=without).recipe
        left = {name: getattr(recipe, name) for name in ABLATIONS[without]}
        assert left == ABLATIONS[without]


def test_a_damaged_checkpoint_is_refused(digits, tmp_path):
    path = tmp_path / "row.pt"
    path.write_bytes(b"half")
    with pytest.raises(ValueError, match=r"Expected a checkpoint in .*row\.pt, but cannot read it"):
        Training(ROW, digits).load(path)


def test_an_interruption_while_saving_leaves_the_last_checkpoint(digits, tmp_path, monkeypatch):
    path = tmp_path / "row.pt"
    training = Training(ROW, digits)
    training.save(path)

    def interrupted(content, file):
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.save(path)
    training.load(path)


# Images


def test_nothing_to_augment_leaves_images_alone(digits):
    images = digits.train_images[:4]
    assert torch.equal(pictures.augmented(images, Recipe(lr=1.0), torch.Generator()), images)


def test_a_shift_moves_an_image_by_no_more_than_it_says():
    images = torch.zeros(200, 1, 28, 28)
    images[:, :, 14, 14] = 1.0
    moved = pictures.augmented(images, Recipe(lr=1.0, shift=2.0), torch.Generator().manual_seed(0))
    torch.testing.assert_close(moved.sum((1, 2, 3)), torch.ones(200))
    places = torch.arange(28.0)
    for mass in (moved.sum((1, 2)), moved.sum((1, 3))):
        moves = mass @ places - 14
        assert 1.8 < moves.abs().max() <= 2.001


def test_half_of_the_images_are_mirrored(digits):
    images = digits.train_images[:400]
    seen = pictures.augmented(images, Recipe(lr=1.0, mirror=True), torch.Generator().manual_seed(0))
    same = (seen == images).flatten(1).all(1)
    mirrored = (seen == images.flip(-1)).flatten(1).all(1)
    assert 160 < same.sum() < 240
    assert bool((same | mirrored).all())


# The table of neurons


@pytest.mark.parametrize("name", table_of_neurons.KINDS)
def test_every_neuron_of_the_table_learns(digits, name):
    line = table_of_neurons.train(name, digits, dataclasses.replace(ROW, epochs=1))
    assert line["accuracy"] > 0.25  # after one epoch; one class of ten is 0.1
    assert line["gradient"] > 0
    assert line["silent"] < 0.5
