"""Start LAMMPS from the newest restart file, watch it, and say clearly how it ended."""

import time
from pathlib import Path

from dpchannel import child
from dpchannel.errors import EngineFailed, PotentialError
from dpchannel.md import restart, segments
from dpchannel.md.engine import Engine
from dpchannel.md.plan import Plan
from dpchannel.md.progress import Note, Watch

_POLL_S = 0.2
_QUOTED = 3  # last lines of a program that gave no reason
_BLOWN_UP = (
    *("lost atoms", "non-numeric", "out of range", "unstable", "bond atoms", "not a number"),
    "fix-id runaway",  # of the temperature
)


def is_finished(folder: Path) -> bool:
    """LAMMPS' last words are in the log of the newest invocation."""
    begins = segments.starts(folder)
    if not begins:
        return False
    log = folder / log_name(begins[-1])
    return log.exists() and "Total wall time" in log.read_text(errors="replace")[-400:]


def log_name(start: int) -> str:
    """Log of the invocation that began at step `start`."""
    return f"log.{start}.lammps"


def launch(
    folder: Path,
    script: str,
    engine: Engine,
    variables: dict[str, str],
    plan: Plan,
    lock: int,
    note: Note,
) -> None:
    """Run `script` in `folder` to its end, from step 0 or from the newest complete restart file.

    Parameters
    ----------
    variables : name -> text        what the script takes, but for start, restart and molten
    lock : int                      file descriptor LAMMPS holds on to, so no second run enters

    Raises
    ------
    EngineFailed, PotentialError    with the log and a remedy
    """
    found = restart.latest(folder)
    start, file = (0, "none") if found is None else (found[0], found[1].name)
    if found is not None:
        note(f"{folder}: continuing at step {start} of {plan.total} ({file})")
    segments.discard_from(folder, start)
    _discard_restarts(folder, keep=file)
    molten = "0" if segments.event(folder, "molten") is None else "1"
    state = {"start": str(start), "restart": file, "molten": molten}
    command = engine.on(script, log_name(start), variables | state)
    output = folder / f"output.{start}.txt"
    with Watch(folder / f"samples.{start}.txt", plan, note) as watch, open(output, "wb") as stream:
        process = child.start(command, folder, stream, engine.environment, pass_fds=(lock,))
        try:
            finite = True
            while finite and process.poll() is None:
                time.sleep(_POLL_S)
                finite = watch.update()
        except KeyboardInterrupt:
            child.stop(process)
            step = (restart.latest(folder) or (0, None))[0]
            raise KeyboardInterrupt(f"the same command goes on from step {step}") from None
        finally:
            child.stop(process)
    if process.returncode != 0 or not finite:
        reason = reason_of(folder / log_name(start), output) if finite else "T or P is not a number"
        raise failure(folder / log_name(start), watch.step, reason, variables["potential"])


def _discard_restarts(folder: Path, keep: str) -> None:
    """Older pairs than the one to continue from are of no more use."""
    for path in folder.glob("restart.*.[ab]"):
        if path.name[:-1] != keep[:-1]:
            path.unlink()


def reason_of(log: Path, output: Path) -> str:
    """Why LAMMPS stopped: the last line that says ERROR, else the last of what was printed."""
    last = []
    for path in (log, output):
        if path.exists():
            lines = path.read_text(errors="replace").splitlines()
            if errors := [line.strip() for line in lines if line.startswith("ERROR")]:
                return errors[-1]
            last = [line.strip() for line in lines if line.strip(" =")][-_QUOTED:]
    return f"{output.name} ends with {' / '.join(last)!r}" if last else f"{output.name} is empty"


def failure(log: Path, step: int | None, reason: str, potential: str) -> Exception:
    """The error to raise when LAMMPS stopped after `step` (None: before the first)."""
    if "DeePMD-kit" in reason and step is None:
        return PotentialError(
            f"{potential.strip(chr(34))}: DeePMD-kit cannot load it ({reason}; log {log}). "
            "Restore the file or train it again."
        )
    where = "before the first step" if step is None else f"after step {step}"
    remedy = "Start the run again"
    remedy += ": it continues from the last restart file." if restart.latest(log.parent) else "."
    if any(word in reason.lower() for word in _BLOWN_UP):
        remedy = (
            "The potential was driven outside what it knows: try a smaller timestep_fs in "
            "inputs/md.toml, a state inside its range, or train it there."
        )
        if kept := restart.latest(log.parent):
            remedy += f" Kept: {kept[1].name}, step {kept[0]}."
    return EngineFailed(f"{log}: LAMMPS stopped {where}: {reason}. {remedy}")
