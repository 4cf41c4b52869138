"""Measures a pin anew: runs the scripts it names, joined by pipes, and reads the result."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

from dpchannel.errors import EngineFailed, InputError
from dpchannel.results import Result, replacing


def measure(command: str, root: Path, out: Path) -> Result:
    """Run `bin/a.py x | bin/b.py -` in `root`; its output, one result, is kept in `out`.

    Raises
    ------
    InputError              a stage is no script of bin/, or the output is no result
    EngineFailed            a stage failed; the message ends with what it said
    """
    stages = [shlex.split(stage) for stage in command.split("|")]
    for stage in stages:
        if not stage or not (root / stage[0]).is_file() or not stage[0].startswith("bin/"):
            raise InputError(f"command {command!r}: {stage[:1]} is no script of bin/.")
    data = b""
    for stage in stages:
        with TemporaryFile() as said:
            done = subprocess.run(
                [sys.executable, *stage], cwd=root, input=data, stdout=subprocess.PIPE, stderr=said
            )
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-1:]
        if done.returncode:
            raise EngineFailed(f"{' '.join(stage)}: exit code {done.returncode}. {' '.join(last)}")
        data = done.stdout
    try:
        json.loads(data)
    except ValueError:
        raise InputError(f"command {command!r}: printed no result, but {data[:60]!r}.") from None
    with replacing(out) as aside:
        aside.write_bytes(data)
    return Result.read(out)
