"""`make melting`: which runs, what is kept, and what is said of runs made from other inputs."""

import re
import shutil

import pytest

from dpchannel.results import Result

TOY = ("PROFILE=toy", "POTENTIAL=tether.lammps")
PROFILE = "runs/pb10po46o/toy"
MELT = f"{PROFILE}/melting/P0GPa"
STEPS = [f"steps/T{kelvin}K/traj.h5" for kelvin in (100, 200, 300, 400)]


def scripts(dry_run):
    """Names of the scripts that a dry run would call to make a file."""
    return re.findall(r"bin/step\.py .*? bin/(\w+)\.py", dry_run)


@pytest.fixture
def pretend(project):
    """Finished files of the toy's steps, ramp and coexistence, without the work."""

    def finish(mode, files):
        assert project.make("-n", "melting", *TOY, f"MODE={mode}").code == 0  # slices
        made_from = (project / f"{PROFILE}/slices/melting-{mode}.json").read_text()
        for name in files:
            path = project / MELT / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
            if name.endswith((".h5", "coexistence/result.json")):
                path.with_name(f".{path.stem}.made_from.json").write_text(made_from)

    finish("steps", [*STEPS, "steps/result.json", "steps/figure.png"])
    finish("ramp", ["ramp/toy/traj.h5", "ramp/result.json", "ramp/figure.png"])
    finish("coexistence", ["coexistence/result.json", "coexistence/figure.png"])
    finish("steps", ["result.json", ".shown"])
    return project


def change(project, name, old, new):
    path = project / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_each_mode_has_runs_of_its_own(project):
    for mode, made in (
        ("steps", [*["heat"] * 4, "melting", "plot_melting", "brackets"]),
        ("ramp", ["heat", "melting", "plot_melting", "brackets"]),
        ("coexistence", [*["heat"] * 4, "melting", "coexistence", "plot_melting", "brackets"]),
    ):
        done = project.make("-n", "melting", *TOY, f"MODE={mode}")
        assert done.code == 0, done.err
        assert sorted(scripts(done.out)) == sorted(made), mode


@pytest.mark.parametrize(
    ("mode", "words", "last"),
    [
        ("steps", (), "+task:{0}/steps/result.json:{0}/steps/figure.png:{0}/.shown"),
        ("ramp", (), "+task:{0}/ramp/result.json:{0}/ramp/figure.png:{0}/.shown"),
        (
            "coexistence",
            (),
            "+lammps_gpu:{0}/coexistence/result.json,task:{0}/coexistence/figure.png:{0}/.shown",
        ),
        (
            "coexistence",
            ("FORCE=1",),
            "lammps_gpu:{0}/coexistence/result.json,task:{0}/coexistence/figure.png:{0}/.shown",
        ),
    ],
)
def test_on_a_cluster_the_result_is_a_job_after_all_runs(project, mode, words, last):
    """Jobs run make with the same pressure and temperatures, or there is no rule for the file."""
    here = ("P=4GPa", "T=100K 200K 300K 350K")
    done = project.make("-n", "melting", *TOY, f"MODE={mode}", "RUNNER=slurm", *here, *words)
    assert done.code == 0, done.err
    (line,) = [line for line in done.out.splitlines() if "bin/submit.py" in line]
    *_, jobs = line.partition(" melting ")
    found = [word for word in jobs.split() if ":" in word]
    folder = f"{PROFILE}/melting/P4GPa"
    assert found[-1] == last.format(folder)
    kelvins = () if words else (100, 200, 300, 350)
    runs = [f"steps/T{kelvin}K" for kelvin in kelvins] if mode != "ramp" else ["ramp/toy"]
    assert found[:-1] == [f"lammps_gpu:{folder}/{run}/traj.h5" for run in runs]
    assert "'P=4GPa'" in jobs and "'T=100K 200K 300K 350K'" in jobs
    assert scripts(done.out) == []


@pytest.mark.parametrize("mode", ["steps", "ramp", "coexistence"])
def test_the_second_make_does_nothing_in_under_a_second(pretend, mode):
    """Processor time, so that a busy machine does not count against it."""
    pretend.make("melting", *TOY, f"MODE={mode}")  # one set of asked temperatures at a time
    before = pretend.files()
    done = pretend.make("melting", *TOY, f"MODE={mode}")
    said = f"up to date: {MELT}/{mode}/result.json\nall modes: {MELT}/result.json\n"
    assert (done.code, done.out, done.err) == (0, said, "")
    assert done.cpu_s < 1
    assert pretend.files() == before


@pytest.mark.parametrize("mode", ["steps", "ramp", "coexistence"])
@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("inputs/md.toml", "thermostat_ps = 0.1", "thermostat_ps = 0.2", "thermostat_ps was 0.1"),
        ("tether.lammps", "20.0", "30.0", "potential was "),
    ],
)
def test_long_runs_that_no_longer_fit_are_reported_and_kept(pretend, mode, name, old, new, says):
    change(pretend, name, old, new)
    before = {p: p.read_text() for p in (pretend / MELT).rglob("*.json")}
    done = pretend.make("melting", *TOY, f"MODE={mode}")
    assert done.code == 0, done.err
    stale = [line for line in done.out.splitlines() if line.startswith("stale: ")]
    assert len(stale) == (4 if mode == "steps" else 1)
    assert all(f"/{mode}/" in line and says in line and "FORCE=1" in line for line in stale)
    assert f"kept, but made from other inputs (see stale above): {MELT}/{mode}" in done.out
    assert {p: p.read_text() for p in (pretend / MELT).rglob("*.json")} == before
    assert pretend.make("status").out.count("stale  ") == 6


def test_only_the_temperatures_asked_for_are_reported(pretend):
    shutil.copytree(pretend / MELT / "steps/T300K", pretend / MELT / "steps/T250K")
    change(pretend, "tether.lammps", "20.0", "30.0")
    (pretend / MELT / "steps/T400K/traj.h5").unlink()
    words = ("melting", *TOY, "T=100K 200K 250K 300K")
    pretend.make(*words, "-t")  # as if analysed, without the work
    out = pretend.make(*words).out
    assert "T300K/traj.h5: " in out and "T400K" not in out and "coexistence" not in out


def test_coexistence_is_redone_alone_with_force(pretend):
    words = ("melting", *TOY, "MODE=coexistence")
    assert scripts(pretend.make("-n", *words).out) == []
    change(pretend, "inputs/melting.toml", "hot_K = 3000", "hot_K = 3100")
    assert scripts(pretend.make("-n", *words).out) == []
    assert "how.hot_K was 3000, is 3100" in pretend.make(*words).out
    done = pretend.make("-n", *words, "FORCE=1")
    assert scripts(done.out) == ["coexistence", "plot_melting", "brackets"]
    assert done.out.count("--afresh") == 1


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("inputs/melting.toml", "max_runs = 2", "max_runs = 3"),
        ("inputs/melting.toml", "moved_periods = 1.0", "moved_periods = 0.5"),
        ("lib/dpchannel/physics/coexistence.py", "_FRAMES = 8", "_FRAMES = 9"),
    ],
)
def test_a_change_of_the_search_looks_again_and_keeps_the_runs(pretend, name, old, new):
    """Hours of MD are not moved aside because one more run is asked for."""
    words = ("melting", *TOY, "MODE=coexistence")
    change(pretend, name, old, new)
    done = pretend.make("-n", *words)
    made = scripts(done.out)
    assert "coexistence" in made and "heat" not in made and "--afresh" not in done.out


def test_a_search_does_not_go_on_from_runs_with_other_inputs(pretend):
    """bin/coexistence.py would move them aside."""
    change(pretend, "inputs/melting.toml", "max_runs = 2", "max_runs = 3")
    change(pretend, "inputs/md.toml", "thermostat_ps = 0.1", "thermostat_ps = 0.2")
    assert scripts(pretend.make("-n", "melting", *TOY, "MODE=coexistence").out) == []


@pytest.mark.parametrize("mode", ["steps", "ramp", "coexistence"])
def test_a_committee_asked_for_later_is_not_passed_over(pretend, mode):
    """Runs that nobody watched are named; those that were watched serve without a committee."""
    for name in ("b.pb", "c.pb"):
        (pretend / name).write_text(name)
    words = ("melting", *TOY, f"MODE={mode}")
    pretend.make(*words)
    done = pretend.make(*words, "COMMITTEE=b.pb c.pb")
    stale = [line for line in done.out.splitlines() if line.startswith("stale: ")]
    assert len(stale) == (4 if mode == "steps" else 1)
    assert all("committee was None, is " in line and "FORCE=1" in line for line in stale)
    dry = pretend.make("-n", *words, "COMMITTEE=b.pb c.pb", "FORCE=1").out
    afresh = [line for line in dry.splitlines() if "--afresh" in line]
    assert len(afresh) == len(stale)
    assert all("--committee b.pb --committee c.pb" in line for line in afresh)
    made_from = (pretend / f"{PROFILE}/slices/melting-{mode}.json").read_text()
    for path in (pretend / MELT / mode).rglob(".*.made_from.json"):
        path.write_text(made_from)
    for committee in ("COMMITTEE=b.pb c.pb", "COMMITTEE="):
        assert "stale" not in pretend.make(*words, committee).out
    done = pretend.make(*words, "COMMITTEE=b.pb none.pb")
    assert done.code != 0 and "none.pb: cannot be read" in done.err


@pytest.mark.slow
def test_the_toy_heats_to_a_result_with_both_brackets(project):
    """The whole of it, from the crystal to the figure; atoms on springs have no physics to find."""
    done = project.make("melting", *TOY)
    assert done.code == 0, done.err
    steps = Result.read(project / MELT / "steps/result.json")
    assert steps.state["temperatures_K"] == [100, 200, 300, 400]
    found = steps.quantities
    assert {f"T_m_heating_{name}" for name in ("V", "H", "lindemann")} <= found.keys()
    assert found["T_m_heating"].kind in ("lower_bound", "upper_bound", "bracket")
    for name in (
        "melting.npz",
        "figure.png",
        "figure.pdf",
        *(f"T{k}K/traj.h5" for k in (100, 400)),
    ):
        assert (project / MELT / "steps" / name).stat().st_size > 1000
    joined = Result.read(project / MELT / "result.json")
    q = joined.quantities["T_m_heating"]
    assert (q.value, q.kind) == (found["T_m_heating"].value, found["T_m_heating"].kind)
    # not run here: the committed one stands in its place, or a check says that there is none
    missed = {check.name for check in joined.checks if not check.ok}
    assert ("T_m_coexistence" in joined.quantities) != ("coexistence" in missed)
    assert "The paper, by heating: about 1200 K" in joined.summary
    before = project.files()
    again = project.make("melting", *TOY)
    assert (again.code, again.err) == (0, "") and project.files() == before
