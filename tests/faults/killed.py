"""A run of molecular dynamics in a process of its own, ended on its way."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from dpchannel.md.segments import last_sample

PATIENCE_S = 120


def start_and_kill(script: Path, folder: Path, at_step: int, how: int = signal.SIGKILL) -> int:
    """Run `script folder`, send `how` once `folder/md` has a sample of `at_step`; its exit status.

    The signal goes to the process alone: the programs that it started have to follow.
    """
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen([sys.executable, script, folder], start_new_session=True)
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        seen = [last_sample(path) for path in (folder / "md").glob("samples.*.txt")]
        if any(sample and sample["step"] >= at_step for sample in seen):
            break
        time.sleep(0.005)
    assert process.poll() is None, "the run ended before it could be killed"
    process.send_signal(how)
    return process.wait(30)
