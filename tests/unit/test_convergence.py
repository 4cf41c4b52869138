"""A convergence study computes every point once, and says which setting is good enough."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.labels import convergence as conv
from dpchannel.labels.converged import cheapest, checks
from dpchannel.labels.cp2k_input import input_text
from dpchannel.results import Quantity
from dpchannel.settings import load
from dpchannel.settings.converge import ConvergeSettings
from dpchannel.settings.cp2k import Cp2kSettings
from dpchannel.units import gpa_in_ev_per_a3

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"
STUDY = load(ConvergeSettings, DATA / "converge.toml")
HYDROGEN = load(Cp2kSettings, DATA / "cp2k.toml")
SHIPPED = load(ConvergeSettings, ROOT / "inputs/converge.toml")
FRAMES = conv.read_frames(DATA / STUDY.frames)


def absent(settings):
    """The same numbers, from a program that is not there."""
    program = settings.program.model_copy(update={"command": ("no-such-cp2k",)})
    return settings.model_copy(update={"program": program})


def measured(tmp_path, shipped=HYDROGEN, budget_s=1e6):
    notes = []
    places = {"kept": tmp_path / "points", "work": tmp_path / "work"}
    return conv.measure(
        STUDY, shipped, FRAMES, **places, budget_s=budget_s, note=notes.append
    ), notes


def keep(tmp_path, name, *, energy, force, pressure_GPa, cost):
    """As if the point had been computed."""
    point = next(p for p in STUDY.points if p.name == name)
    atoms = FRAMES["rest"].copy()
    stress = -pressure_GPa * gpa_in_ev_per_a3() * np.array([1, 1, 1, 0, 0, 0])
    forces = np.array([[force, 0, 0], [-force, 0, 0]])
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, stress=stress)
    atoms.info |= {"net_force": 0.1, "wall_s": cost, "scf_steps": 7, "versions": "CP2K test"}
    (tmp_path / "points").mkdir(exist_ok=True)
    stem = f"rest.{name}.{STUDY.settings(point, HYDROGEN).digest()}"
    write(tmp_path / "points" / f"{stem}.extxyz", atoms, format="extxyz")


def study(tmp_path, *, coarse_force=1.006, coarse_pressure_GPa=5.05):
    keep(tmp_path, "fine", energy=-1.0, force=1.0, pressure_GPa=5.0, cost=20.0)
    coarse = {"force": coarse_force, "pressure_GPa": coarse_pressure_GPa}
    keep(tmp_path, "coarse", energy=-1.002, cost=5.0, **coarse)
    found, _ = measured(tmp_path, absent(HYDROGEN))  # nothing is left to run
    every = conv.quantities(STUDY, found)
    return found, every, checks(STUDY, every, FRAMES)


def test_differences_are_to_the_reference(tmp_path):
    """-2 meV on two atoms, 6 meV/A on one of three components, 0.05 GPa."""
    _, every, _ = study(tmp_path)
    assert_allclose(every["rest/coarse/energy_difference"].value, -1.0)
    assert_allclose(every["rest/coarse/force_mae"].value, 0.002, rtol=1e-6)
    assert_allclose(every["rest/coarse/force_max"].value, 0.006, rtol=1e-6)
    assert_allclose(every["rest/coarse/pressure_difference"].value, 0.05, rtol=1e-6)
    assert_allclose(every["rest/fine/pressure"].value, 5.0, rtol=1e-6)
    assert every["rest/coarse/force_mae"].unit == "eV/A"


def test_the_cheapest_that_passes_is_named(tmp_path):
    _, every, judged = study(tmp_path)
    assert all(check.ok for check in judged)
    assert cheapest(STUDY, every, judged) == "coarse"


@pytest.mark.parametrize("change", [{"coarse_force": 1.04}, {"coarse_pressure_GPa": 5.2}])
def test_a_point_that_is_too_far_is_not(tmp_path, change):
    _, every, judged = study(tmp_path, **change)
    assert [c.name.partition(":")[0] for c in judged if not c.ok] == ["coarse"]
    assert cheapest(STUDY, every, judged) == "fine"


def test_a_basis_with_the_wrong_pressure_is_never_chosen(tmp_path):
    """The grid may be converged: the basis is judged apart."""
    found, _, _ = study(tmp_path)
    limits = STUDY.limits.model_copy(update={"basis_pressure_GPa": 0.3})
    strict = STUDY.model_copy(update={"limits": limits})
    every = conv.quantities(strict, found)
    judged = checks(strict, every, FRAMES)
    assert {c.name for c in judged if not c.ok} == {"fine: basis", "coarse: basis"}
    assert cheapest(strict, every, judged) == ""


def test_a_point_is_not_chosen_before_all_frames_are_computed(tmp_path):
    """Good at rest says nothing yet of a hot frame."""
    _, every, _ = study(tmp_path)
    judged = checks(STUDY, every, ["rest", "hot"])
    failed = {c.name: c.text for c in judged if not c.ok}
    assert set(failed) == {
        f"{p}: {what}" for p in ("fine", "coarse") for what in ("frames", "k-points", "basis")
    }
    assert failed["coarse: frames"] == "not yet held against fine: hot"
    assert cheapest(STUDY, every, judged) == ""


def pressures(**GPa):
    """As measured: `dzvp_900_hot=6.1`, a basis at its finest grid on a frame."""
    every = {}
    for key, value in GPa.items():
        basis, grid, frame = key.split("_")
        point = f"{basis}-{grid}"
        where = {"rest": "published", "hot": "1000K"}[frame]
        every |= {
            f"{where}/{point}/{name}": Quantity(number, conv.UNITS[name])
            for name, number in {
                "pressure": value, "pressure_difference": 0.0, "force_mae": 0.0, "cost": 1.0
            }.items()
        }  # fmt: skip
    return every


REST = {"tzv2p_900_rest": 0.2, "dzvp_900_rest": 0.8}


@pytest.mark.parametrize(
    ("hot", "fails"),
    [
        # both err by the same at rest and when hot: dzvp by 0.8, tzv2p by 0.2 GPa
        ({"tzv2p_900_hot": 5.2, "dzvp_900_hot": 5.8}, {"dzvp-900: basis"}),
        # the two come 0.25 GPa closer when hot, so one of them changes: neither is trusted
        ({"tzv2p_900_hot": 5.45, "dzvp_900_hot": 5.8}, {"tzv2p-900: basis", "dzvp-900: basis"}),
        # nothing to hold it against
        ({"tzv2p_900_hot": 5.2}, {"tzv2p-900: basis", "dzvp-900: basis", "dzvp-900: frames"}),
    ],
)
def test_a_basis_is_judged_on_the_hot_frame_as_well(hot, fails):
    """There its pressure is not zero: the other basis stands in, less its error at rest."""
    every = pressures(**REST, **hot)
    shown = f"1000K/{SHIPPED.kpoints_shown_by}"
    every |= {f"{shown}/force_mae": Quantity(0.005, "eV/A")}
    every |= {f"{shown}/pressure_difference": Quantity(0.01, "GPa")}
    judged = [
        c for c in checks(SHIPPED, every, ["published", "1000K"]) if "shipped-k" not in c.name
    ]
    assert {c.name for c in judged if not c.ok} == fails


@pytest.mark.parametrize(("force", "pressure_GPa"), [(0.016, 0.0), (0.001, -0.11)])
def test_k_points_that_are_too_few_spoil_every_point(force, pressure_GPa):
    """Grid and basis may be converged: the engine's mesh is held against a denser one."""
    every = pressures(**REST, tzv2p_900_hot=5.2, dzvp_900_hot=5.8)
    shown = f"1000K/{SHIPPED.kpoints_shown_by}"
    every |= {f"{shown}/force_mae": Quantity(force, "eV/A")}
    every |= {f"{shown}/pressure_difference": Quantity(pressure_GPa, "GPa")}
    judged = {c.name: c for c in checks(SHIPPED, every, ["published", "1000K"])}
    assert not judged["tzv2p-900: k-points"].ok
    assert "dzvp-300-dense-k" in judged["tzv2p-900: k-points"].text


def test_the_table_has_one_line_a_point(tmp_path):
    found, every, _ = study(tmp_path)
    lines = [line.split("\t") for line in conv.table(found, every).splitlines()]
    assert [line[1] for line in lines[1:]] == ["fine", "coarse"]
    assert {len(line) for line in lines} == {len(lines[0])}
    assert lines[2][lines[0].index("cutoff_Ry")] == "120"
    assert lines[2][lines[0].index("cost (s)")] == "5"


def test_the_figure_is_drawn_from_the_result_alone(tmp_path):
    from dpchannel.plots.convergence import plot_convergence
    from dpchannel.results import Result

    _, every, judged = study(tmp_path)
    made = {"settings": STUDY.model_dump(mode="json")}
    result = Result("converge", "toy", {"frames": ["rest"]}, every, judged, {}, made)
    result.write(tmp_path / "result.json")
    plot_convergence(tmp_path / "result.json", [tmp_path / "one.png"])
    assert (tmp_path / "one.png").stat().st_size > 5000
    Result("md", "toy", {}, {"D": Quantity(1.0, "1")}).write(tmp_path / "other.json")
    with pytest.raises(InputError, match="a result of md"):
        plot_convergence(tmp_path / "other.json", [tmp_path / "two.png"])


def test_nothing_is_begun_when_the_budget_is_used(tmp_path):
    found, notes = measured(tmp_path, absent(HYDROGEN), budget_s=-1.0)
    assert found == []
    assert [note.split(":")[0] for note in notes] == ["rest fine", "rest coarse"]


def test_the_shipped_study_fits_its_frames_and_settings():
    """Every point is a valid setting; the engine's k-points are held against a denser grid."""
    shipped = load(Cp2kSettings, ROOT / "inputs/cp2k.toml")
    frames = conv.read_frames(ROOT / "inputs" / SHIPPED.frames)
    assert set(frames) == {"published", "1000K"}
    texts = {
        point.name: input_text(frames[name], SHIPPED.settings(point, shipped))
        for name, point in conv._plan(SHIPPED, frames)
    }
    assert "MONKHORST-PACK 1 1 2" in texts["tzv2p-900"] and "MONKHORST-PACK" in texts["dzvp-600"]
    n_points = {name: text.count("KPOINT ") for name, text in texts.items()}
    assert n_points["dzvp-300-shipped-k"] == 2 and n_points["dzvp-300-dense-k"] == 12
    own = {p.name: SHIPPED.settings(p, shipped) for p in SHIPPED.points}["dzvp-300-shipped-k"]
    assert own.kpoint_length_A == shipped.kpoint_length_A
    assert own.kpoint_scheme == shipped.kpoint_scheme
    digests = [SHIPPED.settings(p, shipped).digest() for p in SHIPPED.points]
    assert len(set(digests)) == len(digests)


def test_a_wrong_name_or_key_is_refused(tmp_path):
    text = (DATA / "converge.toml").read_text()
    for old, new, says in (
        ('reference = "fine"', 'reference = "finer"', "is no point of it"),
        ('name = "coarse"', 'name = "fine"', "stands twice"),
        ('basis = "szv"\n\n', 'basis = "tzvp"\n\n', "is not in"),
    ):
        (tmp_path / "study.toml").write_text(text.replace(old, new, 1))
        with pytest.raises(InputError, match=says):
            load(ConvergeSettings, tmp_path / "study.toml")
    point = STUDY.points[1].model_copy(update={"grid": {"cutof_Ry": 1.0}})
    with pytest.raises(ValueError, match="cutof_Ry"):
        STUDY.settings(point, HYDROGEN)


@pytest.mark.skipif(shutil.which("cp2k") is None, reason="CP2K is not installed: `make setup-dft`")
def test_with_the_real_program_and_never_twice(tmp_path):
    """A coarse grid has a larger net force (the egg-box); called again, nothing runs."""
    found, _ = measured(tmp_path)
    net = {m.point.name: m.label.info["net_force"] for m in found}
    assert net["coarse"] > 3 * net["fine"]
    shutil.rmtree(tmp_path / "work")
    again, notes = measured(tmp_path, absent(HYDROGEN))
    assert notes == []
    assert_allclose(again[1].label.get_forces(), found[1].label.get_forces())
    assert len(list((tmp_path / "points").iterdir())) == 2
    assert len(read(next((tmp_path / "points").iterdir()), ":")) == 1
