"""A Lennard-Jones crystal heated at a constant rate, from the run to the result and the figure.

0.1 eV, 2.6 A, cut off at 3.5 sigma: T_m = 0.69 x 0.1 eV / k_B = 800 K (Agrawal & Kofke, Mol. Phys.
85, 43 (1995)), and at 0.5 GPa some 850 K. A perfect crystal lasts longer, at this rate by a third.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk

from dpchannel.errors import InputError
from dpchannel.md.heat import Heated, heat
from dpchannel.physics.order import nearest_distance_A
from dpchannel.plots.melting import plot_melting
from dpchannel.report import melting_task
from dpchannel.report.heated_structure import Watched
from dpchannel.report.heating import Run, look_along
from dpchannel.report.melting import analyse
from dpchannel.results import Result
from dpchannel.settings import MDSettings, load
from dpchannel.settings.crystal import MeltingPairs
from dpchannel.settings.melting import HeatedSettings, MeltingSettings
from dpchannel.statepoint import StatePoint
from dpchannel.structures.coordination import Coordination

P_GPa, T_M = 0.5, 850.0
ENDS_K = 250.0, 1550.0
BIN_K = 50.0
PAIR = "pair_style lj/cut 9.1\npair_coeff * * 0.1 2.6\n"
MD = MDSettings(timestep_fs=4, thermostat_ps=0.1, barostat_ps=0.5, seed=5, occupancy="ordered")
RUN = HeatedSettings(
    edges_A=(24.6, 24.6, 24.6),
    equilibrate_ps=1.2,
    produce_ps=15.0,
    mobile_every_fs=20,
    frame_every_fs=40,
    restart_every_fs=1000,
)
PAIRS = MeltingPairs(rdf_pairs=(("Na", "Na"),), contrast_pairs=(("Na", "Na"),))


@pytest.fixture(scope="module")
def settings(root):
    """Those of the project, with fewer frames, and a window for atoms three times as quick."""
    found = load(MeltingSettings, root / "inputs" / "melting.toml").model_dump()
    found["structure"]["max_frames"] = 2
    found["detection"] |= {"window_ps": 0.6, "first_lag_ps": 0.15}
    return MeltingSettings.model_validate(found)


@pytest.fixture(scope="module")
def run(tmp_path_factory, settings):
    folder = tmp_path_factory.mktemp("ramp")
    potential = folder / "lj.lammps"
    potential.write_text(PAIR)
    atoms = bulk("Na", "fcc", a=4.1, cubic=True).repeat(6)
    everyone = np.arange(len(atoms))
    what = Heated(
        atoms, ("Na",), everyone[:1], everyone, potential, (), MD, settings.heating, 1, print
    )
    trajectory = heat(folder / "md", what, StatePoint(P_GPa, ENDS_K[0]), RUN, end_K=ENDS_K[1])
    edges = [np.linalg.norm(trajectory.mobile.cells[:, k], axis=1) / 6 for k in range(3)]
    lattice = dict(zip("abc", edges, strict=True)) | {"V": np.prod(edges, axis=0)}
    nearest = nearest_distance_A(atoms.get_scaled_positions(), atoms.cell.array)
    watched = Watched(PAIRS, Coordination("Na", "Na", 3.5, 12))
    return Run(trajectory, lattice, everyone, nearest, 216, P_GPa, watched)


@pytest.fixture(scope="module")
def looks(run, settings):
    return look_along(run, settings, BIN_K)


@pytest.fixture(scope="module")
def found(looks, settings):
    return analyse(looks, settings, n_atom=4)


def test_it_melts_above_the_melting_point_and_not_far_above(run, found):
    molten, planned = (run.trajectory.meta[name] for name in ("molten_step", "planned_steps"))
    t_m = found.quantities["T_m_heating"]
    assert t_m.kind == "bracket", found.bracket.text
    low, high = t_m.ci95
    # over 4 ps it melts, while it goes on being heated
    assert high > T_M and low < 1.35 * T_M and high - low <= 300 + 2 * BIN_K
    middle = ENDS_K[0] + (ENDS_K[1] - ENDS_K[0]) * molten / planned
    assert low < middle < high  # where the axes were coupled


def test_the_signals_agree(found):
    checks = {check.name: check for check in found.checks}
    assert checks["signals_agree"].ok, checks["signals_agree"].text
    assert checks["framework_motion"].ok and checks["far_order"].ok
    for name in ("V", "H", "contrast", "lindemann", "framework_D"):
        assert found.quantities[f"T_m_heating_{name}"].kind == "bracket", name


def test_a_ramp_has_no_check_of_equilibrium_nor_of_a_committee_that_was_not_there(found):
    assert {"equilibrated", "committee"}.isdisjoint(check.name for check in found.checks)


def test_vibration_of_a_crystal_is_no_motion(looks, settings):
    limit = settings.detection.framework_D_cm2_per_s
    there = [look for look in looks if look.temperature_K < T_M and look.lag_ps.size]
    cold = [look.values["framework_D"] for look in there]
    assert len(cold) > 5  # but for the first, whose window begins before the run
    assert all(value < limit for value, _ in cold)


def test_edges_are_those_of_a_crystal_alone(looks, found):
    kelvin, a = found.arrays["temperature_K"], found.arrays["a"]
    lows = [found.quantities[f"T_m_heating_{name}"].ci95[0] for name in ("H", "lindemann")]
    assert np.isfinite(a[(kelvin > 350) & (kelvin < 800)]).all()
    assert np.isnan(a[kelvin > min(lows) + BIN_K]).all()
    assert found.arrays["coordination"][0] > 0.9 > found.quantities["coordination_least"].value


@pytest.fixture
def heating(tmp_path, run, looks, settings, monkeypatch):
    """Two ramps read from the one run; `slow` is said to have half the rate."""
    monkeypatch.setattr(melting_task, "look_along", lambda *_: looks)
    named = {
        "fast": {"name": "fast", "run": RUN.model_dump()},
        "slow": {"name": "slow", "run": RUN.model_dump() | {"produce_ps": 30.0}},
    }
    shared = {"from_K": ENDS_K[0], "to_K": ENDS_K[1], "bin_K": BIN_K}
    profile = settings.profiles["toy"].model_dump() | {
        "ramps": [one | shared for one in named.values()]
    }
    every = settings.model_dump()
    every["profiles"] = {"toy": profile}
    lj = SimpleNamespace(name="lj", title="Lennard-Jones", formula="Na4")
    monkeypatch.setattr(melting_task, "read_run", lambda path, system: run)
    files = []
    for name in named:
        files.append(tmp_path / name / "traj.h5")
        files[-1].parent.mkdir()
        files[-1].write_text(name)
    crystal = SimpleNamespace(system=lj)
    return files, melting_task.Heating(
        crystal, MeltingSettings.model_validate(every), "toy", "ramp"
    )


def test_ramps_stand_side_by_side_with_all_their_checks(heating, tmp_path, found):
    files, how = heating
    out = tmp_path / "result.json"
    result = melting_task.ramps(files, how, out)
    assert (result.state["ramp"], result.quantities["T_m_heating_fast"].kind) == ("slow", "bracket")
    assert "864 atoms, 80.2 K/ps" in result.quantities["T_m_heating_fast"].method
    names = [check.name for check in result.checks]
    assert {"signals_agree", "signals_agree_fast", "far_order_fast"} <= set(names)
    with np.load(tmp_path / "melting.npz") as arrays:
        assert arrays["ramps"].tolist() == ["slow", "fast"]
        assert np.array_equal(arrays["ramp.fast.V"], found.arrays["V"])
    figure = tmp_path / "figure.png"
    plot_melting(out, [figure], paper_K=1200.0)
    assert figure.stat().st_size > 20000
    assert Result.read(out).summary.startswith("Melts ")


def test_a_file_of_no_ramp_is_refused_by_name(heating, tmp_path):
    (file, *_), how = heating
    with pytest.raises(InputError, match=r"'foreign' is no ramp of profile toy, which has fast, s"):
        melting_task.ramps([file.parent.parent / "foreign" / "traj.h5"], how, tmp_path / "r.json")


def test_a_ramp_too_short_to_be_cut_does_not_stop_the_others(heating, tmp_path, monkeypatch, looks):
    files, how = heating
    cut = iter([looks[:3], looks])
    monkeypatch.setattr(melting_task, "look_along", lambda *_: next(cut))
    result = melting_task.ramps(files, how, tmp_path / "r.json")
    (short,) = [check for check in result.checks if check.name == "stretches_fast"]
    assert not short.ok and "3 stretches" in short.text and result.state["ramp"] == "slow"


def test_ramps_of_two_potentials_are_not_joined(heating, tmp_path, monkeypatch, run):
    files, how = heating
    other = replace(run.trajectory, meta=run.trajectory.meta | {"potential": {"sha256": "f" * 64}})
    runs = iter([run, replace(run, trajectory=other)])
    monkeypatch.setattr(melting_task, "read_run", lambda *_: next(runs))
    with pytest.raises(InputError, match=r"slow/traj.h5: potential ffffffffffff, and"):
        melting_task.ramps(files, how, tmp_path / "r.json")
