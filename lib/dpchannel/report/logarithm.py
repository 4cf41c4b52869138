"""D of a diffusion result as a point of a line through ln D, and what a line says as Quantity."""

from collections.abc import Sequence
from math import isfinite, log
from pathlib import Path
from typing import Any

from scipy.stats import norm

from dpchannel.errors import InputError
from dpchannel.physics.activation import Observation, Range
from dpchannel.physics.intervals import CONFIDENCE
from dpchannel.results import Check, Quantity, Result

OF_CHANNEL, OF_CRYSTAL = "D_c", "D_3d"
_OF_HOPS = "D_c_hops"  # which rests on `n_hops` alone, taken as independent


def usual_D(results: Sequence[Result]) -> str:
    """D along the channel; of a crystal without one that in three dimensions."""
    return OF_CHANNEL if any(OF_CHANNEL in r.quantities for r in results) else OF_CRYSTAL


def require_logarithms(results: Sequence[Result], paths: Sequence[Path], of: str) -> None:
    """Every result is one of diffusion, and its D is a positive number, or InputError."""
    for result, path in zip(results, paths, strict=True):
        q = result.quantities.get(of)
        if result.task != "diffusion":
            raise InputError(f"{path}: a result of {result.task}. Give bin/diffusion.py's results.")
        if q is None or q.value is None:
            there = [name for name in ("D_c", "D_ab", "D_3d") if name in result.quantities]
            known = f"There is {', '.join(there)}: choose with --of." if there else "Leave it out."
            raise InputError(f"{path}: no {of} in this result of diffusion. {known}")
        if q.value <= 0:
            raise InputError(f"{path}: {of} = {q.value:g} has no logarithm. Leave it out.")


def observation(result: Result, x: float, of: str) -> Observation:
    """The D of a diffusion result as a value, or as a bound, at `x`.

    Only D_c_hops rests on a count of independent events that the result holds. Any other bound is
    the larger of several limits, allows for columns that move as one, or counts other moves. It is
    taken to fall off beyond its place as that of no event does, exp(-3 D / bound): the slowest of
    all counts, so it claims least.
    """
    q = result.quantities[of]
    assert q.value is not None
    if q.kind == "upper_bound":
        n_hops = int(result.quantities["n_hops"].value or 0) if of == _OF_HOPS else 0
        return Observation(x, log(q.value), n_hops=n_hops)
    return Observation(x, log(q.value), _sigma(q))


def _sigma(q: Quantity) -> float:
    """Standard error of ln D: from its error or its interval, whichever says more."""
    assert q.value is not None
    errors = [] if q.stderr is None else [q.stderr / q.value]
    if q.ci95 is not None and q.ci95[0] > 0:
        errors.append(log(q.ci95[1] / q.ci95[0]) / (2 * float(norm.ppf((1 + CONFIDENCE) / 2))))
    return max(errors, default=0.0)


def quantity(found: Range, unit: str, method: str, n: int) -> Quantity:
    """An estimate with its interval, a bound, a bracket, or no number at all."""
    ends = (found.low, found.high) if isfinite(found.low) and isfinite(found.high) else None
    if found.value is not None:
        reach = 2 * float(norm.ppf((1 + CONFIDENCE) / 2))
        stderr = None if ends is None else (ends[1] - ends[0]) / reach
        return Quantity(found.value, unit, stderr, ends, n, n, method)
    if found.kind == "bracket":
        return Quantity(None, unit, None, ends, n, n, method, "bracket")
    if found.kind:
        limit = found.low if found.kind == "lower_bound" else found.high
        return Quantity(limit, unit, None, None, n, n, f"one-sided limit: {method}", found.kind)
    return Quantity(None, unit, n=n, n_independent=n, method=f"no number: {method}")


def one_potential(results: Sequence[Result]) -> dict[str, Any] | None:
    """What drove all of them, with which a pin of their line is fresh; None if not one did."""
    known = [result.provenance.get("potential") or {} for result in results]
    same = len({potential.get("sha256") for potential in known}) == 1
    return known[0] or None if same else None


def same_origin(results: Sequence[Result], keys: Sequence[str] = ()) -> Check:
    """One potential and one value of these keys of the state, or the line mixes effects."""
    found: dict[str, set[str | None]] = {
        "potential": {(r.provenance.get("potential") or {}).get("sha256") for r in results},
        **{key: {str(r.state.get(key)) for r in results} for key in keys},
    }
    differ = [name for name, values in found.items() if len(values) > 1]
    text = f"one {' and '.join(found)}"
    if differ:
        text = f"different {' and '.join(differ)}: their differences are in the line, too"
    return Check("same_origin", not differ, text)
