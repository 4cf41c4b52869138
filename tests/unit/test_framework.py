"""What is left of the framework: distance from its sites and its motion, on walks of known law."""

import numpy as np
import pytest

from dpchannel.errors import InputError
from dpchannel.physics import order

N, EDGE_A, STEP_PS = 400, 20.0, 0.1
CELL = np.eye(3) * EDGE_A
NEAREST_A = 3.0
MASSES = np.ones(N)


def walk(n_frame, *, D, rms_A, melts=0, seed=0):
    """Scaled coordinates (n_frame, N, 3) and sites (N, 3): vibration of `rms_A`, and from frame
    `melts` on diffusion with D (A^2/ps).
    """
    rng = np.random.default_rng(seed)
    sites = rng.random((N, 3))
    steps = np.sqrt(2 * D * STEP_PS) * rng.standard_normal((n_frame, N, 3))
    steps[: melts + 1] = 0
    away = steps.cumsum(axis=0) + rms_A / np.sqrt(3) * rng.standard_normal((n_frame, N, 3))
    drift = np.linspace(0, 0.3, n_frame)[:, None, None]  # of the whole crystal, in cells
    return sites + away / EDGE_A + drift, sites


def index(scaled, sites, part):
    cells = np.broadcast_to(CELL, (len(scaled[part]), 3, 3))
    return order.lindemann(scaled[part], cells, MASSES, sites, NEAREST_A)[0]


def test_a_crystal_has_the_same_index_over_any_time():
    scaled, sites = walk(200, D=0.0, rms_A=0.4)
    for length in (5, 20, 100):
        # 400 atoms x 5 frames x 3 axes: the rms scatters by 1 / sqrt(2 x 6000) = 1 %
        found = index(scaled, sites, slice(100, 100 + length))
        assert found == pytest.approx(0.4 / NEAREST_A, rel=0.03)


@pytest.mark.parametrize("length", [5, 10, 50])
def test_a_melt_passes_the_limit_whatever_the_stretch(length):
    """D = 3e-6 cm2/s = 0.03 A^2/ps for 5 ps: sqrt(0.5^2 + 6 x 0.03 x 5) / 3 = 0.36; beside the mean
    of 0.5 ps it would be 0.17, a crystal.
    """
    scaled, sites = walk(200, D=0.03, rms_A=0.5, melts=100)
    assert index(scaled, sites, slice(150, 150 + length)) > 0.3
    assert index(scaled, sites, slice(100 - length, 100)) < 0.2


def measured(scaled):
    cells = np.broadcast_to(CELL, (len(scaled), 3, 3))
    positions = order.framework_positions(scaled, cells, MASSES)
    lag, msd = order.framework_msd(positions, np.arange(len(scaled)) * STEP_PS)
    return order.framework_diffusion(lag, msd, first_lag_ps=0.5)


def test_a_vibrating_crystal_does_not_diffuse():
    value, error = measured(walk(40, D=0.0, rms_A=0.5)[0])
    assert abs(value) < 4 * error < 0.02


def test_a_melt_diffuses_with_its_own_coefficient():
    value, error = measured(walk(200, D=0.1, rms_A=0.5)[0])
    assert value == pytest.approx(0.1, abs=4 * error) and error < 0.01


def test_too_few_lags_are_refused():
    with pytest.raises(InputError, match="needs three"):
        measured(walk(12, D=0.1, rms_A=0.5)[0])
