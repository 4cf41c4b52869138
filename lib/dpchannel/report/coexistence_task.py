"""Coexistence from the solid's cells of `make melting` to T_m with its evidence."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.md.coexist import Coexistence, coexist
from dpchannel.physics.melting import MIN_BRANCH
from dpchannel.report import coexistence as search
from dpchannel.results import Result, provenance, relative, sha256, write_arrays
from dpchannel.settings import SystemSettings
from dpchannel.settings.melting import MeltingSettings
from dpchannel.statepoint import StatePoint
from dpchannel.structures.cells import build, repeats
from dpchannel.structures.classify import classify
from dpchannel.structures.coexistence import Halves, halves
from dpchannel.structures.measure import measure

Array = NDArray[np.float64]
SIDECAR = "coexistence.npz"


@dataclass(frozen=True)
class Place:
    """The crystal, where its inputs are and where its runs go."""

    system: SystemSettings
    inputs: Path
    work: Path
    pressure_GPa: float
    profile: str


def run(
    place: Place,
    heated: Path,
    what: Coexistence,
    settings: MeltingSettings,
    out: Path,
    checks: list[dict[str, Any]],
) -> Result:
    """Search for T_m and write the result; finished runs below `place.work` are only read.

    Parameters
    ----------
    heated : Path           melting.npz of the steps: the solid's edges against temperature

    Raises
    ------
    InputError              the steps hold too few solid temperatures, or a setting does not fit
    """
    started, how, interface = time.time(), what.how, settings.interface
    solid = solid_lattice(heated)
    crystal = build(
        place.system,
        place.inputs,
        place.system.system.cell,
        repeats(place.system, place.inputs, how.run.edges_A),
        what.md.occupancy,
        what.md.seed,
    )
    roles = classify(crystal, place.system).roles
    reference = {name: value for name, (value, _) in measure(crystal, place.system).items()}
    start: list[Halves] = []
    meta: dict[str, Any] = {}

    def at(kelvin: float) -> search.Seen:
        edges = crystal.cell.lengths() * scale(solid, kelvin, reference)
        start.append(halves(crystal, edges, stretch=how.stretch))
        point = StatePoint(place.pressure_GPa, kelvin)
        found = coexist(
            place.work / f"T{kelvin:g}K",
            start[-1],
            what,
            point,
            mobile=roles["mobile"],
            framework=roles["framework"],
        )
        meta.update(found.meta)
        n_slab = int(crystal.info["repeat"][start[-1].axis])
        return search.see(found, start[-1], roles["framework"], n_slab, interface)

    found = search.search(at, how, what.note)
    arrays = search.arrays(found)
    sidecar = out.parent / SIDECAR
    write_arrays(sidecar, arrays)
    head = place.system.system
    result = Result(
        "melting",
        head.name,
        {
            "compound": head.title,
            "mode": "coexistence",
            "profile": place.profile,
            "pressure_GPa": place.pressure_GPa,
            "temperatures_K": list(found),
            "n_atoms": len(crystal),
        },
        search.quantities(found),
        search.checks(
            found,
            len(crystal),
            start[-1].atoms.cell.lengths(),
            start[-1].axis,
            settings.committee.trust_eV_per_A,
        ),
        {relative(path): sha256(path) for path in (sidecar, heated)},
        provenance(
            settings={"coexistence": how.model_dump(), "interface": interface.model_dump()},
            potential=what.potential,
            seed=what.md.seed,
            cores=what.ranks,
            started=started,
        ),
    )
    result.checks[:0] = [search.Check(**check) for check in checks]
    result.summary = _sentence(result)
    result.write(out)
    return result


def solid_lattice(heated: Path) -> dict[str, Array]:
    """Temperature and a, c, V of the crystal (n,), from the arrays of the steps."""
    if not heated.is_file():
        raise InputError(f"{heated}: missing. Run `make melting` first: it gives the solid's cell.")
    with np.load(heated, allow_pickle=False) as arrays:
        kept = np.isfinite(arrays["a"]) & np.isfinite(arrays["c"])
        found = {name: arrays[name][kept] for name in ("temperature_K", "a", "c", "V")}
    if len(found["a"]) < MIN_BRANCH:
        raise InputError(
            f"{heated}: {len(found['a'])} temperatures at which the crystal is solid and"
            f" equilibrated; its cell needs {MIN_BRANCH}. Run longer or cooler steps."
        )
    return found


def scale(solid: dict[str, Array], kelvin: float, reference: dict[str, float]) -> Array:
    """Edges of the rectangular cell at `kelvin` over those of a crystal with a, c and V: (3,).

    Between the steps a straight line; beyond them the line through the last three.
    """
    t, part = solid["temperature_K"], {}
    for name in ("a", "c", "V"):
        x = solid[name] / reference[name]
        if kelvin <= t[-1]:
            part[name] = float(np.interp(kelvin, t, x))
        else:
            part[name] = float(np.polyval(np.polyfit(t[-3:], x[-3:], 1), kelvin))
    return np.array([part["a"], part["V"] / (part["a"] * part["c"]), part["c"]])


def _sentence(result: Result) -> str:
    q = result.quantities["T_m_coexistence"]
    if q.kind == "bracket" and q.ci95:
        return f"Crystal and liquid coexist between {q.ci95[0]:g} and {q.ci95[1]:g} K."
    if q.kind == "upper_bound":
        return f"The crystal shrinks at {q.value:g} K and never grew: T_m < {q.value:g} K."
    if q.kind == "lower_bound":
        return f"The crystal grows at {q.value:g} K and never shrank: T_m > {q.value:g} K."
    return "The interfaces did not move in the time given: no bound."
