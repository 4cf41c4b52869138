"""Averages of a production run with their errors, and whether it held its set point."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from dpchannel.md.h5md import Trajectory
from dpchannel.physics.blocks import mean_and_error
from dpchannel.results import Check, Quantity
from dpchannel.structures.classify import Sites
from dpchannel.structures.measure import edges, lattices

Array = NDArray[np.float64]

THERMO = {"temperature_K": ("temperature", "K"), "pressure_GPa": ("pressure", "GPa")}
# A mean this close to its set point is right even where its error is smaller: 1 % of 500 K moves an
# Arrhenius rate at 0.8 eV by a fifth, 0.05 GPa moves a by 0.03 %.
MAX_OFF_T = 0.01
MAX_OFF_P_GPA = 0.05
N_STDERR = 3.0
_METHOD = "mean over production; statistical inefficiency, Student's t"


def lattice_series(trajectory: Trajectory, sites: Sites) -> dict[str, Array]:
    """a, b, c (A) per cell of one formula unit and V (A^3) of it: (n_frame,) each."""
    cells = trajectory.mobile.cells
    lengths = lattices(cells, trajectory.atoms, sites)
    volume = np.abs(np.linalg.det(cells)) / sites.n_formula
    return {"a": lengths[:, 0], "b": lengths[:, 1], "c": lengths[:, 2], "V": volume}


def average_quantities(
    trajectory: Trajectory, sites: Sites, series: Mapping[str, Array]
) -> dict[str, Quantity]:
    """Lattice, ring edges and distances, temperature and pressure over production."""
    found = {
        name: average(values, "A^3" if name == "V" else "A") for name, values in series.items()
    }
    stream = trajectory.all
    for name, values in edges(stream.cells, stream.scaled, sites).items():
        values = values[np.isfinite(values)]  # a frame may hold no ring of this kind
        if len(values) > 1:
            found[name] = average(values, "A")
    return found | thermo_quantities(trajectory)


def thermo_quantities(trajectory: Trajectory) -> dict[str, Quantity]:
    """Temperature and pressure over production."""
    return {
        name: average(trajectory.thermo[column], unit) for column, (name, unit) in THERMO.items()
    }


def average(values: Array, unit: str) -> Quantity:
    """Mean of a correlated series (n,), its error and 95 % interval."""
    mean = mean_and_error(values)
    return _mean(mean.value, unit, mean.stderr, mean.n, mean.n_independent, _METHOD)


def together(runs: Sequence[Mapping[str, Quantity]]) -> dict[str, Quantity]:
    """Averages of runs that are equally long and independent of each other, as one run's.

    A quantity that one of them has none of is left out.
    """
    found = {}
    for name, first in runs[0].items():
        if not all(name in run for run in runs):
            continue
        each = [run[name] for run in runs]
        value = float(np.array([q.value for q in each], float).mean())
        stderr = float(np.linalg.norm(np.array([q.stderr for q in each], float))) / len(each)
        counts = sum(q.n or 0 for q in each), sum(q.n_independent or 0.0 for q in each)
        found[name] = _mean(
            value, first.unit, stderr, *counts, f"{_METHOD}; mean of {len(each)} runs"
        )
    return found


def _mean(
    value: float, unit: str, stderr: float, n: int, n_independent: float, method: str
) -> Quantity:
    reach = float(student.ppf(0.975, max(n_independent - 1, 1.0))) * stderr
    ends = (value - reach, value + reach)
    return Quantity(value, unit, stderr, ends, n, round(n_independent, 1), method)


def set_point_checks(quantities: Mapping[str, Quantity], state: Mapping[str, Any]) -> list[Check]:
    """Mean temperature and pressure against their targets."""
    checks = []
    for column, allowed in (
        ("temperature_K", MAX_OFF_T * float(state["temperature_K"])),
        ("pressure_GPa", MAX_OFF_P_GPA),
    ):
        name, unit = THERMO[column]
        mean, target = quantities[name], float(state[column])
        if mean.value is None or mean.stderr is None:
            continue
        limit = max(N_STDERR * mean.stderr, allowed)
        text = f"mean {mean.value:.4g} +- {mean.stderr:.2g} {unit}, set {target:g} {unit}"
        ok = abs(mean.value - target) <= limit
        checks.append(Check(name, bool(ok), f"{text} (limit {limit:.2g} {unit})"))
    return checks
