"""What a user may get wrong at a cluster: one line that says what to do, and nothing submitted."""

import sys

import pytest

TOY = ("PROFILE=toy", "POTENTIAL=tether.lammps", "RUNNER=slurm")
STATE = "runs/pb10po46o/toy/diffusion/P4GPa/T500K"


def refused(project, *more, code=2):
    command = (sys.executable, "bin/submit.py", "toy", "lammps_gpu:a.made", *more)
    done = project.run(*command)
    assert done.code == code, done.err
    assert "logs in" not in done.err and not project.names_in_queue()
    return done.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("lammps_gpu = { gpus = 9,", "Change ranks, threads, gpus or memory_GB"),
        ("lammps_gpu = { partition = 'none',", "Change partition"),
        ("lammps_gpu = { partition = 'closed', options = ['--account=x'],", "Change account"),
    ],
)
def test_what_the_cluster_refuses_names_the_key(project, change, says):
    path = project / "slurm/profiles.toml"
    path.write_text(path.read_text().replace("lammps_gpu = {", change))
    line = refused(project, "--yes")
    assert line.startswith("error: sbatch refuses: ") and says in line


def test_nobody_said_yes(project):
    assert "YES=1" in refused(project)


def test_an_unknown_site(project):
    assert refused(project, "--site", "none", "--yes").endswith("profiles.toml has lab.")


def test_stale_results_are_named_and_kept(project):
    """Finished files made from other inputs: reported with the remedy, not submitted."""
    assert project.make("-n", "diffusion", *TOY).code == 0
    profile = project / "runs/pb10po46o/toy"
    (profile / "slices/.checked").touch()
    folder = project / STATE
    folder.mkdir(parents=True)
    (folder / ".traj.made_from.json").write_text((profile / "slices/md.json").read_text())
    for name in ("traj.h5", "result.json", "msd.npz", "msd.png", "msd.pdf", ".shown"):
        (folder / name).write_text("{}")
    done = project.make("diffusion", *TOY)
    assert done.code == 0 and f"up to date: {STATE}/result.json" in done.out, done.err
    path = project / "inputs/md.toml"
    path.write_text(path.read_text().replace("thermostat_ps = 0.1", "thermostat_ps = 0.2"))
    done = project.make("diffusion", *TOY)
    said = done.out + done.err
    assert done.code == 0 and "submitted" not in said
    assert "thermostat_ps was 0.1, is 0.2" in said and "FORCE=1" in said
