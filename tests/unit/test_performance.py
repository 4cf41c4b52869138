"""Timings: what is timed, how LAMMPS' own numbers are read, and the pages made of them."""

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.benchmark.machine import over_repeats
from dpchannel.benchmark.speed import Bench, Case, cases, measure, read_log
from dpchannel.errors import EngineFailed, InputError
from dpchannel.physics.power_law import PowerLaw
from dpchannel.plots.growth import plot_growth
from dpchannel.report import speed_targets
from dpchannel.report.growth import growth, section
from dpchannel.report.performance import NOTHING, Measured, fill, performance, scale
from dpchannel.results import Check, Quantity, Result, project_root
from dpchannel.settings import MDSettings, SystemSettings, load
from dpchannel.settings.bench import BenchSettings

ROOT = project_root()
SETTINGS = load(BenchSettings, ROOT / "inputs" / "bench.toml")
LOG = """
Loop time of 2.5 on 2 procs for 100 steps with 164 atoms
Section |  min time  |  avg time  |  max time  |%varavg| %total
Pair    | 1.9        | 2.0        | 2.1        |   0.4 | 80.00
Modify  | 0.25       | 0.25       | 0.25       |   0.0 | 10.00
Other   |            | 0.25       |            |       | 10.00
Loop time of 2.4 on 2 procs for 100 steps with 164 atoms
"""


def test_loop_times_and_sections_of_every_run_in_a_log():
    first, second = read_log(LOG)
    assert (first["loop_s"], first["steps"], first["atoms"]) == (2.5, 100, 164)
    assert (first["Pair"], first["Other"]) == (2.0, 0.25)
    assert second["loop_s"] == 2.4 and "Pair" not in second


def test_every_case_once_and_none_beyond_the_cores():
    found = cases(SETTINGS, cores=2, native_there=True, teacher=True)
    names = [case.name for case in found]
    assert len(set(names)) == len(names)
    assert {case.model for case in found} >= {"shipped", "paper", "toy", "teacher"}
    assert max(case.ranks * case.threads for case in found) == 2
    assert "lammps-shipped-8x4x8-2x1-native" in names  # 20992 atoms
    assert {case.native for case in found if case.model == "paper-uncompressed"} == {False, True}
    alone = cases(SETTINGS, cores=1, native_there=False, teacher=False)
    assert {(c.ranks, c.threads, c.native) for c in alone} == {(1, 1, False)}


def test_a_case_is_timed_by_lammps_with_its_script(tmp_path):
    """Springs in place of a network: some steps of 82 atoms, and what must hold of the numbers."""
    (tmp_path / "t.lammps").write_text(
        "pair_style zero 6.0\npair_coeff * *\nfix tether all spring/self 20.0\n"
    )
    quick = {"seconds": 0.01, "min_steps": 5, "max_steps": 10, "warmup_steps": 2}
    settings = SETTINGS.model_copy(update={"speed": SETTINGS.speed.model_copy(update=quick)})
    system_file = ROOT / "inputs" / "pb10po46o.toml"
    bench = Bench(
        system_file,
        load(SystemSettings, system_file),
        ROOT / "inputs",
        settings,
        load(MDSettings, ROOT / "inputs" / "md.toml"),
        {"shipped": tmp_path / "t.lammps"},
        {},
        tmp_path / "work",
    )
    case = Case("lammps", "shipped", (1, 1, 1), 1, 1, False)
    found = measure(bench, case, busy=True)
    speed, step = (found.quantities[name] for name in ("speed", "step"))
    assert found.state["n_atoms"] == 82
    assert speed.n == settings.speed.repeats and speed.stderr is not None
    # a mean of quotients is no less than the quotient of means, equal without scatter
    assert speed.value * step.value >= 82 * (1 - 1e-9)
    parts = sum(found.quantities[name].value for name in ("pair", "neigh", "modify", "other"))
    assert parts <= 1e3 * step.value / 82  # us: the sections are parts of the step
    (tmp_path / "t.lammps").write_text("pair_style none_such\n")
    with pytest.raises(EngineFailed, match=r"not timed \(.*none_such"):
        measure(bench, case, busy=True)


def timing(case: Case, n_atoms: int, step_ms: float, **facts) -> Result:
    state = {"driver": case.driver, "model": case.model, "repeat": list(case.repeat)}
    state |= {"ranks": case.ranks, "threads": case.threads, "native": case.native}
    speed = over_repeats([n_atoms / step_ms] * 2, "katom-step/s", "")
    quantities = {"speed": speed, "step": over_repeats([step_ms] * 2, "ms", "")}
    quantities |= {"peak_memory": Quantity(100 + 0.01 * n_atoms, "MB")}
    quantities |= {"pair": Quantity(1e3 * step_ms / n_atoms, "us")}
    record = {"machine": {"cpu": "X", "cores": 2, "memory_GB": 8.0, "load_at_start": 0.1}}
    record["versions"] = {"lammps": "1"}
    state |= {"n_atoms": n_atoms, "facts": facts}
    return Result("bench", "s", state, quantities, [Check("quiet_machine", True, "")], {}, record)


@pytest.fixture
def measured():
    """An ideal machine: 0.1 ms an atom on one core; the paper's network takes three times that."""
    found = []
    for n in (82, 656, 2624, 20992):
        for ranks in (1, 2):
            case = Case("lammps", "shipped", (n, 1, 1), ranks, 1, True)
            errors = {"energy_mae_meV_per_atom": 2.2, "force_mae_eV_per_A": 0.1}
            found.append(timing(case, n, 0.1 * n / ranks, held_out=errors))
    paper = Case("lammps", "paper", (4, 2, 4), 2, 1, True)
    found.append(timing(paper, 2624, 0.15 * 2624, trained=False))
    found.append(timing(replace(paper, model="toy", ranks=1), 2624, 0.05 * 2624))
    found.append(timing(Case("lammps", "shipped", (4, 2, 4), 1, 2, True), 2624, 0.1 * 2624))
    found.append(timing(Case("ase", "shipped", (4, 2, 4), 1, 2, False), 2624, 0.5 * 2624))
    return Measured(found, [])


def test_power_law_and_its_error():
    x = np.array([1.0, 10.0, 100.0, 1000.0])
    law = PowerLaw.through(x, 3 * x**0.5 * np.array([1.01, 0.99, 0.99, 1.01]))
    low, high = law.exponent.ci95
    assert low < 0.5 < high and high - low < 0.1
    assert PowerLaw.through([1, 2], [1, 2]).exponent.stderr is None


def test_tables_say_what_was_measured(measured):
    found = performance(measured)
    assert "| paper | own |" in found["models"] and "3.00" in found["models"]
    assert "random weights, not trained" in found["models"] and "2.20, 0.100" in found["models"]
    assert "| 2 | 1 |" in found["parallel"] and "| 1.00 |" in found["parallel"]
    assert "| 1 | 82 |" in found["sizes"] and "| 2 | 20992 |" in found["sizes"]
    assert "(toy) leaves 50.0 us" in found["profile"]
    assert "| 10 |" in found["drivers"]  # 0.5 ms an atom against 0.05 on two cores
    assert "make bench-analysis" in found["analysis"]


def test_growth_is_the_slope_of_the_points(measured, tmp_path):
    """Made so: time as the atoms, speed as the cores."""
    lines = {(line.of, line.label): line for line in growth(measured)}
    assert_allclose(lines["atoms", "on 1 core"].law.exponent.value, 1.0, rtol=1e-9)
    assert_allclose(lines["cores", "2624 atoms"].law.exponent.value, 1.0, rtol=1e-9)
    assert "atoms, on 2 cores: exponent 1.0" in section(list(lines.values()))
    plot_growth(list(lines.values()), [tmp_path / "growth.png"])
    assert (tmp_path / "growth.png").stat().st_size > 5000
    assert section([]) == ""


def test_a_target_within_the_error_is_not_called_met_without_saying_so(measured):
    """Repeats of 10 and 30 a second: 20 +- 10, t(1) = 12.7, so nothing is known."""
    for result in measured.find(driver="lammps", model="paper"):
        result.quantities["speed"] = over_repeats([4.0, 12.0], "katom-step/s", "")
    text = speed_targets.section(measured, SETTINGS.targets)
    assert re.search(r"`paper`, 2624 atoms \| 2\.5 \+- 1\.2\d? \| 3 \| missed; 95 %: -", text), text


def test_targets_are_met_or_missed_by_what_was_measured(measured):
    """0.05 ms an atom on two cores against 0.15: three times as fast; two ranks twice as one."""
    rows = {}
    for aim in (2.9, 3.1):
        targets = SETTINGS.targets.model_copy(update={"faster_than_paper": aim})
        rows[aim] = speed_targets.section(measured, targets).splitlines()
    assert "| times the speed of `paper`, 2624 atoms | 3 | 2.9 | met |" in rows[2.9]
    assert "| times the speed of `paper`, 2624 atoms | 3 | 3.1 | missed |" in rows[3.1]
    assert "| efficiency of two ranks, 2624 atoms | 1 | 0.9 | met |" in rows[2.9]
    assert speed_targets.section(Measured([], []), SETTINGS.targets) == ""


def test_scale_is_atoms_times_steps_times_the_measured_cost(measured):
    found = scale(measured, SETTINGS.scale)
    # 10^6 atoms x 2.05e6 steps x 0.1 ms / 3600 s = 5.69e4 core hours; 10^6 x 0.01 MB = 10 GB
    assert "5.69e+04 core hours" in found["cell"] and "10 GB" in found["cell"]
    # 2624 x 55000 x 0.1 ms / 3600 = 4.01 core hours, times 600
    assert "4.01 core hours" in found["campaign"] and "2.41e+03 core hours" in found["campaign"]
    nothing = scale(Measured([], []), SETTINGS.scale)
    assert all("Not measured yet: `make bench`" in text for text in nothing.values())


def test_a_failed_tool_is_a_bound_in_the_table():
    base = timing(Case("ase", "shipped", (1, 1, 1), 1, 1, False), 82, 1.0)
    memory = Quantity(900.0, "MB")
    own = {"wall": Quantity(10.0, "s"), "peak_memory": memory}
    other = {"wall": Quantity(600.0, "s", kind="lower_bound"), "peak_memory": memory}
    results = [
        replace(base, state={"tool": tool, "frames": 20000, "feed": "ions"}, quantities=quantities)
        for tool, quantities in (("dpchannel", own), ("kinisi", other))
    ]
    text = performance(Measured([], results))["analysis"]
    assert "| > 600 |" in text and "> 60, not finished" in text


def test_sections_stand_between_markers_and_the_rest_stays():
    page = "by hand\n<!-- a -->\nold\n<!-- end a -->\nby hand\n"
    assert fill(page, {"a": "new\\1"}, "x.md") == page.replace("old", "new\\1")
    with pytest.raises(InputError, match=r"x\.md: marker 'b'"):
        fill(page, {"a": "new", "b": "more"}, "x.md")
    with pytest.raises(InputError, match=r"x\.md: no line <!-- end a -->"):
        fill("<!-- a -->\n", {"a": "new"}, "x.md")


def test_the_pages_are_what_their_evidence_gives():
    measured = Measured.read(ROOT / "regression" / "evidence" / "pb10po46o" / "bench")
    more = {
        "growth": section(growth(measured)),
        "targets": speed_targets.section(measured, SETTINGS.targets),
    }
    more = {name: text or NOTHING.format(command="make bench") for name, text in more.items()}
    pages = {
        "performance.md": performance(measured) | more,
        "scale.md": scale(measured, SETTINGS.scale),
    }
    for name, sections in pages.items():
        text = (ROOT / "docs" / name).read_text()
        assert fill(text, sections, name) == text, f"docs/{name} is stale: run bin/bench_docs.py"


def test_no_page_rests_on_a_machine_in_use():
    measured = Measured.read(ROOT / "regression" / "evidence" / "pb10po46o" / "bench")
    for result in (*measured.speed, *measured.analysis):
        assert [c.ok for c in result.checks if c.name == "quiet_machine"] == [True], result.state
