"""The crystal's cell, its orthohexagonal cell, and supercells of either."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import make_supercell

from dpchannel.errors import InputError
from dpchannel.settings import SystemSettings
from dpchannel.structures.io import read_structure
from dpchannel.structures.occupancy import occupy, with_vacancies
from dpchannel.structures.species import check_elements

# The published cell is hexagonal to 1e-6; a sheared one must not pass as such
_LENGTH_RTOL = 1e-4
_ANGLE_TOL_DEG = 0.01


def load_structure(system: SystemSettings, inputs: Path) -> Atoms:
    """The crystal as published: the file named by `system.structure`, relative to `inputs`.

    Raises
    ------
    InputError              missing or damaged file, or elements the system does not have
    """
    atoms = read_structure(inputs / system.system.structure)
    check_elements(atoms, system)
    scaled = atoms.get_scaled_positions()
    return Atoms(atoms.symbols, scaled_positions=scaled, cell=atoms.cell, pbc=True)


def orthohexagonal(atoms: Atoms) -> Atoms:
    """The rectangular cell (a, sqrt(3) a, c) of a hexagonal crystal, with twice the atoms.

    The cell comes out exactly rectangular, as LAMMPS wants it; lengths are those of the crystal.

    Raises
    ------
    InputError              a and b differ, or the angles are not 90, 90 and 60 or 120 degrees
    """
    a, b, _, alpha, beta, gamma = atoms.cell.cellpar()
    right = np.allclose([alpha, beta], 90.0, rtol=0, atol=_ANGLE_TOL_DEG)
    hexagonal = min(abs(gamma - 120.0), abs(gamma - 60.0)) < _ANGLE_TOL_DEG
    if not (right and hexagonal and np.isclose(a, b, rtol=_LENGTH_RTOL, atol=0)):
        raise InputError(
            f"structure: cell a={a:.4f} b={b:.4f} A, angles {alpha:.2f} {beta:.2f} {gamma:.2f}"
            " is not hexagonal, so it has no orthohexagonal cell. Use --cell as_given."
        )
    across = 1 if gamma > 90.0 else -1  # a + 2b, or 2b - a, is perpendicular to a
    double = make_supercell(atoms, [[1, 0, 0], [across, 2, 0], [0, 0, 1]])
    double.set_cell(np.diag(double.cell.lengths()), scale_atoms=True)
    double.wrap(eps=1e-9)
    return double


def repeats(system: SystemSettings, inputs: Path, edges_A: Sequence[float]) -> tuple[int, ...]:
    """How often the system's cell is repeated so that its edges are `edges_A` (3,) or longer."""
    atoms = load_structure(system, inputs)
    if system.system.cell == "orthohexagonal":
        atoms = orthohexagonal(atoms)
    return tuple(np.ceil(np.asarray(edges_A) / atoms.cell.lengths()).astype(int).tolist())


def build(
    system: SystemSettings,
    inputs: Path,
    cell: str = "as_given",
    repeat: Sequence[int] = (1, 1, 1),
    occupancy: str = "ordered",
    seed: int = 0,
    *,
    vacancies: bool = True,
) -> Atoms:
    """A supercell of the crystal with a chosen channel occupancy, and the system's vacancies.

    Parameters
    ----------
    cell : str              "as_given" or "orthohexagonal"
    repeat : 3 int          how often that cell is repeated along its vectors
    occupancy : str         "ordered", "random" or "displaced", see `occupy`
    seed : int              of the random choices; the same seed gives the same structure
    vacancies : bool        leave ions out as the system says, or keep the full crystal

    Returns
    -------
    Atoms                   with system, cell, repeat, occupancy and seed in `info`

    Raises
    ------
    InputError              unknown cell or occupancy, or repeat below 1
    """
    if cell not in ("as_given", "orthohexagonal"):
        raise InputError(f"cell {cell!r}: use as_given or orthohexagonal.")
    if len(repeat) != 3 or min(repeat) < 1:
        raise InputError(f"repeat {tuple(repeat)}: give three whole numbers, such as 2 2 4.")
    atoms = load_structure(system, inputs)
    if cell == "orthohexagonal":
        atoms = orthohexagonal(atoms)
    atoms = atoms.repeat(tuple(repeat))
    if vacancies:
        atoms = with_vacancies(atoms, system, seed=seed)
    atoms = occupy(atoms, system, occupancy, seed=seed)
    atoms.info = {
        "system": system.system.name,
        "cell": cell,
        "repeat": np.array(repeat),
        "occupancy": occupancy,
        "seed": seed,
    }
    return atoms
