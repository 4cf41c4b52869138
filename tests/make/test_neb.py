"""`make neb`: which barriers, by which engine, and when they are found again."""

import re

FOLDER = "runs/pb10po46o/neb"


def steps(dry_run: str) -> list[str]:
    """`script target` of every step of a dry run, the folder left out."""
    found = re.findall(rf"bin/step\.py {FOLDER}/(\S+) bin/(\w+)\.py", dry_run)
    return [f"{script} {target}" for target, script in found]


def test_cases_and_pressures_each_in_one_spelling(project):
    done = project.make("-n", "neb", "CASE=slide hop_2x2x2", "P=0GPa 40000bar")
    assert done.code == 0, done.err
    states = [f"P{p}GPa/{case}" for p in (0, 4) for case in ("slide", "hop_2x2x2")]
    assert steps(done.out) == [f"neb dp/{state}/result.json" for state in states] + [
        f"plot_neb dp/{state}/profile.png" for state in states
    ]


def test_the_potential_is_the_engine_unless_another_is_named(project):
    """ENGINE has a default of its own for labels."""
    assert "--engine dp" in project.make("-n", "neb").out
    assert "--engine mlip" in project.make("-n", "neb", "ENGINE=mlip").out


def test_another_engine_on_the_same_paths(project):
    done = project.make("-n", "neb", "CASE=slide", "P=4GPa", "ENGINE=mlip", "ON=dp")
    assert steps(done.out) == [
        "neb dp/P4GPa/slide/result.json",
        "neb mlip-on-dp/P4GPa/slide/result.json",
        "plot_neb mlip-on-dp/P4GPa/slide/profile.png",
    ]
    assert f"--reevaluate {FOLDER}/dp/P4GPa/slide/path.extxyz --engine mlip" in done.out


def test_another_potential_lies_beside_the_shipped_one(project):
    done = project.make("-n", "neb", "CASE=slide", "P=4GPa", "POTENTIAL=some/model.pb")
    assert steps(done.out)[0] == "neb dp_some_model.pb/P4GPa/slide/result.json"
    assert "--potential some/model.pb" in done.out


def test_another_potential_leaves_the_barriers_of_the_shipped_one(project):
    """Each finder has a mark of its own inputs; an engine on its path that of its settings, too."""
    words = ("-n", "neb", "CASE=slide", "P=4GPa")
    on = (*words, "ENGINE=cp2k", "ON=dp")
    assert project.make(*words).code == project.make(*on).code == 0
    for folder in ("dp", "cp2k-on-dp"):
        state = project / f"{FOLDER}/{folder}/P4GPa/slide"
        state.mkdir(parents=True)
        for name in ("result.json", "profile.png"):
            (state / name).write_text("{}")
    (project / "model.pb").write_text("another")
    assert len(steps(project.make(*words, "POTENTIAL=model.pb").out)) == 2
    assert steps(project.make(*words).out) == []
    assert steps(project.make(*on).out) == []
    settings = project / "inputs/cp2k.toml"
    settings.write_text(settings.read_text().replace("cutoff_Ry = 750.0", "cutoff_Ry = 700.0"))
    assert steps(project.make(*words).out) == []
    assert [step.split()[0] for step in steps(project.make(*on).out)] == ["neb", "plot_neb"]


def test_a_pressure_without_unit(project):
    done = project.make("neb", "P=4")
    assert done.code != 0
    assert "pressure '4': not a number with a unit" in done.err.splitlines()[0]


def test_an_unknown_case_is_one_line(project):
    done = project.make("neb", "CASE=none", "P=4GPa")
    assert done.code != 0
    assert 'CASE="none": there is slide hop_1x1x2' in done.err
    assert not (project / f"{FOLDER}/dp/P4GPa/none/result.json").exists()


def test_content_decides_not_time_stamps(project):
    words = ("-n", "neb", "CASE=slide", "P=4GPa")
    assert project.make(*words).code == 0
    folder = project / f"{FOLDER}/dp/P4GPa/slide"
    folder.mkdir(parents=True)
    for name in ("result.json", "profile.png"):
        (folder / name).write_text("{}")
    settings = project / "inputs/neb.toml"
    settings.touch()
    assert steps(project.make(*words).out) == []
    settings.write_text(settings.read_text().replace("images = ", "images = 1"))
    assert len(steps(project.make(*words).out)) == 2
