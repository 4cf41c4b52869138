"""What an interrupted run leaves behind: one set of files per invocation, named by its first step.

`samples.<start>.txt`, `mobile.<start>.bin` and `all.<start>.bin` of the invocation that began at
`start`. A later invocation began from a restart file, so its frames replace those of the earlier
one from its first step on. What is merged is compared with the plan, frame by frame.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import TrajectoryError
from dpchannel.md.dump import Head, heads
from dpchannel.md.h5md import Array, Stream
from dpchannel.md.ondisk import in_dumps
from dpchannel.md.plan import Plan

# name in LAMMPS -> name and factor here (LAMMPS' metal units: bar, eV, A, K)
COLUMNS = {
    "temp": ("temperature_K", 1.0),
    "press": ("pressure_GPa", 1e-4),
    "pe": ("potential_eV", 1.0),
    "etotal": ("total_eV", 1.0),
    "vol": ("volume_A3", 1.0),
    "lx": ("lx_A", 1.0),
    "ly": ("ly_A", 1.0),
    "lz": ("lz_A", 1.0),
    "pxx": ("pxx_GPa", 1e-4),
    "pyy": ("pyy_GPa", 1e-4),
    "pzz": ("pzz_GPa", 1e-4),
}
_CENTRE = ("cx", "cy", "cz")
_DUMP_COLUMNS = ("id", "xsu", "ysu", "zsu")
_OF_INVOCATIONS = (
    *("samples.*.txt", "mobile.*.bin", "all.*.bin", "devi.*.txt", "log.*.lammps", "output.*.txt"),
)
_EVENTS = ("molten.*.txt", "stopped.*.txt")  # named by the step at which they happened


def starts(folder: Path) -> list[int]:
    """First steps of all invocations, ascending."""
    return sorted(int(path.name.split(".")[1]) for path in folder.glob("samples.*.txt"))


def discard_from(folder: Path, start: int) -> None:
    """Remove what invocations left that began at or after `start`: it is computed again.

    So are events after `start`; one at `start` itself is in the state that the restart file holds.
    """
    for kind in (*_OF_INVOCATIONS, *_EVENTS):
        for path in folder.glob(kind):
            step = int(path.name.split(".")[1])
            if step > start or (step == start and kind in _OF_INVOCATIONS):
                path.unlink()


def event(folder: Path, name: str) -> int | None:
    """Step of the first event of that name (`molten`, `stopped`), or None."""
    steps = [int(path.name.split(".")[1]) for path in folder.glob(f"{name}.*.txt")]
    return min(steps, default=None)


def read_stream(
    folder: Path, kind: str, steps: NDArray[np.int64], index: NDArray[np.int64], plan: Plan
) -> Stream:
    """Frames of `kind` ("mobile" or "all") at exactly `steps`, of exactly the atoms `index`.

    Their coordinates stay in the files until they are asked for.

    Raises
    ------
    TrajectoryError     a frame is missing, repeated or cut; when read, damaged or of other atoms
    """
    places: list[tuple[Path, Head]] = []
    again = f"Remove {folder} and start the run again."
    for path, head in _merged_heads(folder, kind):
        if head.step < plan.equilibrate:
            continue
        n = len(places)
        here = f"{path}: production frame {n} (step {head.step})"
        if n == len(steps) or head.step != steps[n]:
            wanted = f"step {steps[n]}" if n < len(steps) else "the end"
            raise TrajectoryError(
                f"{here} lies where {wanted} belongs: a frame is missing, repeated or out of"
                f" order. {again}"
            )
        if head.columns != _DUMP_COLUMNS:
            raise TrajectoryError(
                f"{here} has the columns {' '.join(head.columns)}, not {' '.join(_DUMP_COLUMNS)}:"
                " displacements need unwrapped scaled coordinates. Write them as the scripts in"
                f" inputs/lammps do. {again}"
            )
        if head.n_atom != len(index):
            raise TrajectoryError(
                f"{here} holds {head.n_atom} atoms, the run's start {len(index)}. {again}"
            )
        places.append((path, head))
    if (n := len(places)) < len(steps):
        raise TrajectoryError(
            f"{folder}/{kind}.*.bin: {n} of {len(steps)} frames, step {steps[n]} is the first that "
            f"is missing. {again}"
        )
    cells = np.array([head.cell for _, head in places])

    def coordinates(path: Path, step: int, values: Array) -> Array:
        here = f"{path}: production frame {int(np.searchsorted(steps, step))} (step {step})"
        if not np.array_equal(values[:, 0], index + 1):
            raise TrajectoryError(f"{here} holds other atoms than the run's start. {again}")
        if not np.isfinite(values).all():
            raise TrajectoryError(
                f"{here} holds a coordinate that is not a number: the run blew up, or the file is"
                f" damaged. {again}"
            )
        return values[:, 1:]

    scaled = in_dumps(places, len(index), coordinates)
    return Stream(steps, plan.time_ps(steps), scaled, cells, index)


def read_samples(
    folder: Path, plan: Plan
) -> tuple[dict[str, Array], dict[str, Array], NDArray[np.float64]]:
    """Columns of equilibration and of production, and the framework centre (n, 3) of production.

    Raises
    ------
    TrajectoryError     a sample is missing or not a number
    """
    table: dict[int, list[float]] = {}
    begins = starts(folder)
    for start, following in zip(begins, [*begins[1:], None], strict=True):
        for row in _rows(folder / f"samples.{start}.txt"):
            if following is None or row[0] < following:
                table[int(row[0])] = row
    steps = np.arange(0, plan.total + 1, plan.mobile_every)
    if missing := [int(step) for step in steps if step not in table]:
        raise TrajectoryError(
            f"{folder}/samples.*.txt: {len(missing)} of {len(steps)} samples are missing, "
            f"the first at step {missing[0]}. Remove {folder} and start the run again."
        )
    values = np.array([table[int(step)] for step in steps])
    if not np.isfinite(values).all():
        bad = steps[~np.isfinite(values).all(axis=1)][0]
        raise TrajectoryError(
            f"{folder}/samples.*.txt: not a number at step {bad}: the run blew up, or the file is"
            f" damaged. Remove {folder} and start the run again."
        )
    columns = {"step": values[:, 0], "time_ps": plan.time_ps(steps)}
    for k, (name, factor) in enumerate(COLUMNS.values(), start=1):
        columns[name] = values[:, k] * factor
    before = steps < plan.equilibrate
    centre = values[~before, -3:]
    return (
        {name: column[before] for name, column in columns.items()},
        {name: column[~before] for name, column in columns.items()},
        centre - centre[0],
    )


def last_sample(path: Path) -> dict[str, float] | None:
    """The newest complete line of a samples file by LAMMPS' column names, or None."""
    try:
        with open(path, "rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 4096))
            lines = stream.read().decode().split("\n")[:-1]
    except OSError:
        return None
    row = _parse(lines[-1]) if lines else None
    return None if row is None else dict(zip(("step", *COLUMNS, *_CENTRE), row, strict=True))


def _merged_heads(folder: Path, kind: str) -> Iterator[tuple[Path, Head]]:
    begins = starts(folder)
    for start, following in zip(begins, [*begins[1:], None], strict=True):
        path = folder / f"{kind}.{start}.bin"
        if not path.exists():  # stopped during equilibration
            continue
        for head in heads(path):
            # The rest, torn at its end by a kill or not, was computed again by the next one.
            if following is not None and head.step >= following:
                break
            yield path, head


def _rows(path: Path) -> Iterator[list[float]]:
    """Complete rows; the last line may be torn by a kill."""
    for line in path.read_text().split("\n")[1:-1]:
        row = _parse(line)
        if row is not None:
            yield row


def _parse(line: str) -> list[float] | None:
    words = line.split()
    if len(words) != 1 + len(COLUMNS) + len(_CENTRE):
        return None
    try:
        return [float(word) for word in words]
    except ValueError:  # the title
        return None
