"""bin/coexistence.py as a user calls it: a search to its result, and one clear line when it cannot.

Atoms without forces stand in for a crystal: the mechanics are the same.
"""

import subprocess
import sys

import numpy as np
import pytest

from dpchannel.results import Result

GAS = "pair_style zero 6.0\npair_coeff * *\n"
TETHER = GAS + "fix tether all spring/self 20.0\n"


@pytest.fixture
def search(root, tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    t = np.array([100.0, 300.0, 500.0])
    a, c = 10.03 * (1 + 1e-5 * t), 7.49 * (1 + 1e-5 * t)
    np.savez(tmp_path / "melting.npz", temperature_K=t, a=a, c=c, V=651 * (1 + 3e-5 * t))

    # lead without forces flies 0.35 A/ps at 3000 K: 3 ps until nothing is left of its order
    text = (root / "inputs/melting.toml").read_text()
    for old, new in (
        ("melt_ps = 0.1", "melt_ps = 3.0"),
        ("equilibrate_ps = 0.2, produce_ps = 0.4", "equilibrate_ps = 3.2, produce_ps = 0.4"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    settings = tmp_path / "melting.toml"
    settings.write_text(text)

    def call(pair):
        potential = tmp_path / "model.lammps"
        potential.write_text(pair)
        words = ["--potential", potential, "--pressure", "0GPa", "--profile", "toy", "--cores", "1"]
        words += ["--settings", settings]
        out = tmp_path / "coexistence" / "result.json"
        script = root / "bin/coexistence.py"
        done = subprocess.run(
            [sys.executable, script, tmp_path / "melting.npz", *words, "--out", out],
            capture_output=True, text=True, timeout=300, cwd=root,
        )  # fmt: skip
        return done, out

    return call


def test_a_search_leaves_a_result_and_is_only_read_again(search):
    """Half a gas, half a crystal that flies apart: it shrinks at the first temperature."""
    done, out = search(GAS)
    assert done.returncode == 0, done.stderr
    found = Result.read(out)
    assert found.quantities["T_m_coexistence"].kind == "upper_bound"
    assert found.summary.endswith(f"T_m < {found.quantities['T_m_coexistence'].value:g} K.")
    assert found.state["temperatures_K"] == [300.0, 450.0]
    failed = {check.name for check in found.checks if not check.ok}
    assert failed >= {"bracketed", "melt_inside_training_range"}
    before = {path: path.stat().st_mtime_ns for path in out.parent.glob("T*/*.bin")}
    again, _ = search(GAS)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in out.parent.glob("T*/*.bin")} == before


def test_what_does_not_melt_has_no_result(search):
    done, out = search(TETHER)
    assert done.returncode == 3 and not out.exists()
    last = done.stderr.strip().splitlines()[-1]
    assert "it did not melt" in last and "hot_K, melt_ps" in last
    assert "Traceback" not in done.stderr
