"""Where a crystal melts, from series against temperature: each signal for itself, then together.

A signal says of every temperature whether the crystal is there (solid), gone (melted), or that its
errors do not let it say. What lies between the last solid and the first melted one is its bracket.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.physics.arrays import Array

SOLID, UNCLEAR, MELTED = -1, 0, 1
Flags = NDArray[np.int64]

MIN_BRANCH = 3  # fewer points cannot contradict a line


@dataclass(frozen=True)
class Bracket:
    """Melting lies above `low_K` and at or below `high_K`; None is an open end.

    text : str      what was seen, for a person
    """

    low_K: float | None
    high_K: float | None
    text: str = ""

    @property
    def kind(self) -> str:
        """`bracket`, `lower_bound` (never melted), `upper_bound` (never solid) or `none`."""
        ends = (self.low_K is not None, self.high_K is not None)
        return {(True, True): "bracket", (True, False): "lower_bound"}.get(
            ends, "upper_bound" if ends[1] else "none"
        )

    def __str__(self) -> str:
        if self.kind == "bracket":
            return f"{self.low_K:g} to {self.high_K:g} K"
        if self.kind == "lower_bound":
            return f"above {self.low_K:g} K"
        return f"below {self.high_K:g} K" if self.kind == "upper_bound" else "cannot say"


@dataclass(frozen=True)
class Combined:
    """What all signals say together; `agree` is False when no temperature suits them all."""

    bracket: Bracket
    agree: bool


def jump_flags(
    temperature_K: Array,
    values: Array,
    stderr: Array,
    min_jump: Array,
    *,
    n_sigma: float,
    branch_points: int,
) -> Flags:
    """Is a value above the straight line and the parabola through the solid points below it?

    For runs at one temperature each, which are a crystal or a melt; a ramp takes
    branches.spread_jump.

    Parameters
    ----------
    temperature_K : (n,) K      increasing
    values, stderr : (n,)       volume, enthalpy or the like, nan where not measured
    min_jump : (n,)             smaller jumps are no melting, in the unit of `values`
    n_sigma : float             errors by which a point must be off
    branch_points : int         of the solid, nearest in temperature, that a curve is laid through

    Returns
    -------
    (n,)                        the first MIN_BRANCH points count as solid: nothing tells otherwise
    """
    require_series(temperature_K, values, stderr, min_jump)
    flags = np.full(len(values), UNCLEAR)
    branch: list[int] = []
    for k in np.flatnonzero(np.isfinite(values)):
        if len(branch) < MIN_BRANCH:
            flags[k] = SOLID
        else:
            near = np.array(branch[-branch_points:])
            at = float(temperature_K[k])
            # a crystal near melting expands faster than a straight line: a jump is above both
            said = []
            for degree in (1, 2):
                expected, error = _extrapolated(
                    temperature_K[near], values[near], stderr[near], at, degree
                )
                off, reach = values[k] - expected, n_sigma * float(np.hypot(error, stderr[k]))
                melted, solid = off > max(reach, min_jump[k]), off + reach < min_jump[k]
                said.append(MELTED if melted else SOLID if solid else UNCLEAR)
            flags[k] = min(said)
        if flags[k] == SOLID:
            branch.append(int(k))
    return flags


def level_flags(
    values: Array, stderr: Array, *, limit: float, melted_above: bool, n_sigma: float
) -> Flags:
    """Which side of a limit each value is on, by `n_sigma` errors: (n,); nan is unclear."""
    require_series(values, values, stderr)
    off, reach = np.asarray(values) - limit, n_sigma * np.asarray(stderr)
    if not melted_above:
        off = -off
    return np.where(off > reach, MELTED, np.where(off < -reach, SOLID, UNCLEAR))


def bracket(temperature_K: Array, flags: Flags) -> Bracket:
    """From what a signal says at each temperature (n,) to its bracket.

    Where solid comes back above melted, the bracket reaches over both, and the text says so.
    """
    solid, melted = np.flatnonzero(flags == SOLID), np.flatnonzero(flags == MELTED)
    if not melted.size:
        if not solid.size:
            return Bracket(None, None, "not measured, or unclear at every temperature")
        last = int(solid[-1])
        text = "never melted" if last == len(flags) - 1 else "unclear above"
        return Bracket(float(temperature_K[last]), None, text)
    first = int(melted[0])
    below = solid[solid < first]
    low = float(temperature_K[below[-1]]) if below.size else None
    if not solid.size or solid[-1] < first:
        text = "" if below.size else "melted at every temperature"
        return Bracket(low, float(temperature_K[first]), text)
    after = melted[melted > solid[-1]]
    high = float(temperature_K[after[0]]) if after.size else None
    where = f"melted at {temperature_K[first]:g} K, solid at {temperature_K[solid[-1]]:g} K"
    return Bracket(low, high, f"not one transition: {where}")


def combine(found: Mapping[str, Bracket], *, spread: Sequence[str] = ()) -> Combined:
    """The interval that suits every signal; when there is none, the one that covers them all.

    Parameters
    ----------
    found : name -> Bracket
    spread : names          signals whose bracket is the extent of a transition from its foot to its
                            top, as of V in a ramp. A level is passed at one point of it, so it has
                            to be inside and makes the extent no narrower.

    Raises
    ------
    InputError      no signal
    """
    if not found:
        raise InputError("no signal of melting was measured: nothing to combine.")
    telling = {name: b for name, b in found.items() if b.kind != "none"}
    silent = sorted(set(found) - set(telling))
    note = f"; {', '.join(silent)} cannot say" if silent else ""
    if not telling:
        return Combined(Bracket(None, None, f"no signal can say{note}"), True)
    low = max((b.low_K for b in telling.values() if b.low_K is not None), default=None)
    high = min((b.high_K for b in telling.values() if b.high_K is not None), default=None)
    if low is None or high is None or low < high:
        names = f"{', '.join(telling)} {'agree' if len(telling) > 1 else 'alone'}"
        extents = [b for name, b in telling.items() if name in spread and b.kind == "bracket"]
        if extents:
            low = max(b.low_K for b in extents if b.low_K is not None)
            high = min(b.high_K for b in extents if b.high_K is not None)
        return Combined(Bracket(low, high, f"{names}{note}"), True)
    each = "; ".join(f"{name}: {b}" for name, b in telling.items())
    lows = [b.low_K for b in telling.values()]
    highs = [b.high_K for b in telling.values()]
    widest = Bracket(
        None if None in lows else min(k for k in lows if k is not None),
        None if None in highs else max(k for k in highs if k is not None),
        f"signals disagree: {each}{note}",
    )
    return Combined(widest, False)


def expansion_per_K(
    temperature_K: Array, values: Array, stderr: Array
) -> tuple[float, float, tuple[float, float]]:
    """Mean thermal expansion of the solid, d ln x / dT, from a straight line.

    Parameters
    ----------
    temperature_K : (n,) K, values : (n,), stderr : (n,)    solid points, at least two

    Returns
    -------
    value, stderr (1/K), and the (lowest, highest) temperature of the line
    """
    if len(values) < 2:
        raise InputError(f"{len(values)} solid temperatures: thermal expansion needs two.")
    middle = float(np.mean(temperature_K))
    (slope, mean), covariance = _fit(temperature_K - middle, values, stderr)
    ends = (float(np.min(temperature_K)), float(np.max(temperature_K)))
    return float(slope / mean), float(np.sqrt(covariance[0, 0]) / mean), ends


def _extrapolated(x: Array, y: Array, stderr: Array, at: float, degree: int) -> tuple[float, float]:
    """Value and standard error of a polynomial at `at`; scatter about it counts as error."""
    scale = float(np.ptp(x))
    coefficients, covariance = _fit((x - at) / scale, y, stderr, degree)
    return float(coefficients[-1]), float(np.sqrt(covariance[-1, -1]))


def _fit(x: Array, y: Array, stderr: Array, degree: int = 1) -> tuple[Array, Array]:
    """Coefficients, highest power first, and their covariance, of weighted least squares."""
    coefficients, root, chi2 = fit_polynomial(x, y, stderr, degree)
    covariance: Array = root @ root.T
    if len(x) > degree + 1:
        covariance = covariance * max(1.0, chi2 / (len(x) - degree - 1))
    return coefficients, covariance


def fit_polynomial(x: Array, y: Array, stderr: Array, degree: int) -> tuple[Array, Array, float]:
    """Weighted least squares: coefficients, highest power first, the root of their covariance
    (degree + 1, n), and chi square.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    smallest = 1e-9 * max(1e-300, float(np.abs(y).max()))
    weight = 1 / np.maximum(stderr, smallest)
    rows = np.vander(x, degree + 1)
    root: Array = np.asarray(np.linalg.pinv(rows * weight[:, None]), np.float64)
    coefficients: Array = np.asarray(root @ (y * weight), np.float64)
    residual = (y - rows @ coefficients) * weight
    return coefficients, root, float(residual @ residual)


def require_series(
    temperature_K: Array, values: Array, stderr: Array, min_jump: Array | None = None
) -> None:
    """One number for every temperature, and with `min_jump` temperatures that increase."""
    others = [values, stderr] + ([] if min_jump is None else [min_jump])
    if any(len(x) != len(temperature_K) for x in others):
        sizes = ", ".join(str(len(x)) for x in (temperature_K, *others))
        raise InputError(f"series of lengths {sizes}: one number for every temperature.")
    if min_jump is not None and (np.diff(temperature_K) <= 0).any():
        raise InputError("temperatures are not increasing: sort them, each once.")
