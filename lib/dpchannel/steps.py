"""States of a step that a person can see: `x.in_progress` while x is made, then x, or `x.failed`.

The two state files are the log of the step too: its command, then what it wrote to stderr.
Standard library only, and quick: Make goes through here for every file.
"""

import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dpchannel import child
from dpchannel.errors import DpchannelError

REFUSED = (2, 4)  # exit codes of a command that stopped before it did anything

_HEADER = re.compile(r"# process (\d+)(?: of job (\d+))? on (\S+), (.*)")
_TERMINAL_CODE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_REDRAWN = re.compile(rb"[^\n]*\r(?!\n)")  # a progress line that a later one replaced


@dataclass(frozen=True)
class State:
    """One file that is being made, was left unfinished, or could not be made."""

    target: Path
    name: str  # "running", "interrupted" or "failed"
    since: str
    log: Path
    last_line: str


def run(target: Path, command: list[str], *, record: Path | None = None) -> int:
    """Run `command`, which makes `target`; return its exit code.

    `record` is a file whose content at the start is kept beside a finished target as
    `.<stem>.made_from.json`: what it was made from.

    Raises
    ------
    DpchannelError          another living process is making the same target
    OSError                 no file can be written there
    """
    running, failed = _beside(target, "in_progress"), _beside(target, "failed")
    _refuse_twice(target)
    made_from = None if record is None else record.read_text()
    new_folders = [path for path in target.parents if not path.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    failed.unlink(missing_ok=True)
    for left in target.parent.glob(f".{target.stem}.{'?' * 8}.*"):
        left.unlink()  # of a killed writer: see results.replacing
    with open(running, "wb") as log:
        job = f" of job {os.environ['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in os.environ else ""
        header = f"# process {os.getpid()}{job} on {socket.gethostname()}, {_now()}"
        log.write(f"{header}\n# {' '.join(command)}\n".encode())
        log.flush()
        code = _logged(command, log)
        if code == 0 and not target.exists():
            log.write(b"error: the command ended well but left no file\n")
            code = 5
    if code == 0:
        running.unlink(missing_ok=True)  # a script may have cleared its own mark
        if made_from is not None:
            (target.parent / f".{target.stem}.made_from.json").write_text(made_from)
    elif code in REFUSED and new_folders and list(target.parent.iterdir()) == [running]:
        running.unlink()  # nothing was begun: leave nothing
        for folder in new_folders:
            folder.rmdir()
    elif code != 130 and running.exists():  # an interrupted step stays visible as interrupted
        running.replace(failed)
    return code


def set_aside(target: Path) -> Path | None:
    """Move the folder of a finished target to `<folder>.old-<time>`; nothing is ever deleted."""
    if not target.exists():
        return None
    old = target.parent.with_name(f"{target.parent.name}.old-{time.strftime('%Y%m%d-%H%M%S')}")
    target.parent.replace(old)
    return old


def put_back(old: Path, target: Path) -> bool:
    """Undo `set_aside` when the new run was refused before it left any file but its log."""
    for failed in target.parent.glob("*.failed"):
        failed.replace(old / failed.name)
    left = [path for path in target.parent.rglob("*") if path.is_file()]
    if left:
        return False
    shutil.rmtree(target.parent, ignore_errors=True)
    old.replace(target.parent)
    return True


def states(runs: Path) -> Iterator[State]:
    """Every unfinished or failed step below `runs`, by path."""
    for log in sorted([*runs.rglob("*.in_progress"), *runs.rglob("*.failed")]):
        lines = log.read_text(errors="replace").splitlines() or [""]
        header = _HEADER.fullmatch(lines[0])
        name = "failed" if log.suffix == ".failed" else "running"
        if name == "running" and header and not _alive(log):
            name = "interrupted"
        last = next((line for line in reversed(lines) if line.strip()), "")
        yield State(log.with_suffix(""), name, header[4] if header else "?", log, last[:200])


def forget_jobs(folders: Iterable[Path], alive: Container[str]) -> None:
    """Remove the marks that jobs of a cluster left in these folders, but for jobs in `alive`.

    A job that lost its node cannot do so itself.
    """
    for mark in [mark for folder in folders for mark in folder.glob("*.in_progress")]:
        header = _HEADER.match(mark.read_text(errors="replace"))
        if header and header[2] and header[2] not in alive:
            mark.unlink(missing_ok=True)


def _beside(target: Path, state: str) -> Path:
    return target.with_name(f"{target.name}.{state}")


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _refuse_twice(target: Path) -> None:
    running = _beside(target, "in_progress")
    if _alive(running):
        raise DpchannelError(
            f"{target}: being made at this moment ({running.read_text().splitlines()[0][2:]}). "
            f"Wait for it, or stop it; remove {running} if that process is something else."
        )


def _alive(running: Path) -> bool:
    """True when the process named in the file lives, or cannot be asked from this host."""
    if not running.exists():
        return False
    header = _HEADER.match(running.read_text(errors="replace"))
    if header is None:
        return False
    if header[2] and header[2] == os.environ.get("SLURM_JOB_ID"):
        return False  # this job in an earlier life: queued again after a time limit or a lost node
    if header[3] != socket.gethostname():
        return True
    try:
        os.kill(int(header[1]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _logged(command: list[str], log: BinaryIO) -> int:
    """Run with stderr shown and logged; on a terminal the command still sees a terminal."""
    if not os.isatty(2):
        reader, writer = os.pipe()
    else:
        reader, writer = pty.openpty()
    # Ctrl-C goes to the whole group: the command ends in its own way, and we wait for it.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            command, stderr=writer, preexec_fn=lambda: _in_the_command(before)
        )
        os.close(writer)
        _tee(reader, log)
        code = process.wait()
    except OSError as error:
        log.write(f"error: {error}\n".encode())
        print(f"error: {error}", file=sys.stderr)
        return 4
    finally:
        os.close(reader)
        signal.signal(signal.SIGINT, before)
    if code < 0 and code != -signal.SIGINT:
        guess = " (out of memory?)" if code == -signal.SIGKILL else ""
        said = f"error: killed by signal {-code}{guess}"
        log.write(f"{said}\n".encode())
        print(said, file=sys.stderr)
    return 130 if code == -signal.SIGINT else 128 - code if code < 0 else code


def _in_the_command(on_interrupt: Any) -> None:
    """Ctrl-C as before; and the command ends when make ends this process (`kill` on make)."""
    signal.signal(signal.SIGINT, on_interrupt)
    child.die_with_parent()


def _tee(reader: int, log: BinaryIO) -> None:
    """Copy everything to our stderr, and to the log without the redrawn lines of progress bars."""
    rest = b""
    while chunk := _read(reader):
        os.write(2, chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            log.write(_plain(line + b"\n"))
        rest = rest.rpartition(b"\r")[2] if not rest.endswith(b"\r") else rest
        log.flush()
    log.write(_plain(rest))


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 65536)
    except OSError:  # the end of a terminal without a writer
        return b""


def _plain(line: bytes) -> bytes:
    return _TERMINAL_CODE.sub(b"", _REDRAWN.sub(b"", line.replace(b"\r\n", b"\n")))
