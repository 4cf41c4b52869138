#!/usr/bin/env python3
"""Make files as jobs of a SLURM cluster: cost first, nothing twice, at once back."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

ROOT = Path(__file__).resolve().parents[1]


def main(
    goal: Annotated[str, typer.Argument(help="Name of the task, as in `make GOAL`.")],
    jobs: Annotated[
        list[str],
        typer.Argument(help="TEMPLATE:FILE[,TEMPLATE:FILE ...]: steps in order; - reads stdin."),
    ],
    profiles: Annotated[Path, typer.Option(help="Sites.")] = ROOT / "slurm" / "profiles.toml",
    site: Annotated[str, typer.Option(help="One of them; empty: the file's default.")] = "",
    runs: Annotated[Path, typer.Option(help="Folder of what is produced.")] = Path("runs"),
    word: Annotated[list[str] | None, typer.Option(help="VARIABLE=value of make.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Make finished files again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Submit without asking.")] = False,
) -> None:
    """Say what is finished, what is in the queue, what the rest costs; submit it when agreed."""
    from dpchannel.errors import InputError
    from dpchannel.runner import chains, submission
    from dpchannel.settings import load
    from dpchannel.settings.slurm import SlurmSettings

    os.chdir(ROOT)
    known = load(SlurmSettings, profiles)
    name = site or known.site
    if name not in known.sites:
        raise InputError(f"SITE={name}: {profiles} has {', '.join(known.sites)}.")
    templates = {path.stem for path in profiles.parent.glob("*.sbatch")}
    if strange := set(known.sites[name].jobs) - templates:
        raise InputError(
            f"{profiles}: sites.{name}.jobs.{min(strange)}: no such template; there is"
            f" {', '.join(sorted(templates))}."
        )
    texts = sys.stdin.read().split() if jobs == ["-"] else jobs
    cluster = submission.Cluster(
        site=known.sites[name],
        templates=profiles.parent,
        home=runs / "slurm",
        words=tuple(word or ()),
        note=cli.note,
    )

    def agreed() -> bool:
        if yes:
            return True
        try:
            if sys.stderr.isatty():
                with open("/dev/tty") as person:  # stdin may hold the jobs
                    print(f"Submit to {name}? [y/N] ", end="", file=sys.stderr, flush=True)
                    return person.readline().strip().lower() in ("y", "yes")
        except OSError:
            pass
        cli.note("no terminal to ask at")
        return False

    wanted = [chains.parse(text) for text in texts]
    submission.run(goal, wanted, cluster, redo=force, agreed=agreed)


if __name__ == "__main__":
    cli.run(main)
