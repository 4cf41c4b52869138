"""The search for coexistence: run, see what the interfaces do, run where it tells most."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.md.committee import mean_deviation
from dpchannel.md.h5md import Trajectory
from dpchannel.physics import coexistence, order
from dpchannel.physics.coexistence import Motion
from dpchannel.report.melting import committee_check, quantity
from dpchannel.results import Check, Quantity
from dpchannel.settings.melting import CoexistenceSettings, InterfaceSettings
from dpchannel.structures.coexistence import Halves

Array = NDArray[np.float64]
Index = NDArray[np.int64]
_LEAST_CONTRAST = 2.0  # order of the solid over that of the liquid, to tell them apart
_DEEP = 0.5  # of each half is away from its interfaces


@dataclass(frozen=True, eq=False)
class Seen:
    """One coexistence run: order (n_frame, n_slab), solid part (n_frame,), and what moves.

    deviation_eV_per_A : float      of the committee, mean of the largest; nan without one
    """

    motion: Motion
    order: Array
    fraction: Array
    time_ps: Array
    deviation_eV_per_A: float = np.nan


def see(
    trajectory: Trajectory, start: Halves, framework: Index, n_slab: int, how: InterfaceSettings
) -> Seen:
    """Local order along the normal, and from it the motion of the interfaces.

    Parameters
    ----------
    start : Halves          of the run
    n_slab : int            slabs along the normal: one period of the crystal or more each

    Raises
    ------
    InputError              both halves are crystal at the start
    """
    stream = trajectory.all
    scaled = stream.scaled[:, framework] - _centre(trajectory, stream.step)[:, None]
    waves = order.bragg_waves(
        start.waves_from[framework],
        start.atoms.cell.lengths(),
        start.axis,
        n_wave=how.waves,
        min_A=how.shortest_wave_A,
    )
    local = np.array([order.slab_order(frame, waves, start.axis, n_slab) for frame in scaled])
    solid, liquid = _of_halves(local)
    noise = order.liquid_order(len(framework) / n_slab)
    unsure = mean_deviation(trajectory, stream.step)
    if solid < _LEAST_CONTRAST * noise:  # nothing is left of the crystal
        gone = np.zeros(len(local))
        melted = Motion(coexistence.SHRINKS, np.nan, np.nan, 0, 0)
        return Seen(melted, local, gone, stream.time_ps, unsure)
    if solid < _LEAST_CONTRAST * liquid:
        raise InputError(
            f"coexistence: order {solid:.2f} in the crystal's half, {liquid:.2f} in the other: the"
            " liquid did not melt, or froze again before it was watched. Melt hotter or longer"
            " (hot_K, melt_ps), or raise low_K, in inputs/melting.toml."
        )
    fraction = order.solid_fraction(local, solid=solid, liquid=liquid)
    length = float(np.linalg.norm(stream.cells[:, start.axis], axis=1).mean())
    moved = coexistence.motion(
        fraction, stream.time_ps, length, n_sigma=how.n_sigma, moved=how.moved
    )
    return Seen(moved, local, fraction, stream.time_ps, unsure)


def search(
    run: Callable[[float], Seen], settings: CoexistenceSettings, note: Callable[[str], None]
) -> dict[float, Seen]:
    """Run until the bracket is narrow enough or `max_runs` are done."""
    found: dict[float, Seen] = {}
    while len(found) < settings.max_runs:
        motions = {kelvin: seen.motion for kelvin, seen in found.items()}
        kelvin = coexistence.next_temperature_K(
            motions,
            low_K=settings.low_K,
            high_K=settings.high_K,
            tolerance_K=settings.tolerance_K,
        )
        if kelvin is None:
            break
        note(f"coexistence: run {len(found) + 1} of at most {settings.max_runs}, {kelvin:g} K")
        found[kelvin] = run(kelvin)
        m = found[kelvin].motion
        note(f"{kelvin:g} K: the solid {m.verdict}, {m.velocity_A_per_ps:+.3f} A/ps")
    return dict(sorted(found.items()))


def quantities(found: Mapping[float, Seen]) -> dict[str, Quantity]:
    """T_m_coexistence, where the velocity crosses zero, and the velocity at each temperature."""
    motions = {kelvin: seen.motion for kelvin, seen in found.items()}
    b = coexistence.bracket(motions)
    verdicts = ", ".join(f"{m.verdict} at {kelvin:g} K" for kelvin, m in motions.items())
    out = {"T_m_coexistence": quantity(b, f"two phases; the solid {verdicts}")}
    crossing = coexistence.zero_crossing_K(motions)
    if crossing is not None:
        value, error = crossing
        method = "straight line between the velocities at the ends of the bracket"
        out["T_m_velocity"] = Quantity(value, "K", error, method=method)
    for kelvin, m in motions.items():
        out[f"velocity_T{kelvin:g}K"] = Quantity(
            m.velocity_A_per_ps if np.isfinite(m.velocity_A_per_ps) else None,
            "A/ps",
            m.stderr if np.isfinite(m.stderr) else None,
            method=f"of each interface; the solid {m.verdict}, {m.first:.2f} -> {m.last:.2f}",
        )
    return out


def checks(
    found: Mapping[float, Seen], n_atom: int, edges_A: Array, axis: int, trust_eV_per_A: float
) -> list[Check]:
    """Is it a bracket, how large was the cell, and was the committee at one?"""
    b = coexistence.bracket({kelvin: seen.motion for kelvin, seen in found.items()})
    text = f"{b}" + (f": {b.text}" if b.text else "")
    edges = " x ".join(f"{x:.0f}" for x in edges_A)
    size = (
        f"{n_atom} atoms, {edges} A, normal {'abc'[axis]}: a larger cell may shift T_m by tens of"
        " kelvin, and one of this length holds two interfaces"
    )
    return [
        Check("bracketed", b.kind == "bracket", text),
        Check("finite_size", True, size),
        committee_check({k: s.deviation_eV_per_A for k, s in found.items()}, trust_eV_per_A),
    ]


def arrays(found: Mapping[float, Seen]) -> dict[str, Any]:
    """What the figure needs."""
    first = next(iter(found.values()), None)
    if first is None:
        raise InputError("coexistence: no temperature was run. Raise max_runs.")
    return {
        "temperature_K": np.array(list(found)),
        "time_ps": first.time_ps,
        "fraction": np.array([seen.fraction for seen in found.values()]),
        "order": np.array([seen.order for seen in found.values()]),
        "velocity_A_per_ps": np.array([s.motion.velocity_A_per_ps for s in found.values()]),
        "velocity_stderr": np.array([s.motion.stderr for s in found.values()]),
        "verdict": np.array([s.motion.verdict for s in found.values()]),
        "deviation_eV_per_A": np.array([s.deviation_eV_per_A for s in found.values()]),
    }


def _centre(trajectory: Trajectory, steps: Index) -> Array:
    """Drift of the framework as a whole, on the frames of all atoms, in scaled units."""
    at = np.searchsorted(trajectory.mobile.step, steps)
    found: Array = trajectory.centre[at]
    return found


def _of_halves(local: Array) -> tuple[float, float]:
    """Order deep in the crystal's half and deep in the liquid's, in the first tenth."""
    early = local[: max(1, len(local) // 10)].mean(axis=0)
    n_slab = len(early)
    place = (np.arange(n_slab) + 0.5) / n_slab
    deep = _DEEP / 4
    solid, liquid = np.abs(place - 0.25) < deep, np.abs(place - 0.75) < deep
    return float(early[solid].mean()), float(early[liquid].mean())
