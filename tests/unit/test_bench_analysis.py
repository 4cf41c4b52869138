"""The long run of the benchmark is a run of LAMMPS to its readers, with the motion it was given."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.benchmark import long_run
from dpchannel.benchmark.analysis import Bench, measure, prepare
from dpchannel.benchmark.machine import by_others, over_repeats, quiet_check, quiet_meanwhile
from dpchannel.errors import EngineFailed, EngineMissing
from dpchannel.md import lammps
from dpchannel.md.h5md import read_h5md, write_h5md
from dpchannel.report.diffusion_task import analyse
from dpchannel.results import project_root
from dpchannel.settings import DiffusionSettings, SystemSettings, load
from dpchannel.settings.bench import BenchSettings
from dpchannel.structures.cells import build
from dpchannel.structures.classify import classify

INPUTS = project_root() / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
SETTINGS = load(BenchSettings, INPUTS / "bench.toml")
DIFFUSION = load(DiffusionSettings, INPUTS / "diffusion.toml")


def small(n_frame: int) -> long_run.LongRun:
    atoms = build(SYSTEM, INPUTS, SYSTEM.system.cell, (1, 1, 2), "ordered", 1)
    sites = classify(atoms, SYSTEM)
    return long_run.LongRun(atoms, sites, SYSTEM.channel.sites_per_cell, n_frame, 500.0, 4.0, 1)


def collected(folder: Path, run: long_run.LongRun):
    meta = {"state": {"temperature_K": 500.0, "pressure_GPa": 4.0}}
    return lammps.collect(folder, run.plan, run.atoms, run.sites.mobile, meta)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder, run = tmp_path_factory.mktemp("long"), small(1201)
    long_run.write(folder, run, ("ions", "all"))
    return folder, run


def test_its_files_pass_for_those_of_a_run_and_hold_the_motion(written, tmp_path):
    folder, run = written
    write_h5md(tmp_path / "t.h5", collected(folder, run))
    result, arrays = analyse(read_h5md(tmp_path / "t.h5"), SYSTEM, DIFFUSION, where="t.h5")
    failed = {check.name for check in result.checks if not check.ok}
    assert failed <= {"diffusive_c", "diffusive_ab", "diffusive_3d"}  # too short for that
    # 4 ions x 120 ps x 0.01 / ps: 4.8 hops, Poisson
    assert 1 <= result.quantities["n_hops"].value <= 12
    # white noise of 0.1 A on each axis: MSD_ab = 2 x 2 x 0.01 A^2; 4801 samples, so within 10 %
    assert_allclose(arrays["msd_ab"][1], 0.04, rtol=0.1)


def test_text_and_binary_hold_the_same_positions(written):
    folder, run = written
    scaled = np.asarray(collected(folder, run).mobile.scaled)
    mobile = np.sort(run.sites.mobile)
    listed = np.sort(np.r_[mobile, run.two_of_framework])
    lines = (folder / long_run.IONS_TEXT).read_text().splitlines()
    last = np.array([line.split() for line in lines[-len(listed) :]], float)
    assert_allclose(last[:, 0] - 1, listed)
    ions = last[np.isin(listed, mobile), 2:]
    assert_allclose(ions, scaled[-1] * run.atoms.cell.lengths(), rtol=1e-8)


def test_the_framework_is_at_rest_by_mass_and_by_number(written):
    """Only then do tools that subtract different drifts agree."""
    folder, run = written
    everyone = np.asarray(collected(folder, run).all.scaled)
    rest = np.setdiff1d(np.arange(len(run.atoms)), run.sites.mobile)
    for chosen in (rest, run.sites.roles["framework"], run.two_of_framework):
        moved = everyone[:, chosen].mean(axis=1) - everyone[0, chosen].mean(axis=0)
        assert_allclose(moved, 0, atol=1e-12)


@pytest.fixture
def bench(tmp_path):
    how = SETTINGS.analysis.model_copy(update={"repeat": (1, 1, 2), "repeats": 1})
    settings = SETTINGS.model_copy(update={"analysis": how})
    file = INPUTS / "pb10po46o.toml"
    python = tmp_path / "none" / "python"
    return Bench(file, "pb10po46o", settings, 401, "ions", tmp_path, python, lambda _: None)


def test_this_toolkit_is_timed_in_a_process_of_its_own(bench):
    prepare(bench)
    result = measure(bench, "dpchannel", busy=True)
    assert result.quantities["wall"].value > 0.1  # imports alone take that long
    assert 30 < result.quantities["peak_memory"].value < 4000  # MB
    assert {"cpu", "cores", "memory_GB", "load_at_start", "busy_at_start"} == set(
        result.provenance["machine"]
    )
    with pytest.raises(EngineMissing, match="make bench-analysis"):
        measure(bench, "kinisi", busy=True)


def test_a_tool_that_fails_is_a_bound_and_says_why(bench):
    prepare(bench)
    measure(bench, "dpchannel", busy=True)
    here = replace(bench, python=Path(sys.executable))  # this environment lacks the package
    result = measure(here, "pymatgen", busy=True)
    assert result.quantities["wall"].kind == "lower_bound"
    (failed,) = [check for check in result.checks if check.name == "finished"]
    assert not failed.ok and "No module named" in failed.text


def test_a_busy_machine_is_refused_or_marked():
    here = {"load_at_start": 1.9, "busy_at_start": 0.95, "cores": 2}
    with pytest.raises(EngineFailed, match=r"95% of the CPU.*BUSY=1"):
        quiet_check(here, 0.1, busy=False)
    assert not quiet_check(here, 0.1, busy=True).ok
    assert quiet_check(here | {"busy_at_start": 0.02}, 0.1, busy=False).ok


def test_what_others_use_while_something_is_timed_is_seen():
    """Two cores for 10 s at 100 ticks: 1200 of 2000 used, 9 s of them by us, so 0.15 by others."""
    spent = np.array([1000, 0, 150, 700, 100, 0, 30, 20], float)
    assert_allclose(by_others(spent, 9.0, 100), 0.15)
    assert by_others(spent, 12.5, 100) == 0.0  # children that began before we watched
    with pytest.raises(EngineFailed, match="15% of the CPU time used by others meanwhile"):
        quiet_meanwhile(0.15, 0.1, busy=False)
    assert not quiet_meanwhile(0.15, 0.1, busy=True).ok
    assert quiet_meanwhile(0.05, 0.1, busy=False).ok


def test_error_of_repeats_is_students():
    q = over_repeats([1.0, 2.0, 3.0], "s", "wall")
    assert_allclose([q.value, q.stderr], [2.0, 1 / np.sqrt(3)])
    assert_allclose(q.ci95[1] - 2.0, 4.302653 / np.sqrt(3), rtol=1e-6)  # t of 2 degrees at 97.5 %
    assert over_repeats([1.0], "s", "wall").stderr is None
