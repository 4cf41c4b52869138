"""Slices: what a stage depends on, and nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from dpchannel import slices, staleness
from dpchannel.errors import InputError


@pytest.fixture
def inputs(tmp_path, monkeypatch, root):
    """Copy of the inputs that the slices read."""
    for name in ("profiles", "structures", "lammps"):
        shutil.copytree(root / "inputs" / name, tmp_path / name)
    for path in (root / "inputs").glob("*.toml"):
        shutil.copy(path, tmp_path)
    (tmp_path / "model.pb").write_bytes(b"weights")
    monkeypatch.setattr(slices, "INPUTS", tmp_path)
    return tmp_path


def changed(inputs, name, old, new):
    """Slices that differ after an edit of one file."""
    before = slices.slices("pb10po46o", "toy", inputs / "model.pb")
    path = inputs / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    after = slices.slices("pb10po46o", "toy", inputs / "model.pb")
    return {name for name in before if before[name] != after[name]} - {"inputs.json"}


@pytest.mark.parametrize(
    ("name", "old", "new", "slices_changed"),
    [
        ("md.toml", "# velocities", "# of the velocities", set()),
        ("md.toml", "thermostat_ps = 0.1", "thermostat_ps = 0.10", set()),
        ("md.toml", "thermostat_ps = 0.1", "thermostat_ps = 0.2", {"md.json"}),
        ("profiles/toy.toml", "produce_ps = 0.4", "produce_ps = 0.8", {"md.json"}),
        ("profiles/paper.toml", "produce_ps = 2000", "produce_ps = 1000", set()),
        ("lammps/npt.in", "fix", "fix ", {"md.json"}),
        ("model.pb", "weights", "others", {"md.json"}),
        ("diffusion.toml", "min_hops = 30", "min_hops = 40", {"diffusion.json"}),
        ("labels.toml", "[gate]", "# here\n[gate]", set()),
        (
            "pb10po46o.toml",
            "filled_within_A = 1.4",
            "filled_within_A = 1.5",
            {"diffusion.json"},
        ),
        (
            "structures/Pb10P6O25_PBE_Lai2023.vasp",
            "0",
            "1",
            {"md.json", "diffusion.json"},
        ),
    ],
)
def test_an_edit_reaches_the_stages_that_read_it(inputs, name, old, new, slices_changed):
    assert changed(inputs, name, old, new) == slices_changed


@pytest.mark.parametrize("name", ["pb10po46o", "md", "diffusion", "profiles/toy"])
def test_a_key_that_no_stage_reads_asks_for_another_check(inputs, name):
    before = slices.slices("pb10po46o", "toy", None)["inputs.json"]
    path = inputs / f"{name}.toml"
    path.write_text("# a comment\n" + path.read_text())
    assert slices.slices("pb10po46o", "toy", None)["inputs.json"] == before
    path.write_text("tpyo = 1\n" + path.read_text())
    assert slices.slices("pb10po46o", "toy", None)["inputs.json"] != before


def test_a_missing_system_lists_systems_only(inputs):
    with pytest.raises(InputError, match=r"none\.toml: .* There is: lifepo4, pb10po46o\.$"):
        slices.slices("none", "toy", None)


def test_same_content_leaves_the_file_alone(tmp_path):
    path = tmp_path / "new" / "md.json"
    slices.write_if_changed(path, "a")
    before = path.stat().st_mtime_ns
    slices.write_if_changed(path, "a")
    assert path.stat().st_mtime_ns == before
    slices.write_if_changed(path, "b")
    assert path.read_text() == "b"
    assert list(path.parent.iterdir()) == [path]


def test_changes_are_named():
    then, now = {"md": {"a": 1, "b": 2}}, {"md": {"a": 1, "b": 3, "c": 4}}
    assert staleness.changes(then, now) == ["md.b was 2, is 3", "md.c was None, is 4"]
    lists = {"a": [0.1234567, 2.3456789]}, {"a": [0.1234567, 2.5]}
    assert staleness.changes(*lists) == ["a was [0.1234567, 2.3456789], is [0.1234567, 2.5]"]
    assert staleness.changes("0" * 64, "1" * 64, "x") == [f"x was {'0' * 12}..., is {'1' * 12}..."]


def test_stale_runs_are_named_and_others_are_not(tmp_path):
    for state, made_from in (("T500K", 1), ("T600K", 2), ("T500K.old-20260101", 1)):
        folder = tmp_path / "diffusion" / "P4GPa" / state
        folder.mkdir(parents=True)
        (folder / "traj.h5").touch()
        (folder / ".traj.made_from.json").write_text(json.dumps({"seed": made_from}))
    ((product, line),) = staleness.stale(tmp_path, "md.json", '{"seed": 2}').items()
    assert product == tmp_path / "diffusion/P4GPa/T500K/traj.h5"
    assert "P4GPa/T500K/traj.h5: seed was 1, is 2" in line


def test_a_committee_is_missed_in_runs_and_not_in_the_relaxation(tmp_path):
    for name in ("T0K/relaxed.extxyz", "T900K/traj.h5"):
        path = tmp_path / "melting/P0GPa/steps" / name
        path.parent.mkdir(parents=True)
        path.touch()
        path.with_name(f".{path.stem}.made_from.json").write_text('{"heating": 1}')
    now = '{"heating": 1, "committee": "abc"}'
    found = staleness.stale(tmp_path, "melting-steps.json", now)
    assert [path.name for path in found] == ["traj.h5"]


def test_a_run_with_a_seed_of_its_own_does_not_depend_on_that_of_the_settings(tmp_path):
    for folder in ("T500K", "T500K-seed3"):
        home = tmp_path / "diffusion/P4GPa" / folder
        home.mkdir(parents=True)
        (home / "traj.h5").touch()
        (home / ".traj.made_from.json").write_text('{"md": {"seed": 1, "timestep_fs": 1}}')
    found = staleness.stale(tmp_path, "md.json", '{"md": {"seed": 2, "timestep_fs": 1}}')
    assert [path.parent.name for path in found] == ["T500K"]
    found = staleness.stale(tmp_path, "md.json", '{"md": {"seed": 2, "timestep_fs": 2}}')
    assert len(found) == 2


def test_a_training_on_other_data_is_stale(inputs, tmp_path):
    def slice_of(text: str) -> str:
        (tmp_path / "origin.json").write_text(text)
        return slices.training_slice("pb10po46o", "toy", tmp_path)

    first, second = slice_of("one data set"), slice_of("another")
    assert slice_of("one data set") == first
    folder = tmp_path / "potential"
    folder.mkdir()
    (folder / "model-compressed.pb").touch()
    (folder / ".model-compressed.made_from.json").write_text(first)
    assert staleness.stale(tmp_path, "train.json", first) == {}
    (line,) = staleness.stale(tmp_path, "train.json", second).values()
    assert "potential/model-compressed.pb: data was" in line
    with pytest.raises(InputError, match="network 'huge'"):
        slices.training_slice("pb10po46o", "huge", tmp_path)


def test_a_profile_that_is_not_there_trains_nothing(run_bin, tmp_path):
    given = ("--system", "pb10po46o", "--train", "shipped", "--data", tmp_path, "--runs", tmp_path)
    done = run_bin("slices.py", "--profile", "nosuch", *given)
    assert done.returncode == 2
    assert "profiles/nosuch.toml: No such file or directory. There is: paper" in done.stderr


def test_a_missing_potential_names_the_remedy(inputs):
    with pytest.raises(InputError, match="make train"):
        slices.slices("pb10po46o", "toy", inputs / "none.pb")
    assert "md.json" not in slices.slices("pb10po46o", "toy", None)


def test_what_is_pooled_is_no_fresher_than_its_runs():
    """Of three seeds one is stale: what holds it says so, the pool of the others does not."""
    home = Path("runs/x/quick/diffusion/P4GPa")
    files = [home / f"T500K{seeds}/result.json" for seeds in ("-seed1", "-seeds1_3", "-seeds1_2")]
    said = staleness.report(files, {home / "T500K-seed3/traj.h5": "another potential"})
    assert said == [
        f"up to date: {files[0]}",
        "stale: another potential",
        f"kept, but made from other inputs (see stale above): {files[1]}",
        f"up to date: {files[2]}",
    ]


@pytest.mark.parametrize("mode", ["steps", "coexistence"])
def test_too_few_temperatures_are_refused_before_any_run(mode):
    with pytest.raises(InputError, match=r"2 temperatures: a transition needs 4.*T="):
        slices.melting_files("toy", mode, "0GPa", ["1000K", "1100K"])


def test_how_a_ramp_is_cut_belongs_to_its_analysis(inputs, tmp_path):
    """Other stretches are read anew from the same run."""
    model = tmp_path / "model.pb"
    model.write_text("weights")

    def content():
        return slices.melting_slices("pb10po46o", "toy", model)

    before = content()
    changed(inputs, "melting.toml", "bin_K = 50", "bin_K = 40")
    after = content()
    assert {name for name in after if after[name] != before[name]} == {"melting-analysis.json"}
