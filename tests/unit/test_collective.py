"""Charge against tracer for columns whose ions ignore, follow or block each other."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.physics.collective import analyse_collective, haven_ratio
from dpchannel.physics.transport import analyse_diffusion
from dpchannel.settings import DiffusionSettings, load

SETTINGS = load(DiffusionSettings, Path(__file__).parents[2] / "inputs/diffusion.toml")
D_A, DT, N = 3.74, 0.5, 4
COLUMNS = list(np.arange(16 * N).reshape(16, N))


def columns(seed, *, rigid):
    """16 columns of 4 ions, 0.05 hops per ion and ps, alone or each column as one body."""
    rng = np.random.default_rng(seed)
    n_frame = 800
    hops = rng.poisson(0.05 * DT / 2, (n_frame, 16 if rigid else 16 * N, 2))
    walk = (hops[..., 0] - hops[..., 1]).cumsum(axis=0)
    x = rng.normal(0, 0.15, (n_frame, 16 * N, 3))
    x[..., 2] += D_A * (np.repeat(walk, N, axis=1) if rigid else walk)
    return x, np.arange(n_frame) * DT


def both(x, time):
    tracer = analyse_diffusion(x, time, COLUMNS, 2, D_A, SETTINGS)
    charge = analyse_collective(x, time, COLUMNS, 2, D_A, SETTINGS)
    return (
        tracer,
        charge,
        haven_ratio(
            tracer.arrays["slope_c_by_channel_A2_ps"],
            charge.arrays["slope_c_collective_by_channel_A2_ps"],
        ),
    )


def test_independent_ions_have_a_haven_ratio_of_one():
    _, charge, haven = both(*columns(1, rigid=False))
    true = 0.05 * D_A**2 / 2 * 1e-4
    found = charge.quantities["D_c_collective_slope"]
    assert_allclose(found.value, true, atol=4 * found.stderr)
    assert haven.ci95[0] < 1 < haven.ci95[1]


def test_a_column_that_moves_as_one_carries_n_times_the_charge():
    tracer, charge, haven = both(*columns(2, rigid=True))
    true = 0.05 * D_A**2 / 2 * 1e-4
    assert_allclose(charge.quantities["D_c_collective_slope"].value, N * true, rtol=0.7)
    # the same walk: the ratio is 1/n but for the window each fit chose
    assert_allclose(haven.value, 1 / N, rtol=0.25)
    slopes = [part.quantities["D_c_slope" if part is tracer else "D_c_collective_slope"].value
              for part in (tracer, charge)]  # fmt: skip
    assert_allclose(haven.value, slopes[0] / slopes[1], rtol=1e-9)


def test_ions_that_only_swap_sides_carry_no_charge():
    """Two ions of a column mirror each other: the tracer moves, their sum does not."""
    x, time = columns(3, rigid=False)
    mirror = x[:, ::2, 2].copy()
    x[:, 1::2, 2] = -mirror
    _, charge, _ = both(x, time)
    assert charge.quantities["D_c_collective"].kind == "upper_bound"
    assert abs(charge.quantities["D_c_collective_slope"].value) < 0.01 * 0.05 * D_A**2 / 2 * 1e-4


def test_vibration_of_a_whole_column_is_not_collective_diffusion():
    rng = np.random.default_rng(4)
    x = rng.normal(0, 0.3, (800, 16, 1)).repeat(N, axis=1)[..., None][:, :, 0]
    x = np.concatenate([np.zeros((800, 16 * N, 2)), x], axis=2)
    charge = analyse_collective(x, np.arange(800) * 0.05, COLUMNS, 2, D_A, SETTINGS)
    bound = charge.quantities["D_c_collective"]
    assert bound.kind == "upper_bound"
    slide = N * D_A**2 / (2 * 16 * 39.5) * 1e-4  # one of 16 columns: (n d)^2 / n
    assert_allclose(bound.value, -np.log(0.05) * slide, rtol=1e-9)


@pytest.mark.parametrize("rigid", [True, False])
def test_bounds_of_tracer_and_charge_cover_few_events(rigid):
    """1.6 hops of single ions, or as many slides, expected in a run: 95 % of 60 runs hold D."""
    rng, held = np.random.default_rng(8), []
    rate, n_frame = 1.6 / (16 if rigid else 16 * N) / (200 * DT), 200
    tracer = rate * D_A**2 / 2 * 1e-4
    for _ in range(60):
        hops = rng.poisson(rate * DT / 2, (n_frame, 16 if rigid else 16 * N, 2))
        walk = (hops[..., 0] - hops[..., 1]).cumsum(axis=0)
        x = rng.normal(0, 0.15, (n_frame, 16 * N, 3))
        x[..., 2] += D_A * (np.repeat(walk, N, axis=1) if rigid else walk)
        one, both_ = both(x, np.arange(n_frame) * DT)[:2]
        held.append(
            (
                one.quantities["D_c"].value >= tracer,
                both_.quantities["D_c_collective"].value >= (N if rigid else 1) * tracer,
            )
        )
    # four errors of 60 runs below 95 %
    assert (np.mean(held, axis=0) > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 60)).all()


def test_one_channel_has_no_haven_ratio():
    assert haven_ratio(np.ones(1), np.ones(1)).value is None
