"""From the runs of one heating, read from their files, to a result with arrays and pictures."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from dpchannel.errors import InputError
from dpchannel.md.h5md import Trajectory, read_h5md
from dpchannel.physics.order import nearest_distance_A
from dpchannel.report.averages import lattice_series
from dpchannel.report.heating import Look, Run, Watched, look, look_along, look_at_rest
from dpchannel.report.melting import Findings, analyse
from dpchannel.results import Check, Quantity, Result, provenance, relative, sha256, write_arrays
from dpchannel.settings import SystemSettings
from dpchannel.settings.melting import MeltingProfile, MeltingSettings
from dpchannel.structures.classify import classify
from dpchannel.structures.coordination import coordination_of
from dpchannel.structures.io import read_structure, write_structure
from dpchannel.structures.measure import measure
from dpchannel.units import gpa_in_ev_per_a3

SIDECAR = "melting.npz"
RELAXED = "relaxed.extxyz"


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
    """Runs at one temperature each (traj.h5) and the crystal at rest (relaxed.extxyz)."""
    started, looks, meta = time.time(), [], {}
    for path in files:
        if path.name == RELAXED:
            looks.append(_at_rest(read_structure(path), heating))
            continue
        run = read_run(path, heating.system)
        looks.append(look(run, heating.settings))
        meta = run.trajectory.meta
    looks.sort(key=lambda one: one.temperature_K)
    _require_one_series(looks, files)
    found = analyse(looks, heating.settings, n_atom=_formula_atoms(looks[-1], heating.system))
    return _write(found, looks, files, heating, meta, started, out)


def ramps(files: Sequence[Path], heating: Heating, out: Path) -> Result:
    """Every ramp of the profile; the first names T_m_heating, the others show what changes it."""
    started, first = time.time(), None
    named = {ramp.name: ramp for ramp in heating.profile.ramps}
    others: dict[str, Quantity] = {}
    checks: list[Check] = []
    for path in files:
        ramp = named[path.parent.name]
        run = read_run(path, heating.system)
        looks = look_along(run, heating.settings, ramp.bin_K)
        if len(looks) < 4:
            raise InputError(
                f"{path}: {len(looks)} stretches of {ramp.bin_K:g} K; four are needed. Lower bin_K"
                " or lengthen the ramp in inputs/melting.toml."
            )
        n_atom = _formula_atoms(looks[-1], heating.system)
        found = analyse(looks, heating.settings, n_atom=n_atom, half_bin_K=ramp.bin_K / 2)
        size = f"{len(run.trajectory.atoms)} atoms, {ramp.rate_K_per_ps:g} K/ps"
        q = found.quantities["T_m_heating"]
        others[f"T_m_heating_{ramp.name}"] = _said(q, size)
        if first is None:
            first = found, looks, run.trajectory.meta
        elif not all(check.ok for check in found.checks if check.name == "signals_agree"):
            checks.append(Check(f"signals_agree_{ramp.name}", False, found.bracket.text))
    if first is None:
        raise InputError("no ramp: give the traj.h5 of at least one.")
    found, looks, meta = first
    found.quantities |= others
    found.checks += checks
    return _write(found, looks, files, heating, meta, started, out)


def read_run(path: Path, system: SystemSettings) -> Run:
    """A trajectory of bin/heat.py with its crystal."""
    return as_run(read_h5md(path), system)


def as_run(trajectory: Trajectory, system: SystemSettings) -> Run:
    """A trajectory with the lattice of its samples and the distances of its framework."""
    sites = classify(trajectory.atoms, system)
    framework = sites.roles["framework"]
    scaled = trajectory.atoms.get_scaled_positions()[framework]
    return Run(
        trajectory,
        lattice_series(trajectory, sites),
        framework,
        nearest_distance_A(scaled, trajectory.atoms.cell.array),
        sites.n_formula,
        float(trajectory.meta["state"]["pressure_GPa"]),
        watched(trajectory.atoms, system),
    )


def watched(crystal: Atoms, system: SystemSettings) -> Watched:
    """What the system says is to be looked at; InputError when it says nothing."""
    if system.melting is None:
        raise InputError(
            f"inputs/{system.system.name}.toml: no [melting]. Name the pairs of elements whose g(r)"
            " is shown (rdf_pairs) and those whose order far away tells the crystal"
            " (contrast_pairs)."
        )
    sites = classify(crystal, system)
    return Watched(system.melting, coordination_of(crystal, system, sites))


def _at_rest(atoms: Atoms, heating: Heating) -> Look:
    found = {name: value for name, (value, _) in measure(atoms, heating.system).items()}
    pv = float(atoms.info["pressure_GPa"]) * gpa_in_ev_per_a3() * found["V"]
    lattice = {name: found[name] for name in ("a", "b", "c", "V")}
    order = watched(atoms, heating.system)
    return look_at_rest(atoms, lattice, found["energy"] + pv, order, heating.settings)


def _formula_atoms(one: Look, system: SystemSettings) -> int:
    from ase.formula import Formula

    return len(Formula(system.system.formula))


def _require_one_series(looks: Sequence[Look], files: Sequence[Path]) -> None:
    temperatures = [one.temperature_K for one in looks]
    if len(set(temperatures)) < len(temperatures):
        raise InputError(f"{files[0].parents[1]}: two runs of one temperature.")
    if len(temperatures) < 4:
        raise InputError(f"{len(temperatures)} temperatures: a transition needs four or more.")


def _said(q: Quantity, more: str) -> Quantity:
    return Quantity(q.value, q.unit, ci95=q.ci95, method=f"{more}; {q.method}", kind=q.kind)


def _write(
    found: Findings,
    looks: Sequence[Look],
    files: Sequence[Path],
    heating: Heating,
    meta: dict[str, Any],
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
        },
        found.quantities,
        [*(Check(**check) for check in meta.get("checks", ())), *found.checks],
        {relative(path): sha256(path) for path in (sidecar, *beside, *files)},
        own,
        sentence(found, heating),
    )
    result.write(out)
    return result


def sentence(found: Findings, heating: Heating) -> str:
    """What a person reads."""
    b, run = found.bracket, heating.profile.run
    how = "heated along a ramp" if heating.mode == "ramp" else "each temperature for itself"
    if b.kind == "lower_bound":
        length = f"{run.produce_ps + run.equilibrate_ps:g} ps a step"
        within = length if heating.mode == "steps" else "this ramp"
        return f"No transition up to {b.low_K:g} K within {within}: T_m_heating > {b.low_K:g} K."
    overshoot = "Heating a perfect crystal overshoots: T_m itself is lower."
    return f"Melts {b} ({how}). {overshoot}"


def _shown(looks: Sequence[Look], wanted_K: Sequence[float]) -> list[Look]:
    """The looks nearest to the wanted temperatures, each once."""
    found: dict[float, Look] = {}
    for kelvin in wanted_K:
        nearest = min(looks, key=lambda one: abs(one.temperature_K - kelvin))
        found[nearest.temperature_K] = nearest
    return list(found.values())
