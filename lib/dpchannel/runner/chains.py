"""Which results are missing, and the arrays that make them.

A chain is `template:file[:file ...],template:file,...`: steps that follow each other, such as a
trajectory on a GPU and its analysis on a core. Chains with the same steps left form one array a
step; task k of it waits for task k of the step before. A chain that begins with `+` gathers: it
waits for all other chains, such as the result of many runs.
"""

import os
import subprocess
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dpchannel.errors import InputError
from dpchannel.runner.template import Request

_UP_TO_DATE, _TO_BE_MADE = 0, 1  # exit codes of make --question


@dataclass(frozen=True)
class Step:
    """Files that one job makes, and the template it runs in.

    gathers : bool          waits for all chains that do not
    """

    template: str
    files: tuple[str, ...]
    gathers: bool = False


Chain = tuple[Step, ...]


@dataclass(frozen=True)
class Array:
    """Tasks of one template.

    after : int             place in the plan of the array they wait for, task by task
    gathers : bool          belongs to a chain that waits for all arrays that do not
    """

    template: str
    tasks: tuple[tuple[str, ...], ...]
    after: int | None
    gathers: bool = False


def parse(text: str) -> Chain:
    """One chain of its text."""
    steps, gathers = [], text.startswith("+")
    for part in text.removeprefix("+").split(","):
        template, *files = part.split(":")
        if not template or not files or not all(files):
            raise InputError(
                f"{text!r}: not a chain of jobs. Write template:file[,template:file ...]."
            )
        steps.append(Step(template, tuple(files), gathers))
    return tuple(steps)


def missing(chains: Iterable[Chain], words: Sequence[str], *, redo: bool) -> list[Chain]:
    """The steps left of each chain, none when its last files are up to date.

    Make itself says what is up to date; with `redo` nothing is.
    """
    chains = list(chains)
    if redo:
        return chains
    files = sorted({file for chain in chains for step in chain for file in step.files})
    there = [file for file in files if os.path.exists(file)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        fresh = dict(zip(there, pool.map(lambda f: _up_to_date(f, words), there), strict=True))
    return [_left(chain, fresh) for chain in chains]


def _left(chain: Chain, fresh: dict[str, bool]) -> Chain:
    """From the first step with a file to make; nothing when the last one has all of its files."""

    def done(step: Step) -> bool:
        return all(fresh.get(file, False) for file in step.files)

    if done(chain[-1]):
        return ()
    first = next(k for k, step in enumerate(chain) if not done(step))
    return chain[first:]


def _up_to_date(file: str, words: Sequence[str]) -> bool:
    command = ["make", "--question", "--no-print-directory", *words, "RUNNER=local", file]
    hidden = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "FORCE"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode not in (_UP_TO_DATE, _TO_BE_MADE):
        raise InputError(f"make {file}: {done.stderr.strip() or 'no rule for it'}")
    return done.returncode == _UP_TO_DATE


def without(chains: Iterable[Chain], in_queue: Collection[str]) -> list[Chain]:
    """Chains that have something left and no file of theirs in the queue."""
    return [
        chain
        for chain in chains
        if chain and not any(file in in_queue for step in chain for file in step.files)
    ]


def arrays(chains: Sequence[Chain], requests: dict[str, Request], limit: int) -> list[Array]:
    """The plan: arrays of at most `limit` tasks, each after the one it waits for.

    The chunk of a chain is that of its first template: so many results a task makes in turn.
    """
    kinds: dict[tuple[bool, tuple[str, ...]], list[Chain]] = {}
    for chain in sorted(chains, key=lambda chain: chain[0].gathers):
        templates = tuple(step.template for step in chain)
        kinds.setdefault((chain[0].gathers, templates), []).append(chain)
    plan: list[Array] = []
    for (gathers, templates), alike in kinds.items():
        chunk = requests[templates[0]].chunk
        for k in range(0, len(alike), chunk * limit):
            part = alike[k : k + chunk * limit]
            chunks = [part[i : i + chunk] for i in range(0, len(part), chunk)]
            for place, template in enumerate(templates):
                tasks = tuple(
                    tuple(file for chain in some for file in chain[place].files) for some in chunks
                )
                plan.append(Array(template, tasks, len(plan) - 1 if place else None, gathers))
    return plan


def cost(plan: Sequence[Array], requests: dict[str, Request]) -> list[str]:
    """A table of what one start of each job may take: a line an array, and the sum."""
    head = ("template", "jobs", "results", "cores", "GPUs", "hours", "core h", "GPU h")
    rows: list[tuple[str, ...]] = [head]
    jobs, core_h, gpu_h = 0, 0.0, 0.0
    for array in plan:
        asked, n = requests[array.template], len(array.tasks)
        results = sum(len(files) for files in array.tasks)
        used = (n * asked.cores * asked.time_h, n * asked.gpus * asked.time_h)
        numbers = (n, results, asked.cores, asked.gpus, asked.time_h, *used)
        rows.append((array.template, *(f"{number:g}" for number in numbers)))
        jobs, core_h, gpu_h = jobs + n, core_h + used[0], gpu_h + used[1]
    rows.append(("one start each", f"{jobs}", "", "", "", "", f"{core_h:g}", f"{gpu_h:g}"))
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        row[0].ljust(widths[0])
        + "".join(f"  {cell.rjust(width)}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
