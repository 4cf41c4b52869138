"""Centres and their ligands along a trajectory: bonds, edges, coordination, exchange with ions."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from dpchannel.settings import Neighbour, SystemSettings
from dpchannel.structures.classify import Sites
from dpchannel.structures.columns import Array, Index, wrapped

FREE = -1  # owner of an atom that no centre binds
_BLOCK_ROWS = 2_000_000  # of a trajectory held at once, in atoms (or pairs) x frames


@dataclass(frozen=True, eq=False)
class Polyhedra:
    """Bonds of the start structure between centres and the element that also moves.

    centres : (n_centre,)       atom indices
    bonds : (n_bond, 2)         centre, ligand; `bond_vectors` (n_bond, 3) fractional, to the ligand
    edges : (n_edge, 2)         two ligands of one centre; `edge_vectors` likewise
    name, ligand_name : str     their species
    within_A : A                what counts as bonded
    """

    centres: Index
    bonds: Index
    bond_vectors: Array
    edges: Index
    edge_vectors: Array
    name: str
    ligand_name: str
    within_A: float


@dataclass(frozen=True)
class Exchange:
    """Who is bound to whom, frame by frame.

    `intact` (n_frame,) part of the centres with as many ligands as at the start; `captured` mobile
    ions that a centre bound, `released` ligands that left their centre, both for `residence` frames
    or more without a break.
    """

    intact: Array
    captured: Index
    released: Index
    residence: int


def find_polyhedra(atoms: Atoms, system: SystemSettings, sites: Sites) -> Polyhedra | None:
    """Polyhedra that the rules of the species name; None without.

    A mobile species told by `without_neighbour` shares its element with ligands of that neighbour;
    else a species at rest told by `with_neighbour` is the ligand.
    """
    rules = [(s.element, s.without_neighbour) for s in system.species if s.role == "mobile"]
    rules += [(s.element, s.with_neighbour) for s in system.species if s.role == "other"]
    element, near = next(((e, near) for e, near in rules if near), ("", None))
    if near is None:
        return None
    i, j, vectors = _bonds(atoms, near, element)
    if len(i) == 0:
        return None
    inverse = np.linalg.inv(atoms.cell.array)
    of_centre = [np.flatnonzero(i == centre) for centre in np.unique(i)]
    two = [(a, b) for bonds in of_centre for a, b in combinations(bonds, 2)]
    first, second = np.array(two, np.int64).reshape(-1, 2).T
    return Polyhedra(
        centres=np.unique(i),
        bonds=np.stack([i, j], axis=1),
        bond_vectors=vectors @ inverse,
        edges=np.stack([j[first], j[second]], axis=1),
        edge_vectors=(vectors[second] - vectors[first]) @ inverse,
        name=str(sites.species[i[0]]),
        ligand_name=str(sites.species[j[0]]),
        within_A=near.within_A,
    )


def _bonds(atoms: Atoms, centre: Neighbour, element: str) -> tuple[Index, Index, Array]:
    symbols = np.array(atoms.get_chemical_symbols())
    i, j, vectors = neighbor_list("ijD", atoms, {(centre.element, element): centre.within_A})
    keep = (symbols[i] == centre.element) & (symbols[j] == element)
    return i[keep], j[keep], vectors[keep]


def lengths(cells: Array, scaled: Array, pairs: Index, vectors: Array) -> Array:
    """Length (n_frame, n_pair) A of pairs that keep the image they had at the start.

    Parameters
    ----------
    cells : (n_frame, 3, 3) A
    scaled : (n_frame, n_atom, 3)
    pairs, vectors : (n_pair, 2), (n_pair, 3)       atoms, and the fractional vector at the start
    """
    there = scaled[:, pairs[:, 1]] - scaled[:, pairs[:, 0]]
    out: Array = np.linalg.norm((vectors + wrapped(there - vectors)) @ cells, axis=-1)
    return out


def exchange(
    cells: Array, scaled: Any, found: Polyhedra, mobile: Index, residence: int
) -> Exchange:
    """Follow mobile ions, and every ligand that ever leaves its centre.

    Parameters
    ----------
    cells, scaled : as for `lengths`    scaled on disk or not, read block by block, twice
    mobile : (n_ion,)       atom indices
    residence : frames      shorter bonds and absences do not count
    """
    step = max(1, _BLOCK_ROWS // max(scaled.shape[1], len(found.bonds)))
    blocks = [slice(k, k + step) for k in range(0, len(cells), step)]
    kept = np.ones(len(found.bonds), bool)
    for part in blocks:
        length = lengths(cells[part], np.asarray(scaled[part]), found.bonds, found.bond_vectors)
        kept &= (length <= found.within_A).all(axis=0)
    left = np.unique(found.bonds[~kept, 1])
    watched = np.r_[mobile, left]
    owner = np.empty((len(cells), len(watched)), np.int64)
    intact = np.empty(len(cells))
    for part in blocks:
        frames = np.asarray(scaled[part])
        for k, atom in enumerate(watched):
            owner[part, k] = _owner(cells[part], frames, found, atom)
        intact[part] = _intact(owner[part], found, left)
    home = np.full(len(watched), FREE)
    home[len(mobile) :] = [found.bonds[found.bonds[:, 1] == atom, 0][0] for atom in left]
    away = np.array([_longest(owner[:, k] != home[k]) for k in range(len(watched))])
    moved = away >= residence
    return Exchange(
        intact=intact,
        captured=watched[: len(mobile)][moved[: len(mobile)]],
        released=left[moved[len(mobile) :]],
        residence=residence,
    )


def _intact(owner: Index, found: Polyhedra, left: Index) -> Array:
    """Part (n_frame,) of the centres with as many ligands as at the start.

    owner : (n_frame, n_watched)    centre of each ion and of each ligand that ever `left`
    """
    place = {int(atom): k for k, atom in enumerate(found.centres)}
    stay = ~np.isin(found.bonds[:, 1], left)
    row = np.array([place[int(c)] for c in found.bonds[:, 0]])
    expected = np.bincount(row, minlength=len(found.centres))
    count = np.tile(np.bincount(row[stay], minlength=len(found.centres)), (len(owner), 1))
    for centre in owner.T:
        frames = np.flatnonzero(centre != FREE)
        count[frames, [place[int(c)] for c in centre[frames]]] += 1  # each frame comes once
    part: Array = (count == expected).mean(axis=1)
    return part


def _owner(cells: Array, scaled: Array, found: Polyhedra, atom: int) -> Index:
    """Atom index (n_frame,) of the nearest centre within reach of one atom, or FREE."""
    apart = wrapped(scaled[:, found.centres] - scaled[:, atom, None]) @ cells
    distance = np.linalg.norm(apart, axis=-1)
    nearest = distance.argmin(axis=1)
    near = distance.min(axis=1) <= found.within_A
    return np.where(near, found.centres[nearest], FREE)


def _longest(true: Array) -> int:
    """Length of the longest run of True in (n,)."""
    edges = np.flatnonzero(np.diff(np.r_[False, true, False].astype(int)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
