"""The sentence, the table, the published numbers, and the figure, from results made by hand."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.physics.transport import expected_hops
from dpchannel.plots.msd import plot_msd
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.report import show, table
from dpchannel.report.diffusion import sentence
from dpchannel.report.reference import Reference, paper, paper_diffusion_cm2_per_s
from dpchannel.results import Check, Quantity, Result, project_root, sha256
from dpchannel.settings import load
from dpchannel.statepoint import StatePoint

STATE = {
    "pressure_GPa": 4.0,
    "temperature_K": 500.0,
    "n_ions": 16,
    "produce_ps": 25.0,
    "profile": "quick",
    "compound": "Pb10(PO4)6O",
}
PAPER_D = 7.3e-6  # cm2/s


def quantities(D_c: Quantity, n_hops: int) -> dict[str, Quantity]:
    return {
        "D_c": D_c,
        "n_hops": Quantity(n_hops, ""),
        "ion_ns": Quantity(0.4, "ns"),
        "site_spacing": Quantity(3.66, "A"),
        "c": Quantity(7.3172, "A", stderr=0.0021, ci95=(7.3131, 7.3213), n=750, n_independent=31),
    }


def bound(n_hops: int, hops_at_95: float) -> dict[str, Quantity]:
    D = hops_at_95 / 400.0 * 3.66**2 / 2 * 1e-4  # rate per ps over 400 ion ps, d^2/2, to cm2/s
    return quantities(Quantity(D, "cm2/s", kind="upper_bound"), n_hops)


def test_hops_of_a_known_diffusion_coefficient():
    # D = rate d^2 / 2: one hop of 2 A per ps and ion is 2 A^2/ps = 2e-4 cm2/s; 3 ion ns hold 3000
    assert_allclose(expected_hops(2e-4, 2.0, 3.0), 3000.0, rtol=1e-12)


def test_sentence_without_hops():
    said = sentence(STATE, bound(0, -math.log(0.05)), paper_D_cm2_per_s=PAPER_D)
    assert said == (
        "16 ions x 25 ps = 0.40 ion ns; 0 hops; D_c < 5.0e-6 cm2/s (95 %). "
        "The paper's 7.3e-6 would give 4.4 hops here (chance of none: 1.3 %). "
        "For more: PROFILE=standard (hours on two cores)."
    )


def test_far_too_short_a_run_does_not_expect_nought_hops():
    short = bound(0, 3.0) | {"ion_ns": Quantity(0.002, "ns")}
    said = sentence(STATE, short, paper_D_cm2_per_s=PAPER_D)
    assert "would give 0.022 hops here (chance of none: 98 %)" in said


def test_sentence_with_few_hops():
    said = sentence(STATE, bound(1, 4.744), paper_D_cm2_per_s=PAPER_D)
    # Poisson with mean 4.36: exp(-4.36) (1 + 4.36) = 6.9 %
    assert "; 1 hop; D_c < 7.9e-6 cm2/s (95 %)." in said
    assert "(chance of 1 or fewer: 6.9 %)" in said


def test_sentence_with_more_hops_than_the_paper_gives():
    said = sentence(STATE, bound(12, 19.44), paper_D_cm2_per_s=PAPER_D)
    assert "(chance of 12 or more: 0.2 %)" in said


@pytest.mark.parametrize(("n_back", "told"), [(13, True), (7, False)])
def test_sentence_says_when_hops_are_taken_back(n_back, told):
    """13 of 13 by chance: 2^-13; 7 of 13: one in two."""
    back = {"n_returns": Quantity(n_back, "", n=13)}
    said = sentence(STATE, bound(27, 36.9) | back, paper_D_cm2_per_s=PAPER_D)
    assert f"{n_back} of 13 later hops of an ion took back the one before" in said
    assert ("D lies below what the number of hops gives" in said) is told
    assert ("chance of 27" in said) is not told  # a count of such hops compares with nothing


def test_sentence_of_an_estimate_gives_its_interval_and_no_advice():
    D = Quantity(7.1e-6, "cm2/s", stderr=1e-6, ci95=(5.0e-6, 9.3e-6))
    said = sentence(STATE, quantities(D, 44), paper_D_cm2_per_s=PAPER_D)
    assert "44 hops; D_c = 7.1e-6 cm2/s (95 %: 5.0e-6 to 9.3e-6)." in said
    assert "PROFILE" not in said
    assert "chance of 44 or more: below 0.1 %" in said


def test_sentence_at_another_state_names_the_one_the_paper_gives():
    said = sentence(
        STATE | {"pressure_GPa": 0.0},
        bound(0, 3.0),
        paper_D_cm2_per_s=None,
        paper_state=StatePoint(4.0, 500.0),
    )
    assert "The paper gives a value at 500K and 4GPa only." in said
    assert "7.3e-6" not in said


def test_the_paper_gives_one_diffusion_coefficient():
    assert paper_diffusion_cm2_per_s("pb10po46o", STATE) == PAPER_D
    assert paper_diffusion_cm2_per_s("pb10po46o", STATE | {"pressure_GPa": 0.0}) is None
    assert paper_diffusion_cm2_per_s("other", STATE) is None


@pytest.mark.parametrize("name", ["paper.toml", "literature.toml"])
def test_published_numbers_have_unit_and_source(name):
    reference = load(Reference, project_root() / "regression" / name)
    assert reference.number
    for number in reference.number:
        assert number.unit and number.where and number.method


def test_table_one_of_the_paper_is_consistent():
    # neighbouring Pb1 columns stand a/sqrt(3) apart; Table I rounds to 0.001 A
    at_rest = {"pressure_GPa": 0.0, "temperature_K": 0.0}
    a = paper().find("pb10po46o", "a", at_rest)
    pair = paper().find("pb10po46o", "Pb1_Pb1", at_rest)
    assert a is not None and pair is not None
    assert_allclose(pair.value, a.value / math.sqrt(3), atol=0.001)


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (Quantity(7.3172, "A", stderr=0.0021), "7.3172 +- 0.0021"),
        (Quantity(499.13, "K", stderr=1.24), "499.1 +- 1.2"),
        (Quantity(5.04e-6, "cm2/s", kind="upper_bound"), "< 5.04e-06"),
        (Quantity(7.1e-6, "cm2/s", stderr=1e-6), "7.1e-06 +- 1.0e-06"),
        (Quantity(12, ""), "12"),
        (Quantity(10.024, "A"), "10.0240"),
        (Quantity(10.0, "A"), "10.0000"),
        (Quantity(651.02, "A^3"), "651.02"),
        (Quantity(None, "A"), "-"),
    ],
)
def test_a_number_is_printed_to_the_digits_of_its_error(quantity, text):
    assert table.with_error(quantity) == text


def test_a_structure_at_rest_is_put_beside_table_one():
    lengths = {"a": Quantity(10.024, "A"), "c": Quantity(7.482, "A")}
    still = Result("lattice", "pb10po46o", {"n_atom": 41}, lengths)
    assert [row.paper for row in table.rows(still, None, paper())] == [10.030, 7.487]
    pressed = replace(still, state={"pressure_GPa": 4.0})
    assert [row.paper for row in table.rows(pressed, None, paper())] == [None, None]


def test_table_puts_evidence_and_paper_beside_the_run():
    here = Result("diffusion", "pb10po46o", STATE, bound(0, 3.0))
    evidence = replace(here, quantities=bound(2, 6.3))
    rows = table.rows(here, evidence, paper())
    assert [row.name for row in rows] == list(here.quantities)
    D = rows[0]
    assert D.paper == PAPER_D
    assert D.evidence == evidence.quantities["D_c"]
    lines = table.tsv(rows).splitlines()
    assert lines[0].split("\t") == list(table.HEADER)
    assert len(lines) == 1 + len(rows)
    fields = dict(zip(table.HEADER, lines[1].split("\t"), strict=True))
    assert float(fields["value"]) == here.quantities["D_c"].value
    assert fields["kind"] == "upper_bound"
    assert fields["stderr"] == ""


def test_result_file_round_trip(tmp_path):
    result = Result(
        "diffusion",
        "pb10po46o",
        STATE,
        bound(0, 3.0),
        [Check("stationary", True, "drift 0.1 sigma")],
        {"msd.npz": "0" * 64},
        {"seed": 1},
        "said",
    )
    result.write(tmp_path / "result.json")
    assert Result.read(tmp_path / "result.json") == result
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


EVIDENCE = project_root() / "regression" / "evidence" / "pb10po46o"


@pytest.mark.parametrize(
    "place",
    [
        "diffusion/P4GPa/T500K",
        "mechanism/P0GPa/T500K",
        "lattice/P0GPa",
        "eos/P0GPa",
        "neb/P2.45GPa/slide",
    ],
)
def test_show_finds_the_committed_run_of_the_same_state(place, tmp_path):
    committed = EVIDENCE / place / "result.json"
    here = tmp_path / "result.json"
    here.write_bytes(committed.read_bytes())
    assert show.collect(here).evidence_file == committed
    other = Result.read(committed)
    replace(other, state=other.state | {"engine": "mlip"}).write(here)
    assert show.collect(here).evidence is None  # the committed one is the shipped potential's


def test_show_finds_no_evidence_for_an_unknown_state(tmp_path):
    state = STATE | {"pressure_GPa": 3.21}
    Result("diffusion", "pb10po46o", state, bound(0, 3.0)).write(tmp_path / "result.json")
    shown = show.collect(tmp_path / "result.json")
    assert shown.evidence is None
    assert len(shown.rows) == 5


@pytest.fixture
def drawn(tmp_path):
    """A result with a sidecar: 4 ions, one of which hops once."""
    time = np.arange(100) * 0.05
    lag = time[:50]
    arrays = {"species": np.array(["X", "Y", "Z"])}
    arrays |= {"roles": np.array(["mobile", "other", "framework"]), "time_ps": time}
    arrays |= {"lag_ps": lag, "lag_ps_all": lag, "fit_c_intercept_A2": np.array(0.1)}
    for suffix in ("", "_Y", "_Z"):
        for part in ("c", "ab"):
            arrays[f"msd_{part}{suffix}"] = 0.1 + 0.05 * lag
            arrays[f"msd_{part}{suffix}_stderr"] = 0.01 + 0 * lag
    height = np.zeros((100, 4))
    height[50:, 2] = 1.0
    arrays |= {"exponent_lag_ps_c": lag[1:], "exponent_c": np.ones(49), "height_sites": height}
    arrays |= {"hop_time_ps": np.array([2.5]), "hop_ion": np.array([2]), "hop_step": np.array([1])}
    np.savez(tmp_path / "msd.npz", **arrays)
    files = {"msd.npz": sha256(tmp_path / "msd.npz")}
    result = Result("diffusion", "pb10po46o", STATE, bound(1, 4.744), files=files)
    result.write(tmp_path / "result.json")
    return tmp_path


def test_figure_is_the_same_file_twice(drawn):
    first = [drawn / "one.png", drawn / "one.pdf"]
    second = [drawn / "two.png", drawn / "two.pdf"]
    plot_msd(drawn / "result.json", first, paper_D_cm2_per_s=PAPER_D)
    plot_msd(drawn / "result.json", second, paper_D_cm2_per_s=PAPER_D)
    for a, b in zip(first, second, strict=True):
        assert a.stat().st_size > 5000
        assert a.read_bytes() == b.read_bytes()


def test_arrays_of_another_run_are_refused(drawn):
    np.savez(drawn / "msd.npz", species=np.array(["X"]))
    with pytest.raises(InputError, match="not the file"):
        load_sidecar(Result.read(drawn / "result.json"), drawn / "result.json", "msd.npz")


def test_show_puts_the_committed_run_beside_this_one(tmp_path, monkeypatch, capsys):
    committed = tmp_path / "committed.json"
    Result("diffusion", "pb10po46o", STATE, bound(2, 6.3), summary="long run").write(committed)
    monkeypatch.setattr(show, "evidence_path", lambda system, task, state: committed)
    checks = [Check(name, False, "too long a story") for name in ("diffusive_c", "diffusive_ab")]
    checks.append(Check("no_flips", True, "none"))
    here = Result("diffusion", "pb10po46o", STATE, bound(0, 3.0), checks, summary="The sentence.")
    here.write(tmp_path / "result.json")
    shown = show.collect(tmp_path / "result.json")
    assert shown.rows[0].evidence == bound(2, 6.3)["D_c"]
    shown.print()
    printed = capsys.readouterr()
    assert printed.out == ""
    words = " ".join(printed.err.split())
    assert "committed" in printed.err and "long run" in words
    assert "1 of 3 checks met; not met: diffusive_c, diffusive_ab (why: checks in" in words
    assert "story" not in words
    assert words.endswith("The sentence.")  # what a person reads is on the last line
    # the committed file itself is not compared with itself
    assert show.collect(committed).evidence is None


@pytest.mark.parametrize(
    ("width", "without"),
    [(109, ()), (84, ("95 % interval",)), (60, ("95 % interval", "committed"))],
)
def test_a_narrow_terminal_loses_columns_and_no_digit(width, without):
    from rich.console import Console

    D = Quantity(7.93e-06, "cm2/s", ci95=(1.25e-06, 8.37e-06), method="slope")
    a = Quantity(9.83884, "A", 0.00081, (9.83721, 9.84047), method="mean")
    rows = [table.Row("D_c", D, D, 7.3e-06), table.Row("triangle_filled", a, a, None)]
    file = io.StringIO()
    drawn = table.rich_table(Result("diffusion", "toy", {}, {}), rows, width=width)
    Console(file=file, width=width).print(drawn)
    said = file.getvalue()
    assert "…" not in said and "9.83884 +- 0.00081" in said and "7.3e-06" in said
    for name in ("95 % interval", "committed"):
        assert (name in said) is (name not in without)


def test_the_slope_of_an_msd_that_is_level_is_no_row_of_the_table():
    """Its error bar is that of a line through a plateau; D's bound stands in its place."""
    rows = [
        table.Row(name, Quantity(2e-8, "cm2/s", 1e-9), None, None)
        for name in ("D_c_slope", "D_ab_slope")
    ]
    checks = [Check("diffusive_c", True, "power law"), Check("diffusive_ab", False, "level")]
    drawn = table.rich_table(Result("diffusion", "toy", {}, {}, checks), rows, width=100)
    assert list(drawn.columns[0].cells) == ["D_c_slope"]
