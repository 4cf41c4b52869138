"""What one stretch of a heating run shows: averages, g(r), order and motion of the framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.stats import t as student

from dpchannel.md.committee import mean_deviation
from dpchannel.md.h5md import Trajectory
from dpchannel.physics import order
from dpchannel.physics.blocks import mean_and_error, trend
from dpchannel.report import heated_structure as structure
from dpchannel.report.heated_structure import Watched
from dpchannel.settings.melting import DetectionSettings, MeltingSettings
from dpchannel.units import boltzmann_in_ev_per_k, gpa_in_ev_per_a3

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Measured = tuple[float, float]  # value and standard error


@dataclass(frozen=True, eq=False)
class Look:
    """One temperature, or one stretch of a ramp.

    values : name -> (value, stderr)    a, b, c (A), V (A^3), H (eV, of one formula unit), contrast,
                                        lindemann, framework_D (cm2/s), coordination; nan: unknown
    g : "A-B" -> (n_bin,)               nan beyond half an edge
    lag_ps, msd_A2 : (n_lag,)           MSD of the framework; empty when it is not measured
    why_not : str                       why its averages do not count; "" when they do
    molten : bool                       the run had coupled its axes by then
    snapshot : Atoms                    its last frame
    deviation_eV_per_A : float          of the committee, mean of the largest; nan without one
    half_K : K                          a stretch of a ramp stands for so much to either side
    motion_half_K : K                   and its MSD, which takes longer, for so much
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
    half_K: float = 0.0
    motion_half_K: float = 0.0
    lag_ps: Array = field(default_factory=lambda: np.zeros(0))
    msd_A2: Array = field(default_factory=lambda: np.zeros(0))


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
    n_atom = len(trajectory.atoms) // run.n_formula
    why_not = unequilibrated(series, temperature_K, n_atom, settings.detection)
    if molten is not None and molten > trajectory.mobile.step[0]:
        why_not = f"melted at step {molten}, while being averaged"
    if "stopped_step" in trajectory.meta:
        why_not = f"stopped at step {trajectory.meta['stopped_step']}: an edge became too short"
    values = {name: _average(x) for name, x in series.items()} if not why_not else {}
    stretch = Stretch(temperature_K, np.arange(len(trajectory.all.step)))
    return _look(run, settings, stretch, values, why_not, molten is not None)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Frames (n,) of one temperature, and for a ramp half their span and its rate a step."""

    temperature_K: float
    frames: Index
    half_K: float = 0.0
    K_per_step: float = 0.0


def look_along(run: Run, settings: MeltingSettings, bin_K: float) -> list[Look]:
    """A ramp in stretches of `bin_K`, each at its middle temperature.

    Averages of a stretch are those of the straight line through it, their errors those of the
    scatter about the line. The MSD of the framework is taken over a window about the same middle,
    which may be longer: within a stretch of a fast ramp a crystal only vibrates.
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
        stretch = Stretch(float(low + bin_K / 2), frames, bin_K / 2, (last - first) / planned)
        found.append(_look(run, settings, stretch, values, "", gone))
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
    r, g = structure.rdfs(atoms, scaled, cell, watched.pairs, settings)
    values["coordination"] = (structure.coordination(atoms, scaled, cell, watched)[0], 0.0)
    values["lindemann"] = (0.0, 0.0)
    return Look(0.0, values, r, g, "", False, atoms, 1)


def _look(
    run: Run,
    settings: MeltingSettings,
    stretch: Stretch,
    values: dict[str, Measured],
    why_not: str,
    molten: bool,
) -> Look:
    trajectory, wanted, frames = run.trajectory, settings.structure, stretch.frames
    stream, atoms = trajectory.all, trajectory.atoms
    if molten:
        values = {name: v for name, v in values.items() if name not in ("a", "b", "c")}
    scaled, cells = stream.scaled[frames], stream.cells[frames]
    masses = atoms.get_masses()[run.framework]
    sites = atoms.get_scaled_positions(wrap=False)[run.framework]
    values = dict(values)
    values["lindemann"] = order.lindemann(
        scaled[:, run.framework], cells, masses, sites, run.nearest_A
    )
    window = _window(stream.time_ps, frames, settings.detection)
    lag_ps, msd, motion_half_K = np.zeros(0), np.zeros((0, 1)), 0.0
    if window is not None:
        positions = order.framework_positions(
            stream.scaled[window][:, run.framework], stream.cells[window], masses
        )
        lag_ps, msd = order.framework_msd(positions, stream.time_ps[window])
        slope, error = order.framework_diffusion(
            lag_ps, msd, first_lag_ps=settings.detection.first_lag_ps
        )
        values["framework_D"] = (slope * 1e-4, error * 1e-4)  # cm2/s
        spanned = stream.step[window[-1]] - stream.step[window[0]]
        motion_half_K = max(stretch.half_K, float(spanned) * stretch.K_per_step / 2)
    few = np.linspace(0, len(frames) - 1, min(len(frames), wanted.max_frames)).astype(int)
    r, g = structure.rdfs(atoms, scaled[few], cells[few], run.watched.pairs, settings)
    values["contrast"] = structure.contrast(
        atoms, scaled[few], cells[few], run.watched.pairs, settings
    )
    values["coordination"] = structure.coordination(atoms, scaled[few], cells[few], run.watched)
    last = atoms.copy()
    last.set_cell(cells[-1])
    last.set_scaled_positions(scaled[-1])
    return Look(
        stretch.temperature_K,
        values,
        r,
        g,
        why_not,
        molten,
        last,
        len(frames),
        mean_deviation(trajectory, stream.step[frames]),
        stretch.half_K,
        motion_half_K,
        lag_ps,
        msd.mean(axis=1),
    )


def _window(time_ps: Array, frames: Index, how: DetectionSettings) -> Index | None:
    """Frames about the middle of `frames`, enough for an MSD; None when the run has too few."""
    spacing = float(time_ps[1] - time_ps[0])
    least = max(how.window_frames, int(np.ceil(how.window_ps / spacing - 1e-9)) + 1)
    if len(frames) >= least:
        return frames
    start = (int(frames[0]) + int(frames[-1]) + 1 - least) // 2
    if start < 0 or start + least > len(time_ps):
        return None
    return np.arange(start, start + least)


def unequilibrated(
    series: Mapping[str, Array], temperature_K: float, n_atom: int, how: DetectionSettings
) -> str:
    """The block test: a drift of V or H beyond its error and beyond what matters; "" for none.

    Parameters
    ----------
    series : "V" (A^3), "H" (eV) of a formula unit -> (n,)
    n_atom : int            of a formula unit
    """
    volume = series["V"]
    allowed = {
        "V": how.drift_volume * float(volume.mean()),
        "H": how.drift_kT * boltzmann_in_ev_per_k() * temperature_K * n_atom,
    }
    for name, matters in allowed.items():
        line = trend(series[name])
        reach = float(student.ppf((1 + how.drift_confidence) / 2, line.dof)) * line.stderr
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
