"""One coexistence run: inputs/lammps/coexistence.in at one temperature."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import TrajectoryError
from dpchannel.md import committee, dump, lammps
from dpchannel.md.h5md import Trajectory
from dpchannel.md.plan import Plan
from dpchannel.md.progress import Note
from dpchannel.settings import MDSettings
from dpchannel.settings.melting import CoexistenceSettings
from dpchannel.statepoint import StatePoint
from dpchannel.structures.coexistence import Halves

Array = NDArray[np.float64]

SCRIPT = "coexistence.in"
MELTED = "melt.bin"


@dataclass(frozen=True)
class Coexistence:
    """What does not change from one temperature to the next.

    runaway_K : K           above `hot_K`: hotter has blown up
    others : paths          more models: their deviation from the first is written
    """

    elements: Sequence[str]
    potential: Path
    md: MDSettings
    how: CoexistenceSettings
    runaway_K: float
    ranks: int
    note: Note
    others: Sequence[Path] = ()


def coexist(
    work: Path,
    start: Halves,
    what: Coexistence,
    point: StatePoint,
    *,
    mobile: NDArray[np.int64],
    framework: NDArray[np.int64],
) -> Trajectory:
    """Melt one half, let both settle, and produce; see md.lammps.run for what is raised.

    With others, the trajectory's meta holds what `md.committee.note_deviation` adds.
    """
    melt = what.how.run.model_copy(update={"equilibrate_ps": what.how.melt_ps})
    trajectory = lammps.run(
        work,
        start.atoms,
        elements=what.elements,
        potential=what.potential,
        point=point,
        profile=what.how.run,
        md=what.md,
        mobile=mobile,
        framework=framework,
        ranks=what.ranks,
        note=what.note,
        script_name=SCRIPT,
        variables={
            "normal": "xyz"[start.axis],
            "melt": str(Plan.make(melt, what.md).equilibrate),
            "hot": repr(what.how.hot_K),
            "runaway": repr(what.runaway_K + what.how.hot_K),
        }
        | committee.variables(what.others),
        groups={"liquid": start.liquid},
    )
    if what.others:
        committee.note_deviation(trajectory, work)
    return trajectory


def melted(work: Path, n_atom: int) -> Array:
    """Scaled coordinates (n_atom, 3) at the end of the melting, of a run that `coexist` has done.

    Raises
    ------
    TrajectoryError         the file is missing, damaged, or of another run
    """
    path = work / MELTED
    frames = list(dump.frames(path))
    if len(frames) != 1 or frames[0].values.shape != (n_atom, 4):
        raise TrajectoryError(
            f"{path}: not one frame of {n_atom} atoms. Remove {work} and start the run again."
        )
    scaled: Array = frames[0].values[:, 1:]
    return scaled
