#!/usr/bin/env python3
"""The schedule of inputs/learn.toml for DP-GEN: param.json and what it refers to."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    data: Annotated[Path, typer.Argument(help="Data set to begin with.")],
    out: Annotated[Path, typer.Option(help="Folder for param.json, confs/, INCAR or cp2k.inp.")],
    engine: Annotated[str, typer.Option(help="Engine of the labels: vasp or cp2k.")] = "vasp",
    profile: Annotated[str, typer.Option(help="In [profiles] of learn.toml.")] = "paper",
    system: cli.System = INPUTS / "pb10po46o.toml",
    inputs: Annotated[Path, typer.Option(help="Folder with the settings.")] = INPUTS,
) -> None:
    """Write the inputs of `dpgen run`; machine.json, for your machines, is yours."""
    from dpchannel.errors import InputError
    from dpchannel.labels.cp2k_input import input_text
    from dpchannel.learn import dpgen
    from dpchannel.results import replacing
    from dpchannel.settings import SystemSettings, TrainingSettings, load
    from dpchannel.settings.cp2k import Cp2kSettings
    from dpchannel.settings.learn import LearnSettings
    from dpchannel.settings.vasp import VaspSettings

    crystal, settings = load(SystemSettings, system), load(LearnSettings, inputs / "learn.toml")
    if profile not in settings.profiles:
        known = ", ".join(settings.profiles)
        raise InputError(f"profile {profile!r}: inputs/learn.toml has {known}.")
    size = settings.profiles[profile]
    frames = dpgen.structures(size, crystal, inputs)
    if engine == "vasp":
        vasp = load(VaspSettings, inputs / "vasp.toml")
        fp, name, text = dpgen.vasp_keys(crystal, vasp), "INCAR", dpgen.incar_text(vasp)
    elif engine == "cp2k":
        cp2k = load(Cp2kSettings, inputs / "cp2k.toml")
        fp, name = dpgen.cp2k_keys(), "cp2k.inp"
        text = dpgen.cp2k_template(input_text(frames[0], cp2k))
    else:
        raise InputError(f"engine {engine!r}: DP-GEN labels with vasp or cp2k here.")
    training = load(TrainingSettings, inputs / "training.toml")
    content = dpgen.param(crystal, settings, size, training, dataset=data, folder=out, fp=fp)
    path = dpgen.write(content, frames, out)
    with replacing(out / name) as aside:
        aside.write_text(text)
    cli.note(f"{path}: {len(content['model_devi_jobs'])} iterations, {len(frames)} structures")


if __name__ == "__main__":
    cli.run(main)
