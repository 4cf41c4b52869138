"""A trajectory, and one H5MD file of it, written in one step and read where it is asked for.

Groups: `particles/mobile` (mobile ions, often) and `particles/all` (every atom, sparsely), each
with position (float32, Cartesian, unwrapped: for viewers), scaled (float64, unwrapped: for the
analysis), box edges, step and time; `observables/framework_centre`, `observables/thermo` and
`observables/equilibration`; `dpchannel` with the start structure and meta as text. Coordinates
pass through memory in blocks. They are not compressed: thermal noise does not shrink.
Source: H5MD 1.1, https://www.nongnu.org/h5md/h5md.html.
"""

import io
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ase.io
import h5py
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from dpchannel.errors import TrajectoryError
from dpchannel.md.ondisk import Scaled, frame_blocks, in_h5
from dpchannel.results import replacing

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SCHEMA = "dpchannel.trajectory/1"


@dataclass(frozen=True, eq=False)
class Stream:
    """Evenly spaced frames of some atoms.

    step : (n,)                     MD step
    time_ps : (n,) ps               since the start of production
    scaled : (n, n_atom, 3)         unwrapped scaled coordinates, in memory or on disk
    cells : (n, 3, 3) A             rows are the cell vectors
    index : (n_atom,)               0-based atom index in the start structure
    """

    step: Index
    time_ps: Array
    scaled: Scaled
    cells: Array
    index: Index


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One production run.

    mobile, all : Stream            the mobile ions, often; every atom, sparsely
    centre : (n, 3)                 mass-weighted displacement of the framework in scaled
                                    coordinates since the first frame, on the steps of `mobile`
    thermo : column -> (n,)         production, on the steps of `mobile`; see COLUMNS of segments.py
    equilibration : column -> (m,)  the same before production; time is negative
    timestep_ps : ps                one MD step
    atoms : Atoms                   the start
    meta : dict                     state, settings, potential, versions, seed, ranks;
                                    bin/md.py adds system, profile and checks
    """

    mobile: Stream
    all: Stream
    centre: Array
    thermo: dict[str, Array]
    equilibration: dict[str, Array]
    timestep_ps: float
    atoms: Atoms
    meta: dict[str, Any]

    @property
    def time_ps(self) -> Array:
        """Time (n,) ps of the mobile stream."""
        return self.mobile.time_ps


def write_h5md(path: Path, trajectory: Trajectory) -> None:
    """Write the file in one step: an earlier one stays until the new one is complete."""
    with replacing(path) as aside, h5py.File(aside, "w") as file:
        head = file.create_group("h5md")
        head.attrs["version"] = np.array([1, 1])
        head.create_group("author").attrs["name"] = "dpchannel"
        creator = head.create_group("creator")
        creator.attrs["name"], creator.attrs["version"] = "dpchannel", SCHEMA
        for name in ("mobile", "all"):
            stream = getattr(trajectory, name)
            symbols = np.array(trajectory.atoms.get_chemical_symbols())[stream.index]
            _write_stream(file.create_group(f"particles/{name}"), stream, symbols)
        observables = file.create_group("observables")
        _write_element(observables, "framework_centre", trajectory.mobile, trajectory.centre, "")
        for name in ("thermo", "equilibration"):
            group = observables.create_group(name)
            for column, values in getattr(trajectory, name).items():
                group.create_dataset(column, data=values)
        own = file.create_group("dpchannel")
        own.attrs["schema"] = SCHEMA
        own.attrs["timestep_ps"] = trajectory.timestep_ps
        own.create_dataset("structure", data=_as_extxyz(trajectory.atoms))
        own.create_dataset("meta", data=json.dumps(trajectory.meta, indent=1))


@contextmanager
def as_file(path: Path) -> Iterator[Path]:
    """`path`, or for `-` what stdin holds, as a file while the block runs.

    Raises
    ------
    TrajectoryError     nothing on stdin
    """
    if str(path) != "-":
        yield path
        return
    with TemporaryDirectory() as folder:
        kept = Path(folder) / "traj.h5"
        with open(kept, "wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        if not kept.stat().st_size:
            raise TrajectoryError("stdin: empty. Did the command before the pipe fail?")
        yield kept


def read_h5md(path: Path) -> Trajectory:
    """Read a trajectory written by `write_h5md`; coordinates stay in it until they are asked for.

    Raises
    ------
    TrajectoryError     missing, truncated, damaged, or not such a file
    """
    if not Path(path).is_file():
        raise TrajectoryError(f"{path}: no such file. Run molecular dynamics first (bin/md.py).")
    try:
        with h5py.File(path, "r") as file:
            own = file["dpchannel"]
            if own.attrs["schema"] != SCHEMA:
                raise KeyError(f"schema {own.attrs['schema']!r}")
            return Trajectory(
                mobile=_read_stream(path, file, "particles/mobile"),
                all=_read_stream(path, file, "particles/all"),
                centre=file["observables/framework_centre/value"][:],
                thermo=_read_columns(file["observables/thermo"]),
                equilibration=_read_columns(file["observables/equilibration"]),
                timestep_ps=float(own.attrs["timestep_ps"]),
                atoms=_from_extxyz(own["structure"].asstr()[()]),
                meta=json.loads(own["meta"].asstr()[()]),
            )
    except (OSError, KeyError, ValueError, AttributeError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrajectoryError(
            f"{path}: not a readable {SCHEMA} file ({reason}). Remove it and run bin/md.py again."
        ) from None


def _write_stream(group: h5py.Group, stream: Stream, symbols: NDArray[np.str_]) -> None:
    box = group.create_group("box")
    box.attrs["dimension"] = 3
    box.attrs["boundary"] = np.array([b"periodic"] * 3)
    _write_element(box, "edges", stream, stream.cells, "Angstrom")
    shape = stream.scaled.shape
    position = _write_element(group, "position", stream, (shape, np.float32), "Angstrom")
    scaled = _write_element(group, "scaled", stream, (shape, np.float64), "")
    for part in frame_blocks(shape):
        block = np.asarray(stream.scaled[part])
        scaled[part] = block
        position[part] = block @ stream.cells[part]
    group.create_dataset("id", data=stream.index)
    group.create_dataset("species", data=symbols.astype("S2"))


def _write_element(
    parent: h5py.Group, name: str, stream: Stream, value: Any, unit: str
) -> h5py.Dataset:
    """One H5MD time series: step, time, value; the latter an array, or (shape, dtype) to fill."""
    group = parent.create_group(name)
    group.create_dataset("step", data=stream.step)
    group.create_dataset("time", data=stream.time_ps).attrs["unit"] = "ps"
    if isinstance(value, tuple):
        data = group.create_dataset("value", *value)
    else:
        data = group.create_dataset("value", data=value, compression="gzip", shuffle=True)
    if unit:
        data.attrs["unit"] = unit
    return data


def _read_stream(path: Path, file: h5py.File, name: str) -> Stream:
    group = file[name]
    scaled = group["scaled"]
    return Stream(
        step=scaled["step"][:],
        time_ps=scaled["time"][:],
        scaled=in_h5(path, f"{name}/scaled/value"),
        cells=group["box/edges/value"][:],
        index=group["id"][:],
    )


def _read_columns(group: h5py.Group) -> dict[str, Array]:
    return {name: group[name][:] for name in group}


def _as_extxyz(atoms: Atoms) -> str:
    text = io.StringIO()
    ase.io.write(text, atoms, format="extxyz")
    return text.getvalue()


def _from_extxyz(text: str) -> Atoms:
    atoms = ase.io.read(io.StringIO(text), format="extxyz", index=-1)
    assert isinstance(atoms, Atoms)
    return atoms
