"""`make benchmark` and its parts: which scripts, for which engine, and when they work again."""

import re

import pytest

RUNS = "runs/pb10po46o/benchmark"


def steps(dry_run: str) -> list[str]:
    """`script target` of every step of a dry run, the folder left out."""
    found = re.findall(rf"bin/step\.py {RUNS}/(\S+) bin/(\w+)\.py", dry_run)
    return [f"{script} {target}" for target, script in found]


def test_benchmark_is_all_of_them_in_order(project):
    done = project.make("-n", "benchmark")
    assert done.code == 0, done.err
    assert steps(done.out) == [
        "parity dp/parity/result.json",
        "plot_parity dp/parity/figure.png",
        "lattice dp/lattice/result.json",
        "table_one dp/lattice/table.tsv",
        "eos dp/eos/result.json",
        "plot_eos dp/eos/figure.png",
        "phonons dp/phonons/result.json",
        "plot_phonons dp/phonons/figure.png",
    ]
    assert "bin/neb.py" in done.out
    assert f"bin/eos.py {RUNS}/dp/lattice/relaxed.extxyz --engine dp" in done.out


def test_phonons_need_the_relaxed_lattice_and_nothing_else(project):
    assert steps(project.make("-n", "phonons").out) == [
        "lattice dp/lattice/result.json",
        "phonons dp/phonons/result.json",
        "plot_phonons dp/phonons/figure.png",
    ]


def test_other_engines_and_potentials_have_folders_of_their_own(project):
    """ENGINE has a default of its own for labels; here the potential is meant."""
    done = project.make("-n", "lattice", "ENGINE=mlip")
    assert steps(done.out) == [
        "lattice mlip/lattice/result.json",
        "table_one mlip/lattice/table.tsv",
    ]
    assert "--engine mlip" in done.out and "--potential" not in done.out
    done = project.make("-n", "lattice", "POTENTIAL=some/model.pth")
    assert steps(done.out)[0] == "lattice dp_some_model.pth/lattice/result.json"
    assert "--potential some/model.pth" in done.out


def test_parity_takes_labelled_frames_as_they_are(project):
    """Labels of DFT come as one extxyz; a data set of others is adopted, and must be one."""
    (project / "labelled.extxyz").write_text("")
    done = project.make("-n", "parity", "DATA=labelled.extxyz")
    assert "bin/parity.py labelled.extxyz --engine dp" in done.out
    done = project.make("-n", "parity", "DATA=nothing")
    assert "no data set in deepmd/npy format" in done.err


def test_an_engine_of_single_points_takes_the_structures_of_the_shipped_potential(project):
    """No relaxation, no phonons; turning points of the path of the slide."""
    done = project.make("-n", "benchmark", "ENGINE=cp2k")
    assert done.code == 0, done.err
    made = [step for step in steps(done.out) if not step.startswith("plot")]
    assert list(dict.fromkeys(made)) == [
        "parity cp2k/parity/result.json",
        "lattice dp/lattice/result.json",
        "lattice cp2k/lattice/result.json",
        "table_one cp2k/lattice/table.tsv",
        "eos dp/eos/result.json",
        "eos cp2k/eos/result.json",
    ]
    assert f"--given {RUNS}/dp/lattice/relaxed.extxyz --engine cp2k" in done.out
    assert f"bin/eos.py {RUNS}/dp/eos/cells.extxyz --engine cp2k" in done.out
    neb = "runs/pb10po46o/neb/dp/P4GPa/slide/path.extxyz"
    assert f"bin/neb.py --reevaluate {neb} --engine cp2k" in done.out
    assert "hop_1x1x2" not in done.out


def test_its_results_are_redone_only_when_the_structures_are(project):
    """The shipped potential is asked each time whether its results still hold."""
    assert project.make("-n", "eos", "ENGINE=vasp").code == 0
    assert project.make("-n", "eos").code == 0  # leaves the mark of the inputs
    for name in ("dp/lattice", "dp/eos", "vasp/eos"):
        folder = project / f"{RUNS}/{name}"
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("result.json", "figure.png", "table.tsv"):
            (folder / file).write_text("{}")
    done = project.make("eos", "ENGINE=vasp")
    assert done.code == 0, done.err
    assert "up to date" in done.out and not done.err
    assert (project / f"{RUNS}/vasp/eos/result.json").read_text() == "{}"
    settings = project / "inputs/benchmark.toml"
    settings.write_text(settings.read_text().replace("every_cell = 2", "every_cell = 1"))
    redone = set(steps(project.make("-n", "eos", "ENGINE=vasp").out))
    assert "eos vasp/eos/result.json" in redone and "eos dp/eos/result.json" not in redone
    settings.write_text(settings.read_text().replace("rattle_A = 0.02 ", "rattle_A = 0.03 "))
    redone = set(steps(project.make("-n", "eos", "ENGINE=vasp").out))
    assert {"lattice dp/lattice/result.json", "eos vasp/eos/result.json"} <= redone


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["neb", "CASE=slide foo"], 'CASE="foo": there is slide hop_1x1x2'),
        (["lattice", "P=4GPa"], 'P="4GPa": lattice belongs to the crystal at 0 GPa'),
        (["lattice", "POTENTIAL="], "POTENTIAL=: empty"),
        (["neb", "CASE="], "CASE=: empty"),
        (["repin"], "ID=: name the pins"),
    ],
)
def test_a_word_that_would_do_nothing_is_refused(project, words, says):
    done = project.make(*words)
    assert done.code != 0 and says in done.err and not done.out
    assert not (project / "runs").exists()


def test_a_benchmark_depends_on_its_own_settings_and_code(project):
    """Neither a comment nor another benchmark's setting redoes it; a change of its code does."""
    tasks = ("lattice", "eos", "phonons")
    assert project.make("-n", *tasks).code == 0
    for task in tasks:
        for name in ("result.json", "figure.png", "table.tsv"):
            (project / f"{RUNS}/dp/{task}/{name}").write_text("{}")

    def redone():
        found = {step.split()[0] for step in steps(project.make("-n", *tasks).out)}
        return found & set(tasks)

    assert redone() == set()
    settings = project / "inputs/benchmark.toml"
    settings.write_text(settings.read_text().replace("# of each segment", "# a comment"))
    assert redone() == set()
    settings.write_text(
        settings.read_text().replace("displacement_A = 0.01", "displacement_A = 0.02")
    )
    assert redone() == {"phonons"}
    code = project / "lib/dpchannel/physics/eos.py"
    code.write_text(code.read_text() + "\n")
    assert redone() == {"phonons", "eos"}


def test_phonons_by_single_points_are_refused_in_one_line(project):
    done = project.make("phonons", "ENGINE=cp2k")
    assert done.code != 0
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert "phonons: engine cp2k only computes single points on given structures here" in line


def test_content_decides_not_time_stamps(project):
    (project / "model.pb").write_text("one")
    words = ("-n", "phonons", "eos", "parity", "POTENTIAL=model.pb")
    assert project.make(*words).code == 0
    for task in ("lattice", "eos", "phonons", "parity"):
        folder = project / f"{RUNS}/dp_model.pb/{task}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text("{}")
        (folder / "figure.png").write_text("")
    assert steps(project.make(*words).out) == []
    for name in ("model.pb", "inputs/benchmark.toml", "inputs/pb10po46o.toml"):
        (project / name).touch()
    assert steps(project.make(*words).out) == []
    (project / "model.pb").write_text("another")
    redone = steps(project.make(*words).out)
    assert {step.split()[0] for step in redone if not step.startswith("plot")} == {
        *("lattice", "eos", "phonons", "parity")
    }


def test_chemical_pressure_follows_the_potential_and_its_teacher(project):
    """Time stamps redo nothing; another potential, teacher or setting does."""
    (project / "model.pb").write_text("one")
    words = ("-n", "chemical-pressure", "ENGINE=dp", "POTENTIAL=model.pb", "DOPANT=Cu")
    folder = project / "runs/pb10po46o/chemical-pressure/dp_model.pb/Cu"
    target = str(folder.relative_to(project.path))

    def made():
        return f"bin/step.py {target}/result.json" in project.make(*words).out

    assert made()
    for name in ("result.json", "figure.png"):
        (folder / name).write_text("{}")
    for name in ("model.pb", "inputs/chemical-pressure.toml", "inputs/pb10po46o.toml"):
        (project / name).touch()
    assert not made()
    for name, before, after in (
        ("model.pb", "one", "another"),
        ("inputs/labels.toml", "7net-l3i5", "7net-0"),
        ("inputs/chemical-pressure.toml", "max_steps = 1500", "max_steps = 400"),
        ("requirements-mlip.lock", "sevenn==", "sevenn==9"),
    ):
        path = project / name
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))
        assert made(), name
        (folder / "result.json").write_text("{}")
        (folder / "figure.png").write_text("{}")
        assert not made()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("POTENTIAL=none.pb",), "none.pb: no potential there"),
        (("POTENTIAL=tether.lammps",), "DeePMD-kit cannot load it (Cannot detect the backend"),
        (("ENGINE=none",), "engine 'none': use one of dp, mlip"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_result(project, words, says):
    done = project.make("lattice", *words)
    assert done.code != 0
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert says in line
    assert not list((project / RUNS).rglob("result.json"))
