"""Structures through pipes: build, relax, measure, draw; one clear line for each mistake."""

import json

import pytest
from numpy.testing import assert_allclose


@pytest.fixture(scope="module")
def crystal(run_bin):
    """The published cell as extxyz text."""
    return run_bin("structure.py", "pb10po46o").stdout


def quantities(done):
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)  # exactly one JSON object and nothing else
    assert found["schema"] == "dpchannel.result/1"
    assert found["task"] == "lattice"
    return {name: q["value"] for name, q in found["quantities"].items()}, found


def test_structure_into_measure(run_bin):
    """`--repeat 2 2 4` is three numbers; lengths do not depend on it (published to 3 decimals)."""
    built = run_bin("structure.py", "pb10po46o", "--cell", "orthohexagonal", "--repeat", 2, 2, 4)
    assert built.stdout.startswith("1312\n")
    values, found = quantities(run_bin("measure.py", "-", stdin=built.stdout))
    assert found["state"]["repeat"] == [2, 2, 4]
    assert found["state"]["cell"] == "orthohexagonal"
    published = {"a": 10.024, "c": 7.482, "triangle_empty": 4.546, "triangle_filled": 3.942}
    for name, length in published.items():
        assert_allclose(values[name], length, atol=0.0006, err_msg=name)


def test_a_named_file_is_measured_in_place(run_bin, root, tmp_path):
    published = root / "inputs" / "structures" / "Pb10P6O25_PBE_Lai2023.vasp"
    out = tmp_path / "lattice.json"
    done = run_bin("measure.py", published, "--system", "pb10po46o", "--out", out)
    assert done.returncode == 0, done.stderr
    assert_allclose(json.loads(out.read_text())["quantities"]["V"]["value"], 651.02, atol=0.005)


def test_structure_into_relax_into_measure(run_bin, root, crystal):
    """The README's pipeline on 41 atoms: pressure shrinks the crystal, and the state travels along.

    The teacher gives 2.4 % of a at 4 GPa; the band is a third of that either way.
    """
    if not (root / "inputs" / "potentials" / "pb10po46o" / "model.pb").is_file():
        pytest.skip("no shipped potential yet: make train")
    relaxed = run_bin(
        "relax.py", "-", "--engine", "dp", "--pressure", "4GPa", "--fmax", 0.01, stdin=crystal
    )
    assert relaxed.returncode == 0, relaxed.stderr
    assert relaxed.stderr.startswith("relax: step")  # and not with TensorFlow's greetings
    values, found = quantities(run_bin("measure.py", "-", stdin=relaxed.stdout))
    assert found["state"]["pressure_GPa"] == 4.0
    assert len(found["provenance"]["settings"]["potential_sha256"]) == 64
    assert_allclose(values["a"] / 10.03, 0.977, atol=0.007)
    assert values["triangle_filled"] < values["triangle_empty"]
    assert -270 < values["energy"] < -267


@pytest.mark.mlip
def test_relax_with_the_teacher(run_bin, crystal):
    """Starts at the teacher's own minimum within 0.2 % (REFERENCES): a loose criterion will do."""
    relaxed = run_bin("relax.py", "-", "--engine", "mlip", "--fmax", 0.1, stdin=crystal)
    values, _ = quantities(run_bin("measure.py", "-", stdin=relaxed.stdout))
    assert_allclose(values["a"], 10.038, rtol=0.003)


def test_picture(run_bin, crystal, tmp_path):
    """Both formats, drawn from a pipe."""
    png, pdf = tmp_path / "s.png", tmp_path / "s.pdf"
    done = run_bin("plot_structure.py", "-", "--out", png, "--out", pdf, stdin=crystal)
    assert done.returncode == 0, done.stderr
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("script", "args", "why"),
    [
        ("structure.py", ["pb10po46o", "--occupancy", "half"], "occupancy 'half'"),
        ("structure.py", ["pb10po46o", "--cell", "cubic"], "cell 'cubic'"),
        ("structure.py", ["pb10po46o", "--repeat", "2", "0", "1"], "repeat (2, 0, 1)"),
        ("structure.py", ["nosuch"], "nosuch.toml"),
        ("structure.py", ["pb10po46o", "--out", "a.foo"], "Name it a.extxyz"),
        ("structure.py", ["pb10po46o", "--out", "/nosuch/a.extxyz"], "no folder /nosuch"),
        ("measure.py", ["nosuch.extxyz"], "nosuch.extxyz: no such file"),
        ("relax.py", ["-", "--pressure", "4"], "pressure '4'"),
        ("relax.py", ["-", "--engine", "vasp"], "engine 'vasp'"),
        ("relax.py", ["-", "--potential", "nosuch.pb"], "nosuch.pb"),
        ("plot_structure.py", ["-", "--out", "picture.jpg"], "picture.jpg"),
    ],
)
def test_bad_input_is_one_line(run_bin, crystal, script, args, why):
    done = run_bin(script, *args, stdin=crystal)
    refused_in_one_line(done, why)


def refused_in_one_line(done, why):
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert why in done.stderr


def test_damaged_structures_are_one_line(run_bin, crystal, tmp_path):
    """Empty, cut short, of other elements, and without the name of its system."""
    for text, why in [
        ("", "stdin: empty"),
        (crystal[:1500], "stdin: "),
        (crystal.replace("Pb ", "Bi "), "Bi is not among"),
        (crystal.replace("system=pb10po46o", ""), "--system"),
    ]:
        refused_in_one_line(run_bin("measure.py", "-", stdin=text), why)
    assert list(tmp_path.iterdir()) == []


def test_earlier_result_survives_a_failure(run_bin, crystal, tmp_path):
    out = tmp_path / "lattice.json"
    out.write_text("earlier")
    done = run_bin("measure.py", "-", "--out", out, stdin=crystal[:1500])
    assert done.returncode == 2
    assert out.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [out]
