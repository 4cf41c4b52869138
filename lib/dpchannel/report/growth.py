"""Cost against atoms, cores and frames, from the results of `make bench`."""

from collections.abc import Callable, Sequence

from dpchannel.physics.power_law import Growth
from dpchannel.report.performance import OWN_MODEL, Measured, is_best, value_of
from dpchannel.report.table import with_error
from dpchannel.results import Result

FIGURE = "growth.png"


def growth(measured: Measured) -> list[Growth]:
    """Every line that has two points or more; an exponent through two has no error."""
    own = measured.find(driver="lammps", model=OWN_MODEL, threads=1)
    own = [r for r in own if is_best(r, own)]
    finished = [r for r in measured.analysis if r.quantities["wall"].kind == "estimate"]
    finished.sort(key=lambda r: int(r.state["frames"]))

    def cores(r: Result) -> str:
        return f"on {r.state['ranks']} {'core' if r.state['ranks'] == 1 else 'cores'}"

    def atoms(r: Result) -> str:
        return f"{r.state['n_atoms']} atoms"

    def tool(r: Result) -> str:
        return f"{r.state['tool']}, {r.state['feed']}"

    return [
        *_lines(own, "atoms", "n_atoms", "step", "ms a step", cores),
        *_lines(own, "cores", "ranks", "speed", "katom-step/s", atoms),
        *_lines(finished, "frames", "frames", "wall", "s from the files to D", tool),
    ]


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
    of: str,
    x: str,
    y: str,
    what: str,
    label: Callable[[Result], str],
) -> list[Growth]:
    """Results of one label in a line: quantity `y` against state `x`."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(label(result), []).append(result)
    lines = []
    for name, points in groups.items():
        across, up = [float(r.state[x]) for r in points], [value_of(r, y) for r in points]
        if len(points) > 1:
            lines.append(Growth(name, of, what, across, up))
    return lines
