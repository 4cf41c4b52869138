"""The table of paper, literature and own numbers: what is compared with what, and the verdict."""

import shutil
from pathlib import Path

import pytest

from dpchannel.errors import InputError
from dpchannel.regression.compare import compare, tsv
from dpchannel.regression.own import collect
from dpchannel.results import Quantity, Result, project_root


@pytest.fixture
def published(tmp_path):
    for name in ("compare.toml", "paper.toml", "literature.toml"):
        shutil.copy(project_root() / "regression" / name, tmp_path)
    return tmp_path


def barrier(value, folder: Path, **state):
    found = Result(
        "neb",
        "pb10po46o",
        {"engine": "dp", "case": "slide", "pressure_GPa": 0.0} | state,
        {"barrier_forward": Quantity(value, "eV")},
    )
    path = folder / f"{len(list(folder.glob('*.json')))}.json"
    found.write(path)
    return path


def rows_of(name, own, folder):
    return [row for row in compare(own, folder) if row.any.quantity == name]


@pytest.mark.parametrize(
    ("value", "verdict", "off"),
    [(0.84, "agrees", "+2.44 %"), (0.6, "differs", "-25.00 %"), (None, "no number", "")],
)
def test_verdict_on_a_barrier(published, value, verdict, off):
    own = collect([barrier(value, published)], "pb10po46o")
    row, _ = rows_of("barrier_forward", own, published)
    assert (row.verdict, row.off("paper")) == (verdict, off)
    assert row.fields()[:3] == ("barrier_forward", "eV", "0 GPa, slide")


@pytest.mark.parametrize("state", [{"case": "hop_1x1x2"}, {"pressure_GPa": 4.0}])
def test_another_barrier_is_not_compared_with_the_papers(published, state):
    own = collect([barrier(0.8, published, **state)], "pb10po46o")
    assert {row.verdict for row in rows_of("barrier_forward", own, published)} == {"not measured"}


def test_two_engines_stand_in_two_lines_and_a_repetition_in_none(published):
    paths = [barrier(v, published, engine=e) for v, e in ((0.8, "dp"), (0.9, "dp"), (0.7, "mlip"))]
    rows = rows_of("barrier_forward", collect(paths, "pb10po46o"), published)
    assert [(row.own.engine, row.own.quantity.value) for row in rows if row.own] == [
        ("dp", 0.8),
        ("mlip", 0.7),
    ]


@pytest.mark.parametrize(
    ("quantity", "verdict"),
    [
        (Quantity(1e-5, "cm2/s", kind="upper_bound"), "not excluded"),
        (Quantity(1e-6, "cm2/s", kind="upper_bound"), "differs"),
        (Quantity(3e-6, "cm2/s", stderr=1e-6), "agrees"),  # within a factor of three
        (Quantity(1e-6, "cm2/s", ci95=(1e-7, 8e-6)), "agrees"),  # the interval includes it
        (Quantity(1e-6, "cm2/s", ci95=(1e-7, 2e-6)), "differs"),
    ],
)
def test_bounds_and_intervals_of_d(published, quantity, verdict):
    """The paper's D is 7.3e-6 cm2/s at 500 K and 4 GPa."""
    state = {"pressure_GPa": 4.0, "temperature_K": 500.0, "engine": "dp"}
    path = published / "d.json"
    Result("diffusion", "pb10po46o", state, {"D_c": quantity}).write(path)
    (row,) = rows_of("D_c", collect([path], "pb10po46o"), published)
    assert row.verdict == verdict


def test_a_bracket_around_the_number_agrees(published):
    """The paper reads 1200 K off its figure."""
    path = published / "m.json"
    bracket = Quantity(1200.0, "K", ci95=(1150.0, 1250.0), kind="bracket")
    state = {"pressure_GPa": 0.0, "engine": "dp"}
    Result("melting", "pb10po46o", state, {"T_m_heating": bracket}).write(path)
    (row,) = rows_of("T_m_heating", collect([path], "pb10po46o"), published)
    assert row.verdict == "agrees" and row.off("paper") == "+0.00 %"


def test_means_over_a_hot_run_are_no_lattice_at_rest(published):
    """Table I is relaxed: a at 500 K and 0 GPa stands beside nothing."""
    path = published / "hot.json"
    state = {"pressure_GPa": 0.0, "temperature_K": 500.0, "engine": "dp"}
    Result("diffusion", "pb10po46o", state, {"a": Quantity(10.13, "A", stderr=1e-3)}).write(path)
    rows = rows_of("a", collect([path], "pb10po46o"), published)
    assert {row.verdict for row in rows} == {"not measured"}


def test_another_unit_stops_the_table(published):
    path = published / "b.json"
    state = {"pressure_GPa": 0.0, "engine": "dp"}
    Result("lattice", "pb10po46o", state, {"a": Quantity(1.003, "nm")}).write(path)
    with pytest.raises(InputError, match=r"a in 'nm', published in 'A' \(Table I\)"):
        compare(collect([path], "pb10po46o"), published)


@pytest.mark.parametrize(
    ("zero", "verdict"),
    [("vasp PBE", "agrees"), ("mlip 7net-l3i5", "another zero"), ("", "another zero")],
)
def test_energies_are_compared_only_from_one_zero(published, zero, verdict):
    """-268.5692 eV in the paper; another code's or functional's zero lies elsewhere."""
    path = published / "e.json"
    state = {"pressure_GPa": 0.0, "engine": "dp", "energy_zero": zero}
    Result("lattice", "pb10po46o", state, {"energy": Quantity(-268.57, "eV")}).write(path)
    (row,) = rows_of("energy", collect([path], "pb10po46o"), published)
    assert row.verdict == verdict
    assert bool(row.off("paper")) is (verdict == "agrees")


def test_another_potential_stands_beside_the_shipped_one(published):
    """Of a trajectory only the provenance says which potential drove it."""
    paths = []
    shipped = "inputs/potentials/pb10po46o/model.pb", "inputs/potentials/pb10po46o-cp2k/model.pb"
    for n, potential in enumerate((*shipped, "/else/where.pb")):
        state = {"pressure_GPa": 4.0, "temperature_K": 500.0}
        found = Result("diffusion", "pb10po46o", state, {"D_c": Quantity(1e-6 * n, "cm2/s")})
        found.provenance["potential"] = {"path": potential, "sha256": "0"}
        paths.append(published / f"d{n}.json")
        found.write(paths[-1])
    rows = rows_of("D_c", collect(paths, "pb10po46o"), published)
    assert [row.own.engine for row in rows] == [
        "dp", "dp pb10po46o-cp2k", "dp /else/where.pb",
    ]  # fmt: skip


def test_a_run_stands_beside_the_evidence_when_it_says_something_else(published):
    folder = published / "evidence"
    folder.mkdir()
    paths = [barrier(0.8, folder), barrier(0.8001, published), barrier(0.9, published)]
    rows = rows_of("barrier_forward", collect(paths[:2], "pb10po46o"), published)
    assert [row.own.engine for row in rows if row.own] == ["dp"]
    rows = rows_of("barrier_forward", collect(paths, "pb10po46o"), published)
    seen = [(row.own.engine, row.own.quantity.value) for row in rows if row.own]
    assert seen == [("dp", 0.8), ("dp, your run", 0.9)]


def test_another_system_has_no_published_numbers(published):
    with pytest.raises(InputError, match=r"'lifepo4': .* has numbers of pb10po46o alone"):
        compare([], published, "lifepo4")


def test_nothing_is_judged_by_what_others_assumed(published):
    """K' = 4 was held fixed in one of the two fits to the same X-rays: only 8.1(6) was found."""
    for value, verdict in ((4.0, "differs"), (8.0, "agrees")):
        found = Result(
            "eos",
            "pb10po46o",
            {"engine": "dp", "pressure_GPa": 0.0},
            {"B0p": Quantity(value, "1", stderr=0.01)},
        )
        found.write(path := published / f"b{value}.json")
        (row,) = rows_of("B0p", collect([path], "pb10po46o"), published)
        assert row.verdict == verdict and "4" in row.fields()[4]


def test_a_new_content_of_the_shipped_potential_stands_beside_the_evidence(published):
    """Whoever trains it anew must see the new number, not the committed one alone."""
    paths = []
    for sha, value in (("0" * 64, 0.8), ("abcdef0123", 9.9), ("0" * 64, 0.7)):
        paths.append(barrier(value, published))
        found = Result.read(paths[-1])
        found.provenance["potential"] = {"path": "inputs/potentials/p/model.pb", "sha256": sha}
        found.write(paths[-1])
    rows = rows_of("barrier_forward", collect(paths, "pb10po46o"), published)
    seen = [(row.own.engine, row.own.quantity.value) for row in rows if row.own]
    assert seen == [("dp", 0.8), ("dp abcdef01", 9.9)]


@pytest.mark.parametrize(("value", "verdict"), [(0.25, "agrees"), (0.6, "differs")])
def test_a_barrier_beside_what_the_papers_d_asks_for(published, value, verdict):
    """D = 7.3e-6 cm2/s by hops of 3.74 A is 10 hops per ns: 0.30 eV at 1e13 attempts /s."""
    own = collect([barrier(value, published, case="next_1x1x4", pressure_GPa=4.0)], "pb10po46o")
    rows = [row for row in rows_of("barrier_forward", own, published) if row.any.case != "slide"]
    (row,) = rows
    assert row.published["paper"][0].value == pytest.approx(0.296, abs=1e-3)
    assert "from D = 7.3e-06 cm2/s at 500 K" in row.any.method
    assert (row.verdict, *row.fields()[2:4]) == (verdict, "4 GPa, next_1x1x4", "0.296 from D")


def test_what_no_engine_gave_is_not_ours(published):
    path = published / "c.json"
    Result("lattice", "pb10po46o", {"pressure_GPa": 0.0}, {"a": Quantity(10.0, "A")}).write(path)
    assert collect([path], "pb10po46o") == []


def test_every_published_number_is_in_the_table_once(published):
    rows = compare([], published)
    assert {row.verdict for row in rows} == {"not measured"}
    assert len({row.fields()[:3] for row in rows}) == len(rows)
    text = tsv(rows).splitlines()
    assert len(text) == len(rows) + 1
    assert all(line.count("\t") == text[0].count("\t") for line in text)
