"""What a benchmark found, and how it is written: a result, with arrays and structures beside."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ase import Atoms
from numpy.typing import NDArray

from dpchannel.benchmark.engines import Engine
from dpchannel.potential.verify import Findings
from dpchannel.results import Result, provenance, relative, replacing, sha256, write_arrays
from dpchannel.settings import Strict
from dpchannel.structures.io import PIPE, write_structure


@dataclass
class Outcome(Findings):
    """Quantities and checks of one task, with what they were read from.

    state : dict            of the result, beside system and engine
    summary : str           the sentence a person reads
    arrays : name -> array  for the figure
    structures : name -> Atoms or list  written as <name>.extxyz, with the engine in `info`
    texts : file name -> text           anything else to keep
    """

    state: dict[str, Any] = field(default_factory=dict)
    summary: str = ""
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    structures: dict[str, Atoms | list[Atoms]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """Name of a benchmark, its engine and settings, and when it began.

    inputs : files it read, whose hashes go into the result
    """

    name: str
    engine: Engine
    settings: Strict
    cores: int
    started: float = field(default_factory=time.time)
    inputs: tuple[Path, ...] = ()


def write(task: Task, outcome: Outcome, out: Path) -> Result:
    """Write arrays and structures beside `out`, then the result; `-` is the result on stdout alone.

    Returns
    -------
    Result                  what was written
    """
    head = task.engine.system.system
    files = {relative(path): sha256(path) for path in task.inputs}
    if out != PIPE:
        files |= {relative(path): sha256(path) for path in _beside(task, outcome, out.parent)}
    state = {
        "compound": head.title,
        "engine": task.engine.label,
        "energy_zero": task.engine.zero,
    } | outcome.state
    result = Result(
        task.name,
        head.name,
        state,
        outcome.quantities,
        outcome.checks,
        files,
        provenance(
            settings=task.settings.model_dump(mode="json"),
            potential=task.engine.potential,
            cores=task.cores,
            started=task.started,
        ),
        outcome.summary,
    )
    if out == PIPE:
        sys.stdout.write(result.to_json())
    else:
        result.write(out)
    return result


def _beside(task: Task, outcome: Outcome, folder: Path) -> Iterable[Path]:
    if outcome.arrays:
        write_arrays(folder / f"{task.name}.npz", outcome.arrays)
        yield folder / f"{task.name}.npz"
    for name, atoms in outcome.structures.items():
        for one in [atoms] if isinstance(atoms, Atoms) else atoms:
            one.info["engine"] = task.engine.label
        write_structure(folder / f"{name}.extxyz", atoms)
        yield folder / f"{name}.extxyz"
    for name, text in outcome.texts.items():
        with replacing(folder / name) as aside:
            aside.write_text(text)
        yield folder / name
