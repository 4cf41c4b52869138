"""Cost against atoms, cores and frames, from the results of `make bench`."""

from collections.abc import Callable, Hashable, Sequence

from dpchannel.physics.power_law import Growth
from dpchannel.report.performance import OWN_MODEL, Measured, cores_of, is_best, value_of
from dpchannel.report.table import with_error
from dpchannel.results import Result

FIGURE = "growth.png"


def growth(measured: Measured) -> list[Growth]:
    """Every line that has two points or more; an exponent through two has no error."""
    own = measured.find(driver="lammps", model=OWN_MODEL, threads=1)
    own = [r for r in own if is_best(r, own)]
    atoms = _lines(
        own,
        lambda r: r.state["ranks"],
        lambda ranks, points: Growth(
            f"on {ranks} {'core' if ranks == 1 else 'cores'}",
            "atoms",
            "ms a step",
            [float(r.state["n_atoms"]) for r in points],
            [value_of(r, "step") for r in points],
        ),
    )
    cores = _lines(
        own,
        lambda r: r.state["n_atoms"],
        lambda n, points: Growth(
            f"{n} atoms",
            "cores",
            "katom-step/s",
            [float(cores_of(r)) for r in points],
            [value_of(r, "speed") for r in points],
        ),
    )
    finished = [r for r in measured.analysis if r.quantities["wall"].kind == "estimate"]
    finished.sort(key=lambda r: int(r.state["frames"]))
    frames = _lines(
        finished,
        lambda r: (r.state["tool"], r.state["feed"]),
        lambda key, points: Growth(
            f"{key[0]}, {key[1]}",  # type: ignore[index]
            "frames",
            "s from the files to D",
            [float(r.state["frames"]) for r in points],
            [value_of(r, "wall") for r in points],
        ),
    )
    return [*atoms, *cores, *frames]


def section(lines: Sequence[Growth]) -> str:
    """The figure and the exponents, as text of a page; nothing without lines."""
    if not lines:
        return ""
    fitted = [
        f"- {line.what} against {line.of}, {line.label}: exponent {with_error(line.law.exponent)}"
        for line in lines
    ]
    return "\n".join([f"![Cost against atoms, cores and frames]({FIGURE})", "", *fitted])


def _lines(
    results: Sequence[Result],
    key: Callable[[Result], Hashable],
    line: Callable[[Hashable, list[Result]], Growth],
) -> list[Growth]:
    groups: dict[Hashable, list[Result]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return [line(name, points) for name, points in groups.items() if len(points) > 1]
