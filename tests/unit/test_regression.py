"""Pins: what keeps one, what breaks one, and that nothing but `repin` changes one."""

import pytest

from dpchannel.errors import EngineFailed, InputError
from dpchannel.regression.judge import evidence_of, judge
from dpchannel.regression.measure import measure
from dpchannel.regression.pins import Pin, PinFile, read_pins, read_rules
from dpchannel.regression.repin import last_entries, repin
from dpchannel.results import Quantity, Result, project_root, sha256
from dpchannel.settings import load

REASON = "a test wants to see it"
RULES = """
[[rule]]
id = "toy.walk.*.D"
unit = "cm2/s"
kind = "statistical"
tier = "slow"
k = 3.0
max_stderr = 0.2
why = "three standard errors, by chance once in 370"

[[rule]]
id = "toy.walk.*.bound"
unit = "cm2/s"
kind = "bound"
side = "upper"
tier = "gpu"
why = "only an interval beyond it contradicts"

[[rule]]
id = "toy.walk.*"
unit = "A"
kind = "deterministic"
tier = "slow"
tol = 0.01
why = "rounding of another machine"
state = { engine = "dp" }
"""
COMMON = {
    "id": "toy.walk.here.x",
    "value": 1.0,
    "unit": "A",
    "tier": "slow",
    "why": "a reason of some length",
    "evidence": "evidence/x.json",
    "evidence_sha256": "0" * 64,
}


def pin(**changes):
    return Pin.model_validate(COMMON | {"kind": "deterministic", "tol": 0.01} | changes)


def statistical(**changes):
    terms = {"kind": "statistical", "tol": None, "k": 3.0, "max_stderr": 0.2, "stderr": 0.1}
    return pin(**(terms | changes))


def bound(side="upper"):
    return pin(kind="bound", tol=None, side=side)


def result(**quantities):
    return Result("walk", "toy", {"engine": "dp"}, quantities)


@pytest.fixture
def regression(tmp_path):
    """An empty folder of pins, with rules, in a project of its own."""
    folder = tmp_path / "regression"
    (folder / "pins").mkdir(parents=True)
    (folder / "rules.toml").write_text(RULES)
    return folder


@pytest.fixture
def measured(regression):
    path = regression.parent / "runs" / "result.json"
    result(
        x=Quantity(1.5, "A"),
        D=Quantity(2.0, "cm2/s", stderr=0.15),
        bound=Quantity(3.0, "cm2/s", kind="upper_bound"),
    ).write(path)
    return path


# ---- what keeps a pin


@pytest.mark.parametrize(
    ("found", "ok", "says"),
    [
        (Quantity(1.009, "A"), True, "allowed 0.01"),
        (Quantity(1.011, "A"), False, "differs by 0.011"),
        (Quantity(0.989, "A"), False, "differs by 0.011"),
        (Quantity(1.0, "nm"), False, "another unit"),
        (Quantity(None, "A"), False, "no number"),
        (Quantity(float("nan"), "A"), False, "no number"),
        (Quantity(1.0, "A", kind="upper_bound"), False, "now only a upper bound"),
    ],
)
def test_deterministic(found, ok, says):
    verdict = judge(pin(), found)
    assert verdict.ok is ok
    assert says in verdict.text


@pytest.mark.parametrize(
    ("value", "stderr", "ok"),
    [
        (1.42, 0.1, True),  # 3 sqrt(0.1^2 + 0.1^2) = 0.424
        (1.43, 0.1, False),
        (1.60, 0.2, True),  # 3 sqrt(0.2^2 + 0.1^2) = 0.671
        (1.00, 0.21, False),  # the same number, but a wider error bar than allowed
        (1.42, None, False),
        (1.00, 0.0, False),
    ],
)
def test_statistical(value, stderr, ok):
    """A measurement cannot pass by being bad."""
    assert judge(statistical(), Quantity(value, "A", stderr=stderr)).ok is ok


@pytest.mark.parametrize(
    ("found", "upper_ok", "lower_ok"),
    [
        (Quantity(0.5, "A"), True, False),
        (Quantity(1.5, "A"), False, True),
        (Quantity(1.5, "A", ci95=(0.9, 2.1)), True, True),
        (Quantity(1.5, "A", ci95=(1.1, 1.9)), False, True),
        (Quantity(0.5, "A", ci95=(0.1, 0.9)), True, False),
        (Quantity(9.0, "A", kind="upper_bound"), True, True),  # weaker, but no contradiction
        (Quantity(0.9, "A", kind="upper_bound"), True, False),
        (Quantity(1.1, "A", kind="lower_bound"), False, True),
        (Quantity(0.1, "A", kind="lower_bound"), True, True),
    ],
)
def test_a_bound_is_broken_only_by_an_interval_wholly_beyond(found, upper_ok, lower_ok):
    assert judge(bound("upper"), found).ok is upper_ok
    assert judge(bound("lower"), found).ok is lower_ok


# ---- what a pin file may say


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tol": None}, "a deterministic pin has tol"),
        ({"k": 3.0}, "a deterministic pin has tol"),
        ({"tol": -1.0}, "greater than 0"),
        ({"kind": "statistical"}, "a statistical pin has k, max_stderr"),
        ({"kind": "bound"}, "a bound pin has side"),
        ({"stderr": 0.1}, "stderr belongs to a statistical pin"),
        ({"tier": "fast"}, "a fast pin needs the command"),
        ({"tier": "quick"}, "Input should be 'fast', 'slow' or 'gpu'"),
        ({"why": ""}, "at least 10 characters"),
        ({"id": "lattice"}, "should match pattern"),
        ({"evidence_sha256": "abc"}, "should match pattern"),
        ({"tolerance": 1.0}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_pin_is_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        pin(**changes)


def test_a_damaged_pin_file_names_file_and_key(tmp_path):
    path = tmp_path / "walk.toml"
    path.write_text('[[pin]]\nid = "toy.walk.here.x"\nvalue = "much"\n')
    with pytest.raises(InputError, match=r"walk.toml: pin.0.value = 'much'"):
        load(PinFile, path)


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


def test_a_pin_without_evidence_of_its_own_needs_a_file(regression):
    with pytest.raises(InputError, match=r"new. Name the result file"):
        repin("toy.walk.here.x", None, REASON, regression)


def test_repinning_the_same_number_is_refused(regression, measured):
    repin("toy.walk.here.x", measured, REASON, regression)
    with pytest.raises(InputError, match=r"nothing changes; it is 1\.5 A already"):
        repin("toy.walk.here.x", None, REASON, regression)


# ---- evidence that no longer is


@pytest.fixture
def pinned(regression, measured):
    (regression.parent / "inputs").mkdir()
    model = regression.parent / "inputs" / "model.pb"
    model.write_text("first")
    found = Result.read(measured)
    found.provenance["potential"] = {"path": "inputs/model.pb", "sha256": sha256(model)}
    found.write(measured)
    return repin("toy.walk.here.x", measured, REASON, regression)


def test_evidence_made_with_another_potential_is_stale(regression, pinned):
    assert evidence_of(pinned, regression).value == 1.5
    (regression.parent / "inputs/model.pb").write_text("second")
    with pytest.raises(InputError, match=r"stale: .* with another inputs/model.pb"):
        evidence_of(pinned, regression)


def test_missing_changed_or_contradicting_evidence(regression, pinned):
    path = regression / pinned.evidence
    with pytest.raises(InputError, match=r"pinned 1.6 A, .* says 1.5 A"):
        evidence_of(pinned.model_copy(update={"value": 1.6}), regression)
    with pytest.raises(InputError, match=r"pinned 1.5 nm, .* says 1.5 A"):
        evidence_of(pinned.model_copy(update={"unit": "nm"}), regression)
    path.write_text(path.read_text() + "\n")
    with pytest.raises(InputError, match="not the file it was pinned with"):
        evidence_of(pinned, regression)
    path.unlink()
    with pytest.raises(InputError, match="is missing"):
        evidence_of(pinned, regression)


def test_history_must_be_there_and_whole(regression, pinned):
    path = regression / "HISTORY.md"
    path.write_text(path.read_text() + "| half a line |\n")
    with pytest.raises(InputError, match="damaged line"):
        last_entries(regression)
    path.unlink()
    with pytest.raises(InputError, match="missing"):
        last_entries(regression)


# ---- measuring anew


def test_a_pipeline_of_scripts_gives_a_result(tmp_path):
    command = "bin/structure.py pb10po46o | bin/measure.py -"
    found = measure(command, project_root(), tmp_path / "result.json")
    assert found.quantities["c"].value == pytest.approx(7.4815, abs=1e-4)


@pytest.mark.parametrize(
    ("command", "error", "says"),
    [
        ("bin/none.py", InputError, "is no script of bin/"),
        ("/bin/echo x", InputError, "is no script of bin/"),
        ("bin/structure.py pb10po46o", InputError, "printed no result"),
        (
            "bin/structure.py none | bin/measure.py -",
            EngineFailed,
            "exit code 2.*no inputs/none|none",
        ),
    ],
)
def test_a_command_that_gives_no_result(tmp_path, command, error, says):
    with pytest.raises(error, match=says):
        measure(command, project_root(), tmp_path / "result.json")
    assert not (tmp_path / "result.json").exists()


def test_the_projects_own_rules_are_valid():
    assert read_rules(project_root() / "regression").rule
