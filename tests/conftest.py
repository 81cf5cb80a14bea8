"""Real data for the tests that want it, and one thread for each of the processes that run them."""

import gzip
import os
import pathlib

import numpy as np
import pytest
import torch

if "PYTEST_XDIST_WORKER" in os.environ:  # so many processes, so many cores: a thread for each
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the programs that tests start

SHARED = pathlib.Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def set_threads():
    """``torch.set_num_threads``, undone after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def data_root():
    """Folder with mnist/ and fashion-mnist/, or a skip that says why."""
    root = pathlib.Path(os.environ.get("SNNTORCH_MEMRISTIVE_DATA", SHARED))
    if not (root / "mnist").is_dir():
        pytest.skip("no MNIST here: set SNNTORCH_MEMRISTIVE_DATA to the folder that holds mnist/")
    return root


@pytest.fixture(scope="session")
def mnist_batch(data_root):
    """The first 16 training images (16, 1, 28, 28) in [0, 1] and their labels."""

    def read(name, offset):
        with gzip.open(data_root / "mnist" / name) as file:
            return torch.from_numpy(np.frombuffer(file.read(), np.uint8, offset=offset).copy())

    images = read("train-images-idx3-ubyte.gz", 16)[: 16 * 784].reshape(16, 1, 28, 28).float()
    return images / 255, read("train-labels-idx1-ubyte.gz", 8)[:16].long()
