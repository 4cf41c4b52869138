#!/usr/bin/env python3
"""Label frames with energy, forces and virial from an engine."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    queue: Annotated[Path, typer.Argument(help="Frames to label, extxyz; - reads stdin.")],
    out: Annotated[Path, typer.Option(help="Labelled extxyz; what is there already is kept.")],
    engine: Annotated[str, typer.Option(help="Engine of the labels.")] = "mlip",
    settings: Annotated[Path, typer.Option(help="Settings.")] = INPUTS / "labels.toml",
    inputs: Annotated[
        Path | None, typer.Option(help="Settings of the engine [default: inputs/ENGINE.toml].")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Working folder [default: OUT.work].")] = None,
    keep: Annotated[bool, typer.Option(help="Keep the working folder of labelled frames.")] = False,
    part: Annotated[str, typer.Option(help="Only every n-th frame, i/n counted from 1.")] = "1/1",
    frame: Annotated[
        str, typer.Option(help="Only the frame of this name; OUT appears when it is labelled.")
    ] = "",
    threads: cli.Threads = 1,
) -> None:
    """Label what is not labelled yet; a killed run goes on where it stopped."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before the engine's libraries load
    import sys
    from contextlib import nullcontext

    from ase.io import iread

    from dpchannel.errors import EngineFailed, InputError
    from dpchannel.labels.labeler import frame_id, labeler
    from dpchannel.labels.queue import label_queue
    from dpchannel.results import replacing
    from dpchannel.settings import LabelSettings, load

    index, _, of = part.partition("/")
    if not (index.isdigit() and of.isdigit() and 1 <= int(index) <= int(of)):
        raise InputError(f"--part {part}: write for example 1/2 for the first of two halves.")
    source = sys.stdin if cli.is_pipe(queue) else queue
    if not cli.is_pipe(queue) and not queue.is_file():
        raise InputError(f"{queue}: no such file.")
    frames = iread(source, index=f"{int(index) - 1}::{of}", format="extxyz")
    if frame:
        frames = iter([atoms for atoms in frames if frame_id(atoms) == frame][:1])
    chosen = labeler(engine, load(LabelSettings, settings), inputs=inputs)
    home = work or out.with_name(out.name + ".work")
    with replacing(out) if frame else nullcontext(out) as path:
        tally = label_queue(frames, path, chosen, home, keep=keep, note=cli.note)
        if frame and not tally.labelled + tally.failed:
            raise InputError(f"--frame {frame}: no frame of that name in {queue}.")
        done = f"{tally.labelled} labelled, {tally.skipped} were there"
        cli.note(f"{done}, {tally.failed} failed: {out}")
        if tally.failed:
            raise EngineFailed(f"{tally.failed} not labelled: see above; run again to retry.")


if __name__ == "__main__":
    cli.run(main)
