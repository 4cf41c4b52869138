"""Figures read result files alone: the same result gives the same bytes."""

import numpy as np
import pytest

from dpchannel.benchmark.engines import Engine
from dpchannel.benchmark.outcome import Outcome, Task, write
from dpchannel.errors import InputError
from dpchannel.physics.eos import fit_energy, fit_pressure
from dpchannel.plots.eos import plot_eos
from dpchannel.plots.parity import plot_parity
from dpchannel.plots.phonons import heading, plot_phonons
from dpchannel.report.lattice import rows, shown, tsv
from dpchannel.report.reference import published_bulk_moduli
from dpchannel.results import Quantity, Result, project_root
from dpchannel.settings import SystemSettings, load
from dpchannel.settings.benchmark import BenchmarkSettings

INPUTS = project_root() / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
HOW = load(BenchmarkSettings, INPUTS / "benchmark.toml")


@pytest.fixture
def written(tmp_path):
    """Write an outcome as its script would."""

    def writes(name, outcome):
        engine = Engine("dp", SYSTEM, None, INPUTS, tmp_path)
        out = tmp_path / name / "result.json"
        write(Task(name, engine, HOW, cores=1), outcome, out)
        return out

    return writes


def drawn_twice_the_same(draw, result, tmp_path, **more):
    first, second = tmp_path / "one.png", tmp_path / "two.png"
    draw(result, [first], **more)
    draw(result, [second], **more)
    assert first.read_bytes() == second.read_bytes()
    from matplotlib.image import imread

    picture = imread(first)
    assert picture.shape[1] > 1000 and picture[..., :3].std() > 0.02  # not blank


def test_parity(written, tmp_path):
    outcome, rng = Outcome(), np.random.default_rng(1)
    for suffix, split in (("", "train"), ("_test", "test")):
        for what, unit in (("energy", "meV/atom"), ("force", "eV/A")):
            outcome.quantities[f"{what}_mae{suffix}"] = Quantity(0.1, unit)
            outcome.quantities[f"{what}_r2{suffix}"] = Quantity(None, "1")
            label = rng.standard_normal(300)
            outcome.arrays[f"{what}_label_{split}"] = label
            outcome.arrays[f"{what}_engine_{split}"] = label + 0.1
    drawn_twice_the_same(plot_parity, written("parity", outcome), tmp_path)


def test_eos_with_published_bulk_moduli(written, tmp_path):
    others = published_bulk_moduli("pb10po46o")
    assert [(b0, b0p) for _, b0, b0p in others] == [(54.3, 8.1), (68.4, 4.0)]
    strain = np.linspace(-0.07, 0.06, 14)
    volume, inside = 650 * (1 + strain) ** 3, np.abs(strain) < 0.031
    energy = 500 * strain**2
    pressure, squeezed = np.linspace(0, 8, 9), 650 * (1 - np.linspace(0, 0.1, 9))
    outcome = Outcome(
        arrays={
            "strain": strain,
            "volume_A3": volume,
            "inside_window": inside,
            "energy_fixed_eV": 2 * energy,
            "energy_relaxed_eV": energy,
            "pressure_GPa": pressure,
            "V_under_pressure": squeezed,
        }
    )
    fits = {
        "": fit_pressure(squeezed, pressure),
        "_strain": fit_energy(volume[inside], energy[inside]),
        "_fixed": fit_energy(volume[inside], 2 * energy[inside]),
    }
    for suffix, fit in fits.items():
        for name, value in fit.value.items():
            quantity = Quantity(value, "", stderr=fit.stderr[name])
            outcome.quantities[f"{name}{suffix}"] = quantity
    drawn_twice_the_same(plot_eos, written("eos", outcome), tmp_path, others=others)


def test_eos_of_single_points_on_cells_of_another_engine(written, tmp_path):
    """There are no strains: energies stand against the volume, without a curve."""
    pressure, volume = np.linspace(0.2, 8, 5), 650 * (1 - np.linspace(0, 0.1, 5))
    arrays = {"pressure_GPa": pressure, "V_under_pressure": volume, "energy_eV": pressure**2}
    outcome = Outcome(state={"path_engine": "dp"}, arrays=arrays)
    fit = fit_pressure(volume, pressure)
    for name, value in fit.value.items():
        outcome.quantities[name] = Quantity(value, "", stderr=fit.stderr[name])
    drawn_twice_the_same(plot_eos, written("eos", outcome), tmp_path, others=[])


def test_phonons_and_a_missing_sidecar(written, tmp_path):
    place = np.linspace(0, 1, 40)
    bands = np.stack([np.sin(np.pi * place), 5 + place, 20 - place], axis=1)
    outcome = Outcome(
        arrays={
            "path": place,
            "turning": place > 0.6,
            "label": np.array(["G", "A", "L"]),
            "label_place": np.array([0.0, 0.6, 1.0]),
            "frequency_1x1x1": bands - 0.3,
            "frequency_2x2x2": bands,
            "dos_THz": np.linspace(-1, 20, 50),
            "dos_Pb": np.linspace(0, 3, 50),
            "dos_O": np.linspace(3, 0, 50),
        }
    )
    for name in ("1x1x1", "2x2x2"):
        outcome.quantities[f"f_min_kz_pi_{name}"] = Quantity(-0.3, "THz")
    result = written("phonons", outcome)
    drawn_twice_the_same(plot_phonons, result, tmp_path)
    (result.parent / "phonons.npz").unlink()
    with pytest.raises(InputError, match="missing, although"):
        plot_phonons(result, [tmp_path / "one.png"])


def test_the_figure_of_phonons_says_what_was_left_out(written):
    """k_z = pi does not fit into one cell, and charges do not split modes at Gamma."""
    result = Result.read(written("phonons", Outcome()))
    said = heading(result, ["1x1x1", "2x2x2"])
    assert "does not fit into 1x1x1 and is interpolated there" in said
    assert "No LO-TO splitting is applied" in said


def test_table_one_has_every_row_and_deviations_from_the_paper(written):
    outcome = Outcome()
    known = {"a": 10.0300 * 1.001, "c": 7.487, "V": 652.0, "triangle_empty": 4.56, "energy": -270.0}
    for name, value in known.items():
        outcome.quantities[name] = Quantity(value, "A")
        if name != "energy":
            outcome.quantities[f"{name}_published"] = Quantity(value, "A")
    result = Result.read(written("lattice", outcome))
    found = {row.source: row.values for row in rows(result)}
    assert found["this engine"] == known
    assert found["paper PBE, VASP 520 eV"]["a"] == 10.030
    assert found["paper deep potential"]["energy"] == -268.5686
    assert any(source.startswith("X-ray diffraction, P6_3/m") for source in found)
    text = shown(result)
    assert "10.0400 (+0.10)" in text
    assert "-270.0000 (" not in text  # energies count from zeros of their own
    assert "-268.5686 (+0.6)" in text  # but the paper's two from one, in meV
    lines = [line.split("\t") for line in tsv(result).splitlines()]
    assert {len(line) for line in lines} == {len(lines[0])}
    assert dict(zip(*lines[:2], strict=True))["a"] == f"{known['a']}"


def test_table_one_takes_other_engines_and_compares_energies_of_one_zero(written):
    """A potential trained on VASP, beside the shipped one, and one engine only once."""
    values = {"a": 10.03, "energy": -268.5672}
    quantities = {name: Quantity(value, "") for name, value in values.items()}
    quantities["a_published"] = Quantity(10.024, "A")
    state = {"compound": "x", "engine": "dp its.pb", "energy_zero": "vasp PBE"}
    own = Result("lattice", "pb10po46o", state, quantities)
    found = {}
    for a, engine, of in ((10.1, "dp", "pb10po46o"), (10.2, "dp", "pb10po46o"), (9, "dp", "nacl")):
        other = Result("lattice", of, {"engine": engine}, {"a": Quantity(a, "A")})
        found[a] = other
    given = {"engine": "cp2k PBE", "path_engine": "dp"}
    by_points = Result("eos", "pb10po46o", given, {"a": Quantity(10.05, "A")})
    body = rows(own, [own, *found.values(), by_points])
    by_source = {row.source: row.values for row in body}
    assert by_source["shipped potential"] == {"a": 10.1}
    assert by_source["cp2k PBE, on cells of dp"] == {"a": 10.05}
    assert [row.source for row in body].count("this engine") == 1
    assert "-268.5672 (+2.0)" in shown(own)
