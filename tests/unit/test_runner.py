"""Jobs before there is a scheduler: chains, arrays, cost, requests, what is remembered."""

import tomllib
from pathlib import Path

import pytest

from dpchannel import steps
from dpchannel.errors import EngineMissing, InputError
from dpchannel.runner import batch, chains, scheduler
from dpchannel.runner.template import Request, directives, request, site_script
from dpchannel.settings import load
from dpchannel.settings.slurm import SiteSettings, SlurmSettings

SLURM = Path(__file__).resolve().parents[2] / "slurm"
TEMPLATES = sorted(path.stem for path in SLURM.glob("*.sbatch"))


@pytest.fixture(scope="module")
def sites():
    return load(SlurmSettings, SLURM / "profiles.toml").sites


def asks(template, **more):
    numbers = {"ranks": 1, "threads": 2, "gpus": 0, "time_h": 2.0, "chunk": 1} | more
    return Request(template=Path(template), options=(), **numbers)


def test_arrays_follow_each_other_task_by_task_within_the_limit():
    some = [chains.parse(f"md:{k}.h5,task:{k}.json") for k in range(5)]
    plan = chains.arrays(some, {"md": asks("md"), "task": asks("task")}, limit=3)
    assert [(a.template, len(a.tasks), a.after) for a in plan] == [
        *(("md", 3, None), ("task", 3, 0), ("md", 2, None), ("task", 2, 2))
    ]
    assert plan[1].tasks[2] == ("2.json",) and plan[0].tasks[2] == ("2.h5",)


def test_chunks_are_those_of_the_first_step_so_that_tasks_match():
    some = [chains.parse(f"md:{k}.h5,task:{k}.json") for k in range(5)]
    plan = chains.arrays(some, {"md": asks("md", chunk=2), "task": asks("task", chunk=9)}, limit=9)
    assert [array.tasks for array in plan] == [
        (("0.h5", "1.h5"), ("2.h5", "3.h5"), ("4.h5",)),
        (("0.json", "1.json"), ("2.json", "3.json"), ("4.json",)),
    ]


def test_what_gathers_comes_last_and_is_no_part_of_the_others():
    """Whatever the order on the command line."""
    text = ["+task:all.json,task:all.png", "md:1.h5", "md:2.h5"]
    found = [chains.parse(one) for one in text]
    assert [chain[0].gathers for chain in found] == [True, False, False]
    plan = chains.arrays(found, {"md": asks("md"), "task": asks("task")}, limit=1)
    assert [(a.template, a.tasks[0][0], a.after, a.gathers) for a in plan] == [
        ("md", "1.h5", None, False),
        ("md", "2.h5", None, False),
        ("task", "all.json", None, True),
        ("task", "all.png", 2, True),
    ]
    with pytest.raises(InputError, match="not a chain of jobs"):
        chains.parse("+")


def test_cost_is_cores_and_gpus_times_the_limit():
    """Three jobs of 4 ranks, 2 threads, 2 GPUs, 10 h: 240 core hours, 60 GPU hours a start."""
    some = [chains.parse(f"md:{k}.h5") for k in range(3)]
    asked = {"md": asks("md", ranks=4, gpus=2, time_h=10.0)}
    *_, line, total = chains.cost(chains.arrays(some, asked, limit=9), asked)
    assert line.split() == ["md", "3", "3", "8", "2", "10", "240", "60"]
    assert total.split() == ["one", "start", "each", "3", "240", "60"]


def test_only_what_is_left_of_a_chain_and_not_in_the_queue():
    one, two = chains.parse("md:a,task:b"), chains.parse("md:c,task:d")
    assert chains.without([one, (), two], {"d"}) == [one]
    assert chains.missing([one], [], redo=True) == [one]


@pytest.mark.parametrize("text", ["md", "md:", ":a", "md:a,", "md:a,,task:b"])
def test_what_is_no_chain(text):
    with pytest.raises(InputError, match="not a chain of jobs"):
        chains.parse(text)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_says_what_it_holds_and_can_be_requeued(name, sites):
    asked = request(SLURM, name, sites["generic"])
    assert asked.options == () and asked.chunk == 1
    assert asked.gpus == (1 if name.endswith("_gpu") else 0)
    lines = directives(asked.template)
    assert {"requeue", "kill-on-invalid-dep", "time", "output"} <= lines.keys()
    assert lines["output"].startswith(f"{batch.LOGS}/") and lines["open-mode"] == "append"
    assert lines["signal"].startswith("B:USR1@")  # without B: only the steps would get it


def test_a_site_goes_before_the_template(sites):
    asked = request(SLURM, "lammps_gpu", sites["example"])
    assert (asked.cores, asked.gpus, asked.time_h) == (32, 4, 48)  # 4 ranks of 8 threads
    assert asked.options == (
        *("--account=project-123", "--partition=gpu", "--ntasks=4", "--gpus=4", "--time=2880"),
        "--signal=B:USR1@300",
    )
    assert site_script(sites["example"]).splitlines() == [
        "module load cuda/12.4 vasp/6.4 || "
        '{ echo "error: modules of slurm/profiles.toml: not loaded" >&2; exit 4; }',
        "export POTCARS=/project/potcars",
        "start vasp_std srun --mpi=pmix /opt/vasp/bin/vasp_std",
        "container=()",
        "restarts=20",
    ]


def test_an_unknown_template_names_those_that_are_there(sites):
    with pytest.raises(InputError, match="There is: cp2k, lammps_gpu"):
        request(SLURM, "none", sites["generic"])


def test_profiles_are_closed_and_consistent(tmp_path):
    raw = tomllib.loads((SLURM / "profiles.toml").read_text())["sites"]["generic"]
    with pytest.raises(ValueError, match="would start itself"):
        SiteSettings(**(raw | {"binaries": {"vasp_std": "srun vasp_std"}}))
    with pytest.raises(ValueError, match=r"there is no \[sites.b\]"):
        SlurmSettings(site="b", sites={"a": raw})
    path = tmp_path / "profiles.toml"
    path.write_text((SLURM / "profiles.toml").read_text().replace("restarts", "retsarts", 1))
    with pytest.raises(InputError, match=r"profiles.toml: sites.generic.retsarts = 20"):
        load(SlurmSettings, path)


def test_what_was_submitted_is_read_back(tmp_path):
    made = batch.prepare(tmp_path, "goal", "task", [["a", "b"], ["c"]], words=["X=1"], site="")
    assert batch.batches(tmp_path) == [made] and made.number is None
    after = batch.submitted(tmp_path, made, "17")
    assert batch.batches(tmp_path) == [after]
    batch.ended(tmp_path, after, {"1": "17_1 TIMEOUT"})
    assert batch.batches(tmp_path)[0].last == {"1": "17_1 TIMEOUT"}
    assert batch.batches(tmp_path)[0].ended
    (tmp_path / made.name / "batch.json").write_text('{"name"')
    with pytest.raises(InputError, match="damaged"):
        batch.batches(tmp_path)


def test_two_makes_do_not_submit_at_once(tmp_path):
    refused = pytest.raises(InputError, match="another make")
    with batch.alone(tmp_path), refused, batch.alone(tmp_path):
        pass


def test_no_scheduler_here(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineMissing, match="login node, or leave RUNNER=slurm out"):
        scheduler.queue(["a"], patience_s=0, note=print)


def test_a_job_does_not_see_the_make_that_submitted_it(monkeypatch):
    for name in ("MAKEFLAGS", "FORCE", "PROFILE", "SLURM_JOB_ID", "SLURM_CONF"):
        monkeypatch.setenv(name, "x")
    left = scheduler.clean_environment(["PROFILE"])
    assert not {"MAKEFLAGS", "FORCE", "PROFILE", "SLURM_JOB_ID"} & left.keys()
    assert left["SLURM_CONF"] == "x"


def test_marks_of_jobs_that_are_gone_are_removed_and_no_others(tmp_path):
    """A job that lost its node leaves its mark; a process of another machine may still live."""
    for name, header in (
        ("gone", "# process 1 of job 7 on elsewhere, 2026-01-01 00:00:00\n"),
        ("alive", "# process 1 of job 8 on elsewhere, 2026-01-01 00:00:00\n"),
        ("person", "# process 1 on elsewhere, 2026-01-01 00:00:00\n"),
    ):
        (tmp_path / f"{name}.in_progress").write_text(header)
    steps.forget_jobs([tmp_path], {"8"})
    assert {state.target.name for state in steps.states(tmp_path)} == {"alive", "person"}


def test_a_job_queued_again_is_not_stopped_by_its_own_mark(tmp_path, monkeypatch):
    target = tmp_path / "x"
    mark = tmp_path / "x.in_progress"
    mark.write_text("# process 1 of job 7 on elsewhere, 2026-01-01 00:00:00\n")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert steps.run(target, ["touch", str(target)]) == 0
    assert target.exists() and not mark.exists()
