"""Molecular dynamics that a potential must come through: energy kept, no atom lost or swallowed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from scipy.stats import t as student

from dpchannel.errors import EngineFailed
from dpchannel.md import lammps
from dpchannel.md.h5md import Trajectory
from dpchannel.md.progress import Note
from dpchannel.physics.blocks import N_BLOCK, trend
from dpchannel.potential.verify import Findings
from dpchannel.results import Quantity
from dpchannel.settings import (
    DriftLimits,
    MDSettings,
    ProfileSettings,
    StabilityLimits,
    SystemSettings,
)
from dpchannel.statepoint import StatePoint
from dpchannel.structures.cells import build
from dpchannel.structures.classify import classify


@dataclass(frozen=True)
class Runner:
    """The crystal, the potential and the integrator of every run.

    inputs : Path           folder of inputs, with the system's structure
    potential : Path        compressed model, or a `.lammps` file with pair commands
    work : Path             LAMMPS' files go below it; a finished run there is only read
    """

    system: SystemSettings
    inputs: Path
    potential: Path
    md: MDSettings
    work: Path
    ranks: int
    note: Note

    def run(
        self, name: str, point: StatePoint, profile: ProfileSettings, script: str = "npt.in"
    ) -> Trajectory:
        """Run at one state in the folder `name`; see md.lammps.run."""
        self.note(f"{name}: {profile.equilibrate_ps:g} + {profile.produce_ps:g} ps")
        cell, md = self.system.system.cell, self.md
        atoms = build(self.system, self.inputs, cell, profile.repeat, md.occupancy, md.seed)
        roles = classify(atoms, self.system).roles
        return lammps.run(
            self.work / name,
            atoms,
            elements=self.system.system.elements,
            potential=self.potential,
            point=point,
            profile=profile,
            md=md,
            mobile=roles["mobile"],
            framework=roles["framework"],
            ranks=self.ranks,
            note=self.note,
            script_name=script,
        )


def drift(runner: Runner, limits: DriftLimits) -> Findings:
    """Slope of the total energy at constant energy.

    Returns
    -------
    Findings                `nve_drift` (meV/atom/ps), its error from the scatter of block means
                            about the straight line
    """
    found, point = Findings(), StatePoint(limits.pressure_GPa, limits.temperature_K)
    try:
        trajectory = runner.run("nve", point, limits.run, "nve.in")
    except EngineFailed as error:
        found.miss("nve_drift", str(error))
        return found
    energy, n_atom = trajectory.thermo["total_eV"], len(trajectory.atoms)
    line = trend(energy)
    span_ps = len(energy) * (trajectory.mobile.time_ps[1] - trajectory.mobile.time_ps[0])
    per_ps = 1e3 / n_atom / float(span_ps)
    slope, stderr = line.drift * per_ps, line.stderr * per_ps
    half = float(student.ppf(0.975, line.dof)) * stderr
    quantity = Quantity(
        slope,
        "meV/atom/ps",
        stderr=stderr,
        ci95=(slope - half, slope + half),
        n=len(energy),
        n_independent=N_BLOCK,
        method="straight line through block means",
    )
    seen = f"+- {stderr:.1g}, {n_atom} atoms, {limits.run.produce_ps:g} ps"
    found.add("nve_drift", quantity, limits.limit_meV_per_atom_per_ps, limits.why, seen)
    return found


def stability(runner: Runner, limits: StabilityLimits) -> Findings:
    """NPT at each state: LAMMPS comes to the end with every atom, and none are too close.

    Returns
    -------
    Findings                `closest_<P>_<T>` (A): over all frames; a lower bound when no two atoms
                            are within twice the limit
    """
    found = Findings()
    for state in limits.states:
        point = StatePoint(state.pressure_GPa, state.temperature_K)
        label = "_".join(point.path.parts)
        try:
            trajectory = runner.run(f"npt_{label}", point, limits.run)
        except EngineFailed as error:
            found.miss(f"closest_{label}", str(error))
            continue
        distance_A, kind = closest(trajectory, 2 * limits.closest_A)
        n = len(trajectory.all.step)
        found.quantities[f"closest_{label}"] = Quantity(distance_A, "A", n=n, kind=kind)
        text = (
            f"{trajectory.mobile.step[-1]} steps, no atom lost; in {n} frames none closer than"
            f" {distance_A:.2f} A, limit {limits.closest_A:g} ({limits.why})"
        )
        found.passes(f"closest_{label}", distance_A >= limits.closest_A, text)
    return found


def closest(trajectory: Trajectory, reach_A: float) -> tuple[float, str]:
    """Shortest distance (A) of any two atoms in any frame of all atoms, and the kind of number.

    Beyond `reach_A` nothing is looked for: then it is a lower bound.
    """
    shortest, numbers = np.inf, trajectory.atoms.numbers
    stream = trajectory.all
    for scaled, cell in zip(stream.scaled, stream.cells, strict=True):
        atoms = Atoms(numbers, scaled_positions=scaled, cell=cell, pbc=True)
        shortest = min(shortest, neighbor_list("d", atoms, reach_A).min(initial=np.inf))
    if np.isfinite(shortest):
        return float(shortest), "estimate"
    return reach_A, "lower_bound"
