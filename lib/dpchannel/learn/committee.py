"""The committee: the same network from several seeds, trained side by side (00.train)."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dpchannel.errors import InputError
from dpchannel.learn.apart import together
from dpchannel.potential.data import most_neighbours
from dpchannel.potential.deepmd_input import read_input
from dpchannel.potential.frozen import COMPRESSED
from dpchannel.potential.train import train

if TYPE_CHECKING:
    from dpchannel.settings import NetworkSettings, TrainingSettings
    from dpchannel.settings.learn import LoopProfile

Note = Callable[[str], None]
_POLL_S = 1.0


def train_committee(
    dataset: Path,
    folder: Path,
    settings: TrainingSettings,
    profile: LoopProfile,
    *,
    elements: Sequence[str],
    earlier: Path | None,
    cores: int,
    note: Note,
) -> list[Path]:
    """Train one potential a seed in `folder/000`, `folder/001`, ...; finished ones are kept.

    Parameters
    ----------
    earlier : Path, optional
        Folder of the committee before: its weights are where this one starts, unless the data set
        now holds more neighbours than it has room for.
    cores : int
        As many trainings run at a time.

    Returns
    -------
    list of Path
        `graph.000.pb`, ...: links to the compressed models, as DP-GEN names them.

    Raises
    ------
    InputError
        No such network, or a folder holds a training with other settings or data.
    EngineFailed
        A training failed; the message names its log. The others go on to their end.
    """
    if profile.network not in settings.networks:
        known = ", ".join(settings.networks)
        raise InputError(f"network {profile.network!r}: inputs/training.toml has {known}.")
    names = [f"{n:03d}" for n in range(len(profile.seeds))]
    graphs = [folder / f"graph.{name}.pb" for name in names]
    if all(graph.exists() for graph in graphs):
        return graphs
    if earlier is not None and not _has_room(dataset, earlier / names[0], elements, note):
        earlier = None
    how, network = _lengths(settings, profile, earlier is not None)
    calls = [
        (
            _train_one,
            (
                *(dataset, folder, name, how.model_copy(update={"seed": seed}), network),
                *(tuple(elements), earlier, max(1, cores // len(names)), note),
            ),
        )
        for name, seed in zip(names, profile.seeds, strict=True)
    ]
    together(calls, slots=cores)
    return graphs


def _train_one(
    dataset: Path,
    folder: Path,
    name: str,
    settings: TrainingSettings,
    network: NetworkSettings,
    elements: Sequence[str],
    earlier: Path | None,
    threads: int,
    note: Note,
) -> None:
    """In a process of its own."""
    work = folder / name
    _until_free(work, note)
    train(
        dataset,
        work,
        settings,
        network,
        elements=elements,
        init_model=earlier / name if earlier else None,
        threads=threads,
        note=lambda text: note(f"{name}: {text}"),
    )
    _link(folder / f"graph.{name}.pb", work / COMPRESSED)


def _lengths(
    settings: TrainingSettings, profile: LoopProfile, goes_on: bool
) -> tuple[TrainingSettings, NetworkSettings]:
    network, rate = settings.networks[profile.network], settings.learning_rate
    if not goes_on:
        return settings, network.model_copy(update={"steps": profile.train.first_steps})
    lowered = rate.model_copy(update={"start": profile.train.later_start})
    return (
        settings.model_copy(update={"learning_rate": lowered}),
        network.model_copy(update={"steps": profile.train.later_steps}),
    )


def _has_room(dataset: Path, earlier: Path, elements: Sequence[str], note: Note) -> bool:
    """Every neighbour of the new frames has a place in the earlier network: else energy leaks."""
    content = read_input(earlier)["model"]["descriptor"]
    most = most_neighbours(dataset, content["rcut"], elements)
    room = all(m <= s for m, s in zip(most, content["sel"], strict=True))
    if not room:
        note(f"most neighbours {most} exceed sel {content['sel']}: training from the start")
    return room


def _link(link: Path, model: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(model, link.parent))


def _until_free(work: Path, note: Note) -> None:
    """Wait for the training that a killed loop left running here: it would be started twice."""
    lock, told = work / ".lock", False
    while lock.exists():
        with open(lock, "a") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if not told:
                    note(f"{work}: a training left by a killed loop still runs; waiting for it")
                told = True
        time.sleep(_POLL_S)
