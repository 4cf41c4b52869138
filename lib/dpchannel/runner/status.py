"""What `make status` says of jobs: where each file stands that was submitted and is not there."""

from pathlib import Path

from dpchannel.errors import DpchannelError
from dpchannel.runner import batch as records
from dpchannel.runner import scheduler
from dpchannel.runner.batch import Batch
from dpchannel.runner.scheduler import Job

_PATIENCE_S = 5.0


def _collected(batch: Batch, index: int) -> bool:
    """A frame whose label went into the data set: its file is gone, and no job of it failed."""
    return batch.goal == "label" and batch.ended and str(index) not in batch.last


def lines(home: Path) -> list[str]:
    """`state  file  job  log`, a line for each file; one line more when SLURM does not answer."""
    try:
        every = records.batches(home)
    except DpchannelError as error:
        return [f"{'slurm':12}{error}"]
    newest = {
        file: (batch, index)
        for batch in every
        for index, files in enumerate(batch.tasks)
        for file in files
        if not Path(file).exists() and not _collected(batch, index)
    }
    names = sorted({batch.name for batch, _ in newest.values() if not batch.ended})
    found: list[str] = []
    jobs: dict[tuple[str, int], Job] = {}
    try:
        for job in scheduler.queue(names, patience_s=_PATIENCE_S, note=lambda _: None):
            jobs[job.name, job.index] = job
        known = True
    except DpchannelError as error:
        found.append(f"{'slurm':12}{error}")
        known = False
    for file, (batch, index) in sorted(newest.items()):
        current = jobs.get((batch.name, index))
        if current is not None:
            state, what = current.state.lower(), str(current)
        else:
            state = "unfinished" if known or batch.ended else "submitted"
            what = f"{batch.number or '?'}_{index}, submitted {batch.submitted}"
            if (how := batch.last.get(str(index))) is not None:
                state, what = how.split()[1].lower(), how
        log = records.log_of(batch.name, current.array if current else batch.number, index)
        found.append(f"{state:12}{file}  {what}  log: {log}")
    return found
