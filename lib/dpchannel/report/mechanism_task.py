"""From one trajectory to its mechanism: result, and the arrays of its figures."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpchannel.md.h5md import Trajectory
from dpchannel.physics.collective import analyse_collective
from dpchannel.physics.hops import Hops
from dpchannel.physics.transport import Transport, analyse_diffusion
from dpchannel.report import trajectory_task as task
from dpchannel.report.charge import haven
from dpchannel.report.conditions import path_of
from dpchannel.report.everyone import Everyone, MovingSites
from dpchannel.report.mechanism import framework_numbers, hop_numbers, longest_path, sentence
from dpchannel.report.prepared import Run, identify, prepare
from dpchannel.results import Result
from dpchannel.settings import DiffusionSettings, SystemSettings

Array = NDArray[np.float64]

SIDECAR = "mechanism.npz"
FROM_HOPS = ("n_hops", "ion_ns", "hop_rate", "D_c", "D_c_slope", "D_c_hops", "exponent_c")
MAX_PATH_FRAMES = 1000


def run(traj: Path, system_file: Path, settings_file: Path, out: Path) -> Result:
    """Analyse `traj`; write the result to `out` and mechanism.npz beside it.

    Raises
    ------
    InputError          a settings file or the trajectory cannot be used
    NotConverged        the framework is not a crystal, so there is no lattice frame
    """
    return task.run(analyse, SIDECAR, traj, system_file, settings_file, out)


def analyse(
    trajectory: Trajectory, system: SystemSettings, settings: DiffusionSettings, *, where: str
) -> tuple[Result, task.Arrays]:
    """Quantities, checks and sentence of one trajectory, and the arrays of its figures."""
    run = identify(trajectory, system, where)
    system.channel.index  # noqa: B018  (refuses a crystal without channels)
    everyone = Everyone(run, settings)
    ions, checks = prepare(run, everyone.add)
    tracer, charge = _transport(run, ions, everyone, settings)
    time_ps = trajectory.mobile.time_ps
    hopping, hop_arrays = hop_numbers(_hops(tracer, time_ps), run.columns, time_ps, settings)
    framework, distances = framework_numbers(run, settings)
    kept = {name: tracer.quantities[name] for name in FROM_HOPS if name in tracer.quantities}
    quantities = kept | hopping | charge.quantities | {"haven_ratio": haven(tracer, charge)}
    quantities |= framework | everyone.quantities()
    result = Result(
        task="mechanism",
        system=system.system.name,
        state=run.state,
        quantities=quantities,
        checks=[*checks, *tracer.checks, *charge.checks],
        summary=sentence(quantities, run.state),
    )
    mean_squares = {k: v for k, v in tracer.arrays.items() if "_c" in k or k == "lag_ps"}
    arrays = mean_squares | charge.arrays | hop_arrays | distances
    return result, arrays | _paths(run, ions, everyone) | everyone.densities(ions)


def _transport(
    run: Run, ions: Array, everyone: Everyone, settings: DiffusionSettings
) -> tuple[Transport, Transport]:
    """Of the tracer, with sites that follow the rings if there are any, and of the charge."""
    time_ps, moving = run.trajectory.mobile.time_ps, None
    if run.sites.has_rings:
        all_ps = run.trajectory.all.time_ps
        moving = MovingSites(everyone.heights, run.cell_A, run.sites, all_ps, time_ps)
    spacing = float(run.spacing_A.mean())
    given = (ions, time_ps, run.columns, run.sites.axis_index, spacing, settings)
    return analyse_diffusion(*given, sites_A=moving), analyse_collective(*given)


def _hops(tracer: Transport, time_ps: Array) -> Hops:
    when = np.asarray(tracer.arrays["hop_time_ps"], float)
    ion, step = (np.asarray(tracer.arrays[name], np.int64) for name in ("hop_ion", "hop_step"))
    return Hops(np.asarray(np.searchsorted(time_ps, when - 1e-9), np.int64), ion, step)


def _paths(run: Run, ions: Array, everyone: Everyone) -> task.Arrays:
    """Of the ion that moves furthest and of the ligand beside its channel (Fig. 5 of the paper).

    Beside them all ions and the mean sites of the others, for the view in three dimensions.
    """
    sites, cell, others = run.sites, run.cell_A, run.sites.roles["other"]
    every = -(-len(ions) // MAX_PATH_FRAMES)
    rest = np.flatnonzero(~np.isin(sites.species, sites.species[sites.mobile]))
    arrays: task.Arrays = {
        "ions_A": ions[::every].astype(np.float32),
        "mean_A": everyone.mean_A[rest].astype(np.float32),
        "mean_species": sites.species[rest],
    }
    if len(others) == 0:
        return arrays
    mean = everyone.mean_A[others]
    ion, ligand = longest_path(ions, mean, cell, sites.axis_index)
    home, inverse = ions[0, ion] - mean[ligand], np.linalg.inv(cell)
    path = path_of(run.trajectory, int(others[ligand]), run.where)
    beside = path + np.round(home @ inverse) @ cell
    names = sites.species[[run.trajectory.mobile.index[ion], others[ligand]]]
    return arrays | {
        "path_ion_A": ions[::every, ion].astype(np.float32),
        "path_other_A": beside.astype(np.float32),
        "path_species": names,
        "axis": np.array(sites.axis_index),
    }
