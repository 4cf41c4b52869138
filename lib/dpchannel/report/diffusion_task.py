"""From one trajectory to the diffusion result of its state point, and the arrays behind it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.md.h5md import Trajectory
from dpchannel.md.ondisk import in_memory
from dpchannel.physics import displacement
from dpchannel.physics.hops import lattice_phase
from dpchannel.physics.msd import ClassMSD
from dpchannel.physics.transport import analyse_diffusion, analyse_isotropic
from dpchannel.report import trajectory_task as task
from dpchannel.report.averages import average, average_quantities, lattice_series, set_point_checks
from dpchannel.report.conditions import left_out, mobile_columns, require_usable, through_crystal
from dpchannel.report.diffusion import sentence
from dpchannel.report.framework import integrity
from dpchannel.report.reference import paper, paper_diffusion_cm2_per_s
from dpchannel.results import Check, Quantity, Result
from dpchannel.settings import DiffusionSettings, SystemSettings
from dpchannel.statepoint import StatePoint
from dpchannel.structures.classify import Sites, classify
from dpchannel.structures.measure import channel_distance, nearest, site_spacing

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SIDECAR = "msd.npz"
MAX_PATH_FRAMES = 2000  # of the ions' paths kept for the figure
FIRST = (
    "D_c",
    "D_ab",
    "D_3d",
    "D_c_SI",
    "D_ab_SI",
    "D_3d_SI",
    "n_hops",
    "n_returns",
    "ion_ns",
    "hop_rate",
)


def run(traj: Path, system_file: Path, settings_file: Path, out: Path) -> Result:
    """Analyse `traj`; write the result to `out` and msd.npz beside it.

    Raises
    ------
    InputError          a settings file or the trajectory cannot be used
    NotConverged        the framework is not a crystal, so there is no lattice frame
    """
    return task.run(analyse, SIDECAR, traj, system_file, settings_file, out)


def analyse(
    trajectory: Trajectory, system: SystemSettings, settings: DiffusionSettings, *, where: str
) -> tuple[Result, task.Arrays]:
    """Quantities, checks and sentence of one trajectory, and the arrays of its figure.

    The ions' coordinates are all that grows with the number of frames: they are read once, and
    turned into positions where they lie. All atoms pass by in blocks.
    """
    scaled = in_memory(trajectory.mobile.scaled)
    trajectory = replace(trajectory, mobile=replace(trajectory.mobile, scaled=scaled))
    checks = require_usable(trajectory, system, where)
    sites = classify(trajectory.atoms, system)
    columns = mobile_columns(sites, trajectory.mobile.index, where)
    axis, mobile = sites.axis_index, trajectory.mobile
    at_rest = _at_rest(trajectory, system, sites, settings)
    checks += through_crystal(trajectory, sites, where, at_rest.add)
    checks += left_out(sites)
    positions = displacement.lattice_frame(scaled, trajectory.centre, mobile.cells, out=scaled)
    series = lattice_series(trajectory, sites)
    spacing = np.zeros(1)
    if sites.has_channel:
        spacing = site_spacing(mobile.cells, sites)
        transport = analyse_diffusion(
            positions,
            mobile.time_ps,
            columns,
            axis,
            float(spacing.mean()),
            settings,
            apart_A=channel_distance(mobile.cells.mean(axis=0), sites),
        )
    else:
        apart = nearest(trajectory.atoms[mobile.index])
        transport = analyse_isotropic(positions, mobile.time_ps, settings, apart_A=apart)
    quantities = transport.quantities | average_quantities(trajectory, sites, series)
    quantities |= integrity(trajectory, sites, system)
    if sites.has_channel:
        quantities["site_spacing"] = average(spacing, "A")
    state = task.state(trajectory, system, sites, columns)
    rest = {"lag_ps_all" if k == "lag_ps" else k: v for k, v in at_rest.arrays().items()}
    result = Result(
        task="diffusion",
        system=system.system.name,
        state=state,
        quantities={name: quantities[name] for name in [*FIRST, *quantities] if name in quantities},
        checks=[
            *(Check(**check) for check in trajectory.meta.get("checks", ())),
            *checks,
            *set_point_checks(quantities, state),
            *transport.checks,
        ],
        summary=summary(system.system.name, state, quantities),
    )
    there = [species for species in system.species if species.name in sites.species]
    named = {
        "species": np.array([species.name for species in there]),
        "roles": np.array([species.role for species in there]),
    }
    arrays = {**transport.arrays, **rest, **named}
    if sites.has_channel:
        arrays |= _paths(positions[:, :, axis], columns, mobile.time_ps, float(spacing.mean()))
    return result, arrays


def _at_rest(
    trajectory: Trajectory, system: SystemSettings, sites: Sites, settings: DiffusionSettings
) -> ClassMSD:
    """MSD of every species that is not mobile, to come from the sparse frames of all atoms."""
    resting = [species.name for species in system.species if species.role != "mobile"]
    return ClassMSD(
        trajectory.all.time_ps,
        sites.species,
        [name for name in resting if name in sites.species],
        sites.axis_index,
        max_lag_fraction=settings.max_lag_fraction,
    )


def summary(name: str, state: Mapping[str, Any], quantities: Mapping[str, Quantity]) -> str:
    """What a result of the system `name` says, beside the paper's D here or where it gives one."""
    numbers = paper().all_states(name, "D_c")
    elsewhere = None
    if numbers:
        elsewhere = StatePoint(numbers[0].state["pressure_GPa"], numbers[0].state["temperature_K"])
    return sentence(
        state,
        quantities,
        paper_D_cm2_per_s=paper_diffusion_cm2_per_s(name, state),
        paper_state=elsewhere,
    )


def _paths(along: Array, columns: list[Index], time_ps: Array, spacing_A: float) -> task.Arrays:
    """Site number of every ion against time, 0 at the start; thinned for the figure."""
    every = -(-len(time_ps) // MAX_PATH_FRAMES)
    height = np.empty((len(time_ps[::every]), along.shape[1]), np.float32)
    for column in columns:
        path = along[:, column]
        sites = (path[::every] - lattice_phase(path, spacing_A)) / spacing_A
        height[:, column] = sites - np.round(sites[0])
    return {"time_ps": time_ps[::every], "height_sites": height}
