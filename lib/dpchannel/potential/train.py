"""Runs DeePMD-kit: neighbour statistics, and a training that resumes after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpchannel.child import die_with_parent
from dpchannel.errors import EngineFailed, InputError
from dpchannel.lock import locked
from dpchannel.potential import data, dp
from dpchannel.potential.deepmd_input import (
    CHECKPOINT,
    CURVE,
    read_input,
    selected_neighbours,
    split_favoured,
    training_input,
)
from dpchannel.potential.frozen import COMPRESSED, MODEL, Note, freeze, trained_model
from dpchannel.results import sha256

if TYPE_CHECKING:
    from dpchannel.settings import NetworkSettings, TrainingSettings

POLL_S = 2.0


@dataclass(frozen=True)
class Mixed:
    """A second data set, against forgetting: `share` of all batches comes from it."""

    dataset: Path
    share: float


@dataclass(frozen=True)
class Trained:
    """Files of a finished training."""

    model: Path
    compressed: Path
    input_json: Path


def train(
    dataset: Path,
    work: Path,
    settings: TrainingSettings,
    network: NetworkSettings,
    *,
    elements: Sequence[str],
    init_model: Path | None = None,
    mixed: Mixed | None = None,
    threads: int = 1,
    note: Note,
) -> Trained:
    """Train in `work`, or go on from its last checkpoint, then freeze and compress.

    Parameters
    ----------
    dataset : Path
        Root with `train/` and perhaps `test/`; the latter is only watched.
    init_model : Path, optional
        Folder of a finished training or a shipped potential with the same network: start from its
        weights.
    mixed : Mixed, optional
        More frames to learn from, whose energies count from the same zero.
    threads : int
        Cores for TensorFlow.
    note : callable
        Receives progress, one line at a time.

    Raises
    ------
    InputError
        The data set is damaged, `work` holds a training with other settings or data, or
        `init_model` another network.
    EngineFailed
        `dp` failed; the message names the log.
    """
    for root in (dataset, *([mixed.dataset] if mixed else [])):
        data.check_arrays(root, elements)
    with locked(work, "another training is running here. Wait, or stop it.") as lock:
        _prepare(dataset, work, settings, network, elements, init_model, mixed, note)
        if not (work / MODEL).exists():
            _run_training(work, network.steps, init_model, threads, note, lock)
        freeze(work, settings.run.compress_step, threads=threads, note=note)
    return Trained(work / MODEL, work / COMPRESSED, work / "input.json")


def read_curve(path: Path) -> list[dict[str, float]]:
    """Rows of lcurve.out by column name; a line still being written is left out."""
    if not path.exists():
        return []
    names: list[str] = []
    rows = []
    for line in path.read_text().splitlines():
        if line.startswith("#") and line.lstrip("# ").startswith("step"):
            names = line.lstrip("# ").split()
        elif names and not line.startswith("#") and len(line.split()) == len(names):
            rows.append(dict(zip(names, map(float, line.split()), strict=True)))
    return rows


def _prepare(
    dataset: Path,
    work: Path,
    settings: TrainingSettings,
    network: NetworkSettings,
    elements: Sequence[str],
    init_model: Path | None,
    mixed: Mixed | None,
    note: Note,
) -> None:
    written = work / "input.json"
    earlier = read_input(work) if written.exists() else None
    if earlier is not None:
        sel = earlier["model"]["descriptor"]["sel"]
    elif init_model is not None:  # the statistics of the weights have the shape of sel
        sel = trained_model(init_model)["descriptor"]["sel"]
    else:
        most = data.most_neighbours(dataset, settings.descriptor.rcut_A, elements)
        sel = selected_neighbours(most, settings.descriptor.sel_margin)
        note(f"most neighbours {most}, sel {sel}")
    train = _seen_from(work, dataset, "train")
    if mixed:
        apart, share = _seen_from(work, mixed.dataset, "train"), mixed.share
    else:
        train, apart = split_favoured(train, settings.run.favoured)
        share = settings.run.favoured_share
    content = training_input(
        settings,
        network,
        elements=elements,
        sel=sel,
        train=train,
        watch=_seen_from(work, dataset, "test"),
        mixed=apart,
        share=share,
    )
    fingerprint = {"input": content, "data": {p.name: sha256(p) for p in _origin(dataset)}}
    if mixed:
        fingerprint["mixed"] = {p.name: sha256(p) for p in _origin(mixed.dataset)}
    stamp = work / "training.json"
    if earlier is None and init_model is not None:
        _require_same_network(content["model"], init_model)
    if earlier is None:
        written.write_text(json.dumps(content, indent=1) + "\n")
        stamp.write_text(json.dumps(fingerprint) + "\n")
    elif not stamp.exists() or json.loads(stamp.read_text()) != fingerprint:
        raise InputError(
            f"{work}: holds a training with other settings or data; it is never overwritten. Move "
            "it away to begin anew, as `make train` and `make finetune` do with FORCE=1, or choose "
            "another folder."
        )


def _require_same_network(model: dict[str, Any], init_model: Path) -> None:
    """Weights fit one network only; precision may differ, they are cast."""
    known = trained_model(init_model)
    for part in ("descriptor", "fitting_net"):
        for key, value in model[part].items():
            if key not in ("precision", "seed") and value != known[part].get(key):
                raise InputError(
                    f"{init_model}: trained with {key} = {known[part].get(key)}, the settings say "
                    f"{value}. Make them equal, or train from random weights."
                )


def _origin(dataset: Path) -> list[Path]:
    return [p for p in [dataset / "origin.json"] if p.exists()]


def _seen_from(work: Path, dataset: Path, split: str) -> list[Path]:
    found = [p for paths in data.folders(dataset, split).values() for p in paths]
    if split == "train" and not found:
        raise InputError(f"{dataset}: no folder to train on. Make it with bin/dataset.py.")
    return [Path(os.path.relpath(p, work)) for p in found]


def _run_training(
    work: Path, steps: int, init_model: Path | None, threads: int, note: Note, lock: int
) -> None:
    command = [dp.program(), "--tf", "train", "input.json"]
    note(f"{steps} steps: how long they take is shown after the first; a stopped training goes on")
    if (work / "checkpoint").exists():
        command += ["--restart", CHECKPOINT]
        note(f"{work}: going on from the last checkpoint")
    elif init_model is not None:
        command += ["--init-frz-model", os.path.relpath(init_model / MODEL, work)]
    with open(work / "train.log", "a") as log:
        # the child inherits the lock: a second training waits even when this process is killed
        process = subprocess.Popen(
            command,
            cwd=work,
            env=dp.environment(threads),
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
            preexec_fn=die_with_parent,
        )
        try:
            _watch(process, work / CURVE, steps, note)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode != 0:
        raise EngineFailed(f"dp train ended with {process.returncode}: see {work / 'train.log'}.")


def _watch(process: subprocess.Popen[bytes], curve: Path, steps: int, note: Note) -> None:
    done = len(read_curve(curve))
    begin = None
    running = True
    while running:
        time.sleep(POLL_S)
        running = process.poll() is None
        rows = read_curve(curve)
        for row in rows[done:]:
            begin = begin or (time.monotonic(), row["step"])
            note(_progress_line(row, steps, begin))
        done = len(rows)


def _progress_line(row: dict[str, float], steps: int, begin: tuple[float, float]) -> str:
    step = int(row["step"])
    parts = [f"step {step}/{steps}"]
    for column, unit in (("rmse_e", "eV/atom"), ("rmse_f", "eV/A"), ("rmse_v", "eV/atom")):
        shown = {s: row.get(f"{column}_{s}", row.get(column)) for s in ("trn", "val")}
        values = "/".join(f"{v:.3g}" for v in dict.fromkeys(shown.values()) if v is not None)
        parts.append(f"{column.removeprefix('rmse_')} {values} {unit}")
    elapsed, made = time.monotonic() - begin[0], step - begin[1]
    if made > 0:
        minutes = elapsed / made * (steps - step) / 60
        parts.append(f"{minutes:.0f} min left" if minutes < 100 else f"{minutes / 60:.1f} h left")
    return "  ".join(parts)
