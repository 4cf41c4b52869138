"""docs/physics.md says what the committed evidence says."""

import pytest

from dpchannel.results import Result, project_root

ROOT = project_root()
EVIDENCE = ROOT / "regression/evidence/pb10po46o"
PAGE = (ROOT / "docs/physics.md").read_text()
README = (ROOT / "README.md").read_text()
PRESSURES = ("0GPa", "2.45GPa", "4GPa")


@pytest.mark.parametrize("case", ["slide", "hop_1x1x2", "hop_1x1x4", "next_1x1x4", "hop_2x2x2"])
def test_every_barrier_of_the_table_is_that_of_its_evidence(case):
    cells = []
    for pressure in PRESSURES:
        path = EVIDENCE / f"neb/P{pressure}/{case}/result.json"
        found = Result.read(path).quantities if path.exists() else {}
        ways = [found.get(f"barrier_{way}") for way in ("forward", "backward")]
        cells.append(" / ".join(f"{q.value:.2f}" for q in ways if q) or "-")
    assert f"| `{case}` | {' | '.join(cells)} |" in PAGE


@pytest.mark.parametrize("case", ["slide", "hop_1x1x2", "hop_1x1x4", "next_1x1x4"])
def test_the_teacher_on_these_paths_is_that_of_its_evidence(case):
    cells = []
    for pressure in ("0GPa", "4GPa"):
        found = Result.read(EVIDENCE / f"neb/mlip-on-dp/P{pressure}/{case}/result.json").quantities
        cells.append(
            f"{found['barrier_forward'].value:.2f} / {found['barrier_backward'].value:.2f}"
        )
    assert f"| `{case}` | {' | '.join(cells)} |" in PAGE


def test_dft_on_the_slide_is_that_of_its_evidence():
    cells, below = [], []
    for pressure in ("0GPa", "4GPa"):
        folders = (EVIDENCE / "neb/cp2k-on-dp", EVIDENCE / "neb", EVIDENCE / "neb/mlip-on-dp")
        dft, own, teacher = (
            Result.read(f / f"P{pressure}/slide/result.json").quantities for f in folders
        )
        ways = [dft[f"barrier_{way}"].value for way in ("forward", "backward")]
        cells.append(f"{ways[0]:.2f} / {ways[1]:.2f} eV at {pressure.replace('G', ' G')}")
        below.append([other["barrier_forward"].value - ways[0] for other in (own, teacher)])
    text = " ".join(PAGE.split())
    assert ", ".join(cells) in text
    assert max(map(abs, below[0])) < 0.035 and "within 0.03 eV" in text
    row = ", ".join(cell.split(" / ")[0] for cell in cells)
    assert f"| the same by CP2K on these images, at 0 and 4 GPa (eV) | {row} |" in README
    said = f"{below[1][0]:.2f} eV below the potential and {below[1][1]:.2f} eV below the teacher"
    assert said in text


def test_the_teacher_has_the_state_after_a_hop_lower():
    by = {}
    for pressure in ("0GPa", "4GPa"):
        for case in ("hop_1x1x2", "hop_1x1x4"):
            folders = (EVIDENCE / "neb", EVIDENCE / "neb/mlip-on-dp")
            own, teacher = (Result.read(f / f"P{pressure}/{case}/result.json") for f in folders)
            difference = (
                own.quantities["pair_energy"].value - teacher.quantities["pair_energy"].value
            )
            by[pressure, case] = f"{difference:.2f}"
    text = " ".join(PAGE.split())
    for p, words in (("0GPa", "at 0 GPa"), ("4GPa", "at 4 GPa")):
        assert f"{by[p, 'hop_1x1x2']} and {by[p, 'hop_1x1x4']} eV {words}" in text


@pytest.mark.parametrize("pressure", ["0GPa", "4GPa"])
def test_the_diffusion_is_that_of_the_long_run(pressure):
    found = Result.read(EVIDENCE / f"diffusion/P{pressure}/T500K/result.json").quantities
    mantissa, exponent = f"{found['D_c'].value:.1e}".split("e")
    assert f"D_c < {mantissa}e{int(exponent)} cm2/s (95 %)" in PAGE
    hops = int(found["n_hops"].value)
    assert f"{pressure.replace('G', ' G')}: {hops or 'no'} hop" in PAGE
    if hops:
        back = found["n_returns"]
        assert f"{back.value:g} of {back.n} later hops of an ion took back" in PAGE


def test_the_edges_with_copper_are_those_of_the_teacher():
    result = Result.read(EVIDENCE / "chemical-pressure/mlip/Cu/result.json")
    found = result.quantities
    (check,) = (check for check in result.checks if check.name == "one_phase")
    assert check.text.split(";")[0] in " ".join(PAGE.split())
    grown = found["V_-2GPa"].value / found["V_0GPa"].value
    assert "a quarter larger" in " ".join(PAGE.split()) and 1.2 < grown < 1.3
    assert f"belongs to {found['P_paper'].value:.2f} GPa" in PAGE
    assert f"it is {found['triangle_empty_Lai2023'].value:.3f} A" in PAGE
    labels = {"triangle_empty": "empty edge", "V": "V", "a": "a", "c": "c"}
    worth = [f"{label} {found[f'P_{n}_Lai2023'].value:.1f} GPa" for n, label in labels.items()]
    assert ", ".join(worth) in " ".join(PAGE.split())
    assert found["P_triangle_filled_Lai2023"].value is None  # no pressure makes it longer
    assert "its filled edge is longer" in PAGE
    on_pb2 = [found[f"triangle_empty_Pb2-{k}"].value for k in (1, 2)]
    assert f"{on_pb2[0]:.2f} and {on_pb2[1]:.2f} A with Cu" in PAGE
    on_pb1 = [found[f"triangle_empty_Pb1-{k}"].value for k in (1, 2)]
    assert f"{min(on_pb1):.2f} to {max(on_pb1):.2f} A on Pb1" in PAGE


def test_the_soft_mode_and_where_it_leads_are_those_of_the_phonons():
    found = Result.read(EVIDENCE / "phonons/P0GPa/result.json")
    text = " ".join(PAGE.split())
    assert f"down to {found.quantities['f_min_2x2x2'].value:.2f} THz" in text
    gained = found.quantities["energy_gained_same_period"].value
    group = found.state["space_group_same_period"].split()[0]
    assert f"space group {group}, {gained:.0f} meV a formula unit lower" in text


def test_the_change_of_the_crystal_under_pressure_is_that_of_the_equation_of_state():
    found = Result.read(EVIDENCE / "eos/P0GPa/result.json")
    (check,) = (check for check in found.checks if check.name == "one_phase")
    assert check.text.split(":")[0] in " ".join(PAGE.split())
    assert found.quantities["B0"].n == 7 and "seven pressures" in PAGE


def test_what_channels_side_by_side_change_is_that_of_the_paths():
    """One of four channels hops in 2x2x2, all of them at once in 1x1x2."""
    by = {}
    for pressure in ("0GPa", "4GPa"):
        for case in ("hop_1x1x2", "hop_2x2x2"):
            found = Result.read(EVIDENCE / f"neb/P{pressure}/{case}/result.json").quantities
            ways = ("barrier_forward", "barrier_backward", "pair_energy")
            by[pressure, case] = [found[name].value for name in ways]
    text = " ".join(PAGE.split())
    more = [by[p, "hop_2x2x2"][0] - by[p, "hop_1x1x2"][0] for p in ("0GPa", "4GPa")]
    assert f"{more[0]:.2f} and {more[1]:.2f} eV more than in 1x1x2" in text
    less = [by[p, "hop_1x1x2"][1] - by[p, "hop_2x2x2"][1] for p in ("0GPa", "4GPa")]
    assert f"{less[0]:.2f}" == f"{less[1]:.2f}" == "0.13" and "0.13 eV less on the way back" in text
    wide, narrow = ([by[p, c][2] for p in ("0GPa", "4GPa")] for c in ("hop_2x2x2", "hop_1x1x2"))
    assert f"{wide[0]:.2f} and {wide[1]:.2f} eV above the ordered crystal" in text
    assert f"in place of {narrow[0]:.2f} and {narrow[1]:.2f} eV" in text
