"""Labels that jobs of a cluster have made, each in a folder of its own, join the campaign.

`<work>/<frame_id>/label.extxyz` is a label; `label.extxyz.failed` beside it says why there is none.
A job that was killed leaves neither: its frame is still to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpchannel.errors import EngineFailed
from dpchannel.labels.campaign import Standing, forget_failures, go_on, held, read_failures
from dpchannel.labels.dataset import read_labelled
from dpchannel.labels.gated import Gated
from dpchannel.labels.labeler import frame_id
from dpchannel.labels.queue import Note, labelled_ids

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import GateSettings
    from dpchannel.settings.campaign import PatienceSettings

LABEL = "label.extxyz"
_REFUSED = "frame 0: "  # what bin/label.py says before the engine's or the reader's reason


class MadeElsewhere:
    """A labeler that only reads what jobs have left in `work`."""

    name = title = "the jobs"

    def __init__(self, work: Path) -> None:
        self.work = work

    def made_with(self, atoms: Atoms) -> dict[str, Any]:
        """What the label of this frame says; nothing when the job made none."""
        path = self.work / frame_id(atoms) / LABEL
        return dict(next(iter(read_labelled(path))).info) if path.exists() else {}

    def write_inputs(self, atoms: Atoms, folder: Path) -> None:
        """Nothing to write: the job has run."""

    def run(self, folder: Path) -> None:
        """Nothing to run; a refused frame stays refused."""

    def read(self, folder: Path) -> Atoms:
        """The label of the job; EngineFailed with its reason when the frame was refused."""
        if (reason := refusal(folder)) is not None:
            raise EngineFailed(reason)
        return next(iter(read_labelled(folder / LABEL)))


def refusal(folder: Path) -> str | None:
    """Why the job in `folder` gave no label; None when it gave one, or was not told apart."""
    log = folder / f"{LABEL}.failed"
    if (folder / LABEL).exists() or not log.exists():
        return None
    lines = log.read_text(errors="replace").splitlines()
    said = [line.removeprefix(_REFUSED) for line in lines if line.startswith(_REFUSED)]
    return said[-1] if said else None


def collect(
    queue: Sequence[Atoms],
    out: Path,
    work: Path,
    *,
    gate: GateSettings,
    elements: Sequence[str],
    patience: PatienceSettings,
    retry: bool = False,
    note: Note,
) -> Standing:
    """Move every label that is there to `out`, and every refusal to failed.tsv beside it.

    Parameters
    ----------
    retry : bool        forget the refusals that were listed before, and those that jobs left

    Raises
    ------
    InputError          another process works on the same labels, or they were made otherwise
    NotConverged        more frames than the settings allow have failed
    """

    def ready(atoms: Atoms) -> bool:
        folder = work / frame_id(atoms)
        return (folder / LABEL).exists() or refusal(folder) is not None

    engine, forever = Gated(MadeElsewhere(work), gate, elements), float("inf")
    with held(work):
        if retry:
            _forget_refusals(queue, out, work)
            note(f"{forget_failures(out)} failed frames will be tried again")
        there = [atoms for atoms in queue if ready(atoms)]
        go_on(there, out, engine, work, budget_s=forever, patience=patience, note=note)
    left = to_do(queue, out)
    failed = set(read_failures(out.with_name("failed.tsv")))
    names = {frame_id(atoms) for atoms in queue}
    return Standing(len(names), len(names) - len(left) - len(names & failed), len(names & failed))


def to_do(queue: Sequence[Atoms], out: Path) -> list[str]:
    """Names of the frames that have neither a label nor a refusal, in the queue's order."""
    known = labelled_ids(out, mend=False) | set(read_failures(out.with_name("failed.tsv")))
    return [name for name in dict.fromkeys(map(frame_id, queue)) if name not in known]


def _forget_refusals(queue: Sequence[Atoms], out: Path, work: Path) -> None:
    """Let frames that a job, or the gate, refused be tried again."""
    for atoms in queue:
        (work / frame_id(atoms) / f"{LABEL}.failed").unlink(missing_ok=True)
    for name in read_failures(out.with_name("failed.tsv")):
        (work / name / LABEL).unlink(missing_ok=True)
