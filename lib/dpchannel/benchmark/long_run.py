"""A long run's files as LAMMPS would write them, made of random numbers, frame by frame.

The crystal shakes, its ions hop along their channels at a rate. The cell is constant and the
framework's centre at rest: then tools that subtract no drift, or another mean of it, and tools that
take the box of each frame, all have the same answer.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from dpchannel.md.plan import Plan
from dpchannel.md.segments import COLUMNS
from dpchannel.physics.arrays import Array, IntArray
from dpchannel.results import project_root, replacing
from dpchannel.settings import SystemSettings, load
from dpchannel.structures.cells import build
from dpchannel.structures.classify import Sites, classify
from dpchannel.units import BAR_PER_GPA

SHAKE_A = 0.1
HOPS_PER_PS = 0.01  # of each ion
EVERY, ALL_EVERY = 100, 10_000  # steps of 1 fs between frames of ions, and of all atoms
IONS_TEXT, ALL_TEXT = "ions.lammpstrj", "all.lammpstrj"
FEEDS = {"ions": IONS_TEXT, "all": ALL_TEXT}


@dataclass(frozen=True, eq=False)
class LongRun:
    """What is written: `n_frame` frames of the ions of a crystal at one state point."""

    atoms: Atoms
    sites: Sites
    sites_per_cell: int
    n_frame: int
    temperature_K: float
    pressure_GPa: float
    seed: int

    @property
    def plan(self) -> Plan:
        """Production from the first step on."""
        return Plan(0.001, 0, (self.n_frame - 1) * EVERY, EVERY, ALL_EVERY, ALL_EVERY)

    @property
    def two_of_framework(self) -> IntArray:
        """Two framework atoms that shake against each other, for tools that need a framework."""
        return _pairs(self.atoms, self.sites.roles["framework"])[0]


def of_job(job: Mapping[str, Any]) -> LongRun:
    """The run of a job: system (file), repeat, frames, temperature_K, pressure_GPa and seed."""
    system = load(SystemSettings, Path(job["system"]))
    inputs = project_root() / "inputs"
    atoms = build(system, inputs, system.system.cell, job["repeat"], "ordered", job["seed"])
    return LongRun(
        atoms,
        classify(atoms, system),
        system.channel.sites_per_cell,
        job["frames"],
        job["temperature_K"],
        job["pressure_GPa"],
        job["seed"],
    )


def write(folder: Path, run: LongRun, feeds: tuple[str, ...]) -> None:
    """Write `samples.0.txt`, `mobile.0.bin` and `all.0.bin`, and the text dumps of `feeds`.

    Parameters
    ----------
    feeds : names       `ions`: the ions and two framework atoms at every frame, unwrapped Cartesian
                        with nine digits, since the default six are too few; `all`: every atom
    """
    folder.mkdir(parents=True, exist_ok=True)
    mobile, edges = np.sort(run.sites.mobile), run.atoms.cell.lengths()
    everyone = np.arange(len(run.atoms))
    listed = {"ions": np.sort(np.r_[mobile, run.two_of_framework]), "all": everyone}
    types = np.unique(run.atoms.numbers, return_inverse=True)[1] + 1
    with ExitStack() as files:
        names = ["samples.0.txt", "mobile.0.bin", "all.0.bin", *(FEEDS[feed] for feed in feeds)]
        samples, ions, full, *texts = (
            files.enter_context(open(files.enter_context(replacing(folder / name)), mode))
            for name, mode in zip(names, ["w", "wb", "wb", *["w"] * len(feeds)], strict=True)
        )
        samples.write(f"step {' '.join(COLUMNS)} cx cy cz\n")
        for step, scaled in _frames(run):
            samples.write(_sample(step, run, edges))
            _write_binary(ions, step, edges, mobile, scaled[mobile])
            if step % ALL_EVERY == 0:
                _write_binary(full, step, edges, everyone, scaled)
            for feed, text in zip(feeds, texts, strict=True):
                atoms = listed[feed]
                _write_text(text, step, edges, atoms, types[atoms], scaled[atoms] * edges)


def _frames(run: LongRun) -> Iterator[tuple[int, Array]]:
    """Step and unwrapped scaled coordinates (n_atom, 3), one frame after the other."""
    rng = np.random.default_rng(run.seed)
    at_rest = run.atoms.get_scaled_positions(wrap=False)
    edges, mobile = run.atoms.cell.lengths(), np.sort(run.sites.mobile)
    pairs = _pairs(run.atoms, np.setdiff1d(np.arange(len(run.atoms)), mobile))
    periods = run.sites.n_formula / len(run.sites.column_xy)
    hop = 1 / (periods * run.sites_per_cell)
    walk = np.zeros(len(mobile))
    for k in range(run.n_frame):
        scaled = at_rest.copy()
        shake = SHAKE_A * rng.standard_normal((len(pairs), 3)) / edges
        scaled[pairs[:, 0]] += shake
        scaled[pairs[:, 1]] -= shake
        hops = rng.random(len(mobile)) < (HOPS_PER_PS * EVERY / 1000 if k else 0)
        walk += hops * rng.choice([-hop, hop], len(mobile))
        scaled[mobile] += SHAKE_A * rng.standard_normal((len(mobile), 3)) / edges
        scaled[mobile, run.sites.axis_index] += walk
        yield k * EVERY, scaled


def _pairs(atoms: Atoms, chosen: IntArray) -> IntArray:
    """Pairs (n_pair, 2) of atoms of one element; an odd one out is left at rest."""
    found = []
    for number in np.unique(atoms.numbers[chosen]):
        same = chosen[atoms.numbers[chosen] == number]
        found.append(same[: len(same) // 2 * 2].reshape(-1, 2))
    return np.concatenate(found)


def _sample(step: int, run: LongRun, edges: Array) -> str:
    bar = run.pressure_GPa * BAR_PER_GPA
    known = {"temp": run.temperature_K, "press": bar, "vol": float(np.prod(edges))}
    known |= dict(zip(("lx", "ly", "lz"), map(float, edges), strict=True))
    known |= dict.fromkeys(("pxx", "pyy", "pzz"), bar)
    values = [known.get(name, 0.0) for name in COLUMNS] + [0.0, 0.0, 0.0]
    return f"{step} {' '.join(format(value, '.17g') for value in values)}\n"


def _write_binary(stream: IO[bytes], step: int, edges: Array, atoms: IntArray, s: Array) -> None:
    """One frame of `dump custom ... id xsu ysu zsu` to a file ending in .bin; see md/dump.py."""
    columns = b"id xsu ysu zsu"
    head = [(-10, "<i8"), (b"DUMPCUSTOM", "S10"), (1, "<i4"), (2, "<i4"), (step, "<i8")]
    head += [(len(atoms), "<i8"), (0, "<i4"), ([1, 1] * 3, "<i4")]
    head += [(np.stack([0 * edges, edges], axis=1).ravel(), "<f8"), (4, "<i4"), (0, "<i4")]
    head += [(0, "<i1"), (len(columns), "<i4"), (columns, "S14"), (1, "<i4")]
    head += [(4 * len(atoms), "<i4"), (np.column_stack([atoms + 1, s]), "<f8")]
    stream.write(b"".join(np.asarray(value, kind).tobytes() for value, kind in head))


def _write_text(
    stream: IO[str],
    step: int,
    edges: Array,
    atoms: IntArray,
    types: NDArray[np.integer],
    positions: Array,
) -> None:
    box = "".join(f"{0.0:.16e} {edge:.16e}\n" for edge in edges)
    rows = np.column_stack([atoms + 1, types, positions])
    stream.write(f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n")
    stream.write(f"ITEM: BOX BOUNDS pp pp pp\n{box}ITEM: ATOMS id type xu yu zu\n")
    stream.write("%d %d %.9g %.9g %.9g\n" * len(atoms) % tuple(rows.ravel()))
