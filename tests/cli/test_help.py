"""Every script explains itself, at once: no heavy package is loaded for --help."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(__file__).resolve().parents[2] / "bin"
SCRIPTS = sorted(path.name for path in BIN.glob("*.py") if not path.name.startswith("_"))
HEAVY = {
    *("ase", "deepmd", "dpdata", "h5py", "kinisi", "matplotlib", "numpy", "pandas", "phonopy"),
    *("pymatgen", "scipy", "sevenn", "tensorflow", "torch"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_quick_and_says_something(script):
    """Packages that take seconds to load are imported inside functions."""
    command = [sys.executable, "-X", "importtime", str(BIN / script), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-500:]
    assert "usage" in done.stdout.lower()
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not loaded & HEAVY


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_small_and_executable(script):
    """At most 80 lines, each script with its own interpreter line."""
    path = BIN / script
    assert os.access(path, os.X_OK)
    lines = path.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env python3"
    assert len(lines) <= 80


@pytest.mark.parametrize("script", SCRIPTS)
def test_unknown_option_is_bad_input(script, run_bin):
    """Exit code 2, and no traceback."""
    done = run_bin(script, "--no-such-option")
    assert done.returncode == 2
    assert not re.search("Traceback", done.stderr)


def test_the_filters_are_those_of_the_readme():
    """Which they are, the help of their options says; every other script refuses `-`."""
    said = re.compile(r"- (is|reads|writes) .*(stdin|stdout)|cli\.(Trajectory|Relaxed)")
    found = {name.removesuffix(".py") for name in SCRIPTS if said.search((BIN / name).read_text())}
    text = (
        (BIN.parent / "README.md").read_text().partition("These do:")[2].partition("The others")[0]
    )
    assert set(re.findall(r"`(\w+)`", text)) == found - {"submit"}  # it reads jobs, no file


@pytest.mark.parametrize(
    ("script", "words", "name"),
    [
        ("plot_msd.py", ["-", "--out", "a.png"], "result"),
        ("plot_msd.py", ["a.json", "--out", "-"], "out"),
        ("train.py", ["data", "--out", "-"], "out"),
        ("diffusion.py", ["--traj", "-", "--settings", "-", "--out", "-"], "settings"),
    ],
)
def test_a_pipe_is_refused_where_none_goes(script, words, name, run_bin, tmp_path):
    """Not taken for the name of a file."""
    done = run_bin(script, *words, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {name} '-': no pipe here"), done.stderr
    assert not list(tmp_path.iterdir())
