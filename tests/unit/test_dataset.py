"""Data sets: what goes in comes back, virials included; what must not go in is counted."""

import json

import dpdata
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.labels import dataset
from dpchannel.potential import data
from dpchannel.settings import GateSettings

GATE = GateSettings(net_force_eV_per_A=0.02, force_eV_per_A=60.0, pressure_GPa=500.0)
ELEMENTS = ("Pb", "P", "O")
# smooth: energy and force end at the cutoff without a step, so differences of energies are exact
LJ = {"sigma": 2.2, "epsilon": 0.2, "rc": 6.0, "smooth": True}


def crystal(seed, order="PbOPbO"):
    """A skewed, displaced four-atom crystal: no symmetry hides a transposed or swapped term."""
    cell = np.array([[4.1, 0.2, -0.1], [0.5, 4.4, 0.3], [-0.2, 0.1, 4.9]])
    rest = [[0, 0, 0], [0.5, 0.5, 0.02], [0.48, 0.01, 0.5], [0.03, 0.5, 0.52]]
    atoms = Atoms(order, scaled_positions=rest, cell=cell, pbc=True)
    atoms.positions += np.random.default_rng(seed).normal(0, 0.05, atoms.positions.shape)
    atoms.info = {"class": "rattled", "seed": seed, "trajectory": f"run{seed}", "T": 300.0 + seed}
    return atoms


def labelled(atoms):
    atoms.calc = LennardJones(**LJ)
    results = {
        "energy": atoms.get_potential_energy(),
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info |= {"engine": "lj", "versions": "ase", "converged": True}
    return atoms


def build(tmp_path, frames, held_out=("run9",), **options):
    source = tmp_path / "labelled.extxyz"
    write(source, frames, format="extxyz")
    common = {"system": "toy", "elements": ELEMENTS, "gate": GATE, "held_out": held_out}
    return dataset.build([source], tmp_path / "set", **(common | options))


def test_virial_read_back_is_minus_the_energy_derivative_by_strain(tmp_path):
    """dpdata's virial W_ij = -dE/d(strain_ij), against central differences of the energy."""
    atoms = labelled(crystal(1))
    build(tmp_path, [atoms])
    read = dpdata.LabeledSystem(str(tmp_path / "set/train/rattled-4"), fmt="deepmd/npy")

    def energy(i, j, h):
        deformed = atoms.copy()
        deformation = np.eye(3)
        deformation[i, j] += h
        deformed.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
        deformed.calc = LennardJones(**LJ)
        return deformed.get_potential_energy()

    h = 1e-4
    slope = [[(energy(i, j, h) - energy(i, j, -h)) / (2 * h) for j in range(3)] for i in range(3)]
    # 1e-5 eV: positions pass through eight decimals of text, and h^2 times the third derivative
    assert_allclose(read["virials"][0], -np.array(slope), rtol=1e-5, atol=1e-5)
    assert np.abs(slope).max() > 0.1  # there is something to get wrong


def test_frames_come_back_as_they_went_in(tmp_path):
    frames = [labelled(crystal(n)) for n in range(3)]
    build(tmp_path, frames)
    back = list(data.frames(tmp_path / "set/train/rattled-4"))
    order = np.argsort([ELEMENTS.index(s) for s in frames[0].symbols], kind="stable")
    for given, found in zip(frames, back, strict=True):
        assert found.get_chemical_symbols() == [given.symbols[i] for i in order]
        # eight decimals of text lie between them
        assert_allclose(found.positions, given.positions[order], atol=1e-7)
        assert_allclose(found.get_forces(), given.get_forces()[order], atol=1e-7)
        assert_allclose(found.get_stress(), given.get_stress(), atol=1e-9)
        assert_allclose(found.get_potential_energy(), given.get_potential_energy(), atol=1e-7)


def test_orders_of_atoms_share_a_folder(tmp_path):
    build(tmp_path, [labelled(crystal(1, "PbOPbO")), labelled(crystal(2, "OOPbPb"))])
    assert [p.name for p in (tmp_path / "set/train").iterdir()] == ["rattled-4"]


def test_compositions_of_one_size_do_not(tmp_path):
    build(tmp_path, [labelled(crystal(1, "PbOPbO")), labelled(crystal(2, "PbPbPbO"))])
    assert {p.name for p in (tmp_path / "set/train").iterdir()} == {"rattled-4", "rattled-4-2"}


def test_a_trajectory_is_never_on_both_sides(tmp_path):
    frames = []
    for n in range(12):
        atoms = labelled(crystal(n))
        atoms.info["trajectory"] = f"run{n % 3}"
        frames.append(atoms)
    origin = build(tmp_path, frames, held_out=("run1",))
    rows = [line.split("\t") for line in (tmp_path / "set/frames.tsv").read_text().splitlines()]
    split, name = rows[0].index("split"), rows[0].index("trajectory")
    sides = {(row[split], row[name]) for row in rows[1:]}
    assert sides == {("train", "run0"), ("test", "run1"), ("train", "run2")}
    assert origin["frames"] == {"train": {"rattled": 8}, "test": {"rattled": 4}}


def test_refusals_are_counted_and_listed(tmp_path):
    bad, twin = labelled(crystal(2)), labelled(crystal(1))
    bad.info["converged"] = False
    origin = build(tmp_path, [labelled(crystal(1)), bad, twin])
    refused = origin["refused"]
    assert refused["count"] == 2
    assert [(r["frame"], r["reason"]) for r in refused["frames"]] == [
        (1, "self-consistency not converged"),
        (2, "duplicate frame"),
    ]
    assert all(r["path"].endswith("labelled.extxyz") for r in refused["frames"])


def test_origin_names_engine_span_and_hashes(tmp_path):
    build(tmp_path, [labelled(crystal(n)) for n in (3, 5)])
    origin = json.loads((tmp_path / "set/origin.json").read_text())
    assert origin["engine"] == {"lj": 2}
    assert origin["temperature_K"] == [303.0, 305.0]
    assert origin["seeds"] == "3 5"
    assert "train/rattled-4/set.000/virial.npy" in origin["arrays"]


def test_frames_without_engine_need_one_named(tmp_path):
    atoms = labelled(crystal(1))
    for key in ("engine", "converged"):
        del atoms.info[key]
    with pytest.raises(InputError, match="no frame left to train on"):
        build(tmp_path, [atoms])
    assert build(tmp_path, [atoms], engine="lj")["engine"] == {"lj": 1}


def test_a_failed_build_leaves_the_earlier_set_alone(tmp_path):
    build(tmp_path, [labelled(crystal(1))])
    before = (tmp_path / "set/origin.json").read_text()
    with pytest.raises(InputError):
        build(tmp_path, [labelled(crystal(9))])  # all held out
    assert (tmp_path / "set/origin.json").read_text() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_most_neighbours_are_those_of_the_crystal(tmp_path):
    """Rock salt of two atoms: 6 of the other at a/2, 12 of its own at a/sqrt(2), 8 more at
    sqrt(3) a/2; within a, 6 more of its own. Periodic images count."""
    atoms = Atoms("PbO", [[0, 0, 0], [2.5, 0, 0]], cell=2.5 * (1 - np.eye(3)), pbc=True)
    atoms.info = {"class": "strain", "seed": 1}
    build(tmp_path, [labelled(atoms)])
    for rcut_A, found in (
        (2.6, [6, 0, 6]),
        (3.6, [12, 0, 12]),
        (4.4, [14, 0, 14]),
        (5.1, [18, 0, 18]),
    ):
        assert data.most_neighbours(tmp_path / "set", rcut_A, ELEMENTS) == found, rcut_A


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"holds thesis\.tex"):
        build(tmp_path, [labelled(crystal(1))])
    assert (tmp_path / "set/thesis.tex").read_text() == "years of work"


def test_a_file_cut_short_is_named(tmp_path):
    path = tmp_path / "cut.extxyz"
    write(path, [labelled(crystal(1)), labelled(crystal(2))], format="extxyz")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"cut\.extxyz: frame 1"):
        list(dataset.read_labelled(path))


def test_a_data_set_with_nan_is_refused(tmp_path):
    build(tmp_path, [labelled(crystal(n)) for n in range(3)])
    array = tmp_path / "set/train/rattled-4/set.000/force.npy"
    forces = np.load(array)
    data.check_arrays(tmp_path / "set")
    forces[1, 4] = np.nan
    np.save(array, forces)
    with pytest.raises(InputError, match=r"force\.npy: frame 1 is not finite"):
        data.check_arrays(tmp_path / "set")


def test_a_data_set_with_another_element_is_refused(tmp_path):
    build(tmp_path, [labelled(crystal(n)) for n in range(3)])
    types = tmp_path / "set/train/rattled-4/type_map.raw"
    elements = types.read_text().split()
    data.check_arrays(tmp_path / "set", elements)
    types.write_text("\n".join(["Xx", *elements[1:]]))
    with pytest.raises(InputError, match=r"type_map\.raw: holds Xx; the system knows only"):
        data.check_arrays(tmp_path / "set", elements)


def test_a_truncated_array_is_refused(tmp_path):
    build(tmp_path, [labelled(crystal(1))])
    array = tmp_path / "set/train/rattled-4/set.000/coord.npy"
    array.write_bytes(array.read_bytes()[:-8])
    with pytest.raises(InputError, match=r"coord\.npy: not a readable array"):
        data.check_arrays(tmp_path / "set")
