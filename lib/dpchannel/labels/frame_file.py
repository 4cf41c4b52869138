"""The frame in a labeller's folder, and the label made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from dpchannel.errors import EngineFailed
from dpchannel.results import replacing

if TYPE_CHECKING:
    from ase import Atoms

FRAME = "frame.extxyz"


def write_frame(atoms: Atoms, folder: Path) -> None:
    """Write geometry and `info`, without results of another engine."""
    from ase.io import write

    bare = atoms.copy()
    bare.calc = None
    with replacing(folder / FRAME) as aside:
        write(aside, bare, format="extxyz")


def read_frame(folder: Path) -> Atoms:
    """The frame of this folder; EngineFailed when there is none that can be read."""
    from ase.io import read

    try:
        return cast("Atoms", read(folder / FRAME, format="extxyz"))
    except (OSError, ValueError, KeyError, IndexError, StopIteration) as error:
        raise EngineFailed(f"{folder / FRAME}: no frame to read ({error}).") from None


def same_geometry(
    path: Path, atoms: Atoms, symbols: Sequence[str], positions: np.ndarray, *, decimals: int
) -> None:
    """Check that an output is about this frame: its elements in their order, its positions.

    Parameters
    ----------
    decimals : int
        Digits after the point that the engine prints, in A.

    Raises
    ------
    EngineFailed
        Another frame, another order of the elements, another number of atoms.
    """
    if list(symbols) != atoms.get_chemical_symbols():
        raise EngineFailed(
            f"{path}: elements {' '.join(symbols[:6])} ... are not those of the frame in their "
            "order. Run the frame again."
        )
    if np.abs(positions - atoms.positions).max() > 1.5 * 10**-decimals:
        raise EngineFailed(f"{path}: the atoms are not where the frame has them. Run it again.")


def with_results(atoms: Atoms, energy_eV: float, forces: np.ndarray, stress: np.ndarray) -> Atoms:
    """The frame with energy, forces (n, 3) eV/A and stress (3, 3) eV/A^3 on its calculator."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.stress import full_3x3_to_voigt_6_stress

    voigt = full_3x3_to_voigt_6_stress(stress)
    atoms.calc = SinglePointCalculator(atoms, energy=energy_eV, forces=forces, stress=voigt)
    return atoms
