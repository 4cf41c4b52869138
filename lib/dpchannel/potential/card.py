"""card.toml: what a potential is, what it learned from, how good it is, where it may be used."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpchannel.errors import InputError
from dpchannel.potential.data import fractions
from dpchannel.potential.deepmd_input import read_input
from dpchannel.potential.frozen import COMPRESSED, MODEL
from dpchannel.potential.test import ALL
from dpchannel.results import Quantity, Result, project_root, relative, replacing, sha256

if TYPE_CHECKING:
    from dpchannel.settings import RangeSettings

SCHEMA = "dpchannel.potential/1"
_UNITS = {"meV/atom": "meV_per_atom", "eV/A": "eV_per_A"}
_ERROR = re.compile(
    r"(?P<what>(energy|force|virial)_mae|force_slope)(_of_(?P<element>\w+)|_(?P<kind>\w+))?"
)
PACKAGES = ("deepmd-kit", "tensorflow-cpu", "tensorflow", "numpy")


def ship(
    work: Path,
    dataset: Path,
    test: Result,
    out: Path,
    *,
    span: RangeSettings,
    max_force_difference: float,
) -> Path:
    """Copy a trained potential and its input.json to `out` and write its card beside it.

    Parameters
    ----------
    work : Path
        Folder of a finished training.
    dataset : Path
        What it was trained on.
    test : Result
        Errors on held-out frames, of bin/assess.py with this very model.
    span : RangeSettings
        Temperatures and pressures the potential is meant for.
    max_force_difference : float
        Compressed against uncompressed, eV/A.

    Raises
    ------
    InputError
        A file is missing, the test was of another model, or `span` exceeds what the data saw.

    Frames that state no temperature or pressure, such as rattled crystals, cannot confirm `span`:
    the card then says so in `range.confirmed_by_data`.
    """
    origin, settings = _json(dataset / "origin.json"), read_input(work)
    for name in (MODEL, COMPRESSED):
        if not (work / name).is_file():
            raise InputError(f"{work / name}: missing. Finish the training with bin/train.py.")
    tested = (test.provenance.get("potential") or {}).get("sha256")
    if tested != sha256(work / MODEL):
        raise InputError(f"{work / MODEL}: the test result is of another potential. Test this one.")
    mixed = _mixed(work, settings, dataset)
    confirmed = _check_span(span, _joined_spans(origin, mixed), dataset)
    out.mkdir(parents=True, exist_ok=True)
    for name in (MODEL, COMPRESSED):
        with replacing(out / name) as aside:
            shutil.copyfile(work / name, aside)
    _copy_input(work, dataset, out)
    content = _content(origin, settings, test, span, max_force_difference)
    content["range"]["confirmed_by_data"] = confirmed
    content["range"]["fraction"] = fractions(dataset, *mixed)
    content["files"] = {name: {"sha256": sha256(out / name)} for name in (MODEL, COMPRESSED)}
    content["data"]["origin_sha256"] = sha256(dataset / "origin.json")
    if "alignment" in origin:
        content["data"]["alignment"] = origin["alignment"]
    if mixed:
        sampling = settings["training"]["training_data"]["auto_prob"]
        content["data"]["mixed"] = {"with": [relative(p) for p in mixed], "auto_prob": sampling}
    with replacing(out / "card.toml") as aside:
        aside.write_text(toml(content))
    return out / "card.toml"


def _copy_input(work: Path, dataset: Path, folder: Path) -> None:
    """The input.json, naming `dataset` where it lies: what training goes on from, with model.pb.

    Beside the committed inputs it names no data when some are not committed: card.toml says more.
    """
    content = read_input(work)
    training, home = content["training"], project_root() / "inputs"
    named = {
        name: [_now_at((work / p).resolve(), dataset.resolve()) for p in part["systems"]]
        for name in ("training_data", "validation_data")
        if (part := training.get(name))
    }
    if _within(folder, home) and not all(
        _within(p, home) for paths in named.values() for p in paths
    ):
        training["training_data"], named = {"systems": []}, {}
        training.pop("validation_data", None)
    for name, paths in named.items():
        training[name]["systems"] = [os.path.relpath(path, folder.resolve()) for path in paths]
    with replacing(folder / "input.json") as aside:
        aside.write_text(json.dumps(content, indent=1) + "\n")


def _within(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())


def _now_at(folder: Path, dataset: Path) -> Path:
    """Where a folder that was trained on lies: in `dataset`, unless it is of another data set."""
    origin = folder.parents[1] / "origin.json"
    if origin.is_file() and sha256(origin) != sha256(dataset / "origin.json"):
        return folder
    return dataset.joinpath(*folder.parts[-2:])


def _mixed(work: Path, settings: dict[str, Any], dataset: Path) -> list[Path]:
    """Other data sets that were trained on, too."""
    given = settings["training"]["training_data"]["systems"]
    roots = {_now_at((work / p).resolve(), dataset.resolve()).parents[1] for p in given}
    return sorted(roots - {dataset.resolve()})


def _joined_spans(origin: dict[str, Any], mixed: list[Path]) -> dict[str, Any]:
    """`origin` with the spans over all that was trained on."""
    joined = dict(origin)
    for name in ("temperature_K", "pressure_GPa", "static_GPa"):
        spans = [o.get(name) for o in (origin, *(_json(p / "origin.json") for p in mixed))]
        ends = [end for span in spans if span for end in span]
        joined[name] = [min(ends), max(ends)] if ends else None
    return joined


def toml(content: Mapping[str, Any]) -> str:
    """TOML text of nested tables; JSON spells numbers, text, booleans and flat lists the same."""
    return "\n".join(_table(content, ())) + "\n"


def read_card(path: Path) -> dict[str, Any]:
    """Content of a card.toml; InputError when it is missing or damaged."""
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}). Ship the potential again.") from None


def zero_of(potential: Path) -> str:
    """Whose zero a potential's energies count from: the engine of its labels, by its card.

    Empty when no card says so, and when its labels were moved onto another zero.

    Raises
    ------
    InputError              the card is damaged
    """
    path = potential.parent / "card.toml"
    if not path.is_file():
        return ""
    data = read_card(path).get("data", {})
    engines = data.get("engine", [])
    return str(engines[0]) if len(engines) == 1 and "alignment" not in data else ""


def _content(
    origin: dict[str, Any],
    settings: dict[str, Any],
    test: Result,
    span: RangeSettings,
    max_force_difference: float,
) -> dict[str, Any]:
    descriptor, fitting = settings["model"]["descriptor"], settings["model"]["fitting_net"]
    by_class = errors(test.quantities)["class"]
    return {
        "schema": SCHEMA,
        "model": {
            "system": origin["system"],
            "elements": settings["model"]["type_map"],
            "descriptor": descriptor["type"],
            "rcut_A": descriptor["rcut"],
            "sel": descriptor["sel"],
            "embedding": descriptor["neuron"],
            "axis": descriptor["axis_neuron"],
            "fitting": fitting["neuron"],
            "precision": descriptor["precision"],
            "steps": settings["training"]["numb_steps"],
            "seed": settings["training"]["seed"],
        },
        "range": {
            "temperature_K": list(span.temperature_K),
            "pressure_GPa": list(span.pressure_GPa),
        },
        "errors": by_class,
        "targets": {check.name: {"met": check.ok, "text": check.text} for check in test.checks},
        "compression": {"max_force_difference_eV_per_A": float(f"{max_force_difference:.3g}")},
        "data": {
            "engine": sorted(origin["engine"]),
            "label_versions": origin["versions"],
            "train": origin["frames"]["train"],
            "test": {kind: row["frames"] for kind, row in by_class.items() if kind != ALL},
            "refused": origin["refused"]["count"],
        },
        "settings": {key: settings[key] for key in ("learning_rate", "loss")},
        "versions": _versions(),
    }


def errors(found: Mapping[str, Quantity]) -> dict[str, dict[str, dict[str, Any]]]:
    """Mean absolute errors and slopes of forces, each with its standard error where it has one.

    Returns
    -------
    dict            by "class" (`all` among them) and by "element"; units in the key names
    """
    rows: dict[str, dict[str, dict[str, Any]]] = {"class": {}, "element": {}}
    for name, quantity in found.items():
        if not (match := _ERROR.fullmatch(name)) or quantity.value is None:
            continue
        what, kind, element, unit = match["what"], match["kind"], match["element"], ""
        if not what.endswith("slope"):
            unit = f"_{_UNITS[quantity.unit]}"
        row = rows["element" if element else "class"].setdefault(element or kind or ALL, {})
        if unit:
            row.setdefault("frames", quantity.n)
        row[f"{what}{unit}"] = float(f"{quantity.value:.4g}")
        if quantity.stderr is not None:
            row[f"{what}_stderr{unit}"] = float(f"{quantity.stderr:.2g}")
    return rows


def _check_span(span: RangeSettings, origin: dict[str, Any], dataset: Path) -> bool:
    """Whether the data states temperatures and pressures; beyond those, `span` is refused.

    The cold end needs no frames of its own: colder only means closer to the relaxed crystal. The
    end under tension is that of the frames' static pressure, since strained cells have no other.
    """
    confirmed = True
    static = origin.get("static_GPa")
    if static is None or span.pressure_GPa[0] < static[0]:
        raise InputError(
            f"{dataset}: range.pressure_GPa from {span.pressure_GPa[0]:g} GPa in the settings, but "
            f"the frames' static pressure spans {static}. Add stretched cells, or state less."
        )
    for name in ("temperature_K", "pressure_GPa"):
        stated, seen = getattr(span, name), origin.get(name)
        if seen is None:
            confirmed = False
        elif stated[1] > seen[1]:
            raise InputError(
                f"{dataset}: range.{name} = {list(stated)} in the settings, but the frames' own "
                f"span is {seen}. Add frames up to there, or state less."
            )
    return confirmed


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}).") from None
    return content


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _table(content: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    plain = {k: v for k, v in content.items() if not isinstance(v, Mapping)}
    lines = [f"{_key(k)} = {json.dumps(v)}" for k, v in plain.items()]
    if path and lines:
        lines = ["", f"[{'.'.join(map(_key, path))}]", *lines]
    for name, inner in content.items():
        if isinstance(inner, Mapping):
            lines += _table(inner, (*path, name))
    return lines


def _key(name: str) -> str:
    bare = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
    return name if bare else json.dumps(name)
