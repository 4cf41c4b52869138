"""Known walks give back the D that went in, and what does not diffuse is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.signal import lfilter

from dpchannel.errors import InputError, NotDiffusive
from dpchannel.physics.covariance import pair_sums
from dpchannel.physics.diffusion import Walk, fit_diffusion, fit_line
from dpchannel.physics.displacement import framework_centre, lattice_frame
from dpchannel.physics.msd import local_exponent, msd, msd_per_atom

BAND = (0.85, 1.15)
DT = 0.1  # ps


def analyse(x, dim, jump_A=0.0, lag_fraction=0.5):
    n_lag = int(len(x) * lag_fraction)
    found = msd(x, n_lag=n_lag)
    walk = Walk(dim, len(x), x.shape[1], jump_A)
    return fit_diffusion(found, np.arange(n_lag) * DT, walk, exponent_band=BAND)


def brownian(rng, D, n_frame, n_walker, dim):
    return rng.normal(0, np.sqrt(2 * D * DT), (n_frame, n_walker, dim)).cumsum(axis=0)


def confined(rng, tau_ps, n_frame, n_walker, dim=1):
    """Ornstein-Uhlenbeck walker, variance 1 A^2: MSD = 2 (1 - exp(-t/tau)) per axis."""
    memory = np.exp(-DT / tau_ps)
    noise = rng.normal(0, np.sqrt(1 - memory**2), (n_frame + 1000, n_walker, dim))
    return lfilter([1.0], [1.0, -memory], noise, axis=0)[1000:]


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_free_walkers_give_back_D_within_the_stated_error(dim):
    rng = np.random.default_rng(dim)
    fits = [analyse(brownian(rng, 0.3, 400, 16, dim), dim) for _ in range(40)]
    z = np.array([(f.value - 0.3) / f.stderr for f in fits])
    assert abs(z.mean()) < 4 / np.sqrt(40)
    assert 0.65 < z.std() < 1.35  # 40 draws fix a standard deviation to 11 %: three of those
    assert all(BAND[0] <= f.exponent <= BAND[1] for f in fits)


def test_noise_on_the_sites_is_intercept_and_not_diffusion():
    """Vibration of variance 4 adds 8 A^2 to every lag; D stays what it was."""
    rng = np.random.default_rng(4)
    x = brownian(rng, 0.3, 3000, 16, 1) + rng.normal(0, 2.0, (3000, 16, 1))
    fit = analyse(x, 1)
    assert_allclose(fit.value, 0.3, atol=4 * fit.stderr)
    assert_allclose(fit.intercept_A2, 8.0, rtol=0.05)
    quotient = msd(x, n_lag=200)[20] / (2 * 20 * DT)
    assert quotient > 5 * fit.value  # what MSD/2t would have said


def test_hopping_walkers_give_back_rate_d2_over_2_with_an_honest_error():
    """Jumps of 3.74 A: with n hops the relative error is at least 1/sqrt(n)."""
    rng = np.random.default_rng(5)
    z = []
    for _ in range(30):
        hops = rng.poisson(0.02 * DT / 2, (600, 16, 2))
        x = (hops[..., :1] - hops[..., 1:]).cumsum(axis=0) * 3.74
        fit = analyse(x + rng.normal(0, 0.2, x.shape), 1, jump_A=3.74)
        assert fit.stderr / fit.value > 0.95 / np.sqrt(hops.sum())
        z.append((fit.value - 0.02 * 3.74**2 / 2) / fit.stderr)
    assert abs(np.mean(z)) < 4 / np.sqrt(30)
    assert 0.6 < np.std(z) < 1.4  # 30 draws: 13 %, three of those


@pytest.mark.parametrize("n_walker", [4, 64])
@pytest.mark.parametrize("tau_ps", [0.05, 1.0])
def test_confined_walkers_do_not_diffuse(n_walker, tau_ps):
    """In 4 seeds none passes, however short the time on which the cage is felt."""
    rng = np.random.default_rng(6)
    for _ in range(4):
        with pytest.raises(NotDiffusive, match="Run longer"):
            analyse(confined(rng, tau_ps, 2000, n_walker), 1)


def test_slope_of_a_confined_walker_is_zero():
    rng = np.random.default_rng(7)
    slopes = []
    for _ in range(40):
        found = msd(confined(rng, 0.5, 1000, 8), n_lag=500)
        fit = fit_line(
            found, np.arange(500) * DT, Walk(1, 1000, 8), window_ps=(10.0, 49.9), why="test"
        )
        slopes.append(fit.value)
        assert fit.exponent is None
    assert abs(np.mean(slopes)) < 4 * np.std(slopes) / np.sqrt(40)
    assert np.std(slopes) < 0.003  # 2 A^2 / (2 x 40 ps) would be 0.025


def test_ballistic_motion_is_not_diffusion():
    x = np.arange(300)[:, None, None] * np.ones((1, 5, 1))
    with pytest.raises(NotDiffusive):
        analyse(x, 1)


@pytest.mark.parametrize("exponent", [0.5, 0.6, 1.5])
def test_a_power_law_is_not_taken_for_its_tangent(exponent):
    lag = np.arange(1000) * DT
    with pytest.raises(NotDiffusive):
        fit_diffusion(lag**exponent, lag, Walk(1, 2000, 16), exponent_band=BAND)


def single_file(rng, n_ion, n_site, n_ring, n_frame):
    """Exclusion hopping on rings of n_site sites, d = 1 A: one attempt per ion and frame of DT.

    Free ions would have D = 1/2 A^2 per frame. Returns (n_frame, n_ring * n_ion, 1).
    """
    ring = np.arange(n_ring)
    start = np.sort(np.argsort(rng.random((n_ring, n_site)), axis=1)[:, :n_ion], axis=1)
    filled = np.zeros((n_ring, n_site), bool)
    np.put_along_axis(filled, start, True, axis=1)
    at = start.astype(np.int32)
    path = np.empty((n_frame, n_ring, n_ion), np.int32)
    for frame in range(n_frame):
        ions = rng.integers(n_ion, size=(n_ion, n_ring))
        steps = rng.integers(2, size=(n_ion, n_ring), dtype=np.int32) * 2 - 1
        for ion, step in zip(ions, steps, strict=True):
            here = at[ring, ion]
            there = here + step
            free = ~filled[ring, there % n_site]
            go = ring[free]
            filled[go, here[free] % n_site] = False
            filled[go, there[free] % n_site] = True
            at[go, ion[free]] = there[free]
        path[frame] = at
    return path.reshape(n_frame, -1, 1).astype(float)


@pytest.mark.parametrize("n_ion", [8, 16])
def test_single_file_on_a_ring_is_subdiffusive_then_linear_with_the_collective_slope(n_ion):
    """Exponent towards 1/2 between first collisions and the ring's relaxation, then D_sigma / n.

    In a column half as long it turns linear earlier, and D is twice as large: a size effect.

    Source: exclusion hopping, D_sigma = D_free (N - n) / (N - 1); D of the tracer is the centre of
    mass of the ring, D_sigma / n.
    """
    n_site, n_ring = 2 * n_ion, 60
    x = single_file(np.random.default_rng(8), n_ion, n_site, n_ring, 3000)
    n_lag = 1500
    lag = np.arange(n_lag) * DT
    per_ring = msd_per_atom(x, n_lag=n_lag)[:, :, 0].reshape(n_lag, n_ring, n_ion).mean(axis=2)
    found = per_ring.mean(axis=1)
    exponent_lag, exponent = local_exponent(found, lag)
    # between the first collisions and the time n^2 that the ring takes to relax
    between = (exponent_lag > n_ion**2 / 25 * DT) & (exponent_lag < n_ion**2 / 5 * DT)
    middle = exponent[between]
    # a finite ring only comes close to 1/2, a short one for a short time
    assert 0.45 < middle.min() < 0.6
    assert middle.max() < 0.75
    fit = fit_diffusion(found, lag, Walk(1, len(x), n_ring), exponent_band=BAND)
    assert fit.window_ps[0] > n_ion**2 / 10 * DT  # not the free hops before the first collision
    expected = 0.5 / DT * (n_site - n_ion) / (n_site - 1) / n_ion
    slopes = fit.slope(per_ring)
    assert_allclose(slopes.mean(), fit.value, rtol=1e-9)
    assert_allclose(fit.value, expected, atol=4 * slopes.std(ddof=1) / np.sqrt(n_ring))


def test_walkers_in_a_breathing_triclinic_cell_with_drift_give_back_D():
    rng = np.random.default_rng(9)
    n_frame, cell = 2000, np.array([[20.0, 0, 0], [-9.0, 16.0, 0], [0, 0, 30.0]])
    breathing = 1 + 0.01 * np.sin(np.arange(n_frame) * 0.7) + 0.003 * rng.normal(size=n_frame)
    cells = cell * breathing[:, None, None]
    sites = rng.random((30, 3))
    walk = brownian(rng, 0.3, n_frame, 16, 3) @ np.linalg.inv(cells.mean(axis=0))
    drift = rng.normal(size=(n_frame, 1, 3)).cumsum(axis=0) * 0.01
    framework = sites + drift
    centre = framework_centre(framework, np.ones(30))
    fit = analyse(lattice_frame(walk + drift, centre, cells), 3)
    assert_allclose(fit.value, 0.3, atol=4 * fit.stderr)
    with_drift = lattice_frame(walk + drift, 0 * centre, cells)
    assert analyse(with_drift, 3, lag_fraction=0.1).value > 0.4  # what drift would have added


@pytest.mark.parametrize("jump_A", [0.0, 3.0])
def test_covariance_between_lags_is_that_of_simulated_walks(jump_A):
    rng = np.random.default_rng(10)
    n_frame, n_walk, lags = 60, 20000, (1, 2, 5, 20, 40)
    if jump_A:
        steps = jump_A * (rng.poisson(0.1, (n_frame, n_walk)) - rng.poisson(0.1, (n_frame, n_walk)))
        s2 = 0.2 * jump_A**2
    else:
        steps, s2 = rng.normal(size=(n_frame, n_walk)), 1.0
    x = steps.cumsum(axis=0) + rng.normal(0, 0.7, (n_frame, n_walk))
    samples = np.array([((x[m:] - x[:-m]) ** 2).mean(axis=0) for m in lags])
    expected = pair_sums(n_frame, lags).covariance(s2, 0.49, jump_A, 1)
    # variances of heavy-tailed squares: 20000 walks give 2-3 % (4 % with jumps); three of those
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert_allclose(np.cov(samples) / scale, expected / scale, atol=0.12)


def test_fit_does_not_depend_on_units_of_length():
    """A walk of 1e-5 A is no less diffusive: nothing is compared with an absolute tolerance."""
    x = brownian(np.random.default_rng(11), 0.3, 400, 16, 1)
    big, small = analyse(x, 1), analyse(x * 1e-5, 1)
    assert_allclose(small.value, big.value * 1e-10, rtol=1e-6, atol=0)
    assert small.window_ps == big.window_ps


def test_wrong_shapes_and_lags_are_refused():
    lag = np.arange(20) * DT
    for bad_msd, bad_lag, dim in (
        (lag[:10], lag, 1),
        (lag, lag[::-1], 1),
        (lag, lag + 1.0, 1),
        (lag, lag, 4),
        (np.full(20, np.nan), lag, 1),
    ):
        with pytest.raises(InputError):
            fit_diffusion(bad_msd, bad_lag, Walk(dim, 40, 4), exponent_band=BAND)


def test_motionless_atoms_do_not_diffuse():
    with pytest.raises(NotDiffusive):
        analyse(np.zeros((100, 4, 3)), 3)


@pytest.mark.slow
def test_kinisi_agrees():
    """kinisi's Bayesian GLS on the same walkers, beside a framework at rest that it holds on to."""
    pytest.importorskip("kinisi")
    import scipp as sc
    from ase import Atoms
    from kinisi.analyze import DiffusionAnalyzer

    rng = np.random.default_rng(12)
    walk, rest = brownian(rng, 0.3, 400, 16, 3) + 15.0, rng.random((8, 3)) * 30.0
    frames = [Atoms("He16Ne8", np.concatenate([x, rest]), cell=[30.0] * 3, pbc=True) for x in walk]
    for frame in frames:
        frame.wrap()
    other = DiffusionAnalyzer.from_ase(
        frames,
        specie="He",
        time_step=sc.scalar(DT, unit="ps"),
        step_skip=sc.scalar(1),
        dt=sc.array(dims=["time interval"], values=np.arange(1, 60) * DT, unit="ps"),
        progress=False,
    )
    seed = np.random.RandomState(1)
    other.diffusion(start_dt=sc.scalar(DT, unit="ps"), progress=False, random_state=seed)
    theirs = sc.to_unit(sc.array(dims=["D"], values=other.D.values, unit="cm^2/s"), "angstrom^2/ps")
    fit = analyse(walk, 3)
    assert_allclose(fit.value, 0.3, atol=4 * fit.stderr)
    # one trajectory, two estimators: they share the noise of the walk, so three errors are ample
    assert_allclose(theirs.values.mean(), fit.value, atol=3 * fit.stderr)


def test_the_rise_of_an_ion_in_its_cage_is_no_diffusion():
    """Four channels for 15 ps: a cage fills in 0.5 ps, then hops of 3.7 A add 0.3 A^2/ps."""
    lag = 0.02 * np.arange(376)
    msd = 1.2 * np.minimum(lag / 0.5, 1) + 0.3 * lag
    found = fit_diffusion(msd, lag, Walk(1, 751, 4, jump_A=3.7), exponent_band=(0.85, 1.15))
    assert_allclose(found.value, 0.15, rtol=0.01)  # the first rise would give 1.35
