"""The crystal at 0 K: relaxed under pressure by LAMMPS, with the force field of the runs."""

from collections.abc import Sequence
from pathlib import Path

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from dpchannel.errors import NotConverged
from dpchannel.md.dump import frames
from dpchannel.md.script import LOG, run_script
from dpchannel.settings.melting import RelaxedSettings
from dpchannel.units import BAR_PER_GPA

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
    run_script(
        "relax.in",
        folder,
        atoms,
        elements=elements,
        potential=potential,
        ranks=ranks,
        variables={
            "pressure": repr(pressure_GPa * BAR_PER_GPA),
            "fmax": repr(how.fmax_eV_per_A),
            "steps": str(how.max_steps),
        },
    )
    energy, force, pressure = map(float, (folder / "relaxed.txt").read_text().split())
    off = abs(pressure / BAR_PER_GPA - pressure_GPa)
    if not (force <= how.fmax_eV_per_A * 3**0.5 and off <= _PRESSURE_GPa):
        raise NotConverged(
            f"{folder / LOG}: largest force {force:.1e} eV/A (wanted {how.fmax_eV_per_A:g}),"
            f" pressure off by {off:.3f} GPa. Raise relaxed.max_steps in inputs/melting.toml."
        )
    (frame,) = frames(folder / "relaxed.bin")
    found = atoms.copy()
    found.set_cell(frame.cell)
    found.set_scaled_positions(frame.values[:, 1:])
    found.calc = SinglePointCalculator(found, energy=energy)
    found.info["pressure_GPa"] = pressure_GPa
    return found
