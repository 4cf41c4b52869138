"""bin/column_length.py and its figure, on results whose answer is known."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.plots import style
from dpchannel.plots.columns import plot_columns
from dpchannel.report import columns
from dpchannel.results import Quantity, Result, sha256, write_arrays
from scanned import state_result, without_channel


def of_length(folder, n, D, **changes):
    """A diffusion result in columns of n ions, with a D of its own."""
    state = {"profile": f"n{n}", "ions_per_column": [n], "sites_per_column": 2 * n} | changes
    path = state_result(folder / f"n{n}", 4, 900, **({"potential": "a" * 64} | state))
    result = Result.read(path)
    result.quantities["D_c"] = Quantity(D, "cm2/s", 0.1 * D, (0.82 * D, 1.22 * D), 64, 16, "exact")
    charge = 2 * D * n
    result.quantities["D_c_collective"] = Quantity(charge, "cm2/s", 0.2 * charge, (0.0, charge))
    result.quantities["haven_ratio"] = Quantity(0.5 / n, "", 0.1 / n)
    # a run of columns of n ions is 10 n ps long
    lags = [lag for lag in (1, 3, 10, 30, 100) if lag <= 10 * n]
    for lag in lags:
        result.quantities[f"exponent_c_{lag}ps"] = Quantity(1 - 1 / lag, "", 0.1)
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
    kinds = ("D_c", "D_c_collective", "D_c_single_file", "haven_ratio")
    expected = [f"{kind}_n{n}" for n in (4, 8) for kind in kinds]
    # the three longest lags that both runs have
    expected += [f"exponent_c_{lag}ps_n{n}" for lag in (3, 10, 30) for n in (4, 8)]
    assert list(found.quantities) == [*expected, "power"]
    # twice n D of the ion is the charge's: over n it is twice D
    for n in (4, 8):
        ion, file = found.quantities[f"D_c_n{n}"], found.quantities[f"D_c_single_file_n{n}"]
        assert_allclose([file.value, file.stderr], [2 * ion.value, 0.4 * ion.value], rtol=1e-9)
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


def test_columns_need_a_channel(tmp_path, run_bin):
    paths = [without_channel(state_result(tmp_path, 0, T)) for T in (700, 900)]
    done = run_bin("column_length.py", *paths, "--out", tmp_path / "result.json")
    assert done.returncode == 2
    assert "channel.axis = none, so toy has no columns to compare" in done.stderr
    assert "Use make arrhenius or pressure-scan" in done.stderr


def test_results_without_the_charge_are_to_be_analysed_again(tmp_path):
    paths = [of_length(tmp_path, n, 1e-5) for n in (4, 8)]
    old = Result.read(paths[1])
    del old.quantities["D_c_collective"]
    old.write(paths[1])
    with pytest.raises(InputError, match=r"result.json: no D_c_collective. Analyse its run again"):
        columns.run(paths, tmp_path / "result.json")
