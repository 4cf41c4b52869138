"""Coexistence from the solid's cells of `make melting` to T_m with its evidence."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.md.coexist import Coexistence, coexist, melted
from dpchannel.physics.coexistence import contradiction
from dpchannel.report import coexistence as search
from dpchannel.results import Check, Quantity, Result, provenance, relative, sha256, write_arrays
from dpchannel.settings import SystemSettings
from dpchannel.settings.melting import InterfaceSettings, MeltingSettings
from dpchannel.statepoint import StatePoint
from dpchannel.structures.cells import build, repeats
from dpchannel.structures.classify import classify
from dpchannel.structures.coexistence import Halves, halves
from dpchannel.structures.measure import measure

Array = NDArray[np.float64]
SIDECAR = "coexistence.npz"
SOLID = "solid.npz"


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
    NotConverged            the liquid of the first run never came about
    EngineFailed            no run gave anything
    """
    started, how, interface = time.time(), what.how, settings.interface
    solid, same_cell = kept_lattice(place.work, heated, interface.cell_points)
    crystal = crystal_of(place, what)
    reference = {name: value for name, (value, _) in measure(crystal, place.system).items()}

    def cut(kelvin: float) -> Halves:
        edges = crystal.cell.lengths() * scale(solid, kelvin, reference, interface.cell_points)
        return halves(
            crystal, edges, stretch=how.stretch, longest_to_others=interface.longest_to_others
        )

    cut(how.low_K)  # refused before there are hours of MD
    done = search.search(
        lambda kelvin: _look(place, what, cut(kelvin), kelvin, interface), how, what.note
    )
    sidecar = out.parent / SIDECAR
    write_arrays(sidecar, search.arrays(done.seen))
    head = place.system.system
    result = Result(
        "melting",
        head.name,
        {
            "compound": head.title,
            "mode": "coexistence",
            "profile": place.profile,
            "pressure_GPa": place.pressure_GPa,
            "temperatures_K": list(done.seen),
            "n_atoms": len(crystal),
        },
        search.quantities(done, _size(cut(max(done.seen)))),
        [
            *(Check(**check) for check in checks),
            *search.checks(done, settings.committee.trust_eV_per_A),
            same_cell,
            _inside(solid, max(done.seen)),
        ],
        {relative(path): sha256(path) for path in (sidecar, place.work / SOLID)},
        provenance(
            settings={"coexistence": how.model_dump(), "interface": interface.model_dump()},
            potential=what.potential,
            seed=what.md.seed,
            cores=what.ranks,
            started=started,
        ),
    )
    result.summary = sentence(result.quantities["T_m_coexistence"], contradiction(done.motions))
    result.write(out)
    return result


def crystal_of(place: Place, what: Coexistence) -> Atoms:
    """The perfect crystal whose halves are run."""
    repeat = repeats(place.system, place.inputs, what.how.run.edges_A)
    cell, md = place.system.system.cell, what.md
    return build(place.system, place.inputs, cell, repeat, md.occupancy, md.seed)


def _look(
    place: Place, what: Coexistence, start: Halves, kelvin: float, interface: InterfaceSettings
) -> search.Seen:
    roles = classify(start.atoms, place.system).roles
    work = place.work / f"T{kelvin:g}K"
    found = coexist(
        work,
        start,
        what,
        StatePoint(place.pressure_GPa, kelvin),
        mobile=roles["mobile"],
        framework=roles["framework"],
    )
    n_slab = int(start.atoms.info["repeat"][start.axis])
    at_melt = melted(work, len(start.atoms))
    return search.see(found, at_melt, start, roles["framework"], n_slab, interface)


def kept_lattice(work: Path, heated: Path, n_least: int) -> tuple[dict[str, Array], Check]:
    """The solid's lattice with which the first run in `work` was made, and is it still today's?

    A later analysis of the steps moves it a little; a run in another cell would be another run, so
    those that are done, and those that follow, keep what they began with.
    """
    today, kept = solid_lattice(heated, n_least), work / SOLID
    if not kept.is_file():
        write_arrays(kept, today)
    with np.load(kept, allow_pickle=False) as arrays:
        used = {name: arrays[name] for name in today}
    same = all(np.array_equal(used[name], today[name]) for name in today)
    text = "that of the steps"
    if not same:
        text = f"that of earlier steps ({relative(kept)}); FORCE=1 redoes all in today's"
    return used, Check("lateral_cell_of_steps", same, text)


def solid_lattice(heated: Path, n_least: int) -> dict[str, Array]:
    """Temperature and a, c, V of the crystal (n,), from the arrays of the steps.

    Raises
    ------
    InputError              no such file, or fewer than `n_least` temperatures
    """
    if not heated.is_file():
        raise InputError(f"{heated}: missing. Run `make melting` first: it gives the solid's cell.")
    with np.load(heated, allow_pickle=False) as arrays:
        kept = np.isfinite(arrays["a"]) & np.isfinite(arrays["c"])
        found = {name: arrays[name][kept] for name in ("temperature_K", "a", "c", "V")}
    if len(found["a"]) < n_least:
        raise InputError(
            f"{heated}: {len(found['a'])} temperatures at which the crystal is solid and"
            f" equilibrated; its cell needs {n_least}. Run longer or cooler steps."
        )
    return found


def scale(
    solid: dict[str, Array], kelvin: float, reference: dict[str, float], n_last: int
) -> Array:
    """Edges of the rectangular cell at `kelvin` over those of a crystal with a, c and V: (3,).

    Between the steps a straight line; beyond them the line through the last `n_last`.

    Raises
    ------
    InputError              colder than every step
    """
    t, part = solid["temperature_K"], {}
    if kelvin < t[0]:
        raise InputError(
            f"coexistence at {kelvin:g} K: the coldest step of the solid is {t[0]:g} K, so its cell"
            " is not known. Raise low_K in inputs/melting.toml, or add a colder step."
        )
    for name in ("a", "c", "V"):
        x = solid[name] / reference[name]
        if kelvin <= t[-1]:
            part[name] = float(np.interp(kelvin, t, x))
        else:
            part[name] = float(np.polyval(np.polyfit(t[-n_last:], x[-n_last:], 1), kelvin))
    return np.array([part["a"], part["V"] / (part["a"] * part["c"]), part["c"]])


def _inside(solid: dict[str, Array], hottest_K: float) -> Check:
    """Was the solid's cell measured up to there?"""
    last = float(solid["temperature_K"][-1])
    if hottest_K <= last:
        return Check("lateral_cell", True, f"from steps of the solid up to {last:g} K")
    text = f"extrapolated by {hottest_K - last:g} K above the hottest step of the solid, {last:g} K"
    return Check("lateral_cell", False, text)


def _size(start: Halves) -> str:
    edges = " x ".join(f"{x:.0f}" for x in start.atoms.cell.lengths())
    return (
        f"{len(start.atoms)} atoms, {edges} A, normal {'abc'[start.axis]}: a larger cell may shift"
        " T_m by tens of kelvin"
    )


def sentence(t_m: Quantity, against: str) -> str:
    """What a person reads of T_m_coexistence; `against`: in what its runs contradict each other."""
    if t_m.kind == "bracket":
        ends = t_m.ci95
        known = f"T_m between {ends[0]:g} and {ends[1]:g} K" if ends else "no bound"
        seen = "Crystal and liquid coexist" if ends else "The interfaces did not move far enough"
    else:
        above, grew = t_m.kind == "lower_bound", ("grows", "shrank")
        did, never = grew if above else ("shrinks", "grew")
        known = f"T_m {'>' if above else '<'} {t_m.value:g} K"
        seen = f"The crystal {did} at {t_m.value:g} K and never {never}"
    return f"The crystal {against}; {known}." if against else f"{seen}: {known}."
