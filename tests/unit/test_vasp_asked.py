"""VASP: a run is a label of the settings only when it was made with all of them."""

import pytest
from test_vasp import SHIPPED, configured, frame

from dpchannel.errors import EngineFailed
from dpchannel.labels.vasp import VaspLabeler


@pytest.mark.parametrize(
    ("name", "was", "now", "says"),
    [
        ("KPOINTS", "8 8 7", "1 1 1", r"k-points Monkhorst 1 1 1, asked was Monkhorst 8 8 7"),
        ("KPOINTS", "Monkhorst", "Gamma", r"k-points Gamma 8 8 7, asked was Monkhorst"),
        ("INCAR", "PREC = Accurate", "PREC = Normal", "PREC = Normal, asked was Accurate"),
        ("INCAR", "ALGO = Normal", "ALGO = Fast", "ALGO = Fast, asked was Normal"),
        ("INCAR", "ISMEAR = 0", "ISMEAR = 1", "ISMEAR = 1, asked was 0"),
        ("INCAR", "LREAL = False", "LREAL = Auto", "LREAL = Auto, asked was False"),
        ("INCAR", "NSW = 0", "NSW = 0\nISPIN = 2", "ISPIN = 2, asked was 1"),
    ],
)
def test_a_run_by_hand_with_other_inputs_is_no_label_of_these_settings(
    tmp_path, name, was, now, says
):
    """The digest of the settings vouches for the mesh and for every tag."""
    engine = VaspLabeler(configured())
    engine.write_inputs(frame(), tmp_path)
    text = (tmp_path / name).read_text()
    assert was in text
    (tmp_path / name).write_text(text.replace(was, now))
    engine.run(tmp_path)
    with pytest.raises(EngineFailed, match=says):
        engine.read(tmp_path)


def test_a_gamma_centred_mesh_is_what_was_asked_for(tmp_path):
    gamma = SHIPPED.mesh.model_copy(update={"scheme": "gamma"})
    engine = VaspLabeler(configured().model_copy(update={"mesh": gamma}))
    engine.write_inputs(frame(), tmp_path)
    engine.run(tmp_path)
    assert engine.read(tmp_path).info["converged"]


def test_starting_moments_make_a_polarised_label(tmp_path):
    """In the order of POSCAR, which groups the elements; their sum is not held."""
    atoms = frame()
    atoms.set_initial_magnetic_moments([0, 0.5, 0, -1.0])  # Pb O P O
    engine = VaspLabeler(configured())
    engine.write_inputs(atoms, tmp_path)
    incar = (tmp_path / "INCAR").read_text()
    assert "ISPIN = 2" in incar and "MAGMOM = 1*0.0 1*0.5 1*-1.0 1*0.0" in incar
    assert "NUPDOWN" not in incar
    engine.run(tmp_path)
    assert engine.read(tmp_path).info["spin_polarised"]
    assert engine.made_with(atoms)["spin_polarised"]
