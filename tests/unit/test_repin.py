"""Nothing but `repin` changes a pin, and its evidence must stay evidence."""

import pytest
from toy_pins import REASON, result

from dpchannel.errors import InputError
from dpchannel.regression.judge import evidence_of, judge
from dpchannel.regression.pins import read_pins, read_rules
from dpchannel.regression.repin import last_entries, repin, repin_all
from dpchannel.results import Check, Quantity, Result, sha256


def test_no_pins_twice_the_same_or_in_the_wrong_file(regression, measured):
    with pytest.raises(InputError, match="no pins"):
        read_pins(regression)
    repin("toy.walk.here.x", measured, REASON, regression)
    path = regression / "pins" / "walk.toml"
    path.write_text(path.read_text() * 2)
    with pytest.raises(InputError, match=r"toy\.walk\.here\.x is there twice"):
        read_pins(regression)
    path.rename(path.with_name("other.toml"))
    with pytest.raises(InputError, match=r"belongs into pins/walk\.toml"):
        read_pins(regression)


# ---- repin


def test_a_new_pin_takes_number_terms_and_evidence(regression, measured):
    repin("toy.walk.here.x", measured, REASON, regression)
    repin("toy.walk.here.D", measured, REASON, regression)
    repin("toy.walk.here.bound", measured, REASON, regression)
    pins = read_pins(regression)
    assert [(p.value, p.kind, p.stderr) for p in pins.values()] == [
        (1.5, "deterministic", None),
        (2.0, "statistical", 0.15),
        (3.0, "bound", None),
    ]
    for one in pins.values():
        assert judge(one, evidence_of(one, regression)).ok
    assert last_entries(regression)["toy.walk.here.x"] == ("1.5", sha256(measured)[:12])


def test_evidence_lies_by_state_as_runs_do(regression, measured):
    one = repin("toy.walk.P2.45GPa-T500K.x", measured, REASON, regression)
    assert one.evidence == "evidence/toy/walk/P2.45GPa/T500K/result.json"
    assert (regression / one.evidence).read_bytes() == measured.read_bytes()
    again = repin("toy.walk.P2.45GPa-T500K.D", regression / one.evidence, REASON, regression)
    assert again.evidence == one.evidence


def test_what_was_found_chooses_between_a_value_and_a_bound(regression, measured):
    """A longer run turns the bound of a number into its value, by another rule for the same id."""
    result(D=Quantity(3.0, "cm2/s", kind="upper_bound")).write(measured)
    pin = repin("toy.walk.here.D", measured, REASON, regression)
    assert (pin.kind, read_rules(regression).terms_of(pin).kind) == ("bound", "bound")
    result(D=Quantity(2.0, "cm2/s", stderr=0.15)).write(measured)
    pin = repin("toy.walk.here.D", measured, "thirty hops at last", regression)
    assert (pin.kind, pin.side, pin.stderr) == ("statistical", None, 0.15)
    assert read_rules(regression).terms_of(pin).kind == "statistical"


def test_the_state_comes_from_the_id(regression, measured):
    """One rule for all states: the result must be of the one that the id names."""
    state = {"engine": "dp", "pressure_GPa": 2.45, "case": "slide", "repeat": [1, 1, 1]}
    Result("hop", "toy", state, {"x": Quantity(0.4, "A")}).write(measured)
    pin = repin("toy.hop.P2.45GPa-slide.x", measured, REASON, regression)
    assert pin.state == {"engine": "dp", "pressure_GPa": 2.45, "case": "slide"}
    assert pin.command == "bin/hop.py --case slide --pressure 2.45GPa --out -"
    before = files(regression)
    for name, says in (
        ("P4GPa-slide", "has pressure_GPa = 2.45, wanted 4.0"),
        ("P2.45GPa-hop_1x1x4", "has case = 'slide', wanted 'hop_1x1x4'"),
        ("P2.45GPa", "takes pressure_GPa and case from the id"),
        ("P2.45-slide", "pressure '2.45': not a number with a unit"),
    ):
        with pytest.raises(InputError, match=says):
            repin(f"toy.hop.{name}.x", measured, REASON, regression)
    assert files(regression) == before


def test_a_change_leaves_a_line(regression, measured):
    repin("toy.walk.here.x", measured, REASON, regression)
    changed = result(x=Quantity(1.6, "A"))
    changed.write(measured)
    repin("toy.walk.here.x", measured, "another potential is shipped", regression)
    lines = (regression / "HISTORY.md").read_text().splitlines()
    assert [line.split(" | ")[1:5] for line in lines[-2:]] == [
        ["toy.walk.here.x", "new", "1.5", "A"],
        ["toy.walk.here.x", "1.5", "1.6", "A"],
    ]
    assert lines[-1].endswith("another potential is shipped |")


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "change", "reason", "says"),
    [
        ("toy.walk.here.x", {}, "why", "say in a sentence"),
        ("toy.walk.here.y", {}, REASON, "has no y. There is: x"),
        ("toy.swim.here.x", {}, REASON, "no .* fits"),
        ("toy.walk.here.x", {"system": "other"}, REASON, "is of other, task walk"),
        ("toy.walk.here.x", {"state": {"engine": "mlip"}}, REASON, "has engine = 'mlip', wanted"),
        (
            "toy.walk.here.x",
            {"quantities": {"x": Quantity(1.5, "nm")}},
            REASON,
            "wants a number in A",
        ),
        ("toy.walk.here.x", {"quantities": {"x": Quantity(None, "A")}}, REASON, "says None A"),
        (
            "toy.walk.here.x",
            {"provenance": {"potential": {"path": "runs/other/model.pb", "sha256": "0"}}},
            REASON,
            "measured with runs/other/model.pb, which is not committed",
        ),
        (
            "toy.walk.here.D",
            {"quantities": {"D": Quantity(2.0, "cm2/s", stderr=0.3)}},
            REASON,
            "standard error 0.3, its rule allows 0.2",
        ),
        (
            "toy.walk.here.bound",
            {"quantities": {"bound": Quantity(2.0, "cm2/s")}},
            REASON,
            "has a estimate, its rule wants upper_bound",
        ),
    ],
)
def test_an_unsuitable_result_changes_nothing(regression, measured, name, change, reason, says):
    repin("toy.walk.there.x", measured, REASON, regression)
    before = files(regression)
    found = Result.read(measured)
    for key, value in change.items():
        setattr(found, key, value)
    found.write(measured)
    with pytest.raises(InputError, match=says):
        repin(name, measured, reason, regression)
    assert files(regression) == before


def failing(measured, *names):
    """The same result with checks that failed, and one that did not."""
    found = Result.read(measured)
    found.checks = [Check("kept", True, "fine"), *(Check(n, False, "too large") for n in names)]
    found.write(measured)


def test_a_failed_check_gives_no_pin_unless_the_rule_names_it(regression, measured):
    """A number can stand although a check failed; the pin says which, and only those count."""
    failing(measured, "doubled_is_a_minimum", "converged")
    with pytest.raises(InputError, match=r"failed its check converged\. .* `despite` it"):
        repin("toy.walk.here.x", measured, REASON, regression)
    failing(measured, "doubled_is_a_minimum", "other_is_a_minimum")
    assert repin("toy.walk.here.x", measured, REASON, regression).value == 1.5
    assert read_pins(regression)["toy.walk.here.x"].despite == ("*_is_a_minimum",)
    with pytest.raises(InputError, match="failed its check doubled_is_a_minimum"):
        repin("toy.walk.here.bound", measured, REASON, regression)


def test_a_pin_without_evidence_of_its_own_needs_a_file(regression):
    with pytest.raises(InputError, match=r"new. Name the result file"):
        repin("toy.walk.here.x", None, REASON, regression)


def test_repinning_the_same_number_is_refused(regression, measured):
    repin("toy.walk.here.x", measured, REASON, regression)
    with pytest.raises(InputError, match=r"nothing changes; it is 1\.5 A already"):
        repin("toy.walk.here.x", None, REASON, regression)


def test_of_several_pins_one_that_cannot_be_set_leaves_all_as_they_were(regression, measured):
    repin("toy.walk.here.x", measured, REASON, regression)
    before = [path.read_bytes() for path in sorted(regression.rglob("*.*"))]
    with pytest.raises(InputError, match="has no nothing"):
        repin_all(["toy.walk.here.D", "toy.walk.here.nothing"], measured, REASON, regression)
    assert [path.read_bytes() for path in sorted(regression.rglob("*.*"))] == before


def test_a_file_that_other_pins_rest_on_is_not_replaced_under_them(regression, measured):
    repin("toy.walk.here.x", measured, REASON, regression)
    repin("toy.walk.here.D", measured, REASON, regression)
    found = Result.read(measured)
    found.quantities["x"] = Quantity(1.6, "A")
    found.write(measured)
    with pytest.raises(InputError, match=r"toy\.walk\.here\.D: rests on .* Name it, too"):
        repin("toy.walk.here.x", measured, REASON, regression)
    both = ["toy.walk.here.x", "toy.walk.here.D"]
    assert [pin.value for pin in repin_all(both, measured, REASON, regression)] == [1.6, 2.0]


def test_a_name_that_is_none_is_refused(regression, measured):
    with pytest.raises(InputError, match=r"'nonsense': no name of a pin\. Write system\.task"):
        repin("nonsense", measured, REASON, regression)


def test_a_bracket_is_pinned_with_both_ends(regression):
    """Its value may be missing: then it is the middle; too wide a one is not pinned."""
    path = regression.parent / "runs" / "melt.json"
    brackets = {
        "T_m": Quantity(1250.0, "K", ci95=(1200.0, 1300.0), kind="bracket"),
        "T_n": Quantity(None, "K", ci95=(1000.0, 1100.0), kind="bracket"),
        "T_wide": Quantity(1250.0, "K", ci95=(1000.0, 1300.0), kind="bracket"),
        "T_bound": Quantity(1250.0, "K", kind="lower_bound"),
    }
    Result("melt", "toy", {}, brackets).write(path)
    for name, ends in (("T_m", (1200.0, 1250.0, 1300.0)), ("T_n", (1000.0, 1050.0, 1100.0))):
        found = repin(f"toy.melt.here.{name}", path, REASON, regression)
        assert (found.low, found.value, found.high) == ends
        read = read_pins(regression)[found.id]
        assert read == found
        assert judge(read, evidence_of(read, regression)).ok
    for name, says in (("T_wide", "allows a width of 200"), ("T_bound", "wants bracket or")):
        with pytest.raises(InputError, match=says):
            repin(f"toy.melt.here.{name}", path, REASON, regression)
