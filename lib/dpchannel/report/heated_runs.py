"""Heated runs read from their files, with what their crystal needs to be looked at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ase import Atoms

from dpchannel.errors import InputError
from dpchannel.md.h5md import Trajectory, read_h5md
from dpchannel.physics.order import nearest_distance_A
from dpchannel.report.averages import THERMO, average, lattice_series, set_point_checks
from dpchannel.report.heated_structure import Watched
from dpchannel.report.heating import Look, Run, look_at_rest
from dpchannel.results import Check
from dpchannel.settings import SystemSettings
from dpchannel.settings.melting import MeltingSettings
from dpchannel.structures.classify import classify
from dpchannel.structures.coordination import coordination_of
from dpchannel.structures.measure import measure
from dpchannel.units import gpa_in_ev_per_a3


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


def at_rest(atoms: Atoms, system: SystemSettings, settings: MeltingSettings) -> Look:
    """The relaxed crystal of bin/heat.py at 0 K."""
    found = {name: value for name, (value, _) in measure(atoms, system).items()}
    pv = float(atoms.info["pressure_GPa"]) * gpa_in_ev_per_a3() * found["V"]
    lattice = {name: found[name] for name in ("a", "b", "c", "V")}
    order = watched(atoms, system)
    return look_at_rest(atoms, lattice, found["energy"] + pv, order, settings)


@dataclass(frozen=True)
class Origin:
    """What a run was made from; None where its file does not say."""

    path: Path
    potential: str | None
    pressure_GPa: float
    n_atoms: int
    profile: str | None


def origin_of(path: Path, run: Trajectory | Atoms) -> Origin:
    """Of a trajectory, or of the relaxed crystal."""
    if isinstance(run, Atoms):
        info = run.info
        return Origin(
            path, info.get("potential_sha256"), float(info["pressure_GPa"]), len(run), None
        )
    meta = run.meta
    potential = (meta.get("potential") or {}).get("sha256")
    pressure = float(meta["state"]["pressure_GPa"])
    return Origin(path, potential, pressure, len(run.atoms), meta.get("profile"))


def require_one_origin(origins: Sequence[Origin], profile: str, *, one_size: bool) -> None:
    """Runs that make up one heating differ in temperature alone, ramps in size, too.

    Raises
    ------
    InputError      another potential, pressure, profile or, with `one_size`, number of atoms
    """
    for field, label, unit in (
        ("potential", "potential", ""),
        ("pressure_GPa", "pressure", " GPa"),
        ("profile", "profile", ""),
        *([("n_atoms", "cell of", " atoms")] if one_size else []),
    ):
        known = [(one.path, getattr(one, field)) for one in origins]
        known = [(path, value) for path, value in known if value is not None]
        for path, value in known:
            expected = profile if field == "profile" else known[0][1]
            if value != expected:
                raise InputError(
                    f"{path}: {label} {_short(value)}{unit}, and {_short(expected)}{unit} is"
                    " expected with the other runs. Make it again: `make melting FORCE=1`."
                )


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)[:12]


def set_point(trajectory: Trajectory) -> list[Check]:
    """Did the run keep its temperature and its pressure?"""
    means = {
        name: average(trajectory.thermo[column], unit) for column, (name, unit) in THERMO.items()
    }
    state = trajectory.meta["state"]
    return [
        replace(check, text=f"{state['temperature_K']:g} K: {check.text}")
        for check in set_point_checks(means, state)
    ]


def merged(checks: Iterable[Check]) -> list[Check]:
    """One check of each name: what was missed by any run, or else what the first one says."""
    by_name: dict[str, list[Check]] = {}
    for check in checks:
        by_name.setdefault(check.name, []).append(check)
    found = []
    for name, same in by_name.items():
        missed = list(dict.fromkeys(check.text for check in same if not check.ok))
        found.append(Check(name, not missed, "; ".join(missed) or same[0].text))
    return found
