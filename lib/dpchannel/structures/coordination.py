"""How many centres still have the neighbours of the crystal."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from dpchannel.settings import SystemSettings
from dpchannel.structures.classify import Sites
from dpchannel.structures.polyhedra import find_polyhedra


@dataclass(frozen=True)
class Coordination:
    """A polyhedron that should survive: `number` ligands within `within_A` of each centre."""

    centre: str
    ligand: str
    within_A: float
    number: int


def coordination_of(atoms: Atoms, system: SystemSettings, sites: Sites) -> Coordination | None:
    """The polyhedra of a crystal, with the number of ligands most centres have; None without."""
    found = find_polyhedra(atoms, system, sites)
    if found is None:
        return None
    centre, ligand = (atoms.symbols[i] for i in found.bonds[0])
    number = int(np.bincount(np.unique(found.bonds[:, 0], return_counts=True)[1]).argmax())
    return Coordination(centre, ligand, found.within_A, number)


def coordinated(atoms: Atoms, wanted: Coordination) -> float:
    """Part of the centres with exactly as many ligands as wanted."""
    pair = (wanted.centre, wanted.ligand)
    i, j = neighbor_list("ij", atoms, {pair: wanted.within_A})
    mine = i[(atoms.symbols[i] == wanted.centre) & (atoms.symbols[j] == wanted.ligand)]
    found = np.bincount(mine, minlength=len(atoms))[atoms.symbols == wanted.centre]
    return float(np.mean(found == wanted.number))
