"""`make verify`: done once for the content of its files, again when a byte of them changes."""

import pytest

RESULT = "runs/pb10po46o/verify/result.json"


@pytest.fixture
def words(project):
    """Stand-ins for the potential and the teacher's frames; the work itself takes half an hour."""
    for name in ("model.pb", "model-compressed.pb", "reference.extxyz"):
        (project / name).write_text(name)
    return ("verify", "POTENTIAL=.", "REFERENCE=reference.extxyz")


def runs_verify(project, *words):
    done = project.make("-n", *words)
    assert done.code == 0, done.err
    return "bin/verify.py" in done.out


def test_content_decides_not_time_stamps(project, words):
    refused = project.make(*words)  # these are no potentials
    assert "error: " in refused.err
    (project / RESULT).write_text("{}")
    assert not runs_verify(project, *words)
    for name in ("model.pb", "reference.extxyz", "inputs/verify.toml"):
        (project / name).touch()
    assert not runs_verify(project, *words)
    (project / "model-compressed.pb").write_text("another model")
    assert runs_verify(project, *words)


def test_a_missing_reference_is_one_line_and_leaves_no_result(project, words):
    done = project.make(words[0], words[1], "REFERENCE=none.extxyz")
    assert done.code != 0
    lines = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "none.extxyz: no reference structures there" in lines[0]
    assert not (project / RESULT).exists()
    assert (project / f"{RESULT}.failed").exists()
