"""How many centres still have the neighbours of the crystal."""

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from dpchannel.errors import InputError


def coordinated(atoms: Atoms, *, centre: str, ligand: str, within_A: float, number: int) -> float:
    """Part of the `centre` atoms with exactly `number` ligands within `within_A`.

    Raises
    ------
    InputError      no atom of the centre's element
    """
    centres = np.flatnonzero(atoms.symbols == centre)
    if not centres.size:
        raise InputError(f"coordination: no {centre} in {atoms.symbols.formula}.")
    i, j = neighbor_list("ij", atoms, {(centre, ligand): within_A})
    bonds = np.bincount(i[(atoms.symbols[i] == centre) & (atoms.symbols[j] == ligand)])
    found = np.pad(bonds, (0, max(0, len(atoms) - len(bonds))))[centres]
    return float(np.mean(found == number))
