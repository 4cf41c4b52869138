"""A potential file is whole, is a potential, and is of this system; else it is refused."""

import pytest

from dpchannel.errors import EngineMissing, PotentialError
from dpchannel.potential.calculator import calculator, check_potential, potential_file

ELEMENTS = ("Pb", "P", "O")
OUTPUTS = ("model_attr/model_version", "descrpt_attr/rcut", "o_energy", "o_force", "o_virial")


def field(number, content):
    """A length-delimited protobuf field; contents here are shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def graph(path, type_map, outputs=OUTPUTS):
    """A frozen graph with the names of a deep potential's nodes, and nothing behind them."""
    tensor = bytes([1 << 3, 7]) + field(8, type_map.encode())  # dtype DT_STRING, string_val
    value = field(1, b"value") + field(2, field(8, tensor))
    nodes = [field(1, b"model_attr/tmap") + field(2, b"Const") + field(5, value)]
    nodes += [field(1, name.encode()) + field(2, b"Identity") for name in outputs]
    path.write_bytes(b"".join(field(1, node) for node in nodes))
    return path


@pytest.mark.parametrize("type_map", ["Pb P O", "O Pb P"])
def test_any_order_of_the_same_elements(tmp_path, type_map):
    """The order is the file's; a permutation is the same potential."""
    found = check_potential(graph(tmp_path / "model.pb", type_map), ELEMENTS)
    assert found == tuple(type_map.split())


def test_more_elements_do_no_harm(tmp_path):
    """A potential of many elements serves a system of three; types go by the file's own order."""
    found = check_potential(graph(tmp_path / "model.pb", "H O P Pb"), ELEMENTS)
    assert found == ("H", "O", "P", "Pb")


@pytest.mark.parametrize("type_map", ["Pb P", "Cu P O", ""])
def test_a_missing_element_is_refused(tmp_path, type_map):
    with pytest.raises(
        PotentialError, match=f"trained for {type_map or 'unnamed elements'}, the system has"
    ):
        check_potential(graph(tmp_path / "model.pb", type_map), ELEMENTS)


def test_truncated_file_is_refused(tmp_path):
    """Cut inside a node; and cut between nodes, where the format itself notices nothing."""
    whole = graph(tmp_path / "model.pb", "Pb P O").read_bytes()
    cut = tmp_path / "cut.pb"
    cut.write_bytes(whole[: len(whole) - 5])
    with pytest.raises(PotentialError, match="cut short"):
        calculator(cut, ELEMENTS)
    with pytest.raises(PotentialError, match="no o_virial"):
        calculator(graph(cut, "Pb P O", OUTPUTS[:-1]), ELEMENTS)


def test_a_graph_of_deepmd_1_names_its_conversion(tmp_path):
    """Its graphs carry no version; `dp convert-from` finds out which it is."""
    old = graph(tmp_path / "old.pb", "Pb P O", OUTPUTS[1:])
    with pytest.raises(
        PotentialError, match=r"DeePMD-kit 1 .* `\.venv/bin/dp convert-from -i .*old"
    ):
        check_potential(old, ELEMENTS)


def test_foreign_file_is_refused(tmp_path):
    path = tmp_path / "model.pb"
    path.write_text("not a graph\n")
    with pytest.raises(PotentialError, match="not a frozen potential"):
        calculator(path, ELEMENTS)
    path.write_bytes(b"")
    with pytest.raises(PotentialError, match="not a frozen deep potential"):
        calculator(path, ELEMENTS)


def test_folder_holds_a_precise_and_a_fast_model(tmp_path):
    for name in ("model.pb", "model-compressed.pb"):
        (tmp_path / name).touch()
    assert potential_file(tmp_path).name == "model.pb"
    assert potential_file(tmp_path, precise=False).name == "model-compressed.pb"
    assert potential_file(tmp_path / "model.pb", precise=False).name == "model.pb"


def test_missing_potential_names_the_remedy(tmp_path):
    with pytest.raises(PotentialError, match="make train"):
        potential_file(tmp_path / "nothing")


def test_a_file_of_another_format_is_refused_in_one_line(tmp_path):
    path = tmp_path / "model.xyz"
    path.write_text("not a model\n")
    with pytest.raises(PotentialError, match=r"cannot load it \(Cannot detect the backend"):
        calculator(path, ELEMENTS)
    with pytest.raises(
        PotentialError, match=r"without forces\. Convert it with `dp convert-backend"
    ):
        calculator(path.rename(tmp_path / "model.dp"), ELEMENTS)


def test_a_damaged_pytorch_model_is_refused_in_one_line(tmp_path):
    """Without torch, or with one that the wheel was not built for, the engine is missing."""
    path = tmp_path / "model.pth"
    path.write_text("not a model\n")
    with pytest.raises((PotentialError, EngineMissing), match=r"model\.pth: "):
        calculator(path, ELEMENTS)


def test_only_a_shipped_potential_can_be_restored(root, tmp_path):
    with pytest.raises(PotentialError) as caught:
        potential_file(tmp_path / "nosuch.pb")
    assert "git checkout" not in str(caught.value)
    with pytest.raises(PotentialError, match=r"git checkout -- .*nosuch\.pb"):
        potential_file(root / "inputs/potentials/nosuch.pb")


def test_a_cutoff_that_is_too_short_is_refused(root):
    shipped = root / "inputs/potentials/pb10po46o/model.pb"
    with pytest.raises(PotentialError, match=r"sees 6 A far, but neighbours .* up to 6\.5 A"):
        calculator(shipped, ELEMENTS, reach_A=6.5)
