"""Whatever gives energy, forces and stress, by name: a deep potential, the teacher, a DFT code."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from dpchannel.benchmark.by_files import LabelerCalculator
from dpchannel.errors import InputError
from dpchannel.labels.labeler import ENGINES, Labeler, labeler
from dpchannel.labels.mlip import MlipLabeler
from dpchannel.md import cores as share
from dpchannel.potential.calculator import calculator, check_potential, potential_file
from dpchannel.potential.card import zero_of
from dpchannel.potential.reference import read_reference
from dpchannel.results import engine_name, project_root, sha256
from dpchannel.settings import LabelSettings, SystemSettings, load
from dpchannel.structures.io import PIPE

DP = "dp"
ZERO = "0GPa"
_STATED_WITHIN_GPa = 0.1  # a wrong sign or unit of the stress is farther off
_SHIFT_A = (0.1234, 0.0567, 0.2345)
BY_POINTS = ("cp2k", "vasp")  # too dear to relax with: single points on given structures


@dataclass(frozen=True)
class Engine:
    """One engine, not yet loaded; calling it gives its ASE calculator. Can be pickled.

    Parameters
    ----------
    name : str              "dp", or an engine of labels
    system : SystemSettings
    potential : Path        file of the deep potential; None for other engines
    inputs : Path           folder with labels.toml
    work : Path             runs of a DFT code go below it, each in the folder of its frame, and a
                            finished one is only read
    """

    name: str
    system: SystemSettings
    potential: Path | None
    inputs: Path
    work: Path

    @property
    def label(self) -> str:
        """Its name in results: says which potential, unless it is the system's own."""
        return engine_name(self.name, self.potential, self.inputs / self.system.system.potential)

    @property
    def by_points(self) -> bool:
        """It only computes structures that others have relaxed."""
        return self.name in BY_POINTS

    def must_relax(self, task: str, instead: str) -> None:
        """Refuse a task that no engine of single points can do.

        Raises
        ------
        InputError              names what it can do instead
        """
        if self.by_points:
            raise InputError(
                f"{task}: engine {self.name} only computes single points on given structures here."
                f" {instead}"
            )

    @property
    def zero(self) -> str:
        """Whose zero its energies count from: "mlip 7net-l3i5", "vasp PBE"; empty if unknown."""
        if self.name == DP:
            return zero_of(self.potential) if self.potential else ""
        return self._labeler().title

    @property
    def identity(self) -> str:
        """Digest of what its numbers depend on: bytes of a potential, or settings and versions.

        Raises
        ------
        EngineMissing       a package of the teacher is not installed
        """
        if self.potential is not None:
            return sha256(self.potential)
        found = self._labeler()
        if not isinstance(found, MlipLabeler):
            return sha256(self.inputs / f"{self.name}.toml")
        return hashlib.sha256(found.identity.encode()).hexdigest()

    def __call__(self) -> Calculator:
        """Load it.

        Raises
        ------
        PotentialError      the potential is missing, damaged, or does not fit the system
        EngineMissing       what it needs is not installed
        """
        if self.potential is not None:
            elements = self.system.system.elements
            return calculator(self.potential, elements, reach(self.system))
        found = self._labeler()
        if isinstance(found, MlipLabeler):
            return found.calculator()
        return LabelerCalculator(found, self.work / self.name)

    def _labeler(self) -> Labeler:
        settings = load(LabelSettings, self.inputs / "labels.toml")
        return labeler(self.name, settings, inputs=self.inputs / f"{self.name}.toml")


def engine(
    name: str, system: SystemSettings, potential: Path | None, inputs: Path, work: Path
) -> Engine:
    """The engine called `name`; for "dp" with `potential`, or with the one the system names.

    Raises
    ------
    InputError              no such engine
    PotentialError          the potential is not there, damaged, or lacks an element
    """
    if name == DP:
        model = potential_file(potential or inputs / system.system.potential)
        if model.suffix == ".pb":  # refused before anyone waits for cores
            check_potential(model, system.system.elements)
        return Engine(name, system, model, inputs, work)
    if name not in ENGINES:
        raise InputError(f"engine {name!r}: use one of {', '.join((DP, *ENGINES))}.")
    return Engine(name, system, None, inputs, work)


def reach(system: SystemSettings) -> float:
    """How far (A) a potential must see at least: the neighbours that name a species."""
    rules = (
        rule
        for species in system.species
        for rule in (species.with_neighbour, species.without_neighbour, species.near_channel)
        if rule is not None
    )
    return max((rule.within_A for rule in rules), default=0.0)


def force_noise(atoms: Atoms, calculator: Calculator) -> float:
    """Largest change (eV/A) of a force when all atoms move together: rounding alone.

    About 1e-13 in double precision, 1e-6 in single; no relaxation comes closer to rest than that.
    """
    moved = atoms.copy()
    moved.calc = calculator
    here = moved.get_forces().copy()
    moved.positions += _SHIFT_A
    return float(np.abs(moved.get_forces() - here).max())


def rest_force(
    wanted_eV_per_A: float, noise_eV_per_A: float, times: float, loosest: float
) -> float:
    """Residual force (eV/A) to ask of an engine: what is wanted, or `times` its noise if more.

    Raises
    ------
    InputError              that is more than `loosest`: a crystal would count as at rest anywhere
    """
    rest = max(wanted_eV_per_A, times * noise_eV_per_A)
    if rest > loosest:
        raise InputError(
            f"engine: its forces change by {noise_eV_per_A:.1e} eV/A when all atoms move together;"
            f" it can bring a crystal to rest within {rest:.1e} eV/A, {loosest:.0e} is asked. Use"
            " one with less noise."
        )
    return rest


def work_folder(out: Path) -> Path:
    """Where the runs of a DFT code go: beside the results of all tasks, so that they share them."""
    return Path.cwd() / "labels" if out == PIPE else out.parent.parent / "labels"


def files(*paths: Path | None) -> tuple[Path, ...]:
    """Those of the paths that are files: neither left out nor a pipe."""
    return tuple(path for path in paths if path is not None and path != PIPE)


def teacher(reference: Path | None) -> dict[str, Atoms]:
    """The teacher's crystal at zero pressure from its reference frames, where there are any.

    Raises
    ------
    InputError              a damaged file, or frames that are not those of a reference
    """
    if reference is None:
        return {}
    relaxed = read_reference(reference, _STATED_WITHIN_GPa).relaxed
    return {"teacher": relaxed[ZERO]} if ZERO in relaxed else {}


@contextmanager
def cores_held(asked: int | None, note: Callable[[str], None]) -> Iterator[int]:
    """Hold this job's share of the cores, and let the numerical libraries use that many.

    To be entered before an engine is loaded: they read the number once.
    """
    granted = share.available_cores(asked)
    mine = share.ranks_per_job(granted, share.make_jobs(os.environ.get("MAKEFLAGS"), granted))
    os.environ.setdefault("OMP_NUM_THREADS", str(mine))
    tokens = Path(os.environ.get("RUNS") or project_root() / "runs") / ".cores"
    with share.held(mine, cores=granted, folder=tokens, note=note):
        yield mine
