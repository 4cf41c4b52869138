"""Many programs, some at a time; all of them end when this one does."""

import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dpchannel import child

_POLL_S = 0.1
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """A command, the folder to run it in, and the file for what it prints."""

    command: Sequence[str]
    folder: Path
    output: Path
    environment: Mapping[str, str]


def run(
    tasks: Sequence[T], begin: Callable[[T], Job], end: Callable[[T, int], None], *, slots: int
) -> None:
    """Run `begin(task)` for every task, `slots` at a time; `end(task, exit code)` after each.

    When `begin` or `end` raises, or this process is interrupted, the others are stopped.
    """
    waiting, running = deque(tasks), dict[int, tuple[T, subprocess.Popen[bytes]]]()
    try:
        while waiting or running:
            while waiting and len(running) < slots:
                task = waiting.popleft()
                process = _start(begin(task))
                running[process.pid] = (task, process)
            time.sleep(_POLL_S)
            for pid, (task, process) in list(running.items()):
                if process.poll() is not None:
                    del running[pid]
                    end(task, process.returncode)
    finally:
        for _, process in running.values():
            child.stop(process)


def _start(job: Job) -> subprocess.Popen[bytes]:
    with open(job.output, "wb") as stream:
        return child.start(job.command, job.folder, stream, job.environment)
