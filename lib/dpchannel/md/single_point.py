"""Energy and forces of one structure in LAMMPS: the third route to one potential."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from dpchannel.md.dump import frames
from dpchannel.md.script import run_script


def single_point(
    folder: Path, atoms: Atoms, *, elements: Sequence[str], potential: Path, ranks: int = 1
) -> tuple[float, NDArray[np.float64]]:
    """Energy (eV) and forces (n_atom, 3) in eV/A by `run 0` of inputs/lammps/forces.in.

    Parameters
    ----------
    folder : Path           for the files of LAMMPS; an earlier run's are overwritten
    elements : symbols      of types 1, 2, ...; every order gives the same numbers
    potential : Path        frozen model, or a `.lammps` file with pair commands

    Raises
    ------
    InputError              the atoms hold another element
    PotentialError          missing, or DeePMD-kit cannot load it
    EngineMissing, EngineFailed, TrajectoryError    no LAMMPS, or it did not get to the forces
    """
    run_script("forces.in", folder, atoms, elements=elements, potential=potential, ranks=ranks)
    (frame,) = frames(folder / "forces.bin")
    # LAMMPS holds the crystal turned: cell = turned @ rotation, and so for every vector
    rotation = atoms.cell.standard_form()[1]
    energy_eV = float((folder / "energy.txt").read_text())
    return energy_eV, frame.values[:, 1:] @ rotation
