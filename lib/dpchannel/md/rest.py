"""The crystal at 0 K: relaxed under pressure by LAMMPS, with the force field of the runs."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from dpchannel.errors import NotConverged
from dpchannel.md import files
from dpchannel.md.dump import frames
from dpchannel.md.engine import find_engine, force_field
from dpchannel.md.launch import failure, reason_of
from dpchannel.results import project_root
from dpchannel.settings.melting import RelaxedSettings

_LOG, _OUTPUT = "log.lammps", "output.txt"
_BAR_PER_GPA = 1e4
_PRESSURE_GPa = 0.01  # a relaxed cell is this close to the pressure that was asked for


def at_rest(
    folder: Path,
    atoms: Atoms,
    *,
    elements: Sequence[str],
    potential: Path,
    pressure_GPa: float,
    how: RelaxedSettings,
    ranks: int = 1,
) -> Atoms:
    """Relax atoms and edges of a rectangular cell.

    Returns
    -------
    Atoms                   with its energy, and `pressure_GPa` in info

    Raises
    ------
    NotConverged            forces or pressure did not come to rest
    EngineMissing, EngineFailed, PotentialError     no LAMMPS, or it stopped
    """
    engine = find_engine(ranks)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "start.data").write_text(files.data_text(atoms, elements))
    script = project_root() / "inputs" / "lammps" / "relax.in"
    variables = force_field(potential, elements) | {
        "data": "start.data",
        "pressure": repr(pressure_GPa * _BAR_PER_GPA),
        "fmax": repr(how.fmax_eV_per_A),
        "steps": str(how.max_steps),
    }
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
    energy, force, pressure = map(float, (folder / "relaxed.txt").read_text().split())
    off = abs(pressure / _BAR_PER_GPA - pressure_GPa)
    if not (force <= how.fmax_eV_per_A * 3**0.5 and off <= _PRESSURE_GPa):
        raise NotConverged(
            f"{folder / _LOG}: largest force {force:.1e} eV/A (wanted {how.fmax_eV_per_A:g}),"
            f" pressure off by {off:.3f} GPa. Raise relaxed.max_steps in inputs/melting.toml."
        )
    (frame,) = frames(folder / "relaxed.bin")
    found = atoms.copy()
    found.set_cell(frame.cell)
    found.set_scaled_positions(frame.values[:, 1:])
    found.calc = SinglePointCalculator(found, energy=energy)
    found.info["pressure_GPa"] = pressure_GPa
    return found
