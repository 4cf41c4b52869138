"""From one trajectory to the diffusion result of its state point, and the arrays behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.md.h5md import Trajectory
from dpchannel.physics.collective import analyse_collective
from dpchannel.physics.hops import lattice_phase
from dpchannel.physics.msd import ClassMSD
from dpchannel.physics.transport import Transport, analyse_diffusion, analyse_isotropic
from dpchannel.report import trajectory_task as task
from dpchannel.report.averages import average, average_quantities, lattice_series
from dpchannel.report.charge import haven
from dpchannel.report.diffusion import sentence
from dpchannel.report.framework import integrity
from dpchannel.report.prepared import Run, identify, prepare
from dpchannel.report.reference import paper, paper_diffusion_cm2_per_s
from dpchannel.results import Quantity, Result
from dpchannel.settings import DiffusionSettings, SystemSettings
from dpchannel.statepoint import StatePoint
from dpchannel.structures.measure import channel_distance, nearest

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
    """Quantities, checks and sentence of one trajectory, and the arrays of its figure."""
    run = identify(trajectory, system, where)
    at_rest = resting(run, settings)
    positions, checks = prepare(run, at_rest.add)
    transport = transport_of(positions, run.columns, [run], settings)
    quantities = transport.quantities | averages(run) | integrity(trajectory, run.sites, system)
    result = Result(
        task="diffusion",
        system=system.system.name,
        state=run.state,
        quantities={name: quantities[name] for name in [*FIRST, *quantities] if name in quantities},
        checks=[*checks, *transport.checks],
        summary=summary(system.system.name, run.state, quantities),
    )
    return result, figure_arrays(transport, at_rest, positions, run.columns, [run])


def averages(run: Run) -> dict[str, Quantity]:
    """Means over production: lattice, edges, temperature, pressure, distance of sites."""
    trajectory, sites = run.trajectory, run.sites
    found = average_quantities(trajectory, sites, lattice_series(trajectory, sites))
    if sites.has_channel:
        found["site_spacing"] = average(run.spacing_A, "A")
    return found


def transport_of(
    positions: Array, columns: list[Index], runs: Sequence[Run], settings: DiffusionSettings
) -> Transport:
    """D and hops of the ions (n_frame, n_ion, 3) A of one run, or of several side by side.

    Beside D of the ion that of the charge; its MSD belongs to the mechanism.
    """
    first = runs[0]
    time_ps, sites = first.trajectory.mobile.time_ps, first.sites
    if not sites.has_channel:
        ions = first.trajectory.atoms[first.trajectory.mobile.index]
        return analyse_isotropic(positions, time_ps, settings, apart_A=nearest(ions))
    cell = np.mean([run.trajectory.mobile.cells.mean(axis=0) for run in runs], axis=0)
    given = (positions, time_ps, columns, sites.axis_index, mean_spacing(runs), settings)
    tracer = analyse_diffusion(*given, apart_A=channel_distance(cell, sites))
    charge = analyse_collective(*given)
    quantities = tracer.quantities | charge.quantities | {"haven_ratio": haven(tracer, charge)}
    return replace(tracer, quantities=quantities)


def mean_spacing(runs: Sequence[Run]) -> float:
    """Distance in A of neighbouring sites, mean over runs that are equally long."""
    return float(np.mean([run.spacing_A.mean() for run in runs]))


def resting(run: Run, settings: DiffusionSettings) -> ClassMSD:
    """MSD of every species that is not mobile, to come from the sparse frames of all atoms."""
    names = [species.name for species in run.system.species if species.role != "mobile"]
    return ClassMSD(
        run.trajectory.all.time_ps,
        run.sites.species,
        [name for name in names if name in run.sites.species],
        run.sites.axis_index,
        max_lag_fraction=settings.max_lag_fraction,
    )


def figure_arrays(
    transport: Transport,
    at_rest: ClassMSD,
    positions: Array,
    columns: list[Index],
    runs: Sequence[Run],
) -> task.Arrays:
    """What lies behind a diffusion result and its figure, of one run or of several side by side."""
    first = runs[0]
    rest = {"lag_ps_all" if k == "lag_ps" else k: v for k, v in at_rest.arrays().items()}
    there = [species for species in first.system.species if species.name in first.sites.species]
    named = {
        "species": np.array([species.name for species in there]),
        "roles": np.array([species.role for species in there]),
    }
    arrays = {**transport.arrays, **rest, **named}
    if first.sites.has_channel:
        along = positions[:, :, first.sites.axis_index]
        time_ps = first.trajectory.mobile.time_ps
        arrays |= _paths(along, columns, time_ps, mean_spacing(runs))
    return arrays


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
