"""From settings and an engine to the three files of a barrier: result, path, profile."""

import hashlib
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from dpchannel.benchmark.band import Note
from dpchannel.benchmark.by_files import prepare
from dpchannel.benchmark.engines import Engine
from dpchannel.benchmark.hopping import Column, passages
from dpchannel.benchmark.neb import (
    evaluated,
    images_of,
    lowest,
    profile_of,
    result_of,
    turning_points,
)
from dpchannel.benchmark.route import read_images, write_images
from dpchannel.benchmark.workers import Workers
from dpchannel.errors import InputError, NotConverged
from dpchannel.md.limits import check_limits
from dpchannel.results import Check, Result, provenance, relative, sha256, write_arrays
from dpchannel.settings import BandSettings, CaseSettings, NebSettings, SystemSettings
from dpchannel.structures.cells import load_structure
from dpchannel.structures.io import PIPE
from dpchannel.structures.measure import measure
from dpchannel.structures.relax import relax
from dpchannel.units import pressure_label

PATH, PROFILE = "path.extxyz", "profile.npz"


@dataclass(frozen=True)
class Order:
    """What is asked for, and where the work is done.

    inputs : Path           folder with the system's structure
    started : s             time.time() at the start
    cores : int             processes that work on it
    force : bool            at a pressure that the potential never saw, too
    """

    system: SystemSettings
    inputs: Path
    settings: NebSettings
    case_name: str
    pressure_GPa: float
    work: Path
    started: float
    cores: int = 1
    force: bool = False

    @property
    def case(self) -> CaseSettings:
        """Settings of the case.

        Raises
        ------
        InputError          there is no such case
        """
        cases, where = self.settings.case, "inputs/neb.toml"
        if self.system.neb:
            cases, where = self.system.neb, f"inputs/{self.system.system.name}.toml"
        if self.case_name not in cases:
            known = ", ".join(cases)
            raise InputError(f"case {self.case_name!r}: use one of {known} ({where}).")
        return cases[self.case_name]

    @property
    def band(self) -> BandSettings:
        """Settings of the band, with those that the case has of its own."""
        own = {"images": self.case.images, "seeds": self.case.seeds}
        return self.settings.band.model_copy(update={k: v for k, v in own.items() if v})

    @property
    def how(self) -> NebSettings:
        """Settings of the search for this case."""
        return self.settings.model_copy(update={"band": self.band})


@dataclass(frozen=True, eq=False)
class Found:
    """A result, and the images it was read from."""

    result: Result
    images: list[Atoms]


def find(order: Order, engine: Engine, workers: Workers, note: Note) -> Found:
    """Relax the cell, find the routes of the case, and measure the lowest passage.

    Raises
    ------
    InputError              no such case, one that does not fit the crystal, an engine that relaxes
                            nothing, or inputs that changed under way
    NotConverged            the cell or a state did not come to rest
    """
    engine.must_relax("neb", "Name a path.extxyz of bin/neb.py with --reevaluate.")
    seen = _seen(order, engine)
    case, label = order.case, pressure_label(order.pressure_GPa)
    key = _key(order, engine)
    work = order.work / key
    column = Column(_crystal(order, workers, work, note), order.system, case.repeat)
    size = "x".join(map(str, case.repeat))  # cases of one cell share their hops
    found = passages(column, case, order.how, workers, work / size, note)
    info = {
        "system": order.system.system.name,
        "case": order.case_name,
        "about": case.about,
        "engine": engine.label,
        "pressure_GPa": order.pressure_GPa,
        "repeat": np.array(case.repeat),
        # with every ion of the channel a site further up the crystal is ordered again
        "ordered_end": len(case.sequences[0]) == len(column.ions)
        and len(column.sites.columns) == 1,
    }
    images = images_of(lowest(found.sequences), column, info)
    method = (
        f"CI-NEB, improved tangent, {order.band.images} images a segment, {engine.label};"
        f" enthalpy at fixed cell, that of the ordered crystal at {label}"
    )
    states = order.settings.states
    result = result_of(profile_of(images), method=method, states=states, search=found)
    result.checks += seen
    return Found(_signed(result, order, engine, key), images)


def _seen(order: Order, engine: Engine) -> list[Check]:
    """Whether a potential with a card was trained at the pressure; nothing of other engines.

    Raises
    ------
    RangeError          it was not, and nobody insists
    """
    if engine.potential is None or not (engine.potential.parent / "card.toml").exists():
        return []
    elements, state = order.system.system.elements, {"pressure_GPa": order.pressure_GPa}
    return [check_limits(engine.potential, elements, temperature_K=0.0, force=order.force, **state)]


def reevaluated(
    order: Order, engine: Engine, workers: Workers, path: Path, *, few: bool, note: Note
) -> Found:
    """The profile of a stored path with the energies of another engine.

    Parameters
    ----------
    few : bool              only minima and the highest image between each two of them; so it is for
                            an engine of single points in any case

    Raises
    ------
    InputError              no path there, images that are not those of bin/neb.py, or inputs that
                            changed under way
    EngineMissing, EngineFailed     of an engine that works through files
    """
    stored = read_images(path)
    known = profile_of(stored).info  # refused before an engine is troubled
    order = replace(order, case_name=known["case"], pressure_GPa=known["pressure_GPa"])
    key = _key(order, engine)
    if engine.by_points:
        stored = turning_points(stored)
        prepare(workers.calculator, stored, note)
    images = evaluated(turning_points(stored) if few else stored, workers)
    profile = profile_of(images)
    method = f"single points of {engine.label} on the path of {profile.info['engine']}, not relaxed"
    states = order.settings.states
    result = result_of(profile, method=method, states=states, engine=engine.label)
    result.files[relative(path)] = sha256(path)
    return Found(_signed(result, order, engine, key), images)


def write(found: Found, out: Path) -> None:
    """Write path and profile, then the result that names them; for `-` the result alone.

    A result that has not converged is dated back, so that Make takes it up again.
    """
    if out == PIPE:
        sys.stdout.write(found.result.to_json())
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    write_images(out.parent / PATH, found.images)
    write_arrays(out.parent / PROFILE, profile_of(found.images).arrays())
    for name in (PATH, PROFILE):
        found.result.files[relative(out.parent / name)] = sha256(out.parent / name)
    found.result.write(out)
    if not found.result.checks[0].ok:
        os.utime(out, (0, 0))


def _crystal(order: Order, workers: Workers, work: Path, note: Note) -> Atoms:
    """The crystal's cell relaxed at the pressure; kept."""
    path, limits = work / "crystal.extxyz", order.settings.cell
    if not path.exists():
        start = load_structure(order.system, order.inputs)
        relaxed = relax(
            start,
            workers.calculator,
            pressure_GPa=order.pressure_GPa,
            fmax_eV_per_A=limits.fmax_eV_per_A,
            max_steps=limits.max_steps,
            note=note,
        )
        try:
            measure(relaxed, order.system)
        except InputError as error:
            raise NotConverged(
                f"crystal: fell apart while relaxing at {pressure_label(order.pressure_GPa)}"
                f" ({error}). The engine does not hold it together there: no barrier."
            ) from None
        write_images(path, [relaxed])
    return read_images(path)[0]


def _key(order: Order, engine: Engine) -> str:
    """Stands for everything a path depends on; how many steps are allowed is not among it."""
    chosen: dict[str, Any] = order.how.model_dump(mode="json", exclude={"case"})
    for part in chosen.values():
        part.pop("max_steps")
    chosen["states"].pop("alike_eV")
    chosen["band"].pop("seeds")  # each route has a name of its own
    inputs = {
        "settings": chosen,
        "system": _physics(order.system),
        "structure": sha256(order.inputs / order.system.system.structure),
        "engine": engine.name,
        "potential": engine.potential and sha256(engine.potential),
        "pressure_GPa": order.pressure_GPa,
    }
    text = json.dumps(inputs, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _physics(system: SystemSettings) -> dict[str, Any]:
    """The crystal's settings without what is chosen for other tasks, or not set."""
    chosen = system.model_dump(mode="json", exclude={"repeat", "neb", "melting"})
    for key, default in (("vacancies", 0), ("width_A", None)):
        if chosen["channel"][key] == default:
            del chosen["channel"][key]
    return chosen


def _signed(result: Result, order: Order, engine: Engine, key: str) -> Result:
    """Add where it came from; `key` is what the inputs were at the start."""
    if _key(order, engine) != key:
        raise InputError(
            f"{engine.potential or order.system.system.structure}: changed while the path was being"
            " found, so the result would name the wrong one. Start again."
        )
    settings = order.how.model_dump(mode="json", exclude={"case"})
    settings["case"] = order.case.model_dump(mode="json", exclude_none=True)
    result.provenance |= provenance(
        settings=settings,
        potential=engine.potential,
        seed=order.band.seeds[0],
        started=order.started,
        cores=order.cores,
    )
    result.state["compound"] = order.system.system.title
    return result
