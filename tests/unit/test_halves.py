"""Local order of crystal and liquid, the start of a run, and the cell it takes from the steps."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from dpchannel.errors import InputError
from dpchannel.physics import order
from dpchannel.report.coexistence_task import scale, solid_lattice
from dpchannel.structures.cells import build
from dpchannel.structures.classify import classify
from dpchannel.structures.coexistence import halves
from dpchannel.structures.coordination import Coordination, coordinated, coordination_of
from dpchannel.structures.io import load_system

INPUTS = Path(__file__).resolve().parents[2] / "inputs"


def test_slabs_tell_crystal_from_gas():
    """Waves of a simple cubic crystal: 1 in its half; Rayleigh's mean in the disordered one."""
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in (8, 8, 32)], indexing="ij"), -1)
    scaled = (grid.reshape(-1, 3) + 0.25) / (8, 8, 32)
    waves, weights = order.bragg_waves(
        scaled, np.array([16.0, 16.0, 64.0]), 2, n_wave=2, min_A=1.9, least=0.5
    )
    assert {tuple(np.abs(w)) for w in waves} == {(8, 0, 0), (0, 8, 0)}
    upper = scaled[:, 2] >= 0.5
    mixed = scaled.copy()
    mixed[upper, :2] = rng.random((upper.sum(), 2))
    found = order.slab_order(mixed, waves, weights, 2, 8)
    assert found[:4] == pytest.approx(1.0)
    # 256 atoms a slab: 0.055 expected, spread of a mean of 8 amplitudes about 0.01
    assert found[4:].mean() == pytest.approx(order.liquid_order(256), abs=0.03)
    sides = order.solid_sides(found[None], solid=1.0, liquid=order.liquid_order(256))
    assert sides[0] == pytest.approx([0.25, 0.25], abs=0.03)


def test_only_waves_that_the_crystal_has_are_counted():
    """Face-centred cubic, waves of 2 A or longer along (001): two, of which all atoms agree.

    Four more would be sought; they have no amplitude and would hide the crystal in noise.
    """
    crystal = bulk("He", "fcc", a=4.1, cubic=True).repeat((4, 4, 14))
    lengths = crystal.cell.lengths()
    how = {"n_wave": 6, "least": 0.5}
    waves, weights = order.bragg_waves(crystal.get_scaled_positions(), lengths, 2, min_A=2.0, **how)
    assert {tuple(np.abs(w)) for w in waves} == {(8, 0, 0), (0, 8, 0)}
    assert weights == pytest.approx([1, 1])
    with pytest.raises(InputError, match="0 density wave of 9 A"):
        order.bragg_waves(crystal.get_scaled_positions(), lengths, 2, min_A=9.0, **how)
    crystal.rattle(0.1 * 4.1 / np.sqrt(2) / np.sqrt(3), seed=3)  # Lindemann 0.1: just below melting
    found = order.slab_order(crystal.get_scaled_positions(), waves, weights, 2, 14)
    # Debye-Waller: exp(-(2 pi / 2.05 A)^2 x (0.167 A)^2 / 2) = 0.88
    assert found == pytest.approx(np.full(14, 0.88), abs=0.06)


def test_faint_waves_weigh_little():
    """Order is the mean amplitude, weighted by that in the crystal."""
    scaled = np.zeros((4, 3))
    scaled[:, 0] = [0, 0, 0.5, 0.5]  # waves (2, 0, 0): 1; (1, 0, 0): 0
    waves = np.array([[2, 0, 0], [1, 0, 0]])
    assert order.slab_order(scaled, waves, np.array([0.9, 0.1]), 2, 1) == pytest.approx([0.9])


@pytest.mark.parametrize("n_slab", [6, 8, 14, 16])
def test_each_side_holds_one_interface(n_slab):
    """Crystal from 0 to 0.5 grows by a slab at its upper interface: one side alone gains."""
    local = np.zeros((2, n_slab))
    local[:, : n_slab // 2] = 1
    local[1, n_slab // 2] = 1
    sides = order.solid_sides(local, solid=1.0, liquid=0.0)
    np.testing.assert_allclose(sides[0], 0.25, atol=1e-12)
    np.testing.assert_allclose(sides[1] - sides[0], [1 / n_slab, 0], atol=1e-12)


def test_a_drift_of_the_crystal_does_not_look_like_melting():
    """One phase for the whole slab: amplitudes stay."""
    scaled = np.random.default_rng(0).random((64, 3))
    waves, weights = np.array([[3, 1, 0], [2, 0, 0]]), np.ones(2)
    moved = scaled + np.array([0.123, 0.4, 0.0])
    first, second = (order.slab_order(x, waves, weights, 2, 4) for x in (scaled, moved))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-12)


def test_halves_keep_the_lateral_cell_and_stretch_one():
    crystal = bulk("He", "fcc", a=4.0, cubic=True).repeat((2, 2, 6))
    found = halves(crystal, np.array([8.2, 8.2, 24.6]), stretch=0.1, longest_to_others=1.5)
    np.testing.assert_allclose(found.atoms.cell.lengths(), [8.2, 8.2, 24.6 * 1.05], rtol=1e-12)
    z = np.sort(np.unique(np.round(found.atoms.positions[:, 2], 9)))
    np.testing.assert_allclose(np.diff(z)[:5], 2.05, rtol=1e-9)  # the crystal's half
    np.testing.assert_allclose(np.diff(z)[6:], 2.05 * 1.1, rtol=1e-9)
    assert found.axis == 2 and len(found.liquid) == len(crystal) // 2


@pytest.mark.parametrize("edges", [(20.0, 20.0, 21.0), (8.0, 16.0, 17.0)])
def test_a_cell_without_a_long_axis_is_refused(edges):
    crystal = bulk("He", "fcc", a=4.0, cubic=True)
    with pytest.raises(InputError, match=r"must be 1\.5 times"):
        halves(crystal, np.array(edges), stretch=0.1, longest_to_others=1.5)


def test_the_solids_cell_comes_from_the_steps(tmp_path: Path):
    t = np.array([0.0, 300.0, 600.0, 900.0])
    path = tmp_path / "melting.npz"
    a, c = 10 + 1e-4 * t, np.where(t < 900, 7 + 2e-4 * t, np.nan)  # molten at 900 K
    np.savez(path, temperature_K=t, a=a, c=c, V=a**2 * c)
    solid = solid_lattice(path, 3)
    assert solid["temperature_K"].tolist() == [0, 300, 600]
    reference = {"a": 10.0, "c": 7.0, "V": 700.0}
    np.testing.assert_allclose(scale(solid, 300.0, reference, 3), [1.003, 1.003, 7.06 / 7])
    # beyond the last one along lines; that of V misses its bend: 3e5 K^2 x 6e-10 /K^2 = 2e-4
    np.testing.assert_allclose(
        scale(solid, 900.0, reference, 3), [1.009, 1.009, 7.18 / 7], rtol=3e-4
    )
    np.savez(path, temperature_K=t[:2], a=a[:2], c=c[:2], V=(a**2 * c)[:2])
    with pytest.raises(InputError, match="its cell needs 3"):
        solid_lattice(path, 3)


def test_a_temperature_below_the_coldest_step_is_refused():
    t = np.array([300.0, 600.0, 900.0])
    solid = {"temperature_K": t, "a": 10 + 1e-4 * t, "c": 7 + 2e-4 * t, "V": 700 + 0.01 * t}
    with pytest.raises(InputError, match=r"at 200 K: the coldest step of the solid is 300 K"):
        scale(solid, 200.0, {"a": 10.0, "c": 7.0, "V": 700.0}, 3)


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
