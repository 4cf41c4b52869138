"""Runs of one state that differ in their seed, as one: every channel of every run counts."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dpchannel.errors import InputError
from dpchannel.md.h5md import Trajectory, read_h5md
from dpchannel.physics.one_rate import one_rate
from dpchannel.report import trajectory_task as task
from dpchannel.report.averages import together
from dpchannel.report.diffusion_task import (
    SIDECAR,
    averages,
    figure_arrays,
    resting,
    summary,
    transport_of,
)
from dpchannel.report.framework import integrity, of_runs
from dpchannel.report.prepared import Run, identify, prepare
from dpchannel.results import Check, Result, provenance, relative, sha256, write_arrays
from dpchannel.settings import DiffusionSettings, SystemSettings, load

_TWICE = "a run that counts twice makes the error too small. Give each seed once."
MIN_CHANCE = 0.01  # of so uneven numbers of hops; below it the runs are not of one rate
_SAME = (
    *("compound", "pressure_GPa", "temperature_K", "repeat", "occupancy", "n_atoms"),
    *("produce_ps", "timestep_fs"),
)


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
    runs = [identify(trajectory, system, name) for name, trajectory in trajectories.items()]
    _require_one_state(runs)
    first, name = runs[0], system.system.name
    n_ion = [len(run.trajectory.mobile.index) for run in runs]
    starts = np.cumsum([0, *n_ion])
    ions = np.empty((len(first.trajectory.mobile.step), starts[-1], 3))
    at_rest, checks = resting(first, settings), []
    for run, start, stop in zip(runs, starts, starts[1:], strict=False):
        checks.append(prepare(run, at_rest.add, out=ions[:, start:stop])[1])
    columns = [
        column + start for run, start in zip(runs, starts, strict=False) for column in run.columns
    ]
    transport = transport_of(ions, columns, runs, settings)
    quantities = transport.quantities | together([averages(run) for run in runs])
    quantities |= of_runs([integrity(run.trajectory, run.sites, system) for run in runs])
    state = first.state | {
        "seeds": [_seed(run) for run in runs],
        "n_ions": sum(n_ion),
        "n_channels": sum(run.state["n_channels"] for run in runs),
    }
    found = _of_all([_seed(run) for run in runs], checks)
    if "hop_ion" in transport.arrays:
        hop_ion = transport.arrays["hop_ion"]
        hops = [int(np.isin(hop_ion, column).sum()) for column in columns]
        found.append(_agree(hops, [len(run.columns) for run in runs]))
    said = f"{len(runs)} seeds together: {summary(name, state, quantities)}"
    arrays = figure_arrays(transport, at_rest, ions, columns, runs)
    found += transport.checks
    return Result("diffusion", name, state, quantities, found, summary=said), arrays


def _seed(run: Run) -> int | None:
    """That of the velocities."""
    found: int | None = run.trajectory.meta.get("seed")
    return found


def _potential(run: Run) -> str | None:
    """Check sum of what drove it."""
    return (run.trajectory.meta.get("potential") or {}).get("sha256")


def _of_all(seeds: Sequence[int | None], checks: Sequence[list[Check]]) -> list[Check]:
    """One check that all runs keep; of one that some do not, theirs, each with its seed."""
    found = []
    each = list(zip(seeds, checks, strict=True))
    for name in dict.fromkeys(check.name for _, checks in each for check in checks):
        of_name = [(seed, c) for seed, checks in each for c in checks if c.name == name]
        missed = [Check(f"{name}_seed{seed}", False, c.text) for seed, c in of_name if not c.ok]
        kept = "; ".join(f"seed {seed}: {check.text}" for seed, check in of_name)
        found += missed or [Check(name, True, kept)]
    return found


def _agree(hops: Sequence[int], channels: Sequence[int]) -> Check:
    """Whether the channels of one run hop more than those of another: `channels` has each run."""
    runs = np.split(np.array(hops), np.cumsum(channels)[:-1])
    chance, least = one_rate(runs)
    text = f"{', '.join(str(run.sum()) for run in runs)} hops; chance of so uneven numbers"
    text += f" {chance:.2g}, whole channels exchanged between the runs"
    if least > MIN_CHANCE:
        text += f"; with so few channels never below {least:.2g}, so nothing is known"
    return Check("seeds_agree", chance >= MIN_CHANCE, text)


def _require_one_state(runs: Sequence[Run]) -> None:
    first = runs[0]
    if len(runs) < 2:
        raise InputError(f"{first.where}: one run is not pooled. Give two seeds or more.")
    for run in runs[1:]:
        other = [key for key in _SAME if run.state.get(key) != first.state.get(key)]
        if other:
            key = other[0]
            raise InputError(
                f"{run.where}: {key} = {run.state.get(key)}, but {first.state.get(key)} in "
                f"{first.where}. Runs are pooled when they differ in their seed alone."
            )
        if _potential(run) != _potential(first):
            raise InputError(
                f"{run.where}: driven by another potential than {first.where}. Run it anew."
            )
        for stream in ("mobile", "all"):
            steps, others = (getattr(r.trajectory, stream).step for r in (run, first))
            if not np.array_equal(steps, others):
                raise InputError(
                    f"{run.where}: frames at other steps than in {first.where}. Run it anew."
                )
    seeds = [_seed(run) for run in runs]
    if None in seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds {', '.join(map(str, seeds))}: {_TWICE}")
