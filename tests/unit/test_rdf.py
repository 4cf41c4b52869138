"""g(r) in periodic cells of any shape."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.physics.rdf import rdf

CELL = np.array([[10.0, 0, 0], [-4.0, 9.0, 0], [1.0, 3.0, 12.0]])


@pytest.mark.parametrize("r_max_A", [4.0, 14.0])  # less than half the cell, and more than the cell
def test_ideal_gas_is_one(r_max_A):
    scaled = np.random.default_rng(1).random((20, 150, 3)) * 3 - 1  # wrapped or not
    _, g = rdf(scaled, np.repeat(CELL[None], 20, axis=0), r_max_A=r_max_A, n_bin=8)
    # pairs in the first bin: 20 frames x 150^2/2 x (shell / V); four Poisson errors
    shells = 4 / 3 * np.pi * np.diff(np.linspace(0, r_max_A, 9) ** 3)
    pairs = 20 * 150**2 / 2 * shells / abs(np.linalg.det(CELL))
    assert np.all(np.abs(g - 1) < 4 / np.sqrt(pairs) + 0.01)


def test_two_species_of_an_ideal_gas_are_one():
    scaled = np.random.default_rng(2).random((10, 300, 3))
    a, b = np.arange(100), np.arange(100, 300)
    cells = np.repeat(CELL[None], 10, axis=0)
    _, g = rdf(scaled, cells, r_max_A=6.0, n_bin=3, index_a=a, index_b=b)
    assert_allclose(g, 1.0, atol=0.08)  # first bin: 6000 pairs, 1.3 %; density is not resampled


def test_simple_cubic_shells_hold_six_and_twelve():
    grid = np.stack(np.meshgrid(*[np.arange(3) / 3] * 3), axis=-1).reshape(-1, 3)
    cell = np.eye(3)[None] * 6.0
    r, g = rdf(grid[None], cell, r_max_A=3.0, n_bin=60)
    shells = 4 / 3 * np.pi * ((r + 0.025) ** 3 - (r - 0.025) ** 3)
    neighbours = g * shells * 26 / 216
    near = np.abs(r - 2.0) < 0.1
    far = np.abs(r - 2.0 * np.sqrt(2)) < 0.1
    assert_allclose(neighbours[near].sum(), 6, rtol=1e-10)
    assert_allclose(neighbours[far].sum(), 12, rtol=1e-10)


def test_overlapping_sets_are_refused():
    with pytest.raises(InputError, match="overlap"):
        rdf(
            np.zeros((1, 4, 3)),
            CELL[None],
            r_max_A=1.0,
            n_bin=2,
            index_a=np.array([0, 1]),
            index_b=np.array([1, 2]),
        )
