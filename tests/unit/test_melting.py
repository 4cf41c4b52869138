"""Detection of melting, on series whose transition is known."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from dpchannel.errors import InputError
from dpchannel.physics import melting
from dpchannel.physics.melting import MELTED, SOLID, UNCLEAR, Bracket
from dpchannel.report import table
from dpchannel.report.heated_runs import Origin, merged, require_one_origin, watched
from dpchannel.report.heating import Look
from dpchannel.report.melting import Findings, analyse, committee_checks
from dpchannel.report.melting_task import Heating, sentence
from dpchannel.results import Check, Result
from dpchannel.settings import load
from dpchannel.settings.melting import MeltingSettings
from dpchannel.structures.cells import build, repeats
from dpchannel.structures.io import load_system

T = np.arange(0.0, 1801.0, 100.0)
INPUTS = Path(__file__).resolve().parents[2] / "inputs"


def volume(melts_K=np.inf, jump=0.06, noise=0.0005, seed=1):
    """V/V0 of a crystal with some curvature, and a jump of its melt."""
    rng = np.random.default_rng(seed)
    v = 1 + 4e-5 * T + 5e-9 * T**2 + np.where(melts_K <= T, jump, 0.0)
    return v + noise * rng.standard_normal(len(T)), np.full(len(T), noise)


def jump_bracket(v, e, n_sigma=3.0):
    flags = melting.jump_flags(T, v, e, 0.015 * np.ones(len(T)), n_sigma=n_sigma, branch_points=5)
    return melting.bracket(T, flags)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("melts", [700, 1150, 1800])
def test_a_known_jump_is_found_where_it_is(melts, seed):
    found = jump_bracket(*volume(melts, seed=seed))
    assert (found.low_K, found.high_K) == (
        np.floor((melts - 1) / 100) * 100,
        -(-melts // 100) * 100,
    )
    assert found.kind == "bracket"


@pytest.mark.parametrize("seed", range(5))
def test_a_crystal_that_never_melts_gives_a_lower_bound(seed):
    found = jump_bracket(*volume(seed=seed))
    assert (found.low_K, found.high_K, found.kind) == (1800, None, "lower_bound")
    assert str(found) == "above 1800 K"


def test_thermal_expansion_with_curvature_is_no_jump():
    """20 % over the range, half of it from the quadratic term."""
    v = 1 + 5e-5 * T + 3e-8 * T**2
    assert jump_bracket(v, np.full(len(T), 1e-4)).kind == "lower_bound"


def test_wide_errors_widen_the_bracket_and_do_not_move_it():
    v, e = volume(1150, noise=0.0005)
    e[11:14] = 0.03  # a jump of 0.06 is then within three errors
    found = jump_bracket(v, e)
    assert (found.low_K, found.high_K) == (1000, 1400)


def test_a_point_that_was_not_measured_belongs_to_the_bracket():
    v, e = volume(1150)
    v[12] = np.nan
    found = jump_bracket(v, e)
    assert (found.low_K, found.high_K) == (1100, 1300)


def test_solid_above_melted_is_said_and_covered():
    flags = np.array([SOLID, SOLID, MELTED, UNCLEAR, SOLID, MELTED])
    found = melting.bracket(np.arange(6) * 100.0, flags)
    assert (found.low_K, found.high_K) == (100, 500)
    assert found.text == "not one transition: melted at 200 K, solid at 400 K"


def test_what_cannot_be_told_above_the_last_solid_is_no_crystal():
    flags = np.array([SOLID, SOLID, UNCLEAR, UNCLEAR])
    found = melting.bracket(np.arange(4) * 100.0, flags)
    assert (found.low_K, found.kind, found.text) == (100, "lower_bound", "unclear above")


def test_melted_everywhere_is_an_upper_bound():
    found = melting.bracket(T, np.full(len(T), MELTED))
    assert (found.low_K, found.high_K, found.kind) == (None, 0, "upper_bound")


def test_levels_are_judged_by_their_errors():
    values = np.array([0.05, 0.12, 0.19, 0.3, np.nan])
    flags = melting.level_flags(values, np.full(5, 0.01), limit=0.2, melted_above=True, n_sigma=3)
    assert flags.tolist() == [SOLID, SOLID, UNCLEAR, MELTED, UNCLEAR]
    flags = melting.level_flags(values, np.full(5, 0.01), limit=0.2, melted_above=False, n_sigma=3)
    assert flags.tolist() == [MELTED, MELTED, UNCLEAR, SOLID, UNCLEAR]


def test_agreeing_signals_narrow_each_other():
    found = melting.combine({"V": Bracket(1000, 1300), "rdf": Bracket(1100, 1400)})
    assert (found.bracket.low_K, found.bracket.high_K, found.agree) == (1100, 1300, True)


def test_a_level_does_not_narrow_the_extent_of_a_transition():
    """V grows from 1000 to 1200 K; a level passed at its beginning is no reason to stop there."""
    found = {"V": Bracket(1000, 1200), "H": Bracket(950, 1150), "rdf": Bracket(1000, 1050)}
    both = melting.combine(found, spread=("V", "H"))
    assert (both.bracket.low_K, both.bracket.high_K, both.agree) == (1000, 1150, True)
    one = melting.combine(found | {"V": Bracket(None, None)}, spread=("V", "H"))
    assert (one.bracket.low_K, one.bracket.high_K, one.agree) == (950, 1150, True)
    assert melting.combine({"rdf": Bracket(1000, 1050)}).bracket.text == "rdf alone"
    outside = melting.combine(found | {"rdf": Bracket(1300, 1400)}, spread=("V", "H"))
    assert not outside.agree and outside.bracket.high_K == 1400


def test_disagreeing_signals_are_covered_and_named():
    found = melting.combine({"V": Bracket(1000, 1100), "rdf": Bracket(1300, 1400)})
    assert (found.bracket.low_K, found.bracket.high_K, found.agree) == (1000, 1400, False)
    assert "V: 1000 to 1100 K; rdf: 1300 to 1400 K" in found.bracket.text


def test_one_that_never_melts_contradicts_one_that_does():
    found = melting.combine({"V": Bracket(1800, None), "rdf": Bracket(1100, 1200)})
    assert not found.agree
    assert (found.bracket.low_K, found.bracket.high_K) == (1100, None)


def test_a_silent_signal_is_named_and_does_not_count():
    silent = melting.bracket(T, np.full(len(T), UNCLEAR))
    found = melting.combine({"V": Bracket(1000, 1100), "rdf": silent})
    assert found.agree and found.bracket.kind == "bracket"
    assert "rdf cannot say" in found.bracket.text


def test_expansion_is_the_slope_over_the_mean():
    t = np.array([300.0, 500.0, 700.0])
    value, stderr, ends = melting.expansion_per_K(t, 10 + 2e-4 * t, np.full(3, 1e-3))
    assert value == pytest.approx(2e-4 / 10.1, rel=1e-9)  # exact line
    # slope error 1e-3/sqrt(sum (t - mean)^2) = 1e-3/283 K
    assert stderr == pytest.approx(1e-3 / np.sqrt(80000) / 10.1, rel=1e-9)
    assert ends == (300, 700)


@pytest.mark.parametrize(
    "call",
    [
        lambda: melting.combine({}),
        lambda: melting.jump_flags(T[::-1], T, T, T, n_sigma=3, branch_points=5),
        lambda: melting.jump_flags(T, T[1:], T, T, n_sigma=3, branch_points=5),
        lambda: melting.expansion_per_K(T[:1], T[:1], T[:1]),
    ],
)
def test_series_that_make_no_sense_are_refused(call):
    with pytest.raises(InputError):
        call()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[0, 300, 700, 1000,", "[0, 300, 1000, 700,", "700 K comes after 1000 K"),
        ("volume_jump = 0.015", "volume_jump = 0", "volume_jump"),
        ("contrast_edge_A = 24.0", "contrast_edge_A = 16.0", "half an edge"),
        ("window_ps = 2.0", "window_ps = 1.0", "four times first_lag_ps"),
        ("high_K = 1500\ntolerance_K = 200", "high_K = 600\ntolerance_K = 200", "must increase"),
        ("lindemann = 0.2", "lindeman = 0.2", "lindeman"),
    ],
)
def test_settings_are_strict(tmp_path, old, new, says):
    text = (INPUTS / "melting.toml").read_text()
    assert old in text
    path = tmp_path / "melting.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=says):
        load(MeltingSettings, path)


def test_far_order_is_looked_at_where_edges_are_long_enough():
    """Cells of the standard and paper profiles reach the edge that g(r) beyond 8 A asks for."""
    settings = load(MeltingSettings, INPUTS / "melting.toml")
    for name in ("standard", "paper"):
        assert min(settings.profiles[name].run.edges_A) >= settings.detection.contrast_edge_A


@pytest.mark.parametrize(
    ("name", "expected"),  # orthohexagonal: 10.03, 17.37, 7.49 A; LiFePO4: 10.33, 6.01, 4.69 A
    [("pb10po46o", (8, 4, 8)), ("lifepo4", (8, 12, 13))],
)
def test_cells_are_as_large_as_the_profile_says(name, expected):
    settings = load(MeltingSettings, INPUTS / "melting.toml")
    edges = settings.profiles["paper"].run.edges_A
    assert repeats(load_system(name, INPUTS), INPUTS, edges) == expected


def test_a_system_that_does_not_say_what_to_watch_is_asked_to():
    system = load_system("pb10po46o", INPUTS).model_copy(update={"melting": None})
    with pytest.raises(InputError, match=r"pb10po46o.toml: no \[melting\].*rdf_pairs"):
        watched(build(system, INPUTS), system)


def seen(kelvin):
    """A crystal that expands, its melt at 1200 K; at 600 K it drifted and was not averaged."""
    liquid = kelvin >= 1200
    values = {
        "lindemann": (0.3 if kelvin >= 1500 else 0.1, 0.001),
        "V": (650.0 * (1 + 4e-5 * kelvin + 0.06 * liquid), 0.05 * (kelvin > 0)),
        "H": (-230.0 + 0.01 * kelvin + 5 * liquid, 0.02 * (kelvin > 0)),
    }
    if not liquid:
        values |= {"a": (10.0 + 1e-4 * kelvin, 0.001), "c": (7.4, 0.001)}
    if kelvin == 600:
        values = {}
    snapshot = Atoms("H", cell=[30, 30, 30])
    return Look(kelvin, values, np.zeros(1), {}, "", liquid, snapshot, 40)


def test_what_one_signal_calls_melted_is_no_crystal():
    """V and H jump at 1100 K, the framework leaves its sites at 1500 K: a and the expansion of V
    come from below 1100 K, where all signals see a crystal.
    """
    settings = load(MeltingSettings, INPUTS / "melting.toml")
    kelvins = np.array([0, 300, 500, 700, 900, 1000, 1100, 1200, 1300, 1400, 1500, 1600.0])
    looks = []
    for kelvin in kelvins:
        gone = kelvin >= 1100
        values = {
            "V": (650 * (1 + 4e-5 * kelvin + 0.08 * gone), 0.3 * (kelvin > 0)),
            "H": (-230 + 0.01 * kelvin + 6 * gone, 0.02 * (kelvin > 0)),
            "a": (10 * (1 + 1.3e-5 * kelvin + 0.03 * gone), 1e-3),
            "lindemann": (0.1 if kelvin < 1500 else 0.3, 1e-3),
            "contrast": (np.nan, np.nan),
        }
        snapshot = Atoms("H", cell=[30, 30, 30])
        looks.append(Look(kelvin, values, np.zeros(1), {}, "", kelvin >= 1500, snapshot, 40))
    found = analyse(looks, settings, n_atom=41)
    assert kelvins[np.isfinite(found.arrays["a"])].tolist() == [0, 300, 500, 700, 900, 1000]
    assert found.quantities["expansion_V"].value == pytest.approx(4e-5, rel=0.05)
    assert not found.agree


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Bracket(1000, 1100, "V agree"), "Melts 1000 to 1100 K (each temperature for itself)."),
        (Bracket(1800, None, "V agree"), "No transition up to 1800 K within 4 ps a step: T_m_h"),
        (Bracket(None, 300, "V agree"), "Melted at 300 K, and no colder crystal"),
        (Bracket(None, None, "no signal can say"), "No signal can say where it melts (each"),
    ],
)
def test_the_sentence_says_what_was_found(found, says):
    settings = load(MeltingSettings, INPUTS / "melting.toml")
    heating = Heating(None, settings, "quick", "steps")
    assert sentence(Findings(bracket=found), heating).startswith(says)


def test_the_sentence_of_signals_that_disagree_is_no_bound():
    settings = load(MeltingSettings, INPUTS / "melting.toml")
    heating = Heating(None, settings, "quick", "steps")
    both = melting.combine({"V": Bracket(1000, 1100), "lindemann": Bracket(1800, None)})
    text = sentence(Findings(bracket=both.bracket, agree=both.agree), heating)
    assert text.startswith("Signals disagree: V: 1000 to 1100 K; lindemann: above 1800 K.")
    assert "No transition" not in text


def origin(name, **changes):
    made = {"potential": "a" * 64, "pressure_GPa": 0.0, "n_atoms": 492, "profile": "quick"}
    return Origin(Path(name), **(made | changes))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"potential": "b" * 64},
            "T900K/traj.h5: potential bbbbbbbbbbbb, and aaaaaaaaaaaa is expected",
        ),
        ({"pressure_GPa": 4.0}, "T900K/traj.h5: pressure 4 GPa, and 0 GPa is expected"),
        ({"n_atoms": 1968}, "T900K/traj.h5: cell of 1968 atoms, and 492 atoms is expected"),
        ({"profile": "standard"}, "T900K/traj.h5: profile standard, and quick is expected"),
    ],
)
def test_runs_that_differ_in_more_than_temperature_are_not_joined(changes, says):
    same = [origin("relaxed.extxyz", profile=None), origin("T300K/traj.h5")]
    require_one_origin(same, "quick", one_size=True)
    with pytest.raises(InputError, match=says):
        require_one_origin([*same, origin("T900K/traj.h5", **changes)], "quick", one_size=True)


def test_what_any_run_missed_is_missed_by_all():
    checks = [Check("temperature", True, "300 K: fine"), Check("temperature", False, "900 K: cold")]
    assert merged(checks) == [Check("temperature", False, "900 K: cold")]
    assert merged(checks[:1]) == checks[:1]


def test_a_committee_that_was_not_there_is_no_check():
    assert committee_checks({300.0: np.nan}, 0.35) == []
    assert not committee_checks({300.0: np.nan, 900.0: 0.4}, 0.35)[0].ok


def test_averages_at_every_temperature_are_numbers_with_errors():
    """What drifts has none; a melt has V and H alone; the table leaves them to the figure."""
    settings = load(MeltingSettings, INPUTS / "melting.toml")
    kelvins = [0.0, 300.0, 600.0, 900.0, 1200.0, 1500.0]
    looks = [seen(kelvin) for kelvin in kelvins]
    for look in looks:
        look.values.setdefault("contrast", (np.nan, np.nan))
    found = analyse(looks, settings, n_atom=41).quantities
    solid, every = (0, 300, 900), (0, 300, 900, 1200, 1500)
    for name, unit, there in (
        *(("a", "A", solid), ("c", "A", solid)),
        *(("V", "A^3", every), ("H", "eV", every)),
    ):
        named = {key for key in found if key.startswith(f"{name}_T")}
        assert named == {f"{name}_T{kelvin}K" for kelvin in there}
        for kelvin in there:
            q, (value, error) = found[f"{name}_T{kelvin}K"], seen(kelvin).values[name]
            assert (q.value, q.stderr or 0.0, q.unit) == (value, error, unit)
    assert found["V_T0K"].stderr is None and found["V_T0K"].method == "at rest"
    result = Result("melting", "x", {}, found)
    rows = [table.Row(name, q, None, None) for name, q in found.items()]
    drawn = [str(cell) for cell in table.rich_table(result, rows, width=200).columns[0].cells]
    assert "T_m_heating" in drawn and not [name for name in drawn if name.startswith("V_T")]
    assert "V_T300K\t" in table.tsv(rows)
