"""Growth of the solid, and the search for where it stops, on series with known answers."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from dpchannel.errors import InputError
from dpchannel.physics import coexistence, order
from dpchannel.physics.coexistence import Motion
from dpchannel.report.coexistence_task import scale, solid_lattice
from dpchannel.structures.cells import build
from dpchannel.structures.classify import classify
from dpchannel.structures.coexistence import halves
from dpchannel.structures.coordination import Coordination, coordinated, coordination_of
from dpchannel.structures.io import load_system

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
TIME = np.linspace(0, 50, 101)


def moving(velocity, noise=0.005, seed=2):
    """Solid part of a 100 A cell whose two interfaces move at `velocity` (A/ps)."""
    rng = np.random.default_rng(seed)
    return np.clip(0.5 + 2 * velocity * TIME / 100 + noise * rng.standard_normal(101), 0, 1)


@pytest.mark.parametrize(
    ("velocity", "verdict"), [(0.2, "grows"), (-0.2, "shrinks"), (0.0, "stands"), (0.02, "stands")]
)
def test_the_velocity_is_that_of_each_interface(velocity, verdict):
    found = coexistence.motion(moving(velocity), TIME, 100.0, n_sigma=2, moved=0.06)
    assert found.verdict == verdict
    # noise of 0.005 on 101 frames over 50 ps in 100 A: 0.5 A / 50 ps / 5 = 0.002 A/ps
    assert found.velocity_A_per_ps == pytest.approx(velocity, abs=0.008)


def test_a_solid_that_is_gone_has_shrunk():
    """It vanished early, so most of the series stands still at zero."""
    gone = np.where(TIME < 8, 0.5 - TIME / 16, 0.0)
    assert coexistence.motion(gone, TIME, 100.0, n_sigma=2, moved=0.06).verdict == "shrinks"


def found_with(t_m, slowest=0.02):
    """What runs would say around T_m; within `slowest` x 1000 K nothing moves in the time given."""

    def at(kelvin):
        v = (t_m - kelvin) / 1000
        verdict = "stands" if abs(v) < slowest else "grows" if v > 0 else "shrinks"
        return Motion(verdict, v, 0.01, 0.5, 0.5 + v)

    return at


@pytest.mark.parametrize("t_m", [652.0, 901.0, 1190.0])
def test_the_search_closes_in(t_m):
    at, found = found_with(t_m, slowest=0.0), {}
    while kelvin := coexistence.next_temperature_K(found, low_K=500, high_K=1300, tolerance_K=60):
        found[kelvin] = at(kelvin)
        assert len(found) <= 12
    b = coexistence.bracket(found)
    if b.kind == "bracket":
        assert b.low_K < t_m < b.high_K and b.high_K - b.low_K <= 60
        value, error = coexistence.zero_crossing_K(found)
        assert value == pytest.approx(t_m, abs=1e-9)  # velocities are a straight line
        # 0.01 A/ps over 1e-3 A/ps/K at each end, added in squares and weighted: 7 to 10 K
        assert 7 <= error <= 10
    else:
        assert t_m > 1200  # an end that was never run


def test_where_nothing_moves_the_search_still_narrows_from_both_sides():
    at, found = found_with(900.0, slowest=0.05), {}
    while (
        kelvin := coexistence.next_temperature_K(found, low_K=500, high_K=1300, tolerance_K=30)
    ) and len(found) < 20:
        found[kelvin] = at(kelvin)
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
    assert coexistence.next_temperature_K(found, low_K=500, high_K=1300, tolerance_K=10) is None


def test_slabs_tell_crystal_from_gas():
    """Waves of a simple cubic crystal: 1 in its half; Rayleigh's mean in the disordered one."""
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in (8, 8, 32)], indexing="ij"), -1)
    scaled = (grid.reshape(-1, 3) + 0.25) / (8, 8, 32)
    waves = order.bragg_waves(scaled, np.array([16.0, 16.0, 64.0]), 2, n_wave=2, min_A=1.9)
    assert {tuple(np.abs(w)) for w in waves} == {(8, 0, 0), (0, 8, 0)}
    upper = scaled[:, 2] >= 0.5
    mixed = scaled.copy()
    mixed[upper, :2] = rng.random((upper.sum(), 2))
    found = order.slab_order(mixed, waves, 2, 8)
    assert found[:4] == pytest.approx(1.0)
    # 256 atoms a slab: 0.055 expected, spread of a mean of 8 amplitudes about 0.01
    assert found[4:].mean() == pytest.approx(order.liquid_order(256), abs=0.03)
    part = order.solid_fraction(found[None], solid=1.0, liquid=order.liquid_order(256))
    assert part[0] == pytest.approx(0.5, abs=0.03)


def test_a_drift_of_the_crystal_does_not_look_like_melting():
    """One phase for the whole slab: amplitudes stay."""
    scaled = np.random.default_rng(0).random((64, 3))
    waves = np.array([[3, 1, 0], [2, 0, 0]])
    moved = scaled + np.array([0.123, 0.4, 0.0])
    first, second = (order.slab_order(x, waves, 2, 4) for x in (scaled, moved))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-12)


def test_halves_keep_the_lateral_cell_and_stretch_one():
    crystal = bulk("He", "fcc", a=4.0, cubic=True).repeat((2, 2, 6))
    found = halves(crystal, np.array([8.2, 8.2, 24.6]), stretch=0.1)
    np.testing.assert_allclose(found.atoms.cell.lengths(), [8.2, 8.2, 24.6 * 1.05], rtol=1e-12)
    z = np.sort(np.unique(np.round(found.atoms.positions[:, 2], 9)))
    np.testing.assert_allclose(np.diff(z)[:5], 2.05, rtol=1e-9)  # the crystal's half
    np.testing.assert_allclose(np.diff(z)[6:], 2.05 * 1.1, rtol=1e-9)
    assert found.axis == 2 and len(found.liquid) == len(crystal) // 2


@pytest.mark.parametrize("edges", [(20.0, 20.0, 21.0), (8.0, 16.0, 17.0)])
def test_a_cell_without_a_long_axis_is_refused(edges):
    crystal = bulk("He", "fcc", a=4.0, cubic=True)
    with pytest.raises(InputError, match=r"must be 1\.5 times"):
        halves(crystal, np.array(edges), stretch=0.1)


def test_the_solids_cell_comes_from_the_steps(tmp_path: Path):
    t = np.array([0.0, 300.0, 600.0, 900.0])
    path = tmp_path / "melting.npz"
    a, c = 10 + 1e-4 * t, np.where(t < 900, 7 + 2e-4 * t, np.nan)  # molten at 900 K
    np.savez(path, temperature_K=t, a=a, c=c, V=a**2 * c)
    solid = solid_lattice(path)
    assert solid["temperature_K"].tolist() == [0, 300, 600]
    reference = {"a": 10.0, "c": 7.0, "V": 700.0}
    np.testing.assert_allclose(scale(solid, 300.0, reference), [1.003, 1.003, 7.06 / 7])
    # beyond the last one along lines; that of V misses its bend: 3e5 K^2 x 6e-10 /K^2 = 2e-4
    np.testing.assert_allclose(scale(solid, 900.0, reference), [1.009, 1.009, 7.18 / 7], rtol=3e-4)
    np.savez(path, temperature_K=t[:2], a=a[:2], c=c[:2], V=(a**2 * c)[:2])
    with pytest.raises(InputError, match="its cell needs 3"):
        solid_lattice(path)


def test_tetrahedra_are_counted():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 0.9
    one = Atoms("PO4", [[0, 0, 0], *corners], cell=[9] * 3, pbc=True)
    broken = one.copy()
    broken.positions[4] += [-1.5, 0, 0]
    both = one.copy()
    both.extend(Atoms(broken.symbols, broken.positions + np.array([4.5, 0, 0])))
    assert coordinated(both, Coordination("P", "O", 2.2, 4)) == 0.5


@pytest.mark.parametrize(("name", "within_A"), [("pb10po46o", 2.2), ("lifepo4", 2.1)])
def test_what_is_counted_comes_from_the_system(name, within_A):
    system = load_system(name, INPUTS)
    crystal = build(system, INPUTS)
    found = coordination_of(crystal, system, classify(crystal, system))
    assert found == Coordination("P", "O", within_A, 4)
    assert coordinated(crystal, found) == 1.0
