"""bin/finetune.py refuses in one line what it cannot use, before anything is written."""

from pathlib import Path

import pytest
from ase.io import write

from dpchannel.potential.data import frames

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
TEACHER = INPUTS / "labels/pb10po46o/mlip"
SHIPPED = INPUTS / "potentials/pb10po46o"


@pytest.fixture(scope="module")
def members():
    """Ten labels to train on, two held out."""
    found = []
    for n, atoms in zip(range(12), frames(TEACHER / "train/strain-41"), strict=False):
        atoms.info = {
            "class": "strain", "trajectory": f"{'test' if n > 9 else 'run'}-{n}",
            "engine": "cp2k PBE", "settings": "abc", "converged": True,
        }  # fmt: skip
        found.append(atoms)
    return found


@pytest.mark.parametrize(
    ("chosen", "potential", "says"),
    [
        (slice(9), SHIPPED, "9 labels to train on, 0 held out, at least 10 to train on are needed"),
        (slice(10), SHIPPED, "10 labels to train on, 0 held out: nothing to test on"),
        (slice(12), SHIPPED / "model.pb", "no model.pb to go on from"),
        (slice(12), SHIPPED, "several engines or settings are mixed: cp2k PBE abc; cp2k PBE xyz"),
    ],
)
def test_what_cannot_be_used_is_one_line(run_bin, tmp_path, members, chosen, potential, says):
    some = [atoms.copy() for atoms in members[chosen]]
    for copy, atoms in zip(some, members, strict=False):
        copy.calc = atoms.calc
    if "xyz" in says:
        some[-1].info["settings"] = "xyz"
    write(tmp_path / "labelled.extxyz", some, format="extxyz")
    done = run_bin(
        "finetune.py", tmp_path, "--out", tmp_path / "new", "--potential", potential,
        "--teacher", TEACHER,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and says in errors[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()
