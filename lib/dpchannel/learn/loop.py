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
from dpchannel.labels.dataset import build, read_labelled
from dpchannel.labels.labeler import labeler
from dpchannel.labels.made import must_match
from dpchannel.learn import explore, judge, seed, state
from dpchannel.learn.apart import apart
from dpchannel.learn.committee import train_committee
from dpchannel.learn.label import label
from dpchannel.learn.select import trajectory
from dpchannel.learn.tally import total, write_tally
from dpchannel.learn.verdict import finished
from dpchannel.lock import locked
from dpchannel.results import Check, Result, replacing, sha256

if TYPE_CHECKING:
    from dpchannel.settings import LabelSettings, SystemSettings, TrainingSettings
    from dpchannel.settings.learn import LearnSettings, LoopProfile

Note = Callable[[str], None]


@dataclass(frozen=True)
class Loop:
    """What a loop is about; `inputs` is the folder of the settings, `engine` that of the labels.

    With `labels_apart` it stops where labels are needed, and goes on when they are there.
    """

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
    labels_apart: bool = False

    @property
    def elements(self) -> tuple[str, ...]:
        return self.system.system.elements


def run(loop: Loop, iterations: int, *, retry: bool = False) -> Result:
    """Go on until the criterion is met or `iterations` are complete.

    Parameters
    ----------
    retry : bool
        Label again what failed in the last iteration.

    Returns
    -------
    Result
        The last verdict, with why the loop is or is not finished; written to `<root>/result.json`.

    Raises
    ------
    InputError
        Another process runs this loop; a schedule, a data set or the settings of the labels were
        changed within it; a start of the schedule cannot be built.
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
        if retry:
            loop.note(f"{_forget_failures(loop.root)} failed labels will be tried again")
        history: list[Result] = []
        waits = ""
        for number in range(iterations):
            if not state.is_done(loop.root, number):
                _labels_will_match(loop, number)
            history.append(_until_verdict(loop, number))
            why_not = finished(history, loop.settings.stop, loop.profile.last_stage_from())
            if why_not is None:
                break
            if not state.is_done(loop.root, number):
                waits = _label(loop, number, held)
            if waits:
                break
        return _conclude(loop, history, waits)


def _forget_failures(root: Path) -> int:
    """Let what failed in the last iteration be labelled again; returns how many.

    Trainings rest on the labels of those before.
    """
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


def _labels_will_match(loop: Loop, number: int) -> None:
    """Refuse changed settings before days of training, not after."""
    engine = labeler(loop.engine, loop.labels, inputs=loop.inputs / f"{loop.engine}.toml")
    first = next(iter(read_labelled(loop.root / seed.FRAMES)))
    must_match(_labels_before(loop, number), engine, [first])


def _labels_before(loop: Loop, number: int) -> list[Path]:
    """All labels that an iteration's own are trained on with."""
    folders = [state.iteration(loop.root, n) / state.LABEL for n in range(number)]
    there = [p for f in folders if (p := f / state.LABELLED).exists()]
    return [loop.root / seed.FRAMES, *there]


def _until_verdict(loop: Loop, number: int) -> Result:
    folder = state.iteration(loop.root, number)
    if _verdict(loop.root, number).exists():
        return Result.read(_verdict(loop.root, number))
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


def _label(loop: Loop, number: int, held: list[str]) -> str:
    """Label what this iteration selected, and build the data set of the next one.

    Returns
    -------
    str
        What it waits for; empty when the data set is there.
    """
    work = state.iteration(loop.root, number) / state.LABEL
    if (work / state.QUEUE).exists() or _queue(loop, number):
        if loop.labels_apart and (waits := state.labels_wanted(loop.root)):
            return waits
        loop.note(f"iteration {number}: labels from {loop.engine}")
        about = (work, loop.system.system.name, loop.engine, number)
        try:
            apart(
                label,
                *(work / state.QUEUE, work / state.LABELLED, work / "work"),
                *(loop.engine, loop.labels, loop.inputs, loop.elements, loop.settings.labels),
                *(work.parent / state.TRAIN / "000", _labels_before(loop, number), loop.note),
            )
        except NotConverged:
            write_tally(*about)
            raise
        loop.note(f"iteration {number}: {write_tally(*about).summary}")
    names = held + [
        trajectory(n, task)
        for n in range(number + 1)
        for task in _schedule(loop, n)[0]
        if task.held_out
    ]
    build(
        _labels_before(loop, number + 1),
        work / state.DATASET,
        system=loop.system.system.name,
        elements=loop.elements,
        gate=loop.labels.gate,
        held_out=[glob.escape(name) for name in names],
    )
    return ""


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


def _verdict(root: Path, number: int) -> Path:
    return state.iteration(root, number) / state.RESULT


def _conclude(loop: Loop, history: list[Result], waits: str) -> Result:
    """The verdict on all that is done: fewer iterations than before do not bring an older one."""
    why_not = finished(history, loop.settings.stop, loop.profile.last_stage_from())
    while why_not is not None and (later := _verdict(loop.root, len(history))).exists():
        history.append(Result.read(later))
        why_not = finished(history, loop.settings.stop, loop.profile.last_stage_from())
    last = history[-1]
    folders = [state.iteration(loop.root, n) / state.LABEL for n in range(len(history))]
    tallies = [Result.read(p) for f in folders if (p := f / state.RESULT).exists()]
    text = f"finished after {len(history)} iterations"
    if why_not is not None:
        text = waits or f"goes on: {why_not}"
    verdicts = [_verdict(loop.root, n) for n in range(len(history))]
    result = Result(
        "loop",
        last.system,
        last.state,
        last.quantities | total(tallies),
        [*last.checks, Check("finished", why_not is None, text)],
        {str(path.relative_to(loop.root)): sha256(path) for path in verdicts},
        last.provenance,
        text,
    )
    path = loop.root / state.RESULT
    if not path.exists() or path.read_text() != result.to_json():  # a second call changes nothing
        result.write(path)
    return result
