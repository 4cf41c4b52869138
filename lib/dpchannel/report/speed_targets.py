"""Whether the measured speeds reach what was aimed at: one table of docs/performance.md."""

from collections.abc import Iterator

from dpchannel.report.performance import (
    OWN_MODEL,
    PAPER_MODEL,
    Measured,
    cores_of,
    is_best,
    table_of,
    value_of,
)
from dpchannel.results import Result
from dpchannel.settings.bench import SpeedTargets

Row = tuple[str, float, str, float, bool]


def section(measured: Measured, targets: SpeedTargets) -> str:
    """Each target beside what was measured; nothing when nothing was."""
    rows = [
        (what, f"{value:.3g}{unit}", f"{limit:g}{unit}", "met" if met else "missed")
        for what, value, unit, limit, met in [*_models(measured, targets), *_own(measured, targets)]
    ]
    return table_of(("target", "measured", "aimed at", ""), rows) if rows else ""


def _models(measured: Measured, targets: SpeedTargets) -> Iterator[Row]:
    """The shipped network against the paper's, each with the kernels that are fastest for it."""
    for model, limit in (
        (PAPER_MODEL, targets.faster_than_paper),
        (f"{PAPER_MODEL}-uncompressed", targets.faster_than_paper_uncompressed),
    ):
        for other in _fastest(measured.find(driver="lammps", model=model)):
            here = measured.find(driver="lammps", model=OWN_MODEL, n_atoms=other.state["n_atoms"])
            for own in _fastest([r for r in here if cores_of(r) == cores_of(other)]):
                factor = value_of(own, "speed") / value_of(other, "speed")
                what = f"times the speed of `{model}`, {other.state['n_atoms']} atoms"
                yield (what, factor, "", limit, factor >= limit)


def _own(measured: Measured, targets: SpeedTargets) -> Iterator[Row]:
    mine = measured.find(driver="lammps", model=OWN_MODEL, n_atoms=targets.efficiency_atoms)
    mine = [r for r in mine if r.state["threads"] == 1 and is_best(r, mine)]
    for one in (r for r in mine if cores_of(r) == 1):
        for two in (r for r in mine if cores_of(r) == 2):
            efficiency = value_of(two, "speed") / value_of(one, "speed") / 2
            what = f"efficiency of two ranks, {targets.efficiency_atoms} atoms"
            yield (what, efficiency, "", targets.efficiency, efficiency >= targets.efficiency)
    frames = max((r.state["frames"] for r in measured.analysis), default=0)
    longest = [r for r in measured.analysis if r.state["frames"] == frames]
    for own in (r for r in longest if r.state["tool"] == "dpchannel"):
        wall = value_of(own, "wall")
        what = f"from {frames} frames to D"
        yield (what, wall, " s", targets.analysis_s, wall <= targets.analysis_s)
        others = [value_of(r, "wall") for r in longest if r.state["tool"] != "dpchannel"]
        if others:
            factor = min(others) / wall
            what = f"times faster than the fastest other tool, {frames} frames"
            yield (what, factor, "", targets.analysis_faster, factor >= targets.analysis_faster)


def _fastest(results: list[Result]) -> list[Result]:
    return [max(results, key=lambda r: value_of(r, "speed"))] if results else []
