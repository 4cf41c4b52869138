"""Heat a crystal with inputs/lammps/ramp.in: at one temperature, or along a ramp."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from dpchannel.errors import EngineFailed, InputError
from dpchannel.md import committee, lammps
from dpchannel.md.h5md import Trajectory
from dpchannel.md.plan import Plan
from dpchannel.md.progress import Note
from dpchannel.settings import MDSettings, RunSettings
from dpchannel.settings.melting import HeatingSettings
from dpchannel.statepoint import StatePoint

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SCRIPT = "ramp.in"
MIN_FRAMES = 2


@dataclass(frozen=True)
class Heated:
    """What is heated, with which potential, and how it is watched.

    atoms : Atoms                       the crystal, in a rectangular cell
    framework, mobile : (n,)            0-based atom indices
    potential : Path                    frozen model, or a `.lammps` file with pair commands
    others : paths                      more models: their deviation from the first is written
    """

    atoms: Atoms
    elements: Sequence[str]
    mobile: Index
    framework: Index
    potential: Path
    others: Sequence[Path]
    md: MDSettings
    limits: HeatingSettings
    ranks: int
    note: Note


def heat(
    work: Path, what: Heated, point: StatePoint, run: RunSettings, *, end_K: float | None = None
) -> Trajectory:
    """NPT at `point`, or from its temperature to `end_K` at a constant rate.

    Returns
    -------
    Trajectory              in its meta `molten_step` when the axes were coupled, `stopped_step`
                            when an edge became too short; with others, `deviation_step`,
                            `deviation_max_eV_per_A`, lists of one number for every frame

    Raises
    ------
    InputError              the cell is too small from the start
    EngineFailed            blown up, or stopped before there were frames
    """
    shortest = float(what.atoms.cell.lengths().min())
    if shortest < what.limits.shortest_edge_A:
        raise InputError(
            f"cell: its shortest edge {shortest:.1f} A is below {what.limits.shortest_edge_A:g} A,"
            " twice the cutoff plus skin. Raise run.edges_A in inputs/melting.toml."
        )
    hottest = max(point.temperature_K, end_K or 0.0)
    variables = {
        "temperature_end": repr(end_K or point.temperature_K),
        "runaway": repr(what.limits.runaway_K + hottest),
        "melted": repr(what.limits.melted_A),
        "shortest": repr(what.limits.shortest_edge_A),
    }
    variables |= committee.variables(what.others)
    trajectory = lammps.run(
        work,
        what.atoms,
        elements=what.elements,
        potential=what.potential,
        point=point,
        profile=run,
        md=what.md,
        mobile=what.mobile,
        framework=what.framework,
        ranks=what.ranks,
        note=what.note,
        script_name=SCRIPT,
        variables=variables,
    )
    if len(trajectory.all.step) < MIN_FRAMES:
        raise EngineFailed(
            f"{work}: an edge fell below {what.limits.shortest_edge_A:g} A at step"
            f" {trajectory.meta['stopped_step']}, before there were frames to average. Raise"
            " run.edges_A in inputs/melting.toml."
        )
    if end_K is not None:
        trajectory.meta["ramp_K"] = [point.temperature_K, end_K]
        trajectory.meta["planned_steps"] = Plan.make(run, what.md).total
    if what.others:
        committee.note_deviation(trajectory, work)
    return trajectory
