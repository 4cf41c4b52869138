"""One process at a time in a folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpchannel.errors import InputError


@contextmanager
def locked(folder: Path, refusal: str) -> Iterator[int]:
    """Hold the lock of a folder; it dies with the process, and with those that inherit it.

    Parameters
    ----------
    refusal : str           what another process does here, and what to do about it

    Yields
    ------
    int                     the lock's file descriptor, for programs that must hold it, too

    Raises
    ------
    InputError              another process holds it
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: {refusal}") from None
        yield lock.fileno()
