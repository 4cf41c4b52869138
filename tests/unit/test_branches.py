"""Melting that is spread over several stretches of a ramp, on series whose answer is known."""

import numpy as np
import pytest

from dpchannel.errors import InputError
from dpchannel.physics.branches import spread_jump

BIN = 50.0  # K
T = np.arange(125.0, 1800.0, BIN)
V0 = 650.0  # A^3
LEAST = 0.015 * V0
CRYSTAL = V0 * (1 + 4e-5 * T + 5e-9 * T**2)


def find(v, error, least=LEAST):
    return spread_jump(
        T,
        v,
        np.full(len(T), error),
        np.full(len(T), least),
        n_sigma=3.0,
        branch_points=5,
        max_scatter=15.0,
    )


def heated(middle_K, width_K, *, jump=0.08, noise=0.3, seed=0):
    """Volume (A^3) in stretches of BIN; the melt grows evenly over `width_K`, then expands more."""
    inside = T[:, None] + np.linspace(-BIN / 2, BIN / 2, 51)
    low, high = middle_K - width_K / 2, middle_K + width_K / 2
    melted = np.clip((inside - low) / max(high - low, 1e-9), 0, 1).mean(axis=1)
    liquid = V0 * (jump + 3e-5 * (T - middle_K))
    return CRYSTAL + melted * liquid + noise * np.random.default_rng(seed).standard_normal(len(T))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("width_K", [0, 50, 100, 200, 300])
@pytest.mark.parametrize("middle_K", [700, 1110, 1390])
def test_melting_is_bracketed_from_its_foot_to_its_top(middle_K, width_K, seed):
    """However far it is spread; and no wider than three stretches more than it is."""
    found = find(heated(middle_K, width_K, seed=seed), 0.3)
    assert found.kind == "bracket", found.text
    low, high = found.low_K - BIN / 2, found.high_K + BIN / 2
    assert low <= middle_K - width_K / 2 and middle_K + width_K / 2 <= high
    assert high - low <= width_K + 3 * BIN


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.1, 0.3, 1.0])
def test_a_crystal_that_never_melts_gives_a_lower_bound(noise, seed):
    found = find(CRYSTAL + noise * np.random.default_rng(seed).standard_normal(len(T)), noise)
    assert (found.low_K, found.high_K) == (T[-1], None), found.text


@pytest.mark.parametrize(
    "crystal",
    [
        V0 * (1 + 5e-5 * T + 3e-8 * T**2),  # half of its expansion from the quadratic term
        CRYSTAL + V0 * 0.05 * np.exp((T - 1800) / 200),  # softens towards the end
        CRYSTAL + V0 * 4e-5 * np.maximum(0, T - 1000),  # expands twice as fast from 1000 K on
        CRYSTAL + V0 * 0.005 * (T > 600),  # a change of phase, too small for melting
        CRYSTAL + V0 * 0.012 * (T > 1000),
    ],
    ids=["curved", "softens", "bends", "0.5 %", "1.2 %"],
)
@pytest.mark.parametrize("seed", range(5))
def test_what_a_crystal_does_by_itself_is_not_melting(crystal, seed):
    found = find(crystal + 0.3 * np.random.default_rng(seed).standard_normal(len(T)), 0.3)
    assert found.high_K is None, found


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("too_small", [2, 5, 10])
def test_noise_whose_errors_are_too_small_is_no_melting(too_small, seed):
    """It may leave nothing to say; it may not make a bracket."""
    noise = np.random.default_rng(seed).standard_normal(len(T))
    assert find(CRYSTAL + 2.0 * noise, 2.0 / too_small).high_K is None


@pytest.mark.parametrize("seed", range(10))
def test_where_errors_would_hide_a_jump_the_bound_is_low(seed):
    """A step of 2 % at 800 K, under noise of 1 %: nobody may say that it is solid above."""
    found = find(heated(800, 0, jump=0.02, noise=6.5, seed=seed), 6.5)
    assert found.low_K is None or found.low_K < 825


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("width_K", [0, 100, 200])
def test_melting_at_the_end_of_the_ramp_is_no_crystal_there(width_K, seed):
    """Too little is left for a branch of the liquid: a bound below the foot, or nothing."""
    found = find(heated(1725, width_K, seed=seed), 0.3)
    assert found.high_K is None
    assert found.low_K is None or found.low_K - BIN / 2 <= 1725 - width_K / 2


@pytest.mark.parametrize("seed", range(5))
def test_melting_at_the_very_start_is_no_crystal_to_the_end(seed):
    found = find(heated(200, 0, seed=seed), 0.3)
    assert found.low_K is None or found.low_K <= 200


def test_what_was_not_measured_belongs_to_the_bracket():
    v = heated(1100, 0)
    v[(T > 1050) & (T < 1250)] = np.nan
    found = find(v, 0.3)
    assert (found.low_K, found.high_K) == (1025, 1275)


def test_too_few_stretches_cannot_say():
    some = slice(0, 9)
    found = spread_jump(
        T[some], CRYSTAL[some], np.ones(9), np.ones(9),
        n_sigma=3.0, branch_points=5, max_scatter=15.0,
    )  # fmt: skip
    assert found.kind == "none" and found.text == "9 points: two branches need 10"


def test_series_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="not increasing"):
        spread_jump(
            T[::-1], T, T, T, n_sigma=3.0, branch_points=5, max_scatter=15.0
        )  # fmt: skip
