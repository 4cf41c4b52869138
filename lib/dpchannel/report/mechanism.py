"""How the ions move and whether the framework holds: numbers of one trajectory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.md.ondisk import frame_blocks
from dpchannel.physics.hops import Hops
from dpchannel.physics.intervals import CONFIDENCE, count_of_channels, garwood
from dpchannel.physics.jumps import concerted, direction, stays, waits
from dpchannel.report.framework import Distances
from dpchannel.report.prepared import Run
from dpchannel.results import Quantity
from dpchannel.settings import DiffusionSettings
from dpchannel.structures.columns import wrapped
from dpchannel.structures.polyhedra import Exchange, Polyhedra, exchange, find_polyhedra

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Arrays = dict[str, Any]
Found = tuple[dict[str, Quantity], Arrays]

MIN_STAY_FRAMES = 2  # of all atoms: a bond seen in one frame alone is a collision


def hop_numbers(
    found: Hops, columns: Sequence[Index], time_ps: Array, settings: DiffusionSettings
) -> Found:
    """Residence times, forward/backward correlation, concerted moves.

    `residence_first` and `residence_later` are the mean stays before an ion's first hop and after
    a hop: where hops are soon taken back the two differ, and `residence_time` is of neither.
    """
    waited, turned = waits(found, time_ps), direction(found)
    together = concerted(found, columns, time_ps, settings.concerted_ps)
    n_ion = sum(len(c) for c in columns)
    first, later = stays(found, time_ps, n_ion)
    every = (first[0] + later[0], first[1] + later[1])
    quantities = {
        f"residence_{name}": _residence(*seen, columns, settings)
        for name, seen in (("time", every), ("first", first), ("later", later))
    }
    method = f"{turned.forward} of {turned.pairs} successive hops of one ion; Clopper-Pearson"
    forward = turned.forward / turned.pairs if turned.pairs else None
    ends = turned.interval if turned.pairs else None
    quantities["forward_fraction"] = Quantity(forward, "", None, ends, turned.pairs, method=method)
    window = f"hops of neighbours within {settings.concerted_ps:g} ps"
    quantities["concerted_pairs"] = Quantity(
        together.same,
        "",
        method=f"{window}, in one direction; {together.opposite} in opposite ones",
    )
    how = f"{window}, ions hopping at random; chance of what was seen or more {together.chance:.2g}"
    quantities["concerted_by_chance"] = Quantity(together.expected, "", method=how)
    value, interval = (together.ratio[0], together.ratio[1:]) if together.ratio else (None, None)
    quantities["concerted_ratio"] = Quantity(
        value, "", None, interval, together.same, method=f"{window} over chance; Poisson (Garwood)"
    )
    survival_ps, survival = waited.survival()
    arrays = {
        "wait_ps": waited.complete,
        "wait_cut_ps": waited.cut,
        "survival_ps": survival_ps,
        "survival": survival,
        "neighbour_delay_ps": together.delay_ps,
        "neighbour_same": together.is_same,
        "concerted_ps": np.array(settings.concerted_ps),
        "run_ps": np.array(float(time_ps[-1] - time_ps[0])),
        "hops_by_ion": np.bincount(found.ion, minlength=n_ion),
    }
    return quantities, arrays


def _residence(
    hops: Array, watched_ps: Array, columns: Sequence[Index], settings: DiffusionSettings
) -> Quantity:
    """Mean time of an ion in a site, from hops and time of each ion (n_ion,).

    With no hop only how long it is at least, and nothing where no ion was watched.
    """
    ion_ps = float(watched_ps.sum())
    by_channel = np.array([hops[column].sum() for column in columns])
    longest = max(len(column) for column in columns)
    count = count_of_channels(by_channel, ion_ps, 0.0, settings, at_once=longest)
    if ion_ps == 0:
        return Quantity(None, "ps", n=0, method="no ion hopped, so none stayed after a hop")
    if count.n == 0:
        shortest = ion_ps / count.numbers(2 * CONFIDENCE - 1)[1]
        return Quantity(shortest, "ps", n=0, method=count.method, kind="lower_bound")
    low, high = count.numbers(CONFIDENCE)
    method = f"ion time / hops; {count.method}"
    return Quantity(
        ion_ps / count.n, "ps", None, (ion_ps / high, ion_ps / low), count.n, method=method
    )


def framework_numbers(run: Run, settings: DiffusionSettings) -> Found:
    """Bonds and edges of the polyhedra, edges of the rings, coordination and exchange with ions."""
    stream, sites = run.trajectory.all, run.sites
    polyhedra = find_polyhedra(run.trajectory.atoms, run.system, sites)
    distances = Distances(sites, polyhedra)
    for part in frame_blocks(stream.scaled.shape):
        distances.add(stream.cells[part], np.asarray(stream.scaled[part]))
    quantities, arrays = distances.quantities(), distances.arrays()
    if polyhedra:
        dt_ps = float(stream.time_ps[1] - stream.time_ps[0])
        stay = max(MIN_STAY_FRAMES, int(np.ceil(settings.residence_ps / dt_ps)))
        seen = exchange(stream.cells, stream.scaled, polyhedra, sites.mobile, stay)
        arrays["coordination_kept"] = seen.intact
        ion_ns = len(sites.mobile) * (len(stream.step) - 1) * dt_ps / 1000
        quantities |= _exchange(seen, polyhedra, ion_ns, dt_ps)
    return quantities, arrays


def _exchange(seen: Exchange, found: Polyhedra, ion_ns: float, dt_ps: float) -> dict[str, Quantity]:
    kept = Quantity(
        float(seen.intact.mean()),
        "",
        n=len(found.centres),
        method=f"part of {found.name} with as many ligands within {found.within_A:g} A as at the "
        f"start, mean over frames; lowest {seen.intact.min():.4f}",
    )
    n, stay_ps = len(seen.captured), seen.residence * dt_ps
    how = f"{n} ions bound to {found.name} for {stay_ps:g} ps or more, "
    how += f"{len(seen.released)} {found.ligand_name} away from theirs; Poisson (Garwood)"
    low, high = (v / ion_ns for v in garwood(n, CONFIDENCE))
    upper = garwood(0, 2 * CONFIDENCE - 1)[1] / ion_ns
    rate = (
        Quantity(n / ion_ns, "1/ns", None, (low, high), n, method=how)
        if n
        else Quantity(upper, "1/ns", None, (0.0, upper), 0, method=how, kind="upper_bound")
    )
    return {"coordination_kept": kept, "exchange_rate": rate}


def sentence(quantities: Mapping[str, Quantity], state: Mapping[str, Any]) -> str:
    """The paragraph a person reads first."""
    n = int(quantities["n_hops"].value or 0)
    parts = [f"{n} {'hop' if n == 1 else 'hops'} of {state['n_ions']} ions."]
    forward, ratio = quantities["forward_fraction"], quantities["concerted_ratio"]
    if forward.value is not None and forward.ci95:
        low, high = forward.ci95
        verdict = _verdict(forward.ci95, 0.5, "ions turn back", "ions go on")
        share = f"{100 * forward.value:.0f} % forward, 95 %: {100 * low:.0f} to {100 * high:.0f}"
        parts.append(f"After a hop: {verdict} ({share}; {forward.n} pairs).")
    if ratio.value is not None and ratio.ci95:
        low, high = ratio.ci95
        verdict = _verdict(ratio.ci95, 1.0, "avoid each other", "move together")
        times = f"{ratio.value:.2g} times chance, 95 %: {low:.2g} to {high:.2g}"
        parts.append(f"Neighbours: {verdict} ({times}).")
    kept, rate = quantities.get("coordination_kept"), quantities.get("exchange_rate")
    if kept and kept.value is not None and rate:
        swapped = "no exchange with ligands" if rate.n == 0 else f"{rate.n} ions exchanged"
        parts.append(f"Coordination kept by {100 * kept.value:.2f} %, {swapped}.")
    return " ".join(parts)


def _verdict(interval: tuple[float, float], chance: float, less: str, more: str) -> str:
    """What an interval says against what chance alone would give."""
    low, high = interval
    return less if high < chance else more if low > chance else "nothing beyond chance"


def longest_path(positions: Array, others: Array, cell: Array, axis: int) -> tuple[int, int]:
    """The ion that moves furthest along the axis, and the atom beside its channel.

    Parameters
    ----------
    positions : (n_frame, n_ion, 3) A       ions
    others : (n_atom, 3) A                  where atoms of another species are
    """
    ion = int(np.ptp(positions[:, :, axis], axis=0).argmax())
    inverse = np.linalg.inv(cell)
    apart = wrapped((others - positions[0, ion]) @ inverse)
    apart[:, axis] = 0.0
    return ion, int(np.linalg.norm(apart @ cell, axis=1).argmin())
