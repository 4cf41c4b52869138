"""bin/diffusion.py, bin/plot_msd.py and bin/show.py on trajectories whose answer is known."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

import synthetic
from dpchannel.md.h5md import write_h5md
from dpchannel.report.diffusion_task import analyse
from dpchannel.results import Result, sha256
from dpchannel.settings import DiffusionSettings, ProfileSettings, load

SETTINGS = load(DiffusionSettings, synthetic.INPUTS / "diffusion.toml")


@pytest.fixture(scope="module")
def still(tmp_path_factory, run_bin):
    """The folder of a run without hops, analysed by the script."""
    folder = tmp_path_factory.mktemp("still")
    write_h5md(folder / "traj.h5", synthetic.trajectory())
    done = run_bin("diffusion.py", "--traj", folder / "traj.h5", "--out", folder / "result.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == f"wrote {folder / 'result.json'}: bin/show.py shows it\n"
    return folder


def test_no_hop_gives_the_exact_poisson_bound(still):
    found = Result.read(still / "result.json").quantities
    ion_ps = 4 * 20.0
    assert found["n_hops"].value == 0
    assert_allclose(found["ion_ns"].value, ion_ps / 1000, rtol=1e-9)
    # 95 % one-sided: no hop in ion_ps at a rate of -ln(0.05)/ion_ps; D = rate d^2 / 2; or as many
    # moves of both ions of a column at once
    d = found["site_spacing"].value
    single = -math.log(0.05) / ion_ps * d**2 / 2 * 1e-4
    assert found["D_c"].kind == "upper_bound"
    assert_allclose(found["D_c_hops"].value, single, rtol=1e-9)
    assert_allclose(found["D_c"].value, 2 * single, rtol=1e-9)
    assert_allclose(found["D_c_SI"].value, 2 * single * 1e-4, rtol=1e-9)


def test_result_says_what_was_run(still):
    raw = json.loads((still / "result.json").read_text())
    assert raw["schema"] == "dpchannel.result/1"
    state = raw["state"]
    assert (state["pressure_GPa"], state["temperature_K"]) == (4.0, 500.0)
    assert (state["n_ions"], state["n_channels"], state["ions_per_column"]) == (4, 2, [2])
    assert (state["cell"], state["repeat"]) == ("orthohexagonal", [1, 1, 2])
    assert (state["produce_ps"], state["profile"]) == (20.0, "quick")
    assert raw["provenance"]["seed"] == 1
    digests = {name.rsplit("/", 1)[-1]: digest for name, digest in raw["files"].items()}
    assert digests == {name: sha256(still / name) for name in ("msd.npz", "traj.h5")}
    assert "The paper's 7.3e-6 would give" in raw["summary"]
    failed = {check["name"] for check in raw["checks"] if not check["ok"]}
    assert failed == {"diffusive_c", "diffusive_ab", "diffusive_3d"}


def test_averages_return_the_crystal_that_went_in(still):
    found = Result.read(still / "result.json").quantities
    atoms = synthetic.trajectory().atoms
    a, _, two_c = atoms.cell.lengths()
    for name, expected in (("a", a), ("b", a), ("c", two_c / 2), ("site_spacing", two_c / 4)):
        assert abs(found[name].value - expected) < 4 * found[name].stderr, name
    for name, expected in (("temperature", 500.0), ("pressure", 4.0)):
        assert abs(found[name].value - expected) < 4 * found[name].stderr, name
    # shaking by 0.1 A lengthens a 3.94 A edge by about 2 x 0.1^2 / 3.94 = 0.005 A
    assert_allclose(found["triangle_filled"].value, 3.942, atol=0.03)
    assert_allclose(found["triangle_empty"].value, 4.546, atol=0.03)
    assert_allclose(found["Pb1_Pb1"].value, a / math.sqrt(3), atol=0.03)


def test_msd_of_atoms_at_rest_is_that_of_their_vibration(still):
    with np.load(still / "msd.npz") as arrays:
        # white noise: MSD = 2 sigma^2 per axis from the first lag on; 16 atoms x 100 frames give
        # it to 4 %, and the framework centre takes another 3 % of the heavy atoms
        for name in ("O1", "P", "Pb1", "Pb2"):
            assert_allclose(arrays[f"msd_c_{name}"][1:].mean(), 2 * 0.1**2, rtol=0.12)
            assert_allclose(arrays[f"msd_ab_{name}"][1:].mean(), 4 * 0.1**2, rtol=0.12)
        assert_allclose(arrays["msd_c"][1:].mean(), 2 * 0.1**2, rtol=0.12)
        assert np.abs(arrays["height_sites"]).max() < 0.3


def test_the_same_through_pipes(still, root, tmp_path):
    """A trajectory on stdin, the result on stdout, no file."""
    command = [sys.executable, root / "bin/diffusion.py", "--traj", "-", "--out", "-"]
    with open(still / "traj.h5", "rb") as traj:
        done = subprocess.run(command, stdin=traj, capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found, file = json.loads(done.stdout), json.loads((still / "result.json").read_text())
    assert found["quantities"] == file["quantities"] and found["files"] == {}
    assert not list(tmp_path.iterdir())
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2 and "stdin: empty" in done.stderr


def test_figure_and_table_of_the_result(still, run_bin):
    out = [still / "msd.png", still / "msd.pdf"]
    options = [word for path in out for word in ("--out", path)]
    drawn = run_bin("plot_msd.py", still / "result.json", *options)
    assert drawn.returncode == 0, drawn.stderr
    assert out[0].read_bytes().startswith(b"\x89PNG")
    assert out[1].read_bytes().startswith(b"%PDF")
    shown = run_bin("show.py", still / "result.json")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout == ""
    assert "D_c" in shown.stderr and "0 hops" in " ".join(shown.stderr.split())
    table = run_bin("show.py", "--tsv", "-", stdin=(still / "result.json").read_text())
    rows = [line.split("\t") for line in table.stdout.splitlines()]
    assert {len(row) for row in rows} == {len(rows[0])}
    assert "D_c" in [row[0] for row in rows]


def test_known_diffusion_comes_back():
    # D = rate d^2 / 2: 32 ions, 0.2 hops per ps, 40 ps, about 256 hops in 16 channels
    run = synthetic.trajectory(
        repeat=(4, 2, 2), produce_ps=40.0, hop_rate_per_ps=0.2, shake_A=0.05, seed=3
    )
    result, arrays = analyse(run, synthetic.SYSTEM, SETTINGS, where="synthetic")
    found = result.quantities
    expected = 0.2 * found["site_spacing"].value ** 2 / 2 * 1e-4
    assert found["D_c"].kind == "estimate"
    # one realisation of 256 hops: a relative error of about 15 %, so three of its own errors
    assert abs(found["D_c"].value - expected) < 3 * found["D_c"].stderr
    assert found["D_c"].stderr < 0.4 * expected
    low, high = found["D_c"].ci95
    assert low < expected < high
    assert_allclose(found["D_3d"].value, found["D_c"].value / 3, rtol=0.1)
    assert found["D_ab"].value < 0.1 * expected
    assert found["n_hops"].value == len(arrays["hop_ion"]) > 150
    assert "D_c = " in result.summary


def test_the_result_is_the_same_twice():
    run = synthetic.trajectory(hop_rate_per_ps=0.05)
    first, _ = analyse(run, synthetic.SYSTEM, SETTINGS, where="x")
    second, _ = analyse(run, synthetic.SYSTEM, SETTINGS, where="x")
    assert first == second


def test_another_state_names_the_one_the_paper_gives():
    run = synthetic.trajectory(pressure_GPa=0.0)
    result, _ = analyse(run, synthetic.SYSTEM, SETTINGS, where="x")
    assert "The paper gives a value at 500K and 4GPa only." in result.summary


def test_a_run_as_short_as_the_toy_profile_has_a_result():
    toy = load(ProfileSettings, synthetic.INPUTS / "profiles/toy.toml")
    run = synthetic.trajectory(
        repeat=toy.repeat,
        produce_ps=toy.produce_ps,
        mobile_every=round(toy.mobile_every_fs),
        frame_every=round(toy.frame_every_fs),
        shake_A=0.02,
    )
    result, _ = analyse(run, synthetic.SYSTEM, SETTINGS, where="x")
    assert result.quantities["D_c"].kind == "upper_bound"
    json.loads(result.to_json())  # every number is finite
