"""Where LAMMPS is, and the environment it needs to load DeePMD-kit's pair style."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dpchannel.errors import EngineMissing
from dpchannel.md import native

# LAMMPS pair commands in place of a model, such as those of a classical force field
PAIR_FILE = ".lammps"


@dataclass(frozen=True)
class Engine:
    """Command line up to LAMMPS' own arguments, and the environment to run it in."""

    command: tuple[str, ...]
    environment: dict[str, str]

    def on(self, script: str, log: str, variables: Mapping[str, str]) -> list[str]:
        """The command that runs `script` with -var `variables`, silent but for its log."""
        given = (word for pair in variables.items() for word in ("-var", *pair))
        return [*self.command, "-in", script, "-log", log, "-screen", "none", *given]


def force_field(potential: Path, elements: Sequence[str]) -> dict[str, str]:
    """The variables of inputs/lammps that say what acts between the types 1, 2, ..."""
    return {
        "pair": "file" if potential.suffix == PAIR_FILE else "deepmd",
        "potential": f'"{potential.resolve()}"',  # quoted for LAMMPS: a path may hold a space
        "elements": " ".join(elements),
    }


def find_engine(ranks: int) -> Engine:
    """LAMMPS under mpirun, one rank per core.

    On Linux without GPU libraries the program inside the lammps package is started directly: its
    launcher `lmp` imports TensorFlow in every rank only to learn the paths set here.

    Raises
    ------
    EngineMissing       this environment lacks lmp or mpirun; another MPI would not fit this LAMMPS
    """
    home = Path(sys.executable).parent
    mpirun, launcher = (shutil.which(name, path=str(home)) for name in ("mpirun", "lmp"))
    if launcher is None:
        raise _missing(home / "lmp")
    if mpirun is None:
        raise _missing(home / "mpirun")
    environment = dict(os.environ)
    for threads in (
        "OMP_NUM_THREADS",
        "DP_INTRA_OP_PARALLELISM_THREADS",
        "DP_INTER_OP_PARALLELISM_THREADS",
    ):
        environment[threads] = "1"
    environment["TF_CPP_MIN_LOG_LEVEL"] = "2"
    # MPICH: a waiting rank lets go of its core; else a busy machine slows a run down fivefold
    environment.setdefault("MPIR_CVAR_ENABLE_HEAVY_YIELD", "1")
    program = _program()
    if program is None:
        return Engine((mpirun, "-np", str(ranks), launcher), environment)
    environment |= _library_paths(environment) | native.preloaded(environment)
    return Engine((mpirun, "-np", str(ranks), str(program)), environment)


def _program() -> Path | None:
    package = _package("lammps")
    if package is None or sys.platform != "linux" or find_spec("nvidia") is not None:
        return None
    program = package / "lmp"
    if not program.is_file():
        raise _missing(program)
    return program


def _missing(program: Path) -> EngineMissing:
    return EngineMissing(f"{program}: not there. Build it again: rm -r .venv, then make setup.")


def _library_paths(environment: dict[str, str]) -> dict[str, str]:
    """Variables as deepmd.lmp and lammps.executable set them, without importing either."""
    folders = [Path(sys.prefix) / "lib"]  # MPI
    if tensorflow := _package("tensorflow"):
        folders += [tensorflow, tensorflow / "python"]
    if torch := _package("torch"):
        folders.append(torch / "lib")
    found = {}
    if deepmd := _package("deepmd"):
        folders.append(deepmd / "lib")
        found["LAMMPS_PLUGIN_PATH"] = str(deepmd / "lib")
    earlier = [environment["LD_LIBRARY_PATH"]] if environment.get("LD_LIBRARY_PATH") else []
    found["LD_LIBRARY_PATH"] = os.pathsep.join([*earlier, *map(str, folders)])
    return found


def _package(name: str) -> Path | None:
    spec = find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
