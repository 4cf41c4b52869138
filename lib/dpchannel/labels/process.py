"""Run a program of a DFT code in a folder: with a log, a time limit, and no orphan left behind."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dpchannel import child
from dpchannel.errors import EngineFailed, EngineMissing

_LAST_STEP_S = 60.0  # a step of self-consistency, at most


def must_exist(command: Sequence[str], remedy: str) -> None:
    """Refuse a program that is not installed, before anything is touched.

    Raises
    ------
    EngineMissing
        No such program.
    """
    if shutil.which(command[0]) is None:
        raise EngineMissing(f"{command[0]}: no such program on PATH. {remedy}")


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
    must_exist(command, remedy)
    if stop_file:
        (folder / stop_file[0]).unlink(missing_ok=True)
    with open(folder / log, "wb") as stream:
        everything = {"OMP_NUM_THREADS": "1"} | dict(os.environ) | dict(environment or {})
        process = child.start(command, folder, stream, everything)
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
            child.stop(process)
