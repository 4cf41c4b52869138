"""D and the local exponent against the number of ions in a column, at one state.

Ions that cannot pass each other move on only with their whole column: on a ring of n ions the
tracer's D tends to that of the column's charge over n, after a stretch of lags in which the MSD
grows as the square root of time. A D that depends on n is one of the cell, not of the crystal.

Source: Hahn & Kärger, J. Phys. Chem. B 102, 5766 (1998), for single files of finite length.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import log
from pathlib import Path

from dpchannel.errors import InputError
from dpchannel.physics.activation import ActivationLine
from dpchannel.physics.exponent import PREFIX
from dpchannel.report.logarithm import (
    observation,
    one_potential,
    quantity,
    require_logarithms,
    same_origin,
)
from dpchannel.results import Quantity, Result, provenance, relative, sha256

OF = "D_c"
MAX_LAGS = 3  # the longest that all runs have
_MEANING = "ions that move on only with their column give -1"
_SAME = ("pressure_GPa", "temperature_K", "occupancy")


def run(paths: Sequence[Path], out: Path) -> Result:
    """Compare diffusion results of one state in columns of several lengths.

    Parameters
    ----------
    paths : result.json of bin/diffusion.py
    out : Path                  result file to write

    Raises
    ------
    InputError          no channel, fewer than two lengths, different states, systems or shares of
                        empty sites, or no D
    """
    started = time.time()
    results = [Result.read(path) for path in paths]
    _require_channel(results, paths)
    require_logarithms(results, paths, OF)
    lengths = [_length(result, path) for result, path in zip(results, paths, strict=True)]
    _require_one_state(results, lengths)
    _require_one_filling(results, paths, lengths)
    _require_charge(results, paths)
    line = ActivationLine(
        [observation(result, log(n), OF) for result, n in zip(results, lengths, strict=True)]
    )
    method = "censored maximum likelihood of D_c = A n^p in ln D; profile likelihood"
    power = quantity(line.slope(), "", method, len(line.values))
    pairs = sorted(zip(lengths, results, strict=True), key=lambda pair: pair[0])
    compared: dict[str, Quantity] = {}
    for n, one in pairs:
        compared |= {f"{name}_n{n}": q for name, q in _of_length(one, n).items()}
    shared = set.intersection(*({*_exponents_of(r)} for r in results))
    for name in sorted(shared, key=lambda name: float(name[len(PREFIX) : -2]))[-MAX_LAGS:]:
        compared |= {f"{name}_n{n}": r.quantities[name] for n, r in pairs}
    state = {key: results[0].state.get(key) for key in ("compound", *_SAME)}
    result = Result(
        task="column-length",
        system=results[0].system,
        state=state | {"ions_per_column": sorted(lengths)},
        quantities=compared | {"power": power},
        checks=[same_origin(results)],
        summary=_sentence(pairs, power),
    )
    result.files = {relative(path): sha256(path) for path in paths}
    result.provenance = provenance(settings={}, started=started)
    result.provenance["potential"] = one_potential(results)
    result.write(out)
    return result


def _require_channel(results: Sequence[Result], paths: Sequence[Path]) -> None:
    for result, path in zip(results, paths, strict=True):
        if result.state.get("channel_axis") == "none":
            raise InputError(
                f"{path}: channel.axis = none, so {result.system} has no columns to compare."
                " Use make arrhenius or pressure-scan, or name an axis."
            )


def _of_length(result: Result, n: int) -> dict[str, Quantity]:
    """D of the ion, of the charge, and of the charge over n, to which single files tend."""
    charge = result.quantities["D_c_collective"]
    assert charge.value is not None
    file = replace(
        charge,
        value=charge.value / n,
        stderr=None if charge.stderr is None else charge.stderr / n,
        ci95=None if charge.ci95 is None else (charge.ci95[0] / n, charge.ci95[1] / n),
        method=f"D_c_collective / {n}: what ions that never pass tend to; {charge.method}",
    )
    ion, ratio = result.quantities[OF], result.quantities["haven_ratio"]
    return {OF: ion, "D_c_collective": charge, "D_c_single_file": file, "haven_ratio": ratio}


def _exponents_of(result: Result) -> list[str]:
    """Names of its exponents at single lags."""
    return [name for name in result.quantities if name.startswith(PREFIX)]


def _length(result: Result, path: Path) -> int:
    lengths = result.state.get("ions_per_column") or []
    if len(lengths) != 1:
        raise InputError(f"{path}: columns of {lengths} ions. Compare columns of one length each.")
    return int(lengths[0])


def _require_one_state(results: Sequence[Result], lengths: Sequence[int]) -> None:
    if len(set(lengths)) < len(lengths) or len(lengths) < 2:
        raise InputError(f"columns of {lengths} ions: give one result for each of several lengths.")
    for what in ("system", *_SAME):
        found = {getattr(r, what, None) or r.state.get(what) for r in results}
        if len(found) > 1:
            raise InputError(f"{what} {sorted(map(str, found))}: give results of one state.")


def _require_one_filling(
    results: Sequence[Result], paths: Sequence[Path], lengths: Sequence[int]
) -> None:
    """Ions of a fuller column move less, however long it is."""
    found = set()
    for result, path, n in zip(results, paths, lengths, strict=True):
        sites = result.state.get("sites_per_column")
        if not sites:
            raise InputError(f"{path}: no sites_per_column. Analyse its run again.")
        found.add(Fraction(n, sites))
    if len(found) > 1:
        filled = ", ".join(f"{share} of the sites" for share in sorted(found))
        raise InputError(
            f"columns that are filled differently ({filled}): length and empty sites would change"
            " together. Choose LENGTHS with the same share."
        )


def _require_charge(results: Sequence[Result], paths: Sequence[Path]) -> None:
    for result, path in zip(results, paths, strict=True):
        if not {"D_c_collective", "haven_ratio"} <= result.quantities.keys():
            raise InputError(f"{path}: no D_c_collective. Analyse its run again.")


def _sentence(pairs: Sequence[tuple[int, Result]], power: Quantity) -> str:
    said = []
    for n, result in pairs:
        q = result.quantities[OF]
        sign = "<" if q.kind == "upper_bound" else "="
        said.append(f"{OF} {sign} {q.value:.1e} {q.unit} in columns of {n} ions")
    told = "; ".join(said)
    if power.value is None:
        return f"{told}: too few hops to say how {OF} depends on the length."
    if power.kind != "estimate":
        sign = "<" if power.kind == "upper_bound" else ">"
        return f"{told}: as n to a power {sign} {power.value:.2f} (95 %); {_MEANING}."
    low, high = power.ci95 or (power.value, power.value)
    interval = f"(95 %: {low:.2f} to {high:.2f})"
    return f"{told}: as n to the power {power.value:.2f} {interval}; {_MEANING}."
