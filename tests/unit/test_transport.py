"""From positions to quantities: hoppers in channels, and the sentence about expected hops."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.physics.intervals import garwood
from dpchannel.physics.transport import analyse_diffusion, expected_hops, moves
from dpchannel.report.cross_check import kinisi_diffusion
from dpchannel.results import Result
from dpchannel.settings import DiffusionSettings, load

SETTINGS = load(DiffusionSettings, Path(__file__).parents[2] / "inputs/diffusion.toml")
D_A, DT = 3.74, 0.1


def hoppers(seed, n_channel, rate_ps, n_frame=500, n_ion=4, axis=2):
    """Ions that hop independently along one axis and vibrate by 0.15 A on every axis."""
    rng = np.random.default_rng(seed)
    n = n_channel * n_ion
    hops = rng.poisson(rate_ps * DT / 2, (n_frame, n, 2))
    x = rng.normal(0, 0.15, (n_frame, n, 3))
    x[..., axis] += 0.7 + D_A * (hops[..., 0] - hops[..., 1]).cumsum(axis=0)
    columns = list(np.arange(n).reshape(n_channel, n_ion))
    return x, np.arange(n_frame) * DT, columns


def analyse(*args, **kwargs):
    x, time, columns = hoppers(*args, **kwargs)
    return analyse_diffusion(x, time, columns, kwargs.get("axis", 2), D_A, SETTINGS)


def test_too_short_a_longest_lag_is_named_with_its_key():
    x, time, columns = hoppers(1, 2, 0.02, n_frame=100)
    short = SETTINGS.model_copy(update={"max_lag_fraction": 0.01})
    with pytest.raises(InputError, match=r"max_lag_fraction = 0.01 of 100 frames leaves 1 lags"):
        analyse_diffusion(x, time, columns, 2, D_A, short)


@pytest.fixture(scope="module")
def many():
    return analyse(1, 16, 0.02)


def test_many_hops_in_many_channels_give_an_estimate(many):
    true = 0.02 * D_A**2 / 2 * 1e-4
    q = many.quantities
    assert q["D_c"].kind == "estimate" and q["D_c"].unit == "cm2/s"
    assert_allclose(q["D_c"].value, true, atol=4 * q["D_c"].stderr)
    assert_allclose(q["D_c_hops"].value, true, atol=4 * q["D_c_hops"].stderr)
    assert_allclose(q["D_3d"].value, true / 3, atol=4 * q["D_3d"].stderr)
    assert_allclose(q["hop_rate"].value, 20.0, atol=4 * q["hop_rate"].stderr)
    assert_allclose(q["ion_ns"].value, 64 * 499 * DT / 1000, rtol=1e-12)
    assert "ps" in q["D_c"].method and "exponent" in q["D_c"].method


def test_si_is_the_same_number_in_m2_per_s(many):
    for name in ("D_c", "D_ab", "D_3d"):
        assert many.quantities[f"{name}_SI"].unit == "m2/s"
        ratio = many.quantities[f"{name}_SI"].value / many.quantities[name].value
        assert_allclose(ratio, 1e-4, rtol=1e-12, atol=0)


def test_vibration_in_the_plane_is_a_bound_far_below_D_c(many):
    q = many.quantities
    assert q["D_ab"].kind == "upper_bound"
    assert 0 < q["D_ab"].value < 1e-3 * q["D_c"].value


def test_no_hop_gives_the_bound_of_three_slides_and_the_slope_beside_it():
    """Each of three slides that were missed would have moved all 4 ions of a column."""
    q = analyse(2, 4, 0.0).quantities
    ion_ps = 16 * 499 * DT
    assert q["n_hops"].value == 0
    assert q["D_c"].kind == q["D_c_hops"].kind == "upper_bound"
    single = -np.log(0.05) / ion_ps * D_A**2 / 2 * 1e-4
    assert_allclose(q["D_c_hops"].value, single, rtol=1e-9, atol=0)
    assert_allclose(q["D_c"].value, 4 * single, rtol=1e-9, atol=0)
    assert q["D_c"].ci95 == (0.0, q["D_c"].value)
    assert_allclose(q["D_3d"].value, q["D_c"].value / 3, rtol=1e-9, atol=0)
    assert_allclose(q["hop_rate"].value, -np.log(0.05) / ion_ps * 1000, rtol=1e-9)
    assert abs(q["D_c_slope"].value) < 0.01 * q["D_c"].value
    assert "not diffusive" in q["D_c_slope"].method


def test_four_channels_give_a_bound_however_many_hops():
    q = analyse(3, 4, 0.1).quantities
    assert q["n_hops"].value > SETTINGS.min_hops
    assert q["D_c"].kind == "upper_bound" and q["D_c"].value > q["D_c_slope"].value


def test_bound_of_four_channels_covers_the_true_D():
    """In 40 runs of a few hops each the bound fails no more often than 5 % and chance allow."""
    true = 0.01 * D_A**2 / 2 * 1e-4
    held = [
        analyse(100 + k, 4, 0.01, n_frame=150).quantities["D_c"].value >= true for k in range(40)
    ]
    assert np.mean(held) > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 40)


def test_any_axis_can_be_the_channel():
    for axis in (0, 1):
        assert analyse(4, 4, 0.02, axis=axis).quantities["n_hops"].value > 10


def test_given_sites_and_sites_found_from_the_ions_give_the_same_hops():
    x, time, columns = hoppers(5, 4, 0.02)
    found = analyse_diffusion(x, time, columns, 2, D_A, SETTINGS)
    sites = [0.7 + D_A * np.arange(6)] * 4
    given = analyse_diffusion(x, time, columns, 2, D_A, SETTINGS, sites_A=sites)
    assert given.quantities["n_hops"] == found.quantities["n_hops"]


def test_hops_are_the_hops_that_were_made():
    """One ion makes two hops at known times; the rest stay."""
    x, time, columns = hoppers(6, 2, 0.0)
    x[100:, 5, 2] += D_A
    x[300:, 5, 2] += D_A
    found = analyse_diffusion(x, time, columns, 2, D_A, SETTINGS).arrays
    assert_allclose(found["hop_time_ps"], [10.0, 30.0])
    assert list(found["hop_ion"]) == [5, 5] and list(found["hop_step"]) == [1, 1]


def test_channels_of_unequal_filling_weigh_by_their_ions(many):
    x, time, columns = hoppers(7, 4, 0.02)
    uneven = [columns[0], columns[1], np.r_[columns[2], columns[3]]]
    even = analyse_diffusion(x, time, columns, 2, D_A, SETTINGS)
    found = analyse_diffusion(x, time, uneven, 2, D_A, SETTINGS)
    assert_allclose(found.arrays["msd_c"], even.arrays["msd_c"], rtol=1e-10)
    slopes = found.arrays["slope_c_by_channel_A2_ps"]
    assert_allclose(slopes.mean(), found.arrays["fit_c_D_A2_ps"], rtol=1e-9)


def test_arrays_fit_together_and_the_result_can_be_written(many):
    n_lag = len(many.arrays["lag_ps"])
    for name in ("c", "ab", "3d"):
        assert many.arrays[f"msd_{name}"].shape == (n_lag,)
        assert many.arrays[f"msd_{name}_stderr"].shape == (n_lag,)
        assert len(many.arrays[f"exponent_{name}"]) == len(many.arrays[f"exponent_lag_ps_{name}"])
    total = many.arrays["msd_c"] + many.arrays["msd_ab"]
    assert_allclose(many.arrays["msd_3d"], total, rtol=1e-9)
    written = Result("diffusion", "test", {}, many.quantities, many.checks).to_json()
    assert json.loads(written)["quantities"]["D_c"]["kind"] == "estimate"


def test_toy_run_of_one_channel_still_answers():
    q = analyse(8, 1, 0.0, n_frame=21, n_ion=2).quantities
    assert q["D_c"].kind == "upper_bound"


def test_too_few_frames_are_refused():
    with pytest.raises(InputError, match="Run longer"):
        analyse(9, 2, 0.0, n_frame=8)


def test_hops_the_paper_would_give():
    """D = 7.3e-6 cm2/s with hops of 3.74 A is 10.4 hops per ion ns; 4.4 leave 1.2 % for none."""
    assert_allclose(expected_hops(7.3e-6, 3.74, 1.0), 10.44, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("n_channel", [4, 8, 16, 64])
@pytest.mark.parametrize("hops_per_run", [0.5, 10, 100])
def test_what_is_said_of_D_covers_it_in_200_runs(n_channel, hops_per_run):
    """Interval of an estimate, limit of a bound: 95 %, four errors of 200 runs (6 %) below at most.

    Few hops and many, few channels and many: below 30 hops or 16 channels there is no estimate.
    """
    n_frame, n_ion = 200, 4
    rate = hops_per_run / (n_channel * n_ion * n_frame * DT)
    true = rate * D_A**2 / 2 * 1e-4
    held, estimates = [], 0
    for run in range(200):
        q = analyse(1000 + run, n_channel, rate, n_frame=n_frame, n_ion=n_ion).quantities["D_c"]
        low, high = q.ci95
        held.append(low <= true <= high)
        estimates += q.kind == "estimate"
    assert np.mean(held) > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 200)
    if hops_per_run < 30 or n_channel < SETTINGS.min_channels:
        assert estimates < 10  # 30 hops where 10 are expected: less than one in a million
    else:
        assert estimates > 100


@pytest.mark.slow
def test_kinisi_agrees_on_hops_along_a_channel():
    """kinisi's Bayesian GLS on the same ions, along the channel, from where ours is diffusive."""
    pytest.importorskip("kinisi", reason="needs kinisi: make setup")
    x, time, columns = hoppers(12, 16, 0.05)
    ours = analyse_diffusion(x, time, columns, 2, D_A, SETTINGS)
    start = float(ours.arrays["fit_c_window_ps"][0])
    cell, longest = 30.0 * np.eye(3), SETTINGS.max_lag_fraction
    theirs = kinisi_diffusion(x, time, cell, 2, start, longest)
    found = ours.quantities["D_c_slope"]
    # one walk, two estimators: their difference is less than the error of either
    assert abs(theirs.value - found.value) < 2 * found.stderr
    low, high = theirs.ci95
    assert low < 0.05 * D_A**2 / 2 * 1e-4 < high


def test_no_ion_seen_to_change_its_channel_bounds_D_across_it():
    """Vibration gives no slope across the channel, yet three jumps of 10 A may have been missed."""
    x, time, columns = hoppers(2, 4, 0.0)
    ion_ps = 16 * 499 * DT
    q = analyse_diffusion(x, time, columns, 2, D_A, SETTINGS, apart_A=10.0).quantities
    across = -np.log(0.05) / ion_ps * 10.0**2 / 4 * 1e-4
    assert q["D_ab"].kind == "upper_bound"
    assert_allclose(q["D_ab"].value, across, rtol=1e-9)
    assert_allclose(q["D_3d"].value, (q["D_c"].value + 2 * across) / 3, rtol=1e-9)
    x[200:, 3, 0] += 10.0
    left = analyse_diffusion(x, time, columns, 2, D_A, SETTINGS, apart_A=10.0).quantities
    assert left["D_ab"].value > garwood(1, 0.9)[1] / 3.0 * across
    x[350:, 3, 0] += 10.0  # on to the next channel, with the shaking of 0.15 A
    twice = analyse_diffusion(x, time, columns, 2, D_A, SETTINGS, apart_A=10.0)
    assert moves(x[..., :2], 10.0) == 2
    assert twice.quantities["D_ab"].value > garwood(2, 0.9)[1] / 3.0 * across


def test_one_channel_keeps_the_model_error_beside_the_count():
    x, time, columns = hoppers(4, 1, 0.0)
    q = analyse_diffusion(x, time, columns, 2, D_A, SETTINGS, apart_A=10.0).quantities
    low, high = q["D_ab_slope"].ci95
    assert low <= q["D_ab_slope"].value <= high
    assert q["D_ab"].value >= q["D_ab_slope"].value


def test_ions_that_diffuse_across_have_an_estimate():
    """16 ions, each a channel of its own, hop 5 A to either side in two dimensions."""
    rng = np.random.default_rng(8)
    n_frame, rate_ps, hop_A = 4000, 0.05, 5.0
    moves = rng.poisson(rate_ps * DT / 4, (n_frame, 16, 4))
    x = rng.normal(0, 0.15, (n_frame, 16, 3))
    x[..., 0] += hop_A * (moves[..., 0] - moves[..., 1]).cumsum(axis=0)
    x[..., 1] += hop_A * (moves[..., 2] - moves[..., 3]).cumsum(axis=0)
    columns = list(np.arange(16)[:, None])
    found = analyse_diffusion(x, np.arange(n_frame) * DT, columns, 2, D_A, SETTINGS, apart_A=hop_A)
    D_ab = found.quantities["D_ab"]
    assert D_ab.kind == "estimate"
    assert D_ab.ci95[0] < rate_ps * hop_A**2 / 4 * 1e-4 < D_ab.ci95[1]
