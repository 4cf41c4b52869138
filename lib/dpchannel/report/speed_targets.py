"""Whether the measured speeds reach what was aimed at: one table of docs/performance.md."""

import math
from collections.abc import Iterator

from scipy.stats import t as student

from dpchannel.report.performance import (
    OWN_MODEL,
    PAPER_MODEL,
    Measured,
    cores_of,
    is_best,
    table_of,
    value_of,
)
from dpchannel.report.table import with_error
from dpchannel.results import Quantity, Result
from dpchannel.settings.bench import SpeedTargets

Row = tuple[str, Quantity, float, bool]  # what, measured, aimed at, whether more is better


def section(measured: Measured, targets: SpeedTargets) -> str:
    """Each target beside what was measured; nothing when nothing was."""
    rows = [
        (what, with_error(q), f"{limit:g}", _verdict(q, limit, more=more))
        for what, q, limit, more in [*_models(measured, targets), *_own(measured, targets)]
    ]
    return table_of(("target", "measured", "aimed at", ""), rows) if rows else ""


def _verdict(found: Quantity, limit: float, *, more: bool) -> str:
    """`met` or `missed`, and what the 95 % interval says against it when it holds the limit."""
    assert found.value is not None
    word = "met" if (found.value >= limit) == more else "missed"
    if found.ci95 and found.ci95[0] < limit < found.ci95[1]:
        return f"{word}; 95 %: {found.ci95[0]:.2g} to {found.ci95[1]:.2g}"
    return word


def _ratio(one: Result, other: Result, name: str, over: float = 1.0) -> Quantity:
    """One measurement over another, with the errors of both; t of the one with fewer repeats."""
    a, b = one.quantities[name], other.quantities[name]
    value = value_of(one, name) / value_of(other, name) / over
    n = min(a.n or 1, b.n or 1)
    if n < 2 or a.stderr is None or b.stderr is None:
        return Quantity(value, "", n=n)
    parts = (a.stderr / value_of(one, name), b.stderr / value_of(other, name))
    error = value * math.hypot(*parts)
    reach = float(student.ppf(0.975, n - 1)) * error
    return Quantity(value, "", error, (value - reach, value + reach), n, n)


def _models(measured: Measured, targets: SpeedTargets) -> Iterator[Row]:
    """The shipped network against the paper's, each with the kernels that are fastest for it."""
    for model, limit in (
        (PAPER_MODEL, targets.faster_than_paper),
        (f"{PAPER_MODEL}-uncompressed", targets.faster_than_paper_uncompressed),
    ):
        for other in _fastest(measured.find(driver="lammps", model=model)):
            here = measured.find(driver="lammps", model=OWN_MODEL, n_atoms=other.state["n_atoms"])
            for own in _fastest([r for r in here if cores_of(r) == cores_of(other)]):
                what = f"times the speed of `{model}`, {other.state['n_atoms']} atoms"
                yield (what, _ratio(own, other, "speed"), limit, True)


def _own(measured: Measured, targets: SpeedTargets) -> Iterator[Row]:
    mine = measured.find(driver="lammps", model=OWN_MODEL, n_atoms=targets.efficiency_atoms)
    mine = [r for r in mine if r.state["threads"] == 1 and is_best(r, mine)]
    for one in (r for r in mine if cores_of(r) == 1):
        for two in (r for r in mine if cores_of(r) == 2):
            what = f"efficiency of two ranks, {targets.efficiency_atoms} atoms"
            yield (what, _ratio(two, one, "speed", 2.0), targets.efficiency, True)
    frames = max((r.state["frames"] for r in measured.analysis), default=0)
    longest = [r for r in measured.analysis if r.state["frames"] == frames]
    for own in (r for r in longest if r.state["tool"] == "dpchannel"):
        what = f"from {frames} frames to D (s)"
        yield (what, own.quantities["wall"], targets.analysis_s, False)
        others = [r for r in longest if r.state["tool"] != "dpchannel"]
        if others:
            fastest = min(others, key=lambda r: value_of(r, "wall"))
            what = f"times faster than the fastest other tool, {frames} frames"
            yield (what, _ratio(fastest, own, "wall"), targets.analysis_faster, True)


def _fastest(results: list[Result]) -> list[Result]:
    return [max(results, key=lambda r: value_of(r, "speed"))] if results else []
