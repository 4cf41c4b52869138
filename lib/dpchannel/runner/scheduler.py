"""SLURM's own programs, asked politely: a controller that is busy or restarting is asked again."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dpchannel.errors import EngineFailed, EngineMissing, InputError

# what SLURM's programs say when the controller is away, busy, starting, or handing over
_TRANSIENT = re.compile(
    r"unable to contact|socket timed out|connection (refused|reset|timed out)|connect failure"
    r"|zero bytes were transmitted|temporarily (unable|unavailable)|standby mode"
    r"|unexpected message received|resource temporarily|insane message|not responding",
    re.IGNORECASE,
)
# every other state waits, runs or is held, and its result may still come
_OVER = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"),
    *("OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"),
}
_FORMAT = "%F|%K|%A|%j|%T|%N|%r"
_ONE_CALL_S = 60.0
_PAUSES_S = (0.5, 1, 2, 4, 8)  # then every 15 s
_REFUSALS = {  # the first that is said counts
    "submit limit": "array_limit or chunk, or wait until fewer jobs are in the queue,",
    "accounting/qos": "array_limit, chunk or options, or ask what this account may hold,",
    "dependency": "nothing: call make again, the job to wait for is gone. If not, look",
    "account/partition": "account or partition",
    "account": "account",
    "partition": "partition",
    "node configuration": "ranks, threads, gpus or memory_GB, so that one node has them,",
    "more processors": "ranks or threads, so that one node has them,",
    "generic resource": "gpus",
    "memory": "memory_GB",
    "job array": "array_limit",
    "time limit": "time_h",
    "qos": "options",
    "feature": "options",
}
Note = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """One task of an array, as the controller sees it."""

    array: str
    index: int
    number: str  # SLURM_JOB_ID on the node
    name: str
    state: str
    node: str
    reason: str

    @property
    def alive(self) -> bool:
        """Waiting, running, or about to: its result may still come."""
        return self.state not in _OVER

    @property
    def task(self) -> str:
        """Its number and index, as other jobs name it to wait for it."""
        return f"{self.array}_{self.index}"

    def __str__(self) -> str:
        why = self.node or ("" if self.reason == "None" else self.reason)
        return f"{self.task} {self.state}{f' ({why})' if why else ''}"


def queue(names: Iterable[str], *, patience_s: float, note: Note) -> list[Job]:
    """Jobs of these names that the controller knows, finished ones as long as it remembers them.

    Raises
    ------
    EngineMissing       no squeue here
    EngineFailed        the controller does not answer within the patience
    """
    names = list(names)
    found = []
    for k in range(0, len(names), 200):  # a command line has its limits
        asked = ",".join(names[k : k + 200])
        command = ["squeue", "--noheader", "--array", "--states=all", f"--name={asked}"]
        text = call([*command, f"--format={_FORMAT}"], patience_s=patience_s, note=note)
        found += [_job(line) for line in text.splitlines()]
    return found


def submit(
    name: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    patience_s: float,
    note: Note,
) -> str:
    """Run `sbatch`, which gives the job this unique `name`; returns the job's number.

    An answer that got lost on its way does not submit twice: the queue is asked for the name first.

    Raises
    ------
    InputError          SLURM refuses; the message says which key of slurm/profiles.toml to look at
    EngineFailed        the controller does not answer within the patience
    """

    def landed() -> str | None:
        jobs = queue([name], patience_s=patience_s, note=note)
        return jobs[0].array if jobs else None

    text = call(command, patience_s=patience_s, note=note, environment=environment, already=landed)
    return text.strip().splitlines()[-1].partition(";")[0]


def call(
    command: Sequence[str],
    *,
    patience_s: float,
    note: Note,
    environment: Mapping[str, str] | None = None,
    already: Callable[[], str | None] = lambda: None,
) -> str:
    """What one of SLURM's programs prints; asked again while the controller is away.

    `already` is called before another attempt: text there ends the call with it.
    """
    require(command[0])
    deadline, attempt = time.monotonic() + patience_s, 0
    while True:
        code, out, said = _once(command, environment)
        if code == 0:
            return out
        if not _TRANSIENT.search(said):
            raise _refused(command, said)
        pause = _PAUSES_S[attempt] if attempt < len(_PAUSES_S) else 15.0
        if time.monotonic() + pause > deadline:
            raise EngineFailed(
                f"{command[0]}: the controller does not answer ({said}). What was submitted before "
                "is safe; call make again later."
            )
        if attempt == 0:
            note(f"{command[0]}: {said}; asking again")
        time.sleep(pause)
        attempt += 1
        if (text := already()) is not None:
            return text


def require(program: str) -> None:
    """EngineMissing when there is no such program here."""
    if shutil.which(program) is None:
        raise EngineMissing(
            f"{program}: no such program on PATH. Work on the cluster's login node, or leave "
            "RUNNER=slurm out."
        )


def _once(command: Sequence[str], environment: Mapping[str, str] | None) -> tuple[int, str, str]:
    try:
        done = subprocess.run(
            list(command),
            env=None if environment is None else dict(environment),
            capture_output=True,
            text=True,
            timeout=_ONE_CALL_S,
        )
    except subprocess.TimeoutExpired:
        return 1, "", f"socket timed out: no answer within {_ONE_CALL_S:g} s"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return done.returncode, done.stdout, " ".join(lines)[-300:]


def _refused(command: Sequence[str], said: str) -> InputError:
    keys = [key for word, key in _REFUSALS.items() if word in said.lower()]
    remedy = f"Change {keys[0]}" if keys else "Look at this site's keys"
    return InputError(
        f"{command[0]} refuses: {said.replace('sbatch: error: ', '')}. {remedy} in "
        "slurm/profiles.toml, or choose another SITE."
        + (" That array was not submitted." if command[0] == "sbatch" else "")
    )


def _job(line: str) -> Job:
    array, index, number, name, state, node, reason = line.split("|", 6)
    return Job(array, int(index) if index.isdigit() else 0, number, name, state, node, reason)


def clean_environment(words: Iterable[str]) -> dict[str, str]:
    """The environment of a job: without what this make told its children, and these variables."""
    dropped = {
        "MAKEFLAGS",
        "MFLAGS",
        "MAKELEVEL",
        "MAKEOVERRIDES",
        "FORCE",
        "YES",
        "RUNNER",
        *words,
    }
    return {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and (name == "SLURM_CONF" or not name.startswith("SLURM_"))
    }
