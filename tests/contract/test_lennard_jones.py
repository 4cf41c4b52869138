"""A crystal whose melting is known: Lennard-Jones, heated and beside its liquid.

0.1 eV, 2.6 A at 0.5 GPa: T_m = 0.732 x 0.1 eV / k_B = 850 K on the melting line of the whole
potential (Agrawal & Kofke, Mol. Phys. 85, 43 (1995)). What a cutoff takes off goes as its inverse
cube: 170 K at 2 sigma, by coexistence in these cells, so 30 K at the 3.5 sigma of this one. A
perfect crystal lasts some 20 % longer.
"""

import numpy as np
import pytest
from ase.build import bulk

from dpchannel.md.coexist import Coexistence, coexist, melted
from dpchannel.md.heat import Heated, heat
from dpchannel.md.rest import at_rest
from dpchannel.physics.order import nearest_distance_A
from dpchannel.report.coexistence import Searched, quantities, see
from dpchannel.report.heated_structure import Watched
from dpchannel.report.heating import Run, look, look_at_rest
from dpchannel.report.melting import analyse
from dpchannel.settings import MDSettings, load
from dpchannel.settings.crystal import MeltingPairs
from dpchannel.settings.melting import (
    CoexistenceSettings,
    HeatedSettings,
    MeltingSettings,
    RelaxedSettings,
)
from dpchannel.statepoint import StatePoint
from dpchannel.structures.coexistence import halves
from dpchannel.structures.coordination import Coordination
from dpchannel.units import gpa_in_ev_per_a3

P_GPa = 0.5  # 0.55 in units of the potential: without it the liquid boils
PAIR = "pair_style lj/cut 9.1\npair_coeff * * 0.1 2.6\n"
MD = MDSettings(timestep_fs=3, thermostat_ps=0.1, barostat_ps=0.2, seed=5, occupancy="ordered")
PAIRS = MeltingPairs(rdf_pairs=(("He", "He"),), contrast_pairs=(("He", "He"),))
HELIUM = Watched(PAIRS, Coordination("He", "He", 3.5, 12))
RUN = HeatedSettings(
    edges_A=(24.6, 24.6, 24.6),
    equilibrate_ps=1.2,
    produce_ps=1.5,
    mobile_every_fs=30,
    frame_every_fs=60,
    restart_every_fs=300,
)


@pytest.fixture(scope="module")
def potential(tmp_path_factory):
    path = tmp_path_factory.mktemp("lj") / "lj.lammps"
    path.write_text(PAIR)
    return path


@pytest.fixture(scope="module")
def settings(root):
    """Those of the project, with fewer frames, and a window for atoms as quick as helium's."""
    found = load(MeltingSettings, root / "inputs" / "melting.toml")
    structure = found.structure.model_dump() | {"max_frames": 4}
    detection = found.detection.model_dump() | {"window_ps": 0.6, "first_lag_ps": 0.15}
    changed = {"structure": structure, "detection": detection}
    return MeltingSettings.model_validate(found.model_dump() | changed)


def crystal(repeat):
    return bulk("He", "fcc", a=4.1, cubic=True).repeat(repeat)


def edges(cells, n_cell):
    """a, b, c and V of a cubic cell with four atoms."""
    a, b, c = (np.linalg.norm(cells[:, k], axis=1) / n_cell for k in range(3))
    return {"a": a, "b": b, "c": c, "V": a * b * c}


@pytest.fixture(scope="module")
def looks(tmp_path_factory, potential, settings):
    """The crystal at rest and at five temperatures."""
    atoms, folder = crystal(6), tmp_path_factory.mktemp("steps")
    everyone = np.arange(len(atoms))
    what = Heated(
        atoms, ("He",), everyone[:1], everyone, potential, (), MD, settings.heating, 1, print
    )
    rest = at_rest(
        folder / "rest",
        atoms,
        elements=("He",),
        potential=potential,
        pressure_GPa=P_GPa,
        how=RelaxedSettings(fmax_eV_per_A=1e-3, max_steps=200),
    )
    lattice = {k: float(x[0]) for k, x in edges(rest.cell.array[None], 6).items()}
    pv = P_GPa * gpa_in_ev_per_a3() * lattice["V"]
    found = [look_at_rest(rest, lattice, rest.get_potential_energy() / 216 + pv, HELIUM, settings)]
    nearest = nearest_distance_A(atoms.get_scaled_positions(), atoms.cell.array)
    for kelvin in (200.0, 400.0, 600.0, 1100.0, 1200.0):
        trajectory = heat(folder / f"T{kelvin:g}K", what, StatePoint(P_GPa, kelvin), RUN)
        run = Run(
            trajectory, edges(trajectory.mobile.cells, 6), everyone, nearest, 216, P_GPa, HELIUM
        )
        found.append(look(run, settings))
    return found


def test_rest_is_the_known_minimum(looks):
    """Energy and edge against a sum over the shells within the cutoff."""
    n = np.array([(i, j, k) for i in range(-6, 7) for j in range(-6, 7) for k in range(-6, 7)])
    n = n[(n.sum(axis=1) % 2 == 0) & (n != 0).any(axis=1)]
    a = np.linspace(3.9, 4.2, 3001)
    r = a[:, None] / 2 * np.linalg.norm(n, axis=1)
    e = np.where(r < 9.1, 0.2 * ((2.6 / r) ** 12 - (2.6 / r) ** 6), 0).sum(axis=1)
    values = looks[0].values
    at = np.abs(a - values["a"][0]).argmin()
    pv = P_GPa * gpa_in_ev_per_a3() * a**3
    # the grid is 1e-4 A fine: 0.5 GPa x 3 a^2 x 5e-5 A = 8e-6 eV
    assert values["H"][0] - pv[at] == pytest.approx(4 * e[at], abs=2e-5)
    pressure = -np.gradient(4 * e, a**3)[at] / gpa_in_ev_per_a3()
    assert pressure == pytest.approx(P_GPa, abs=0.02)  # relaxed to 0.01 GPa


def test_all_signals_find_it_and_agree(looks, settings):
    found = analyse(looks, settings, n_atom=4)
    t_m = found.quantities["T_m_heating"]
    assert (t_m.kind, t_m.ci95) == ("bracket", (600.0, 1100.0))
    checks = {check.name: check for check in found.checks}
    assert checks["signals_agree"].ok, checks["signals_agree"].text
    assert checks["far_order"].ok, checks["far_order"].text
    for name in ("V", "H", "contrast", "lindemann", "framework_D"):
        low, high = found.quantities[f"T_m_heating_{name}"].ci95
        # its heat capacity rises by half: at 600 K the enthalpy alone may not tell
        assert high == 1100.0 and low in ((400.0, 600.0) if name == "H" else (600.0,)), name


def test_edges_are_those_of_a_crystal_only(looks, settings):
    arrays = analyse(looks, settings, n_atom=4).arrays
    # at 600 K the enthalpy may not tell, and then it is not called a crystal
    assert np.isfinite(arrays["c"][:3]).all() and np.isnan(arrays["c"][4:]).all()
    assert (np.diff(arrays["V"][:4]) > 0).all()
    # twelve neighbours at rest, hardly any atom with exactly twelve bonds to 3.5 A in the melt
    assert arrays["coordination"][0] == 1 and arrays["coordination"][-1] < 0.5


def test_thermal_expansion_is_that_of_a_soft_crystal(looks, settings):
    """Solid argon just below melting: 2e-3 /K at 80 K; scaled by 800 K / 84 K that is 2e-4 /K."""
    found = analyse(looks, settings, n_atom=4).quantities["expansion_V"]
    assert 1e-4 < found.value < 4e-4 and found.stderr < 0.3 * found.value


def test_without_the_hot_runs_there_is_only_a_lower_bound(looks, settings):
    found = analyse(looks[:4], settings, n_atom=4).quantities["T_m_heating"]
    assert (found.kind, found.value) == ("lower_bound", 600.0)


@pytest.fixture(scope="module")
def beside(tmp_path_factory, potential, settings):
    """Crystal and liquid beside each other, 50 K or more below the melting point and above it."""
    run = RUN.model_copy(update={"equilibrate_ps": 1.8, "produce_ps": 6.0})
    how = CoexistenceSettings(
        low_K=500, high_K=1100, tolerance_K=50, max_runs=2, hot_K=2000, melt_ps=0.6, stretch=0.1,
        run=run,
    )  # fmt: skip
    atoms, folder, done = crystal((4, 4, 14)), tmp_path_factory.mktemp("beside"), Searched()
    everyone = np.arange(len(atoms))
    what = Coexistence(("He",), potential, MD, how, 3000.0, 1, print)
    for kelvin in (760.0, 900.0):
        a = 4.02 + 2.2e-4 * (kelvin - 200)  # A, of the solid, as the steps give it
        start = halves(atoms, a * np.array([4, 4, 14]), stretch=how.stretch, longest_to_others=1.5)
        work, point = folder / f"T{kelvin:g}K", StatePoint(P_GPa, kelvin)
        trajectory = coexist(work, start, what, point, mobile=everyone[:1], framework=everyone)
        lateral = trajectory.mobile.cells[:, [0, 1], [0, 1]]
        assert np.ptp(lateral, axis=0).max() == 0  # only the normal moves
        assert np.ptp(trajectory.mobile.cells[:, 2, 2]) > 0.1
        at_melt = melted(work, len(atoms))
        done.seen[kelvin] = see(trajectory, at_melt, start, everyone, 14, settings.interface)
    return done


def test_beside_its_liquid_the_crystal_grows_when_cold_and_shrinks_when_hot(beside):
    motions = beside.motions
    assert [m.verdict for m in motions.values()] == ["grows", "shrinks"], motions


def test_the_interfaces_stand_still_at_the_melting_point(beside):
    """Between 820 K, what the cutoff leaves, and 850 K of the whole potential; 3 errors beyond."""
    found = quantities(beside, "896 atoms")
    t_m, bracket = found["T_m_velocity"], found["T_m_coexistence"]
    assert bracket.ci95 == (760.0, 900.0)
    assert t_m.stderr < 20, t_m
    assert 820 - 3 * t_m.stderr < t_m.value < 850 + 3 * t_m.stderr, t_m
