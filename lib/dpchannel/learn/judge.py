"""What an iteration says: errors on held-out frames, the verdict's file, the frames to label."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dpchannel.learn import state, verdict
from dpchannel.learn.deviation import Counts, count
from dpchannel.learn.explore import Lengths, Task, read
from dpchannel.learn.select import candidates, thin_out
from dpchannel.potential import data
from dpchannel.potential.calculator import PRECISE, calculator
from dpchannel.potential.test import ALL, assess
from dpchannel.results import Result, provenance, sha256, write_arrays

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.learn.loop import Loop
    from dpchannel.settings import FramesSettings
    from dpchannel.settings.learn import LoopProfile, SelectSettings
    from dpchannel.statepoint import StatePoint

ARRAYS = "deviation.npz"


def held_out(
    dataset: Path, now: Path, before: Path | None, elements: tuple[str, ...]
) -> verdict.HeldOut | None:
    """Force errors of this potential and of the one before, on the held-out frames of `dataset`;
    None when it has none. The same frames for both: the test set grows with the loop.
    """
    frames = data.labelled_frames(dataset)
    number = sum(map(len, frames.values()))
    if number == 0:
        return None

    def error(folder: Path) -> float:
        found = assess(calculator(folder / PRECISE, elements), frames, lambda _: None)
        return float(np.abs(found[ALL].force).mean())

    return verdict.HeldOut(error(now), None if before is None else error(before), number)


def write(
    loop: Loop,
    number: int,
    tasks: Sequence[Task],
    lengths: Lengths,
    errors: verdict.HeldOut | None,
) -> Result:
    """Count, print and store the verdict of an iteration; its deviations go beside it."""
    started = time.time()
    folder = state.iteration(loop.root, number)
    counts: dict[StatePoint, Counts] = {}
    trajectories: dict[StatePoint, int] = {}
    columns: dict[str, list[np.ndarray]] = {"task": [], "step": [], "max_devi_f": []}
    for k, one in enumerate(tasks):
        found, never = read(folder / state.EXPLORE, one, lengths)
        mine = count(found.force, loop.profile.trust, never_reached=never)
        counts[one.point] = counts.get(one.point, Counts()) + mine
        trajectories[one.point] = trajectories.get(one.point, 0) + 1
        for name, values in zip(
            columns, (np.full(len(found.step), k), found.step, found.force), strict=True
        ):
            columns[name].append(values)
    write_arrays(folder / ARRAYS, {name: np.concatenate(rows) for name, rows in columns.items()})
    for line in verdict.table(counts):
        loop.note(line)
    model = folder / state.TRAIN / "000" / PRECISE
    result = Result(
        "loop",
        loop.system.system.name,
        {"iteration": number, "engine": loop.engine},
        verdict.quantities(counts, trajectories, errors),
        verdict.checks(counts, errors, loop.settings.stop),
        {ARRAYS: sha256(folder / ARRAYS)},
        provenance(
            settings=loop.profile.model_dump(), potential=model, cores=loop.cores, started=started
        ),
        verdict.sentence(counts, errors),
    )
    loop.note(f"iteration {number}: {result.summary}")
    result.write(folder / state.RESULT)
    return result


def choose(
    folder: Path,
    dataset: Path,
    tasks: Sequence[Task],
    lengths: Lengths,
    profile: LoopProfile,
    select: SelectSettings,
    rules: FramesSettings,
    elements: tuple[str, ...],
    number: int,
) -> list[Atoms]:
    """The frames of an iteration to label, in the order in which they teach most."""
    found = candidates(
        folder / state.EXPLORE,
        tasks,
        lengths,
        profile,
        rules,
        elements,
        iteration=number,
        at_most=select.pool,
    )
    if not found:
        return []
    known = [
        atoms
        for paths in data.folders(dataset, "train").values()
        for path in paths
        for atoms in data.frames(path)
    ]
    model = folder / state.TRAIN / "000" / PRECISE
    return thin_out(found, known, model, elements, select, at_most=profile.per_iteration)
