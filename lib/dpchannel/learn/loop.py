"""The loop: train, explore, judge, label, repeat. Its state is files: a killed loop goes on.

`<root>/iter.000000/{00.train,01.explore,02.label}`; each part is made once and kept.
"""

from __future__ import annotations

import glob
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dpchannel.errors import NotConverged
from dpchannel.labels.campaign import forget_failures
from dpchannel.labels.dataset import build
from dpchannel.learn import explore, judge, seed, state
from dpchannel.learn.apart import apart
from dpchannel.learn.committee import train_committee
from dpchannel.learn.label import label
from dpchannel.learn.select import trajectory
from dpchannel.learn.verdict import finished
from dpchannel.lock import locked
from dpchannel.results import Check, Result, replacing, sha256

if TYPE_CHECKING:
    from dpchannel.settings import LabelSettings, SystemSettings, TrainingSettings
    from dpchannel.settings.learn import LearnSettings, LoopProfile

Note = Callable[[str], None]


@dataclass(frozen=True)
class Loop:
    """What a loop is about; `inputs` is the folder of the settings, `engine` that of the labels."""

    root: Path
    system: SystemSettings
    inputs: Path
    settings: LearnSettings
    profile: LoopProfile
    training: TrainingSettings
    labels: LabelSettings
    engine: str
    data: Path
    cores: int
    note: Note

    @property
    def elements(self) -> tuple[str, ...]:
        return self.system.system.elements


def run(loop: Loop, iterations: int) -> Result:
    """Go on until the criterion is met or `iterations` are complete.

    Returns
    -------
    Result
        The last verdict, with why the loop is or is not finished; written to `<root>/result.json`.

    Raises
    ------
    InputError
        Another process runs this loop; a schedule or data set was changed within it; a start of the
        schedule cannot be built.
    NotConverged
        Too many labels failed, or no frame is left to label.
    EngineMissing, EngineFailed
        From training, LAMMPS or the engine of labels.
    """
    with locked(loop.root, "this loop is running already. Wait, or stop it."):
        explore.check_starts(loop.profile, loop.system, loop.inputs)
        held = seed.adopt(
            loop.data,
            loop.root,
            out=state.SEED,
            system=loop.system.system.name,
            elements=loop.elements,
            gate=loop.labels.gate,
            engine=loop.engine,
            note=loop.note,
        )
        history: list[Result] = []
        for number in range(iterations):
            history.append(_until_verdict(loop, number))
            why_not = finished(history, loop.settings.stop, loop.profile.last_stage_from())
            if why_not is None:
                break
            if not state.is_done(loop.root, number):
                _label(loop, number, held)
        return _conclude(loop, history)


def retry(root: Path) -> int:
    """Let the next call label again what failed in the last iteration; returns how many."""
    numbers = [
        n for n in range(len(list(root.glob("iter.*")))) if state.iteration(root, n).exists()
    ]
    if not numbers:
        return 0
    work = state.iteration(root, numbers[-1]) / state.LABEL
    count = forget_failures(work / state.LABELLED)
    if count:  # it was built without them
        shutil.rmtree(work / state.DATASET, ignore_errors=True)
    return count


def _until_verdict(loop: Loop, number: int) -> Result:
    folder = state.iteration(loop.root, number)
    written = folder / state.RESULT
    if written.exists():
        return Result.read(written)
    dataset = state.dataset_for(loop.root, number)
    earlier = state.iteration(loop.root, number - 1) / state.TRAIN if number else None
    loop.note(f"iteration {number}: training {len(loop.profile.seeds)} potentials")
    models = train_committee(
        dataset,
        folder / state.TRAIN,
        loop.training,
        loop.profile,
        elements=loop.elements,
        earlier=earlier,
        cores=loop.cores,
        note=loop.note,
    )
    tasks, lengths = _schedule(loop, number)
    loop.note(f"iteration {number}: exploring {len(tasks)} trajectories")
    explore.explore(
        folder / state.EXPLORE,
        tasks,
        lengths,
        models,
        loop.system,
        loop.inputs,
        loop.settings.integrator,
        slots=loop.cores,
        note=loop.note,
    )
    before = None if earlier is None else earlier / "000"
    errors = apart(judge.held_out, dataset, folder / state.TRAIN / "000", before, loop.elements)
    return judge.write(loop, number, tasks, lengths, errors)


def _schedule(loop: Loop, number: int) -> tuple[list[explore.Task], explore.Lengths]:
    stage = loop.profile.stage(number)
    lengths = explore.Lengths.make(loop.profile, stage, loop.settings.integrator)
    return explore.plan(stage, number, loop.settings.held_out_share), lengths


def _label(loop: Loop, number: int, held: list[str]) -> None:
    """Label what this iteration selected, and build the data set of the next one."""
    work = state.iteration(loop.root, number) / state.LABEL
    if (work / state.QUEUE).exists() or _queue(loop, number):
        loop.note(f"iteration {number}: labels from {loop.engine}")
        standing = apart(
            label,
            *(work / state.QUEUE, work / state.LABELLED, work / "work"),
            *(loop.engine, loop.labels, loop.inputs, loop.elements, loop.settings.labels),
            *(work.parent / state.TRAIN / "000", loop.note),
        )
        loop.note(f"iteration {number}: {standing.labelled} labelled, {standing.failed} failed")
    folders = [state.iteration(loop.root, n) / state.LABEL for n in range(number + 1)]
    names = held + [
        trajectory(n, task)
        for n in range(number + 1)
        for task in _schedule(loop, n)[0]
        if task.held_out
    ]
    build(
        [loop.root / seed.FRAMES, *(p for f in folders if (p := f / state.LABELLED).exists())],
        work / state.DATASET,
        system=loop.system.system.name,
        elements=loop.elements,
        gate=loop.labels.gate,
        held_out=[glob.escape(name) for name in names],
    )


def _queue(loop: Loop, number: int) -> bool:
    """Select the frames to label; False when there is none and none is needed."""
    from ase.io import write

    folder = state.iteration(loop.root, number)
    loop.note(f"iteration {number}: selecting at most {loop.profile.per_iteration} frames")
    frames = apart(
        judge.choose,
        *(folder, state.dataset_for(loop.root, number), *_schedule(loop, number)),
        *(loop.profile, loop.settings.select, loop.labels.frames, loop.elements, number),
    )
    if frames:
        with replacing(folder / state.LABEL / state.QUEUE) as aside:
            write(aside, frames, format="extxyz")
        return True
    failed = Result.read(folder / state.RESULT).quantities["failed"].value or 0.0
    if failed > loop.settings.labels.failed_share:
        raise NotConverged(
            f"{folder}: {failed:.0%} of the frames failed and none is left to label. Test the "
            f"model first, `make verify POTENTIAL={folder / state.TRAIN / '000'}`; then raise "
            "trust.high_eV_per_A or lower the temperatures in inputs/learn.toml."
        )
    loop.note(f"iteration {number}: no frame between the trust levels is new: nothing to label")
    (folder / state.LABEL).mkdir(exist_ok=True)
    return False


def _conclude(loop: Loop, history: list[Result]) -> Result:
    why_not = finished(history, loop.settings.stop, loop.profile.last_stage_from())
    last = history[-1]
    text = f"finished after {len(history)} iterations" if why_not is None else f"goes on: {why_not}"
    verdicts = [state.iteration(loop.root, n) / state.RESULT for n in range(len(history))]
    result = Result(
        "loop",
        last.system,
        last.state,
        last.quantities,
        [*last.checks, Check("finished", why_not is None, text)],
        {str(path.relative_to(loop.root)): sha256(path) for path in verdicts},
        last.provenance,
        text,
    )
    path = loop.root / state.RESULT
    if not path.exists() or path.read_text() != result.to_json():  # a second call changes nothing
        result.write(path)
    return result
