"""The evidence of a pin must stay evidence."""

import shutil
import tomllib

import pytest
from toy_pins import REASON

from dpchannel.errors import InputError
from dpchannel.regression.judge import check_evidence, evidence_of
from dpchannel.regression.repin import last_entries, repin
from dpchannel.results import Quantity, Result, project_root, sha256


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


def test_evidence_made_with_other_settings_is_stale(regression):
    """A number of another search is not this one; how many steps it had is all the same."""
    inputs = regression.parent / "inputs"
    inputs.mkdir()
    shutil.copy(project_root() / "inputs" / "neb.toml", inputs)
    text = (inputs / "neb.toml").read_text()
    settings = tomllib.loads(text)
    settings["case"] = settings["case"]["slide"]
    found = Result("neb", "toy", {"engine": "dp", "case": "slide"}, {"x": Quantity(1.5, "A")})
    found.provenance["settings"] = settings
    path = regression.parent / "runs" / "result.json"
    found.write(path)
    check_evidence("toy.neb.here.x", {}, found, path, regression.parent)
    (inputs / "neb.toml").write_text(text.replace("max_steps = 600", "max_steps = 2000"))
    check_evidence("toy.neb.here.x", {}, found, path, regression.parent)
    (inputs / "neb.toml").write_text(text.replace("along_A = 1.0", "along_A = 0.5"))
    with pytest.raises(InputError, match=r"other settings: states.along_A was 1.0, is 0.5\. Meas"):
        check_evidence("toy.neb.here.x", {}, found, path, regression.parent)


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
