"""Is a potential fit for use? Its checks against the teacher, its three routes, its runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from dpchannel.benchmark.endurance import Runner, drift, stability
from dpchannel.errors import PotentialError
from dpchannel.md.progress import Note
from dpchannel.md.single_point import single_point
from dpchannel.potential.calculator import calculator, potential_file
from dpchannel.potential.reference import Reference
from dpchannel.potential.test import force_difference
from dpchannel.potential.verify import Findings, verify
from dpchannel.results import Quantity
from dpchannel.settings import RoutesLimits, VerifySettings


@dataclass(frozen=True)
class Models:
    """One potential: float64 uncompressed, compressed, and the file that LAMMPS reads."""

    precise: Calculator
    fast: Calculator
    fast_file: Path


def load_models(folder: Path, elements: tuple[str, ...]) -> Models:
    """Both models of a shipped potential.

    Raises
    ------
    PotentialError          a single file, or a model is missing, damaged or foreign
    """
    if folder.is_file():
        raise PotentialError(
            f"{folder}: one file. Name the folder that holds both models of a potential, as"
            " `make train` leaves it."
        )
    precise, fast = potential_file(folder), potential_file(folder, precise=False)
    return Models(calculator(precise, elements), calculator(fast, elements), fast)


def accept(
    models: Models, reference: Reference, runner: Runner, limits: VerifySettings, note: Note
) -> Findings:
    """All checks, the quick ones first; each is told to `note` as soon as it is known.

    Parameters
    ----------
    runner : Runner         the crystal, and where and how LAMMPS runs

    Returns
    -------
    Findings                quantities and checks of potential/verify.py, `routes`, `drift` and
                            `stability`

    Raises
    ------
    EngineMissing           no LAMMPS; what a potential cannot do is a failed check, not an error
    """
    found = Findings()
    for part in (
        lambda: verify(models.precise, reference, runner.system, limits, note),
        lambda: routes(models, reference, runner, limits.routes),
        lambda: drift(runner, limits.drift),
        lambda: stability(runner, limits.stability),
    ):
        findings = part()
        for check in findings.checks:
            note(str(check))
        found.join(findings)
    return found


def routes(models: Models, reference: Reference, runner: Runner, limits: RoutesLimits) -> Findings:
    """Forces of the uncompressed, the compressed and the LAMMPS route on displaced frames.

    LAMMPS gets the types in the system's order and in reverse, frame by frame in turn.

    Returns
    -------
    Findings                `compressed_force_difference`, `lammps_force_difference` (eV/A): the
                            largest of any component
    """
    found, frames = Findings(), list(_displaced(reference, limits))
    runner.note(f"forces on {len(frames)} frames, three routes")
    tabulated = Quantity(force_difference(models.precise, models.fast, frames), "eV/A")
    name, n = "compressed_force_difference", f"{len(frames)} frames"
    found.add(name, tabulated, limits.compressed_eV_per_A, limits.why, n)
    worst, elements = 0.0, runner.system.system.elements
    for k, atoms in enumerate(frames):
        order = elements if k % 2 == 0 else elements[::-1]
        _, theirs = single_point(
            runner.work / "forces", atoms, elements=order, potential=models.fast_file
        )
        atoms.calc = models.fast
        worst = max(worst, float(np.abs(theirs - atoms.get_forces()).max()))
    same = Quantity(worst, "eV/A", n=len(frames))
    found.add("lammps_force_difference", same, limits.lammps_eV_per_A, limits.why, n)
    return found


def _displaced(reference: Reference, limits: RoutesLimits) -> Iterator[Atoms]:
    """Every relaxed cell and the middle of every path, with all atoms off their places."""
    rng = np.random.default_rng(limits.seed)
    middles = [images[len(images) // 2] for images in reference.paths.values()]
    for atoms in [*reference.relaxed.values(), *middles]:
        copy = atoms.copy()
        copy.positions += rng.normal(0, limits.displacement_A, copy.positions.shape)
        yield copy
