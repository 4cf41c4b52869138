"""Calls of DeePMD-kit's own program, `dp`."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dpchannel.child import die_with_parent
from dpchannel.errors import EngineFailed, EngineMissing


def program() -> str:
    """Path of `dp` in this environment.

    Raises
    ------
    EngineMissing       DeePMD-kit is not installed here
    """
    dp = Path(sys.executable).with_name("dp")
    if not dp.exists():
        raise EngineMissing(f"{dp}: DeePMD-kit is not installed. Run `make setup`.")
    return str(dp)


def environment(threads: int) -> dict[str, str]:
    """What `dp` needs to use that many cores, and to keep quiet."""
    return os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "DP_INTRA_OP_PARALLELISM_THREADS": str(threads),
        "DP_INTER_OP_PARALLELISM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def run(arguments: Sequence[str], folder: Path, *, threads: int, log: str) -> None:
    """Run `dp --tf` to its end in `folder`; its words go to the file `log` there.

    Raises
    ------
    EngineMissing       DeePMD-kit is not installed here
    EngineFailed        it ended with an error
    """
    with open(folder / log, "w") as output:
        done = subprocess.run(
            [program(), "--tf", *arguments],
            cwd=folder,
            env=environment(threads),
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
        )
    if done.returncode != 0:
        raise EngineFailed(f"dp {arguments[0]} ended with {done.returncode}: see {folder / log}.")
