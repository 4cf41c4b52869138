"""What a melting run asks the potential's card before it starts."""

from pathlib import Path

import pytest

from dpchannel.errors import RangeError
from dpchannel.report import coexistence_task, melting_runs
from dpchannel.report.melting_runs import Order, find_coexistence, make

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
CARD = """
[model]
elements = ["Pb", "P", "O"]
[range]
temperature_K = {kelvin}
pressure_GPa = [-1, 8]
fraction = {{ Pb = [{lead}, {lead}], P = [0.1463, 0.1463], O = [0.6098, 0.6098] }}
"""


@pytest.fixture
def ordered(tmp_path, monkeypatch):
    """An order with a potential of that range; its runs are not made."""
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(coexistence_task, "run", lambda *given: given[-1])
    monkeypatch.setattr(melting_runs, "at_rest", lambda *_, **__: pytest.fail("was run"))

    def order(kelvin="[0, 1800]", lead=0.2439):
        (tmp_path / "card.toml").write_text(CARD.format(kelvin=kelvin, lead=lead))
        potential = tmp_path / "model.lammps"
        potential.write_text("pair_style zero 6.0\npair_coeff * *\n")
        files = (INPUTS / name for name in ("pb10po46o.toml", "melting.toml", "md.toml"))
        return Order(*files, INPUTS, "toy", potential, (), "0GPa", 1, False)

    return order


def test_melting_hotter_than_the_training_data_is_a_recorded_warning(ordered, tmp_path):
    """3000 K only make a liquid; the states that are looked at are inside."""
    notes = []
    checks = find_coexistence(ordered(), tmp_path / "x.npz", tmp_path / "out", note=notes.append)
    told = {check["name"]: check for check in checks}
    assert told["inside_training_range"]["ok"] and told["trained_composition"]["ok"]
    warned = told["melt_inside_training_range"]
    assert not warned["ok"] and "T = 3000 K" in warned["text"]
    assert any("T = 3000 K" in note for note in notes)


def test_a_search_outside_the_training_data_is_refused(ordered, tmp_path):
    with pytest.raises(RangeError, match="T = 600 K"):
        find_coexistence(ordered("[0, 500]"), tmp_path / "x.npz", tmp_path / "out", note=print)
    with pytest.raises(RangeError, match="composition"):
        find_coexistence(ordered(lead=0.3), tmp_path / "x.npz", tmp_path / "out", note=print)


def test_the_crystal_at_rest_is_asked_for_too(ordered, tmp_path):
    with pytest.raises(RangeError, match="T = 0 K"):
        make(ordered("[100, 1800]"), tmp_path / "relaxed.extxyz", "0K", "", note=print)
    with pytest.raises(RangeError, match="composition"):
        make(ordered(lead=0.3), tmp_path / "relaxed.extxyz", "0K", "", note=print)
