"""Coordinates on disk answer as the array they hold, and read no more than they must."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dpchannel.md.ondisk import OnDisk, atom_blocks, frame_blocks, in_h5

DATA = np.random.default_rng(1).normal(size=(7, 5, 3))
KEYS = [
    *(3, -1, slice(None), slice(1, 6, 2), slice(None, None, -1), [4, 0], np.array([2, 5])),
    (slice(None), slice(1, 3)),
    (slice(2, 5), [0, 4]),
    (slice(None), np.array([True, False, True, False, False])),
    (2, slice(1, 4)),
    (2, [3, 1], 0),
    (slice(None), 4),
    (slice(None), slice(None), 2),
    (np.array([0, 6]), slice(0, 2), slice(1, None)),
]


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = DATA
    return tmp_path / "x.h5"


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_any_slice_is_that_of_the_array(file, key):
    assert_array_equal(in_h5(file, "a")[key], DATA[key])


def test_frames_one_by_one_and_as_a_whole(file):
    stream = in_h5(file, "a")
    assert len(stream) == 7
    assert_array_equal(np.array(list(stream)), DATA)
    assert_array_equal(np.subtract(stream, DATA), 0)


def test_blocks_cover_everything_once_and_only_they_are_read():
    asked = []

    def read(frames, atoms):
        asked.append((frames, atoms))
        return np.zeros((len(range(7)[frames]), len(range(5)[atoms]), 3))

    stream = OnDisk((7, 5, 3), read)
    assert stream[:, 1:3].shape == (7, 2, 3)
    ((frames, atoms),) = asked
    assert (range(7)[frames], range(5)[atoms]) == (range(7), range(1, 3))
    for blocks, n in ((frame_blocks((20000, 20992, 3)), 20000), (atom_blocks((201, 9, 3)), 9)):
        assert [k for part in blocks for k in range(n)[part]] == list(range(n))


def test_a_file_put_in_place_of_an_open_one_changes_nothing(file, tmp_path):
    stream = in_h5(file, "a")
    with h5py.File(tmp_path / "new.h5", "w") as new:
        new["a"] = 0 * DATA
    (tmp_path / "new.h5").replace(file)
    assert_array_equal(stream[:], DATA)
