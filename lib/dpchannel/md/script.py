"""A short script of inputs/lammps on one structure: no restart, nothing to watch."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ase import Atoms

from dpchannel.md import files
from dpchannel.md.engine import find_engine, force_field
from dpchannel.md.launch import failure, reason_of
from dpchannel.md.limits import require_potential
from dpchannel.results import project_root

LOG, _OUTPUT = "log.lammps", "output.txt"


def run_script(
    name: str,
    folder: Path,
    atoms: Atoms,
    *,
    elements: Sequence[str],
    potential: Path,
    ranks: int,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Run `name` of inputs/lammps to its end in `folder`; an earlier run's files are overwritten.

    Parameters
    ----------
    elements : symbols              of types 1, 2, ...
    potential : Path                frozen model, or a `.lammps` file with pair commands
    variables : name -> text        what the script takes beside the atoms and the force field

    Raises
    ------
    InputError              the atoms hold another element
    PotentialError          missing, or DeePMD-kit cannot load it
    EngineMissing, EngineFailed     no LAMMPS, or it stopped
    """
    require_potential(potential)
    engine = find_engine(ranks)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "start.data").write_text(files.data_text(atoms, elements))
    script = project_root() / "inputs" / "lammps" / name
    given = force_field(potential, elements) | {"data": "start.data"} | dict(variables or {})
    with open(folder / _OUTPUT, "wb") as output:
        done = subprocess.run(
            engine.on(str(script), LOG, given),
            cwd=folder,
            env=engine.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if done.returncode != 0:
        reason = reason_of(folder / LOG, folder / _OUTPUT)
        raise failure(folder / LOG, None, reason, given["potential"])
