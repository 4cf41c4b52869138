"""Labels of another code on a potential's energy zero: a known offset comes back."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.labels.dataset import build
from dpchannel.learn import align
from dpchannel.potential.data import frames
from dpchannel.results import project_root
from dpchannel.settings import LabelSettings, SystemSettings, load

INPUTS = project_root() / "inputs"
SHIPPED = load(SystemSettings, INPUTS / "pb10po46o.toml")
# four atoms for a formula unit, so that frames are small
SYSTEM = SHIPPED.model_copy(
    update={"system": SHIPPED.system.model_copy(update={"formula": "PbPO2"})}
)
RULES = load(LabelSettings, INPUTS / "labels.toml")
OFFSET = -6543.25  # eV for each formula unit
# the sum of energies near 2e4 eV keeps twelve digits
ROUNDING_EV = 1e-8


def potential() -> LennardJones:
    return LennardJones(sigma=2.2, epsilon=0.2, rc=6.0, smooth=True)


def labelled(number: int, units: int = 1, offset: float = OFFSET, symbols: str = "PbOPO") -> Atoms:
    """`units` cells in a row, displaced at random, with Lennard-Jones labels off by `offset`."""
    cell = np.array([[4.1, 0.2, -0.1], [0.5, 4.4, 0.3], [-0.2, 0.1, 4.9]])
    rest = [[0, 0, 0], [0.5, 0.5, 0.02], [0.48, 0.01, 0.5], [0.03, 0.5, 0.52]]
    atoms = Atoms(symbols, scaled_positions=rest[: len(Atoms(symbols))], cell=cell, pbc=True)
    atoms = atoms.repeat((1, 1, units))
    atoms.positions += np.random.default_rng(number).normal(0, 0.05, atoms.positions.shape)
    atoms.calc = potential()
    energy, forces = atoms.get_potential_energy() + units * offset, atoms.get_forces()
    atoms.calc = SinglePointCalculator(
        atoms, energy=energy, forces=forces - forces.mean(axis=0), stress=atoms.get_stress()
    )
    atoms.info = {
        "class": "rattled", "trajectory": f"{'test' if number >= 8 else 'run'}-{number}",
        "engine": "cp2k PBE", "settings": "abc", "converged": True,
    }  # fmt: skip
    return atoms


def ten() -> list[Atoms]:
    """Eight to train on, of one, two and three formula units, and two held out."""
    return [labelled(n, units=1 + n % 3) for n in range(10)]


def written(folder, members: list[Atoms]):
    folder.mkdir(exist_ok=True)
    write(folder / "labelled.extxyz", members, format="extxyz")
    return folder


def test_a_known_offset_comes_back_for_cells_of_several_sizes():
    members = ten()
    energies = align.energies_eV(potential(), members)
    found = align.offset(members, energies, "PbPO2")
    assert found.per_formula_unit_eV == pytest.approx(OFFSET, abs=ROUNDING_EV)
    assert found.stderr_eV < ROUNDING_EV
    moved = [align.shifted(atoms, found) for atoms in members]
    assert_allclose([a.get_potential_energy() for a in moved], energies, atol=ROUNDING_EV)
    assert_allclose(moved[0].get_forces(), members[0].get_forces(), rtol=0, atol=0)


def test_offsets_of_each_element_vanish_together():
    """They cannot be told apart at one composition, and need not be."""
    of = {"Pb": -900.5, "P": 300.0, "O": -12.125}
    members = ten()
    energies = align.energies_eV(potential(), members)
    for atoms, energy in zip(members, energies, strict=True):
        atoms.calc.results["energy"] = energy + sum(of[s] for s in atoms.get_chemical_symbols())
    found = align.offset(members, energies, "PbPO2")
    assert found.per_formula_unit_eV == pytest.approx(of["Pb"] + of["P"] + 2 * of["O"])
    assert found.spread_eV < ROUNDING_EV


def test_the_error_counts_each_trajectory_once():
    members = [labelled(n) for n in range(8)]
    for n, atoms in enumerate(members):
        atoms.info["trajectory"] = f"run-{n % 2}"
        atoms.calc.results["energy"] += (-1.0) ** n
    found = align.offset(members, align.energies_eV(potential(), members), "PbPO2")
    # deviations of +-1 eV: standard deviation sqrt(8/7), two trajectories
    assert found.stderr_eV == pytest.approx((8 / 7 / 2) ** 0.5)
    assert (found.labels, found.trajectories) == (8, 2)


def test_frames_of_another_composition_are_refused(tmp_path):
    strange = [labelled(20, symbols="PbOP"), labelled(21, symbols="PbPPO")]
    source = written(tmp_path, [*ten(), *strange])
    labels = align.read_labels(source, SYSTEM, RULES)
    assert (len(labels.train), len(labels.test)) == (8, 2)
    assert [r["frame"] for r in labels.refused] == [10, 11]
    assert "is no multiple of PbPO2" in labels.refused[0]["reason"]


def test_refusals_of_the_gate_and_repeated_frames_are_listed(tmp_path):
    unfinished = labelled(20)
    unfinished.info["converged"] = False
    labels = align.read_labels(written(tmp_path, [*ten(), unfinished, labelled(0)]), SYSTEM, RULES)
    reasons = [r["reason"] for r in labels.refused]
    assert reasons == ["self-consistency not converged", "duplicate frame"]


@pytest.mark.parametrize("key", ["settings", "engine"])
def test_labels_of_two_settings_are_refused(tmp_path, key):
    members = ten()
    members[3].info[key] = "other"
    with pytest.raises(InputError, match=r"several engines or settings.*other"):
        align.read_labels(written(tmp_path, members), SYSTEM, RULES)


def test_labels_of_two_pseudopotentials_are_refused(tmp_path):
    """Another POTCAR library, another basis: another zero, under the same settings."""
    members = ten()
    for n, atoms in enumerate(members):
        atoms.info["data_sha256"] = f"BASIS:1 GTH:{2 + (n == 3)}"
    with pytest.raises(InputError, match=r"are mixed: GTH: 2 and 3"):
        align.read_labels(written(tmp_path, members), SYSTEM, RULES)


def test_a_data_set_of_two_settings_is_refused(tmp_path):
    members = ten()
    members[3].info["settings"] = "xyz"
    head, source = SYSTEM.system, written(tmp_path / "labels", members)
    build(
        [source / "labelled.extxyz"], tmp_path / "set", system=head.name, elements=head.elements,
        gate=RULES.gate, held_out=RULES.held_out,
    )  # fmt: skip
    with pytest.raises(InputError, match=r"cp2k PBE abc \+ xyz"):
        align.read_labels(tmp_path / "set", SYSTEM, RULES)


def test_labels_of_a_campaign_keep_their_order_those_of_a_data_set_are_shuffled(tmp_path):
    source = written(tmp_path / "labels", ten())
    labels = align.read_labels(source, SYSTEM, RULES)
    assert [a.info["trajectory"] for a in labels.train] == [f"run-{n}" for n in range(8)]
    head = SYSTEM.system
    build(
        [source / "labelled.extxyz"], tmp_path / "set", system=head.name, elements=head.elements,
        gate=RULES.gate, held_out=RULES.held_out,
    )  # fmt: skip
    shuffled = [align.read_labels(tmp_path / "set", SYSTEM, RULES) for _ in range(2)]
    names = [[a.info["trajectory"] for a in one.train] for one in shuffled]
    assert names[0] == names[1] != sorted(names[0])
    assert sorted(names[0]) == [f"run-{n}" for n in range(8)]
    assert {a.info["trajectory"] for a in shuffled[0].test} == {"test-8", "test-9"}


@pytest.fixture
def aligned(tmp_path, monkeypatch):
    """A data set on the zero of Lennard-Jones, which stands for `model.pb`."""
    monkeypatch.setattr(align, "calculator", lambda path, elements: potential())
    (tmp_path / "model.pb").write_text("weights")
    members = ten()
    for atoms in members:
        atoms.info["versions"] = "CP2K 2023.1"
    labels = align.read_labels(written(tmp_path / "labels", members), SYSTEM, RULES)
    said = []
    align.align(
        labels, tmp_path / "n8/data", potential=tmp_path / "model.pb", system=SYSTEM, rules=RULES,
        note=said.append,
    )  # fmt: skip
    assert "8 labels by CP2K 2023.1: " in said[-1]
    return labels, tmp_path / "n8/data", tmp_path / "model.pb"


def test_the_data_set_counts_energies_from_the_potentials_zero(aligned):
    _, dataset, _ = aligned
    origin = json.loads((dataset / "origin.json").read_text())
    # labels held out come after those trained on, too: none of them is in what training saw
    assert origin["frames"] == {"train": {"rattled": 8}, "test": {}}
    assert not (dataset / "test").exists()
    stated = origin["alignment"]
    assert stated["per_formula_unit_eV"] == pytest.approx(OFFSET, abs=ROUNDING_EV)
    assert stated["stderr_eV"] < ROUNDING_EV and stated["formula"] == "PbPO2"
    for folder in sorted(dataset.glob("*/rattled-*")):
        for atoms in frames(folder):
            atoms.calc, energy = potential(), atoms.get_potential_energy()
            # positions went through a file with eight digits: forces of an eV/A make 1e-8 eV each
            assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-6)


def test_only_what_was_aligned_with_this_potential_and_these_labels_is_learned_from(aligned):
    labels, dataset, model = aligned
    assert align.alignment_of(dataset, model, labels.train).labels == 8
    with pytest.raises(InputError, match=r"another set of labels .* FORCE=1 moves"):
        align.alignment_of(dataset, model, labels.train[:7])
    model.write_text("other weights")
    with pytest.raises(InputError, match="aligned with another potential"):
        align.alignment_of(dataset, model, labels.train)
    path = dataset / "origin.json"
    path.write_text(json.dumps({"system": "x"}))
    with pytest.raises(InputError, match="not aligned with a potential's"):
        align.alignment_of(dataset, model, labels.train)


def test_no_labels_are_one_line(tmp_path):
    with pytest.raises(InputError, match="no labels there"):
        align.read_labels(tmp_path / "none", SYSTEM, RULES)
