"""Intervals cover what they say, for few and many channels and for few hops."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import poisson

from dpchannel.errors import InputError
from dpchannel.physics.intervals import (
    HopCount,
    count_of_channels,
    diffusion_interval,
    fay_feuer,
    garwood,
    student_t,
    studentised_bootstrap,
)
from dpchannel.settings import DiffusionSettings, load

SETTINGS = load(DiffusionSettings, Path(__file__).parents[2] / "inputs/diffusion.toml")


def lowest(repeats, level=0.95):
    """Fraction of hits that a true coverage of `level` misses once in 30 000 tests."""
    return level - 4 * np.sqrt(level * (1 - level) / repeats)


def test_garwood_against_published_numbers():
    assert_allclose(garwood(0, 0.95), (0.0, 3.689), atol=5e-4)
    assert_allclose(garwood(10, 0.95), (4.795, 18.39), rtol=1e-3)
    assert_allclose(garwood(0, 0.90)[1], -np.log(0.05), rtol=1e-12)  # zero hops count as 3.0


def test_garwood_ends_are_where_the_tails_are():
    for n in (1, 4, 30):
        low, high = garwood(n, 0.95)
        assert_allclose(poisson.sf(n - 1, low), 0.025, rtol=1e-9)
        assert_allclose(poisson.cdf(n, high), 0.025, rtol=1e-9)


@pytest.mark.parametrize("mean", [0.5, 3.0, 20.0])
def test_garwood_covers(mean):
    n = np.arange(200)
    ends = np.array([garwood(k, 0.95) for k in n])
    covered = poisson.pmf(n, mean)[(ends[:, 0] <= mean) & (mean <= ends[:, 1])].sum()
    assert covered >= 0.95


def test_no_event_is_bounded_by_three_of_the_largest():
    """Nothing was seen, but three slides of a column of 4 ions may have been missed: 12 hops."""
    assert_allclose(fay_feuer(0, 0.0, 4.0, 0.90), (0.0, -4 * np.log(0.05)), rtol=1e-12)
    assert_allclose(fay_feuer(7, 7.0, 1.0, 0.95), garwood(7, 0.95), rtol=1e-12)


@pytest.mark.parametrize("n_channel", [4, 16, 64])
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("events", [0.3, 1, 3, 10])
def test_counts_cover_events_of_any_size(n_channel, size, events):
    """Single hops, or slides of 4 ions in columns of 4: nobody is told which of them it is."""
    rng = np.random.default_rng(int(10 * events) + size)
    held = []
    for _ in range(400):
        seen = size * rng.poisson(events / n_channel, n_channel)
        count = count_of_channels(seen, 1000.0, 14.0, SETTINGS, at_once=4)
        low, high = count.interval(0.95)
        true = count.diffusivity(size * events)
        held.append((low <= true <= high, true <= count.interval(0.90)[1]))
    assert (np.mean(held, axis=0) > lowest(400)).all()


def test_slides_are_worth_as_many_independent_hops_as_there_were_slides():
    """16 channels, every second of which slid once: 8 events, 32 hops, no estimate from them."""
    count = count_of_channels(np.tile([4, 0], 8), 1000.0, 14.0, SETTINGS, at_once=4)
    assert count.n == 32
    assert count.events == pytest.approx(15.0)  # (n - 1) / n of the scatter of whole slides or none
    slopes = np.tile([2e-3, 0.0], 8)
    found = diffusion_interval(slopes, [count], SETTINGS, diffusive=True, fit_stderr=0.0)
    assert found.kind == "upper_bound" and "up to 4 by one event" in found.upper_method


@pytest.mark.parametrize("n_channel", [2, 4, 8])
def test_student_t_covers_few_channels(n_channel):
    rng = np.random.default_rng(n_channel)
    ends = np.array([student_t(x, 0.95) for x in rng.normal(1, 1, (1000, n_channel))])
    covered = np.mean((ends[:, 0] < 1) & (ends[:, 1] > 1))
    assert lowest(1000) < covered < 0.95 + 4 * np.sqrt(0.95 * 0.05 / 1000)


def test_studentised_bootstrap_covers_16_skewed_channels():
    """Slopes are squares of a walk: skewed. The percentile bootstrap would cover about 88 %."""
    rng = np.random.default_rng(1)
    slopes = rng.chisquare(4, (400, 16)) / 4
    ends = np.array([studentised_bootstrap(x, 0.95, samples=400, seed=1) for x in slopes])
    covered = np.mean((ends[:, 0] < 1) & (ends[:, 1] > 1))
    assert covered > lowest(400)


def test_bootstrap_of_equal_values_is_a_point():
    assert_allclose(studentised_bootstrap(np.full(16, 0.1), 0.95, samples=200, seed=1), 0.1)


def simulated(rng, n_channel, expected):
    """Per-channel slopes and the hop count of independent hoppers, d = 2 A, 1 ion ns each.

    The slope of a channel with k hops has mean k and the spread of squared net displacements.
    """
    hops = rng.poisson(expected / n_channel, n_channel)
    slopes = hops * rng.chisquare(8, n_channel) / 8
    count = HopCount(int(hops.sum()), n_channel * 1000.0, 4.0)
    return slopes * 4.0 / 2 / 1000.0, count, expected / n_channel / 1000.0 * 2.0


@pytest.mark.parametrize(("n_channel", "expected"), [(4, 3), (4, 40), (16, 3), (16, 60)])
def test_intervals_and_bounds_cover_the_true_D(n_channel, expected):
    rng = np.random.default_rng(expected)
    settings = SETTINGS.model_copy(update={"bootstrap_samples": 400})
    two_sided, bound = [], []
    for _ in range(250):
        slopes, count, true = simulated(rng, n_channel, expected)
        found = diffusion_interval(slopes, [count], settings, diffusive=True, fit_stderr=0.0)
        two_sided.append(found.low <= true <= found.high)
        bound.append(true <= found.upper)
    assert np.mean(two_sided) > lowest(250)
    # the bound of an estimate is not used, and one-sided t of 16 skewed slopes is a little short
    assert np.mean(bound) > lowest(250, 0.93)


def interval(n_channel, n_hops, *, diffusive=True, slopes=None):
    slopes = (
        np.full(n_channel, 1e-3) * np.linspace(0.9, 1.1, n_channel) if slopes is None else slopes
    )
    count = HopCount(n_hops, 1000.0, 14.0)
    return diffusion_interval(slopes, [count], SETTINGS, diffusive=diffusive, fit_stderr=1e-4)


@pytest.mark.parametrize(
    ("n_channel", "n_hops", "diffusive", "kind"),
    [
        (16, 30, True, "estimate"),
        (16, 29, True, "upper_bound"),
        (15, 30, True, "upper_bound"),
        (16, 30, False, "upper_bound"),
    ],
)
def test_an_estimate_needs_30_hops_in_16_channels_and_diffusion(n_channel, n_hops, diffusive, kind):
    assert interval(n_channel, n_hops, diffusive=diffusive).kind == kind


def test_no_hop_bounds_D_by_three_events():
    """0 hops in 1 ion ns of 14 A^2 hops: D < 3.0 / 1000 ps x 14 / 2."""
    found = interval(4, 0, slopes=np.array([1e-6, -1e-6, 2e-6, -2e-6]))
    assert_allclose(found.upper, -np.log(0.05) / 1000 * 7, rtol=1e-10)
    assert "hops: 0" in found.upper_method


def test_moves_of_two_kinds_are_bounded_by_both():
    """29 hops along, and nobody seen to leave its channel, which three events may still do."""
    along, out = HopCount(29, 1000.0, 14.0), HopCount(0, 1000.0, 50.0, "changes of channel")
    slopes = np.full(16, 1e-3) * np.linspace(0.9, 1.1, 16)
    found = diffusion_interval(slopes, [along, out], SETTINGS, diffusive=True, fit_stderr=0.0)
    assert_allclose(found.upper, along.interval(0.9)[1] + 3.0 / 1000 * 50 / 2, rtol=2e-3)
    assert "hops: 29, taken as independent" in found.upper_method
    assert "changes of channel: 0" in found.upper_method


def test_many_hops_that_lead_nowhere_are_bounded_by_their_number():
    """The MSD is level, so its slope says little: the bound is no smaller than the hops allow."""
    found = interval(16, 60, diffusive=False, slopes=np.random.default_rng(3).normal(0, 1e-6, 16))
    assert found.upper == pytest.approx(HopCount(60, 1000.0, 14.0).interval(0.9)[1])


def test_few_channels_report_the_wider_interval_by_name():
    assert "Poisson" in interval(4, 5).method
    scattered = np.array([0.0, 0.02, 0.5, 0.9])
    assert "Student's t" in interval(4, 5, slopes=scattered).method


def test_an_interval_holds_its_own_value():
    """29 hops, each taken back: the slopes say 0, the hops much, and neither interval the other."""
    still = np.random.default_rng(3).normal(0.0, 1e-6, 16)
    found = interval(16, 29, slopes=still)
    assert found.low <= found.value <= found.high
    assert found.high == pytest.approx(HopCount(29, 1000.0, 14.0).interval(0.95)[1])
    assert "bootstrap" in found.method and "hops: 29" in found.method


def test_many_channels_with_hops_use_the_bootstrap():
    assert "bootstrap" in interval(16, 100).method


def test_a_negative_slope_gives_no_bound_below_zero():
    slopes = -np.array([1.0, 1.1, 0.9, 1.0]) * 1e-3
    found = diffusion_interval(slopes, (), SETTINGS, diffusive=False, fit_stderr=0.0)
    assert found.upper > 0 and found.kind == "upper_bound"


def test_one_channel_falls_back_on_the_error_of_the_fit():
    found = diffusion_interval(np.array([0.1]), (), SETTINGS, diffusive=True, fit_stderr=0.01)
    assert found.kind == "upper_bound"
    assert_allclose(found.upper, 0.1 + 1.645 * 0.01, rtol=1e-4)


def test_no_channel_and_single_values_are_refused():
    with pytest.raises(InputError):
        diffusion_interval(np.array([]), (), SETTINGS, diffusive=True, fit_stderr=0.0)
    with pytest.raises(InputError):
        student_t(np.array([1.0]), 0.95)
