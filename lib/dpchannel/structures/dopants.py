"""A dopant in place of one atom of the crystal, on each inequivalent site."""

import numpy as np
from ase import Atoms

from dpchannel.errors import InputError
from dpchannel.settings import SystemSettings
from dpchannel.settings.chemical import ChemicalPressureSettings
from dpchannel.structures.classify import classify


def dopant_sites(
    atoms: Atoms, system: SystemSettings, settings: ChemicalPressureSettings
) -> dict[str, int]:
    """One atom of every kind of site of the replaced element: `X2-1` -> atom index.

    Raises
    ------
    InputError              the crystal does not have the element, or has the dopant already
    """
    import spglib

    if settings.replaces not in system.system.elements:
        raise InputError(
            f"replaces = {settings.replaces}: {system.system.name} has"
            f" {', '.join(system.system.elements)}. Correct it in inputs/chemical-pressure.toml."
        )
    if settings.dopant in system.system.elements:
        raise InputError(f"dopant = {settings.dopant}: {system.system.name} has that already.")
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    data = spglib.get_symmetry_dataset(cell, symprec=settings.symmetry_A)
    if data is None:
        raise InputError(f"symmetry_A = {settings.symmetry_A:g}: no symmetry found. Lower it.")
    species = classify(atoms, system).species
    found: dict[str, int] = {}
    for atom in np.unique(data.equivalent_atoms):
        if atoms[atom].symbol == settings.replaces:
            n = sum(name.startswith(f"{species[atom]}-") for name in found) + 1
            found[f"{species[atom]}-{n}"] = int(atom)
    return found


def doped(atoms: Atoms, atom: int, dopant: str) -> Atoms:
    """A copy with the dopant in place of one atom."""
    new: Atoms = atoms.copy()
    new.calc = None
    new.symbols[atom] = dopant
    return new
