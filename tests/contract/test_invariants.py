"""What holds for any potential: order, translation, cell, supercell; then its phonons."""

import numpy as np
import phonopy
import pytest
from ase import Atoms
from ase.build import make_supercell
from numpy.testing import assert_allclose
from scipy.constants import R

from dpchannel.benchmark.eos import eos
from dpchannel.benchmark.lattice import ground_state
from dpchannel.benchmark.phonons import phonons
from dpchannel.errors import InputError
from dpchannel.potential.calculator import calculator
from dpchannel.results import project_root
from dpchannel.settings import SystemSettings, load
from dpchannel.settings.benchmark import BenchmarkSettings
from dpchannel.structures.cells import load_structure, orthohexagonal

INPUTS = project_root() / "inputs"
FOLDER = INPUTS / "potentials" / "pb10po46o"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
HOW = load(BenchmarkSettings, INPUTS / "benchmark.toml")
# sums of float64 in another order: 41 to 328 atoms of some 10 eV each
SUMS_eV_PER_ATOM = 1e-11


def quiet(message):
    """Nobody watches."""


@pytest.fixture(scope="module")
def potential():
    return calculator(FOLDER / "model.pb", SYSTEM.system.elements)


@pytest.fixture(scope="module")
def crystal(potential):
    """From the symmetric start alone: at rest, minimum or saddle, and quickly found."""
    how = HOW.lattice.model_copy(update={"starts": 1})
    return ground_state(potential, load_structure(SYSTEM, INPUTS), SYSTEM, how, quiet)


@pytest.fixture
def moved(crystal, potential) -> Atoms:
    """Atoms off their sites, so that there are forces."""
    atoms = crystal.copy()
    atoms.rattle(0.05, seed=1)
    atoms.calc = potential
    return atoms


def with_calculator(atoms: Atoms, potential) -> Atoms:
    atoms = atoms.copy()
    atoms.calc = potential
    return atoms


def test_supercell_has_the_energy_of_its_cells(moved, potential):
    energy, forces = moved.get_potential_energy() / len(moved), moved.get_forces().copy()
    for repeat in ((1, 1, 2), (2, 2, 2)):
        large = with_calculator(moved.repeat(repeat), potential)
        assert_allclose(
            large.get_potential_energy() / len(large), energy, rtol=0, atol=SUMS_eV_PER_ATOM
        )
        assert_allclose(large.get_forces()[: len(moved)], forces, rtol=0, atol=1e-9)


def test_energy_does_not_depend_on_the_order_of_atoms(moved, potential):
    order = np.random.default_rng(2).permutation(len(moved))
    energy, forces = moved.get_potential_energy(), moved.get_forces().copy()
    shuffled = with_calculator(moved[order], potential)
    assert shuffled.get_potential_energy() == pytest.approx(energy, abs=41 * SUMS_eV_PER_ATOM)
    assert_allclose(shuffled.get_forces(), forces[order], rtol=0, atol=1e-9)


def test_energy_does_not_depend_on_translation_or_wrapping(moved, potential):
    energy, forces = moved.get_potential_energy(), moved.get_forces().copy()
    shifted = with_calculator(moved, potential)
    shifted.positions += (1.234, -5.678, 9.1011)
    for wrap in (False, True):
        if wrap:
            shifted.wrap()
        assert shifted.get_potential_energy() == pytest.approx(energy, abs=41 * SUMS_eV_PER_ATOM)
        assert_allclose(shifted.get_forces(), forces, rtol=0, atol=1e-9)


def test_hexagonal_and_orthohexagonal_cells_agree(potential):
    """Per atom, and the same with the cell's vectors chosen differently or turned."""
    crystal = with_calculator(load_structure(SYSTEM, INPUTS), potential)
    energy = crystal.get_potential_energy() / len(crystal)
    skewed = make_supercell(crystal, [[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    turned = crystal.copy()
    turned.rotate(37.0, (1, 2, 3), rotate_cell=True)
    for atoms, off_eV in ((orthohexagonal(crystal), 1e-7), (skewed, 1e-11), (turned, 1e-11)):
        other = with_calculator(atoms, potential)
        # the published cell is hexagonal to 1e-6 and is made exactly rectangular
        assert_allclose(other.get_potential_energy() / len(other), energy, rtol=0, atol=off_eV)


def test_a_compressed_file_serves_as_well(crystal):
    """POTENTIAL=path of one file; single precision in its table leaves 1e-4 eV/A."""
    fast = calculator(FOLDER / "model-compressed.pb", SYSTEM.system.elements)
    assert np.abs(with_calculator(crystal, fast).get_forces()).max() < 1e-3


def test_phonons_of_the_shipped_potential(crystal, potential, tmp_path):
    """1x1x1 and few wave vectors; sum rule, translations, number of states, Dulong and Petit."""
    quick = {"supercells": ((1, 1, 1),), "mesh": (2, 2, 2), "points": 6}
    published = load_structure(SYSTEM, INPUTS)
    loosely = HOW.phonons.follow.model_copy(update={"fmax_eV_per_A": 0.004})
    how = HOW.phonons.model_copy(
        update=quick | {"temperatures_K": (10.0, 3000.0), "follow": loosely}
    )
    found = phonons(potential, crystal, published, SYSTEM, how, quiet)
    assert [check.name for check in found.checks if not check.ok] == []
    assert found.quantities["residual_force"].value < 1e-5
    assert found.quantities["f_min"] == found.quantities["f_min_1x1x1"]
    assert found.quantities["f_min_kz_pi_1x1x1"].value >= found.quantities["f_min_1x1x1"].value
    frequency = found.arrays["frequency_1x1x1"]
    assert frequency.shape == (len(found.arrays["path"]), 3 * len(crystal))
    states = sum(found.arrays[f"dos_{element}"] for element in SYSTEM.system.elements)
    # Gaussians, the outermost cut at the ends of the grid
    assert np.trapezoid(states, found.arrays["dos_THz"]) == pytest.approx(123, rel=0.01)
    heat, limit = found.arrays["heat_capacity_J_per_K_mol"], 123 * R
    assert (np.diff(heat) > 0).all() and heat[0] < 0.2 * limit
    # translations at Gamma and imaginary modes, a few per cent of all, have none
    assert 0.9 * limit < heat[-1] < limit
    saved = tmp_path / "params.yaml"
    saved.write_text(found.texts["phonopy_params_1x1x1.yaml"])
    again = phonopy.load(saved, log_level=0)
    again.symmetrize_force_constants(show_drift=False)
    again.run_qpoints([[0, 0, 0.5]])
    at = np.flatnonzero(found.arrays["label"] == "A")[0] * how.points - 1
    assert_allclose(again.qpoints.frequencies[0], frequency[at], rtol=0, atol=1e-3)
    for name in ("c_doubled", "same_period"):
        # no higher than the crystal it came from, but for what 0.004 eV/A leaves
        assert found.quantities[f"energy_gained_{name}"].value > -1.0
    assert len(found.structures["c_doubled"]) == 2 * len(crystal)


def test_phonons_of_an_unrelaxed_cell_are_refused(potential):
    published = load_structure(SYSTEM, INPUTS)
    with pytest.raises(InputError, match=r"largest residual force .* limit 1e-05\. Relax the cell"):
        phonons(potential, published, published, SYSTEM, HOW.phonons, quiet)


@pytest.mark.slow
def test_the_equation_of_state_has_its_minimum_at_the_relaxed_lattice(crystal, potential):
    found = eos(potential, crystal, SYSTEM, HOW.eos, quiet)
    assert [check.name for check in found.checks if not check.ok] == []
    volume = crystal.get_volume()
    assert found.quantities["V0"].value == pytest.approx(volume, rel=2e-3)
    assert found.quantities["V0_fixed"].value == pytest.approx(volume, rel=2e-3)
