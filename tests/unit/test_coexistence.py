"""Growth of the solid, and the search for where it stops, on series with known answers."""

import numpy as np
import pytest

from dpchannel.physics import coexistence
from dpchannel.physics.coexistence import Motion

TIME = np.linspace(0, 24, 121)  # ps, as in the standard profile
PERIODS = 8  # of the crystal along the normal
LENGTH = 60.0  # A
RULES = {"moved": 1 / PERIODS, "over_noise": 2.0, "gone": 1 / PERIODS}


def wander(rng, tau_ps, size):
    """A stationary, correlated series of that standard deviation; for tau = inf a random walk."""
    step, x = TIME[1] - TIME[0], rng.standard_normal(len(TIME))
    if np.isinf(tau_ps):
        return np.cumsum(x) * size / np.sqrt(len(TIME))
    keep = np.exp(-step / tau_ps)
    for k in range(1, len(x)):
        x[k] = keep * x[k - 1] + np.sqrt(1 - keep**2) * x[k]
    return size * x


def watched(passed, tau_ps=0.1, seed=2, size=0.02):
    """Both sides of a cell whose two interfaces pass over `passed` periods in all of TIME.

    `size` is the standard deviation of each interface's place, in periods.
    """
    rng = np.random.default_rng(seed)
    at = [passed * TIME / TIME[-1] + wander(rng, tau_ps, size) for _ in range(2)]
    return np.clip(0.25 + np.array(at).T / PERIODS, 0, 0.5)


def moving(sides):
    return coexistence.motion(sides, TIME, LENGTH, **RULES)


@pytest.mark.parametrize(
    ("passed", "verdict"), [(1.5, "grows"), (-1.5, "shrinks"), (0.0, "stands"), (0.6, "stands")]
)
def test_the_velocity_is_that_of_each_interface(passed, verdict):
    found = moving(watched(passed))
    assert found.verdict == verdict
    # each wanders by 0.02 periods of 7.5 A, hardly correlated: 0.15 A over 24 ps, 121 frames
    assert found.velocity_A_per_ps == pytest.approx(passed * LENGTH / PERIODS / 24, abs=0.01)
    assert found.moved_A == pytest.approx((passed * LENGTH / PERIODS,) * 2, abs=0.3)


@pytest.mark.parametrize("tau_ps", [1.0, 3.0, 6.0, 12.0, np.inf])
@pytest.mark.parametrize("size", [0.2, 0.28])
def test_an_interface_that_wanders_is_no_growth_and_one_that_moves_is_found(tau_ps, size):
    """0.28 periods for each is 5 % of the cell for both, correlated over up to half the run."""
    seeds = range(200)
    still = [moving(watched(0.0, tau_ps, seed, size)).verdict for seed in seeds]
    assert sum(verdict != "stands" for verdict in still) <= 2  # 1 %
    for passed, right in ((2.0, "grows"), (-2.0, "shrinks")):
        moved = [moving(watched(passed, tau_ps, seed, size)).verdict for seed in seeds]
        assert sum(verdict == right for verdict in moved) >= 0.95 * len(moved)
        assert {"grows": "shrinks", "shrinks": "grows"}[right] not in moved


def test_interfaces_that_move_opposite_ways_are_a_crystal_that_travels():
    sides = watched(2.0)
    sides[:, 1] = 0.5 - sides[:, 1]
    assert moving(sides).verdict == "stands"


def test_a_lone_excursion_of_one_interface_is_no_growth():
    sides = watched(0.0)
    sides[:, 0] = watched(2.0)[:, 0]
    assert moving(sides).verdict == "stands"


@pytest.mark.parametrize("velocity", [-0.5, -1.0, -2.0, 1.0, 2.0])
def test_the_velocity_ends_where_one_phase_does(velocity):
    """30 A of either, two interfaces: at 1 A/ps all is over after 15 ps."""
    noise = 0.003 * np.random.default_rng(1).standard_normal((121, 2))
    sides = np.clip(0.25 + velocity * TIME / LENGTH, 0, 0.5)[:, None] + noise
    found = moving(sides)
    assert found.verdict == ("grows" if velocity > 0 else "shrinks")
    assert found.velocity_A_per_ps == pytest.approx(velocity, rel=0.03)
    # until one period is left: (30 - 7.5) A / 2 of each
    assert found.until_ps == pytest.approx(min(24.0, 11.25 / abs(velocity)), abs=0.4)


def test_one_that_is_gone_at_once_has_shrunk_without_a_velocity():
    sides = np.where(TIME < 0.5, 0.25, 0.0)[:, None] * np.ones(2)
    found = moving(sides)
    assert found.verdict == "shrinks" and np.isnan(found.velocity_A_per_ps)
    assert moving(0.5 - sides).verdict == "grows"


def found_with(t_m, slowest=0.02):
    """What runs would say around T_m; within `slowest` x 1000 K nothing moves in the time given."""

    def at(kelvin):
        v = (t_m - kelvin) / 1000
        verdict = "stands" if abs(v) < slowest else "grows" if v > 0 else "shrinks"
        return Motion(verdict, v, 0.01, 0.5, 0.5 + v)

    return at


def searched(at, **limits):
    """What a search with these limits and `runs` runs finds."""
    runs, found = limits.pop("runs"), {}
    while len(found) < runs:
        left = runs - len(found)
        kelvin = coexistence.next_temperature_K(found, **limits, runs_left=left)
        if kelvin is None:
            break
        assert kelvin not in found
        found[kelvin] = at(kelvin)
    return found


@pytest.mark.parametrize("t_m", [530.0, 652.0, 901.0, 1190.0, 1290.0])
def test_the_search_closes_in(t_m):
    at = found_with(t_m, slowest=0.0)
    found = searched(at, low_K=500, high_K=1300, tolerance_K=60, runs=12)
    b = coexistence.bracket(found)
    assert len(found) < 12 and b.kind == "bracket"
    assert b.low_K < t_m < b.high_K and b.high_K - b.low_K <= 60
    value, error = coexistence.zero_crossing_K(found)
    assert value == pytest.approx(t_m, abs=1e-9)  # velocities are a straight line
    # 0.01 A/ps over 1e-3 A/ps/K at each end, added in squares and weighted: 7 to 10 K
    assert 7 <= error <= 10


@pytest.mark.parametrize("t_m", range(720, 1500, 20))
@pytest.mark.parametrize("slowest", [0.0, 0.05, 0.15])
def test_three_runs_give_a_bracket_wherever_the_ends_tell(t_m, slowest):
    """The quick profile: an end of the search that was never run is no end of a bracket."""
    at = found_with(t_m, slowest)
    found = searched(at, low_K=700, high_K=1500, tolerance_K=200, runs=3)
    tells = at(700.0).verdict == "grows" and at(1500.0).verdict == "shrinks"
    b = coexistence.bracket(found)
    if tells:
        assert b.kind == "bracket", (found, b)
    assert (b.low_K or 0) <= t_m <= (b.high_K or 9999)


def test_a_temperature_that_failed_is_not_tried_again():
    found = {900.0: Motion("shrinks", -0.1, 0.01, 0.5, 0.3)}
    limits = {"low_K": 700, "high_K": 1500, "tolerance_K": 50, "runs_left": 4}
    assert coexistence.next_temperature_K(found, **limits) == 800
    assert coexistence.next_temperature_K(found, **limits, failed=[800.0]) == 750


def test_where_nothing_moves_the_search_still_narrows_from_both_sides():
    at = found_with(900.0, slowest=0.05)
    found = searched(at, low_K=500, high_K=1300, tolerance_K=30, runs=20)
    b = coexistence.bracket(found)
    assert b.low_K < 900 < b.high_K and b.high_K - b.low_K < 200


def test_a_solid_that_never_grows_gives_an_upper_bound():
    slow = {kelvin: Motion("stands", 0.0, 0.1, 0.5, 0.5) for kelvin in (600.0, 800.0)}
    b = coexistence.bracket(slow | {1000.0: Motion("shrinks", -0.3, 0.1, 0.5, 0.1)})
    assert (b.kind, b.high_K, b.text) == (
        "upper_bound", 1000.0, "the solid never grew in the time given",
    )  # fmt: skip
    assert coexistence.zero_crossing_K(slow) is None
    assert coexistence.bracket(slow).kind == "none"


def test_growing_above_shrinking_is_said():
    found = {
        700.0: Motion("grows", 0.1, 0.01, 0.5, 0.6),
        800.0: Motion("shrinks", -0.1, 0.01, 0.5, 0.4),
        900.0: Motion("grows", 0.1, 0.01, 0.5, 0.6),
        1000.0: Motion("shrinks", -0.1, 0.01, 0.5, 0.4),
    }
    b = coexistence.bracket(found)
    assert (b.low_K, b.high_K) == (700, 1000) and "too short or too small" in b.text
    limits = {"low_K": 500, "high_K": 1300, "tolerance_K": 10, "runs_left": 5}
    assert coexistence.next_temperature_K(found, **limits) is None
