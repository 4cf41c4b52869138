"""What make does again and what it leaves alone: inputs, time stamps, failures, FORCE."""

import re

import pytest
from dry import STATE, TOY, scripts

from dpchannel.results import Quantity, Result


def test_the_second_make_does_nothing_in_under_a_second(project, pretend):
    """Processor time, so that a busy machine does not count against it."""
    pretend(project, "P4GPa/T500K")
    before = project.files()
    done = project.make("diffusion", *TOY)
    assert (done.code, done.out, done.err) == (0, f"up to date: {STATE}/result.json\n", "")
    assert done.cpu_s < 1
    assert project.files() == before


def test_a_new_state_leaves_the_old_one_alone(project, pretend):
    pretend(project, "P4GPa/T500K")
    done = project.make("-n", "diffusion", *TOY, "P=0GPa 4GPa")
    assert scripts(done.out) == ["md", "diffusion", "plot_msd"]
    assert "P4GPa/T500K/traj.h5" not in done.out


def test_time_stamps_and_comments_redo_nothing(project, pretend):
    """A fresh checkout has new time stamps on everything."""
    pretend(project, "P4GPa/T500K")
    for path in [*(project / "inputs").rglob("*.toml"), *(project / "lib").rglob("*.py")]:
        path.touch()
    md = project / "inputs/md.toml"
    md.write_text("# another comment\n" + md.read_text())
    done = project.make("-n", "diffusion", *TOY)
    assert scripts(done.out) == []
    assert done.err == ""


@pytest.mark.parametrize(
    "name", ["inputs/diffusion.toml", "lib/dpchannel/physics/msd.py", "bin/diffusion.py"]
)
def test_what_only_the_analysis_reads_redoes_only_the_analysis(project, pretend, name):
    pretend(project, "P4GPa/T500K")
    path = project / name
    path.write_text(re.sub("min_hops = 30", "min_hops = 40", path.read_text()) + "\n# changed\n")
    done = project.make("-n", "diffusion", *TOY)
    assert scripts(done.out) == ["diffusion", "plot_msd"]
    assert done.err == ""


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("inputs/md.toml", ("thermostat_ps = 0.1", "thermostat_ps = 0.2"), "was 0.1, is 0.2"),
        ("inputs/profiles/toy.toml", ("produce_ps = 0.4", "produce_ps = 0.8"), "was 0.4, is 0.8"),
        ("tether.lammps", ("20.0", "30.0"), "potential was "),
    ],
)
def test_a_finished_run_that_no_longer_fits_is_reported_and_kept(
    project, pretend, name, change, says
):
    folder = pretend(project, "P4GPa/T500K")
    path = project / name
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change))
    before = {p: p.read_text() for p in folder.iterdir()}
    done = project.make("diffusion", *TOY)
    stale, closing = done.out.splitlines()
    assert stale.startswith(f"stale: {STATE}/traj.h5: ")
    assert says in stale and "FORCE=1" in stale
    assert ("RUNS=folder" in stale) == (name == "tether.lammps")
    assert closing == f"kept, but made from other inputs (see stale above): {STATE}/result.json"
    assert {p: p.read_text() for p in folder.iterdir()} == before
    assert "stale" in project.make("status").out


@pytest.mark.parametrize(
    ("goal", "read"),
    [
        ("arrhenius", "result.json"),
        ("pressure-scan", "result.json"),
        ("column-length", "result.json"),
        ("mechanism", "mechanism.json"),
        ("cross-check", "cross-check.json"),
    ],
)
def test_what_rests_on_runs_that_no_longer_fit_says_so(project, pretend, goal, read):
    """A line through old and new runs would mix them unseen."""
    words = (*TOY, "P=0GPa 4GPa", "T=500K 700K", "LENGTHS=toy")
    folders = [pretend(project, f"P{P}GPa/T{T}K") for P in (0, 4) for T in (500, 700)]
    toy = Result("toy", "pb10po46o", {}, {"x": Quantity(1.0, "A")})
    for folder in folders:
        for name in ("cross-check.json", "mechanism.npz", "mechanism.png", "density.png"):
            (folder / name).write_text("{}")
        toy.write(folder / "mechanism.json")
    top = project / "runs/pb10po46o"
    for state in ("P0GPa_P4GPa/T500K_T700K", "P0GPa/T500K", "P0GPa/T700K", "P4GPa/T500K",
                  "P4GPa/T700K"):  # fmt: skip
        for task in ("toy/arrhenius", "toy/pressure-scan", "toy/mechanism", "column-length/toy"):
            toy.write(top / task / state / "result.json")
            for name in ("figure.png", "msd.png"):
                (top / task / state / name).write_text("{}")
    for path in sorted(folders[0].parents[2].rglob("*.png")):
        path.touch()
    (project / "tether.lammps").write_text(
        (project / "tether.lammps").read_text().replace("20.0", "30.0")
    )
    before = project.files()
    done = project.make(goal, *words)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    for P in (0, 4):
        for T in (500, 700):
            where = f"runs/pb10po46o/toy/diffusion/P{P}GPa/T{T}K"
            (stale,) = [line for line in lines if line.startswith(f"stale: {where}/traj.h5: ")]
            assert "potential was " in stale
            assert f"kept, but made from other inputs (see stale above): {where}/{read}" in lines
    assert {path: time for path, time in project.files().items() if path.suffix != ".json"} == {
        path: time for path, time in before.items() if path.suffix != ".json"
    }


def test_only_the_requested_states_are_reported(project, pretend):
    pretend(project, "P4GPa/T500K")
    pretend(project, "P0GPa/T500K")
    md = project / "inputs/md.toml"
    md.write_text(md.read_text().replace("thermostat_ps = 0.1", "thermostat_ps = 0.2"))
    done = project.make("diffusion", *TOY, "P=0GPa")
    assert "P0GPa" in done.out and "P4GPa" not in done.out + done.err
    assert project.make("status").out.count("stale  ") == 2


@pytest.mark.parametrize(
    ("name", "remade"),
    [
        ("msd.png", ["plot_msd"]),
        ("msd.pdf", ["plot_msd"]),
        ("msd.npz", ["diffusion", "plot_msd"]),
        ("result.json", ["diffusion", "plot_msd"]),
        ("traj.h5", []),  # large: its result may outlive it
    ],
)
def test_what_is_deleted_is_made_again(project, pretend, name, remade):
    (pretend(project, "P4GPa/T500K") / name).unlink()
    assert scripts(project.make("-n", "diffusion", *TOY).out) == remade


def test_a_failing_step_leaves_every_earlier_file(project, pretend):
    """Make deletes what it believes half-written; here everything is written aside."""
    folder = pretend(project, "P4GPa/T500K")  # its traj.h5 is none
    settings = project / "inputs/diffusion.toml"
    settings.write_text(settings.read_text().replace("min_hops = 30", "min_hops = 40"))
    assert project.make("diffusion", *TOY).code != 0
    assert {"result.json", "msd.npz", "msd.png", "msd.pdf"} <= {p.name for p in folder.iterdir()}


@pytest.mark.parametrize(("value", "forced"), [("0", 0), ("no", 0), ("", 0), ("1", 1), ("yes", 1)])
def test_force_is_a_yes_or_a_no(project, value, forced):
    done = project.make("-n", "diffusion", *TOY, f"FORCE={value}")
    assert done.out.count("--afresh") == done.out.count("--force") == forced


def test_force_moves_the_earlier_run_aside_and_back_when_refused(project, pretend):
    """Temperature 0 is refused by the thermostat before anything runs."""
    folder = pretend(project, "P4GPa/T0K")
    before = {p.name for p in folder.iterdir()}
    done = project.make("diffusion", *TOY, "T=0K", "FORCE=1")
    assert done.code != 0
    assert "a thermostat needs more than 0 K" in done.err
    assert {p.name for p in folder.iterdir()} == before
    assert (folder / "traj.h5").read_text() == "{}"
    assert [p.name for p in folder.parent.iterdir()] == ["T0K"]
