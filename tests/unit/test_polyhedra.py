"""Bonds, edges and exchange in the crystal, with atoms moved by hand."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.settings import SystemSettings, load
from dpchannel.structures.cells import build
from dpchannel.structures.classify import classify
from dpchannel.structures.polyhedra import exchange, find_polyhedra, lengths

INPUTS = Path(__file__).parents[2] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
ATOMS = build(SYSTEM, INPUTS, "orthohexagonal", (1, 1, 2))
SITES = classify(ATOMS, SYSTEM)
FRAMES = 20


@pytest.fixture
def still():
    """Cells and scaled coordinates of a crystal at rest, wrapped as it happens."""
    cells = np.tile(ATOMS.cell.array, (FRAMES, 1, 1))
    return cells, np.tile(ATOMS.get_scaled_positions(), (FRAMES, 1, 1))


def polyhedra():
    return find_polyhedra(ATOMS, SYSTEM, SITES)


def test_every_tetrahedron_has_four_bonds_and_six_edges(still):
    found = polyhedra()
    n = len(found.centres)
    assert (len(found.bonds), len(found.edges)) == (4 * n, 6 * n)
    assert (found.name, found.ligand_name) == ("P", "O1")
    bond = lengths(*still, found.bonds, found.bond_vectors)
    edge = lengths(*still, found.edges, found.edge_vectors)
    assert_allclose(bond, 1.56, atol=0.05)  # a phosphate group
    assert_allclose(edge.mean() / bond.mean(), np.sqrt(8 / 3), rtol=0.01)  # of a tetrahedron


def test_a_crystal_at_rest_exchanges_nothing(still):
    seen = exchange(*still, polyhedra(), SITES.mobile, 2)
    assert_allclose(seen.intact, 1.0)
    assert len(seen.captured) == len(seen.released) == 0


def swap(scaled, start, stop):
    """From frame start to stop an ion sits where a ligand was, and the ligand in the channel."""
    found = polyhedra()
    ion, ligand = int(SITES.mobile[0]), int(found.bonds[0, 1])
    scaled[start:stop, [ion, ligand]] = scaled[start:stop, [ligand, ion]]
    return ion, ligand


def test_an_exchange_is_seen_with_both_partners_and_keeps_the_coordination(still):
    cells, scaled = still
    ion, ligand = swap(scaled, 8, FRAMES)
    seen = exchange(cells, scaled, polyhedra(), SITES.mobile, 3)
    assert list(seen.captured) == [ion] and list(seen.released) == [ligand]
    assert_allclose(seen.intact, 1.0)


def test_a_collision_shorter_than_the_residence_is_no_exchange(still):
    cells, scaled = still
    swap(scaled, 8, 10)
    seen = exchange(cells, scaled, polyhedra(), SITES.mobile, 3)
    assert len(seen.captured) == len(seen.released) == 0


def test_a_lost_ligand_and_a_fifth_one_both_spoil_the_coordination(still):
    cells, scaled = still
    found = polyhedra()
    ion, ligand = int(SITES.mobile[0]), int(found.bonds[0, 1])
    n = len(found.centres)
    lost = scaled.copy()
    lost[:, ligand] = scaled[:, ion] + [0, 0, 0.1]
    assert_allclose(exchange(cells, lost, found, SITES.mobile, 3).intact, 1 - 1 / n)
    fifth = scaled.copy()
    fifth[:, ion] = scaled[:, found.bonds[0, 0]] + [0.1, 0, 0]
    seen = exchange(cells, fifth, found, SITES.mobile, 3)
    assert_allclose(seen.intact, 1 - 1 / n)
    assert list(seen.captured) == [ion] and len(seen.released) == 0
