"""Energy and forces of one structure in LAMMPS: the third route to one potential."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from dpchannel.md import files
from dpchannel.md.dump import frames
from dpchannel.md.engine import find_engine, force_field
from dpchannel.md.launch import failure, reason_of
from dpchannel.md.limits import require_potential
from dpchannel.results import project_root

_LOG, _OUTPUT = "log.lammps", "output.txt"


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
    require_potential(potential)
    engine = find_engine(ranks)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "start.data").write_text(files.data_text(atoms, elements))
    script = project_root() / "inputs" / "lammps" / "forces.in"
    variables = force_field(potential, elements) | {"data": "start.data"}
    command = [*engine.command, "-in", str(script), "-log", _LOG, "-screen", "none"]
    for name, value in variables.items():
        command += ["-var", name, value]
    with open(folder / _OUTPUT, "wb") as output:
        done = subprocess.run(
            command,
            cwd=folder,
            env=engine.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if done.returncode != 0:
        reason = reason_of(folder / _LOG, folder / _OUTPUT)
        raise failure(folder / _LOG, None, reason, variables["potential"])
    (frame,) = frames(folder / "forces.bin")
    # LAMMPS holds the crystal turned: cell = turned @ rotation, and so for every vector
    rotation = atoms.cell.standard_form()[1]
    energy_eV = float((folder / "energy.txt").read_text())
    return energy_eV, frame.values[:, 1:] @ rotation
