"""Which frames are worth a label: candidates by deviation, thinned out in descriptor space."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import TrajectoryError
from dpchannel.labels.labeler import frame_id
from dpchannel.learn.deviation import is_candidate, lower_bound
from dpchannel.learn.explore import FRAMES, START, Lengths, Task, read
from dpchannel.md.dump import frames as dumped

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import FramesSettings
    from dpchannel.settings.learn import LoopProfile, SelectSettings

Array = NDArray[np.float64]
Note = Callable[[str], None]


def candidates(
    folder: Path,
    tasks: Sequence[Task],
    lengths: Lengths,
    profile: LoopProfile,
    rules: FramesSettings,
    elements: Sequence[str],
    *,
    iteration: int,
    at_most: int,
) -> list[Atoms]:
    """Frames of an exploration whose deviation lies between the bounds, `at_most` drawn at random.

    Frames with atoms closer than the candidate frames of inputs/labels.toml may be are left out.
    `info` says class, trajectory, split, seed, T (K), P (GPa) and the deviation.
    """
    found = [read(folder, task, lengths)[0] for task in tasks]
    low = lower_bound([d.force for d in found], profile.trust)
    chosen = [
        (n, int(step), float(force))
        for n, d in enumerate(found)
        for step, force in zip(d.step, d.force, strict=True)
        if is_candidate(np.array(force), low, profile.trust.high_eV_per_A)
    ]
    rng = np.random.default_rng([iteration, len(chosen)])
    drawn = [chosen[k] for k in sorted(rng.permutation(len(chosen))[:at_most])]
    wanted: dict[int, dict[int, float]] = {}
    for n, step, force in drawn:
        wanted.setdefault(n, {})[step] = force
    return [
        atoms
        for n, steps in wanted.items()
        for atoms in _frames(folder, tasks[n], steps, rules, elements, iteration)
    ]


def descriptors(model: Path, frames: Sequence[Atoms], elements: Sequence[str]) -> Array:
    """(n_frame, n) mean and spread, over the atoms of each element, of what the network sees.

    The descriptor of the potential itself (DeepPot.eval_descriptor): frames that lie together
    here look alike to it. The spread keeps one strange atom among hundreds in sight.
    """
    from dpchannel.potential.calculator import quiet

    with quiet():
        from deepmd.infer import DeepPot

        potential = DeepPot(str(model))
    types = list(potential.get_type_map())
    rows = []
    for atoms in frames:
        kinds = np.array([types.index(s) for s in atoms.get_chemical_symbols()])
        seen = potential.eval_descriptor(
            atoms.positions.reshape(1, -1), atoms.cell.array.reshape(1, -1), kinds
        ).reshape(len(atoms), -1)
        parts = [seen[kinds == types.index(e)] for e in elements]
        rows.append(
            np.concatenate(
                [f(p, axis=0) if len(p) else 0 * seen[0] for p in parts for f in (np.mean, np.std)]
            )
        )
    return np.array(rows)


def farthest_first(points: Array, known: Array, *, at_most: int, distinct: float) -> list[int]:
    """Rows of `points` (n, d) in the order in which each lies farthest from all before it.

    Parameters
    ----------
    known : (m, d)
        What is there already: the first one lies farthest from these. With none it is the one
        nearest to the middle.
    at_most : int
        Rows to return.
    distinct : float
        It ends where the farthest is nearer than this, in units of the spread of `known` (root
        mean square distance from its mean), or of `points` when fewer than two are known.
    """
    if len(points) == 0 or at_most == 0:
        return []
    reference = known if len(known) > 1 else points
    spread = float(np.sqrt(((reference - reference.mean(axis=0)) ** 2).sum(axis=1).mean()))
    if len(known):
        nearest = np.min([np.linalg.norm(points - k, axis=1) for k in known], axis=0)
        first = int(nearest.argmax())
    else:
        nearest = np.full(len(points), np.inf)
        first = int(np.linalg.norm(points - points.mean(axis=0), axis=1).argmin())
    taken: list[int] = []
    while len(taken) < at_most and nearest[first] > distinct * spread:
        taken.append(first)
        nearest = np.minimum(nearest, np.linalg.norm(points - points[first], axis=1))
        nearest[taken] = -1.0
        first = int(nearest.argmax())
    return taken


def thin_out(
    frames: Sequence[Atoms],
    known: Sequence[Atoms],
    model: Path,
    elements: Sequence[str],
    settings: SelectSettings,
    *,
    at_most: int,
) -> list[Atoms]:
    """The frames to label, the most different first; `known` are those trained on."""
    rng = np.random.default_rng(len(known))
    some = [known[k] for k in sorted(rng.permutation(len(known))[: settings.pool])]
    seen = descriptors(model, [*frames, *some], elements)
    points, others = seen[: len(frames)], seen[len(frames) :]
    order = farthest_first(points, others, at_most=at_most, distinct=settings.distinct)
    return [frames[k] for k in order]


def _frames(
    folder: Path,
    task: Task,
    steps: dict[int, float],
    rules: FramesSettings,
    elements: Sequence[str],
    iteration: int,
) -> Iterator[Atoms]:
    from ase import Atoms
    from ase.neighborlist import neighbor_list

    symbols = _symbols(folder / task.name / START, elements)
    hot = task.temperature_K >= rules.explored.hot_from_K
    try:
        for frame in dumped(folder / task.name / FRAMES):
            if frame.step not in steps:
                continue
            scaled = frame.values[:, 1:]
            atoms = Atoms(symbols, scaled_positions=scaled, cell=frame.cell, pbc=True)
            if len(neighbor_list("i", atoms, rules.explored.closest_A)):
                continue
            atoms.info = {
                "class": "hot" if hot else "crystal",
                "seed": task.seed,
                "trajectory": trajectory(iteration, task),
                "split": "test" if task.held_out else "train",
                "frame": frame.step,
                "T": task.temperature_K,
                "P": task.pressure_GPa,
                "max_devi_f": steps[frame.step],
            }
            atoms.info["frame_id"] = frame_id(atoms)
            yield atoms
    except TrajectoryError:
        return  # a run that blew up leaves its last frame torn


def trajectory(iteration: int, task: Task) -> str:
    """The name by which a trajectory is held out or not."""
    return f"iter.{iteration:06d}.{task.name}"


def _symbols(path: Path, elements: Sequence[str]) -> list[str]:
    """Elements of the atoms of a LAMMPS data file, by id."""
    lines = path.read_text().split("Atoms # atomic")[1].splitlines()
    pairs = sorted(tuple(map(int, line.split()[:2])) for line in lines if line.strip())
    return [elements[kind - 1] for _, kind in pairs]
