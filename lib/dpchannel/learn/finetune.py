"""Two-level training: from the weights that thousands of the teacher's labels gave, on to DFT.

`<root>/n00018/{data,tuned}`: the first 18 labels, aligned, and the potential fine-tuned on them;
`alone` beside them, for all labels: the same network on labels of DFT only. Each is made once and
kept; more labels make a new folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dpchannel.errors import InputError
from dpchannel.learn.align import Alignment, Labels, align, alignment_of, read_labels
from dpchannel.learn.apart import apart
from dpchannel.learn.compare import (
    ALONE,
    CURVE,
    START,
    TESTED,
    TUNED,
    Candidate,
    compare,
    sentence,
    tested,
)
from dpchannel.lock import locked
from dpchannel.potential.calculator import PRECISE, potential_file
from dpchannel.potential.data import neighbours_in
from dpchannel.potential.frozen import trained_model
from dpchannel.potential.train import Mixed, train
from dpchannel.results import Check, Quantity, Result, provenance, relative, sha256
from dpchannel.settings import NetworkSettings

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import LabelSettings, SystemSettings, TrainingSettings

Note = Callable[[str], None]
DATA, LAST = "data", "last"


@dataclass(frozen=True)
class Job:
    """What to fine-tune: labels, the potential to start from, and the data set of its teacher."""

    source: Path
    root: Path
    start: Path
    teacher: Path
    system: SystemSettings
    training: TrainingSettings
    rules: LabelSettings
    engine: str | None
    threads: int
    note: Note

    def folder(self, n: int) -> Path:
        """Of the first `n` training labels."""
        return self.root / f"n{n:05d}"


def run(job: Job) -> Result:
    """Align, fine-tune, train on the labels alone, learn the curve, compare on held-out labels.

    Raises
    ------
    InputError
        Too few labels, none held out, mixed settings, no weights to go on from, too little room for
        neighbours, or a folder with other labels, settings or another potential.
    EngineFailed
        A training failed; the message names its log.
    """
    started, how = time.time(), job.training.finetune
    trained_model(job.start)  # refused before labels are read
    labels = read_labels(job.source, job.system, job.rules, job.engine)
    job.note(f"{job.source}: {_counts(labels)}")
    _check_enough(labels, how.least_labels, job.source)
    total = len(labels.train)
    sizes = sorted({n for n in how.curve if n < total} | {total})
    with locked(job.root, "another fine-tuning runs here. Wait, or stop it."):
        aligned = _aligned(job, labels, sizes)
        _check_room([*labels.train, *labels.test], job)
        for n in sizes[::-1]:
            _train(job, n, TUNED)
            if n == total:
                _train(job, n, ALONE)
        candidates = [
            Candidate(START, potential_file(job.start), aligned[total]),
            Candidate(TUNED, job.folder(total) / TUNED / PRECISE, aligned[total]),
            Candidate(ALONE, job.folder(total) / ALONE / PRECISE, aligned[total]),
            *(
                Candidate(f"{CURVE}/{n}", job.folder(n) / TUNED / PRECISE, aligned[n])
                for n in sizes
            ),
        ]
        found, checks = apart(_compare, job, candidates, labels)
        for one in candidates[1:3]:
            result = tested(found, one, job.system.system.name, how.targets)
            result.write(one.model.parent / TESTED)
        _point_to(job.root / LAST, job.folder(total).name)
    state = {
        "start": relative(job.start),
        "labels": total,
        "held_out": len(labels.test),
        "refused": len(labels.refused),
        "engine": str(labels.train[0].info.get("engine", "unknown")),
        "curve": sizes,
    }
    return Result(
        "finetune",
        job.system.system.name,
        state,
        {"energy_offset": _as_quantity(aligned[total])} | found,
        checks,
        {f"{c.model.relative_to(job.root)}": sha256(c.model) for c in candidates[1:]},
        provenance(
            settings=how.model_dump(),
            potential=candidates[0].model,
            cores=job.threads,
            started=started,
        ),
        f"{_counts(labels)}; fine-tuned: {sentence(found, TUNED)}; before: "
        f"{sentence(found, START)}",
    )


def same_network(
    training: TrainingSettings, init: Path, *, steps: int
) -> tuple[TrainingSettings, NetworkSettings]:
    """Settings with the descriptor and the network of an earlier training: weights must fit."""
    model = trained_model(init)
    seen, fitting = model["descriptor"], model["fitting_net"]
    changed = {
        "rcut_A": seen["rcut"],
        "rcut_smth_A": seen["rcut_smth"],
        "type_one_side": seen["type_one_side"],
    }
    network = NetworkSettings(
        embedding=tuple(seen["neuron"]),
        axis=seen["axis_neuron"],
        fitting=tuple(fitting["neuron"]),
        precision=seen["precision"],
        steps=steps,
    )
    descriptor = training.descriptor.model_copy(update=changed)
    return training.model_copy(update={"descriptor": descriptor}), network


def _aligned(job: Job, labels: Labels, sizes: Sequence[int]) -> dict[int, Alignment]:
    """A data set for the first n labels of each size; energies count from the zero of the start."""
    datasets = {n: job.folder(n) / DATA for n in sizes}
    if missing := [n for n in sizes if not (datasets[n] / "origin.json").exists()]:
        apart(_align, job, labels, missing)
    model = potential_file(job.start)
    return {n: alignment_of(datasets[n], model, labels.train[:n]) for n in sizes}


def _train(job: Job, n: int, name: str) -> None:
    """TUNED goes on from the start with frames of the teacher mixed in; ALONE does neither."""
    how, tuned = job.training.finetune, name == TUNED
    steps = how.steps_for(n) if tuned else how.alone_steps
    settings, network = same_network(job.training, job.start, steps=steps)
    if tuned:
        lower = {"start": how.start_rate, "decay_steps": how.decay_steps}
        rate = settings.learning_rate.model_copy(update=lower)
        settings = settings.model_copy(update={"learning_rate": rate, "loss": how.loss})
    train(
        job.folder(n) / DATA,
        job.folder(n) / name,
        settings,
        network,
        elements=job.system.system.elements,
        init_model=job.start if tuned else None,
        mixed=Mixed(job.teacher, how.teacher_share) if tuned and how.teacher_share else None,
        threads=job.threads,
        note=lambda text: job.note(f"{name} on {n} labels: {text}"),
    )


def _align(job: Job, labels: Labels, sizes: Sequence[int]) -> None:
    """In a process of its own: it loads TensorFlow."""
    for n in sizes:
        align(
            replace(labels, train=labels.train[:n]),
            job.folder(n) / DATA,
            potential=potential_file(job.start),
            system=job.system,
            rules=job.rules,
            note=job.note,
        )


def _compare(
    job: Job, candidates: list[Candidate], labels: Labels
) -> tuple[dict[str, Quantity], list[Check]]:
    """In a process of its own, too."""
    return compare(
        candidates,
        labels,
        (job.teacher, job.rules.mlip),
        system=job.system,
        targets=job.training.finetune.targets,
        note=job.note,
    )


def _check_enough(labels: Labels, least: int, source: Path) -> None:
    if len(labels.train) < least:
        raise InputError(
            f"{source}: {_counts(labels)}, at least {least} to train on are needed "
            "(finetune.least_labels in inputs/training.toml). `make label ENGINE=cp2k` makes more."
        )
    if not labels.test:
        raise InputError(
            f"{source}: {_counts(labels)}: nothing to test on. Hold whole trajectories out "
            "(held_out in inputs/labels.toml)."
        )


def _check_room(frames: Sequence[Atoms], job: Job) -> None:
    """Every neighbour must have its place in the network: else energy is not conserved."""
    seen = trained_model(job.start)["descriptor"]
    most = neighbours_in(frames, seen["rcut"], job.system.system.elements)
    if any(m > s for m, s in zip(most, seen["sel"], strict=True)):
        raise InputError(
            f"{job.source}: up to {most} neighbours, but {job.start} has room for {seen['sel']} "
            "(sel). Start from a potential trained with a larger descriptor.sel_margin."
        )


def _counts(labels: Labels) -> str:
    text = f"{len(labels.train)} labels to train on, {len(labels.test)} held out"
    return text + (f", {len(labels.refused)} refused" if labels.refused else "")


def _as_quantity(alignment: Alignment) -> Quantity:
    return Quantity(
        alignment.per_formula_unit_eV,
        f"eV per {alignment.formula}",
        alignment.stderr_eV,
        n=alignment.labels,
        n_independent=alignment.trajectories,
        method="mean of label minus potential on the training labels; subtracted",
    )


def _point_to(link: Path, name: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(name)
