"""The Makefile as a user meets it: help, dry runs, bad input, and nothing done twice."""

import re

import pytest
from dry import STATE, TOY, scripts


def test_help_lists_every_target(project):
    done = project.make("help")
    assert done.code == 0
    text = (project / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)", text, flags=re.M)[1].split()) - {"always"}
    assert set(re.findall(r"make ([a-z-]+) ", done.out)) == phony
    assert project.make().out == done.out


def test_dry_run_has_one_line_per_recipe(project):
    done = project.make("-n", "diffusion", *TOY)
    assert done.code == 0, done.err
    assert scripts(done.out) == ["md", "diffusion", "plot_msd"]
    lines = done.out.splitlines()
    assert len(lines) == 6  # check of inputs, three steps, show, and the closing line
    assert (
        f"--pressure 4GPa --temperature 500K --potential tether.lammps --out {STATE}/" in done.out
    )


def test_lists_of_states_each_in_one_spelling(project):
    done = project.make("-n", "diffusion", *TOY, "P=0GPa 40000bar 4GPa", "T=500K 0C")
    made = re.findall(r"bin/md\.py .* --out \S*/diffusion/(\S+)/traj\.h5", done.out)
    assert sorted(made) == sorted(
        f"P{pressure}GPa/T{temperature}K" for pressure in (0, 4) for temperature in (500, "273.15")
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["P=4"], "pressure '4': not a number with a unit. Write for example 4GPa"),
        (["P=4Gpa"], "pressure '4Gpa': 'Gpa' is no unit of pressure. Write for example 4GPa"),
        (["P=0GPa 4"], "pressure '4': not a number with a unit"),
        (["P="], "no state point. Write for example P=4GPa T=500K"),
        (["T=abc"], "temperature 'abc': not a number with a unit. Write for example 500K"),
        (["T=-5K"], "temperature '-5K': below absolute zero"),
        (["P=4GPa'; touch oops; '"], "not a number with a unit"),
        (["PROFILE=none"], "inputs/profiles/none.toml: No such file or directory. There is: paper"),
        (["SYSTEM=none"], "inputs/none.toml: No such file or directory. There is: "),
        (["POTENTIAL=none.pb"], "none.pb: no potential there. Make one with `make train`"),
        (["RUNNER=slrum"], "RUNNER=slrum: write RUNNER=slurm, or leave it out"),
        (["RUNS=a b"], 'RUNS="a b": no space can stand in it'),
        (["POTENTIAL=my models/model.pb"], "no space can stand in it"),
        (["PRESSURE=4GPa"], "PRESSURE=4GPa: no task reads PRESSURE"),
        (["temperature=500K"], "temperature=500K: no task reads temperature"),
        (["FORCE=maybe"], "FORCE=maybe: write FORCE=1, or leave it out"),
        (["SEED=one"], 'SEED="one": whole numbers, such as SEED="1 2 3"'),
        (["RUNS=/proc/none"], "/proc/none: cannot be written (No such file or directory)"),
    ],
)
def test_bad_input_is_one_line_before_anything_runs(project, words, says):
    done = project.make("diffusion", *TOY, *words)
    assert done.code != 0
    first, *rest = done.err.strip().splitlines()
    assert says in first
    assert all("***" in line for line in rest)
    assert done.out == ""
    assert not (project / "runs").exists()
    assert not (project / "oops").exists()


@pytest.mark.parametrize("name", ["md", "diffusion", "pb10po46o", "profiles/toy"])
def test_an_unknown_key_stops_before_molecular_dynamics(project, name):
    path = project / f"inputs/{name}.toml"
    path.write_text("tpyo = 1\n" + path.read_text())
    done = project.make("diffusion", *TOY)
    assert done.code != 0
    assert f"{name}.toml: tpyo = 1: unknown key. Known: " in done.err
    assert not (project / STATE).exists()


def test_a_failure_is_visible_and_a_refusal_leaves_nothing(project):
    done = project.make("diffusion", *TOY, "T=0K")
    assert done.code != 0
    assert "a thermostat needs more than 0 K" in done.err and "log:" not in done.err
    assert not (project / "runs/pb10po46o/toy/diffusion").exists()
    (project / "tether.lammps").write_text("pair_style nonsense\n")
    done = project.make("diffusion", *TOY)
    assert done.code != 0
    log = f"{STATE}/traj.h5.failed"
    assert f"log: {log}" in done.err
    assert "nonsense" in (project / log).read_text()
    shown = project.make("status").out
    assert re.search(rf"^failed +{log.removesuffix('.failed')} .* log: {log}$", shown, flags=re.M)


def test_status_of_nothing(project):
    assert "nothing in runs yet" in project.make("status").out


def test_the_crystal_and_its_views(project):
    done = project.make("structure")
    assert done.code == 0, done.err
    folder = project / "runs/pb10po46o/structure"
    for name in ("crystal.extxyz", "result.json", "views.png", "views.pdf"):
        assert (folder / name).stat().st_size > 1000
    assert scripts(project.make("-n", "structure").out) == []


def test_dry_runs_of_the_long_tasks(project):
    assert scripts(project.make("-n", "labels").out) == ["frames", "label", "dataset"]
    done = project.make("-n", "train", "PROFILE=paper")
    assert scripts(done.out) == ["train", "assess", "ship"]
    assert "--network paper" in done.out


def test_scans_use_the_runs_that_are_there(project, pretend):
    pretend(project, "P4GPa/T500K")
    done = project.make("-n", "arrhenius", *TOY, "T=700K 500K")
    assert scripts(done.out) == ["md", "diffusion", "arrhenius", "plot_scan"]
    assert "P4GPa/T500K/traj.h5" not in done.out
    assert "arrhenius/P4GPa/T500K_T700K/result.json" in done.out
    again = project.make("-n", "arrhenius", *TOY, "T=500K 700K 500K")
    assert "arrhenius/P4GPa/T500K_T700K/result.json" in again.out  # a set of states, one folder


@pytest.mark.parametrize(
    ("goal", "states"),
    [
        ("arrhenius", "P4GPa/T500K_T700K_T900K"),
        ("pressure-scan", "P0GPa_P2.45GPa_P4GPa/T500K"),
        ("mechanism", "P4GPa/T500K"),
    ],
)
def test_scans_have_states_of_their_own_when_none_are_given(project, goal, states):
    done = project.make("-n", goal, *TOY)
    assert done.code == 0, done.err
    assert f"runs/pb10po46o/toy/{goal}/{states}/" in done.out


@pytest.mark.parametrize(
    ("goal", "word", "says"),
    [
        ("arrhenius", "T=500K", "an Arrhenius plot needs two temperatures or more"),
        ("pressure-scan", "P=4GPa 40000bar", "a scan needs two pressures or more"),
    ],
)
def test_one_state_makes_no_scan_and_runs_nothing(project, goal, word, says):
    done = project.make(goal, *TOY, word)
    assert done.code != 0 and says in done.err and done.out == ""
    assert not (project / "runs").exists()


def test_seeds_have_folders_of_their_own_and_a_result_together(project):
    done = project.make("-n", "diffusion", *TOY, "T=500K 700K", "SEED=3 1")
    assert scripts(done.out).count("md") == 4 and scripts(done.out).count("pool") == 2
    line = next(
        text for text in done.out.splitlines() if "P4GPa/T700K-seed3/traj.h5 bin/md" in text
    )
    assert "--temperature 700K" in line and "--seed 3" in line
    drawn = [text for text in done.out.splitlines() if "bin/plot_msd.py" in text]
    assert sum("seeds1_3/msd.png" in text for text in drawn) == 2 and len(drawn) == 6
    pooled = [text for text in done.out.splitlines() if "bin/pool.py" in text]
    assert all("seed1/traj.h5" in text and "seed3/traj.h5" in text for text in pooled)
    one = project.make("-n", "diffusion", *TOY, "SEED=3")
    assert "bin/pool.py" not in one.out and "T500K-seed3/result.json" in one.out
    scan = project.make("-n", "arrhenius", *TOY, "T=500K 700K", "SEED=1 3")
    assert "arrhenius/P4GPa/T500K_T700K-seeds1_3/result.json" in scan.out
    (line,) = [text for text in scan.out.splitlines() if "bin/arrhenius.py" in text]
    points = [f"P4GPa/T{kelvin}K-seeds1_3/result.json" for kelvin in (500, 700)]
    assert re.findall(r"diffusion/(\S+)", line) == points  # one a state
    columns = project.make("-n", "column-length", *TOY, "SEED=1 3", "LENGTHS=toy quick")
    assert columns.code == 0, columns.err
    (line,) = [text for text in columns.out.splitlines() if "bin/column_length.py" in text]
    assert re.findall(r"(\w+)/diffusion/(\S+)", line) == [
        (profile, "P4GPa/T500K-seeds1_3/result.json") for profile in ("toy", "quick")
    ]


def test_mechanism_and_diffusion_share_one_trajectory(project):
    done = project.make("-n", "diffusion", "mechanism", "cross-check", *TOY)
    assert sorted(scripts(done.out)) == [
        *(
            "cross_check",
            "diffusion",
            "md",
            "mechanism",
            "plot_density",
            "plot_mechanism",
            "plot_msd",
        ),
        "plot_pressures",
    ]


def test_clean_keeps_runs_and_environment(project, pretend):
    pretend(project, "P4GPa/T500K")
    before = project.files()
    assert project.make("clean").code == 0
    assert project.files() == before
    assert (project / ".venv/bin/python").exists()
    assert not list((project / "lib").rglob("__pycache__"))
