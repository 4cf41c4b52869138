"""Routes, drift and stability with a Lennard-Jones crystal: what ASE and LAMMPS agree on."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from numpy.testing import assert_allclose

from dpchannel.benchmark.acceptance import Models, load_models, routes
from dpchannel.benchmark.endurance import Runner, closest, drift, stability
from dpchannel.errors import EngineFailed, PotentialError
from dpchannel.md.single_point import single_point
from dpchannel.potential.reference import Reference
from dpchannel.settings import MDSettings, ProfileSettings, SystemSettings, VerifySettings, load
from dpchannel.statepoint import StatePoint
from dpchannel.structures.cells import load_structure

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
LIMITS = load(VerifySettings, INPUTS / "verify.toml")
ELEMENTS = SYSTEM.system.elements
EPSILON_eV, SIGMA_A, CUTOFF_A = 0.005, 1.9, 4.0
TOY = ProfileSettings(
    repeat=(1, 1, 1),
    equilibrate_ps=0.1,
    produce_ps=0.4,
    mobile_every_fs=10,
    frame_every_fs=50,
    restart_every_fs=100,
)


def lj(epsilon_eV=EPSILON_eV):
    return LennardJones(sigma=SIGMA_A, epsilon=epsilon_eV, rc=CUTOFF_A)


def pair_file(folder, epsilon_eV=EPSILON_eV, sigma_A=SIGMA_A):
    path = folder / "soft.lammps"
    path.write_text(f"pair_style lj/cut {CUTOFF_A}\npair_coeff * * {epsilon_eV} {sigma_A}\n")
    return path


@pytest.fixture
def runner(tmp_path):
    """One rank, the integrator of production, everything in a scratch folder."""

    def make(**force):
        md = load(MDSettings, INPUTS / "md.toml")
        file = pair_file(tmp_path, **force)
        return Runner(SYSTEM, INPUTS, file, md, tmp_path / "md", 1, lambda text: None)

    return make


def test_a_single_point_in_a_skewed_cell_is_that_of_ase(tmp_path):
    """LAMMPS turns the cell; the forces come back turned. 1e-12: rounding of sums of a few eV/A."""
    cell = np.array([[4.1, 0.2, -0.1], [-1.9, 4.4, 0.3], [-0.2, 0.1, 4.9]])
    places = [[0, 0, 0], [0.5, 0.5, 0.02], [0.48, 0.01, 0.5], [0.03, 0.5, 0.52]]
    atoms = Atoms("PbOPO", scaled_positions=places, cell=cell, pbc=True)
    atoms.calc = lj(1.0)
    found = {}
    for order in (ELEMENTS, ELEMENTS[::-1]):
        found[order] = single_point(
            tmp_path / "work", atoms, elements=order, potential=pair_file(tmp_path, 1.0)
        )
        assert_allclose(found[order][1], atoms.get_forces(), rtol=0, atol=1e-12)
    energies = [energy for energy, _ in found.values()]
    assert energies[0] == pytest.approx(energies[1], abs=1e-12)


def test_a_single_point_that_fails_names_its_log(tmp_path):
    broken = tmp_path / "broken.lammps"
    broken.write_text("pair_style none_such\n")
    atoms = load_structure(SYSTEM, INPUTS)
    with pytest.raises(EngineFailed, match=r"log\.lammps: LAMMPS stopped before the first step"):
        single_point(tmp_path / "work", atoms, elements=ELEMENTS, potential=broken)
    with pytest.raises(PotentialError, match="no such potential"):
        single_point(tmp_path, atoms, elements=ELEMENTS, potential=tmp_path / "none.pb")


def test_routes_tell_which_route_differs(runner, tmp_path):
    """A hundredth of the well depth shows in the forces; the same numbers do not."""
    crystal = load_structure(SYSTEM, INPUTS)
    reference = Reference({"0GPa": crystal}, {"slide": [crystal, crystal]}, {})
    models = Models(lj(1.01 * EPSILON_eV), lj(), pair_file(tmp_path))
    found = routes(models, reference, runner(), LIMITS.routes)
    assert {check.name: check.ok for check in found.checks} == {
        "compressed_force_difference": False,
        "lammps_force_difference": True,
    }
    # rounding; ASE sums pair by pair, LAMMPS neighbour by neighbour
    assert found.quantities["lammps_force_difference"].value < 1e-9


def test_energy_is_kept_without_a_thermostat(runner):
    """NVE after NPT: the box stands still; the drift has its error and interval.

    0.5 meV/atom/ps: the cut-off, where energy jumps by 0.2 meV for each pair that crosses it.
    """
    limits = LIMITS.drift.model_copy(update={"run": TOY, "limit_meV_per_atom_per_ps": 0.5})
    run = runner()
    found = drift(run, limits)
    slope = found.quantities["nve_drift"]
    low, high = slope.ci95
    assert low < slope.value < high and slope.stderr > 0
    assert slope.n == 41  # 0.4 ps, every 10 fs, both ends
    assert [check.ok for check in found.checks] == [True], found.checks
    thermo = np.loadtxt(run.work / "nve" / "samples.0.txt", skiprows=1)
    volume, produced = thermo[:, 5], thermo[:, 0] >= 100
    assert np.ptp(volume[produced]) == 0
    assert np.ptp(volume[~produced]) > 0
    again = run.work / "nve" / "log.0.lammps"
    before = again.stat().st_mtime_ns
    assert drift(run, limits).quantities == found.quantities  # only read
    assert again.stat().st_mtime_ns == before


def test_stability_counts_steps_and_the_closest_pair(runner):
    """The crystal's shortest bond is 1.5 A: 1 A is kept, 2.4 A is not."""
    limits = LIMITS.stability.model_copy(update={"run": TOY, "states": LIMITS.stability.states[1:]})
    run = runner()
    found = stability(run, limits)
    (check,) = found.checks
    assert check.name == "closest_P8GPa_T500K" and check.ok
    assert check.text.startswith("500 steps, no atom lost; in 9 frames")
    assert 1.0 < found.quantities[check.name].value < 2.0
    strict = limits.model_copy(update={"closest_A": 2.4})
    assert [check.ok for check in stability(run, strict).checks] == [False]
    trajectory = run.run("npt_P8GPa_T500K", StatePoint(8, 500), TOY)
    assert closest(trajectory, 0.5) == (0.5, "lower_bound")
    stream = trajectory.all
    brute = min(
        atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), 1)].min()
        for atoms in (
            Atoms(trajectory.atoms.numbers, scaled_positions=s, cell=c, pbc=True)
            for s, c in zip(stream.scaled, stream.cells, strict=True)
        )
    )
    assert closest(trajectory, 2.0)[0] == pytest.approx(brute, abs=1e-12)


def test_an_explosion_is_a_missed_check_not_an_error(runner):
    """Atoms pushed apart with thousands of eV: LAMMPS stops, the other checks go on."""
    run = runner(epsilon_eV=50, sigma_A=3.5)
    found = stability(run, LIMITS.stability.model_copy(update={"run": TOY}))
    assert [check.ok for check in found.checks] == [False, False]
    assert all("LAMMPS stopped" in check.text for check in found.checks)
    (check,) = drift(run, LIMITS.drift.model_copy(update={"run": TOY})).checks
    assert check.name == "nve_drift" and not check.ok


def test_one_file_is_not_a_potential_to_accept(tmp_path):
    with pytest.raises(PotentialError, match="Name the folder that holds both models"):
        load_models(pair_file(tmp_path), ELEMENTS)
