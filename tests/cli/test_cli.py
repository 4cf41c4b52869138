"""What every script shares: names for files, a full disk, and `make status`."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dpchannel import cli


@pytest.mark.parametrize(
    ("folder", "given", "meant"),
    [
        ("", "pb10po46o", cli.INPUTS / "pb10po46o.toml"),
        ("profiles", "toy", cli.INPUTS / "profiles" / "toy.toml"),
        ("", "mine/other.toml", Path("mine/other.toml")),
    ],
)
def test_a_name_or_a_file(folder, given, meant):
    assert cli.named(folder)(Path(given)) == meant


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_line(root):
    command = [sys.executable, root / "bin" / "structure.py", "pb10po46o"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: stdout: No space left on device.\n"


def test_status_of_every_kind(run_bin, tmp_path):
    folder = tmp_path / "pb10po46o" / "toy" / "diffusion" / "P4GPa"
    for name in (
        "T1K/result.json",
        "T1K/traj.h5",
        "T2K/traj.h5",
        "T3K.old-20260101-000000/traj.h5",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "T3K.old-20260101-000000" / "result.json").touch()
    header = f"# process {os.getpid()} on {socket.gethostname()}, now\n"
    (folder / "T4K").mkdir()
    (folder / "T4K" / "traj.h5.in_progress").write_text(header)
    lines = run_bin("status.py", tmp_path).stdout.splitlines()
    assert [(line.split()[0], line[12:].split()[0]) for line in lines[:2]] == [
        ("finished", f"{folder}/T1K/result.json"),
        ("unfinished", f"{folder}/T2K/traj.h5"),
    ]
    assert lines[2] == f"{'set aside':12}{folder}/T3K.old-20260101-000000"
    assert lines[3].startswith(f"{'running':12}{folder}/T4K/traj.h5  since now")
    assert len(lines) == 4
