"""What labels were made with: two settings, or two sets of data files, are two potential energies.

Energies of labels that do not share them count from different zeros: they never meet in one file,
one data set or one loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from dpchannel.errors import InputError
from dpchannel.labels.dataset import read_labelled
from dpchannel.labels.labeler import Labeler

if TYPE_CHECKING:
    from ase import Atoms

AS_SAID = " as said for "  # in the title of labels that do not say themselves what made them


def made_of(labels: Iterable[Atoms]) -> dict[str, list[str]]:
    """Engine, settings and data files of labels: by name what they say, each once.

    Settings are told apart by elements, since an engine's digest leaves out what they do not need.
    """
    found: dict[str, dict[str, None]] = {}
    for atoms in labels:
        for name, value in _marks(atoms):
            found.setdefault(name, {})[value] = None
    return {name: list(values) for name, values in found.items()}


def mixed(labels: Iterable[Atoms]) -> str:
    """In what labels differ that do not belong together; empty when they do."""
    clashes = {name: values for name, values in made_of(labels).items() if len(values) > 1}
    return "; ".join(f"{name}: {' and '.join(values)}" for name, values in clashes.items())


def must_match(paths: Iterable[Path], engine: Labeler, frames: Iterable[Atoms]) -> None:
    """Check that labels of `frames`, made now, would belong to those in `paths`.

    Raises
    ------
    InputError
        They would not, or those in `paths` do not belong together.
    EngineMissing
        The engine's data files are not here.
    """
    there = [path for path in paths if path.exists()]
    probes = []
    for atoms in frames:
        probes.append(atoms.copy())
        probes[-1].info = engine.made_with(atoms)
    if what := mixed(chain(*map(read_labelled, there), probes)):
        raise InputError(
            f"{', '.join(map(str, there))}: labels there were not made as now: {what}. Put "
            f"the settings of {engine.name} and its data files back, or begin in another folder: "
            "energies of two settings have two zeros."
        )


def _marks(atoms: Atoms) -> Iterator[tuple[str, str]]:
    """A data set joins what its frames say with ` + `."""
    info = atoms.info
    for title in str(info.get("engine", "")).split(" + "):
        if title and AS_SAID not in title:
            yield "engine", title
    spin = ", polarised" if info.get("spin_polarised", False) else ""
    for digest in filter(None, str(info.get("settings", "")).split(" + ")):
        yield f"settings for {' '.join(sorted(set(atoms.symbols)))}{spin}", digest
    for name, _, digest in (p.partition(":") for p in str(info.get("data_sha256", "")).split()):
        yield name, digest
