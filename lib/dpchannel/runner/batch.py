"""What was submitted, as files: runs/slurm/<name>/ is one array of jobs, `name` its name in SLURM.

    tasks.tsv       one line a task of the array: the files it makes
    words           words of make, one a line
    site.sh         what the node does first
    batch.json      template, number and when; `ended` once no job of it is left
    taken           number of the array that works on it, by its first job

Everything but the number is written before `sbatch` runs, so an answer that got lost is found again
by the name.
"""

import json
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dpchannel.errors import InputError
from dpchannel.lock import locked

_RECORD, TASKS, WORDS, SITE = "batch.json", "tasks.tsv", "words", "site.sh"
TAKEN = "taken"
LOGS = Path("slurm/log")  # the one folder of logs


@dataclass(frozen=True)
class Batch:
    """One array; `last` is the end of each task that failed, by index, once all have ended."""

    name: str
    goal: str
    template: str
    number: str | None
    submitted: str
    ended: bool
    last: dict[str, str]
    tasks: tuple[tuple[str, ...], ...]


def prepare(
    home: Path,
    goal: str,
    template: str,
    tasks: Sequence[Sequence[str]],
    *,
    words: Sequence[str],
    site: str,
) -> Batch:
    """Write the folder of a new array below `home`; it is not submitted yet."""
    name = f"{goal}-{template}-{secrets.token_hex(4)}"
    made = tuple(tuple(files) for files in tasks)
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    batch = Batch(name, goal, template, None, when, False, {}, made)
    folder = home / name
    folder.mkdir(parents=True)
    (folder / TASKS).write_text("".join("\t".join(files) + "\n" for files in made))
    (folder / WORDS).write_text("".join(f"{word}\n" for word in words))
    (folder / SITE).write_text(site)
    save(home, batch)
    return batch


def log_of(name: str, number: str | None, index: int) -> Path:
    """Where a task of an array writes what it says."""
    return LOGS / f"{name}-{number}_{index}.out"


def save(home: Path, batch: Batch) -> None:
    """Write the record, in one step."""
    content = asdict(batch)
    del content["tasks"]
    path = home / batch.name / _RECORD
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(content, indent=1) + "\n")
    aside.replace(path)


def submitted(home: Path, batch: Batch, number: str) -> Batch:
    """Record the number that SLURM gave."""
    batch = replace(batch, number=number)
    save(home, batch)
    return batch


def withdraw(home: Path, batch: Batch) -> None:
    """Forget an array that SLURM refused."""
    shutil.rmtree(home / batch.name)


def ended(home: Path, batch: Batch, last: Mapping[str, str]) -> None:
    """Record that no job of it is left, and how each task that failed came to its end.

    An array without a number that lands later finds its folder taken.
    """
    if batch.number is None:
        with suppress(FileExistsError), open(home / batch.name / TAKEN, "x") as file:
            file.write("nobody\n")
    save(home, replace(batch, ended=True, last=dict(last)))


def batches(home: Path) -> list[Batch]:
    """Every array that was submitted from here, oldest first.

    Raises
    ------
    InputError      a record is damaged
    """
    found = []
    for path in home.glob(f"*/{_RECORD}"):
        try:
            content = json.loads(path.read_text())
            lines = (path.parent / TASKS).read_text().splitlines()
            found.append(Batch(**content, tasks=tuple(tuple(line.split("\t")) for line in lines)))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"{path}: damaged ({error}). Look at squeue: when no job {path.parent.name} is "
                f"left there, remove {path.parent}."
            ) from None
    return sorted(found, key=lambda batch: batch.submitted)


def alone(home: Path) -> AbstractContextManager[int]:
    """Hold the lock of all submissions from here; InputError when another process has it."""
    return locked(home, "another make submits from here now. Wait for it.")
