"""Cells and supercells: the same crystal in every shape."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.structures.cells import build, load_structure, orthohexagonal
from dpchannel.structures.io import load_system, read_structure, write_structure

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load_system("pb10po46o", INPUTS)


def build_one(**options):
    return build(SYSTEM, INPUTS, **options)


def test_published_cell():
    """41 atoms, V = 651.02 A^3 (Lai et al.): the two decimals of the paper."""
    atoms = load_structure(SYSTEM, INPUTS)
    assert len(atoms) == 41
    assert_allclose(atoms.get_volume(), 651.02, atol=0.005)


def test_orthohexagonal_cell_is_a_sqrt3a_c():
    """Lengths agree to 1e-6: the published cell is hexagonal only to that."""
    given = build_one()
    a, _, c = given.cell.lengths()
    box = build_one(cell="orthohexagonal")
    assert len(box) == 2 * len(given)
    assert_allclose(box.cell.lengths(), [a, np.sqrt(3) * a, c], rtol=1e-6)
    assert np.array_equal(box.cell.array, np.diag(box.cell.lengths()))
    assert_allclose(box.get_volume(), 2 * given.get_volume(), rtol=1e-6)


@pytest.mark.parametrize("gamma", [60, 120])
def test_orthohexagonal_cell_is_the_same_crystal(gamma):
    """Any energy that depends on distances doubles exactly, up to the 1e-6 of the cell's shape."""
    atoms = build_one()
    if gamma == 60:
        cell = atoms.cell.array.copy()
        cell[1] += cell[0]
        atoms.set_cell(cell)
    box = orthohexagonal(atoms)
    for crystal in (atoms, box):
        crystal.calc = LennardJones(sigma=2.0, epsilon=0.01, rc=6.0, smooth=True)
    assert_allclose(box.get_potential_energy(), 2 * atoms.get_potential_energy(), rtol=1e-5)


def test_only_a_hexagonal_crystal_has_an_orthohexagonal_cell():
    with pytest.raises(InputError, match="not hexagonal"):
        orthohexagonal(bulk("Cu", cubic=True))


def test_the_papers_cell():
    """8 x 4 x 8 orthohexagonal cells are 20992 atoms, and about 8 x 7 x 6 nm^3."""
    atoms = build_one(cell="orthohexagonal", repeat=(8, 4, 8))
    assert len(atoms) == 20992
    assert_allclose(atoms.cell.lengths() / 10, [8, 7, 6], atol=0.1)


@pytest.mark.parametrize(
    "options",
    [{"cell": "cubic"}, {"occupancy": "half"}, {"repeat": (0, 1, 1)}, {"repeat": (1, 1)}],
)
def test_unknown_choice_names_itself(options):
    with pytest.raises(InputError, match=next(iter(options))):
        build_one(**options)


def test_extxyz_keeps_the_structure(tmp_path):
    """Positions to the 8 decimals ASE writes; info exactly."""
    atoms = build_one(cell="orthohexagonal", repeat=(1, 1, 2), occupancy="random", seed=4)
    write_structure(tmp_path / "a.extxyz", atoms)
    again = read_structure(tmp_path / "a.extxyz")
    assert_allclose(again.positions, atoms.positions, atol=1e-8)
    assert again.info["system"] == "pb10po46o"
    assert again.info["occupancy"] == "random"
    assert again.info["repeat"].tolist() == [1, 1, 2]


def test_damaged_file_is_an_input_error(tmp_path):
    """Cut anywhere but inside its last number, a file is refused."""
    whole, cut = tmp_path / "a.extxyz", tmp_path / "cut.extxyz"
    write_structure(whole, build_one())
    text = whole.read_bytes()
    for length in range(0, len(text) - 40, 211):
        cut.write_bytes(text[:length])
        with pytest.raises(InputError, match=r"cut\.extxyz"):
            read_structure(cut)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("none.extxyz", None, "no such file"),
        ("a.h5", "x", r"\.h5"),
        ("a.extxyz", '1\nLattice="9 0 0 0 9 0 0 0 9"\nH nan 0 0\n', "not a finite number"),
        ("a.xyz", "1\nmolecule\nH 0 0 0\n", "not a crystal"),
    ],
)
def test_unusable_file_says_why(tmp_path, name, text, why):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=why):
        read_structure(tmp_path / name)


def test_unknown_system_names_the_missing_file():
    with pytest.raises(InputError, match=r"nosuch\.toml"):
        load_system("nosuch", INPUTS)
