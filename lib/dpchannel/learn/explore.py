"""Exploration (01.explore): NPT with the committee from every start at every (T, P)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.errors import InputError
from dpchannel.learn import farm
from dpchannel.learn.state import TASK
from dpchannel.md import files
from dpchannel.md.committee import Deviation, read_deviation
from dpchannel.md.engine import find_engine
from dpchannel.md.launch import failure, reason_of
from dpchannel.results import project_root, replacing
from dpchannel.statepoint import StatePoint
from dpchannel.structures.cells import build
from dpchannel.units import BAR_PER_GPA

if TYPE_CHECKING:
    from dpchannel.settings import SystemSettings
    from dpchannel.settings.learn import IntegratorSettings, LoopProfile, StageSettings

Note = Callable[[str], None]
DEVIATION, FRAMES, START, SCRIPT = "model_devi.out", "frames.bin", "conf.lmp", "input.lammps"
LOG, OUTPUT, PLAN = "log.lammps", "output.txt", "explore.json"


@dataclass(frozen=True)
class Task:
    """One trajectory: `task.<start>.<number>`, as DP-GEN names it."""

    name: str
    cell: str
    repeat: tuple[int, int, int]
    occupancy: str
    pressure_GPa: float
    temperature_K: float
    seed: int
    held_out: bool

    @property
    def point(self) -> StatePoint:
        return StatePoint(self.pressure_GPa, self.temperature_K)


@dataclass(frozen=True)
class Lengths:
    """In steps: the run, the distance of its frames, and where the first one that counts lies."""

    steps: int
    every: int
    skip: int

    @classmethod
    def make(
        cls, profile: LoopProfile, stage: StageSettings, integrator: IntegratorSettings
    ) -> Lengths:
        """From the settings; InputError when a length is no whole number of steps."""
        fs, found = integrator.timestep_fs, []
        for name, length_fs in (
            ("length_ps", 1000 * stage.length_ps),
            ("frame_every_fs", profile.frame_every_fs),
            ("skip_ps", 1000 * profile.skip_ps),
        ):
            n = round(length_fs / fs)
            if abs(n * fs - length_fs) > 1e-6 * fs:
                raise InputError(
                    f"inputs/learn.toml: {name}: {length_fs:g} fs is no multiple of timestep_fs = "
                    f"{fs:g}."
                )
            found.append(n)
        if found[1] < 1 or found[2] >= found[0]:
            raise InputError(
                "inputs/learn.toml: no frame is left: skip_ps must be shorter than length_ps, and "
                "frame_every_fs at least timestep_fs."
            )
        return cls(*found)

    @property
    def frames(self) -> int:
        """How many frames of a complete run count."""
        return self.steps // self.every - -(-self.skip // self.every) + 1


def plan(stage: StageSettings, iteration: int, held_out_share: float) -> list[Task]:
    """The trajectories of an iteration; some, drawn at random, are held out as a whole.

    The same iteration gives the same trajectories and seeds; every other one, others.
    """
    states = [
        (k, start, p, t)
        for k, start in enumerate(stage.starts)
        for p in stage.pressure_GPa
        for t in stage.temperature_K
    ]
    rng = np.random.default_rng([iteration, len(states)])
    held = set(rng.permutation(len(states))[: int(held_out_share * len(states))].tolist())
    return [
        Task(
            name=f"task.{k:03d}.{n:06d}",
            cell=start.cell,
            repeat=start.repeat,
            occupancy=start.occupancy,
            pressure_GPa=p,
            temperature_K=t,
            seed=int(rng.integers(1, 2**31 - 1)),
            held_out=n in held,
        )
        for n, (k, start, p, t) in enumerate(states)
    ]


def check_starts(profile: LoopProfile, system: SystemSettings, inputs: Path) -> None:
    """Build every start once: one that cannot be built is refused before anything is trained.

    Raises
    ------
    InputError          the crystal has no such cell or occupancy
    """
    for start in {start for stage in profile.stages for start in stage.starts}:
        build(system, inputs, start.cell, start.repeat, start.occupancy, seed=1)


def explore(
    folder: Path,
    tasks: Sequence[Task],
    lengths: Lengths,
    models: Sequence[Path],
    system: SystemSettings,
    inputs: Path,
    integrator: IntegratorSettings,
    *,
    slots: int,
    note: Note,
) -> None:
    """Run every task that is not finished, `slots` at a time, each on one core.

    A trajectory on which the potential blows up has ended, too: its missing frames count as
    failed.

    Raises
    ------
    InputError
        The folder holds an exploration with another plan.
    PotentialError, EngineFailed
        LAMMPS ended before the first step, or was killed; the message names its log.
    EngineMissing
        No LAMMPS.
    """
    _claim(folder, tasks, lengths, integrator)
    left = [task for task in tasks if not (folder / task.name / TASK).exists()]
    if not left:
        return
    engine = find_engine(1)

    def begin(task: Task) -> farm.Job:
        work = folder / task.name
        shutil.rmtree(work, ignore_errors=True)  # of a killed run: begun again from its seed
        work.mkdir(parents=True)
        start = build(system, inputs, task.cell, task.repeat, task.occupancy, task.seed)
        (work / START).write_text(files.data_text(start, system.system.elements))
        shutil.copy(project_root() / "inputs" / "lammps" / "explore.in", work / SCRIPT)
        variables = _variables(task, lengths, models, work, system, integrator)
        return farm.Job(engine.on(SCRIPT, LOG, variables), work, work / OUTPUT, engine.environment)

    def end(task: Task, code: int) -> None:
        work = folder / task.name
        how = _how_it_ended(work, code)
        with replacing(work / TASK) as aside:
            aside.write_text(json.dumps(asdict(task) | {"ended": how}, indent=1) + "\n")
        done = len(tasks) - len(left) + sum((folder / t.name / TASK).exists() for t in left)
        note(f"{task.name} ({task.point.path}): {how}; {done} of {len(tasks)}")

    farm.run(left, begin, end, slots=slots)


def read(folder: Path, task: Task, lengths: Lengths) -> tuple[Deviation, int]:
    """Deviations of the frames of a finished task that count, and how many it never reached."""
    found = read_deviation(folder / task.name / DEVIATION)
    counted = found.step >= lengths.skip
    kept = Deviation(found.step[counted], found.force[counted], found.virial[counted])
    return kept, max(0, lengths.frames - len(kept.step))


def _variables(
    task: Task,
    lengths: Lengths,
    models: Sequence[Path],
    work: Path,
    system: SystemSettings,
    integrator: IntegratorSettings,
) -> dict[str, str]:
    return {
        "data": START,
        # as seen from the task: a path without the spaces that a user's folders may hold
        "models": " ".join(os.path.relpath(model, work) for model in models),
        "elements": " ".join(system.system.elements),
        "temperature": repr(task.temperature_K),
        "pressure": repr(task.pressure_GPa * BAR_PER_GPA),
        "seed": str(task.seed),
        "timestep": repr(integrator.timestep_fs / 1000),
        "thermostat": repr(integrator.thermostat_ps),
        "barostat": repr(integrator.barostat_ps),
        "every": str(lengths.every),
        "steps": str(lengths.steps),
    }


def _how_it_ended(work: Path, code: int) -> str:
    if code == 0:
        return "finished"
    reason = reason_of(work / LOG, work / OUTPUT)
    try:
        step = int(read_deviation(work / DEVIATION).step[-1])
    except (InputError, IndexError):
        step = None
    if step is None or code < 0 or not _gave_a_reason(work / LOG):  # killed is not blown up
        raise failure(work / LOG, step, reason, str(work))
    return f"blew up after step {step} ({reason})"


def _gave_a_reason(log: Path) -> bool:
    return log.exists() and "ERROR" in log.read_text(errors="replace")


def _claim(
    folder: Path, tasks: Sequence[Task], lengths: Lengths, integrator: IntegratorSettings
) -> None:
    content: dict[str, Any] = {
        "lengths": asdict(lengths),
        "integrator": integrator.model_dump(),
        "tasks": [asdict(task) for task in tasks],
    }
    text, path = json.dumps(content, indent=1) + "\n", folder / PLAN
    if not path.exists():
        with replacing(path) as aside:
            aside.write_text(text)
    elif path.read_text() != text:
        raise InputError(
            f"{path}: this exploration began with another schedule. Put inputs/learn.toml back, or "
            f"move {folder} away to explore anew."
        )
