"""Cores are granted once: MPI ranks for one job, and tokens that jobs of one machine share.

`make -j2` starts two runs at a time; each then takes half of the cores, and none starts before its
cores are free. A token is a file lock, so it dies with the process that holds it.
"""

import fcntl
import os
import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dpchannel.errors import InputError

_JOBS = re.compile(r"(?:^|\s)-j\s*(\d*)(?=\s|$)")


def available_cores(asked: int | None = None) -> int:
    """Cores to use: `asked`, else the variable CORES, else what the system grants this process.

    Raises
    ------
    InputError      CORES is not a positive whole number, or more than there are
    """
    granted = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = str(asked) if asked is not None else os.environ.get("CORES", "").strip()
    if not text:
        return granted or 1
    if not text.isdigit() or int(text) < 1:
        raise InputError(f"CORES={text!r}: not a number of cores. Write for example CORES=2.")
    if granted is not None and int(text) > granted:
        raise InputError(f"CORES={text}: this machine grants {granted}. Write CORES={granted}.")
    return int(text)


def make_jobs(makeflags: str | None, cores: int) -> int:
    """Jobs that make runs at a time, from MAKEFLAGS; a bare -j may fill all `cores`."""
    flags = (makeflags or "").split(" -- ")[0]  # after it: variables, free text
    found = _JOBS.search(flags)
    if found is None:
        return 1
    return max(1, int(found[1])) if found[1] else cores


def ranks_per_job(cores: int, jobs: int) -> int:
    """MPI ranks of one job: its share of the cores, at least one."""
    return max(1, cores // jobs)


@contextmanager
def held(
    n: int,
    *,
    cores: int,
    folder: Path,
    note: Callable[[str], None] = lambda _: None,
    poll_s: float = 0.5,
) -> Iterator[None]:
    """Hold `n` of the tokens 0 ... cores - 1 in `folder`; wait until so many are free.

    All or none are taken, behind one gate, so two waiting jobs cannot block each other.
    """
    home = _home(folder)
    home.mkdir(parents=True, exist_ok=True)
    told = False
    with ExitStack() as tokens:
        while not _take(min(n, cores), cores, home, tokens):
            if not told:
                note(f"waiting for {n} of {cores} cores: other runs hold them")
                told = True
            time.sleep(poll_s)
        yield


def _home(folder: Path) -> Path:
    """Tokens of this machine, for machines may share the folder; a job of SLURM has its own."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return folder / socket.gethostname()
    return Path(tempfile.gettempdir()) / f"dpchannel-{job}"  # slurm/job.sh removes it


def _take(n: int, cores: int, home: Path, tokens: ExitStack) -> bool:
    """Lock `n` tokens and hand them to `tokens`; with fewer free lock none."""
    with open(home / "gate", "a") as gate, ExitStack() as taken:
        fcntl.flock(gate, fcntl.LOCK_EX)
        found = 0
        for k in range(cores):
            with ExitStack() as trial:
                token = trial.enter_context(open(home / f"core{k}", "a"))
                try:
                    fcntl.flock(token, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                taken.push(trial.pop_all())
            found += 1
            if found == n:
                tokens.push(taken.pop_all())
                return True
    return False
