"""Worker processes end with the process that started them, however that ends."""

import os
import signal
import subprocess
import sys
import time

PROGRAM = """
import sys
from ase.calculators.emt import EMT
from ase.build import molecule
from dpchannel.benchmark.workers import workers

if __name__ == "__main__":
    with workers(EMT, 2) as team:
        team.evaluate([molecule("CO") for _ in range(4)])
        print(*team.pool._processes, flush=True)
        sys.stdin.read()
"""


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_no_worker_outlives_a_kill(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2 and all(alive(pid) for pid in pids)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        deadline = time.monotonic() + 60
        while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)
