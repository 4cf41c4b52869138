"""What one stretch of a heating run shows: averages, g(r), order and motion of the framework."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.stats import t as student

from dpchannel.md.committee import mean_deviation
from dpchannel.md.h5md import Trajectory
from dpchannel.physics import order
from dpchannel.physics.blocks import mean_and_error, trend
from dpchannel.physics.rdf import rdf
from dpchannel.settings.crystal import MeltingPairs
from dpchannel.settings.melting import MeltingSettings
from dpchannel.structures.coordination import Coordination, coordinated
from dpchannel.units import boltzmann_in_ev_per_k, gpa_in_ev_per_a3

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Measured = tuple[float, float]  # value and standard error
NOTHING: Measured = (np.nan, np.nan)

CONFIDENCE = 0.99  # of the block test
# drifts over a run that are equilibrated whatever their error: of V, and of H in k_B T an atom
MAX_DRIFT_V = 2e-3
MAX_DRIFT_KT = 0.02


@dataclass(frozen=True, eq=False)
class Look:
    """One temperature, or one stretch of a ramp.

    values : name -> (value, stderr)    a, b, c (A), V (A^3), H (eV, of one formula unit), contrast,
                                        lindemann, framework_D (cm2/s), coordination; nan: unknown
    g : "A-B" -> (n_bin,)               nan beyond half an edge
    why_not : str                       why its averages do not count; "" when they do
    molten : bool                       the run had coupled its axes by then
    snapshot : Atoms                    its last frame
    deviation_eV_per_A : float          of the committee, mean of the largest; nan without one
    """

    temperature_K: float
    values: dict[str, Measured]
    r_A: Array
    g: dict[str, Array]
    why_not: str
    molten: bool
    snapshot: Atoms
    n_frame: int
    deviation_eV_per_A: float = np.nan


@dataclass(frozen=True)
class Watched:
    """What is watched of a structure: pairs of elements, and a polyhedron if there is one."""

    pairs: MeltingPairs
    coordination: Coordination | None


@dataclass(frozen=True, eq=False)
class Run:
    """A trajectory with what its crystal needs to be read.

    lattice : name -> (n,)      a, b, c, V of a formula unit on the samples of the trajectory
    framework : (n,)            0-based atom indices
    nearest_A : A               nearest distance in the framework of the crystal
    """

    trajectory: Trajectory
    lattice: Mapping[str, Array]
    framework: Index
    nearest_A: float
    n_formula: int
    pressure_GPa: float
    watched: Watched

    @property
    def enthalpy(self) -> Array:
        """H = E + P V of one formula unit, eV, with the pressure that was set."""
        energy = self.trajectory.thermo["total_eV"] / self.n_formula
        found: Array = energy + self.pressure_GPa * gpa_in_ev_per_a3() * self.lattice["V"]
        return found


def look(run: Run, settings: MeltingSettings) -> Look:
    """All of a run at one temperature; what drifts is marked, not averaged."""
    trajectory = run.trajectory
    temperature_K = float(trajectory.meta["state"]["temperature_K"])
    molten = trajectory.meta.get("molten_step")
    series = {**run.lattice, "H": run.enthalpy}
    why_not = _unequilibrated(series, temperature_K, len(trajectory.atoms) // run.n_formula)
    if molten is not None and molten > trajectory.mobile.step[0]:
        why_not = f"melted at step {molten}, while being averaged"
    if "stopped_step" in trajectory.meta:
        why_not = f"stopped at step {trajectory.meta['stopped_step']}: an edge became too short"
    values = {name: _average(x) for name, x in series.items()} if not why_not else {}
    frames = np.arange(len(trajectory.all.step))
    return _look(run, settings, temperature_K, values, frames, why_not, molten is not None)


def look_along(run: Run, settings: MeltingSettings, bin_K: float) -> list[Look]:
    """A ramp in stretches of `bin_K`, each at its middle temperature.

    Averages of a stretch are those of the straight line through it, their errors those of the
    scatter about the line.
    """
    trajectory = run.trajectory
    first, last = trajectory.meta["ramp_K"]
    planned = float(trajectory.meta["planned_steps"])

    def kelvin(step: Index) -> Array:
        return np.asarray(first + (last - first) * step / planned)

    series = {**run.lattice, "H": run.enthalpy}
    at, at_frame = kelvin(trajectory.mobile.step), kelvin(trajectory.all.step)
    molten = trajectory.meta.get("molten_step", np.inf)
    found = []
    for low in np.arange(np.floor(at[0] / bin_K) * bin_K, at[-1], bin_K):
        inside = (at >= low) & (at < low + bin_K)
        frames = np.flatnonzero((at_frame >= low) & (at_frame < low + bin_K))
        if at[0] > low or at[-1] < low + bin_K * (1 - 1e-6) or len(frames) < 2:
            continue  # only part of a stretch
        values = {name: _average_of_line(x[inside]) for name, x in series.items()}
        gone = bool(molten <= trajectory.mobile.step[inside][-1])
        found.append(_look(run, settings, float(low + bin_K / 2), values, frames, "", gone))
    return found


def look_at_rest(
    atoms: Atoms,
    lattice: Mapping[str, float],
    energy_eV: float,
    watched: Watched,
    settings: MeltingSettings,
) -> Look:
    """The relaxed crystal: 0 K, without errors."""
    values = {name: (value, 0.0) for name, value in lattice.items()} | {"H": (energy_eV, 0.0)}
    cell, scaled = atoms.cell.array[None], atoms.get_scaled_positions()[None]
    r, g = _rdfs(atoms, scaled, cell, watched.pairs, settings)
    values["coordination"] = (_coordination(atoms, scaled, cell, watched)[0], 0.0)
    values["lindemann"] = (0.0, 0.0)
    values["framework_D"] = (0.0, 0.0)
    return Look(0.0, values, r, g, "", False, atoms, 1)


def _look(
    run: Run,
    settings: MeltingSettings,
    temperature_K: float,
    values: dict[str, Measured],
    frames: Index,
    why_not: str,
    molten: bool,
) -> Look:
    trajectory, wanted = run.trajectory, settings.structure
    stream, atoms = trajectory.all, trajectory.atoms
    if molten:
        values = {name: v for name, v in values.items() if name not in ("a", "b", "c")}
    scaled, cells = stream.scaled[frames], stream.cells[frames]
    positions = order.framework_positions(
        scaled[:, run.framework], cells, atoms.get_masses()[run.framework]
    )
    values = dict(values)
    values["lindemann"] = order.lindemann(positions, run.nearest_A)
    if len(frames) >= order.MIN_FRAMES:
        slope, error = order.framework_diffusion(positions, stream.time_ps[frames])
        values["framework_D"] = (slope * 1e-4, error * 1e-4)  # cm2/s
    few = np.linspace(0, len(frames) - 1, min(len(frames), wanted.max_frames)).astype(int)
    r, g = _rdfs(atoms, scaled[few], cells[few], run.watched.pairs, settings)
    values["contrast"] = _contrast(atoms, scaled[few], cells[few], run.watched.pairs, settings)
    values["coordination"] = _coordination(atoms, scaled[few], cells[few], run.watched)
    last = atoms.copy()
    last.set_cell(cells[-1])
    last.set_scaled_positions(scaled[-1])
    return Look(
        temperature_K,
        values,
        r,
        g,
        why_not,
        molten,
        last,
        len(frames),
        mean_deviation(trajectory, stream.step[frames]),
    )


def _unequilibrated(series: Mapping[str, Array], temperature_K: float, n_atom: int) -> str:
    """The block test: a drift of V or H beyond its error and beyond what matters."""
    volume = series["V"]
    allowed = {
        "V": MAX_DRIFT_V * float(volume.mean()),
        "H": MAX_DRIFT_KT * boltzmann_in_ev_per_k() * temperature_K * n_atom,
    }
    for name, matters in allowed.items():
        line = trend(series[name])
        reach = float(student.ppf((1 + CONFIDENCE) / 2, line.dof)) * line.stderr
        if abs(line.drift) > max(reach, matters):
            return (
                f"{name} drifts by {line.drift:+.3g} over the run (error {line.stderr:.1g}): "
                "equilibrate longer"
            )
    return ""


def _average(x: Array) -> Measured:
    mean = mean_and_error(x)
    return mean.value, mean.stderr


def _average_of_line(x: Array) -> Measured:
    """Mean of a drifting series; its error from what is left beside a straight line."""
    when = np.arange(len(x)) - (len(x) - 1) / 2
    flat = x - x.mean() - when * (when @ x) / (when @ when)
    return float(x.mean()), mean_and_error(flat).stderr


def _rdfs(
    atoms: Atoms, scaled: Array, cells: Array, pairs: MeltingPairs, settings: MeltingSettings
) -> tuple[Array, dict[str, Array]]:
    """g(r) of every wanted pair, nan beyond half the shortest edge."""
    wanted = settings.structure
    n_bin = round(wanted.to_A / wanted.bin_A)
    reach = int(min(n_bin, np.linalg.norm(cells, axis=2).min() / 2 / wanted.bin_A))
    r: Array = np.asarray((np.arange(n_bin) + 0.5) * wanted.bin_A, np.float64)
    found: dict[str, Array] = {}
    for one, other in pairs.rdf_pairs:
        g = np.full(n_bin, np.nan)
        index = [np.flatnonzero(atoms.symbols == element) for element in (one, other)]
        if all(len(i) > 1 for i in index):
            g[:reach] = rdf(
                scaled,
                cells,
                r_max_A=reach * wanted.bin_A,
                n_bin=reach,
                index_a=index[0],
                index_b=index[1],
            )[1]
        found[f"{one}-{other}"] = g
    return r, found


def _contrast(
    atoms: Atoms, scaled: Array, cells: Array, pairs: MeltingPairs, settings: MeltingSettings
) -> Measured:
    """Mean over the wanted pairs; its error from the two halves of the frames."""
    detection = settings.detection
    if np.linalg.norm(cells, axis=2).mean(axis=0).min() < detection.contrast_edge_A:
        return NOTHING

    def of(part: slice) -> float:
        r, g = _rdfs(atoms, scaled[part], cells[part], pairs, settings)
        names = [f"{one}-{other}" for one, other in pairs.contrast_pairs]
        kept = [np.isfinite(g[name]) for name in names]
        each = [
            order.contrast(r[keep], g[name][keep], from_A=detection.contrast_from_A)
            for name, keep in zip(names, kept, strict=True)
        ]
        return float(np.mean(each))

    half = len(scaled) // 2
    halves = of(slice(0, half)), of(slice(half, None))
    return of(slice(None)), abs(halves[1] - halves[0]) / 2


def _coordination(atoms: Atoms, scaled: Array, cells: Array, watched: Watched) -> Measured:
    if watched.coordination is None:
        return NOTHING
    frame, parts = atoms.copy(), []
    for s, cell in zip(scaled, cells, strict=True):
        frame.set_cell(cell)
        frame.set_scaled_positions(s)
        parts.append(coordinated(frame, watched.coordination))
    return float(np.mean(parts)), float(np.std(parts) / np.sqrt(len(parts)))
