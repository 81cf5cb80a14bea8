import gzip
import hashlib
import struct
import sys

import pytest
import torch

from snntorch_memristive.data import FILES, MD5, ROOT_VARIABLE, SOURCES, load, parse_idx


def idx(values, dims, kind=8):
    values = torch.as_tensor(values, dtype=torch.uint8)
    header = bytes((0, 0, kind, dims)) + struct.pack(f">{values.dim()}I", *values.shape)
    return header + values.numpy().tobytes()


@pytest.fixture
def tiny(tmp_path):
    """A data root with an unpacked data set of 3 training and 2 test images of 2 x 2."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for file, n in zip(FILES, (3, 3, 2, 2), strict=True):
        if "images" in file:
            content = idx(torch.arange(n * 4).reshape(n, 2, 2) * 17, 3)
        else:
            content = idx(torch.arange(n), 1)
        (folder / file.removesuffix(".gz")).write_bytes(content)
    return tmp_path


def rewrite(root, file, change):
    path = root / "mnist" / file.removesuffix(".gz")
    path.write_bytes(change(path.read_bytes()))


def test_digits_come_whole_and_in_a_split_that_stays():
    first, again = load("digits"), load("digits")
    assert first.train_images.shape == (1437, 1, 8, 8)
    assert first.test_images.shape == (360, 1, 8, 8)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first.train_images.dtype == torch.float32
    assert first.train_labels.dtype == torch.int64
    assert (first.train_images.min(), first.train_images.max()) == (0, 1)


def test_no_digit_is_both_trained_on_and_tested_with():
    images = load("digits")
    everything = torch.cat([images.train_images, images.test_images]).flatten(1)
    assert len(everything.unique(dim=0)) == 1797


def test_every_class_of_digits_has_its_share_in_the_test():
    counts = load("digits").test_labels.bincount(minlength=10)
    assert counts.min() >= 34
    assert counts.max() <= 38


@pytest.mark.parametrize("name", sorted(MD5))
def test_idx_files_are_read_whole(name, data_root):
    images = load(name, data_root)
    assert images.train_images.shape == (60000, 1, 28, 28)
    assert images.test_images.shape == (10000, 1, 28, 28)
    assert (images.train_images.min(), images.train_images.max()) == (0, 1)
    assert images.train_labels.bincount().shape == (10,)
    assert images.test_labels.bincount().shape == (10,)


def test_the_first_images_of_mnist_are_those_that_everybody_knows(data_root):
    images = load("mnist", data_root)
    assert images.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert images.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert round(float(images.train_images.mean()), 4) == 0.1307


def test_unpacked_files_are_read_too(tiny):
    images = load("mnist", tiny)
    assert images.train_images.shape == (3, 1, 2, 2)
    torch.testing.assert_close(images.train_images[0, 0], torch.tensor([[0, 17], [34, 51]]) / 255)
    assert images.test_labels.tolist() == [0, 1]


def test_the_environment_names_the_folder_unless_the_caller_does(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tiny))
    assert len(load("mnist").train_labels) == 3
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        load("mnist", tmp_path / "elsewhere")


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="Expected `name` to be one of 'digits', 'mnist'"):
        load("cifar10")


def test_without_a_folder_the_error_says_what_to_do(monkeypatch):
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    with pytest.raises(FileNotFoundError) as caught:
        load("fashion-mnist")
    assert ROOT_VARIABLE in str(caught.value)
    assert all(file in str(caught.value) for file in FILES)


def test_a_missing_file_is_named_with_its_place(tiny):
    (tiny / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-labels-idx1-ubyte\.gz, but there is no"):
        load("mnist", tiny)


@pytest.fixture
def source(tiny, monkeypatch):
    """A folder that stands for the network, with the files of ``tiny`` packed."""
    folder = tiny / "network"
    folder.mkdir()
    for file in FILES:
        content = (tiny / "mnist" / file.removesuffix(".gz")).read_bytes()
        (folder / file).write_bytes(gzip.compress(content))
    sums = tuple(hashlib.md5((folder / file).read_bytes()).hexdigest() for file in FILES)
    monkeypatch.setitem(MD5, "mnist", sums)
    monkeypatch.setitem(SOURCES, "mnist", f"{folder.as_uri()}/")
    return folder


def test_missing_files_are_fetched_if_asked_for(source, tiny, tmp_path):
    there = load("mnist", tiny)
    with pytest.raises(FileNotFoundError, match="download=True"):
        load("mnist", tmp_path / "new")
    fetched = load("mnist", tmp_path / "new", download=True)
    assert all(map(torch.equal, fetched, there))
    assert {path.name for path in (tmp_path / "new" / "mnist").iterdir()} == set(FILES)


def test_files_that_are_there_are_not_fetched(source, tiny):
    for file in FILES:
        (source / file).unlink()
    assert len(load("mnist", tiny, download=True).train_images) == 3


def test_nothing_is_kept_of_a_file_that_cannot_be_fetched_or_is_damaged(source, tmp_path):
    (source / FILES[0]).write_bytes(b"half")
    with pytest.raises(ValueError, match="damaged or incomplete"):
        load("mnist", tmp_path / "new", download=True)
    (source / FILES[0]).unlink()
    with pytest.raises(OSError, match="could not fetch it"):
        load("mnist", tmp_path / "new", download=True)
    assert not (tmp_path / "new").exists()


def test_a_packed_file_with_a_wrong_checksum_is_refused(tiny):
    path = tiny / "mnist" / FILES[0]
    path.write_bytes(gzip.compress(b"something else"))
    with pytest.raises(ValueError, match=r"md5 f68b3c2d.*damaged or incomplete"):
        load("mnist", tiny)


@pytest.mark.parametrize("kept", [0, 3, 4, 10, 16, 27])
def test_a_truncated_file_is_refused(tiny, kept):
    rewrite(tiny, FILES[0], lambda content: content[:kept])
    with pytest.raises(ValueError, match=r"Expected .*train-images-idx3-ubyte"):
        load("mnist", tiny)


def test_a_file_that_is_too_long_is_refused(tiny):
    rewrite(tiny, FILES[1], lambda content: content + b"\0")
    with pytest.raises(ValueError, match=r"Expected 11 bytes in .*, but got 12"):
        load("mnist", tiny)


def test_labels_in_the_place_of_images_are_refused(tiny):
    rewrite(tiny, FILES[0], lambda _: idx([1, 2, 3], 1))
    with pytest.raises(ValueError, match=r"begin with 0x00000803 .* but got 0x00000801"):
        load("mnist", tiny)


def test_an_idx_file_of_another_element_type_is_refused():
    with pytest.raises(ValueError, match="but got 0x00000d01"):
        parse_idx(idx([1, 2, 3], 1, kind=0x0D), 1, "labels")


def test_images_and_labels_must_be_equally_many(tiny):
    rewrite(tiny, FILES[3], lambda _: idx([1, 2, 3], 1))
    with pytest.raises(ValueError, match=r"as many images as labels .* but got 2 and 3"):
        load("mnist", tiny)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r'pip install "snntorch-memristive\[demo\]"'):
        load("digits")
