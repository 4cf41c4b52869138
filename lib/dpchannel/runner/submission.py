"""`make ... RUNNER=slurm`: what is finished, what is in the queue, what to submit."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpchannel import steps
from dpchannel.errors import InputError
from dpchannel.runner import batch as records
from dpchannel.runner import chains, scheduler
from dpchannel.runner.scheduler import Job, Note
from dpchannel.runner.template import Request, request, site_script
from dpchannel.settings.slurm import SiteSettings


@dataclass(frozen=True)
class Cluster:
    """Where jobs go, and how this project remembers them."""

    site: SiteSettings
    templates: Path
    home: Path
    words: tuple[str, ...]
    note: Note

    def queue(self, names: Sequence[str]) -> list[Job]:
        return scheduler.queue(names, patience_s=self.site.patience_s, note=self.note)


def run(
    goal: str,
    wanted: Sequence[chains.Chain],
    cluster: Cluster,
    *,
    redo: bool,
    agreed: Callable[[], bool],
) -> None:
    """Collect what is finished, and submit what is neither finished nor in the queue.

    Parameters
    ----------
    goal : str                      of make; part of the jobs' names
    wanted : chains                 of files, relative to the project's folder
    redo : bool                     FORCE=1: finished files are made again
    agreed : () -> bool             asked after the cost was shown

    Raises
    ------
    InputError          a template, the site or the cluster refuses; or the answer was no
    EngineMissing       no SLURM here
    EngineFailed        its controller does not answer
    """
    note = cluster.note
    scheduler.require("sbatch")
    with records.alone(cluster.home):
        jobs = current(cluster)
        left = chains.missing(wanted, cluster.words, redo=redo)
        _tell(wanted, left, jobs, _ends(cluster), note)
        alive = {file for file, job in jobs.items() if job.alive}
        todo = chains.without(left, alive)
        if not todo:
            return
        names = {step.template for chain in todo for step in chain}
        requests = {name: request(cluster.templates, name, cluster.site) for name in sorted(names)}
        plan = chains.arrays(todo, requests, cluster.site.array_limit)
        for line in chains.cost(plan, requests):
            note(line)
        note(
            f"A job that reaches its limit goes on in another start, up to {cluster.site.restarts}."
        )
        if not agreed():
            raise InputError("nothing was submitted: say y, or YES=1 on the command line.")
        jobs = current(cluster)  # the answer may have taken long
        mine = {file for chain in wanted for step in chain for file in step.files}
        folders = {Path(file).parent for file in mine}
        steps.forget_jobs(folders, {job.number for job in jobs.values() if job.alive})
        running = sorted({j.task for file, j in jobs.items() if j.alive and file in mine})
        submit(goal, plan, requests, cluster, redo=redo, running=running)


def current(cluster: Cluster) -> dict[str, Job]:
    """The newest job of every file that was submitted from here and may still come.

    Arrays without a job that waits or runs are marked as ended, never asked for again.
    """
    open_batches = [batch for batch in records.batches(cluster.home) if not batch.ended]
    if not open_batches:
        return {}
    jobs = cluster.queue([batch.name for batch in open_batches])
    found: dict[str, Job] = {}
    for batch in open_batches:
        of_batch = [job for job in jobs if job.name == batch.name]
        for job in of_batch:
            for file in batch.tasks[job.index] if job.index < len(batch.tasks) else ():
                if file not in found or job.alive or not found[file].alive:
                    found[file] = job
        if not any(job.alive for job in of_batch):
            failed = {str(job.index): str(job) for job in of_batch if job.state != "COMPLETED"}
            records.ended(cluster.home, batch, failed)
    return found


def submit(
    goal: str,
    plan: Sequence[chains.Array],
    requests: Mapping[str, Request],
    cluster: Cluster,
    *,
    redo: bool,
    running: Sequence[str] = (),
) -> None:
    """Hand every array of a plan to SLURM, in order; what was handed over is recorded at once.

    Parameters
    ----------
    running : numbers       of tasks in the queue that arrays which gather wait for, too
    """
    patience_s, note = cluster.site.patience_s, cluster.note
    environment = scheduler.clean_environment(word.partition("=")[0] for word in cluster.words)
    records.LOGS.mkdir(parents=True, exist_ok=True)
    site, numbers = site_script(cluster.site), list[str]()
    for array in plan:
        first = array.after is None and not array.gathers
        words = (*cluster.words, *(("FORCE=1",) if redo and first else ()))
        made = records.prepare(
            cluster.home, goal, array.template, array.tasks, words=words, site=site
        )
        others = [n for n, before in zip(numbers, plan, strict=False) if not before.gathers]
        after = _dependency(array, numbers, [*others, *running])
        command = _sbatch(made, requests[array.template], cluster, after)
        try:
            number = scheduler.submit(
                made.name, command, environment=environment, patience_s=patience_s, note=note
            )
        except InputError:
            records.withdraw(cluster.home, made)
            raise
        records.submitted(cluster.home, made, number)
        numbers.append(number)
        note(f"submitted: {number} ({made.name}), {len(made.tasks)} jobs; logs in {records.LOGS}/")


def _dependency(array: chains.Array, numbers: Sequence[str], others: Sequence[str]) -> list[str]:
    """Option of sbatch: task by task after the step before, or after all `others` went well."""
    if array.after is not None:
        return [f"--dependency=aftercorr:{numbers[array.after]}"]
    if array.gathers and others:
        return [f"--dependency=afterok:{':'.join(others)}"]
    return []


def _sbatch(
    made: records.Batch, asked: Request, cluster: Cluster, after: Sequence[str]
) -> list[str]:
    """The command that submits an array; `after` says what its tasks wait for."""
    limit = cluster.site.running_limit
    return [
        "sbatch",
        "--parsable",
        f"--job-name={made.name}",
        f"--array=0-{len(made.tasks) - 1}" + (f"%{limit}" if limit else ""),
        f"--chdir={os.getcwd()}",
        f"--output={records.LOGS}/%x-%A_%a.out",
        "--kill-on-invalid-dep=yes",
        *after,
        *asked.options,
        str(asked.template),
        "--batch",
        str(cluster.home / made.name),
    ]


def _ends(cluster: Cluster) -> dict[str, str]:
    """How the last job of a file ended, if not well, and its log; for jobs SLURM has forgotten."""
    found: dict[str, str] = {}
    for batch in records.batches(cluster.home):
        for index, how in batch.last.items():
            log = records.log_of(batch.name, batch.number, int(index))
            found |= dict.fromkeys(batch.tasks[int(index)], f"{how}, log {log}")
    return found


def _tell(
    wanted: Sequence[chains.Chain],
    left: Sequence[chains.Chain],
    jobs: Mapping[str, Job],
    ends: Mapping[str, str],
    note: Note,
) -> None:
    """One line a chain that is not finished: in the queue, or how an earlier job of it ended."""
    note(f"finished: {sum(not rest for rest in left)} of {len(wanted)}")
    for chain, rest in zip(wanted, left, strict=True):
        target = chain[-1].files[0]
        of_chain = [jobs[file] for step in chain for file in step.files if file in jobs]
        alive = [job for job in of_chain if job.alive]
        if not rest:
            continue
        if alive:
            note(f"in queue: {target}: {alive[0]}")
        elif of_chain:
            last = next((job for job in of_chain if job.state != "COMPLETED"), of_chain[-1])
            log = records.log_of(last.name, last.array, last.index)
            note(f"to do again: {target}: {last}, log {log}")
        elif ended := [ends[file] for step in chain for file in step.files if file in ends]:
            note(f"to do again: {target}: {ended[0]}")
        else:
            note(f"missing: {target}")
