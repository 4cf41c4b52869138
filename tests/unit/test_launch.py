"""How a run that did not start, or stopped, is explained."""

import sys

import pytest

from dpchannel.errors import EngineMissing
from dpchannel.md.engine import find_engine
from dpchannel.md.launch import failure, reason_of


def test_without_an_error_the_last_lines_are_quoted(tmp_path):
    log, output = tmp_path / "log.lammps", tmp_path / "output.txt"
    output.write_text("one\ntwo\n=====\nthree\n\nBAD TERMINATION\n")
    assert reason_of(log, output) == "output.txt ends with 'two / three / BAD TERMINATION'"
    output.write_text("ERROR: Unknown pair style\nBAD TERMINATION\n")
    assert reason_of(log, output) == "ERROR: Unknown pair style"
    output.write_text("")
    assert reason_of(log, output) == "output.txt is empty"


def test_a_restart_file_is_promised_only_when_there_is_one(tmp_path):
    said = str(failure(tmp_path / "log.lammps", None, "Killed", "model.pb"))
    assert said.endswith("LAMMPS stopped before the first step: Killed. Start the run again.")


@pytest.mark.parametrize("there", [(), ("lmp",), ("mpirun",)])
def test_only_the_programs_of_this_environment_count(tmp_path, monkeypatch, there):
    """Another MPI, found on PATH, would start as many single runs as there are ranks."""
    for name in there:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    missing = "lmp" if "lmp" not in there else "mpirun"
    with pytest.raises(EngineMissing, match=rf"{tmp_path}/{missing}: not there.*make setup"):
        find_engine(2)
