"""Force constants of a crystal from finite displacements, with any ASE calculator, by phonopy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

from dpchannel.errors import InputError

Array = NDArray[np.float64]
Note = Callable[[str], None]
_SYMMETRY_A = 1e-4  # the structure was put on symmetric places by bin/lattice.py


@dataclass(frozen=True, eq=False)
class ForceConstants:
    """What one supercell gave.

    phonopy : Phonopy       with force constants
    drift : eV/A^2          largest sum of force constants over the atoms that are displaced, or
                            over those that feel it, before it is taken off
    translation : THz       largest frequency of the three translations, before that
    largest : eV/A^2        largest force constant
    n_displaced : int       supercells with one displaced atom
    """

    phonopy: Any
    repeat: tuple[int, int, int]
    drift: float
    translation: float
    largest: float
    n_displaced: int

    @property
    def name(self) -> str:
        return "x".join(map(str, self.repeat))

    def frequencies(self, q: Array | Sequence[Sequence[float]]) -> Array:
        """(n_q, 3) fractional -> (n_q, 3 n_atom) THz; imaginary ones are negative."""
        self.phonopy.run_qpoints(np.asarray(q, dtype=float))
        found: Array = np.array(self.phonopy.qpoints.frequencies)
        return found


def residual_force(atoms: Atoms, calculator: Calculator, limit_eV_per_A: float) -> float:
    """Largest force on any atom (eV/A).

    Raises
    ------
    InputError              it exceeds the limit: phonons there would be those of no minimum
    """
    at_rest = _with(calculator, atoms)
    residual = float(np.linalg.norm(at_rest.get_forces(), axis=1).max())
    if not residual < limit_eV_per_A:
        raise InputError(
            f"phonons: largest residual force {residual:.2e} eV/A, limit {limit_eV_per_A:.0e}."
            " Relax the cell first, with this very engine: bin/lattice.py leaves relaxed.extxyz."
        )
    return residual


def force_constants(
    calculator: Calculator,
    atoms: Atoms,
    repeat: tuple[int, int, int],
    displacement_A: float,
    note: Note,
) -> ForceConstants:
    """Displace, as symmetry allows, and take the sum rule's violation off.

    Parameters
    ----------
    atoms : Atoms           at rest; it is taken as the primitive cell, whatever it is
    """
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(
        symbols=list(atoms.symbols),
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
    )
    phonopy = Phonopy(
        cell, supercell_matrix=np.diag(repeat), primitive_matrix=np.eye(3), symprec=_SYMMETRY_A
    )
    phonopy.generate_displacements(distance=displacement_A)
    displaced: Any = phonopy.supercells_with_displacements
    name = "x".join(map(str, repeat))
    note(f"phonons: {name}, {len(displaced)} displacements of {len(displaced[0])} atoms")
    at_rest = ase_atoms(phonopy.supercell, calculator).get_forces()
    # what is left of the forces at rest would be taken for a response
    phonopy.forces = [ase_atoms(one, calculator).get_forces() - at_rest for one in displaced]
    phonopy.produce_force_constants(show_drift=False)
    constants = np.array(phonopy.force_constants)
    # the second is zero for any forces that add up to zero; the first is what a translation costs
    drift = max(np.abs(constants.sum(axis=axis)).max() for axis in (0, 1))
    raw = ForceConstants(phonopy, repeat, float(drift), 0.0, float(np.abs(constants).max()), 0)
    translation = float(np.sort(np.abs(raw.frequencies([[0.0, 0.0, 0.0]])[0]))[:3].max())
    phonopy.symmetrize_force_constants(show_drift=False)
    return replace(raw, translation=translation, n_displaced=len(displaced))


def ase_atoms(found: Any, calculator: Calculator | None = None) -> Atoms:
    """Phonopy's atoms as ASE's."""
    return Atoms(
        found.symbols,
        cell=found.cell,
        scaled_positions=found.scaled_positions,
        pbc=True,
        calculator=calculator,
    )


def _with(calculator: Calculator, atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.calc = calculator
    return copy
