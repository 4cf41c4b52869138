"""bin/arrhenius.py, bin/pressure_scan.py and their figure, on results whose answer is known."""

import json
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.plots import style
from dpchannel.plots.columns import plot_columns
from dpchannel.report import columns, scan
from dpchannel.results import Quantity, Result, sha256, write_arrays
from dpchannel.units import boltzmann_in_ev_per_k, gpa_in_ev_per_a3

KT = boltzmann_in_ev_per_k()
EA, D0, VOLUME = 0.4, 1e-2, 5.0  # eV, cm2/s, A^3


def true_D(pressure, kelvin):
    work = EA + pressure * VOLUME * gpa_in_ev_per_a3()
    return D0 * math.exp(-work / (KT * kelvin))


def state_result(folder, pressure, kelvin, *, bound=None, potential=None, **changes):
    """A diffusion result on the true line, or with D only bounded from above."""
    if bound is None:
        D = true_D(pressure, kelvin)
        found = Quantity(D, "cm2/s", 0.1 * D, (0.82 * D, 1.22 * D), 64, 16, "exact")
    else:
        found = Quantity(bound, "cm2/s", None, (0.0, bound), 64, 16, "", "upper_bound")
    n_hops = 200 if bound is None else 0
    state = {
        "compound": "toy",
        "pressure_GPa": pressure,
        "temperature_K": kelvin,
        "profile": "quick",
        "repeat": [4, 2, 2],
        "occupancy": "ordered",
    } | changes
    path = folder / f"P{pressure:g}GPa" / f"T{kelvin:g}K" / "result.json"
    quantities = {"D_c": found, "n_hops": Quantity(n_hops, "")}
    origin = {} if potential is None else {"potential": {"path": "model.pb", "sha256": potential}}
    Result("diffusion", "toy", state, quantities, provenance=origin).write(path)
    return path


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
    assert done.returncode == 2 and "other.json: lattice without D_c" in done.stderr


def of_length(folder, n, D, **changes):
    """A diffusion result in columns of n ions, with a D of its own."""
    state = {"profile": f"n{n}", "ions_per_column": [n], "sites_per_column": 2 * n} | changes
    path = state_result(folder / f"n{n}", 4, 900, **({"potential": "a" * 64} | state))
    result = Result.read(path)
    result.quantities["D_c"] = Quantity(D, "cm2/s", 0.1 * D, (0.82 * D, 1.22 * D), 64, 16, "exact")
    msd = {
        "lag_ps": np.arange(4.0),
        "msd_c": np.arange(4.0),
        "msd_c_stderr": np.full(4, 0.1),
        "exponent_lag_ps_c": np.arange(1.0, 3.0),
        "exponent_c": np.ones(2),
    }
    write_arrays(path.with_name("msd.npz"), msd)
    result.files = {"msd.npz": sha256(path.with_name("msd.npz"))}
    result.write(path)
    return path


@pytest.mark.parametrize("power", [0.0, -1.0])
def test_a_single_file_moves_slower_the_longer_it_is(tmp_path, power, run_bin):
    """D ~ n^-1 where ions move on only with their column; n^0 where they hop by themselves."""
    paths = [of_length(tmp_path, n, 1e-5 * n**power) for n in (8, 4)]
    out = tmp_path / "result.json"
    done = run_bin("column_length.py", *paths, "--out", out)
    assert done.returncode == 0, done.stderr
    found = Result.read(out)
    assert_allclose(found.quantities["power"].value, power, atol=1e-5)
    low, high = found.quantities["power"].ci95
    # two values 10 % uncertain, a factor 2 apart in n: 0.1 sqrt(2) / ln 2 = 0.2
    assert_allclose((high - low) / (2 * 1.96), 0.2, rtol=0.05)
    assert list(found.quantities) == ["D_c_n4", "D_c_n8", "power"]
    # a pin of the power is stale with another potential
    assert found.provenance["potential"]["sha256"] == "a" * 64 and found.checks[0].ok
    figure = tmp_path / "figure.png"
    drawn = run_bin("plot_columns.py", *paths, "--out", figure)
    assert drawn.returncode == 0, drawn.stderr
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_a_bound_in_long_columns_bounds_the_power(tmp_path):
    """No hop in columns of 8 where those of 4 move: D falls with n at least so fast."""
    paths = [of_length(tmp_path, n, 1e-5) for n in (4, 8)]
    longer = Result.read(paths[1])
    longer.quantities |= {
        "D_c": Quantity(1e-7, "cm2/s", kind="upper_bound"),
        "n_hops": Quantity(0, ""),
    }
    longer.write(paths[1])
    found = columns.run(paths, tmp_path / "result.json")
    power = found.quantities["power"]
    # ln(1e-7 / 1e-5) / ln 2 = -6.64 at the bound, where 3 hops are missed; the limit of the line is
    # where 3 + 1.35 are (chi-square / 2), with the value up to 1.645 times 10 % too high
    slack = (math.log(4.35 / 3), math.log(4.35 / 3) + 0.1645)
    low, high = (-6.644 + x / math.log(2) for x in slack)
    assert power.kind == "upper_bound" and low - 0.01 < power.value < high
    assert f"as n to a power < {power.value:.2f}" in found.summary


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"temperature_K": 700.0}, "temperature_K ['700.0', '900']: give results of one state"),
        ({"ions_per_column": [4]}, "columns of [4, 4] ions: give one result for each"),
        ({"ions_per_column": [4, 8]}, "columns of [4, 8] ions. Compare columns of one length"),
        ({"sites_per_column": 12}, "filled differently (1/2 of the sites, 2/3 of the sites)"),
        ({"sites_per_column": None}, "no sites_per_column. Analyse its run again"),
    ],
)
def test_columns_of_different_states_are_not_compared(tmp_path, changes, said, run_bin):
    paths = [of_length(tmp_path, 4, 1e-5), of_length(tmp_path, 8, 1e-5, **changes)]
    done = run_bin("column_length.py", *paths, "--out", tmp_path / "result.json")
    assert done.returncode == 2 and said in done.stderr
    assert not (tmp_path / "result.json").exists()


def test_columns_of_two_potentials_belong_to_none_and_say_so(tmp_path):
    paths = [of_length(tmp_path, n, 1e-5, potential=name * 64) for n, name in ((4, "a"), (8, "b"))]
    found = columns.run(paths, tmp_path / "result.json")
    assert found.provenance["potential"] is None
    (check,) = found.checks
    assert not check.ok and check.text.startswith("different potential: ")


def test_every_length_has_a_colour_of_its_own(tmp_path, monkeypatch):
    paths = [of_length(tmp_path, n, 1e-5) for n in (2, 4, 6, 8, 10, 12)]
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, out: drawn.append(figure))
    plot_columns(paths, [tmp_path / "figure.png"])
    handles = drawn[0].axes[0].get_legend().get_lines()
    assert len({tuple(line.get_color()) for line in handles}) == len(handles) == 6


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
