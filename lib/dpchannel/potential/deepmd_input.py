"""The input.json of DeePMD-kit (3.2, TensorFlow backend) from inputs/training.toml.

Source of the keys: `dp doc-train-input`; descriptor se_e2_a, fitting `ener`, loss `ener`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpchannel.errors import InputError

if TYPE_CHECKING:
    from dpchannel.settings import NetworkSettings, TrainingSettings

CHECKPOINT = "model.ckpt"
CURVE = "lcurve.out"


def selected_neighbours(most: Sequence[int], margin: float) -> list[int]:
    """`sel`: the most neighbours seen of each type, plus the margin, up to a multiple of four.

    >>> selected_neighbours([21, 14, 51], 0.25)
    [28, 20, 64]
    """
    return [4 * math.ceil(n * (1 + margin) / 4) for n in most]


def read_input(work: Path) -> dict[str, Any]:
    """The input.json of an earlier training."""
    try:
        content: dict[str, Any] = json.loads((work / "input.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{work}: not the folder of a training ({error}).") from None
    return content


def elements_of(work: Path) -> tuple[str, ...]:
    """The type map of an earlier training."""
    return tuple(read_input(work)["model"]["type_map"])


def probabilities(own: int, mixed: int, share: float) -> str:
    """`auto_prob`: the last `mixed` of the folders make up `share` of the batches.

    >>> probabilities(3, 2, 0.2)
    'prob_sys_size;0:3:0.8;3:5:0.2'

    Inside a block the chance of a folder goes with its number of batches. A batch is one folder's,
    of as many frames as fill `batch_size`: about as many atoms, whatever the size of a frame.

    Source: `dp doc-train-input`, training/training_data/auto_prob; prob_sys_size_ext in
    deepmd/utils/data_system.py.
    """
    if not mixed:
        return "prob_sys_size"
    return f"prob_sys_size;0:{own}:{1 - share:g};{own}:{own + mixed}:{share:g}"


def split_favoured(folders: list[Path], classes: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Folders of all other classes, and folders of these; a folder is named class-atoms.

    Nothing is favoured when every folder would be.

    Raises
    ------
    InputError
        There are no frames of a class.
    """
    kinds = {path.name.rpartition("-")[0] for path in folders}
    if unknown := sorted(set(classes) - kinds):
        raise InputError(
            f"run.favoured: {folders[0].parent} has no frames of class {unknown[0]!r}; "
            f"it has {', '.join(sorted(kinds))}."
        )
    chosen = [path for path in folders if path.name.rpartition("-")[0] in classes]
    if len(chosen) == len(folders):
        return folders, []
    return [path for path in folders if path not in chosen], chosen


def training_input(
    settings: TrainingSettings,
    network: NetworkSettings,
    *,
    elements: Sequence[str],
    sel: Sequence[int],
    train: Sequence[Path],
    watch: Sequence[Path] = (),
    mixed: Sequence[Path] = (),
    share: float = 0.0,
) -> dict[str, Any]:
    """Everything `dp train` reads.

    Parameters
    ----------
    elements : sequence of str
        The type map: the order of types in the system's TOML.
    sel : (n_type,)
        Neighbours kept of each type.
    train, watch : paths
        Folders to learn from, and folders whose errors are only displayed, as seen from the
        folder of the training.
    mixed, share
        Folders of another data set, or of favoured classes, and the share of all batches that comes
        from them.
    """
    seed, loss = settings.seed, settings.loss
    data: dict[str, Any] = {
        "training_data": {
            "systems": [str(p) for p in (*train, *mixed)],
            "batch_size": f"auto:{settings.run.batch_atoms}",
            "auto_prob": probabilities(len(train), len(mixed), share),
        }
    }
    if watch:
        data["validation_data"] = {
            "systems": [str(p) for p in watch],
            "batch_size": f"auto:{settings.run.batch_atoms}",
            "numb_btch": 4,
        }
    return {
        "model": {
            "type_map": list(elements),
            "descriptor": {
                "type": "se_e2_a",
                "sel": list(sel),
                "rcut": settings.descriptor.rcut_A,
                "rcut_smth": settings.descriptor.rcut_smth_A,
                "neuron": list(network.embedding),
                "axis_neuron": network.axis,
                "resnet_dt": False,
                "type_one_side": settings.descriptor.type_one_side,
                "precision": network.precision,
                "seed": seed,
            },
            "fitting_net": {
                "type": "ener",
                "neuron": list(network.fitting),
                "resnet_dt": True,
                "precision": network.precision,
                "seed": seed,
            },
        },
        "learning_rate": {
            "type": "exp",
            "start_lr": settings.learning_rate.start,
            "stop_lr": settings.learning_rate.stop,
            "decay_steps": settings.learning_rate.decay_steps,
        },
        "loss": {
            "type": "ener",
            "start_pref_e": loss.energy[0],
            "limit_pref_e": loss.energy[1],
            "start_pref_f": loss.force[0],
            "limit_pref_f": loss.force[1],
            "start_pref_v": loss.virial[0],
            "limit_pref_v": loss.virial[1],
        },
        "training": data
        | {
            "numb_steps": network.steps,
            "seed": seed,
            "disp_file": CURVE,
            "disp_freq": min(settings.run.display_steps, network.steps),
            "save_freq": min(settings.run.save_steps, network.steps),
            "save_ckpt": CHECKPOINT,
            "max_ckpt_keep": 2,
            "stat_file": "stat.hdf5",
        },
    }
