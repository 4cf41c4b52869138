"""More models beside the one that drives: how far their forces are apart along a run."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpchannel.md.h5md import Trajectory

Array = NDArray[np.float64]


def variables(others: Sequence[Path]) -> dict[str, str]:
    """What ramp.in and coexistence.in take for a committee; nothing without one."""
    if not others:
        return {}
    quoted = " ".join(f'"{path.resolve()}"' for path in others)
    return {"pair": "committee", "others": quoted}


def note_deviation(trajectory: Trajectory, work: Path) -> None:
    """Add to its meta `deviation_step` and `deviation_max_eV_per_A`, a number for every frame."""
    step, deviation = read_deviation(work)
    trajectory.meta["deviation_step"] = step.astype(int).tolist()
    trajectory.meta["deviation_max_eV_per_A"] = deviation.tolist()


def mean_deviation(trajectory: Trajectory, steps: NDArray[np.int64]) -> float:
    """Largest deviation of a force (eV/A), mean over these steps; nan without a committee."""
    if "deviation_step" not in trajectory.meta:
        return float("nan")
    at = np.asarray(trajectory.meta["deviation_step"])
    inside = (at >= steps[0]) & (at <= steps[-1])
    return float(np.mean(np.asarray(trajectory.meta["deviation_max_eV_per_A"])[inside]))


def read_deviation(work: Path) -> tuple[Array, Array]:
    """Step and largest deviation of the force (eV/A) in every line of devi.*.txt, merged.

    Of lines for one step, those of the later invocation count.
    """
    table: dict[float, float] = {}
    files = sorted(work.glob("devi.*.txt"), key=lambda path: int(path.name.split(".")[1]))
    for path in files:
        for line in path.read_text().splitlines():
            words = line.split()
            # step, then largest, smallest and mean deviation of virial and of force
            if not line.startswith("#") and len(words) >= 7:
                table[float(words[0])] = float(words[4])
    steps = np.array(sorted(table))
    return steps, np.array([table[step] for step in steps])
