"""Vibration, slopes of atoms at rest, and densities that keep their number."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.physics.density import Slice, SliceDensity
from dpchannel.physics.rigidity import AtRest


def seen(x):
    """By blocks of atoms, 0.5 ps between frames and 2.5 A between sites."""
    found = AtRest(0.5, apart_A=2.5, max_lag_fraction=0.5)
    for block in np.array_split(x, 3, axis=1):
        found.add(block)
    return found


def test_vibration_is_the_distance_from_the_mean_site():
    x = 5.0 + 0.2 * np.random.default_rng(1).normal(size=(400, 50, 3))
    found = seen(x).vibration()
    assert_allclose(found.value, 0.2 * np.sqrt(3), atol=4 * found.stderr)
    assert 0 < found.stderr < 0.01


def test_atoms_at_rest_are_bounded_by_the_moves_that_nobody_saw():
    """3.0 moves of 2.5 A in 60 atoms x 90 ps: D = 3.0 / 5400 / ps x 6.25 A^2 / 6. No less."""
    rest = 0.2 * np.random.default_rng(2).normal(size=(200, 60, 3))
    found = seen(rest).diffusion()
    assert found.kind == "upper_bound" and found.n == 0
    assert_allclose(found.value, 2.996 / (60 * 90) * 2.5**2 / 6 * 1e-4, rtol=1e-3)


def test_moving_atoms_have_a_bound_above_their_d():
    steps = np.random.default_rng(2).normal(size=(200, 60, 3))
    walk = np.sqrt(2 * 0.1 * 0.5) * steps.cumsum(axis=0)  # D = 0.1 A^2/ps = 1e-5 cm2/s
    found = seen(walk).diffusion()
    assert 1e-5 < found.value < 3e-5 and "of 60 atoms moved" in found.method


@pytest.mark.parametrize("frame", [25, 90, 170])
def test_a_move_that_is_seen_raises_the_bound(frame):
    """One move allows 4.74, none 3.0: whenever it comes, however little it adds to the slope."""
    rest = 0.2 * np.random.default_rng(2).normal(size=(200, 60, 3))
    still = seen(rest).diffusion()
    rest[frame:, 7, 0] += 2.5
    found = seen(rest).diffusion()
    assert "1 of 60 atoms moved" in found.method and found.n == 1
    assert found.value >= 1.58 * still.value


def test_two_frames_bound_nothing():
    found = seen(np.zeros((3, 5, 3))).diffusion()
    assert found.value is None


def test_a_projection_holds_every_atom_in_any_cell():
    """Integrated over the cell the density is the number of atoms, smoothed or not."""
    cell = np.array([[10.0, 0, 0], [-5.0, 8.66, 0], [0, 0, 7.5]])
    scaled = np.random.default_rng(3).random((30, 40, 3)) * 3 - 1
    found = SliceDensity(cell, Slice((0, 1)), bin_A=0.5)
    for block in (scaled[:7], scaled[7:, :11], scaled[7:, 11:]):  # of frames or of atoms
        found.add(block)
    density = found.density(30, width_A=0.4)
    assert_allclose(density.mean() * np.linalg.det(cell), 40, rtol=1e-6)


def test_a_slice_holds_what_lies_in_it_across_the_edge_of_the_cell():
    cell = np.diag([10.0, 20.0, 8.0])
    scaled = np.array([[[0.5, 0.98, 0.5], [0.5, 0.5, 0.5], [0.1, 0.04, 0.2]]])
    found = SliceDensity(cell, Slice((0, 2), 0.0, 2.0), bin_A=0.5)
    found.add(scaled)
    density = found.density(1, width_A=0.0)
    assert_allclose(density.sum() * 0.5**2 * 2.0, 2.0)  # 0.4 and 0.8 A from the plane, not 10
    assert_allclose(density[2, 3] * 0.5**2 * 2.0, 1.0)
