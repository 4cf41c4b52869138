"""Where a loop stands: its folders, and one line for a person. Standard library only, and quick."""

from __future__ import annotations

import json
import re
from pathlib import Path

TRAIN, EXPLORE, LABEL = "00.train", "01.explore", "02.label"
RESULT, DATASET, SEED = "result.json", "dataset", "data.init"
QUEUE, LABELLED, FAILED = "queue.extxyz", "labelled.extxyz", "failed.tsv"
TASK = "task.json"
_ITERATION = re.compile(r"iter\.(\d{6})")


def iteration(root: Path, number: int) -> Path:
    """Folder of an iteration: `iter.000000`, ..."""
    return root / f"iter.{number:06d}"


def dataset_for(root: Path, number: int) -> Path:
    """What iteration `number` trains on: what the one before left, or what the loop began with."""
    if number == 0:
        return root / SEED
    return iteration(root, number - 1) / LABEL / DATASET


def is_done(root: Path, number: int) -> bool:
    """The iteration has been to its end: the data set of the next one is there."""
    return (dataset_for(root, number + 1) / "origin.json").exists()


def nothing_left(root: Path, iterations: int) -> str:
    """Why a loop of at most `iterations` has nothing left to do; empty when it has."""
    path = root / RESULT
    if not path.exists():
        return ""
    verdict = json.loads(path.read_text())
    done = verdict["state"]["iteration"] + 1
    if any(check["name"] == "finished" and check["ok"] for check in verdict["checks"]):
        return f"{root}: {verdict['summary']}"
    if done < iterations:
        return ""
    more = f"ITERS={done + 1} or more goes on"
    return f"{root}: {done} of {iterations} iterations are done; {verdict['summary']}. {more}."


def labels_wanted(root: Path) -> str:
    """What the newest iteration waits for when its labels are made apart; empty when for none."""
    numbers = _numbers(root) if root.exists() else []
    folder = iteration(root, numbers[-1]) / LABEL if numbers else root
    if not (folder / QUEUE).exists() or is_done(root, numbers[-1]):
        return ""
    asked, done = _frames(folder / QUEUE), _frames(folder / LABELLED)
    left = asked - done - max(0, _lines(folder / FAILED) - 1)
    if left <= 0:
        return ""
    return (
        f"{folder}: {left} of {asked} frames wait for labels: `make label ENGINE=... "
        f"QUEUE={folder}` makes them, with RUNNER=slurm one job each; then this again"
    )


def describe(root: Path) -> str:
    """One line: iteration, stage and how far it is, and the last verdict."""
    numbers = _numbers(root)
    if not numbers:
        return f"{root}: no iteration yet"
    folder = iteration(root, numbers[-1])
    where = "done" if is_done(root, numbers[-1]) else _stage(folder)
    line = f"{root}: {folder.name} {where}"
    judged = [n for n in numbers if (iteration(root, n) / RESULT).exists()]
    if judged:
        verdict = json.loads((iteration(root, judged[-1]) / RESULT).read_text())
        line += f"; verdict of {judged[-1]}: {verdict['summary']}"
    tallies = {n: iteration(root, n) / LABEL / RESULT for n in numbers if is_done(root, n)}
    if there := [n for n, path in tallies.items() if path.exists()]:
        tally = json.loads(tallies[there[-1]].read_text())
        line += f"; labels of {there[-1]}: {tally['summary']}"
    if (root / RESULT).exists():
        line += f"; {json.loads((root / RESULT).read_text())['summary']}"
    return line


def _numbers(root: Path) -> list[int]:
    return sorted(int(m[1]) for p in root.iterdir() if (m := _ITERATION.fullmatch(p.name)))


def _stage(folder: Path) -> str:
    label, explore, train = (folder / name for name in (LABEL, EXPLORE, TRAIN))
    if (label / QUEUE).exists():
        done, asked = _frames(label / LABELLED), _frames(label / QUEUE)
        failed = max(0, _lines(label / FAILED) - 1)
        text = f"{LABEL}: {done} of {asked} labels"
        return text + (f", {failed} failed: {label / FAILED}" if failed else "")
    if explore.exists():
        tasks = list(explore.glob("task.*"))
        done = sum((task / TASK).exists() for task in tasks)
        return f"{EXPLORE}: {done} trajectories"
    done = len(list(train.glob("graph.*.pb")))
    return f"{TRAIN}: {done} potentials"


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def _frames(path: Path) -> int:
    if not path.exists():
        return 0
    with open(path) as stream:
        return sum("Lattice=" in line for line in stream)
