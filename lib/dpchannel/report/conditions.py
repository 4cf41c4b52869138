"""What must hold before displacements in a crystal under NPT mean anything."""

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError, TrajectoryError
from dpchannel.md.h5md import Trajectory
from dpchannel.physics import displacement
from dpchannel.results import Check
from dpchannel.settings import SystemSettings
from dpchannel.structures.classify import Sites

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MAX_CENTRE_MISMATCH_A = 1e-3


def require_usable(trajectory: Trajectory, system: SystemSettings, where: str) -> None:
    """The right system, finite numbers, evenly spaced frames.

    Raises
    ------
    InputError          the trajectory is one of another system
    TrajectoryError     a number is not finite, or frames repeat or are missing
    """
    meant = trajectory.meta.get("system", system.system.name)
    if meant != system.system.name:
        raise InputError(
            f"{where}: holds {meant}, not {system.system.name}. Give its own --system."
        )
    for name, stream in (("mobile", trajectory.mobile), ("all", trajectory.all)):
        displacement.require_even_steps(stream.step, f"{where}, {name} atoms")
        for what, values in (("positions", stream.scaled), ("cells", stream.cells)):
            _require_finite(values, f"{where}, {name} atoms, {what}")
    _require_finite(trajectory.centre, f"{where}, framework centre")
    for column, values in trajectory.thermo.items():
        _require_finite(values, f"{where}, {column}")


def _require_finite(values: Array, what: str) -> None:
    bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if bad.any():
        raise TrajectoryError(
            f"{what}: frame {int(bad.argmax())} holds a number that is not finite. "
            "The run blew up or the file is damaged: remove it and run bin/md.py again."
        )


def mobile_columns(sites: Sites, index: Index, where: str) -> list[Index]:
    """Ions of every channel that has any, as positions in the mobile stream."""
    if not np.array_equal(np.sort(sites.mobile), np.sort(index)):
        raise TrajectoryError(
            f"{where}: its {len(index)} mobile ions are not the {len(sites.mobile)} of the start "
            "structure. Remove the file and run bin/md.py again."
        )
    place = {int(atom): k for k, atom in enumerate(index)}
    return [np.array([place[int(a)] for a in column]) for column in sites.columns if len(column)]


def whole_crystal(trajectory: Trajectory, sites: Sites, where: str) -> tuple[Array, list[Check]]:
    """All atoms in the lattice frame, and the conditions under which such a frame exists.

    Returns
    -------
    (n_frame, n_atom, 3) A, checks

    Raises
    ------
    NotConverged        a framework atom left its site, so there is no lattice frame
    """
    stream, framework = trajectory.all, sites.roles["framework"]
    masses = trajectory.atoms.get_masses()
    centre = displacement.framework_centre(stream.scaled[:, framework], masses[framework])
    positions = displacement.lattice_frame(stream.scaled, centre, stream.cells)
    mean_cell = stream.cells.mean(axis=0)
    on_site = displacement.require_framework(positions[:, framework], mean_cell, where)
    cells = trajectory.mobile.cells
    verdicts = {
        "stationary_cell": displacement.check_stationary(cells),
        "no_flips": displacement.check_no_flips(cells),
        "image_flags": displacement.check_images(trajectory.mobile.scaled),
        "framework_on_site": (True, on_site),
        "centre_of_mass": displacement.check_centre_of_mass(stream.scaled, masses, stream.cells),
        "channel_axis": displacement.check_channel_axis(mean_cell, sites.axis_index),
        "framework_centre": _same_centre(trajectory, centre, mean_cell),
    }
    even = f"{len(trajectory.mobile.step)} frames of ions, {len(stream.step)} of all atoms"
    checks = [Check("equal_spacing", True, f"{even}, evenly spaced")]
    return positions, checks + [Check(name, *verdict) for name, verdict in verdicts.items()]


def _same_centre(trajectory: Trajectory, centre: Array, cell: Array) -> tuple[bool, str]:
    """The centre that MD wrote is the one that the positions of the framework give."""
    _, here, there = np.intersect1d(
        trajectory.all.step, trajectory.mobile.step, return_indices=True
    )
    if len(here) == 0:
        return False, "no frame holds both all atoms and the framework centre"
    difference = (centre[here] - centre[here[0]]) - (
        trajectory.centre[there] - trajectory.centre[there[0]]
    )
    largest = float(np.linalg.norm(difference @ cell, axis=1).max())
    text = f"centre of MD and of the frames differ by {largest:.1e} A at most"
    return largest <= MAX_CENTRE_MISMATCH_A, f"{text} (limit {MAX_CENTRE_MISMATCH_A:g} A)"
