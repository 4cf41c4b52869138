"""Runs of one state that differ in their seed, as one: every channel of every run counts."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.md.h5md import Trajectory, read_h5md
from dpchannel.physics import displacement
from dpchannel.physics.one_rate import one_rate
from dpchannel.physics.transport import Transport, analyse_diffusion, analyse_isotropic
from dpchannel.report import trajectory_task as task
from dpchannel.report.averages import (
    average,
    average_quantities,
    lattice_series,
    set_point_checks,
    together,
)
from dpchannel.report.conditions import left_out, mobile_columns, require_usable, through_crystal
from dpchannel.report.diffusion_task import SIDECAR, summary
from dpchannel.report.framework import integrity, of_runs
from dpchannel.results import Check, Quantity, Result, provenance, relative, sha256, write_arrays
from dpchannel.settings import DiffusionSettings, SystemSettings, load
from dpchannel.structures.classify import Sites, classify
from dpchannel.structures.measure import channel_distance, nearest, site_spacing

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_TWICE = "a run that counts twice makes the error too small. Give each seed once."
MIN_CHANCE = 0.01  # of so uneven numbers of hops; below it the runs are not of one rate
_SAME = (
    *("compound", "pressure_GPa", "temperature_K", "repeat", "occupancy", "n_atoms"),
    *("produce_ps", "timestep_fs"),
)


@dataclass(frozen=True)
class _Part:
    """One run: its ions (n_frame, n_ion, 3) A in the lattice frame, its columns and its state.

    With means over it, and what was checked.
    """

    trajectory: Trajectory
    sites: Sites
    ions: Array
    columns: list[Index]
    state: dict[str, Any]
    means: dict[str, Quantity]
    framework: dict[str, Quantity]
    checks: list[Check]

    @property
    def seed(self) -> int | None:
        """That of the velocities."""
        found: int | None = self.trajectory.meta.get("seed")
        return found

    @property
    def potential(self) -> str | None:
        """Check sum of what drove it."""
        return (self.trajectory.meta.get("potential") or {}).get("sha256")


def run(trajs: Sequence[Path], system_file: Path, settings_file: Path, out: Path) -> Result:
    """Analyse the runs together; write the result to `out` and msd.npz beside it.

    Raises
    ------
    InputError          fewer than two runs, one seed twice, or runs of different states
    NotConverged        the framework of one is not a crystal
    """
    started = time.time()
    system, settings = load(SystemSettings, system_file), load(DiffusionSettings, settings_file)
    each = {relative(path): read_h5md(path) for path in trajs}
    if len(each) < len(trajs):
        raise InputError(f"{', '.join(map(relative, trajs))}: {_TWICE}")
    result, arrays = analyse(each, system, settings)
    sidecar = out.parent / SIDECAR
    write_arrays(sidecar, arrays)
    result.files = {relative(path): sha256(path) for path in (sidecar, *trajs)}
    result.provenance = provenance(settings={"diffusion": settings.model_dump()}, started=started)
    result.provenance["potential"] = next(iter(each.values())).meta.get("potential")
    result.write(out)
    return result


def analyse(
    trajectories: Mapping[str, Trajectory], system: SystemSettings, settings: DiffusionSettings
) -> tuple[Result, task.Arrays]:
    """D, hops, means and checks of all runs, and the arrays behind them.

    Parameters
    ----------
    trajectories : name -> Trajectory       the names are for messages

    Raises
    ------
    InputError          fewer than two runs, one seed twice, or runs of different states
    NotConverged        the framework of one is not a crystal
    """
    parts = [_part(trajectory, system, name) for name, trajectory in trajectories.items()]
    _require_one_state(parts, list(trajectories))
    first, name = parts[0], system.system.name
    transport, columns = _transport(parts, settings)
    quantities = transport.quantities | together([part.means for part in parts])
    quantities |= of_runs([part.framework for part in parts])
    state = first.state | {
        "seeds": [part.seed for part in parts],
        "n_ions": sum(part.state["n_ions"] for part in parts),
        "n_channels": sum(part.state["n_channels"] for part in parts),
    }
    checks = _of_all(parts)
    if "hop_ion" in transport.arrays:
        hop_ion = transport.arrays["hop_ion"]
        hops = [int(np.isin(hop_ion, column).sum()) for column in columns]
        checks.append(_agree(hops, [len(part.columns) for part in parts]))
    checks += [*left_out(first.sites), *transport.checks]
    said = f"{len(parts)} seeds together: {summary(name, state, quantities)}"
    return Result("diffusion", name, state, quantities, checks, summary=said), transport.arrays


def _of_all(parts: Sequence[_Part]) -> list[Check]:
    """One check that all runs keep; of one that some do not, theirs, each with its seed."""
    found = []
    for name in dict.fromkeys(check.name for part in parts for check in part.checks):
        of_name = [(part.seed, c) for part in parts for c in part.checks if c.name == name]
        missed = [Check(f"{name}_seed{seed}", False, c.text) for seed, c in of_name if not c.ok]
        kept = "; ".join(f"seed {seed}: {check.text}" for seed, check in of_name)
        found += missed or [Check(name, True, kept)]
    return found


def _part(trajectory: Trajectory, system: SystemSettings, where: str) -> _Part:
    checks = [Check(**check) for check in trajectory.meta.get("checks", ())]
    checks += require_usable(trajectory, system, where)
    sites = classify(trajectory.atoms, system)
    columns = mobile_columns(sites, trajectory.mobile.index, where)
    checks += through_crystal(trajectory, sites, where, lambda atoms, block: None)
    mobile = trajectory.mobile
    ions = displacement.lattice_frame(mobile.scaled[:], trajectory.centre, mobile.cells)
    state = task.state(trajectory, system, sites, columns)
    means = average_quantities(trajectory, sites, lattice_series(trajectory, sites))
    checks += set_point_checks(means, state)
    if sites.has_channel:
        means["site_spacing"] = average(site_spacing(mobile.cells, sites), "A")
    framework = integrity(trajectory, sites, system)
    return _Part(trajectory, sites, ions, columns, state, means, framework, checks)


def _transport(
    parts: Sequence[_Part], settings: DiffusionSettings
) -> tuple[Transport, list[Index]]:
    """Of the ions of all runs side by side, and which of them are in each channel."""
    ions = np.concatenate([part.ions for part in parts], axis=1)
    starts = np.cumsum([0, *(part.ions.shape[1] for part in parts[:-1])])
    time_ps, sites = parts[0].trajectory.mobile.time_ps, parts[0].sites
    if not sites.has_channel:
        first = parts[0].trajectory
        apart = nearest(first.atoms[first.mobile.index])
        return analyse_isotropic(ions, time_ps, settings, apart_A=apart), []
    columns = [
        column + start for part, start in zip(parts, starts, strict=True) for column in part.columns
    ]
    cells = np.concatenate([part.trajectory.mobile.cells for part in parts])
    spacing = float(site_spacing(cells, sites).mean())
    given = (ions, time_ps, columns, sites.axis_index, spacing, settings)
    apart = channel_distance(cells.mean(axis=0), sites)
    return analyse_diffusion(*given, apart_A=apart), columns


def _agree(hops: Sequence[int], channels: Sequence[int]) -> Check:
    """Whether the channels of one run hop more than those of another: `channels` has each run."""
    runs = np.split(np.array(hops), np.cumsum(channels)[:-1])
    chance, least = one_rate(runs)
    text = f"{', '.join(str(run.sum()) for run in runs)} hops; chance of so uneven numbers"
    text += f" {chance:.2g}, whole channels exchanged between the runs"
    if least > MIN_CHANCE:
        text += f"; with so few channels never below {least:.2g}, so nothing is known"
    return Check("seeds_agree", chance >= MIN_CHANCE, text)


def _require_one_state(parts: Sequence[_Part], names: Sequence[str]) -> None:
    if len(parts) < 2:
        raise InputError(f"{', '.join(names)}: one run is not pooled. Give two seeds or more.")
    first = parts[0]
    for part, name in zip(parts[1:], names[1:], strict=True):
        other = [key for key in _SAME if part.state.get(key) != first.state.get(key)]
        if other:
            key = other[0]
            raise InputError(
                f"{name}: {key} = {part.state.get(key)}, but {first.state.get(key)} in {names[0]}."
                " Runs are pooled when they differ in their seed alone."
            )
        if part.potential != first.potential:
            raise InputError(f"{name}: driven by another potential than {names[0]}. Run it anew.")
        if not np.array_equal(part.trajectory.mobile.step, first.trajectory.mobile.step):
            raise InputError(f"{name}: frames at other steps than in {names[0]}. Run it anew.")
    seeds = [part.seed for part in parts]
    if None in seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds {', '.join(map(str, seeds))}: {_TWICE}")
