"""Both melting temperatures in one result: by heating, and by coexistence."""

import time
from collections.abc import Mapping
from pathlib import Path

from dpchannel.errors import InputError
from dpchannel.report.reference import evidence_path, paper_melting_K
from dpchannel.results import Check, Quantity, Result, provenance, relative, sha256
from dpchannel.statepoint import StatePoint

MODES = ("steps", "ramp", "coexistence")
HEATING, COEXISTENCE = "T_m_heating", "T_m_coexistence"


def join(folder: Path, out: Path) -> Result:
    """Write the brackets of what has been run below `folder` (steps, ramp, coexistence).

    A mode that has not been run here stands with the committed run of the project, and its method
    says so; where there is none, a failed check says what to run. Runs of another potential,
    pressure or profile than the first are left out, and a failed check says so.

    Raises
    ------
    InputError      nothing has been run
    """
    started = time.time()
    own = {mode: path for mode in MODES if (path := folder / mode / "result.json").is_file()}
    if not own:
        raise InputError(f"{folder}: no heating and no coexistence there. Run `make melting`.")
    results = {mode: Result.read(path) for mode, path in own.items()}
    first = next(iter(results.values()))
    files = dict(own)
    for mode in MODES:
        path = _committed(first, mode)
        if mode in results or not path.is_file():
            continue
        results[mode], files[mode] = Result.read(path), path
    foreign = {mode: why for mode, r in results.items() if (why := _unlike(first, r, mode in own))}
    for mode in foreign:
        del results[mode]
    checks = [c for mode in own if mode in results for c in results[mode].checks if not c.ok]
    checks += [
        Check(f"{mode}_fits", False, f"{relative(files.pop(mode))} is left out: {why}")
        for mode, why in foreign.items()
    ]
    for mode in ("steps", "coexistence"):
        if mode not in results and mode not in foreign:
            text = f"not run: make melting MODE={mode} PROFILE={first.state['profile']}"
            checks.append(Check(mode, False, text))
    state = {key: first.state[key] for key in ("compound", "profile", "pressure_GPa")}
    result = Result(
        "melting",
        first.system,
        state,
        _quantities(results, own),
        checks,
        {relative(path): sha256(path) for path in files.values()},
        provenance(settings={}, started=started),
    )
    result.summary = _sentence(result, results)
    result.write(out)
    return result


def _unlike(first: Result, other: Result, is_own: bool) -> str:
    """In what a run differs from the first, so that no one crystal melts at both; empty if in none.

    A committed run may be of another profile, which is said with its number.
    """
    (potential, one), (its, another) = (
        ((r.provenance.get("potential") or {}).get("sha256"), r.state) for r in (first, other)
    )
    found = []
    if potential and its and potential != its:
        found.append(f"potential {its[:12]}, not {potential[:12]}")
    for key in ("pressure_GPa", *(["profile"] if is_own else [])):
        if one.get(key) != another.get(key):
            found.append(f"{key} {another.get(key)}, not {one.get(key)}")
    return ", ".join(found)


def _committed(like: Result, mode: str) -> Path:
    pressure = StatePoint(float(like.state["pressure_GPa"]), 0.0).path.parent
    return evidence_path(like.system, "melting", pressure / mode)


def _quantities(results: Mapping[str, Result], own: Mapping[str, Path]) -> dict[str, Quantity]:
    found: dict[str, Quantity] = {}
    for mode, name, kept in (
        ("steps", HEATING, HEATING),
        ("ramp", HEATING, f"{HEATING}_ramp"),
        ("coexistence", COEXISTENCE, COEXISTENCE),
    ):
        if mode not in results:
            continue
        q = results[mode].quantities[name]
        whose = "" if mode in own else f"committed run, {results[mode].state['profile']}: "
        found[kept] = Quantity(
            q.value, q.unit, q.stderr, q.ci95, q.n, q.n_independent, whose + q.method, q.kind
        )
    return found


def _sentence(joined: Result, results: Mapping[str, Result]) -> str:
    parts = [f"{mode}: {result.summary}" for mode, result in results.items()]
    published = paper_melting_K(joined.system, joined.state)
    if published is not None:
        parts.append(f"The paper, by heating: about {published:g} K.")
    return " ".join(parts)
