"""The search for coexistence: run, see what the interfaces do, run where it tells most."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import EngineFailed, InputError, NotConverged
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


@dataclass(eq=False)
class Searched:
    """What was seen at each temperature (K), and why a run gave nothing."""

    seen: dict[float, Seen] = field(default_factory=dict)
    failed: dict[float, str] = field(default_factory=dict)

    @property
    def motions(self) -> dict[float, Motion]:
        """By rising temperature."""
        return {kelvin: self.seen[kelvin].motion for kelvin in sorted(self.seen)}


def see(
    trajectory: Trajectory,
    melted: Array,
    start: Halves,
    framework: Index,
    n_slab: int,
    how: InterfaceSettings,
) -> Seen:
    """Local order along the normal, and from it the motion of the interfaces.

    Parameters
    ----------
    melted : (n_atom, 3)    scaled coordinates at the end of the melting
    start : Halves          of the run
    n_slab : int            slabs along the normal: one period of the crystal each

    Raises
    ------
    NotConverged            the half that was to be melted was still a crystal at the end of that
    """
    stream = trajectory.all
    scaled = stream.scaled[:, framework] - _centre(trajectory, stream.step)[:, None]
    waves, weights = order.bragg_waves(
        start.waves_from[framework],
        start.atoms.cell.lengths(),
        start.axis,
        n_wave=how.waves,
        min_A=how.shortest_wave_A,
        least=how.least_wave,
    )

    def ordered(frames: Array) -> Array:
        return np.array([order.slab_order(x, waves, weights, start.axis, n_slab) for x in frames])

    least = how.contrast * order.liquid_order(len(framework) / n_slab)
    _, molten = _of_halves(ordered(melted[None, framework]), how.deep)
    if molten >= least:
        raise NotConverged(
            f"order {molten:.2f} in the half to be melted, at most {least:.2f} in a liquid:"
            " it did not melt. Melt hotter or longer (hot_K, melt_ps in inputs/melting.toml)."
        )
    local = ordered(scaled)
    solid, liquid = _of_halves(local, how.deep)
    unsure = mean_deviation(trajectory, stream.step)
    if solid < least:  # nothing was left of the crystal when the watch began
        gone = Motion(coexistence.SHRINKS, np.nan, np.nan, 0, 0, until_ps=0)
        return Seen(gone, local, np.zeros(len(local)), stream.time_ps, unsure)
    if liquid >= least:  # nothing of the liquid, which had been one
        fraction = order.solid_sides(local, solid=solid, liquid=molten).sum(axis=1)
        frozen = Motion(coexistence.GROWS, np.nan, np.nan, fraction[0], fraction[-1], until_ps=0)
        return Seen(frozen, local, fraction, stream.time_ps, unsure)
    sides = order.solid_sides(local, solid=solid, liquid=liquid)
    length = float(np.linalg.norm(stream.cells[:, start.axis], axis=1).mean())
    moved = coexistence.motion(
        sides,
        stream.time_ps,
        length,
        moved=how.moved_periods / n_slab,
        over_noise=how.over_noise,
        gone=how.gone_periods / n_slab,
    )
    return Seen(moved, local, sides.sum(axis=1), stream.time_ps, unsure)


def search(
    run: Callable[[float], Seen], settings: CoexistenceSettings, note: Callable[[str], None]
) -> Searched:
    """Run until the bracket is narrow enough or `max_runs` are done.

    A temperature whose run blows up, or whose liquid never came about, is left out and named.

    Raises
    ------
    NotConverged            the liquid of the first run never came about
    EngineFailed            no run gave anything
    """
    done = Searched()
    while (n := len(done.seen) + len(done.failed)) < settings.max_runs:
        kelvin = coexistence.next_temperature_K(
            done.motions,
            low_K=settings.low_K,
            high_K=settings.high_K,
            tolerance_K=settings.tolerance_K,
            runs_left=settings.max_runs - n,
            failed=done.failed,
        )
        if kelvin is None:
            break
        note(f"coexistence: run {n + 1} of at most {settings.max_runs}, {kelvin:g} K")
        try:
            done.seen[kelvin] = run(kelvin)
        except (EngineFailed, NotConverged) as error:
            if isinstance(error, NotConverged) and not done.seen:
                raise  # nor would the next ones melt, after hours
            done.failed[kelvin] = str(error)
            note(f"{kelvin:g} K: {error}")
            continue
        m = done.seen[kelvin].motion
        fast = f", {m.velocity_A_per_ps:+.3f} A/ps" if np.isfinite(m.velocity_A_per_ps) else ""
        note(f"{kelvin:g} K: the solid {m.verdict}{fast}")
    if not done.seen:
        kelvin, why = next(iter(done.failed.items()))
        raise EngineFailed(f"coexistence: none of {n} runs gave anything; {kelvin:g} K: {why}")
    done.seen = dict(sorted(done.seen.items()))
    return done


def quantities(done: Searched, size: str) -> dict[str, Quantity]:
    """T_m_coexistence, where the velocity crosses zero, and the velocity at each temperature.

    `size` says what the cell was: a number of this kind depends on it.
    """
    motions = done.motions
    b = coexistence.bracket(motions)
    verdicts = ", ".join(f"{m.verdict} at {kelvin:g} K" for kelvin, m in motions.items())
    why = f"; {b.text}" if b.text else ""
    method = f"two phases; the solid {verdicts}{why}; {size}"
    bracketed = quantity(replace(b, text=""), method)
    out = {"T_m_coexistence": bracketed}
    crossing = coexistence.zero_crossing_K(motions)
    if crossing is not None:
        value, error = crossing
        method = "straight line between the velocities at the ends of the bracket"
        out["T_m_velocity"] = Quantity(value, "K", error, method=method)
    for kelvin, m in motions.items():
        watched = f"both phases there for {m.until_ps:.3g} ps"
        out[f"velocity_T{kelvin:g}K"] = Quantity(
            m.velocity_A_per_ps if np.isfinite(m.velocity_A_per_ps) else None,
            "A/ps",
            m.stderr if np.isfinite(m.stderr) else None,
            method=f"of each interface; the solid {m.verdict}, {m.first:.2f} -> {m.last:.2f};"
            f" {watched}",
        )
    return out


def checks(done: Searched, trust_eV_per_A: float) -> list[Check]:
    """Is it a bracket, do the runs agree, did each give something, was the committee at one?"""
    b, against = coexistence.bracket(done.motions), coexistence.contradiction(done.motions)
    text = f"{b}" + (f": {b.text}" if b.text else "")
    failed = "; ".join(f"{kelvin:g} K: {why}" for kelvin, why in sorted(done.failed.items()))
    return [
        Check("bracketed", b.kind == "bracket", text),
        Check("runs_agree", not against, against or "it grows only below where it shrinks"),
        Check("all_runs_tell", not failed, failed or f"{len(done.seen)} runs"),
        committee_check({k: s.deviation_eV_per_A for k, s in done.seen.items()}, trust_eV_per_A),
    ]


def arrays(found: Mapping[float, Seen]) -> dict[str, Any]:
    """What the figure needs."""
    first = next(iter(found.values()))
    return {
        "temperature_K": np.array(list(found)),
        "time_ps": first.time_ps,
        "fraction": np.array([seen.fraction for seen in found.values()]),
        "order": np.array([seen.order for seen in found.values()]),
        "velocity_A_per_ps": np.array([s.motion.velocity_A_per_ps for s in found.values()]),
        "velocity_stderr": np.array([s.motion.stderr for s in found.values()]),
        "moved_A": np.array([s.motion.moved_A for s in found.values()]),
        "until_ps": np.array([s.motion.until_ps for s in found.values()]),
        "verdict": np.array([s.motion.verdict for s in found.values()]),
        "deviation_eV_per_A": np.array([s.deviation_eV_per_A for s in found.values()]),
    }


def _centre(trajectory: Trajectory, steps: Index) -> Array:
    """Drift of the framework as a whole, on the frames of all atoms, in scaled units."""
    at = np.searchsorted(trajectory.mobile.step, steps)
    found: Array = trajectory.centre[at]
    return found


def _of_halves(local: Array, deep: float) -> tuple[float, float]:
    """Order in the middle of the crystal's half and of the liquid's, in the first tenth.

    `deep` is the part of each half that is its middle, away from the interfaces.
    """
    early = local[: max(1, len(local) // 10)].mean(axis=0)
    n_slab = len(early)
    place = (np.arange(n_slab) + 0.5) / n_slab
    reach = deep / 4 + 1e-9  # four slabs lie just on it
    solid, liquid = np.abs(place - 0.25) <= reach, np.abs(place - 0.75) <= reach
    if not solid.any() or not liquid.any():
        raise InputError(
            f"coexistence: {n_slab} periods along the normal leave no slab away from the"
            " interfaces. Raise edges_A in inputs/melting.toml."
        )
    return float(early[solid].mean()), float(early[liquid].mean())
