"""A potential file is whole, is a potential, and is of this system; else it is refused."""

import pytest

from dpchannel.errors import PotentialError
from dpchannel.potential.calculator import calculator, check_potential, potential_file

ELEMENTS = ("Pb", "P", "O")
OUTPUTS = ("descrpt_attr/rcut", "o_energy", "o_force", "o_virial")


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


@pytest.mark.parametrize("type_map", ["Pb P", "Pb P O H", "Cu P O"])
def test_other_elements_are_refused(tmp_path, type_map):
    with pytest.raises(PotentialError, match=f"trained for {type_map}, the system has Pb P O"):
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
