"""More models beside the one that drives: how far their forces are apart along a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.md.h5md import Trajectory

Array = NDArray[np.float64]
STEP, FORCE, VIRIAL = "step", "max_devi_f", "max_devi_v"


@dataclass(frozen=True)
class Deviation:
    """One row a frame: `step` (n,); `force` (n,) eV/A, of the atom where it is largest; `virial`
    (n,) eV/atom, of its largest component.
    """

    step: NDArray[np.int64]
    force: Array
    virial: Array


def variables(others: Sequence[Path]) -> dict[str, str]:
    """What ramp.in and coexistence.in take for a committee; nothing without one."""
    if not others:
        return {}
    quoted = " ".join(f'"{path.resolve()}"' for path in others)
    return {"pair": "committee", "others": quoted}


def note_deviation(trajectory: Trajectory, work: Path) -> None:
    """Add to its meta `deviation_step` and `deviation_max_eV_per_A`, a number for every frame."""
    step, deviation = read_all(work)
    trajectory.meta["deviation_step"] = step.tolist()
    trajectory.meta["deviation_max_eV_per_A"] = deviation.tolist()


def mean_deviation(trajectory: Trajectory, steps: NDArray[np.int64]) -> float:
    """Largest deviation of a force (eV/A), mean over these steps; nan without a committee."""
    if "deviation_step" not in trajectory.meta:
        return float("nan")
    at = np.asarray(trajectory.meta["deviation_step"])
    inside = (at >= steps[0]) & (at <= steps[-1])
    return float(np.mean(np.asarray(trajectory.meta["deviation_max_eV_per_A"])[inside]))


def read_all(work: Path) -> tuple[NDArray[np.int64], Array]:
    """Step and largest deviation of a force (eV/A) in every line of devi.*.txt, merged.

    Of lines for one step, those of the later invocation count; one that was killed at its start
    left no line.

    Raises
    ------
    InputError          a file is damaged
    """
    table: dict[int, float] = {}
    files = sorted(work.glob("devi.*.txt"), key=lambda path: int(path.name.split(".")[1]))
    for path in files:
        if b"\n" in path.read_bytes():
            found = read_deviation(path)
            table |= dict(zip(found.step.tolist(), found.force.tolist(), strict=True))
    steps = np.array(sorted(table), np.int64)
    return steps, np.array([table[step] for step in steps.tolist()])


def read_deviation(path: Path) -> Deviation:
    """Rows of model_devi.out or devi.*.txt; columns by name, without a torn last line.

    Raises
    ------
    InputError
        No such file, no header, a column is missing, or a row of another length.

    Source: `pair_style deepmd` of DeePMD-kit 3; the deviation of an atom is the root mean square,
    over the committee, of the distance of its force from the mean force (Zhang et al., 2019).
    """
    try:
        lines = path.read_text().split("\n")[:-1]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Run it again.") from None
    names = lines[0].lstrip("# ").split() if lines and lines[0].startswith("#") else []
    if missing := [name for name in (STEP, FORCE, VIRIAL) if name not in names]:
        raise InputError(f"{path}: no column {missing[0]}. Was it written by pair_style deepmd?")
    rows = [line.split() for line in lines[1:] if not line.startswith("#")]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise InputError(f"{path}: line {number} has {len(row)} of {len(names)} columns.")
    try:
        table = np.array(rows, dtype=float).reshape(len(rows), len(names))
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}). Run it again.") from None
    step, force, virial = (table[:, names.index(name)] for name in (STEP, FORCE, VIRIAL))
    return Deviation(step.astype(np.int64), force, virial)
