"""Lines through ln D with bounds: known answers, coverage, and nothing invented."""

from math import inf

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.physics.activation import ActivationLine, Observation, barrier_behind
from dpchannel.physics.intervals import garwood
from dpchannel.units import boltzmann_in_ev_per_k

KT = boltzmann_in_ev_per_k()


def inverse(kelvin):
    return 1 / (KT * kelvin)


def value(x, ln_D, sigma=0.2):
    return Observation(x, ln_D, sigma)


def bound(x, ln_D, n_hops=0):
    return Observation(x, ln_D, n_hops=n_hops)


def test_barrier_behind_a_diffusion_coefficient_gives_it_back():
    """D = nu exp(-E/kT) d^2 / 2, here with kT in eV at 500 K = 0.0430867."""
    energy = barrier_behind(7.3e-6, 500.0, hop_A=3.74, attempts_per_s=1e13)
    rate = 1e13 * np.exp(-energy / 0.0430867)
    assert rate * (3.74e-8) ** 2 / 2 == pytest.approx(7.3e-6, rel=1e-4)
    assert rate == pytest.approx(1.04e10, rel=0.01)  # 10 hops per ns


def test_values_alone_are_weighted_least_squares():
    rng = np.random.default_rng(1)
    x, sigma = np.array([11.6, 14.5, 16.6, 23.2]), np.array([0.1, 0.2, 0.1, 0.4])
    y = -5 - 0.5 * x + sigma * rng.standard_normal(4)
    line = ActivationLine([value(*row) for row in zip(x, y, sigma, strict=True)])
    (slope, level), covariance = np.polyfit(x, y, 1, w=1 / sigma, cov="unscaled")
    error = 1.959964 * np.sqrt(np.diag(covariance))
    found = line.slope()
    assert found.kind == "estimate"
    assert_allclose(found.value, slope, rtol=1e-6)
    assert_allclose([found.low, found.high], [slope - error[0], slope + error[0]], rtol=1e-5)
    at_0 = line.at(0.0)
    assert_allclose([at_0.low, at_0.high], [level - error[1], level + error[1]], rtol=1e-5)
    residual = (y - level - slope * x) / sigma
    assert_allclose(line.chi_square()[0], residual @ residual, rtol=1e-6)
    assert line.chi_square()[1] == 2


def test_a_bound_below_the_line_pulls_it_down_and_one_far_above_does_nothing():
    """With x = 1/kT a low bound where it is cold makes the barrier higher."""
    values = [value(11.6, -10.0), value(14.5, -11.5)]
    free = ActivationLine(values).slope()
    cold = -10.0 - 1.5 / 2.9 * (23.2 - 11.6)
    pulled = ActivationLine([*values, bound(23.2, cold - 2)]).slope()
    kept = ActivationLine([*values, bound(23.2, cold + 15)]).slope()
    assert pulled.value < free.value - 0.01 and pulled.high < free.high - 0.01
    assert_allclose([kept.value, kept.low], [free.value, free.low], rtol=1e-3)


def test_a_bound_is_no_value():
    """As a value at the same place it would hold the line up; as a bound it lets it fall."""
    values = [value(11.6, -10.0), value(14.5, -12.5)]
    as_value = ActivationLine([*values, value(23.2, -15.0)]).slope()
    as_bound = ActivationLine([*values, bound(23.2, -15.0)]).slope()
    assert as_bound.value < as_value.value - 0.05


def test_one_value_and_a_colder_bound_give_a_lower_bound_of_the_barrier():
    """The line through value and bound; beyond it 4.35 counts are allowed in place of 3.0."""
    beyond = np.log(4.35 / 3.0)
    found = ActivationLine([value(11.6, -10.0, 1e-3), bound(23.2, -16.0)]).slope()
    assert found.kind == "upper_bound"
    assert_allclose(found.high, -(6.0 - beyond) / 11.6, rtol=2e-3)
    hotter = ActivationLine([value(23.2, -16.0, 1e-3), bound(11.6, -10.0)]).slope()
    assert hotter.kind == "lower_bound"
    assert_allclose(hotter.low, -(6.0 + beyond) / 11.6, rtol=2e-3)


def test_bounds_on_both_sides_of_one_value_are_a_bracket():
    line = ActivationLine([bound(10.0, -8.0), value(15.0, -10.0, 0.01), bound(20.0, -11.0)])
    found = line.slope()
    assert found.kind == "bracket"
    # beyond a bound of no hop 0.37 in ln D are allowed, over 5 in x
    assert_allclose([found.low, found.high], [-2.0 / 5 - 0.074, -1.0 / 5 + 0.074], atol=0.005)


@pytest.mark.parametrize(
    "few",
    [
        [bound(11.6, -10.0), bound(23.2, -16.0)],
        [bound(11.6, -10.0, 12)],
        [value(11.6, -10.0)],
        [value(11.6, -10.0), value(11.6, -10.2), bound(11.6, -9.0)],
    ],
)
def test_too_few_give_no_number(few):
    line = ActivationLine(few)
    assert not line.determined
    for found in (line.slope(), line.at(15.0)):
        assert (found.value, found.low, found.high, found.kind) == (None, -inf, inf, "")


def test_the_error_grows_away_from_the_values():
    line = ActivationLine([value(11.6, -10.0), value(14.5, -11.5), value(16.6, -12.4)])
    widths = [line.at(x).high - line.at(x).low for x in (14.0, 20.0, 26.0)]
    assert widths[0] < widths[1] < widths[2]


def simulate(rng, ion_ps, kelvins, Ea=0.45, rate_0=6.0):
    """Counts of hops at several temperatures, as the analysis reports them."""
    observations = []
    for kelvin in kelvins:
        n = int(rng.poisson(rate_0 * np.exp(-Ea / (KT * kelvin)) * ion_ps))
        if n >= 30:
            observations.append(value(inverse(kelvin), np.log(n / ion_ps), 1 / np.sqrt(n)))
        else:
            limit = garwood(n, 0.9)[1]
            observations.append(bound(inverse(kelvin), np.log(limit / ion_ps), n))
    return observations


@pytest.mark.parametrize(("ion_ps", "n_bound"), [(3e4, 2), (6e3, 3)])
def test_interval_of_the_barrier_covers_it(ion_ps, n_bound):
    """100 experiments at 500 to 1000 K; the coldest see few hops. 95 % +- 2.2 %: three of those."""
    rng = np.random.default_rng(2)
    held, bounds = [], []
    for _ in range(100):
        line = ActivationLine(simulate(rng, ion_ps, (500, 600, 700, 850, 1000)))
        found = line.slope()
        held.append(found.low <= -0.45 <= found.high)
        bounds.append(len(line.bounds))
    assert abs(np.median(bounds) - n_bound) <= 1
    assert np.mean(held) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 100)


def test_scale_of_x_and_units_of_D_do_not_matter():
    observations = [value(11.6, -10.0), value(14.5, -11.5), bound(23.2, -18.0, 4)]
    scaled = [Observation(1e3 * o.x, o.ln_D - 9.2, o.sigma, o.n_hops) for o in observations]
    one, other = ActivationLine(observations).slope(), ActivationLine(scaled).slope()
    assert_allclose([1e3 * v for v in (other.value, other.low, other.high)],
                    [one.value, one.low, one.high], rtol=1e-5)  # fmt: skip


def test_bad_observations_are_refused():
    for bad, says in (
        ([], "no D at all"),
        ([value(1.0, -inf)], "not a finite number above 0"),
        ([value(1.0, -3.0, 0.0)], "a value without an error"),
    ):
        with pytest.raises(InputError, match=says):
            ActivationLine(bad)
