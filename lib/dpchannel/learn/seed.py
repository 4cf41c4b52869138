"""What a loop begins with: a data set of this project, any other one in deepmd/npy format, or the
labelled frames of a campaign.
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpchannel.errors import InputError
from dpchannel.labels.choose import Row, read_rows
from dpchannel.labels.dataset import build, read_labelled, trajectory_of
from dpchannel.labels.drift import without_drift
from dpchannel.labels.made import AS_SAID, made_of, mixed
from dpchannel.potential.data import frames
from dpchannel.results import relative, replacing, sha256

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import GateSettings

Note = Callable[[str], None]
FRAMES, RECORD = "seed.extxyz", "seed.json"
STREAM = "labelled.extxyz"  # of a campaign
_EVERY = 10  # of the folders or trajectories of a data set without a split, one is held out


def read_dataset(root: Path, engine: str | None = None) -> Iterator[Atoms]:
    """Labelled frames; `info` says split, class, trajectory, engine, and T, P, seed where known.

    A data set of this project keeps its split, and so does a campaign. Of any other, every tenth
    folder (of an extxyz file, trajectory) is held out as a whole (of fewer than ten the last one),
    or, of a single one, the last tenth of its frames: neighbours in time stay together.

    Parameters
    ----------
    root : Path
        Folder in deepmd/npy format, labelled extxyz, or the folder of a campaign.
    engine : str, optional
        What labelled the frames of a data set that does not say.

    Raises
    ------
    InputError
        Neither of these, a damaged one, or one without virials or type map.
    """
    root = Path(root)
    if (stream := stream_of(root)) is not None:
        yield from _campaign(stream, engine)
        return
    for folder in _folders(root):
        _check(folder)
    own = (root / "frames.tsv").exists()
    yield from _own(root) if own else _foreign(root, engine)


def stream_of(root: Path) -> Path | None:
    """The labelled extxyz that `root` is, or holds when it is the folder of a campaign."""
    path = root / STREAM if root.is_dir() else root
    return path if path.is_file() else None


def engine_of(data: Path) -> str | None:
    """What labelled a data set, if it says so."""
    title = next((str(atoms.info.get("engine", "")) for atoms in read_dataset(data)), "")
    return title.split()[0] if title else None


def export(root: Path, out: Path) -> int:
    """Write every frame of a data set to one extxyz file; returns how many."""
    from ase.io import write

    count = 0
    with replacing(out) as aside:
        for atoms in read_dataset(root):
            write(aside, atoms, format="extxyz", append=count > 0)
            count += 1
    return count


def adopt(
    data: Path,
    folder: Path,
    *,
    out: str,
    system: str,
    elements: Sequence[str],
    gate: GateSettings,
    engine: str,
    note: Note,
) -> list[str]:
    """Make `folder/<out>`, a data set in our layout, of `data`; names the trajectories held out.

    Done once: a second call with the same data only reads the record. Labels that a campaign has
    added since then stay outside.

    Raises
    ------
    InputError
        Another data set was adopted here before, its labels are another engine's, or they were not
        made alike.
    """
    data, record = Path(data), folder / RECORD
    identity = _identity(data, engine)
    if record.exists():
        content = json.loads(record.read_text())
        then = content["data"]
        if then != {k: identity.get(k) for k in then} and not _has_grown(then, data, engine):
            raise InputError(
                f"{folder}: began with {then['path']} as it was; DATA={data} is another "
                "one. Move the folder away to begin anew."
            )
        return list(content["held_out"])
    held: dict[str, None] = {}
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / FRAMES) as aside:
        count, made = _write_all(data, aside, engine, held, gate)
    origin = build(
        [folder / FRAMES],
        folder / out,
        system=system,
        elements=elements,
        gate=gate,
        held_out=[glob.escape(name) for name in held],
    )
    note(f"{data}: {count} frames, {origin['refused']['count']} refused; {len(held)} held out")
    with replacing(record) as aside:
        text = json.dumps({"data": identity, "held_out": list(held), "made": made}, indent=1)
        aside.write_text(text + "\n")
    return list(held)


def adopted_in(data: Path, folder: Path, engine: str) -> Path:
    """Where `data` as it is now belongs: `folder`, or a folder within it when labels were added."""
    record = folder / RECORD
    if record.exists() and _has_grown(json.loads(record.read_text())["data"], data, engine):
        return folder / f"n{sum(1 for _ in read_dataset(data, engine)):05d}"
    return folder


def _write_all(
    data: Path, out: Path, engine: str, held: dict[str, None], gate: GateSettings
) -> tuple[int, dict[str, list[str]]]:
    """Write the frames; how many, and what they were made with."""
    import ase
    from ase.io import write

    count, stubs = 0, []
    for atoms in read_dataset(data, engine):
        title = str(atoms.info.get("engine", engine))
        if not title.startswith(engine):
            raise InputError(
                f"{data}: labelled by {title}; this loop labels with {engine}, whose energies have "
                f"another zero. Begin with labels of {engine}, or choose that engine."
            )
        if atoms.info["split"] == "test":
            held[str(atoms.info["trajectory"])] = None
        write(out, without_drift(atoms, gate), format="extxyz", append=count > 0)
        stubs.append(ase.Atoms(atoms.numbers, info=atoms.info))
        count += 1
    if what := mixed(stubs):
        raise InputError(
            f"{data}: labels of several engines or settings are mixed: {what}. Keep those of one, "
            "or label the others again."
        )
    return count, made_of(stubs)


def _identity(data: Path, engine: str) -> dict[str, Any]:
    origin, stream = data / "origin.json", stream_of(data)
    whole = stream or (origin if origin.exists() else None)
    arrays = [whole] if whole else sorted(data.rglob("set.*/*.npy"))
    content = {relative(path): sha256(path) for path in arrays}
    size = {"bytes": stream.stat().st_size} if stream else {}
    return {"path": relative(data), "engine": engine, "content": content} | size


def _has_grown(then: dict[str, Any], data: Path, engine: str) -> bool:
    """Whether `data` is the labels of a campaign that were there `then`, and more at their end."""
    stream = stream_of(data)
    if stream is None or "bytes" not in then or then["bytes"] >= stream.stat().st_size:
        return False
    with open(stream, "rb") as labels:
        begin = hashlib.sha256(labels.read(then["bytes"])).hexdigest()
    was = {"path": relative(data), "engine": engine, "content": {relative(stream): begin}}
    return then == was | {"bytes": then["bytes"]}


def _own(root: Path) -> Iterator[Atoms]:
    origin = json.loads((root / "origin.json").read_text())
    title = " + ".join(origin["engine"]) or "unknown"
    joints = {"versions": "; ", "settings": " + ", "data_sha256": " ", "titel": "; "}
    made = {key: joint.join(said) for key, joint in joints.items() if (said := origin.get(key))}
    rows: dict[str, dict[int, Row]] = {}
    for row in read_rows(root):
        rows.setdefault(row.folder, {})[row.index] = row
    for folder, members in rows.items():
        for index, atoms in enumerate(frames(root / folder)):
            row = members[index]
            atoms.info = {
                "split": row.split,
                "class": row.kind,
                "trajectory": row.trajectory,
                "engine": title,
                "converged": True,  # nothing else enters a data set of ours
                # extxyz has no empty text
                **made,
                **({"seed": int(row.seed)} if row.seed else {}),
                **({"T": row.temperature_K} if row.temperature_K is not None else {}),
                **({"P": row.pressure_GPa} if row.pressure_GPa is not None else {}),
            }
            yield atoms


def _folders(root: Path) -> list[Path]:
    found = [raw.parent for raw in sorted(root.rglob("type.raw"))]
    if not found:
        raise InputError(
            f"{root}: no data set in deepmd/npy format (no type.raw below it), and no {STREAM}."
        )
    return found


def _check(folder: Path) -> None:
    sets = sorted(folder.glob("set.*"))
    if any((s / "real_atom_types.npy").exists() for s in sets):
        raise InputError(
            f"{folder}: in deepmd/npy/mixed format. Convert it with dpdata to deepmd/npy."
        )
    if not (folder / "type_map.raw").exists():
        raise InputError(f"{folder}: no type_map.raw: which element is which type? Write one.")
    for s in sets:
        for name in ("box", "coord", "energy", "force", "virial"):
            if not (s / f"{name}.npy").exists():
                raise InputError(
                    f"{s}: no {name}.npy. Without it the frames cannot be used (the virial makes "
                    "the pressure); leave this folder out of the data set."
                )


def _foreign(root: Path, engine: str | None) -> Iterator[Atoms]:
    title = {"engine": f"{engine}{AS_SAID}{root.name}"} if engine else {}
    groups = [
        (folder.relative_to(root).as_posix() if folder != root else root.name, frames(folder))
        for folder in _folders(root)
    ]
    for atoms, own in _apart(groups):
        atoms.info = {"class": "init", "converged": True} | title | own  # nobody can tell any more
        yield atoms


def _campaign(path: Path, engine: str | None) -> Iterator[Atoms]:
    """Of frames that say their split, a trajectory with one held out is held out as a whole."""
    groups: dict[str, list[Atoms]] = {}
    for atoms in read_labelled(path):
        groups.setdefault(trajectory_of(atoms), []).append(atoms)
    if not groups:
        raise InputError(f"{path}: no frames. `make label` makes some.")
    said = [atoms.info.get("split") for group in groups.values() for atoms in group]
    known = {"engine": f"{engine}{AS_SAID}{path.name}"} if engine else {}
    for atoms, own in _apart(list(groups.items())):
        if any(said):
            name = trajectory_of(atoms)
            held = any(a.info.get("split") == "test" for a in groups[name])
            own = {"split": "test" if held else "train", "trajectory": name}
        atoms.info = {"class": "init"} | known | atoms.info | own
        yield atoms


def _apart(groups: Sequence[tuple[str, Iterable[Atoms]]]) -> Iterator[tuple[Atoms, dict[str, str]]]:
    """Frames with the split and trajectory that groups without a split are given."""
    names = [name for name, _ in groups]
    held_out = set(names[_EVERY - 1 :: _EVERY] or names[1:][-1:])
    for name, members in groups:
        found = list(members)
        first_held = 0 if name in held_out else len(found)
        if len(groups) == 1:
            first_held -= max(1, len(found) // _EVERY)
        for index, atoms in enumerate(found):
            held = index >= first_held
            trajectory = f"{name}.tail" if held and first_held else name
            yield atoms, {"split": "test" if held else "train", "trajectory": trajectory}
