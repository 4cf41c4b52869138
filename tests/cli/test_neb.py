"""bin/neb.py as a user meets it: bad input in one line, and a slide with the shipped potential."""

import json

import pytest

from dpchannel.results import Result, project_root


@pytest.fixture(autouse=True)
def cores_of_its_own(monkeypatch, tmp_path_factory):
    """Runs of the project under way do not keep a test waiting."""
    monkeypatch.setenv("RUNS", str(tmp_path_factory.mktemp("runs")))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--case", "none"], "case 'none': use one of slide,"),
        (["--pressure", "4"], "pressure '4': not a number with a unit"),
        (["--engine", "none"], "engine 'none': use one of dp,"),
        (["--reevaluate", "none.extxyz"], "none.extxyz: cannot be read as images"),
        (["--potential", "none.pb"], "no potential there"),
        (["--pressure", "40GPa"], "outside what the potential saw: P = 40 GPa (trained -1 ... 8)"),
    ],
)
def test_bad_input_is_one_line(run_bin, tmp_path, words, says):
    done = run_bin("neb.py", *words, "--out", tmp_path / "result.json", "--cores", 1)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and says in done.stderr
    assert not list(tmp_path.iterdir())
    done = run_bin("neb.py", *words, "--out", "-", "--cores", 1, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert not list(tmp_path.iterdir())


def test_a_structure_is_no_path(run_bin, tmp_path):
    """Energies are there, but not what bin/neb.py says about each image."""
    path = tmp_path / "frame.extxyz"
    path.write_text(
        '1\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3 energy=1\nO 0 0 0\n'
    )
    done = run_bin("neb.py", "--reevaluate", path, "--out", tmp_path / "r.json", "--cores", 1)
    assert done.returncode == 2
    assert "1 images; a barrier needs three at least" in done.stderr


def test_a_band_that_does_not_converge_ends_with_3_and_is_taken_up_again(run_bin, tmp_path):
    """Its profile is there, without a barrier, and older than all that Make compares it with."""
    text = (project_root() / "inputs/neb.toml").read_text()
    hurried = text.replace("max_steps = 600 ", "max_steps = 1 ").replace(
        "images = 9 ", "images = 3 "
    )
    hurried = hurried.replace("along_A = 1.0 ", "along_A = 0.0 ").replace("[1, 2]", "[1]")
    assert hurried.count("max_steps = 1 ") == 1
    (tmp_path / "neb.toml").write_text(hurried)
    out = tmp_path / "slide" / "result.json"
    words = ("--settings", tmp_path / "neb.toml", "--out", out, "--cores", 1)
    done = run_bin("neb.py", *words)
    assert done.returncode == 3, done.stderr
    assert "no barrier. The same command goes on where it stopped" in done.stderr
    assert "barrier_forward" not in Result.read(out).quantities
    assert (out.parent / "path.extxyz").exists() and out.stat().st_mtime == 0


@pytest.mark.slow
def test_the_slide_with_the_shipped_potential(run_bin, tmp_path):
    """Both ends are the ordered crystal, so forward and backward agree; the engine's own single

    points give back its barrier: what differs is rounding of positions to 1e-8 A.
    """
    out = tmp_path / "slide" / "result.json"
    done = run_bin("neb.py", "--case", "slide", "--out", out)
    assert done.returncode == 0, done.stderr
    found = Result.read(out)
    assert all(check.ok for check in found.checks)
    barrier = found.quantities["barrier_forward"].value
    assert barrier == pytest.approx(found.quantities["barrier_backward"].value, abs=0.005)
    assert 0.3 < barrier < 1.2
    path = out.parent / "path.extxyz"
    done = run_bin("neb.py", "--reevaluate", path, "--out", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)["quantities"]["barrier_forward"]["value"]
    assert again == pytest.approx(barrier, abs=1e-5)
    assert [p.name for p in tmp_path.iterdir()] == ["slide"]
