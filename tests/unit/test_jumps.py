"""Waits, direction and company of hops whose answer is known."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from dpchannel.physics.hops import Hops
from dpchannel.physics.jumps import (
    concerted,
    direction,
    independence,
    neighbours,
    persistence,
    stays,
    waits,
)

TIME = np.arange(1001) * 0.1  # 100 ps
WINDOWS = (1.0, 3.0, 10.0)


def made(*rows):
    """Hops from (frame, ion, step) in any order."""
    frame, ion, step = np.array(sorted(rows), np.int64).reshape(-1, 3).T
    return Hops(frame, ion, step)


def random_hops(rng, n_ion, rate_ps):
    rows = [
        (int(frame), ion, int(rng.choice((-1, 1))))
        for ion in range(n_ion)
        for frame in rng.integers(1, 1001, rng.poisson(100 * rate_ps))
    ]
    return made(*rows)


def test_waits_are_the_times_between_hops_of_one_ion_and_the_last_is_cut():
    found = waits(made((100, 0, 1), (300, 0, 1), (350, 1, 1), (600, 0, -1)), TIME)
    assert_allclose(sorted(found.complete), [20.0, 30.0])
    assert_allclose(sorted(found.cut), [40.0, 65.0])


def test_survival_of_random_hops_is_that_of_their_rate():
    """2000 ions at 0.02 per ps: exp(-rate t) where the run ends wherever it does."""
    time, part = waits(random_hops(np.random.default_rng(1), 2000, 0.02), TIME).survival()
    assert (time[0], part[0]) == (0.0, 1.0)
    at = np.interp([10.0, 30.0, 60.0], time, part)
    # about 2300 waits, fewer at the end: 1 to 2 % each, three of those
    assert_allclose(at, np.exp(-0.02 * np.array([10.0, 30.0, 60.0])), atol=0.045)


def test_no_hop_has_no_waits_and_no_direction():
    nothing = Hops(*(np.empty(0, np.int64) for _ in range(3)))
    assert_array_equal(np.concatenate(waits(nothing, TIME).survival()), [0.0, 1.0])
    assert direction(nothing).pairs == 0
    found = concerted(nothing, [np.arange(4)], TIME, 1.0)
    assert (found.same, found.expected, found.ratio) == (0, 0.0, None)


def test_an_ion_that_rattles_between_two_sites_only_turns_back():
    rattling = made(*((10 * k, 0, 1 if k % 2 else -1) for k in range(1, 41)))
    found = direction(rattling)
    assert (found.forward, found.pairs) == (0, 39)
    assert found.interval[1] < 0.1


def test_random_hops_go_on_half_of_the_time():
    found = direction(random_hops(np.random.default_rng(2), 400, 0.05))
    low, high = found.interval
    assert low < 0.5 < high and high - low < 0.1


def test_hops_of_two_ions_do_not_make_a_pair_of_one():
    assert direction(made((10, 0, 1), (20, 1, 1))).pairs == 0


def test_each_ion_has_two_neighbours_on_a_ring_and_two_ions_are_one_pair():
    assert_array_equal(neighbours([np.array([3, 1, 2])]), [[3, 1], [1, 2], [2, 3]])
    assert_array_equal(neighbours([np.array([0, 1]), np.array([5])]), [[0, 1]])


def test_independent_ions_move_together_as_often_as_chance_says():
    """Sum over 200 runs of 4 ions: the expectation is met within three Poisson errors."""
    rng = np.random.default_rng(3)
    runs = [concerted(random_hops(rng, 4, 0.05), [np.arange(4)], TIME, 2.0) for _ in range(200)]
    expected = sum(run.expected for run in runs)
    for seen in (sum(run.same for run in runs), sum(run.opposite for run in runs)):
        assert abs(seen - expected) < 3 * np.sqrt(2 * expected)  # pairs that share a hop: wider


def test_a_column_that_slides_is_concerted():
    """Four ions hop up within 0.5 ps, five times."""
    rows = [(200 * k + 2 * ion, ion, 1) for k in range(1, 5) for ion in range(4)]
    found = concerted(made(*rows), [np.arange(4)], TIME, 0.7)
    assert (found.same, found.opposite) == (16, 0)  # four pairs of neighbours, four times
    assert found.ratio[1] > 5 and found.chance < 1e-6


def test_stays_before_the_first_hop_and_after_it():
    """Ion 0 leaves at 10 ps and returns at 12 ps, ion 1 leaves at 40 ps, ion 2 stays: 100 ps."""
    found = made((100, 0, 1), (120, 0, -1), (400, 1, 1))
    (first, before), (later, after) = stays(found, TIME, 3)
    assert_allclose(first, [1, 1, 0])
    assert_allclose(before, [10, 40, 100])
    assert_allclose(later, [1, 0, 0])
    assert_allclose(after, [90, 60, 0])


def test_hops_that_come_together_are_not_called_independent():
    columns = [np.arange(4)]
    apart = made((100, 0, 1), (300, 1, 1), (500, 2, 1), (800, 3, 1))
    assert independence(apart, columns, TIME, WINDOWS).ok
    slide = made((500, 0, 1), (502, 1, 1), (504, 2, 1), (506, 3, 1))
    check = independence(slide, columns, TIME, WINDOWS)
    assert not check.ok
    assert "too narrow" in check.text
    sweep = made((500, 0, 1), (520, 1, 1), (540, 2, 1), (560, 3, 1))  # 2 ps from one to the next
    assert independence(sweep, columns, TIME, [1.0]).ok
    assert not independence(sweep, columns, TIME, WINDOWS).ok


def test_independent_hops_pass_in_19_of_20_runs():
    """More windows, but no more false alarms: 5 % of 200 runs, and four errors of that count."""
    rng = np.random.default_rng(5)
    found = [
        independence(random_hops(rng, 8, 0.05), [np.arange(8)], TIME, WINDOWS).ok
        for _ in range(200)
    ]
    assert np.mean(found) > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 200)


def test_without_hops_nothing_speaks_against_independence():
    check = independence(made(), [np.arange(4)], TIME, WINDOWS)
    assert check.ok and "nothing to test" in check.text


def test_neighbours_in_other_channels_do_not_count():
    rows = [(100, 0, 1), (101, 2, 1)]
    assert concerted(made(*rows), [np.array([0, 1]), np.array([2, 3])], TIME, 1.0).same == 0


def test_hops_that_are_taken_back_do_not_add_up():
    """Eight ions hop out and back: by chance 1 in 256, so their number overstates D."""
    out_and_back = made(*((f, ion, step) for ion in range(8) for f, step in ((10, 1), (90, -1))))
    quantities, check = persistence(out_and_back)
    assert (quantities["n_returns"].value, quantities["n_returns"].n) == (8, 8)
    assert not check.ok and "8 of 8 later hops" in check.text and "0.39 %" in check.text
    onward = made(*((f, ion, 1) for ion in range(8) for f in (10, 90)))
    assert persistence(onward)[1].ok
    assert persistence(made())[1].ok


def test_random_hops_add_up():
    """The check fails in one run of twenty by chance: in more than three of ten, once in 1000."""
    rng = np.random.default_rng(2)
    found = [persistence(random_hops(rng, 200, 0.05)) for _ in range(10)]
    assert sum(not check.ok for _, check in found) <= 3
    back, n = (sum(getattr(q["n_returns"], key) for q, _ in found) for key in ("value", "n"))
    assert_allclose(back / n, 0.5, atol=3 * 0.5 / np.sqrt(n))
