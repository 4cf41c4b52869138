"""What counts as a hop."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dpchannel.errors import InputError
from dpchannel.physics.hops import hops, lattice_phase, site_index

D = 3.74


def path(*stays):
    """Positions (n_frame, 1) A from (site, frames) stays; fractions of a site are between sites."""
    return np.concatenate([np.full(n, site * D) for site, n in stays])[:, None]


def count(along, **changes):
    given = {"period_A": D, "inner_radius_A": 1.0, "residence_ps": 0.5, "dt_ps": 0.1} | changes
    return hops(along, np.array([0.0]), **given)


def test_a_stay_in_the_next_site_is_one_hop_at_the_frame_of_arrival():
    found = count(path((0, 10), (0.5, 3), (1, 10)))
    assert_array_equal([found.frame, found.ion, found.step], [[13], [0], [1]])


def test_undone_within_the_residence_is_no_hop():
    assert len(count(path((0, 10), (1, 3), (0, 10)))) == 0


def test_return_after_the_residence_is_two_hops():
    assert_array_equal(count(path((0, 10), (1, 10), (0, 10))).step, [1, -1])


def test_rattling_on_the_way_is_one_hop():
    found = count(path((0, 10), (1, 2), (0, 2), (1, 2), (0.5, 1), (1, 10)))
    assert_array_equal(found.step, [1])


def test_leaving_without_arriving_is_no_hop():
    assert len(count(path((0, 10), (0.5, 20), (0, 10), (-0.5, 20)))) == 0


def test_arrival_too_late_to_stay_is_no_hop():
    assert len(count(path((0, 10), (1, 5)))) == 0  # five frames span 0.4 ps
    assert len(count(path((0, 10), (1, 6)))) == 1


def test_passing_through_a_site_is_one_hop_of_two_sites():
    assert_array_equal(count(path((0, 10), (1, 2), (2, 10))).step, [2])


def test_sites_are_counted_without_bound_along_a_periodic_column():
    found = count(path(*[(k, 8) for k in range(0, -30, -1)]))
    assert_array_equal(found.step, -np.ones(29))


def test_vibration_is_no_hop():
    noise = np.random.default_rng(1).normal(size=(20000, 4)) * 0.5
    assert len(count(noise)) == 0


def test_ions_are_told_apart_and_hops_come_in_order_of_time():
    along = np.hstack([path((0, 30), (1, 10)), path((3, 10), (2, 30))])
    found = count(along)
    assert_array_equal([found.frame, found.ion, found.step], [[10, 30], [1, 0], [-1, 1]])


def test_moving_sites_carry_their_ions():
    """Sites that slide with the ion make no hop; sites at rest under the same ion do."""
    slide = np.linspace(0, 2 * D, 100)
    along = (1.0 + slide)[:, None]
    moving = slide[:, None] + np.array([1.0, 1.0 + D])
    given = {"period_A": 2 * D, "inner_radius_A": 1.0, "residence_ps": 0.5, "dt_ps": 0.1}
    assert len(hops(along, moving, **given)) == 0
    assert len(hops(along, moving[0], **given)) == 2


def test_uneven_sites_in_any_order_are_numbered_along_the_axis():
    index, offset = site_index(
        np.array([[0.1], [3.1], [10.2], [-6.8]]), np.array([3.0, 0.0]), period_A=10.0
    )
    assert_array_equal(index[:, 0], [0, 1, 2, -1])
    np.testing.assert_allclose(offset[:, 0], [0.1, 0.1, 0.2, 0.2], atol=1e-12)


def test_lattice_phase_is_where_the_ions_sit():
    rng = np.random.default_rng(2)
    along = 1.2 + D * rng.integers(-5, 5, size=(400, 3)) + 0.2 * rng.normal(size=(400, 3))
    phase = lattice_phase(along, D)
    np.testing.assert_allclose(phase, 1.2, atol=4 * 0.2 / np.sqrt(1200))


def test_inner_radius_that_reaches_the_next_site_is_refused():
    with pytest.raises(InputError, match="inner_radius_A"):
        count(path((0, 10)), inner_radius_A=1.9)
