"""Recordings of events, written as their data sets have them, are read, cut and learned from."""

import json
import pathlib
import sys

import numpy
import pytest
import torch

tonic = pytest.importorskip("tonic", reason="needs tonic, which reads events")
h5py = pytest.importorskip("h5py", reason="needs h5py, which comes with tonic")

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "benchmarks"))

import learning  # noqa: E402
from rows import events  # noqa: E402
from rows.images import load  # noqa: E402

from snntorch_memristive import data  # noqa: E402

TIMES = numpy.array([0, 5, 14, 25, 39, 50, 99])
"""Of the events of a recording, in ms: with 10 bins, in the bins 0 0 1 2 3 5 and in none."""


def write_nmnist(file, x=3, polarity=1, times=TIMES):
    """Five bytes for an event: x, y, and a bit of polarity before 23 of the time in µs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    times = 1000 * times
    rows = [(x, 20, polarity << 7 | t >> 16, t >> 8 & 255, t & 255) for t in times]
    file.write_bytes(numpy.array(rows, dtype=numpy.uint8).tobytes())


def write_shd(folder, recordings):
    """``recordings``: (channel, label), of an event at each of the times."""
    folder.mkdir(parents=True)
    for part in ("train", "test"):
        (folder / f"shd_{part}.h5.zip").touch()  # tonic looks for it, and reads what was in it
        with h5py.File(folder / f"shd_{part}.h5", "w") as file:
            spikes = file.create_group("spikes")
            of = {"times": numpy.float16, "units": numpy.uint16}
            for name, dtype in of.items():
                spikes.create_dataset(name, (len(recordings),), h5py.vlen_dtype(dtype))
            for k, (channel, _) in enumerate(recordings):
                spikes["times"][k] = TIMES / 1000
                spikes["units"][k] = numpy.full(len(TIMES), channel)
            file["labels"] = numpy.array([label for _, label in recordings])
            file["extra/keys"] = numpy.array([b"zero", b"one"])
            file["extra/speaker"] = numpy.zeros(len(recordings))


def write_gestures(folder):
    """A hundred recordings, the fewest that tonic takes for all of them: of class k at x = 10 k."""
    for part in ("Train", "Test"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"ibmGesture{part}.tar.gz").touch()
        for user in range(1, 11):
            place = folder / f"ibmGesture{part}" / f"user{user:02}_led"
            place.mkdir(parents=True)
            for label in range(10):
                rows = [(10 * label, 64, user % 2, t) for t in TIMES]
                numpy.save(place / f"{label}.npy", numpy.array(rows))


# Where events end up


def test_an_event_of_nmnist_is_in_its_bin_and_place(tmp_path):
    for part in ("Train", "Test"):
        write_nmnist(tmp_path / "nmnist-small" / "NMNIST" / part / "7" / "00001.bin")
        write_nmnist(tmp_path / "nmnist-small" / "NMNIST" / part / "2" / "00002.bin", polarity=0)
    images = load("nmnist-small", tmp_path)
    assert images.train_labels.tolist() == images.test_labels.tolist() == [2, 7]
    expected = torch.zeros(2, 10, 2, 34, 34, dtype=torch.bool)
    for recording, polarity in ((0, 0), (1, 1)):
        for step in (0, 1, 2, 3, 5):
            expected[recording, step, polarity, 20, 3] = True
    assert torch.equal(images.train_images, expected)
    assert torch.equal(images.test_images, expected)


def test_an_event_of_shd_is_in_its_bin_and_channel(tmp_path):
    write_shd(tmp_path / "SHD", [(699, 1), (4, 0)])
    images = load("shd", tmp_path)
    assert images.train_labels.tolist() == [1, 0]
    assert images.train_images.shape == (2, 50, 1, 1, 140)
    for recording, channel in ((0, 139), (1, 0)):
        steps, *_, channels = images.train_images[recording].nonzero(as_tuple=True)
        assert set(channels.tolist()) == {channel}
        # 99 ms in 50 bins of 1.98 ms; times are kept with 11 bits
        assert steps.tolist() == [0, 2, 7, 12, 19, 25]


def test_an_event_of_a_gesture_is_in_its_bin_and_place(tmp_path):
    write_gestures(tmp_path / "DVSGesture")
    images = load("dvs-gesture", tmp_path)
    assert images.train_images.shape == (100, 20, 2, 32, 32)
    assert images.train_labels.bincount().tolist() == [10] * 10
    recordings, steps, polarities, rows, columns = images.train_images.nonzero(as_tuple=True)
    assert set(rows.tolist()) == {16}
    assert torch.equal(columns, images.train_labels[recordings] * 10 // 4)
    assert polarities.bincount().tolist() == [300, 300]
    assert sorted(set(steps.tolist())) == [0, 1, 2, 5, 7, 10]


def test_all_of_nmnist_is_read_by_tonic(tmp_path, monkeypatch):
    for part in ("Train", "Test"):
        write_nmnist(tmp_path / "NMNIST" / part / "4" / "00001.bin")
    monkeypatch.setattr(tonic.datasets.NMNIST, "_check_exists", lambda self: True)  # not 10000
    images = load("nmnist", tmp_path)
    assert images.train_labels.tolist() == [4]
    assert images.train_images.sum() == 5


def test_events_may_be_out_of_order_and_missing(tmp_path, monkeypatch):
    write_shd(tmp_path / "SHD", [(4, 0), (4, 0), (4, 0)])
    wanted = load("shd", tmp_path).train_images[0]
    for part in ("train", "test"):
        with h5py.File(tmp_path / "SHD" / f"shd_{part}.h5", "a") as file:
            file["spikes/times"][1] = TIMES[::-1] / 1000
            for of in ("times", "units"):
                file["spikes"][of][2] = numpy.zeros(0)
    images = load("shd", tmp_path)
    assert wanted.any()
    assert torch.equal(images.train_images, torch.stack([wanted, wanted, 0 * wanted]).bool())


# Learning from them


@pytest.mark.parametrize(
    ("name", "net", "epochs", "wanted"),
    [("shd", "recurrent256", 12, 0.9), ("dvs-gesture", "conv", 4, 0.2)],  # by chance 0.5 and 0.1
)
def test_a_row_of_recordings_learns(name, net, epochs, wanted, tmp_path):
    if name == "shd":
        write_shd(tmp_path / "SHD", [(100 + 400 * (k % 2), k % 2) for k in range(40)])
    else:
        write_gestures(tmp_path / "DVSGesture")
    argv = ["--data", name, "--net", net, "--setting", "spread", "--epochs", str(epochs)]
    out = ["--data-root", str(tmp_path), "--out", str(tmp_path / "runs")]
    assert learning.main(["train", *argv, *out]) == 0
    (file,) = (tmp_path / "runs").glob("*.json")
    result = json.loads(file.read_text())
    assert result["accuracy"] > wanted
    assert all(layer["gradient"] > 0 and layer["silent"] < 1 for layer in result["layers"])


# What is missing


@pytest.mark.parametrize("name", events.RECORDINGS)
def test_a_folder_that_is_not_there_is_named_with_the_remedy(name, tmp_path, monkeypatch):
    monkeypatch.delenv(data.ROOT_VARIABLE, raising=False)
    remedy = "unpack N-MNIST there" if name == events.SMALL else "Fetch them with python -c"
    with pytest.raises(FileNotFoundError, match=remedy) as refusal:
        load(name, tmp_path)
    assert str(tmp_path) in str(refusal.value)
    assert data.ROOT_VARIABLE in str(refusal.value)


def test_nothing_is_fetched_unasked(tmp_path, monkeypatch):
    write_shd(tmp_path / "SHD", [(1, 0)])
    (tmp_path / "SHD" / "shd_test.h5.zip").unlink()
    monkeypatch.setattr(tonic.dataset, "download_and_extract_archive", None)
    with pytest.raises(FileNotFoundError, match=r"are missing\. Fetch them with python -c"):
        load("shd", tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    write_shd(tmp_path / "SHD", [(1, 0)])
    (tmp_path / "SHD" / "shd_train.h5").write_bytes(b"half")
    with pytest.raises(FileNotFoundError, match=r"in .*SHD, .* but: .*signature.*\. Fetch them"):
        load("shd", tmp_path)


def test_recordings_need_tonic(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tonic", None)
    with pytest.raises(ImportError, match=r"snntorch-memristive\[data\]"):
        load("shd", tmp_path)
