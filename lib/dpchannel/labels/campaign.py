"""A stream of expensive labels: resumable, within a budget of time, stopping when too much fails.

Everything is a file: `labelled.extxyz` grows by one frame at a time, `failed.tsv` lists what the
engine or the reader refused, with the reason and the log. A kill loses the frame in work alone.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dpchannel.errors import EngineFailed, InputError, NotConverged
from dpchannel.labels.dataset import read_labelled
from dpchannel.labels.labeler import Labeler, frame_id
from dpchannel.labels.made import must_match
from dpchannel.labels.queue import Note, label_queue, labelled_ids
from dpchannel.lock import locked
from dpchannel.results import relative, replacing

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings.campaign import PatienceSettings

COLUMNS = ("frame_id", "split", "class", "trajectory", "folder", "reason")


@dataclass(frozen=True)
class Standing:
    """Where a campaign stands: frames of the queue, how many have a label, how many failed."""

    total: int
    labelled: int
    failed: int

    @property
    def left(self) -> int:
        """Frames that are neither labelled nor refused."""
        return self.total - self.labelled - self.failed


def work_on(
    queue: Sequence[Atoms],
    out: Path,
    labeler: Labeler,
    work: Path,
    *,
    budget_s: float,
    patience: PatienceSettings,
    retry: bool = False,
    note: Note,
) -> Standing:
    """Label the next frames of `queue` until the budget is too short for one more.

    Parameters
    ----------
    out : Path
        Labelled extxyz; `failed.tsv` lies beside it.
    work : Path
        One folder a frame; that of a failed frame stays, with its log.
    budget_s : float
        No frame is begun when the longest so far would not end within it.
    retry : bool
        Try failed frames again.

    Raises
    ------
    InputError
        Another process works on the same labels, or those that are there were made otherwise.
    NotConverged
        More frames than the settings allow have failed, now or before.
    EngineMissing
        At the first frame.
    EngineFailed
        A label cannot be written, such as when the disk is full.
    """
    with held(work):
        if retry:
            note(f"{forget_failures(out)} failed frames will be tried again")
        return go_on(queue, out, labeler, work, budget_s=budget_s, patience=patience, note=note)


def held(work: Path) -> AbstractContextManager[int]:
    """The lock of a campaign: labels and failures change only under it."""
    return locked(work, "another process labels these frames now. Wait for it, or stop it.")


def go_on(
    queue: Sequence[Atoms],
    out: Path,
    labeler: Labeler,
    work: Path,
    *,
    budget_s: float,
    patience: PatienceSettings,
    note: Note,
) -> Standing:
    """As `work_on`, for one who holds the lock."""
    started, longest = time.monotonic(), 0.0
    failures = out.with_name("failed.tsv")
    done, failed = labelled_ids(out), read_failures(failures)
    _not_too_many(done, failed, patience, failures)
    left = {n: a for a in queue if (n := frame_id(a)) not in done and n not in failed}
    if left:
        must_match([out], labeler, left.values())
    for name, atoms in left.items():
        begun = time.monotonic()
        if begun - started + longest > budget_s:
            note("budget used; the same command goes on")
            break
        reason = _label(atoms, out, labeler, work, note)
        if reason is None:
            done.add(name)
        else:
            failed[name] = _row(atoms, name, work, reason)
            _write_failures(failures, failed)
        longest = max(longest, time.monotonic() - begun)
        _not_too_many(done, failed, patience, failures)
    names = {frame_id(atoms) for atoms in queue}
    return Standing(len(names), len(names & done), len(names & set(failed) - done))


def read_queue(path: Path) -> list[Atoms]:
    """Frames to label; InputError when there is no such file or it is damaged or empty."""
    frames = list(read_labelled(path))
    if not frames:
        raise InputError(f"{path}: no frame in it. Make it with bin/choose.py.")
    return frames


def forget_failures(out: Path) -> int:
    """Let every failed frame be tried again, under the lock; returns how many there are."""
    failures = out.with_name("failed.tsv")
    count = len(read_failures(failures))
    failures.unlink(missing_ok=True)
    return count


def read_failures(path: Path) -> dict[str, dict[str, str]]:
    """Lines of failed.tsv by frame."""
    if not path.exists():
        return {}
    with open(path, newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    if any("frame_id" not in row for row in rows):
        raise InputError(f"{path}: damaged. Remove it: its frames are then tried again.")
    return {row["frame_id"]: row for row in rows}


def _label(atoms: Atoms, out: Path, labeler: Labeler, work: Path, note: Note) -> str | None:
    """Label one frame; why it failed, or None."""
    said: list[str] = []
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        tally = label_queue([atoms], out, labeler, work, keep=False, note=said.append)
    except OSError as error:
        raise EngineFailed(
            f"{out}: a label cannot be written ({error.strerror or error}). Make room; the same "
            "command goes on."
        ) from error
    text = said[-1].removeprefix("frame 0: ").removeprefix("frame 0 ")
    kind = f"{atoms.info.get('split', '')} {atoms.info.get('class', 'unknown')}".strip()
    note(f"{kind}: {text}")
    return text if tally.failed else None


def _row(atoms: Atoms, name: str, work: Path, reason: str) -> dict[str, str]:
    return {
        "frame_id": name,
        "split": str(atoms.info.get("split", "")),
        "class": str(atoms.info.get("class", "unknown")),
        "trajectory": str(atoms.info.get("trajectory", "")),
        "folder": relative(work / name),
        "reason": " ".join(reason.split()),
    }


def _write_failures(path: Path, failed: dict[str, dict[str, str]]) -> None:
    with replacing(path) as aside, open(aside, "w", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(failed.values())


def _not_too_many(
    done: set[str], failed: dict[str, dict[str, str]], patience: PatienceSettings, path: Path
) -> None:
    count, tried = len(failed), len(done) + len(failed)
    if count >= patience.failed_at_least and count > patience.failed_share * tried:
        raise NotConverged(
            f"{path}: {count} of {tried} frames failed, more than {patience.failed_share:.0%}. "
            "Look at the reasons there and test the engine's settings on one frame; "
            "RETRY=1 tries all of them again."
        )
