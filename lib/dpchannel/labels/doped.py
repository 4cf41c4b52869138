"""Relaxations of the doped crystal for VASP: with spin, one dopant and two, coupled both ways."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from dpchannel.labels.frame_file import write_frame
from dpchannel.labels.vasp_input import grouped, write_vasp
from dpchannel.settings import SystemSettings
from dpchannel.settings.chemical import ChemicalPressureSettings
from dpchannel.settings.vasp import VaspSettings
from dpchannel.structures.dopants import dopant_sites, doped


def write_doped(
    crystal: Atoms,
    system: SystemSettings,
    settings: ChemicalPressureSettings,
    vasp: VaspSettings,
    out: Path,
) -> list[Path]:
    """Write the inputs for every inequivalent site below `out`.

    Returns
    -------
    list of Path            `<dopant>-<site>/one`: one dopant, its moment fixed (a doublet for one
                            unpaired electron); `two-parallel` and `two-opposite`: the cell
                            repeated, moments added or cancelled

    Raises
    ------
    InputError              no such site, or [potcars] of inputs/vasp.toml lacks the dopant
    EngineMissing           no POTCAR library
    """
    moment, found = settings.spin.moment_muB, []
    for site, atom in dopant_sites(crystal, system, settings).items():
        one = doped(crystal, atom, settings.dopant)
        two = one.repeat(settings.spin.repeat)
        n = int((two.symbols == settings.dopant).sum())
        cases = {
            "one": (one, [moment]),
            "two-parallel": (two, [moment] * n),
            "two-opposite": (two, [moment * (-1) ** k for k in range(n)]),
        }
        for name, (atoms, moments) in cases.items():
            folder = out / f"{settings.dopant}-{site}" / name
            write_vasp(
                atoms, vasp, folder, name="relax", extra=spins(atoms, settings.dopant, moments)
            )
            write_frame(atoms, folder)
            found.append(folder)
    return found


def spins(
    atoms: Atoms, dopant: str, moments: Sequence[float]
) -> dict[str, bool | int | float | str | list[float]]:
    """INCAR tags: polarised, the starting moment of each atom as POSCAR orders them, their sum.

    Parameters
    ----------
    moments : (n_dopant,) Bohr magnetons        in the order of the atoms
    """
    start = np.zeros(len(atoms))
    start[atoms.symbols == dopant] = moments
    return {
        "ISPIN": 2,
        "MAGMOM": [float(m) for m in start[grouped(atoms)]],
        "NUPDOWN": float(sum(moments)),
        "LORBIT": 11,
    }
