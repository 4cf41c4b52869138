"""Finished products that were made from other inputs than today's: reported, not redone.

The record `.traj.made_from.json` beside a product holds the slice it was made from. Standard
library only, as slices.py.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dpchannel import slices

_HASH = re.compile("[0-9a-f]{64}")
# slice -> the products that were made from it; the record of x.y is .x.made_from.json beside it
MADE_FROM = {
    "md.json": ("*/P*/T*/traj.h5",),
    "melting-steps.json": ("melting/P*/steps/T*/traj.h5", "melting/P*/steps/T0K/relaxed.extxyz"),
    "melting-ramp.json": ("melting/P*/ramp/*/traj.h5",),
    "melting-coexistence.json": ("melting/P*/coexistence/result.json",),
    "train.json": ("potential/model-compressed.pb",),
}


def changes(then: Any, now: Any, name: str = "") -> list[str]:
    """Each setting that differs, as `md.thermostat_ps was 0.1, is 0.2`."""
    if isinstance(then, dict) and isinstance(now, dict):
        keys = sorted(then.keys() | now.keys())
        return [
            line for key in keys for line in changes(then.get(key), now.get(key), f"{name}.{key}")
        ]
    if then == now:
        return []
    return [f"{name.lstrip('.')} was {_brief(then)}, is {_brief(now)}"]


def _brief(value: Any) -> str:
    """A setting in full; of a hash its beginning."""
    text = str(value)
    return f"{text[:12]}..." if _HASH.fullmatch(text) else text


def stale(profile_dir: Path, name: str, current: str) -> dict[Path, str]:
    """Every finished product of the slice `name` made from other inputs, and a line about it."""
    lines = {}
    for product in sorted(path for each in MADE_FROM[name] for path in profile_dir.glob(each)):
        record = product.with_name(f".{product.stem}.made_from.json")
        if ".old-" in record.parent.name or not record.exists():
            continue
        then, now = json.loads(record.read_text()), json.loads(current)
        if "-seed" in product.parent.name:  # its seed is its folder's, not that of inputs/md.toml
            for made_from in (then, now):
                made_from.get("md", {}).pop("seed", None)
        if product.suffix == ".extxyz":  # a relaxation is not watched
            now.pop("committee", None)
        if "committee" not in now:  # a run that was watched is as good as one that was not
            then.pop("committee", None)
        if found := changes(then, now):
            other = any(change.startswith("potential ") for change in found)
            beside = ", RUNS=folder makes another beside it" if other else ""
            what = f"{slices.shown(product)}: {'; '.join(found)}"
            lines[product] = f"{what}. Kept as it is; FORCE=1 redoes it{beside}."
    return lines


def report(files: Sequence[Path], stale: Mapping[Path, str]) -> list[str]:
    """What to say of each finished file: up to date, or in the folder of a stale product.

    Or in a folder above, or pooled from it: what several runs give is no fresher than they are.
    """
    lines: list[str] = []
    for file in files:
        folders = _rests_on(file)
        found = [
            f"stale: {line}"
            for product, line in stale.items()
            if not folders.isdisjoint(product.parents)
        ]
        lines += [line for line in found if line not in lines]
        state = "kept, but made from other inputs (see stale above)" if found else "up to date"
        lines.append(f"{state}: {file}")
    return lines


def _rests_on(file: Path) -> set[Path]:
    """Its folder; of a result in `T500K-seeds1_3` also `T500K-seed1` and `T500K-seed3`."""
    folder = file.parent
    state, _, seeds = folder.name.partition("-seeds")
    return {folder, *(folder.with_name(f"{state}-seed{n}") for n in seeds.split("_") if n)}
