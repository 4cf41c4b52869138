"""Vibration, slopes of atoms at rest, and densities that keep their number."""

import numpy as np
from numpy.testing import assert_allclose

from dpchannel.physics.density import Slice, slice_density
from dpchannel.physics.rigidity import late_slope, vibration


def test_vibration_is_the_distance_from_the_mean_site():
    x = 5.0 + 0.2 * np.random.default_rng(1).normal(size=(400, 50, 3))
    found = vibration(x)
    assert_allclose(found.value, 0.2 * np.sqrt(3), atol=4 * found.stderr)
    assert 0 < found.stderr < 0.01


def test_atoms_at_rest_have_a_small_bound_and_moving_ones_a_large_one():
    rng = np.random.default_rng(2)
    rest = 0.2 * rng.normal(size=(200, 60, 3))
    found = late_slope(rest, 0.5, max_lag_fraction=0.5)
    assert found.kind == "upper_bound" and 0 < found.value < 2e-8
    walk = rest + np.sqrt(2 * 0.1 * 0.5) * rng.normal(size=(200, 60, 3)).cumsum(axis=0)
    assert late_slope(walk, 0.5, max_lag_fraction=0.5).value > 0.1e-4  # D = 0.1 A^2/ps


def test_two_frames_bound_nothing():
    assert late_slope(np.zeros((3, 5, 3)), 0.5, max_lag_fraction=0.5).value is None


def test_a_projection_holds_every_atom_in_any_cell():
    """Integrated over the cell the density is the number of atoms, smoothed or not."""
    cell = np.array([[10.0, 0, 0], [-5.0, 8.66, 0], [0, 0, 7.5]])
    scaled = np.random.default_rng(3).random((30, 40, 3)) * 3 - 1
    density = slice_density(scaled, cell, Slice((0, 1)), bin_A=0.5, width_A=0.4)
    assert_allclose(density.mean() * np.linalg.det(cell), 40, rtol=1e-6)


def test_a_slice_holds_what_lies_in_it_across_the_edge_of_the_cell():
    cell = np.diag([10.0, 20.0, 8.0])
    scaled = np.array([[[0.5, 0.98, 0.5], [0.5, 0.5, 0.5], [0.1, 0.04, 0.2]]])
    density = slice_density(scaled, cell, Slice((0, 2), 0.0, 2.0), bin_A=0.5, width_A=0.0)
    assert_allclose(density.sum() * 0.5**2 * 2.0, 2.0)  # 0.4 and 0.8 A from the plane, not 10
    assert_allclose(density[2, 3] * 0.5**2 * 2.0, 1.0)
