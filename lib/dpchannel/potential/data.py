"""Reads deepmd/npy data sets: `<root>/<split>/<class>-<n_atom>[-k]/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dpchannel.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms


SPLITS = ("train", "test")


def folders(root: Path, split: str) -> dict[str, list[Path]]:
    """The folders of one split (`train` or `test`) by class of frame; empty when there are none."""
    found: dict[str, list[Path]] = {}
    for raw in sorted((Path(root) / split).glob("*/type.raw")):
        found.setdefault(raw.parent.name.split("-")[0], []).append(raw.parent)
    return found


def check_arrays(root: Path, elements: Sequence[str] | None = None) -> None:
    """Refuse a data set with an unreadable array, a number not finite, or another element."""
    arrays = sorted(Path(root).glob("*/*/set.*/*.npy"))
    if not arrays:
        raise InputError(f"{root}: no data set in deepmd/npy format. Make it with bin/dataset.py.")
    for path in sorted(Path(root).glob("*/*/type_map.raw")):
        strange = set(path.read_text().split()) - set(elements or path.read_text().split())
        if strange:
            raise InputError(
                f"{path}: holds {', '.join(sorted(strange))}; the system knows only "
                f"{', '.join(elements or ())}. Name the right SYSTEM, or correct the file."
            )
    for path in arrays:
        try:
            values = np.load(path)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(
                f"{path}: not a readable array ({error}). Build the set again."
            ) from None
        bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if bad.any():
            raise InputError(
                f"{path}: frame {int(np.argmax(bad))} is not finite ({int(bad.sum())} of "
                f"{len(bad)} frames). Build the set again with bin/dataset.py, which drops them."
            )


def fractions(*roots: Path) -> dict[str, list[float]]:
    """Lowest and highest share of each element in the atoms of a training frame."""
    shares: dict[str, list[float]] = {}
    for folder in (path for root in roots for path in chain(*folders(root, "train").values())):
        names = (folder / "type_map.raw").read_text().split()
        types = np.loadtxt(folder / "type.raw", dtype=int, ndmin=1)
        for name, count in zip(names, np.bincount(types, minlength=len(names)), strict=True):
            shares.setdefault(name, []).append(float(count / len(types)))
    return {name: [round(min(s), 4), round(max(s), 4)] for name, s in shares.items()}


def most_neighbours(root: Path, rcut_A: float, elements: Sequence[str]) -> list[int]:
    """`neighbours_in` all frames of a data set."""
    every = (path for split in SPLITS for path in chain(*folders(root, split).values()))
    return neighbours_in((atoms for path in every for atoms in frames(path)), rcut_A, elements)


def neighbours_in(members: Iterable[Atoms], rcut_A: float, elements: Sequence[str]) -> list[int]:
    """Largest number of neighbours of each element within the cutoff, over all atoms and frames.

    What `dp neighbor-stat` finds, in seconds where that takes minutes and gigabytes.
    """
    from pymatgen.io.ase import AseAtomsAdaptor

    most = np.zeros(len(elements), dtype=int)
    for atoms in members:
        crystal = AseAtomsAdaptor.get_structure(atoms.copy())
        centre, neighbour, _, _ = crystal.get_neighbor_list(rcut_A)
        kind = np.array([elements.index(symbol) for symbol in atoms.symbols])
        count = np.zeros((len(atoms), len(elements)), dtype=int)
        np.add.at(count, (centre, kind[neighbour]), 1)
        most = np.maximum(most, count.max(axis=0))
    return [int(n) for n in most]


def frames(folder: Path) -> Iterator[Atoms]:
    """Labelled frames of one folder, with energy (eV), forces (eV/A) and stress (eV/A^3) attached.

    The virial of DeePMD-kit is -dE/dstrain, so stress = -virial / V.
    """
    import dpdata
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    data = dpdata.LabeledSystem(str(folder), fmt="deepmd/npy").data
    symbols = [data["atom_names"][t] for t in data["atom_types"]]
    for n in range(len(data["coords"])):
        atoms = Atoms(symbols, positions=data["coords"][n], cell=data["cells"][n], pbc=True)
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=float(data["energies"][n]),
            forces=data["forces"][n],
            stress=-data["virials"][n] / atoms.get_volume(),
        )
        yield atoms


def labelled_frames(source: Path, part: str = "test") -> dict[str, list[Atoms]]:
    """Frames by class, from one part of a data set or from a labelled extxyz file.

    Raises
    ------
    InputError
        Nothing to read, a damaged file, or a number that is not finite.
    """
    if source.is_dir():
        check_arrays(source)
        found = folders(source, part)
        return {k: [a for path in paths for a in frames(path)] for k, paths in found.items()}
    by_class: dict[str, list[Atoms]] = {}
    for atoms in extxyz_frames(source):
        by_class.setdefault(str(atoms.info.get("class", "unknown")), []).append(atoms)
    return by_class


def extxyz_frames(path: Path) -> list[Atoms]:
    """Every frame of an extxyz file, each with finite energy, forces and stress.

    Raises
    ------
    InputError
        Missing or damaged file, or a frame without labels.
    """
    from ase.io import iread

    try:
        found = list(iread(path, index=":", format="extxyz"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except (ValueError, KeyError, IndexError, AssertionError, StopIteration) as error:
        raise InputError(f"{path}: damaged or cut short ({error}).") from None
    for number, atoms in enumerate(found):
        results = atoms.calc.results if atoms.calc is not None else {}
        for name in ("energy", "forces", "stress"):
            if name not in results or not np.isfinite(results[name]).all():
                raise InputError(f"{path}: frame {number} has no finite {name}. Label it first.")
    return found
