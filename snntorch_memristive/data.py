"""Real images to train on: scikit-learn's handwritten digits, MNIST and Fashion-MNIST."""

import gzip
import hashlib
import math
import os
import struct
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import torch
from torch import Tensor

from .checks import check_choice
from .files import replacing

ROOT_VARIABLE = "SNNTORCH_MEMRISTIVE_DATA"
"""Environment variable that names the folder of the data sets."""

FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
"""Files of MNIST and of Fashion-MNIST, in the order of :class:`Images`."""

MD5 = {
    "mnist": (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "fashion-mnist": (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
}
"""MD5 sums of :data:`FILES` as published; those that torchvision checks, too."""

SOURCES = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
}
"""Where :data:`FILES` can be had."""

NAMES = ("digits", *MD5)
"""What :func:`load` can load."""

DIGITS_TEST = 360
"""Test images of "digits", a fifth of its 1797."""

UNSIGNED_BYTE = 0x08
"""Code of the element type in the header of an IDX file."""


class Images(NamedTuple):
    """Images and labels to train on, and others to test with."""

    train_images: Tensor
    """Shape (n, 1, height, width), float32 in [0, 1]."""
    train_labels: Tensor
    """Shape (n,), int64."""
    test_images: Tensor
    """Shape (m, 1, height, width), float32 in [0, 1]."""
    test_labels: Tensor
    """Shape (m,), int64."""


def load(name: str, data_root: str | Path | None = None, download: bool = False) -> Images:
    """The images of ``name``, read from disk.

    Args:
        name: "digits" (8 x 8, 1437 to train and 360 to test, in a split that is always the
            same and has every class in proportion; comes with scikit-learn), "mnist" or
            "fashion-mnist" (28 x 28, 60000 and 10000).
        data_root: folder with the sub-folders ``mnist/`` and ``fashion-mnist/``, each holding
            its four :data:`FILES`, packed or unpacked; what the environment variable
            ``SNNTORCH_MEMRISTIVE_DATA`` names if left out. "digits" needs none.
        download: fetch files that are missing from :data:`SOURCES`, 12 or 31 MB.

    Raises:
        ValueError: if there is no such data set, or a file is damaged.
        FileNotFoundError: if a file, or the name of the folder, is missing.
        OSError: if a file cannot be fetched.
        ImportError: if "digits" is asked for without scikit-learn.

    >>> images = load("digits")
    >>> tuple(images.train_images.shape), tuple(images.test_labels.shape)
    ((1437, 1, 8, 8), (360,))
    """
    check_choice("name", name, NAMES)
    if name == "digits":
        return _load_digits()
    folder = _root(name, data_root) / name
    source = SOURCES[name] if download else None
    read = [_read(folder, file, md5, source) for file, md5 in zip(FILES, MD5[name], strict=True)]
    for images, labels in (read[:2], read[2:]):
        if len(images) != len(labels):
            raise ValueError(
                f"Expected as many images as labels in {folder}, "
                f"but got {len(images)} and {len(labels)}."
            )
    train_images, train_labels, test_images, test_labels = read
    return Images(_scaled(train_images), train_labels, _scaled(test_images), test_labels)


def _load_digits() -> Images:
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError(
            "Expected scikit-learn, which holds the digits: "
            'run `pip install "snntorch-memristive[demo]"`.'
        ) from error
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target, dtype=torch.int64)
    train, test = train_test_split(
        range(len(labels)), test_size=DIGITS_TEST, random_state=0, stratify=digits.target
    )
    return Images(images[train], labels[train], images[test], labels[test])


def _root(name: str, data_root: str | Path | None) -> Path:
    root = data_root or os.environ.get(ROOT_VARIABLE)
    if not root:
        raise FileNotFoundError(
            f"Expected a folder of data: put {', '.join(FILES)} into <folder>/{name}/, and give "
            f"<folder> as `data_root` or in the environment variable {ROOT_VARIABLE}."
        )
    return Path(root)


def _read(folder: Path, file: str, md5: str, source: str | None) -> Tensor:
    """The array in ``file``, which is fetched from ``source``, if there is one, and kept."""
    packed, plain = folder / file, folder / file.removesuffix(".gz")
    dims = 3 if "images" in file else 1
    if packed.is_file():
        content = packed.read_bytes()
        _check_sum(content, md5, packed)
    elif plain.is_file():
        return parse_idx(plain.read_bytes(), dims, plain)
    elif source is not None:
        content = _fetched(source + file, folder)
        _check_sum(content, md5, source + file)
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(packed) as unfinished:
            unfinished.write_bytes(content)
    else:
        raise FileNotFoundError(
            f"Expected {packed}, but there is no such file: put {', '.join(FILES)} into {folder}, "
            "or have them fetched by snntorch_memristive.data.load with `download=True`."
        )
    return parse_idx(gzip.decompress(content), dims, packed)


def _fetched(address: str, folder: Path) -> bytes:
    try:
        with urlopen(address, timeout=60) as answer:
            return answer.read()
    except OSError as error:
        raise OSError(
            f"Expected {address}, but could not fetch it ({error}): put it into {folder}."
        ) from error


def _check_sum(content: bytes, md5: str, path: str | Path) -> None:
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise ValueError(
            f"Expected {path} with md5 {md5}, but got {found}: "
            "the file is damaged or incomplete, fetch it again."
        )


def parse_idx(
    content: bytes, dims: int, path: str | Path
) -> Tensor:  # shape: (items,) or (items, height, width)
    """The array in an IDX file of bytes: images as uint8, labels as int64.

    Args:
        content: the whole file, unpacked.
        dims: number of dimensions that the file should have: 3 for images, 1 for labels.
        path: name of the file, for the errors.

    Raises:
        ValueError: if the header is not that of such a file, or the size is not what it says.
    """
    header = 4 + 4 * dims
    magic = bytes((0, 0, UNSIGNED_BYTE, dims))
    if content[:4] != magic:
        raise ValueError(
            f"Expected {path} to begin with 0x{magic.hex()} (IDX, bytes, {dims} dimensions), "
            f"but got 0x{content[:4].hex()}: it is another kind of file."
        )
    shape = struct.unpack(f">{dims}I", content[4:header].ljust(4 * dims, b"\0"))
    if len(content) != header + math.prod(shape):
        raise ValueError(
            f"Expected {header + math.prod(shape)} bytes in {path}, as its header says, "
            f"but got {len(content)}: the file is damaged or incomplete, fetch it again."
        )
    array = torch.frombuffer(bytearray(content), dtype=torch.uint8)[header:].reshape(shape)
    return array if dims == 3 else array.long()


def _scaled(images: Tensor) -> Tensor:
    return images.unsqueeze(1).float() / 255
