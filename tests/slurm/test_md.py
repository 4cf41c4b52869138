"""Molecular dynamics in jobs: stopped before the time limit, queued again, and complete."""

import sys

import h5py
import pytest
from checkout import settle, until
from numpy.testing import assert_allclose, assert_array_equal

from dpchannel.md.segments import last_sample, starts
from dpchannel.results import Result

STATE = "diffusion/P0GPa/T100K"
WORDS = ("PROFILE=toy", "POTENTIAL=tether.lammps", "P=0GPa", "T=100K")


@pytest.fixture
def longer(project):
    """The toy with so many steps that it can be stopped on its way."""
    path = project / "inputs/profiles/toy.toml"
    text = path.read_text()
    path.write_text(text.replace("produce_ps = 0.4", "produce_ps = 10.0"))
    return project


def arrays(path):
    """Every array of numbers in a trajectory, by name."""
    found = {}

    def take(name, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "if":
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(take)
    return found


def test_stopped_in_the_middle_queued_again_and_complete(longer):
    """USR1, as SLURM sends it before the time limit; the run goes on from its restart file."""
    there, here = f"runs/pb10po46o/toy/{STATE}", f"local/pb10po46o/toy/{STATE}"
    assert longer.make("-n", "diffusion", *WORDS).code == 0  # slices
    words = [part for word in WORDS[:2] for part in ("--word", word)]
    command = (sys.executable, "bin/submit.py", "diffusion", f"lammps_gpu:{there}/traj.h5")
    done = longer.run(*command, *words, "--yes")
    assert done.code == 0, done.err
    samples = longer / there / "md/samples.0.txt"
    until(lambda: (last_sample(samples) or {"step": 0})["step"] > 1000, "a thousand steps")
    name = longer.names_in_queue().pop()
    number = longer.lab.call("squeue", "-h", "-r", f"--name={name}", "-o", "%A")
    longer.lab.call("scancel", "--batch", "--signal=USR1", number)
    again = f"{longer.run(*command, *words, '--yes').err}"
    assert "in queue" in again and "submitted" not in again
    done = longer.make("CORES=1", "RUNS=local", *WORDS[:2], f"{here}/traj.h5")  # in the meantime
    assert done.code == 0, done.err
    assert settle(longer, f"{there}/traj.h5"), longer.log()
    assert "time is up: queued again" in longer.log()
    assert "start 2: going on from what is there" in longer.log()
    begins = starts(longer / there / "md")
    assert len(begins) == 2 and 0 < begins[1] < 10100
    assert not list((longer / there).glob("*.in_progress"))
    found, expected = arrays(longer / there / "traj.h5"), arrays(longer / here / "traj.h5")
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        if "step" in name:
            assert_array_equal(found[name], array, err_msg=name)  # no frame twice, none missing
        else:
            # one ion on its spring is no chaos: the round-off of a binary restart stays round-off
            assert_allclose(found[name], array, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_diffusion_on_the_cluster_is_that_of_this_machine(project):
    """`make diffusion`, both steps: the same first 100 steps of thermo, steps and frames."""
    done = project.make("diffusion", *WORDS, "RUNNER=slurm", "YES=1")
    assert done.code == 0, done.err
    there, here = f"runs/pb10po46o/toy/{STATE}", f"local/pb10po46o/toy/{STATE}"
    assert settle(project, f"{there}/.shown", f"{there}/result.json", f"{there}/msd.png")
    assert "D_c" in project.log()
    done = project.make("diffusion", *WORDS, "RUNNER=slurm")
    assert done.code == 0 and f"up to date: {there}/result.json" in done.out
    assert project.make("CORES=1", "RUNS=local", *WORDS[:2], f"{here}/traj.h5").code == 0
    texts = [(project / folder / "md/samples.0.txt").read_text() for folder in (there, here)]
    rows = [[line.split() for line in text.splitlines()[1:]] for text in texts]
    steps = [[int(row[0]) for row in table] for table in rows]
    assert steps[0] == steps[1] and set(steps[0]) == set(range(0, 501, 20))
    for found, expected in zip(rows[0][:6], rows[1][:6], strict=True):
        assert_allclose([float(x) for x in found], [float(x) for x in expected], rtol=1e-6)
    found, expected = arrays(project / there / "traj.h5"), arrays(project / here / "traj.h5")
    assert {name: a.shape for name, a in found.items()} == {
        name: a.shape for name, a in expected.items()
    }


@pytest.mark.slow
def test_heating_on_the_cluster_ends_in_one_result_of_all_runs(project):
    """`make melting`: four runs side by side, and a job that waits for them; then it is done."""
    words = ("melting", *WORDS[:3], "RUNNER=slurm", "YES=1")
    done = project.make(*words)
    assert done.code == 0 and done.err.count("submitted: ") == 2, done.err
    folder = "runs/pb10po46o/toy/melting/P0GPa"
    names = [f"{folder}/{name}" for name in ("steps/result.json", "steps/figure.png", ".shown")]
    assert settle(project, *names) == names, project.log()
    result = Result.read(project / names[0])
    assert result.state["temperatures_K"] == [100, 200, 300, 400]
    done = project.make(*words)
    assert done.code == 0 and "submitted" not in done.err
    assert f"up to date: {names[0]}" in done.out
