"""bin/arrhenius.py, bin/pressure_scan.py and their figure, on results whose answer is known."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.report import scan
from dpchannel.results import Quantity, Result
from dpchannel.units import gpa_in_ev_per_a3
from scanned import D0, EA, KT, VOLUME, state_result, true_D, without_channel


def test_arrhenius_gives_back_the_barrier_and_draws(tmp_path, run_bin):
    paths = [state_result(tmp_path, P, T) for P in (0, 4) for T in (500, 700, 900)]
    out = tmp_path / "arrhenius.json"
    done = run_bin("arrhenius.py", *paths, "--out", out)
    assert done.returncode == 0, done.stderr
    found = Result.read(out)
    for P, label in ((0, "P0GPa"), (4, "P4GPa")):
        Ea, end = found.quantities[f"Ea_{label}"], found.quantities[f"D0_{label}"]
        assert_allclose(Ea.value, EA + P * VOLUME * gpa_in_ev_per_a3(), rtol=1e-5)
        assert_allclose(end.value, D0, rtol=1e-4)
        assert Ea.ci95[0] < Ea.value < Ea.ci95[1] and Ea.stderr < 0.1
        assert f"At {P}GPa: Ea = " in found.summary
        assert f"D_c_{label}_T500K" in found.quantities
    figures = [tmp_path / "figure.png", tmp_path / "figure.pdf"]
    drawn = run_bin("plot_scan.py", out, *(w for f in figures for w in ("--out", f)))
    assert drawn.returncode == 0, drawn.stderr
    assert figures[0].read_bytes().startswith(b"\x89PNG")
    assert figures[1].read_bytes().startswith(b"%PDF")


def test_pressure_scan_gives_back_the_activation_volume(tmp_path):
    paths = [state_result(tmp_path, P, 500) for P in (0, 2, 4)]
    found = scan.run(scan.PRESSURE, paths, tmp_path / "scan.json").quantities
    assert found["activation_volume_T500K"].unit == "A^3"
    assert_allclose(found["activation_volume_T500K"].value, VOLUME, rtol=1e-4)
    assert_allclose(found["D_0GPa_T500K"].value, true_D(0, 500), rtol=1e-4)


def test_bounds_only_give_bounds_and_no_number(tmp_path, run_bin):
    paths = [state_result(tmp_path, 0, T, bound=D) for T, D in ((500, 3e-6), (700, 5e-6))]
    out = tmp_path / "result.json"
    done = run_bin("arrhenius.py", *paths, "--out", out)
    assert done.returncode == 0, done.stderr
    found = Result.read(out)
    for name in ("Ea_P0GPa", "D0_P0GPa"):
        assert found.quantities[name].value is None and found.quantities[name].ci95 is None
    assert found.quantities["D_c_P0GPa_T500K"].kind == "upper_bound"
    assert "too few values for Ea (0 of 2 D are values" in found.summary
    assert "lowest D_c < 3.0e-06 cm2/s at 500K" in found.summary
    drawn = run_bin("plot_scan.py", out, "--out", tmp_path / "figure.png")
    assert drawn.returncode == 0, drawn.stderr
    shown = run_bin("show.py", out)
    assert shown.returncode == 0, shown.stderr
    json.loads(out.read_text())


def test_one_value_and_a_bound_at_lower_temperature_bound_the_barrier(tmp_path):
    paths = [state_result(tmp_path, 0, 500, bound=1e-9), state_result(tmp_path, 0, 900)]
    result = scan.run(scan.ARRHENIUS, paths, tmp_path / "result.json")
    Ea = result.quantities["Ea_P0GPa"]
    assert Ea.kind == "lower_bound"
    through = np.log(true_D(0, 900) / 1e-9) / (1 / (KT * 500) - 1 / (KT * 900))
    assert through - 0.1 < Ea.value < through  # errors of value and bound lower it
    assert result.quantities["D0_P0GPa"].value is None
    assert "Ea > " in result.summary


def test_without_a_channel_the_line_goes_through_D_in_three_dimensions(tmp_path, run_bin):
    paths = [without_channel(state_result(tmp_path, P, T)) for P in (0, 4) for T in (700, 900)]
    out = tmp_path / "result.json"
    for script, name, true in (
        ("arrhenius.py", "Ea_P0GPa", EA),
        ("pressure_scan.py", "activation_volume_T900K", VOLUME),
    ):
        done = run_bin(script, *paths, "--out", out)
        assert done.returncode == 0, done.stderr
        found = Result.read(out)
        assert_allclose(found.quantities[name].value, true, rtol=1e-4)
        assert found.state["of"] == "D_3d" and "D_3d_P0GPa_T900K" in found.quantities
    drawn = run_bin("plot_scan.py", out, "--out", tmp_path / "figure.png")
    assert drawn.returncode == 0, drawn.stderr


def test_a_bound_without_hops_to_count_has_the_limit_of_none(tmp_path):
    """One value, one colder bound: at the limit 3.0 + 1.35 events would be missed, not 3.0."""
    cold, hot = state_result(tmp_path, 0, 500, bound=1e-9), state_result(tmp_path, 0, 900)
    counted = scan.run(scan.ARRHENIUS, [cold, hot], tmp_path / "result.json")
    for path in (cold, hot):
        without_channel(path)
    found = scan.run(scan.ARRHENIUS, [cold, hot], tmp_path / "result.json")
    Ea = found.quantities["Ea_P0GPa"]
    assert Ea.kind == "lower_bound" and Ea.value == counted.quantities["Ea_P0GPa"].value


def test_only_hops_taken_as_independent_give_the_limit_of_their_number(tmp_path):
    """25 of them have a sharp one (33.8 at 95 %). D_c allows for columns that move as one, D_ab
    and D_3d rest on other moves: theirs falls off as that of no event, and bounds Ea less.
    """
    cold, hot = state_result(tmp_path, 0, 500, bound=1e-9), state_result(tmp_path, 0, 900)
    names = ("D_c_hops", "D_c", "D_ab", "D_3d")
    for path, n_hops in ((cold, 25), (hot, 200)):
        result = Result.read(path)
        result.quantities |= dict.fromkeys(names, result.quantities["D_c"])
        result.quantities["n_hops"] = Quantity(n_hops, "")
        result.write(path)
    Ea = [
        scan.run(scan.ARRHENIUS, [cold, hot], tmp_path / "r.json", of=of).quantities["Ea_P0GPa"]
        for of in names
    ]
    assert {q.kind for q in Ea} == {"lower_bound"}
    assert max(q.value for q in Ea[1:]) < Ea[0].value - 0.005
    assert len({q.value for q in Ea[1:]}) == 1


@pytest.mark.parametrize(
    ("of", "says"),
    [
        ("D_c", "no D_c in this result of diffusion. There is D_3d: choose with --of"),
        ("speed", "no speed in this result of diffusion. There is D_3d: choose with --of"),
    ],
)
def test_a_D_that_is_not_there_is_refused_with_those_that_are(tmp_path, run_bin, of, says):
    paths = [without_channel(state_result(tmp_path, 0, T)) for T in (700, 900)]
    done = run_bin("arrhenius.py", *paths, "--of", of, "--out", tmp_path / "result.json")
    assert done.returncode == 2 and says in done.stderr
    assert not (tmp_path / "result.json").exists()


def test_a_bend_and_another_cell_are_seen(tmp_path):
    paths = [state_result(tmp_path, 0, T) for T in (500, 700)]
    low = state_result(tmp_path, 0, 900)
    result = Result.read(low)
    D = result.quantities["D_c"]
    result.quantities["D_c"] = Quantity(D.value / 10, "cm2/s", D.stderr / 10, None, 64, 16)
    result.state["repeat"] = [8, 4, 8]
    result.write(low)
    checks = scan.run(scan.ARRHENIUS, [*paths, low], tmp_path / "result.json").checks
    assert {c.name: c.ok for c in checks} == {"same_origin": False, "straight_P0GPa": False}


@pytest.mark.parametrize(
    ("states", "says"),
    [
        (((0, 500), (4, 500)), "2 results at 500K: arrhenius needs two temperatures or more"),
        (((0, 0), (0, 500)), "temperature 0 K: it has no place in an Arrhenius plot"),
    ],
)
def test_what_makes_no_line_is_refused(tmp_path, run_bin, states, says):
    paths = [state_result(tmp_path, P, T, bound=1e-6) for P, T in states]
    done = run_bin("arrhenius.py", *paths, "--out", tmp_path / "result.json")
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / "result.json").exists()


def test_another_task_is_refused(tmp_path, run_bin):
    path = tmp_path / "other.json"
    Result("lattice", "toy", {}, {"a": Quantity(1.0, "A")}).write(path)
    done = run_bin("pressure_scan.py", path, "--out", tmp_path / "result.json")
    assert done.returncode == 2 and "other.json: a result of lattice. Give" in done.stderr


@pytest.mark.parametrize(
    ("potentials", "named", "same"),
    [(("a" * 64,) * 3, "a" * 64, True), (("a" * 64, "b" * 64, "a" * 64), None, False)],
)
def test_a_line_belongs_to_the_potential_of_all_its_points(tmp_path, potentials, named, same):
    """So that a pin of it is stale when that changes; a line through two has none, and says so."""
    paths = [
        state_result(tmp_path, 4, T, potential=potential)
        for T, potential in zip((500, 700, 900), potentials, strict=True)
    ]
    found = scan.run(scan.ARRHENIUS, paths, tmp_path / "arrhenius.json")
    assert (found.provenance["potential"] or {}).get("sha256") == named
    (check,) = [check for check in found.checks if check.name == "same_origin"]
    assert check.ok is same
