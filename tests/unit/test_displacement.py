"""Displacements in a breathing, drifting cell, and the conditions for a lattice frame."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.errors import NotConverged, TrajectoryError
from dpchannel.physics import displacement
from dpchannel.physics.displacement import framework_centre, lattice_frame, summed_increments
from dpchannel.physics.msd import msd

CELL = np.array([[20.0, 0, 0], [-9.0, 16.0, 0], [1.0, 2.0, 30.0]])


def crystal(seed: int, n_frame: int = 2000, n_framework: int = 40, n_walker: int = 30):
    """Walkers with D = 0.5 A^2/ps per axis (dt = 1 ps) in a breathing triclinic cell that drifts.

    Returns scaled coordinates (framework first), masses, cells, walker paths in A.
    """
    rng = np.random.default_rng(seed)
    breathing = 1 + 0.01 * np.sin(np.arange(n_frame) * 0.7)[:, None, None]
    cells = CELL * (breathing + 0.002 * rng.normal(size=(n_frame, 3, 3)))
    walk = rng.normal(size=(n_frame, n_walker, 3)).cumsum(axis=0)
    walk -= walk[0]
    grid = np.stack(np.meshgrid(*[np.arange(4) / 4] * 3), axis=-1).reshape(-1, 3)
    sites = np.concatenate([grid[:n_framework], rng.random((n_walker, 3))])
    vibration = rng.normal(size=(n_frame, n_framework, 3)) * 0.1
    masses = np.where(np.arange(n_framework) % 3 == 0, 31.0, 207.0)
    vibration -= np.average(vibration, axis=1, weights=masses)[:, None]
    moves = np.concatenate([vibration, walk], axis=1) @ np.linalg.inv(cells.mean(axis=0))
    drift = rng.normal(size=(n_frame, 1, 3)).cumsum(axis=0) * 0.003
    return sites + moves + drift, masses, cells, walk


def test_walker_in_a_breathing_drifting_cell_gives_back_its_path():
    scaled, masses, cells, walk = crystal(1)
    centre = framework_centre(scaled[:, :40], masses)
    found = lattice_frame(scaled[:, 40:], centre, cells)
    # what is left of the framework's vibration is its first frame: u is fixed at t = 0
    assert_allclose(found - found[0], walk - walk[0], rtol=0, atol=1e-9)
    # and the drift that was taken out matters: 2000 steps of 0.003 x 20 A move by 2-3 A
    lab = scaled[:, 40:] @ cells.mean(axis=0)
    assert np.abs((lab - lab[0]) - (walk - walk[0])).max() > 0.5


def test_centre_is_mass_weighted_and_zero_at_the_start():
    scaled = np.zeros((2, 2, 3))
    scaled[1, 0, 0], scaled[1, 1, 0] = 0.1, 0.4
    assert_allclose(framework_centre(scaled, np.array([3.0, 1.0]))[:, 0], [0, 0.175], atol=1e-15)


def test_scaled_scheme_agrees_with_summed_minimum_image_increments_in_a_crystal():
    """Without drift of the framework both schemes give one MSD, wrapped or not."""
    scaled, masses, cells, _ = crystal(2)
    centre = framework_centre(scaled[:, :40], masses)
    still = scaled - centre[:, None]
    frame = lattice_frame(scaled[:, 40:], centre, cells)
    wrapped = still[:, 40:] - np.floor(still[:, 40:])
    summed = summed_increments(wrapped, cells)
    # cells fluctuate by 0.7 %, independent of the steps: the MSD differs by their square at most,
    # and by the chance correlation of one with the other
    assert_allclose(msd(summed, n_lag=200)[1:], msd(frame, n_lag=200)[1:], rtol=3e-3)


def test_summed_increments_of_a_wrapped_ballistic_atom_are_its_path():
    scaled = np.zeros((50, 1, 3))
    scaled[:, 0, 2] = 0.13 * np.arange(50)
    cells = np.repeat(CELL[None], 50, axis=0)
    path = summed_increments(scaled % 1.0, cells)
    assert_allclose(path - path[0], scaled @ CELL, atol=1e-10)


def test_stationary_cell_passes_and_a_creeping_one_does_not():
    rng = np.random.default_rng(3)
    noise = 1 + 0.002 * rng.normal(size=(500, 1, 1))
    ok, text = displacement.check_stationary(CELL * noise)
    assert ok, text
    creeping = CELL * (noise + np.linspace(0, 0.02, 500)[:, None, None])
    ok, text = displacement.check_stationary(creeping)
    assert not ok and "equilibrate longer" in text


def test_constant_cell_is_stationary():
    assert displacement.check_stationary(np.repeat(CELL[None], 30, axis=0))[0]


def test_flip_is_seen_at_its_frame():
    cells = np.repeat(CELL[None], 20, axis=0)
    assert displacement.check_no_flips(cells)[0]
    cells[7:, 1] += cells[7:, 0]
    ok, text = displacement.check_no_flips(cells)
    assert not ok and "frame 7" in text


def test_lost_image_flag_is_refused_with_its_frame():
    scaled, _, _, _ = crystal(4, n_frame=50)
    # ions hop by a quarter of the cell: that is no lost image
    atoms = np.arange(40, 40 + scaled.shape[1])
    assert 0.2 < displacement.require_unwrapped(scaled, "run.h5", atoms) < 0.3
    scaled[30:, 5, 1] -= 1
    with pytest.raises(TrajectoryError, match=r"run\.h5: at frame 130 atom 45 .* along b.*xsu ysu"):
        displacement.require_unwrapped(scaled, "run.h5", atoms, first=100)


def test_framework_atom_that_leaves_its_site_refuses_the_lattice_frame():
    scaled, masses, cells, _ = crystal(5, n_frame=200)
    centre = framework_centre(scaled[:, :40], masses)
    framework = lattice_frame(scaled[:, :40], centre, cells)
    mean_cell = cells.mean(axis=0)
    found = displacement.distance_from_sites(framework)
    assert "limit" in displacement.require_framework(*found, mean_cell)
    framework[150:, 3] += mean_cell[0] / 4  # to the next site
    with pytest.raises(NotConverged, match=r"run\.h5: .*no lattice frame"):
        displacement.require_framework(
            *displacement.distance_from_sites(framework), mean_cell, "run.h5"
        )


def test_nearest_framework_distance_is_seen_across_the_boundary():
    """Limit is half of the shortest distance, here across the face: 0.1 x 10 A = 1 A."""
    sites = np.array([[0.05, 0.5, 0.5], [0.95, 0.5, 0.5]]) * 10
    _, text = displacement.check_framework(sites, np.zeros(1), np.eye(3) * 10)
    assert "limit 0.50 A" in text


def test_moving_centre_of_mass_is_seen():
    scaled, _, cells, _ = crystal(6, n_frame=100)
    masses = np.ones(scaled.shape[1])
    rest = scaled - framework_centre(scaled, masses)[:, None]

    def ok() -> bool:
        halves = (displacement.mass_moment(rest[:, k::2], masses[k::2]) for k in (0, 1))
        return displacement.check_centre_of_mass(sum(halves), masses.sum(), cells)[0]

    assert ok()
    rest[:, :, 0] += np.linspace(0, 0.1, 100)[:, None]
    assert not ok()


@pytest.mark.parametrize(
    ("step", "frame"), [([0, 10, 20, 20, 30], 3), ([0, 10, 20, 40], 3), ([0, 10, 5], 2)]
)
def test_uneven_steps_are_refused_with_frame_and_remedy(step, frame):
    with pytest.raises(TrajectoryError, match=rf"frame {frame} .*resume the run"):
        displacement.require_even_steps(np.array(step))


def test_even_steps_pass_and_a_single_frame_does_not():
    displacement.require_even_steps(np.arange(5) * 20)
    with pytest.raises(TrajectoryError, match="1 frames"):
        displacement.require_even_steps(np.array([0]))


def test_channel_axis_off_the_cartesian_axis_is_seen():
    assert displacement.check_channel_axis(np.diag([3.0, 4.0, 5.0]), 2)[0]
    assert not displacement.check_channel_axis(CELL, 1)[0]
