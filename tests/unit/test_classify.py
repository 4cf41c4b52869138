"""Which atom is what, in every cell, at rest and displaced, for every occupancy."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.settings import SystemSettings
from dpchannel.structures.cells import build
from dpchannel.structures.classify import classify
from dpchannel.structures.io import load_system

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load_system("pb10po46o", INPUTS)
PER_FORMULA = {"O1": 24, "O2": 1, "P": 6, "Pb1": 4, "Pb2": 6}  # Wyckoff sites of the paper


def warmed(atoms: Atoms, amplitude_A: float, seed: int = 1) -> Atoms:
    """Thermal displacements: heavy atoms and ions freely, an anion along with its own cation.

    Bond lengths move a third as much as atoms do, as in stiff groups.
    """
    sites = classify(atoms, SYSTEM)
    rng = np.random.default_rng(seed)
    shift = rng.normal(0.0, amplitude_A, (len(atoms), 3))
    centres = np.flatnonzero(sites.species == "P")
    for atom in np.flatnonzero(sites.species == "O1"):
        owner = centres[atoms.get_distances(atom, centres, mic=True).argmin()]
        shift[atom] = shift[owner] + shift[atom] / 3
    moved = atoms.copy()
    moved.positions += shift
    return moved


@pytest.mark.parametrize(
    ("options", "n_formula"),
    [
        ({}, 1),
        ({"cell": "orthohexagonal"}, 2),
        ({"repeat": (2, 3, 2)}, 12),
        ({"cell": "orthohexagonal", "repeat": (2, 1, 3)}, 12),
        ({"cell": "orthohexagonal", "repeat": (1, 1, 2), "occupancy": "random", "seed": 3}, 4),
        ({"repeat": (1, 1, 2), "occupancy": "displaced"}, 2),
    ],
)
@pytest.mark.parametrize("amplitude_A", [0.0, 0.15])
def test_counts_of_every_species_and_ring(options, n_formula, amplitude_A):
    """0.15 A is the amplitude of the heavy atoms near 500 K (harmonic, about 3 eV/A^2)."""
    atoms = build(SYSTEM, INPUTS, **options)
    still = classify(atoms, SYSTEM)
    sites = classify(warmed(atoms, amplitude_A), SYSTEM) if amplitude_A else still
    names, counts = np.unique(sites.species, return_counts=True)
    assert dict(zip(names, counts // n_formula, strict=True)) == PER_FORMULA
    assert counts.sum() == 41 * n_formula
    assert sites.rings.shape == (2 * n_formula, 3)
    assert sites.ring_filled.sum() == n_formula
    assert sorted(sites.rings.ravel()) == np.flatnonzero(sites.species == "Pb2").tolist()
    # warming changes positions, not what an atom is
    assert np.array_equal(sites.species, still.species)
    assert {frozenset(r) for r in sites.rings} == {frozenset(r) for r in still.rings}


def test_wrapping_and_shifting_change_nothing():
    """The choice of origin, and of each atom's image, is no physics."""
    atoms = build(SYSTEM, INPUTS, cell="orthohexagonal")
    moved = atoms.copy()
    moved.positions += [3.1, -2.2, 1.9]
    moved.wrap()
    moved.positions[::3] += moved.cell[2]
    one, other = classify(atoms, SYSTEM), classify(moved, SYSTEM)
    assert np.array_equal(one.species, other.species)
    assert {frozenset(r) for r in one.rings} == {frozenset(r) for r in other.rings}
    assert one.ring_filled.sum() == other.ring_filled.sum()


def test_the_filled_ring_is_the_one_around_the_ion():
    """Published structure: ion at z = 0.234, rings at 0.244 and 0.746."""
    atoms = build(SYSTEM, INPUTS)
    sites = classify(atoms, SYSTEM)
    heights = atoms.get_scaled_positions()[sites.rings, 2].mean(axis=1)
    assert_allclose(heights, [0.2443, 0.7464], atol=1e-4)
    assert sites.ring_filled.tolist() == [True, False]
    assert [c.tolist() for c in sites.columns] == [[40]]


@pytest.mark.parametrize("amplitude_A", [0.0, 0.15])
@pytest.mark.parametrize("repeat", [(1, 1, 2), (2, 1, 1)])
def test_channel_without_ions_is_found_by_its_rings(repeat, amplitude_A):
    """All ions of one channel moved into another: the crystal still has all its channels."""
    atoms = build(SYSTEM, INPUTS, cell="orthohexagonal", repeat=repeat)
    sites = classify(atoms, SYSTEM)
    moved, scaled = atoms.copy(), atoms.get_scaled_positions()
    for ion in sites.columns[0]:
        scaled[ion, :2] = sites.column_xy[1]
        scaled[ion, 2] += 0.5 / repeat[2]
    moved.set_scaled_positions(scaled)
    if amplitude_A:
        displaced = warmed(atoms, amplitude_A)
        moved.positions += displaced.positions - atoms.positions
    found = classify(moved, SYSTEM)
    assert len(found.columns) == len(sites.columns)
    assert sorted(map(len, found.columns)) == sorted(
        [0, 2 * repeat[2]] + [repeat[2]] * (len(sites.columns) - 2)
    )
    assert {frozenset(r) for r in found.rings} == {frozenset(r) for r in sites.rings}
    assert found.ring_filled.sum() == sites.ring_filled.sum()


def test_names_come_from_the_settings():
    """Renamed species and distances: nothing in the code knows the old names."""
    text = (INPUTS / "pb10po46o.toml").read_text()
    for old, new in {'"Pb2"': '"corner"', '"O2"': '"guest"', "triangle": "tri"}.items():
        text = text.replace(old, new)
    sites = classify(build(SYSTEM, INPUTS), SystemSettings.model_validate(tomllib.loads(text)))
    assert {"corner", "guest"} <= set(sites.species)
    assert "tri" in sites.pairs


def swapped(atoms: Atoms, index: int, symbol: str) -> Atoms:
    atoms.symbols[index] = symbol
    return atoms


def without(atoms: Atoms, index: int) -> Atoms:
    del atoms[index]
    return atoms


def moved(atoms: Atoms, index: int, towards: int, rest_A: float) -> Atoms:
    """Bring an atom along the line to another one, up to `rest_A` from it."""
    way = atoms.get_distance(index, towards, mic=True, vector=True)
    atoms.positions[index] += way * (1 - rest_A / np.linalg.norm(way))
    return atoms


# in the published cell: 0 is a ring atom, 6 none, 10 the cation of a group, 16 an anion, 40 the ion
@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda a: swapped(a, 0, "Cu"), "Cu is not among"),
        (lambda a: swapped(a, 0, "P"), "Pb9 P7 O25: not a whole number of formula units"),
        (lambda a: without(a, 40), "Pb10 P6 O24: not a whole number"),
        (lambda a: a + Atoms("O", [[3.0, 1.0, 3.7]]), "Pb10 P6 O26: not a whole number"),
        (lambda a: moved(a, 40, 10, 1.5), "0 mobile ions .* expected 1"),
        (lambda a: moved(a, 22, 40, 1.0), "2 mobile ions .* expected 1"),
        (lambda a: moved(a, 0, 40, -4.5), "[0-9] in all; expected 6 in 1 formula units"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_numbers(damage, why):
    with pytest.raises(InputError, match=why):
        classify(damage(build(SYSTEM, INPUTS)), SYSTEM)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            '{ element = "P", within_A = 2.2 }',
            '{ element = "P", within_A = 9.0 }',  # every anion has a cation so close
            r"0 mobile ions \(O2\) in 1 formula units, expected 1\. .*"
            r"inputs/pb10po46o\.toml \[\[species\]\] O2 \(element O, no P within 9 A\): ",
        ),
        (
            "ions_per_cell = 1",
            "ions_per_cell = 2",
            r"1 mobile ions .* expected 2\. .*: that rule, or channel\.ions_per_cell = 2",
        ),
        (
            'axis = "c"',
            'axis = "a"',
            r"1 channels with \[9\] Pb2 each, 9 in all; expected 6 .* Check in "
            r"inputs/pb10po46o\.toml channel\.axis = a, along .*within_A = 4 of .* Pb2",
        ),
    ],
)
def test_rules_that_do_not_fit_the_crystal_are_named_with_what_to_change(old, new, why):
    """The published crystal under the rules of another one."""
    text = (INPUTS / "pb10po46o.toml").read_text()
    assert old in text
    rules = SystemSettings.model_validate(tomllib.loads(text.replace(old, new)))
    with pytest.raises(InputError, match=why):
        classify(build(SYSTEM, INPUTS), rules)


def test_melt_is_refused():
    """Random positions have no channels; they must not be given names."""
    atoms = build(SYSTEM, INPUTS, cell="orthohexagonal")
    rng = np.random.default_rng(1)
    atoms.set_scaled_positions(rng.random((len(atoms), 3)))
    with pytest.raises(InputError, match="mobile ions"):
        classify(atoms, SYSTEM)


@pytest.mark.parametrize("wider_A", [0.05, 0.3])
def test_rings_wider_than_half_the_cell_keep_their_axis(wider_A):
    """Two atoms of a triangle can lie more than half a cell apart, whichever comes first."""
    atoms = build(SYSTEM, INPUTS, repeat=(1, 1, 4))
    still = classify(atoms, SYSTEM)
    home = np.append(still.column_xy[0], 0.0) @ atoms.cell.array
    for ring in still.rings[~still.ring_filled]:
        for atom in ring:
            out = atoms.positions[atom] - home
            scaled = np.linalg.solve(atoms.cell.array.T, out)
            out = (scaled - np.rint(scaled) * [1, 1, 0]) @ atoms.cell.array
            out[2] = 0.0
            atoms.positions[atom] += wider_A * out / np.linalg.norm(out)
    for first in range(len(atoms)):
        order = np.roll(np.arange(len(atoms)), first)
        found = classify(atoms[order], SYSTEM)
        assert (found.species == still.species[order]).all()
        assert_allclose(
            np.round(found.column_xy - still.column_xy),
            found.column_xy - still.column_xy,
            atol=1e-3,
        )
