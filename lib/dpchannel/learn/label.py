"""Labels of the selected frames (02.label), through the gate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dpchannel.errors import NotConverged
from dpchannel.labels.campaign import Standing, read_queue, work_on
from dpchannel.labels.gated import Gated
from dpchannel.labels.labeler import labeler
from dpchannel.labels.made import must_match

if TYPE_CHECKING:
    from dpchannel.settings import LabelSettings
    from dpchannel.settings.campaign import PatienceSettings

Note = Callable[[str], None]


def label(
    queue: Path,
    out: Path,
    work: Path,
    engine: str,
    settings: LabelSettings,
    inputs: Path,
    elements: Sequence[str],
    patience: PatienceSettings,
    model: Path,
    beside: Sequence[Path],
    note: Note,
) -> Standing:
    """Label what has no label and has not failed; `failed.tsv` lists failures, each with its log.

    Parameters
    ----------
    model : Path
        To be tested when too many fail.
    beside : paths of labelled extxyz
        What the labels are to be trained on with.

    Raises
    ------
    InputError
        The labels `beside` were made with other settings or data files.
    NotConverged
        More frames failed than the settings allow.
    EngineMissing, EngineFailed
        The engine is not installed; a label cannot be written.
    """
    chosen = labeler(engine, settings, inputs=inputs / f"{engine}.toml")
    gated = Gated(chosen, settings.gate, elements)
    frames = read_queue(queue)
    must_match(beside, gated, frames)
    try:
        return work_on(frames, out, gated, work, budget_s=math.inf, patience=patience, note=note)
    except NotConverged as error:
        raise NotConverged(
            f"{error} A bad potential makes frames that no engine can label: test the model first, "
            f"`make verify POTENTIAL={model}`; then lower trust.high_eV_per_A or the temperatures "
            "in inputs/learn.toml."
        ) from None
