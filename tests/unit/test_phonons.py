"""Force constants, soft modes and the path, on crystals whose answers are known."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from numpy.testing import assert_allclose

from dpchannel.benchmark.engines import force_noise
from dpchannel.benchmark.force_constants import force_constants, residual_force
from dpchannel.benchmark.phonons import path
from dpchannel.benchmark.soft_modes import (
    Lower,
    commensurate,
    frozen_in,
    relaxed,
    softest,
    to_the_minimum,
)
from dpchannel.errors import InputError
from dpchannel.results import project_root
from dpchannel.settings import SystemSettings, load
from dpchannel.settings.benchmark import BenchmarkSettings
from dpchannel.structures.cells import load_structure

INPUTS = project_root() / "inputs"
HOW = load(BenchmarkSettings, INPUTS / "benchmark.toml").phonons
A_IN_M, EV_IN_J, AMU_IN_KG = 1e-10, 1.602176634e-19, 1.66053906892e-27


def quiet(message):
    """Nobody watches."""


@pytest.fixture(scope="module")
def aluminium():
    """Four atoms; forces vanish by symmetry at any lattice constant."""
    return bulk("Al", "fcc", a=3.99, cubic=True)


@pytest.fixture(scope="module")
def constants(aluminium):
    return force_constants(EMT(), aluminium, (1, 1, 2), 0.01, quiet)


def test_a_frozen_mode_costs_what_its_frequency_says(aluminium, constants):
    """E(u) = (2 pi f)^2 sum m u^2 / 2, energies from the calculator alone.

    2 %: at an amplitude of 0.02 A the fourth order is that small.
    """
    mode = softest(constants, [(0.0, 0.0, 0.5)])
    assert mode.repeat == (1, 1, 2)
    frozen, at_rest = frozen_in(mode, 0.02), frozen_in(mode, 1e-9)
    moves = frozen.positions - at_rest.positions
    assert np.linalg.norm(moves, axis=1).max() == pytest.approx(0.02, rel=1e-6)
    energies = []
    for atoms in (frozen, at_rest):
        atoms.calc = EMT()
        energies.append(atoms.get_potential_energy())
    inertia = float(np.sum(frozen.get_masses()[:, None] * moves**2)) * AMU_IN_KG * A_IN_M**2
    f_Hz = np.sqrt(2 * (energies[0] - energies[1]) * EV_IN_J / inertia) / (2 * np.pi)
    assert mode.frequency_THz == pytest.approx(f_Hz / 1e12, rel=0.02)


def test_sum_rule_and_translations(constants):
    """EMT forces add up to zero to rounding, 1e-13 eV/A, over displacements of 0.01 A."""
    assert constants.drift < 1e-10 * 1e2
    assert constants.n_displaced == 1  # all atoms and directions are equivalent
    frequency = constants.frequencies([[0, 0, 0]])[0]
    assert_allclose(np.sort(np.abs(frequency))[:3], 0, atol=1e-4)
    assert frequency.max() > 1  # THz


def test_a_crystal_that_is_held_from_outside_breaks_the_sum_rule(aluminium):
    """Springs of k to fixed places: a translation of all atoms costs k an atom, f^2 = k / m."""
    k, grid = 0.5, aluminium.cell[0, 0] / 2  # eV/A^2; every place of fcc is on this grid

    class Held(EMT):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            off = atoms.positions - grid * np.rint(atoms.positions / grid)
            self.results["forces"] = self.results["forces"] - k * off

    held = force_constants(Held(), aluminium, (1, 1, 2), 0.01, quiet)
    assert held.drift == pytest.approx(k, rel=1e-6)
    mass = aluminium.get_masses()[0] * AMU_IN_KG
    f_THz = np.sqrt(k * EV_IN_J / A_IN_M**2 / mass) / (2 * np.pi) / 1e12
    assert held.translation == pytest.approx(f_THz, rel=1e-3)


def test_translations_do_not_count_as_soft(constants):
    mode = softest(constants, commensurate((1, 1, 1)))
    assert mode.frequency_THz > 1


def test_an_unrelaxed_cell_is_refused_with_its_residual_force(aluminium):
    moved = aluminium.copy()
    moved.positions[0, 0] += 0.01
    moved.calc = EMT()
    largest = np.linalg.norm(moved.get_forces(), axis=1).max()
    with pytest.raises(InputError, match=f"largest residual force {largest:.2e} eV/A, limit 1e-05"):
        residual_force(moved, EMT(), 1e-5)
    assert residual_force(aluminium, EMT(), 1e-5) < 1e-12


def test_single_precision_shows_as_noise(aluminium):
    class Single(EMT):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            rounded = atoms.copy()
            rounded.positions = rounded.positions.astype(np.float32)
            super().calculate(rounded, properties, system_changes)

    moved = aluminium.copy()
    moved.rattle(0.05, seed=1)
    assert force_noise(moved, EMT()) < 1e-10
    assert force_noise(moved, Single()) > 1e-8


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        ((1, 1, 1), {(0, 0, 0)}),
        ((1, 1, 2), {(0, 0, 0), (0, 0, 0.5)}),
        ((3, 1, 1), {(0, 0, 0), (1 / 3, 0, 0), (-1 / 3, 0, 0)}),
    ],
)
def test_waves_that_fit(repeat, expected):
    assert len(commensurate(repeat)) == np.prod(repeat)
    found = {tuple(np.round(q, 6)) for q in commensurate(repeat)}
    assert found == {tuple(np.round(q, 6)) for q in expected}


class Wells(Calculator):
    """Every atom in a double well along z, of depth a^2 / 4b, at the points of a cubic lattice."""

    a, b, spacing_A = 0.3, 1.0, 5.0

    def __init__(self):
        super().__init__()
        self.implemented_properties = ["energy", "forces", "stress"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        u = self.atoms.positions - self.spacing_A * np.rint(self.atoms.positions / self.spacing_A)
        z = u[:, 2]
        forces = -2.0 * u
        forces[:, 2] = 2 * self.a * z - 4 * self.b * z**3
        self.results = {
            "energy": float(np.sum(u[:, :2] ** 2) + np.sum(self.b * z**4 - self.a * z**2)),
            "forces": forces,
            "stress": np.zeros(6),
        }


def test_a_distorted_structure_gains_the_depth_of_its_well():
    parent = Atoms("Cu", cell=[Wells.spacing_A] * 3, pbc=True)
    moved = parent.repeat((1, 1, 2))
    moved.positions[:, 2] += (0.1, -0.1)
    end = relaxed(
        parent, moved, (1, 1, 2), Wells(), HOW.follow, start="here", n_formula=1, note=quiet
    )
    # 1e-4 eV/A at a curvature of 1.2 eV/A^2 leaves 4e-9 eV
    assert end.gain_meV == pytest.approx(1e3 * Wells.a**2 / (4 * Wells.b), abs=1e-4)
    assert end.repeat == (1, 1, 2)
    heights = end.atoms.positions[:, 2] - [0, Wells.spacing_A]
    assert_allclose(heights, np.array([1, -1]) * np.sqrt(Wells.a / 2 / Wells.b), atol=1e-3)


class Hollow(Wells):
    """The same, with shallower double wells across, which the one along z leaves alone."""

    across = 0.1

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        u = self.atoms.positions - self.spacing_A * np.rint(self.atoms.positions / self.spacing_A)
        xy = u[:, :2]
        self.results["energy"] += float(np.sum(self.b * xy**4 - self.across * xy**2 - xy**2))
        self.results["forces"][:, :2] += 2 * xy + 2 * self.across * xy - 4 * self.b * xy**3


@pytest.mark.parametrize(("rounds", "gain_meV"), [(1, 22.5), (3, 22.5 + 2.5 + 2.5)])
def test_a_lower_structure_that_is_a_saddle_itself_is_followed_on(rounds, gain_meV):
    """Moved along z alone and not rattled, the atoms stop on the ridge between the other wells."""
    parent = Atoms("Cu", cell=[Wells.spacing_A] * 3, pbc=True)
    moved = parent.repeat((1, 1, 2))
    moved.positions[:, 2] += (0.1, -0.1)
    follow = HOW.follow.model_copy(update={"rattle_A": 0.0, "rounds": rounds})
    how = HOW.model_copy(update={"follow": follow})
    words = {"n_formula": 1, "note": quiet}
    end = relaxed(parent, moved, (1, 1, 2), Hollow(), follow, start="here", **words)
    assert end.gain_meV == pytest.approx(22.5, abs=1e-3) and end.lowest_THz is None
    end = to_the_minimum(end, parent, Hollow(), how, **words)
    assert end.gain_meV == pytest.approx(gain_meV, abs=1e-3)
    assert (end.lowest_THz > 0) is (rounds == 3)


def test_what_fell_back_is_not_followed_on():
    parent = Atoms("Cu", cell=[Wells.spacing_A] * 3, pbc=True)
    end = Lower(0.1, parent, (1, 1, 1), "here")
    assert to_the_minimum(end, parent, Wells(), HOW, n_formula=1, note=quiet) is end


def test_the_path_has_the_points_of_a_hexagonal_lattice():
    """Fractions of seekpath's hP: Hinuma et al., Comput. Mater. Sci. 128, 140 (2017)."""
    system = load(SystemSettings, INPUTS / "pb10po46o.toml")
    crystal = load_structure(system, INPUTS)
    q, place, labels = path(crystal, crystal, HOW)
    known = {
        "G": (0, 0, 0), "M": (1 / 2, 0, 0), "K": (1 / 3, 1 / 3, 0),
        "A": (0, 0, 1 / 2), "L": (1 / 2, 0, 1 / 2), "H": (1 / 3, 1 / 3, 1 / 2),
    }  # fmt: skip
    assert "".join(name for name, _ in labels) == HOW.path
    assert "LHA" in HOW.path
    corners = q[:: HOW.points], q[HOW.points - 1 :: HOW.points]
    names = list(HOW.path)
    for ends, some in zip(corners, (names[:-1], names[1:]), strict=True):
        for found, name in zip(ends, some, strict=True):
            assert_allclose(found, known[name], atol=1e-6)
    assert (np.diff(place) >= 0).all()
    # Gamma to A is half of 1/c
    at = dict(zip(names[3:5], [x for _, x in labels][3:5], strict=True))
    assert at["A"] - at["G"] == pytest.approx(0.5 / crystal.cell.lengths()[2], rel=1e-6)


def test_a_slightly_distorted_crystal_keeps_the_names(root):
    """Its own lattice would be triclinic, with other points."""
    system = load(SystemSettings, INPUTS / "pb10po46o.toml")
    crystal = load_structure(system, INPUTS)
    bent = crystal.copy()
    bent.set_cell(crystal.cell.array @ (np.eye(3) + 2e-3 * np.eye(3, k=1)), scale_atoms=True)
    q, _, labels = path(bent, crystal, HOW)
    assert_allclose(q, path(crystal, crystal, HOW)[0], rtol=0, atol=1e-12)
    assert "".join(name for name, _ in labels) == HOW.path


def test_an_unknown_point_is_refused(aluminium):
    with pytest.raises(InputError, match=r"phonons\.path: no point A in this lattice; it has "):
        path(aluminium, aluminium, HOW)
