import json
import subprocess
import sys

import pytest
import torch
from PIL import Image

from snntorch_memristive import MIF, RRAMLinear, SilentLayerWarning, __main__
from snntorch_memristive.demo import checkpoint, command, measures
from snntorch_memristive.demo.network import digital, memristive
from snntorch_memristive.demo.settings import parse
from snntorch_memristive.demo.training import Training, measure_accuracy

SMALL = [
    "--hidden",
    "12",
    "--num-steps",
    "3",
    "--batch-size",
    "256",
    "--epochs",
    "3",
    "--lr",
    "0.03",
]


@pytest.fixture(autouse=True)
def _threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of a small run that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole")
    assert command.run([*SMALL, "--out", str(out)]) == 0
    return out


def results(out):
    return json.loads((out / "results.json").read_text())


def accuracies(out):
    return {name: net["test_accuracy"] for name, net in results(out)["networks"].items()}


def interrupt_after(monkeypatch, batches):
    """Press Ctrl-C in the middle of training, once."""
    train_batch, left = Training._train_batch, [batches]

    def counted(self, *args):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return train_batch(self, *args)

    monkeypatch.setattr(Training, "_train_batch", counted)


# The result


def test_a_run_leaves_its_results(whole):
    content = results(whole)
    assert content["settings"]["hidden"] == [12]
    assert set(content["versions"]) == {"snntorch_memristive", "snntorch", "torch"}
    for network in content["networks"].values():
        assert len(network["test_accuracy"]) == len(network["loss"]) == 3
        assert network["loss"][-1] < network["loss"][0]
        assert network["test_accuracy"][-1] > 0.5
        assert len(network["layers"]) == 2
        assert all(layer["spikes"] > 0 and layer["gradient"] > 0 for layer in network["layers"])


def test_a_run_leaves_a_figure_that_is_not_blank(whole):
    with Image.open(whole / "demo.png") as image:
        assert image.size == (1950, 1050)
        assert len(image.convert("RGB").getcolors(1 << 24)) > 100


def test_a_run_leaves_no_unfinished_file(whole):
    assert sorted(path.name for path in whole.iterdir()) == [
        "checkpoint.pt",
        "demo.png",
        "results.json",
    ]


def test_the_same_seed_gives_the_same_result(whole, tmp_path):
    assert command.run([*SMALL, "--out", str(tmp_path)]) == 0
    assert accuracies(tmp_path) == accuracies(whole)


def test_several_hidden_layers(tmp_path, capsys):
    argv = ["--hidden", "9", "8", "--num-steps", "2", "--epochs", "1", "--out", str(tmp_path)]
    assert command.run(argv) == 0
    assert len(results(tmp_path)["networks"]["memristive"]["layers"]) == 3
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert [row for row in rows if row[:1] == ["digital"]][1:] == [
        ["digital", "1"],
        ["digital", "2"],
        ["digital", "3"],
    ]


def test_mnist_runs(data_root, tmp_path, monkeypatch):
    from snntorch_memristive import data

    images = data.load("mnist", data_root)
    few = data.Images(*(tensor[:400] for tensor in images))
    monkeypatch.setattr(command, "load", lambda *_: few)
    argv = ["--data", "mnist", "--epochs", "1", "--hidden", "16", "--num-steps", "2"]
    assert command.run([*argv, "--out", str(tmp_path)]) == 0
    assert results(tmp_path)["settings"]["data"] == "mnist"


# Interruption


@pytest.mark.parametrize(
    ("batches", "saved"),
    [(8, "memristive 1, digital 0"), (18, "memristive 2, digital 0"), (26, "memristive 3, dig")],
)
def test_an_interrupted_run_goes_on_to_the_very_same_result(
    whole, tmp_path, monkeypatch, capsys, batches, saved
):
    argv = [*SMALL, "--out", str(tmp_path)]
    with monkeypatch.context() as context:
        interrupt_after(context, batches)
        assert command.run(argv) == 130
    message = capsys.readouterr().err
    assert saved in message
    assert f"--out {tmp_path} --resume" in message
    assert not (tmp_path / "results.json").exists()

    assert command.run([*argv, "--resume"]) == 0
    assert accuracies(tmp_path) == accuracies(whole)
    again, first = (torch.load(out / "checkpoint.pt")["networks"] for out in (tmp_path, whole))
    for name in first:
        torch.testing.assert_close(again[name]["net"], first[name]["net"], rtol=0, atol=0)


def test_an_interruption_before_the_first_epoch_says_that_nothing_is_saved(
    tmp_path, monkeypatch, capsys
):
    interrupt_after(monkeypatch, 2)
    assert command.run([*SMALL, "--out", str(tmp_path)]) == 130
    assert "nothing of this run is saved" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_epoch_whose_saving_was_interrupted_is_not_called_saved(tmp_path, monkeypatch, capsys):
    save, left = checkpoint.save, [2]

    def interrupted(*args):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        save(*args)

    monkeypatch.setattr(checkpoint, "save", interrupted)
    assert command.run([*SMALL, "--out", str(tmp_path)]) == 130
    assert "memristive 1, digital 0" in capsys.readouterr().err


def test_an_interruption_while_saving_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    settings, _ = parse(SMALL)
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, settings, {"memristive": {"history": [1]}})

    def interrupted(content, file):
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(path, settings, {"memristive": {"history": [1, 2]}})
    assert checkpoint.load(path, settings) == {"memristive": {"history": [1]}}
    assert list(tmp_path.iterdir()) == [path]


# Refusals


def resumed(out, *argv):
    return command.run([*SMALL, "--out", str(out), *argv, "--resume"])


def test_a_checkpoint_of_other_settings_is_refused(whole, capsys):
    assert resumed(whole, "--seed", "5", "--levels", "16") == 2
    message = capsys.readouterr().err
    assert "of the same settings" in message
    assert "is of --seed 0, --levels 64" in message


def test_a_checkpoint_of_more_epochs_than_asked_for_is_refused(whole, capsys):
    assert resumed(whole, "--epochs", "2") == 2
    assert "at most 2 epochs" in capsys.readouterr().err


def test_more_epochs_go_on_from_a_finished_run(whole, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes((whole / "checkpoint.pt").read_bytes())
    assert resumed(tmp_path, "--epochs", "4") == 0
    for name, curve in accuracies(tmp_path).items():
        assert len(curve) == 4
        assert curve[:3] == accuracies(whole)[name]


def test_nothing_to_resume_from_is_refused_and_leaves_no_folder(tmp_path, capsys):
    assert resumed(tmp_path / "nothing") == 2
    assert "there is no" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_damaged_checkpoint_is_refused(whole, tmp_path, capsys, content):
    if content is None:
        content = (whole / "checkpoint.pt").read_bytes()[:-2000]
    (tmp_path / "checkpoint.pt").write_bytes(content)
    assert resumed(tmp_path) == 2
    assert "cannot read it" in capsys.readouterr().err


def test_missing_data_are_refused(tmp_path, capsys):
    argv = ["--data", "mnist", "--data-root", str(tmp_path), "--out", str(tmp_path / "out")]
    assert command.run(argv) == 2
    assert "put train-images-idx3-ubyte.gz" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert command.run([*SMALL, "--out", str(tmp_path / "file")]) == 2
    assert "Expected a folder to write to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--levels", "1"], "a whole number >= 2, but got '1'"),
        (["--hidden", "0"], "a whole number >= 1, but got '0'"),
        (["--hidden"], "--hidden: expected at least one argument"),
        (["--epochs", "many"], "a whole number >= 1, but got 'many'"),
        (["--lr", "nan"], "a number > 0, but got 'nan'"),
        (["--lr", "-1"], "a number > 0, but got '-1'"),
        (["--data", "cifar10"], "invalid choice: 'cifar10'"),
        (["--device", "abacus"], "a usable device, but got 'abacus'"),
        (["--seed", "1" + "0" * 30], "a whole number >= 0"),
        (["--depth", "3"], "unrecognized arguments: --depth 3"),
    ],
)
def test_a_wrong_argument_ends_with_one_line(argv, message, capsys):
    with pytest.raises(SystemExit) as caught:
        command.run(argv)
    assert caught.value.code == 2
    usage, line = capsys.readouterr().err.splitlines()
    assert usage.startswith("usage:")
    assert message in line


def test_defaults_depend_on_the_data():
    assert parse([])[0].hidden == (128,)
    assert parse(["--data", "mnist"])[0].hidden == (256,)
    assert parse(["--data", "fashion-mnist"])[0].hidden == (512,)
    assert parse(["--data", "mnist", "--hidden", "7", "5"])[0].hidden == (7, 5)


# The networks


def test_both_networks_start_from_the_same_weights():
    torch.manual_seed(0)
    ours = memristive((6, 5, 3), num_steps=2, dropout=0.1, levels=64)
    torch.manual_seed(0)
    theirs = digital((6, 5, 3), num_steps=2, dropout=0.1)
    for ours_layer, theirs_layer in zip(ours.layers, theirs.layers, strict=True):
        assert torch.equal(ours_layer.weight, theirs_layer.weight)
        assert torch.equal(ours_layer.bias, theirs_layer.bias)


def test_the_memristive_network_is_all_memristive():
    net = memristive((6, 5, 3), num_steps=2, dropout=0.1, levels=16)
    assert [type(module) for module in net.layers] == [RRAMLinear] * 2
    assert [type(module) for module in net.neurons] == [MIF] * 2
    assert all(layer.rram.levels == 16 for layer in net.layers)


def test_accuracy_counts_every_image_once():
    net = memristive((4, 3), num_steps=2, dropout=0.1, levels=64)
    images = torch.rand(2500, 1, 2, 2)
    with torch.no_grad():
        predicted = net(images)[1].sum(0).argmax(1)
    wrong = (predicted + 1) % 3
    labels = torch.where(torch.arange(2500) < 600, predicted, wrong)
    assert measure_accuracy(net, images, labels, "cpu") == 600 / 2500
    assert not net.training


@pytest.mark.filterwarnings("ignore", category=SilentLayerWarning)
def test_a_silent_layer_is_seen():
    net = memristive((4, 5, 3), num_steps=2, dropout=0.1, levels=64)
    with torch.no_grad():
        net.layers[0].weight.zero_()
        net.layers[0].bias.fill_(-1)
    first, _ = measures.measure_layers(net, torch.rand(8, 1, 2, 2), torch.zeros(8).long(), "cpu")
    assert first == (0.0, 1.0, 0.0)
    assert first.is_dead


def test_the_command_runs_as_a_module(tmp_path):
    argv = ["--hidden", "8", "--num-steps", "2", "--epochs", "1", "--out", str(tmp_path)]
    run = subprocess.run(
        [sys.executable, "-m", "snntorch_memristive", *argv], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "memristive" in run.stdout
    assert "loss=" in run.stderr
    assert (tmp_path / "demo.png").is_file()


def test_without_its_packages_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(__main__, "find_spec", lambda name: None if name == "sklearn" else name)
    assert __main__.main() == 2
    assert "needs scikit-learn" in capsys.readouterr().err
