"""From the last checkpoint of a training to the files others use.

A network in single precision trains twice as fast and runs faster, but its rounding shows in what
is differentiated once more (phonons) or relaxed to the last digit. So its weights are also frozen
in double precision, and that is the model for everything but molecular dynamics.
"""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dpchannel.errors import InputError
from dpchannel.potential import dp
from dpchannel.potential.deepmd_input import read_input
from dpchannel.results import replacing

MODEL = "model.pb"  # double precision
COMPRESSED = "model-compressed.pb"  # precision of the training; the embedding network is a table
_AS_TRAINED = "model-as-trained.pb"
Note = Callable[[str], None]


def trained_model(folder: Path) -> dict[str, Any]:
    """Descriptor and network (`model` of input.json) of the weights in `folder`, to go on from.

    Raises
    ------
    InputError          not the folder of a finished training or of a shipped potential
    """
    if not (folder / MODEL).is_file():
        raise InputError(
            f"{folder}: no {MODEL} to go on from. Name the folder of a finished training, or of a "
            "shipped potential."
        )
    model: dict[str, Any] = read_input(folder)["model"]
    return model


def freeze(work: Path, compress_step: float, *, threads: int, note: Note) -> None:
    """Write `model.pb` and `model-compressed.pb` of a finished training; what is there is kept.

    Parameters
    ----------
    work : Path             folder of the training
    compress_step : float   of the table that replaces the embedding network

    Raises
    ------
    EngineFailed            `dp` failed; the message names the log
    """
    trained = work / _AS_TRAINED
    if not trained.exists():
        with replacing(trained) as aside:
            dp.run(["freeze", "-c", ".", "-o", aside.name], work, threads=threads, log="freeze.log")
    if not (work / MODEL).exists():
        with replacing(work / MODEL) as aside:
            _in_double_precision(work, aside, threads)
        note(f"frozen: {work / MODEL}")
    if not (work / COMPRESSED).exists():
        with replacing(work / COMPRESSED) as aside:
            command = ["compress", "-i", _AS_TRAINED, "-o", aside.name, "-s", str(compress_step)]
            dp.run([*command, "-t", "input.json"], work, threads=threads, log="compress.log")
        note(f"compressed: {work / COMPRESSED}")


def _in_double_precision(work: Path, target: Path, threads: int) -> None:
    """The same weights in a float64 graph, by a training of no steps."""
    content = read_input(work)
    if content["model"]["descriptor"]["precision"] == "float64":
        shutil.copyfile(work / _AS_TRAINED, target)
        return
    double = work / "float64"
    shutil.rmtree(double, ignore_errors=True)
    double.mkdir()
    (double / "input.json").write_text(json.dumps(_idle(content)) + "\n")
    # counts neighbours once more: `dp compress` looks for the shortest distance in the model
    command = ["train", "input.json", "--init-frz-model", f"../{_AS_TRAINED}"]
    dp.run(command, double, threads=threads, log="train.log")
    dp.run(["freeze", "-c", ".", "-o", MODEL], double, threads=threads, log="freeze.log")
    shutil.copyfile(double / MODEL, target)
    shutil.rmtree(double)


def _idle(content: dict[str, Any]) -> dict[str, Any]:
    """The input of a training in double precision, one folder deeper, of no steps."""
    content = copy.deepcopy(content)
    for part in ("descriptor", "fitting_net"):
        content["model"][part]["precision"] = "float64"
    training = content["training"]
    training.pop("validation_data", None)
    folders = training["training_data"]["systems"]
    training["training_data"]["systems"] = [f"../{folder}" for folder in folders]
    training["numb_steps"] = 0
    return content
