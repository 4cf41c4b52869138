"""docs/physics.md says what the committed evidence says."""

import pytest

from dpchannel.results import Result, project_root

ROOT = project_root()
EVIDENCE = ROOT / "regression/evidence/pb10po46o"
PAGE = (ROOT / "docs/physics.md").read_text()
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


@pytest.mark.parametrize("pressure", ["0GPa", "4GPa"])
def test_the_diffusion_is_that_of_the_long_run(pressure):
    found = Result.read(EVIDENCE / f"diffusion/P{pressure}/T500K/result.json").quantities
    mantissa, exponent = f"{found['D_c'].value:.1e}".split("e")
    assert f"D_c < {mantissa}e{int(exponent)} cm2/s (95 %)" in PAGE
    hops = int(found["n_hops"].value)
    assert f"{pressure.replace('G', ' G')}: {hops or 'no'} hop" in PAGE


def test_the_edges_with_copper_are_those_of_the_teacher():
    found = Result.read(EVIDENCE / "chemical-pressure/mlip/Cu/result.json").quantities
    assert f"belongs to {found['P_paper'].value:.2f} GPa" in PAGE
    assert f"it is {found['triangle_empty_Lai2023'].value:.3f} A" in PAGE
    for name in ("triangle_empty", "V", "a", "c", "triangle_filled"):
        assert f"{found[f'P_{name}_Lai2023'].value:.1f} GPa" in PAGE
