"""D of several states on one line: Ea and D0 at each pressure, activation volume at each T."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, inf
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2

from dpchannel import units
from dpchannel.errors import InputError
from dpchannel.physics.activation import ActivationLine, Range
from dpchannel.report.logarithm import (
    observation,
    one_potential,
    quantity,
    require_logarithms,
    same_origin,
    usual_D,
)
from dpchannel.results import Check, Quantity, Result, provenance, relative, sha256, write_arrays

SIDECAR = "scan.npz"
GRID = 41  # points of a drawn line
MARGIN = 0.05  # of its range, beyond the outermost points
_CELL = ("repeat", "occupancy")  # of points on one line the same
MIN_CHANCE = 0.01  # of a chi-square at least this large; below it the points are on no line


@dataclass(frozen=True)
class Scan:
    """Which variable the line is drawn against, and what its slope and its end mean.

    `x` of a state; `slope` and `end` are name, unit and factor: the slope of ln D times the factor,
    and D at x = 0.
    """

    task: str
    along: str
    across: str
    x: Callable[[dict[str, Any]], float]
    slope: tuple[str, str, Callable[[float], float]]
    end: str
    needs: str


def _inverse_kT(state: dict[str, Any]) -> float:
    if state["temperature_K"] <= 0:
        raise InputError("temperature 0 K: it has no place in an Arrhenius plot. Leave it out.")
    return 1 / (units.boltzmann_in_ev_per_k() * float(state["temperature_K"]))


def _volume_factor(temperature_K: float) -> float:
    """Of d ln D / dP in 1/GPa, to an activation volume in A^3."""
    return -units.boltzmann_in_ev_per_k() * temperature_K / units.gpa_in_ev_per_a3()


ARRHENIUS = Scan(
    task="arrhenius",
    along="temperature_K",
    across="pressure_GPa",
    x=_inverse_kT,
    slope=("Ea", "eV", lambda _: -1.0),
    end="D0",
    needs="two temperatures",
)
PRESSURE = Scan(
    task="pressure-scan",
    along="pressure_GPa",
    across="temperature_K",
    x=lambda state: float(state["pressure_GPa"]),
    slope=("activation_volume", "A^3", _volume_factor),
    end="D_0GPa",
    needs="two pressures",
)


def run(scan: Scan, paths: Sequence[Path], out: Path, *, of: str | None = None) -> Result:
    """Fit the diffusion results of several states; write the result and scan.npz beside it.

    Parameters
    ----------
    paths : result.json of bin/diffusion.py     one state may come several times (seeds)
    of : str, None                              which D, such as D_ab; by default D_c, and D_3d
                                                of a crystal without a channel

    Raises
    ------
    InputError      other results than those of diffusion, several systems, or fewer than two x
    """
    started = time.time()
    results = [Result.read(path) for path in paths]
    of = of or usual_D(results)
    _require(results, paths, scan, of)
    quantities: dict[str, Quantity] = {}
    arrays, checks, said = _points(results, of), [same_origin(results, _CELL)], []
    for group, members in _groups(results, scan).items():
        label = _label(scan.across, group)
        line = ActivationLine([observation(r, scan.x(r.state), of) for r in members])
        found = _quantities(line, scan, group)
        quantities |= {f"{name}_{label}": q for name, q in found.items()}
        quantities |= {_state_name(of, r.state): r.quantities[of] for r in members}
        arrays |= {f"{name}_{label}": values for name, values in _band(line, scan).items()}
        checks += _straight(line, label)
        said.append(_sentence(found, members, scan, of, group))
    result = Result(
        task=scan.task,
        system=results[0].system,
        state=_state(results, of),
        quantities=quantities,
        checks=checks,
        summary=" ".join(said),
    )
    sidecar = out.parent / SIDECAR
    write_arrays(sidecar, arrays)
    result.files = {relative(path): sha256(path) for path in (sidecar, *paths)}
    result.provenance = provenance(settings={"of": of}, started=started)
    result.provenance["potential"] = one_potential(results)
    result.write(out)
    return result


def _require(results: Sequence[Result], paths: Sequence[Path], scan: Scan, of: str) -> None:
    require_logarithms(results, paths, of)
    if len(systems := sorted({r.system for r in results})) != 1:
        raise InputError(f"results of {', '.join(systems)}: a line is drawn through one system.")
    if len({r.state[scan.along] for r in results}) < 2:
        raise InputError(
            f"{len(results)} results at {_label(scan.along, results[0].state[scan.along])[1:]}: "
            f"{scan.task} needs {scan.needs} or more."
        )


def _groups(results: Sequence[Result], scan: Scan) -> dict[float, list[Result]]:
    groups: dict[float, list[Result]] = {}
    for result in sorted(results, key=lambda r: (r.state[scan.across], r.state[scan.along])):
        groups.setdefault(float(result.state[scan.across]), []).append(result)
    return groups


def _label(key: str, value: float) -> str:
    """`P4GPa` or `T500K`."""
    pressure = key == "pressure_GPa"
    return f"P{units.pressure_label(value)}" if pressure else f"T{units.temperature_label(value)}"


def _state_name(of: str, state: dict[str, Any]) -> str:
    return "_".join([of, *(_label(key, state[key]) for key in ("pressure_GPa", "temperature_K"))])


def _quantities(line: ActivationLine, scan: Scan, group: float) -> dict[str, Quantity]:
    n, n_bound = len(line.values), len(line.bounds)
    method = (
        f"censored maximum likelihood in ln D, {n} {_plural('value', n)} and "
        f"{n_bound} {_plural('bound', n_bound)}; profile likelihood"
    )
    name, unit, factor = scan.slope
    slope = line.slope().times(factor(group))
    end = line.at(0.0)
    return {
        name: quantity(slope, unit, method, n),
        scan.end: quantity(_exponential(end), "cm2/s", method, n),
    }


def _exponential(found: Range) -> Range:
    if found.value is None:
        return found
    return Range(exp(found.value), exp(found.low), exp(found.high))


def _points(results: Sequence[Result], of: str) -> dict[str, Any]:
    rows = []
    for r in results:
        q = r.quantities[of]
        low, high = (np.nan, np.nan) if q.kind == "upper_bound" or not q.ci95 else q.ci95
        state = (r.state["pressure_GPa"], r.state["temperature_K"])
        rows.append((*state, q.value, low, high, q.kind == "upper_bound"))
    names = ("pressure_GPa", "temperature_K", "D", "D_low", "D_high", "is_bound")
    return dict(zip(names, np.array(rows, float).T, strict=True))


def _band(line: ActivationLine, scan: Scan) -> dict[str, Any]:
    """The line with its confidence band; empty where there is none."""
    x = [o.x for o in (*line.values, *line.bounds)]
    margin = MARGIN * (max(x) - min(x))
    grid = np.linspace(min(x) - margin, max(x) + margin, GRID) if line.determined else np.empty(0)
    ranges = [_exponential(line.at(float(point))) for point in grid]
    rows = np.array([(r.value, r.low, r.high) for r in ranges], float).reshape(-1, 3)
    if scan.along == "temperature_K":
        grid = 1 / (units.boltzmann_in_ev_per_k() * grid)
    names = ("line_x", "line_D", "line_low", "line_high")
    return dict(zip(names, (grid, *rows.T), strict=True))


def _straight(line: ActivationLine, label: str) -> list[Check]:
    """Whether the values are on one line, where there are enough of them to say."""
    if len({o.x for o in line.values}) < 3:
        return []
    square, dof = line.chi_square()
    chance = float(chi2.sf(square, dof))
    text = f"chi-square {square:.1f} for {dof} degrees of freedom, chance {chance:.2g}"
    return [Check(f"straight_{label}", chance >= MIN_CHANCE, text)]


def _state(results: Sequence[Result], of: str) -> dict[str, Any]:
    first = results[0].state
    return {
        "compound": first.get("compound", results[0].system),
        "profile": first.get("profile"),
        "pressures_GPa": sorted({float(r.state["pressure_GPa"]) for r in results}),
        "temperatures_K": sorted({float(r.state["temperature_K"]) for r in results}),
        "of": of,
        "n_results": len(results),
    }


def _sentence(
    found: dict[str, Quantity], members: Sequence[Result], scan: Scan, of: str, group: float
) -> str:
    where = f"At {_label(scan.across, group)[1:]}"
    name, unit, _ = scan.slope
    q = found[name]
    bounds = [r for r in members if r.quantities[of].kind == "upper_bound"]
    data = f"{len(members) - len(bounds)} of {len(members)} D are values, the others bounds"
    if q.kind == "bracket" and q.ci95:
        return f"{where}: {name} between {q.ci95[0]:.3g} and {q.ci95[1]:.3g} {unit} ({data})."
    if q.value is None:
        lowest = min(members, key=lambda r: r.quantities[of].value or inf)
        limit = lowest.quantities[of]
        sign = "<" if limit.kind == "upper_bound" else "="
        at = _label(scan.along, lowest.state[scan.along])[1:]
        few = f"too few values for {name} ({data}); lowest {of} {sign} {limit.value:.1e}"
        return f"{where}: {few} {limit.unit} at {at}."
    if q.kind != "estimate":
        sign = "<" if q.kind == "upper_bound" else ">"
        return f"{where}: {name} {sign} {q.value:.3g} {unit} (95 %; {data})."
    interval = f" (95 %: {q.ci95[0]:.3g} to {q.ci95[1]:.3g})" if q.ci95 else ""
    return f"{where}: {name} = {q.value:.3g} {unit}{interval}; {data}."


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"
