"""From labelled frames to deepmd/npy folders, with a record of where every frame came from.

`<root>/<train|test>/<class>-<n_atom>[-k]/` in dpdata's deepmd/npy format, the atoms of every frame
sorted by the order of the elements in the system's TOML; beside them
`origin.json` (engine, counts, refusals, hashes) and `frames.tsv` (one line a frame, so that the
split by trajectory can be audited).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.errors import InputError
from dpchannel.labels.gate import problem
from dpchannel.labels.labeler import frame_id
from dpchannel.results import relative, sha256
from dpchannel.units import pressure_of

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import GateSettings

SCHEMA = "dpchannel.labels/1"
PARTS = {"train", "test", "frames.tsv", "origin.json"}
MADE = ("versions", "settings", "data_sha256", "titel")  # what labels say beside their engine
COLUMNS = (
    "split",
    "folder",
    "index",
    "class",
    "trajectory",
    "seed",
    "T_K",
    "P_GPa",
    "static_GPa",
    "frame_id",
)


@dataclass(frozen=True)
class Record:
    """One accepted frame and its place in the data set."""

    atoms: Atoms
    frame_id: str
    split: str
    kind: str
    trajectory: str

    @property
    def static_GPa(self) -> float:
        """Static pressure of the frame, from its virial."""
        return pressure_of(self.atoms.get_stress(voigt=False))


def read_labelled(path: Path) -> Iterator[Atoms]:
    """Frames of an extxyz file; a file cut in the middle of a frame is an InputError."""
    from ase.io import iread

    number = 0
    try:
        for atoms in iread(path, index=":", format="extxyz"):
            number += 1
            yield atoms
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except (ValueError, KeyError, IndexError, AssertionError, StopIteration) as error:
        raise InputError(
            f"{path}: frame {number} (from 0) is damaged or cut short ({error}). "
            "Resume the labelling, which repairs the end of the file, or cut that frame."
        ) from None


def trajectory_of(atoms: Atoms) -> str:
    """What must stay on one side of the split: the trajectory, or the seed the frame grew from."""
    name = str(atoms.info.get("trajectory", ""))
    return name or f"{atoms.info.get('class', 'unknown')}-{atoms.info.get('seed', 0)}"


def virial(atoms: Atoms) -> np.ndarray:
    """Virial (3, 3) in eV as DeePMD-kit defines it: -dE/dstrain = -V x stress of ASE."""
    return -np.asarray(atoms.get_stress(voigt=False)) * atoms.get_volume()


def build(
    sources: Sequence[Path],
    root: Path,
    *,
    system: str,
    elements: Sequence[str],
    gate: GateSettings,
    held_out: Sequence[str],
    engine: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a data set from labelled extxyz files, replacing `root` only when all went well.

    Parameters
    ----------
    sources : paths of extxyz files
        Frames carry energy, forces and stress; `info` says `class`, `trajectory`, `seed`, `T` (K),
        `P` (GPa) as far as they are known.
    elements : sequence of str
        The type map, in the order of the system's TOML.
    held_out : patterns
        A frame whose trajectory matches one (fnmatch) belongs to the test set.
    engine : str, optional
        Stands for the engine of frames that name none; such frames count as converged, so use it
        only for engines without self-consistency.
    more : dict, optional
        What else `origin.json` is to hold.

    Returns
    -------
    dict
        The content of `origin.json`.

    Raises
    ------
    InputError
        Nothing is left to train on, a file is damaged, or `root` holds something else.
    """
    root = Path(root)
    # make's marks of this step, origin.json.in_progress and .failed, belong to it
    foreign = {path.name for path in root.glob("*") if path.stem not in PARTS} - PARTS
    if foreign:
        raise InputError(
            f"{root}: holds {min(foreign)}, which is no part of a data set and would be deleted. "
            "Choose another folder."
        )
    accepted, refused = _admit(sources, elements, gate, held_out, engine)
    if not any(r.split == "train" for r in accepted):
        reasons = ", ".join(sorted({r["reason"] for r in refused})) or "all frames are held out"
        raise InputError(f"{', '.join(map(str, sources))}: no frame left to train on ({reasons}).")
    root.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        rows = _write_folders(accepted, aside, elements)
        _write_table(aside / "frames.tsv", rows)
        origin = _origin(accepted, refused, sources, aside, system, elements, held_out)
        origin |= more or {}
        (aside / "origin.json").write_text(json.dumps(origin, indent=1) + "\n")
        aside.chmod(0o755)
        if root.exists():
            shutil.rmtree(root)
        aside.rename(root)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return origin


def _admit(
    sources: Iterable[Path],
    elements: Sequence[str],
    gate: GateSettings,
    held_out: Sequence[str],
    engine: str | None,
) -> tuple[list[Record], list[dict[str, Any]]]:
    accepted: list[Record] = []
    refused: list[dict[str, Any]] = []
    seen: set[str] = set()
    for source in sources:
        for number, atoms in enumerate(read_labelled(source)):
            if engine is not None and "engine" not in atoms.info:
                atoms.info |= {"engine": engine, "converged": atoms.info.get("converged", True)}
            name = str(atoms.info.get("frame_id") or frame_id(atoms))
            reason = problem(atoms, gate, elements)
            if reason is None and name in seen:
                reason = "duplicate frame"
            if reason is not None:
                refused.append({"path": relative(source), "frame": number, "reason": reason})
                continue
            seen.add(name)
            atoms = _sorted_by_type(atoms, elements)
            group = trajectory_of(atoms)
            split = "test" if any(fnmatch(group, p) for p in held_out) else "train"
            kind = str(atoms.info.get("class", "unknown"))
            accepted.append(Record(atoms, name, split, kind, group))
    return accepted, refused


def _sorted_by_type(atoms: Atoms, elements: Sequence[str]) -> Atoms:
    """Atoms in the order of the type map, so that frames of one composition share a folder."""
    from ase.calculators.singlepoint import SinglePointCalculator

    order = np.argsort([elements.index(s) for s in atoms.get_chemical_symbols()], kind="stable")
    forces = atoms.get_forces(apply_constraint=False)[order]
    moved = atoms[order]
    results = {"energy": atoms.get_potential_energy(), "stress": atoms.get_stress()}
    moved.calc = SinglePointCalculator(moved, forces=forces, **results)
    return moved


def _write_folders(
    records: Sequence[Record], root: Path, elements: Sequence[str]
) -> list[dict[str, Any]]:
    import dpdata

    groups: dict[tuple[str, str, bytes], list[Record]] = {}
    for record in records:
        key = (record.split, record.kind, record.atoms.numbers.tobytes())
        groups.setdefault(key, []).append(record)
    used: Counter[str] = Counter()
    rows = []
    for (split, kind, _), members in sorted(groups.items(), key=lambda item: item[0]):
        folder = f"{split}/{kind.replace('-', '_')}-{len(members[0].atoms)}"
        used[folder] += 1  # same class and size, another composition
        folder += f"-{used[folder]}" if used[folder] > 1 else ""
        system = dpdata.LabeledSystem(data=_arrays([m.atoms for m in members], elements))
        system.to("deepmd/npy", str(root / folder), set_size=len(members))
        rows += [_row(folder, index, record) for index, record in enumerate(members)]
    return rows


def _arrays(frames: Sequence[Atoms], elements: Sequence[str]) -> dict[str, Any]:
    types = np.array([list(elements).index(s) for s in frames[0].get_chemical_symbols()])
    return {
        "atom_names": list(elements),
        "atom_numbs": np.bincount(types, minlength=len(elements)).tolist(),
        "atom_types": types,
        "orig": np.zeros(3),
        "nopbc": False,
        "cells": np.array([a.cell[:] for a in frames]),
        "coords": np.array([a.positions for a in frames]),
        "energies": np.array([a.get_potential_energy() for a in frames]),
        "forces": np.array([a.get_forces(apply_constraint=False) for a in frames]),
        "virials": np.array([virial(a) for a in frames]),
    }


def _row(folder: str, index: int, record: Record) -> dict[str, Any]:
    info = record.atoms.info
    return {
        "split": record.split,
        "folder": folder,
        "index": index,
        "class": record.kind,
        "trajectory": record.trajectory,
        "seed": info.get("seed", ""),
        "T_K": info.get("T", ""),
        "P_GPa": info.get("P", ""),
        "static_GPa": f"{record.static_GPa:.3f}",
        "frame_id": record.frame_id,
    }


def _write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    lines = ["\t".join(COLUMNS)] + ["\t".join(str(row[c]) for c in COLUMNS) for row in rows]
    path.write_text("\n".join(lines) + "\n")


def _origin(
    accepted: Sequence[Record],
    refused: Sequence[dict[str, Any]],
    sources: Sequence[Path],
    root: Path,
    system: str,
    elements: Sequence[str],
    held_out: Sequence[str],
) -> dict[str, Any]:
    infos = [r.atoms.info for r in accepted]
    learned = [r for r in accepted if r.split == "train"]  # what a potential has seen
    counts = {s: dict(Counter(r.kind for r in accepted if r.split == s)) for s in ("train", "test")}
    return {
        "schema": SCHEMA,
        "system": system,
        "elements": list(elements),
        "engine": dict(Counter(str(i.get("engine", "unknown")) for i in infos)),
        **{key: sorted({str(i[key]) for i in infos if key in i}) for key in MADE},
        "units": {"length": "A", "energy": "eV", "force": "eV/A", "virial": "eV, -dE/dstrain"},
        "frames": counts,
        "held_out": list(held_out),
        "temperature_K": _span([r.atoms.info["T"] for r in learned if "T" in r.atoms.info]),
        "pressure_GPa": _span([r.atoms.info["P"] for r in learned if "P" in r.atoms.info]),
        "static_GPa": _span([r.static_GPa for r in learned]),
        "seeds": " ".join(map(str, sorted({int(i["seed"]) for i in infos if "seed" in i}))),
        "sources": [{"path": relative(p), "sha256": sha256(p)} for p in sources],
        "refused": {"count": len(refused), "frames": list(refused)},
        "arrays": {
            str(p.relative_to(root)): sha256(p)
            for p in sorted(root.glob("*/*/**/*"))
            if p.suffix in {".npy", ".raw"}
        },
    }


def _span(values: Sequence[float]) -> list[float] | None:
    return [round(float(min(values)), 3), round(float(max(values)), 3)] if values else None
