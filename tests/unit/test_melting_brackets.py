"""Both melting temperatures in one result: only runs of one crystal, one potential, one profile."""

import pytest

from dpchannel.report import melting_brackets
from dpchannel.report.melting_brackets import join
from dpchannel.results import Check, Quantity, Result


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Write results as the modes leave them; no committed run stands in."""
    monkeypatch.setattr(melting_brackets, "_committed", lambda like, mode: tmp_path / "none")

    def write(mode, *, potential="a" * 64, pressure_GPa=0.0, profile="quick", path=None):
        name = "T_m_coexistence" if mode == "coexistence" else "T_m_heating"
        state = {"compound": "X", "mode": mode, "profile": profile, "pressure_GPa": pressure_GPa}
        found = Result(
            "melting",
            "pb10po46o",
            state,
            {name: Quantity(900.0, "K", ci95=(800.0, 1000.0), kind="bracket")},
            [Check("signals_agree", mode != "ramp", "")],
            provenance={"potential": {"sha256": potential}},
            summary=f"{mode} it was.",
        )
        found.write(path or tmp_path / mode / "result.json")

    return write


def joined(tmp_path):
    found = join(tmp_path, tmp_path / "result.json")
    return found, {check.name: check for check in found.checks}


def test_modes_of_one_crystal_stand_together(ran, tmp_path):
    for mode in ("steps", "ramp", "coexistence"):
        ran(mode)
    found, told = joined(tmp_path)
    assert found.quantities.keys() == {"T_m_heating", "T_m_heating_ramp", "T_m_coexistence"}
    assert told.keys() == {"signals_agree"} and len(found.files) == 3


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"potential": "b" * 64}, "potential bbbbbbbbbbbb, not aaaaaaaaaaaa"),
        ({"pressure_GPa": 4.0}, "pressure_GPa 4.0, not 0.0"),
        ({"profile": "standard"}, "profile standard, not quick"),
    ],
)
def test_a_run_that_does_not_fit_is_left_out_and_named(ran, tmp_path, other, says):
    ran("steps")
    ran("ramp", **other)
    ran("coexistence")
    found, told = joined(tmp_path)
    assert found.quantities.keys() == {"T_m_heating", "T_m_coexistence"}
    # its own failed check belongs to a number that is not there
    assert told.keys() == {"ramp_fits"} and told["ramp_fits"].text.endswith(f"is left out: {says}")
    assert len(found.files) == 2 and "ramp it was" not in found.summary


@pytest.mark.parametrize(("potential", "stands"), [("a" * 64, True), ("b" * 64, False)])
def test_a_committed_run_stands_in_when_it_is_of_the_same_potential(
    ran, tmp_path, monkeypatch, potential, stands
):
    committed = tmp_path / "evidence.json"
    monkeypatch.setattr(
        melting_brackets,
        "_committed",
        lambda like, mode: committed if mode == "coexistence" else tmp_path / "none",
    )
    ran("steps")
    ran("coexistence", potential=potential, profile="standard", path=committed)
    found, told = joined(tmp_path)
    assert ("T_m_coexistence" in found.quantities) == stands
    assert ("coexistence_fits" in told) != stands
    if stands:
        assert found.quantities["T_m_coexistence"].method.startswith("committed run, standard")
