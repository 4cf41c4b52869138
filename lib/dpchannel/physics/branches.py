"""Where a series against temperature leaves the solid's curve and where it meets the liquid's.

For a ramp, which passes through melting over several points. What lies between the two curves is
left free, so a transition that is spread out is no worse than a sharp one.
"""

from dataclasses import dataclass

import numpy as np

from dpchannel.physics.arrays import Array
from dpchannel.physics.melting import Bracket, fit_polynomial, require_series

SMOOTH_DEGREE = 3  # of one curve through everything: one more than a branch may have
FREE_AT_BEND = 2  # numbers that say where a curve breaks: its foot and its top


@dataclass(frozen=True)
class Branch:
    """A polynomial through points on one side, in reduced temperature.

    chi2, dof           misfit in errors squared, and what it should be
    coefficients, root  highest power first; root @ root.T is their covariance
    """

    chi2: float
    dof: int
    coefficients: Array
    root: Array

    def at(self, x: float) -> tuple[float, float]:
        """Value and standard error."""
        row = x ** np.arange(len(self.coefficients) - 1, -1, -1, dtype=float)
        return float(row @ self.coefficients), float(np.linalg.norm(row @ self.root))


@dataclass(frozen=True)
class Break:
    """Solid up to point `foot`, liquid from point `top` on (the number of points: none seen)."""

    foot: int
    top: int
    chi2: float
    dof: int
    jump: float
    error: float
    least: float

    def cost(self, scale: float, n_sigma: float) -> float:
        """Misfit; a point left out must be worth `n_sigma` errors."""
        return self.chi2 / scale + n_sigma**2 * (self.top - self.foot - 1 + FREE_AT_BEND)


def spread_jump(
    temperature_K: Array,
    values: Array,
    stderr: Array,
    min_jump: Array,
    *,
    n_sigma: float,
    branch_points: int,
    max_scatter: float,
) -> Bracket:
    """Bracket from the last point of the solid's curve to the first of the liquid's.

    Parameters
    ----------
    temperature_K : (n,) K      increasing
    values, stderr : (n,)       volume, enthalpy or the like, nan where not measured
    min_jump : (n,)             smaller jumps are no melting, in the unit of `values`
    n_sigma : float             errors by which a point must be off to be left out of a curve
    branch_points : int         least number of points of a curve: a straight line; a parabola where
                                there are two more
    max_scatter : float         a curve whose points are off by more of their errors (rms) is none

    Returns
    -------
    Bracket     `lower_bound` where one smooth curve fits and would not hide a jump, or where the
                series ends before the liquid's curve; `none` where no such description fits
    """
    require_series(temperature_K, values, stderr, min_jump)
    known = np.isfinite(values) & np.isfinite(stderr)
    t, y, e, least = (
        np.asarray(z, float)[known] for z in (temperature_K, values, stderr, min_jump)
    )
    n = len(t)
    if n < 2 * branch_points:
        return Bracket(None, None, f"{n} points: two branches need {2 * branch_points}")
    x = (t - t.mean()) / np.ptp(t)
    smooth = _branch(x, y, e, SMOOTH_DEGREE)
    breaks = _breaks(x, y, e, least, branch_points, max_scatter)
    if smooth.chi2 <= smooth.dof + n_sigma * np.sqrt(2 * smooth.dof):
        hidden = [b.foot for b in breaks if b.top == b.foot + 1 and _hides(b, n_sigma)]
        if hidden:
            text = "a jump beyond it would be lost in the errors"
            return Bracket(float(t[min(hidden)]), None, text)
        return Bracket(float(t[-1]), None, "never melted: one smooth curve")
    whole = [b.chi2 / b.dof for b in breaks if 2 * b.dof >= n]
    scale = max([1.0, *([min(whole)] if whole else [])])
    best = min(breaks, key=lambda b: b.cost(scale, n_sigma), default=None)
    # breaking the curve has to be worth more than one point
    if best is None or best.cost(scale, n_sigma) + n_sigma**2 >= smooth.chi2 / scale:
        return Bracket(None, None, "neither one smooth curve nor two branches")
    low = float(t[best.foot])
    if best.top == n:
        return Bracket(low, None, "leaves the solid's curve; no branch of a liquid above")
    if best.jump <= max(best.least, n_sigma * best.error * np.sqrt(scale)):
        return Bracket(None, None, f"a bend above {low:g} K, too small a jump for melting")
    return Bracket(low, float(t[best.top]))


def _breaks(
    x: Array, y: Array, e: Array, least: Array, points: int, max_scatter: float
) -> list[Break]:
    """Every way to break the series whose branches fit."""
    n = len(x)

    def branch(part: slice) -> Branch:
        degree = 2 if len(x[part]) >= points + 2 else 1
        return _branch(x[part], y[part], e[part], degree)

    def fits(one: Branch) -> bool:
        return one.chi2 <= max_scatter**2 * one.dof

    solids = {i: branch(slice(0, i + 1)) for i in range(points - 1, n - 1)}
    liquids = {j: branch(slice(j, n)) for j in range(points, n - points + 1)}
    found = []
    for i, solid in solids.items():
        if not fits(solid):
            continue
        found.append(Break(i, n, solid.chi2, solid.dof, np.inf, 0.0, 0.0))
        for j, liquid in liquids.items():
            if j <= i or not fits(liquid):
                continue
            middle = float(x[i] + x[j]) / 2
            (above, a), (below, b) = liquid.at(middle), solid.at(middle)
            chi2, dof = solid.chi2 + liquid.chi2, solid.dof + liquid.dof
            jump, error = above - below, float(np.hypot(a, b))
            found.append(Break(i, j, chi2, dof, jump, error, float(least[i : j + 1].mean())))
    return found


def _hides(one: Break, n_sigma: float) -> bool:
    """Could a jump that counts be there, with a smooth curve through it all the same?"""
    return one.jump + n_sigma * one.error >= one.least


def _branch(x: Array, y: Array, e: Array, degree: int) -> Branch:
    coefficients, root, chi2 = fit_polynomial(x, y, e, degree)
    return Branch(chi2, len(x) - degree - 1, coefficients, root)
