"""Work in a process of its own: its answer, its error, and its end."""

import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dpchannel.errors import InputError
from dpchannel.learn.apart import apart, together
from dpchannel.settings import load
from dpchannel.settings.learn import LearnSettings


def test_work_apart_gives_its_answer_or_its_error():
    assert together([(math.sqrt, (4.0,)), (math.sqrt, (9.0,))], slots=2) == [2.0, 3.0]
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        apart(load, LearnSettings, Path("none.toml"))


PROGRAM = """
import subprocess, sys
from dpchannel.learn.apart import apart

def work():
    child = subprocess.Popen(["sleep", "600"])
    try:
        print(child.pid, flush=True)  # from here on the test may kill
        child.wait()
    finally:
        child.terminate()

if __name__ == "__main__":
    apart(work)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_work_apart_has_started_ends_with_the_loop(tmp_path, how):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(tmp_path / "program.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as loop:
        sleeping = Path("/proc") / loop.stdout.readline().strip()
        assert sleeping.exists()
        loop.send_signal(how)
        loop.wait()
        patience = time.monotonic() + 60
        while sleeping.exists() and time.monotonic() < patience:
            time.sleep(0.05)
    assert not sleeping.exists()
