"""From the runs of one heating, read from their files, to a result with arrays and pictures."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase.formula import Formula

from dpchannel.errors import InputError
from dpchannel.report.heated_runs import (
    Origin,
    at_rest,
    merged,
    origin_of,
    read_run,
    require_one_origin,
    set_point,
)
from dpchannel.report.heating import Look, look, look_along
from dpchannel.report.melting import Findings, analyse
from dpchannel.results import Check, Result, provenance, relative, sha256, write_arrays
from dpchannel.settings import SystemSettings
from dpchannel.settings.melting import MeltingProfile, MeltingSettings, RampSettings
from dpchannel.structures.io import read_structure, write_structure

SIDECAR = "melting.npz"
RELAXED = "relaxed.extxyz"
LEAST = 4  # temperatures or stretches: two to either side


@dataclass(frozen=True)
class Heating:
    """The crystal, what is wanted, and from which profile.

    mode : str          steps or ramp
    """

    system: SystemSettings
    settings: MeltingSettings
    profile_name: str
    mode: str

    @property
    def profile(self) -> MeltingProfile:
        """Sizes and temperatures.

        Raises
        ------
        InputError      inputs/melting.toml has no such profile
        """
        return profile_of(self.settings, self.profile_name)


def profile_of(settings: MeltingSettings, name: str) -> MeltingProfile:
    """The profile of that name; InputError when there is none."""
    if name not in settings.profiles:
        known = ", ".join(settings.profiles)
        raise InputError(f"profile {name!r}: inputs/melting.toml has {known}.")
    return settings.profiles[name]


def steps(files: Sequence[Path], heating: Heating, out: Path) -> Result:
    """Runs at one temperature each (traj.h5) and the crystal at rest (relaxed.extxyz).

    Raises
    ------
    InputError      runs that are no series: other potentials, pressures, cells or profiles, one
                    temperature twice, or fewer than four
    """
    started, system = time.time(), heating.system
    looks: list[Look] = []
    origins: list[Origin] = []
    checks: list[Check] = []
    meta: dict[str, Any] = {}
    for path in files:
        if path.name == RELAXED:
            atoms = read_structure(path)
            origins.append(origin_of(path, atoms))
            looks.append(at_rest(atoms, system, heating.settings))
            continue
        run = read_run(path, system)
        meta = run.trajectory.meta
        origins.append(origin_of(path, run.trajectory))
        looks.append(look(run, heating.settings))
        checks += [Check(**check) for check in meta.get("checks", ())]
        if not looks[-1].why_not:  # of what is left out, `equilibrated` speaks
            checks += set_point(run.trajectory)
    require_one_origin(origins, heating.profile_name, one_size=True)
    looks.sort(key=lambda one: one.temperature_K)
    _require_one_series(looks, files)
    found = analyse(looks, heating.settings, n_atom=len(Formula(system.system.formula)))
    found.checks = [*merged(checks), *found.checks]
    return _write(found, looks, files, heating, meta, {}, started, out)


@dataclass(frozen=True)
class Ramp:
    """One ramp and what it shows."""

    how: RampSettings
    looks: Sequence[Look]
    found: Findings
    meta: dict[str, Any]

    @property
    def n_atoms(self) -> int:
        """Of its cell."""
        return len(self.looks[0].snapshot)

    @property
    def label(self) -> str:
        """Size and rate."""
        return f"{self.n_atoms} atoms, {self.how.rate_K_per_ps:.3g} K/ps"


def ramps(files: Sequence[Path], heating: Heating, out: Path) -> Result:
    """Every ramp of the profile. T_m_heating is that of the slowest one of the largest cell, which
    overshoots least; the others show what rate and size change.

    Raises
    ------
    InputError      a file of no ramp of the profile, other potentials or pressures, or no ramp with
                    enough stretches
    """
    started, system = time.time(), heating.system
    named = {ramp.name: ramp for ramp in heating.profile.ramps}
    done: list[Ramp] = []
    short: list[Check] = []
    origins: list[Origin] = []
    for path in files:
        how = named.get(path.parent.name)
        if how is None:
            raise InputError(
                f"{path}: {path.parent.name!r} is no ramp of profile {heating.profile_name}, which"
                f" has {', '.join(named)}. Give <ramp>/traj.h5."
            )
        run = read_run(path, system)
        meta = run.trajectory.meta
        origins.append(origin_of(path, run.trajectory))
        looks = look_along(run, heating.settings, how.bin_K)
        if len(looks) < LEAST:
            text = (
                f"{path}: {len(looks)} stretches of {how.bin_K:g} K; {LEAST} are needed. Lower"
                " bin_K or lengthen the ramp in inputs/melting.toml"
            )
            short.append(Check(f"stretches_{how.name}", False, text))
            continue
        found = analyse(looks, heating.settings, n_atom=len(Formula(system.system.formula)))
        found.checks = [*(Check(**check) for check in meta.get("checks", ())), *found.checks]
        done.append(Ramp(how, looks, found, meta))
    require_one_origin(origins, heating.profile_name, one_size=False)
    if not done:
        raise InputError("; ".join(check.text for check in short) or "no ramp: give one traj.h5.")
    done.sort(key=lambda ramp: (-ramp.n_atoms, ramp.how.rate_K_per_ps))
    head, state = done[0], {"ramp": done[0].how.name, "rate_K_per_ps": done[0].how.rate_K_per_ps}
    joined = _side_by_side(done)
    joined.checks += short
    return _write(joined, head.looks, files, heating, head.meta, state, started, out)


def _side_by_side(done: Sequence[Ramp]) -> Findings:
    """What the first shows, and under names of their own what each of the others does."""
    head = done[0].found
    joined = replace(head, quantities=dict(head.quantities), arrays=dict(head.arrays))
    joined.checks = list(head.checks)
    for ramp in done:
        name, q = ramp.how.name, ramp.found.quantities["T_m_heating"]
        joined.quantities[f"T_m_heating_{name}"] = replace(q, method=f"{ramp.label}; {q.method}")
        joined.arrays |= {f"ramp.{name}.{key}": x for key, x in ramp.found.arrays.items()}
        if ramp is not done[0]:
            joined.checks += [replace(c, name=f"{c.name}_{name}") for c in ramp.found.checks]
    joined.arrays["ramps"] = np.array([ramp.how.name for ramp in done])
    joined.arrays["ramp_labels"] = np.array([ramp.label for ramp in done])
    return joined


def _require_one_series(looks: Sequence[Look], files: Sequence[Path]) -> None:
    temperatures = [one.temperature_K for one in looks]
    if len(set(temperatures)) < len(temperatures):
        raise InputError(f"{files[0].parents[1]}: two runs of one temperature.")
    if len(temperatures) < LEAST:
        raise InputError(f"{len(temperatures)} temperatures: a transition needs four or more.")


def _write(
    found: Findings,
    looks: Sequence[Look],
    files: Sequence[Path],
    heating: Heating,
    meta: dict[str, Any],
    more: dict[str, Any],
    started: float,
    out: Path,
) -> Result:
    shown = _shown(looks, heating.settings.structure.shown_K)
    beside = []
    for one in shown:
        path = out.parent / f"T{one.temperature_K:g}K.extxyz"
        write_structure(path, one.snapshot)
        beside.append(path)
    found.arrays["shown_K"] = np.array([one.temperature_K for one in shown])
    sidecar = out.parent / SIDECAR
    write_arrays(sidecar, found.arrays)
    own = provenance(settings={"melting": heating.settings.model_dump()}, started=started)
    kept = ("command", "code", "versions", "started", "wall_s", "ranks", "settings")
    own |= {"md": {key: meta[key] for key in kept if key in meta}}
    own |= {key: meta.get(key) for key in ("potential", "seed")}
    head = heating.system.system
    result = Result(
        "melting",
        head.name,
        {
            "compound": head.title,
            "mode": heating.mode,
            "profile": heating.profile_name,
            "pressure_GPa": float(meta["state"]["pressure_GPa"]),
            "temperatures_K": [one.temperature_K for one in looks],
            "n_atoms": len(looks[-1].snapshot),
        }
        | more,
        found.quantities,
        found.checks,
        {relative(path): sha256(path) for path in (sidecar, *beside, *files)},
        own,
        sentence(found, heating),
    )
    result.write(out)
    return result


def sentence(found: Findings, heating: Heating) -> str:
    """What a person reads."""
    b, run = found.bracket, heating.profile.run
    ramp = heating.mode == "ramp"
    how = "heated along a ramp" if ramp else "each temperature for itself"
    if not found.agree:
        return f"{b.text[:1].upper()}{b.text[1:]}. Together they leave: {b} ({how})."
    if b.kind == "none":
        return f"No signal can say where it melts ({how}): {b.text}."
    if b.kind == "lower_bound":
        within = "this ramp" if ramp else f"{run.produce_ps + run.equilibrate_ps:g} ps a step"
        return f"No transition up to {b.low_K:g} K within {within}: T_m_heating > {b.low_K:g} K."
    if b.kind == "upper_bound":
        return f"Melted at {b.high_K:g} K, and no colder crystal ({how}): T_m < {b.high_K:g} K."
    overshoot = "Heating a perfect crystal overshoots: T_m itself is lower."
    return f"Melts {b} ({how}). {overshoot}"


def _shown(looks: Sequence[Look], wanted_K: Sequence[float]) -> list[Look]:
    """The looks nearest to the wanted temperatures, each once."""
    found: dict[float, Look] = {}
    for kelvin in wanted_K:
        nearest = min(looks, key=lambda one: abs(one.temperature_K - kelvin))
        found[nearest.temperature_K] = nearest
    return list(found.values())
