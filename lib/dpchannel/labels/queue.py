"""Labels a queue of frames, one at a time, so that a killed run loses one label at most."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from dpchannel.errors import EngineFailed, InputError
from dpchannel.labels.labeler import Labeler, frame_id

if TYPE_CHECKING:
    from ase import Atoms

Note = Callable[[str], None]


@dataclass
class Tally:
    """What became of a queue."""

    labelled: int = 0
    skipped: int = 0
    failed: int = 0


def label_queue(
    frames: Iterable[Atoms], out: Path, labeler: Labeler, work: Path, *, keep: bool, note: Note
) -> Tally:
    """Append a label to `out` for every frame of the queue that has none there.

    Parameters
    ----------
    frames : Atoms
        Candidates; `info` (class, seed, trajectory, ...) travels with the label.
    out : Path
        Labelled extxyz. A frame cut short by a kill at its end is removed first.
    work : Path
        One folder per frame, named by its `frame_id`; a finished one is read, not run again.
    keep : bool
        Keep the folders of frames whose label is in `out`.

    Raises
    ------
    EngineMissing
        At the first frame. A frame on which the engine fails is counted, its folder kept.
    """
    from ase.io import write

    tally = Tally()
    done = labelled_ids(out)
    for number, atoms in enumerate(frames):
        name = frame_id(atoms)
        if name in done:
            tally.skipped += 1
            continue
        try:
            labelled = _one(atoms, work / name, labeler)
        except EngineFailed as error:
            tally.failed += 1
            note(f"frame {number}: {error}")
            continue
        labelled.info["frame_id"] = name
        write(out, labelled, format="extxyz", append=True)
        done.add(name)
        tally.labelled += 1
        if not keep:
            shutil.rmtree(work / name)
        note(f"frame {number} ({atoms.info.get('class', 'unknown')}) labelled as {name}")
    return tally


def labelled_ids(out: Path, *, mend: bool = True) -> set[str]:
    """Names of the whole frames in `out`; an unfinished one at its end is cut off.

    With `mend` False it stays: another process may be writing it.
    """
    from ase.io import iread

    if not out.exists():
        return set()
    if mend:
        repair(out)
    with open(out, "rb") as stream:
        whole = stream.read(_whole_bytes(out)).decode()
    frames = iread(StringIO(whole), index=":", format="extxyz") if whole else []
    return {str(a.info.get("frame_id") or frame_id(a)) for a in frames}


def repair(path: Path) -> int:
    """Cut an extxyz file after its last whole frame; returns the bytes removed."""
    whole = _whole_bytes(path)
    surplus = path.stat().st_size - whole
    if surplus:
        os.truncate(path, whole)
    return surplus


def _whole_bytes(path: Path) -> int:
    """Where the last whole frame ends."""
    whole = 0
    with open(path, "rb") as stream:
        while head := stream.readline():
            try:
                lines = int(head) + 1
            except ValueError:
                if not head.endswith(b"\n"):
                    break
                raise InputError(f"{path}: byte {whole}: expected a number of atoms.") from None
            last = b""
            for _ in range(lines):
                last = stream.readline()
            if not last.endswith(b"\n"):
                break
            whole = stream.tell()
    return whole


def _one(atoms: Atoms, folder: Path, labeler: Labeler) -> Atoms:
    if folder.exists():
        try:
            return labeler.read(folder)
        except EngineFailed:
            pass  # a kill came before its label: run it again
    labeler.write_inputs(atoms, folder)
    labeler.run(folder)
    return labeler.read(folder)
