"""Atom pairs whose distances a system reports, with the image each has in one structure."""

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.settings import SystemSettings
from dpchannel.structures.columns import Array, Index

Pairs = tuple[dict[str, Index], dict[str, Array]]


def distances(
    atoms: Atoms, system: SystemSettings, species: NDArray[np.str_], rings: Index
) -> Pairs:
    """Atom pairs of every reported distance, and their fractional vectors in this structure."""
    inverse = np.linalg.inv(atoms.cell.array)
    pairs, vectors = _edges(atoms, system, rings)
    for wanted in system.distance:
        chosen = np.flatnonzero(np.isin(species, wanted.between))
        i, j, shell, vector = neighbor_list("ijdD", atoms[chosen], wanted.to_A)
        one, other = (species[chosen[k]] for k in (i, j))
        first, second = wanted.between
        keep = (shell >= wanted.from_A) & (one == first) & (other == second)
        if first == second:  # the list holds each pair from both ends
            keep &= (i < j) | ((i == j) & (vector @ [1.0, 1e-3, 1e-6] > 0))
        if not keep.any():
            raise InputError(
                f"structure: no {first}-{second} pair between {wanted.from_A} and {wanted.to_A} A"
                f" (distance {wanted.name})."
            )
        pairs[wanted.name] = np.stack([chosen[i[keep]], chosen[j[keep]]], axis=1)
        vectors[wanted.name] = vector[keep] @ inverse
    return pairs, vectors


def _edges(atoms: Atoms, system: SystemSettings, rings: Index) -> Pairs:
    if system.ring is None:
        return {}, {}
    edge_ends = np.stack([rings, np.roll(rings, -1, axis=1)], axis=-1)
    if rings.shape[1] == 2:
        edge_ends = edge_ends[:, :1]  # two atoms have one edge, not two
    edges = edge_ends.reshape(-1, 2)
    step, _ = find_mic(np.diff(atoms.positions[edges], axis=1)[:, 0], atoms.cell, atoms.pbc)
    inverse = np.linalg.inv(atoms.cell.array)
    return {system.ring.name: edges}, {system.ring.name: step @ inverse}
