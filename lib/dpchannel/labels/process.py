"""Run a program of a DFT code in a folder: with a log, a time limit, and no orphan left behind."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dpchannel.child import die_with_parent
from dpchannel.errors import EngineFailed, EngineMissing

_PATIENCE_S = 10.0
_LAST_STEP_S = 60.0  # a step of self-consistency, at most


def run_program(
    command: Sequence[str],
    folder: Path,
    *,
    log: str,
    time_limit_min: float,
    remedy: str,
    environment: Mapping[str, str] | None = None,
    stop_file: tuple[str, str] | None = None,
) -> int:
    """Run to the end in `folder`; what it prints goes to `log` there. Returns the exit code.

    Without OMP_NUM_THREADS in the environment it gets one thread: more threads than free cores
    wait for each other.

    Parameters
    ----------
    remedy : str
        What to do when the program is not installed.
    stop_file : (name, text), optional
        A file in `folder` at which the program stops in order; written on Ctrl-C, before it is
        killed.

    Raises
    ------
    EngineMissing
        No such program.
    EngineFailed
        The time limit was reached; the program has been stopped.
    """
    if shutil.which(command[0]) is None:
        raise EngineMissing(f"{command[0]}: no such program on PATH. {remedy}")
    if stop_file:
        (folder / stop_file[0]).unlink(missing_ok=True)
    with open(folder / log, "wb") as stream:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env={"OMP_NUM_THREADS": "1"} | dict(os.environ) | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        try:
            return process.wait(60 * time_limit_min)
        except subprocess.TimeoutExpired:
            raise EngineFailed(
                f"{folder / log}: {command[0]} stopped after the {time_limit_min:g} minutes that "
                "time_limit_min allows. Raise it, or drop the frame."
            ) from None
        except KeyboardInterrupt:
            if stop_file:
                (folder / stop_file[0]).write_text(stop_file[1])
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LAST_STEP_S)
            raise
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    for how in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, how)
        try:
            process.wait(_PATIENCE_S)
            return
        except subprocess.TimeoutExpired:
            continue
