"""From a trajectory to its mobile ions in the lattice frame, with all that must hold for them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.md.h5md import Trajectory
from dpchannel.md.ondisk import frame_blocks
from dpchannel.physics import displacement
from dpchannel.report import trajectory_task as task
from dpchannel.report.averages import set_point_checks, thermo_quantities
from dpchannel.report.conditions import (
    left_out,
    mobile_columns,
    require_system,
    require_usable,
    through_crystal,
)
from dpchannel.results import Check
from dpchannel.settings import SystemSettings
from dpchannel.structures.classify import Sites, classify
from dpchannel.structures.columns import Index
from dpchannel.structures.measure import site_spacing

Array = NDArray[np.float64]
Take = Callable[[slice, Array], None]


@dataclass(frozen=True, eq=False)
class Run:
    """One trajectory of a system whose atoms are known.

    `sites` of its start, `columns` the ions of each channel as positions in the mobile stream,
    `where` its file, for messages.
    """

    trajectory: Trajectory
    system: SystemSettings
    sites: Sites
    columns: list[Index]
    where: str

    @property
    def state(self) -> dict[str, Any]:
        """Set point, size and length."""
        return task.state(self.trajectory, self.system, self.sites, self.columns)

    @property
    def cell_A(self) -> Array:
        """Mean cell (3, 3) A of the frames of all atoms."""
        cell: Array = self.trajectory.all.cells.mean(axis=0)
        return cell

    @property
    def spacing_A(self) -> Array:
        """Distance (n_frame,) A of neighbouring sites along the channel."""
        return site_spacing(self.trajectory.mobile.cells, self.sites)


def identify(trajectory: Trajectory, system: SystemSettings, where: str) -> Run:
    """What every atom is.

    Raises
    ------
    InputError          the trajectory is one of another system
    TrajectoryError     its mobile ions are not those of its start structure
    """
    require_system(trajectory, system, where)
    sites = classify(trajectory.atoms, system)
    columns = mobile_columns(sites, trajectory.mobile.index, where)
    return Run(trajectory, system, sites, columns, where)


def prepare(
    run: Run, take: Take | None = None, *, out: Array | None = None
) -> tuple[Array, list[Check]]:
    """Mobile ions in the lattice frame, and every check of the run they come from.

    The ions' coordinates are all that is kept of its frames: they are read once, and turned into
    positions where they lie. All atoms pass by in blocks.

    Parameters
    ----------
    take : (atoms, positions) -> None   receives each block (n_frame, n, 3) A of all atoms in the
                                        lattice frame
    out : (n_frame, n_ion, 3)           where to put the positions; default a new array

    Returns
    -------
    (n_frame, n_ion, 3) A               positions
    checks                              what MD and this analysis found, and whether temperature and
                                        pressure were held

    Raises
    ------
    TrajectoryError     a number is not finite, frames repeat or are missing, positions are wrapped
    NotConverged        the framework is not a crystal, so there is no lattice frame
    """
    trajectory, where = run.trajectory, run.where
    mobile = trajectory.mobile
    ions = np.empty(mobile.scaled.shape) if out is None else out
    for part in frame_blocks(mobile.scaled.shape):
        ions[part] = mobile.scaled[part]
    in_memory = replace(trajectory, mobile=replace(mobile, scaled=ions))
    checks = [Check(**check) for check in trajectory.meta.get("checks", ())]
    checks += require_usable(in_memory, where)
    checks += through_crystal(trajectory, run.sites, where, take)
    checks += left_out(run.sites)
    checks += set_point_checks(thermo_quantities(trajectory), run.state)
    return displacement.lattice_frame(ions, trajectory.centre, mobile.cells, out=ions), checks
