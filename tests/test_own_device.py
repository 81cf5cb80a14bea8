"""What "Write your own device and circuit" shows does what it says."""

import doctest
import pathlib

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "own_device.rst"


def test_the_examples_of_the_page_run():
    results = doctest.testfile(str(PAGE), module_relative=False)
    assert results.attempted
    assert not results.failed
