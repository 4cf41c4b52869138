"""Result files: they read back as written, and a failing writer leaves the earlier one alone."""

import hashlib
import json
import math

import pytest

from dpchannel.errors import InputError
from dpchannel.results import Check, Quantity, Result, provenance, relative, replacing, sha256


def result() -> Result:
    return Result(
        task="diffusion",
        system="toy",
        state={"pressure_GPa": 4.0, "temperature_K": 500.0},
        quantities={
            "D_c": Quantity(5e-6, "cm2/s", method="Poisson", kind="upper_bound"),
            "a": Quantity(9.87, "A", stderr=0.01, ci95=(9.85, 9.89), n=100, n_independent=12.5),
            "none": Quantity(None, "1"),
        },
        checks=[Check("stationary", True, "drift 0.1 %")],
        files={"runs/msd.npz": "0" * 64},
        provenance={"seed": 1},
        summary="One sentence.",
    )


def test_a_result_reads_back_as_written(tmp_path):
    path = tmp_path / "new" / "result.json"
    result().write(path)
    assert Result.read(path) == result()
    assert json.loads(path.read_text())["schema"] == "dpchannel.result/1"


def test_json_holds_no_nan(tmp_path):
    """NaN is no JSON: a number that could not be found is null."""
    bad = result()
    bad.quantities["D_c"] = Quantity(math.nan, "cm2/s")
    path = tmp_path / "result.json"
    result().write(path)
    with pytest.raises(ValueError, match="JSON compliant"):
        bad.write(path)
    assert Result.read(path) == result()
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="estimate, upper_bound"):
        Quantity(1.0, "A", kind="guess")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "other/1"}', '{"task": "diffusion"}'])
def test_another_file_is_no_result(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"result\.json"):
        Result.read(path)


def test_a_failing_writer_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("earlier")
    with pytest.raises(RuntimeError), replacing(path) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_sha256_is_the_published_one_of_abc(tmp_path):
    """FIPS 180-4, the first example."""
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256(path).startswith("ba7816bf8f01cfea")
    assert sha256(path) == hashlib.sha256(b"abc").hexdigest()


def test_paths_are_relative_to_the_project(root, tmp_path):
    assert relative(root / "inputs" / "md.toml") == "inputs/md.toml"
    assert relative(tmp_path) == str(tmp_path)


def test_provenance_names_code_and_versions(tmp_path):
    model = tmp_path / "model.pb"
    model.write_bytes(b"abc")
    found = provenance(settings={"a": 1}, potential=model, seed=7, cores=2)
    assert found["versions"]["deepmd-kit"]
    assert found["potential"]["sha256"].startswith("ba7816bf")
    assert (found["seed"], found["cores"]) == (7, 2)
    assert found["wall_s"] >= 0
