"""From one trajectory to its mechanism: result, and the arrays of its figures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpchannel.md.h5md import Trajectory
from dpchannel.physics import displacement
from dpchannel.physics.collective import analyse_collective, haven_ratio
from dpchannel.physics.density import Slice, slice_density
from dpchannel.physics.hops import Hops
from dpchannel.physics.transport import Transport, analyse_diffusion
from dpchannel.report import trajectory_task as task
from dpchannel.report.conditions import left_out, mobile_columns, require_usable, whole_crystal
from dpchannel.report.mechanism import (
    framework_numbers,
    hop_numbers,
    longest_path,
    moving_sites,
    sentence,
)
from dpchannel.results import Quantity, Result
from dpchannel.settings import DiffusionSettings, SystemSettings
from dpchannel.structures.classify import Sites, classify
from dpchannel.structures.columns import Index, Plane
from dpchannel.structures.measure import site_spacing

Array = NDArray[np.float64]

SIDECAR = "mechanism.npz"
FROM_HOPS = ("n_hops", "ion_ns", "hop_rate", "D_c", "D_c_slope", "D_c_hops", "exponent_c")
MAX_PATH_FRAMES = 1000
MAX_DENSITY_FRAMES = 4000  # of the ions: more sharpen nothing and cost memory
BIN_A, SMOOTH_A = 0.15, 0.2  # of the density
SLAB_A = 3.0  # thickness of the slice through a row of channels: an ion and its vibration


@dataclass(frozen=True, eq=False)
class _Run:
    """One trajectory, classified and in the lattice frame."""

    trajectory: Trajectory
    sites: Sites
    columns: list[Index]
    ions: Array
    everyone: Array
    cell: Array


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
    usable = require_usable(trajectory, system, where)
    system.channel.index  # noqa: B018  (refuses a crystal without channels)
    sites = classify(trajectory.atoms, system)
    columns = mobile_columns(sites, trajectory.mobile.index, where)
    mobile = trajectory.mobile
    ions = displacement.lattice_frame(mobile.scaled[:], trajectory.centre, mobile.cells)
    everyone, checks = whole_crystal(trajectory, sites, where)
    run = _Run(trajectory, sites, columns, ions, everyone, trajectory.all.cells.mean(axis=0))
    spacing = float(site_spacing(mobile.cells, sites).mean())
    tracer, charge = _transport(run, spacing, settings)
    found = _hops(tracer, mobile.time_ps)
    hopping, hop_arrays = hop_numbers(found, columns, mobile.time_ps, settings)
    framework, lengths = framework_numbers(trajectory, everyone, sites, system, settings)
    kept = {name: tracer.quantities[name] for name in FROM_HOPS if name in tracer.quantities}
    quantities = kept | hopping | charge.quantities | {"haven_ratio": _haven(tracer, charge)}
    quantities |= framework
    state = task.state(trajectory, system, sites, columns)
    result = Result(
        task="mechanism",
        system=system.system.name,
        state=state,
        quantities=quantities,
        checks=[*usable, *checks, *left_out(sites), *tracer.checks[:1], *charge.checks],
        summary=sentence(quantities, state),
    )
    mean_squares = {k: v for k, v in tracer.arrays.items() if "_c" in k or k == "lag_ps"}
    arrays = mean_squares | charge.arrays | hop_arrays | lengths
    return result, arrays | _paths(run) | _densities(run)


def _transport(
    run: _Run, spacing_A: float, settings: DiffusionSettings
) -> tuple[Transport, Transport]:
    """Of the tracer, with sites that follow the rings if there are any, and of the charge."""
    stream, time_ps = run.trajectory.all, run.trajectory.mobile.time_ps
    moving = None
    if run.sites.has_rings:
        moving = moving_sites(run.everyone, run.cell, run.sites, stream.time_ps, time_ps)
    given = (run.ions, time_ps, run.columns, run.sites.axis_index, spacing_A, settings)
    return analyse_diffusion(*given, sites_A=moving), analyse_collective(*given)


def _hops(tracer: Transport, time_ps: Array) -> Hops:
    when = np.asarray(tracer.arrays["hop_time_ps"], float)
    ion, step = (np.asarray(tracer.arrays[name], np.int64) for name in ("hop_ion", "hop_step"))
    return Hops(np.asarray(np.searchsorted(time_ps, when - 1e-9), np.int64), ion, step)


def _haven(tracer: Transport, charge: Transport) -> Quantity:
    """A number only where both D are: the ratio of two bounds is none."""
    if {tracer.quantities["D_c"].kind, charge.quantities["D_c_collective"].kind} != {"estimate"}:
        return Quantity(None, "", method="no number: D_c or D_c_collective is only bounded")
    slopes = (
        np.asarray(part.arrays[f"slope_{name}_by_channel_A2_ps"], float)
        for part, name in ((tracer, "c"), (charge, "c_collective"))
    )
    return haven_ratio(*slopes)


def _paths(run: _Run) -> task.Arrays:
    """Of the ion that moves furthest and of the ligand beside its channel (Fig. 5 of the paper)."""
    others = run.sites.roles["other"]
    if len(others) == 0:
        return {}
    mean = run.everyone[:, others].mean(axis=0)
    ion, ligand = longest_path(run.ions, mean, run.cell, run.sites.axis_index)
    home, inverse = run.ions[0, ion] - mean[ligand], np.linalg.inv(run.cell)
    beside = run.everyone[:, others[ligand]] + np.round(home @ inverse) @ run.cell
    every = -(-len(run.ions) // MAX_PATH_FRAMES)
    names = run.sites.species[[run.trajectory.mobile.index[ion], others[ligand]]]
    return {
        "path_ion_A": run.ions[::every, ion].astype(np.float32),
        "path_other_A": beside.astype(np.float32),
        "path_species": names,
        "axis": np.array(run.sites.axis_index),
    }


def _densities(run: _Run) -> task.Arrays:
    """Of ions and of ligands, in a slice through a row of channels and seen along them (Fig. 6)."""
    sites, inverse = run.sites, np.linalg.inv(run.cell)
    plane = Plane(run.cell, sites.axis_index)
    across, deep = plane.axes
    row = float(sites.column_xy[0, 1])
    views = {
        "side": Slice((across, sites.axis_index), row, SLAB_A),
        "top": Slice((across, deep)),
    }
    every = -(-len(run.ions) // MAX_DENSITY_FRAMES)
    atoms = {"mobile": run.ions[::every], "other": run.everyone[:, sites.roles["other"]]}
    arrays: task.Arrays = {"cell_A": run.cell, "slab_A": np.array(SLAB_A)}
    for view, where in views.items():
        arrays[f"axes_{view}"] = np.array(where.axes)
        for name, positions in atoms.items():
            arrays[f"density_{view}_{name}"] = slice_density(
                positions @ inverse, run.cell, where, bin_A=BIN_A, width_A=SMOOTH_A
            ).astype(np.float32)
    rest = np.flatnonzero(~np.isin(sites.species, sites.species[sites.mobile]))
    arrays["mean_A"] = run.everyone[:, rest].mean(axis=0).astype(np.float32)
    arrays["mean_species"] = sites.species[rest]
    every = -(-len(run.ions) // MAX_PATH_FRAMES)
    arrays["ions_A"] = run.ions[::every].astype(np.float32)
    return arrays
