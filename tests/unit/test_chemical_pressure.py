"""Chemical pressure: what a dopant is worth, on which sites, and with which spins."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase.units import GPa
from numpy.testing import assert_allclose

from dpchannel.benchmark.by_files import LabelerCalculator
from dpchannel.benchmark.chemical import (
    Bench,
    _phase_at_rest,
    _reproduced,
    chemical_pressure,
    measures,
)
from dpchannel.benchmark.chemical_points import on_published
from dpchannel.benchmark.outcome import Outcome
from dpchannel.errors import EngineFailed, EngineMissing, InputError
from dpchannel.labels.doped import spins, write_doped
from dpchannel.labels.frame_file import read_frame, with_results, write_frame
from dpchannel.labels.gate import problem
from dpchannel.labels.labeler import frame_id
from dpchannel.physics.equivalent import Curve, equivalent_pressure
from dpchannel.report.chemical import shown
from dpchannel.results import Result
from dpchannel.settings import LabelSettings, SystemSettings, load
from dpchannel.settings.chemical import ChemicalPressureSettings
from dpchannel.settings.vasp import VaspSettings
from dpchannel.structures.cells import load_structure
from dpchannel.structures.dopants import dopant_sites, doped
from dpchannel.structures.io import read_structure

sys.path.append(str(Path(__file__).resolve().parents[1]))
from springs import Springs

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
SETTINGS = load(ChemicalPressureSettings, INPUTS / "chemical-pressure.toml")
CRYSTAL = load_structure(SYSTEM, INPUTS)
SITES = dopant_sites(CRYSTAL, SYSTEM, SETTINGS)


def test_the_pressure_of_a_point_on_the_curve_is_its_own():
    pressures = np.array([-2.0, 0.0, 2.0, 4.0, 8.0])
    volumes = 650.0 * np.exp(-pressures / 60.0)
    for pressure, volume in zip(pressures, volumes, strict=True):
        assert equivalent_pressure(pressures, volumes, volume) == pytest.approx(pressure, abs=1e-9)
    # between the points a smooth curve is met to the square of the spacing over its scale
    between = 650.0 * np.exp(-3.0 / 60.0)
    assert equivalent_pressure(pressures, volumes, between) == pytest.approx(3.0, abs=0.01)
    assert equivalent_pressure(pressures, -volumes, -between) == pytest.approx(3.0, abs=0.01)


def test_nothing_is_extrapolated_and_a_turning_curve_has_no_equivalent():
    pressures = np.array([0.0, 1.0, 2.0])
    assert equivalent_pressure(pressures, np.array([3.0, 2.0, 1.0]), 3.5) is None
    with pytest.raises(InputError, match="not change steadily"):
        equivalent_pressure(pressures, np.array([3.0, 2.0, 3.0]), 2.5)


def test_inequivalent_sites_are_both_kinds_of_lead():
    assert {name.split("-")[0] for name in SITES} == {"Pb1", "Pb2"}
    assert len(set(SITES.values())) == len(SITES) >= 3
    assert all(CRYSTAL[atom].symbol == "Pb" for atom in SITES.values())


def test_edges_of_the_published_pair():
    """What the published structures give, by hand: 3.942 and 4.546 pure, 3.946 and 4.452 doped."""
    pair = SETTINGS.published["Lai2023"]
    pure = measures(read_structure(INPUTS / pair.pure), SYSTEM, {})
    with_dopant = measures(read_structure(INPUTS / pair.doped), SYSTEM, {"Cu": "Pb"})
    found = [m[f"triangle_{kind}"] for m in (pure, with_dopant) for kind in ("filled", "empty")]
    assert_allclose(found, [3.942, 4.546, 3.946, 4.452], rtol=0, atol=1e-3)
    three = [with_dopant[f"triangle_empty_{k}"] for k in (1, 2, 3)]
    assert_allclose(np.mean(three), with_dopant["triangle_empty"], rtol=1e-9)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """Springs know no element: a dopant changes nothing, so it is worth no pressure."""
    how = SETTINGS.model_copy(
        update={"pressures_GPa": (-1.0, 0.0, 2.0), "fmax_eV_per_A": 0.02, "symmetry_A": 0.01}
    )
    folder = tmp_path_factory.mktemp("chemical")
    notes = []
    bench = Bench("springs", "soft", Springs(CRYSTAL), folder, how, notes.append)
    found = chemical_pressure(CRYSTAL, SYSTEM, how, bench=bench, dopants=bench, inputs=INPUTS)
    number = len(notes)
    chemical_pressure(CRYSTAL, SYSTEM, how, bench=bench, dopants=bench, inputs=INPUTS)
    assert len(notes) == number  # every relaxation is kept
    return found


def test_an_engine_with_other_numbers_relaxes_anew(tmp_path):
    """A potential trained on, under the same name: what the earlier one relaxed is not its own."""
    how = SETTINGS.model_copy(update={"fmax_eV_per_A": 0.05})
    notes = []
    benches = [
        Bench("springs", identity, Springs(CRYSTAL, stiffness), tmp_path, how, notes.append)
        for identity, stiffness in (("soft", 1.0), ("hard", 4.0), ("soft", 1.0))
    ]
    soft, hard, again = [bench.relaxed("P2GPa", CRYSTAL, 2.0).get_volume() for bench in benches]
    assert [note for note in notes if note == "springs: P2GPa"] == ["springs: P2GPa"] * 2
    assert soft < hard < CRYSTAL.get_volume() and again == soft


def test_pressure_shrinks_and_a_dopant_without_properties_is_worth_nothing(outcome):
    for name in ("a", "c", "V"):
        values = [outcome.quantities[f"{name}_{p}GPa"].value for p in ("-1", "0", "2")]
        assert values[0] > values[1] > values[2]
        for site in SITES:
            # rest is reached to 0.02 eV/A: 1e-4 of V, and B is tens of GPa
            assert outcome.quantities[f"P_{name}_{site}"].value == pytest.approx(0.0, abs=0.05)
    assert outcome.state["sites"] == [*SITES, "Lai2023"]


def test_the_published_dopant_is_worth_a_positive_pressure_by_its_volume(outcome):
    published = outcome.quantities["P_V_Lai2023"]
    assert published.value is None or published.value > 0
    assert outcome.quantities["triangle_empty_Lai2023"].value == pytest.approx(4.452, abs=1e-3)
    assert "the paper: 4.36 A is 2.45 GPa" in outcome.summary


def test_whether_the_papers_edge_was_found_is_a_check(outcome):
    """Springs leave 4.546 A, the published Cu structure has 4.452 A: 0.09 A from 4.36 A."""
    (check,) = [check for check in outcome.checks if check.name == "paper_edge"]
    assert not check.ok
    assert "not reproduced" in check.text and "4.452 A, Lai2023" in check.text
    paper = SETTINGS.paper
    assert outcome.quantities["dopant_edge"].value == pytest.approx(4.452, abs=1e-3)
    site, check = _reproduced({"one": 4.5, "other": paper.edge_A + 0.9 * paper.within_A}, paper)
    assert site == "other" and check.ok
    assert not _reproduced({"one": paper.edge_A - 1.1 * paper.within_A}, paper)[1].ok


def test_the_table_names_every_site(outcome):
    result = Result("chemical-pressure", "pb10po46o", outcome.state, outcome.quantities)
    text = shown(result)
    assert all(site in text for site in outcome.state["sites"])
    assert "triangle_empty" in text


def test_spins_a_doublet_and_both_couplings():
    one = doped(CRYSTAL, SITES["Pb1-1"], "Cu")
    assert spins(one, "Cu", [1.0])["NUPDOWN"] == 1.0
    two = one.repeat((1, 1, 2))
    assert spins(two, "Cu", [1.0, 1.0])["NUPDOWN"] == 2.0
    opposite = spins(two, "Cu", [1.0, -1.0])
    assert opposite["NUPDOWN"] == 0.0 and opposite["ISPIN"] == 2
    assert sorted(opposite["MAGMOM"])[:1] + sorted(opposite["MAGMOM"])[-1:] == [-1.0, 1.0]


def test_inputs_for_vasp(tmp_path):
    library = tmp_path / "library"
    vasp = load(VaspSettings, INPUTS / "vasp.toml")
    for element, folder in vasp.potcars.items():
        (library / folder).mkdir(parents=True)
        (library / folder / "POTCAR").write_text(f"   TITEL  = PAW_PBE {element} 01Jan2000\n")
    program = vasp.program.model_copy(update={"potcar_library": str(library)})
    vasp = vasp.model_copy(update={"program": program})
    folders = write_doped(CRYSTAL, SYSTEM, SETTINGS, vasp, tmp_path / "out")
    assert len(folders) == 3 * len(SITES)
    for folder in folders:
        incar = (folder / "INCAR").read_text()
        atoms = 41 if folder.name == "one" else 82
        assert "ISPIN = 2" in incar and "SIGMA = 0.05" in incar
        assert sum(map(int, (folder / "POSCAR").read_text().splitlines()[6].split())) == atoms
    nowhere = vasp.model_copy(
        update={"program": program.model_copy(update={"potcar_library": str(tmp_path / "none")})}
    )
    with pytest.raises(EngineMissing, match="POTCAR library"):
        write_doped(CRYSTAL, SYSTEM, SETTINGS, nowhere, tmp_path / "none")


def test_the_gate_refuses_copper_without_spin():
    from ase.calculators.singlepoint import SinglePointCalculator

    gate = load(LabelSettings, INPUTS / "labels.toml").gate
    atoms = doped(CRYSTAL, SITES["Pb1-1"], "Cu")
    zero = {"energy": 0.0, "forces": np.zeros((len(atoms), 3)), "stress": np.zeros(6)}
    atoms.calc = SinglePointCalculator(atoms, **zero)
    elements = ("Pb", "P", "O", "Cu")
    for engine, polarised, refused in (
        ("vasp PBE", False, True),
        ("cp2k PBE", False, True),
        ("vasp PBE", True, False),
        ("SevenNetCalculator 7net-l3i5", False, False),
    ):
        atoms.info = {"converged": True, "engine": engine, "spin_polarised": polarised}
        assert ("closed shell" in (problem(atoms, gate, elements) or "")) == refused
    atoms.info = {"converged": True, "engine": "vasp PBE", "spin_polarised": True}
    assert "its moments are not known" in (problem(atoms, gate, elements) or "")
    for size, refused in ((0.02, True), (1.1, False)):
        atoms.info["absolute_moment_muB"] = size
        assert ("its moment fell to 0.02" in (problem(atoms, gate, elements) or "")) == refused


def test_other_dopants_and_wrong_ones():
    silver = SETTINGS.model_copy(update={"dopant": "Ag"})
    assert dopant_sites(CRYSTAL, SYSTEM, silver) == SITES
    with pytest.raises(InputError, match="has that already"):
        dopant_sites(CRYSTAL, SYSTEM, SETTINGS.model_copy(update={"dopant": "O"}))
    with pytest.raises(InputError, match="replaces = Xe"):
        dopant_sites(CRYSTAL, SYSTEM, SETTINGS.model_copy(update={"replaces": "Xe"}))


class Stub:
    """A DFT code through files: springs' pressure, and the moment that the frame starts with."""

    name = "stub"

    def write_inputs(self, atoms, folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_frame(atoms, folder)

    def run(self, folder):
        (folder / "done").touch()

    def read(self, folder):
        if not (folder / "done").exists():
            raise EngineFailed("not run")
        atoms = read_frame(folder)
        found = with_results(atoms, -1.0, np.zeros((len(atoms), 3)), -2.0 * GPa * np.eye(3))
        found.info["converged"] = True
        if (moments := atoms.get_initial_magnetic_moments()).any():
            found.info["moment_muB"] = float(moments.sum())
        return found


def test_a_dft_code_computes_the_published_crystals_with_one_unpaired_electron(tmp_path):
    calculator = LabelerCalculator(Stub(), tmp_path)
    found = on_published(calculator, SYSTEM, SETTINGS, INPUTS, lambda text: None)
    assert found.quantities["pressure_Lai2023_pure"].value == pytest.approx(2.0)
    assert found.quantities["moment_Lai2023_doped"].value == 1.0
    assert "moment_Lai2023_pure" not in found.quantities
    assert "moment 1.000 mu_B" in found.summary
    assert found.summary.endswith("No curve under pressure: this engine relaxes nothing here.")
    assert [check.ok for check in found.checks] == [True]
    none = SETTINGS.model_copy(update={"dopant": "Zn"})
    with pytest.raises(InputError, match="no structure of pb10po46o with Zn"):
        on_published(calculator, SYSTEM, none, INPUTS, lambda text: None)


def test_frames_that_differ_by_their_moments_are_two_frames():
    other = CRYSTAL.copy()
    assert frame_id(other) == frame_id(CRYSTAL)
    other.set_initial_magnetic_moments(np.eye(len(other))[0])
    assert frame_id(other) != frame_id(CRYSTAL)


def test_equivalents_are_looked_for_in_the_phase_at_rest_alone():
    """An edge that shrinks evenly to 3 GPa and by a jump beyond, where the space group is new."""
    pressures = (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0)
    groups = dict.fromkeys(pressures, "P-6 (174)") | {4.0: "P3 (143)"}  # 6 GPa lies beyond a gap
    outcome = Outcome()
    inside = _phase_at_rest(pressures, groups, outcome)
    assert list(inside) == [True] * 5 + [False] * 2
    (check,) = outcome.checks
    assert not check.ok and "P-6 (174) from -1 to 3 GPa; P3 (143) at 4 GPa" in check.text
    edge = np.array([4.1, 4.0, 3.9, 3.8, 3.7, 3.3, 3.2])
    curve = Curve(np.array(pressures), {"edge": edge}, inside)
    assert curve.equivalent("edge", 3.75) == pytest.approx(2.5, abs=0.01)
    assert curve.equivalent("edge", 3.4) is None
    assert _phase_at_rest(pressures, dict.fromkeys(pressures, "P3 (143)"), Outcome()).all()
