"""Labels of the selected frames (02.label), through the gate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dpchannel.errors import EngineFailed, NotConverged
from dpchannel.labels.campaign import Standing, read_queue, work_on
from dpchannel.labels.gate import problem
from dpchannel.labels.labeler import Labeler, labeler

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import GateSettings, LabelSettings
    from dpchannel.settings.campaign import PatienceSettings

Note = Callable[[str], None]


class Gated:
    """An engine whose labels must pass the gate: what does not is a failed frame, with a reason."""

    def __init__(self, inner: Labeler, gate: GateSettings, elements: Sequence[str]) -> None:
        self.name, self.title = inner.name, inner.title
        self.inner, self.gate, self.elements = inner, gate, elements

    def write_inputs(self, atoms: Atoms, folder: Path) -> None:
        """As the engine."""
        self.inner.write_inputs(atoms, folder)

    def run(self, folder: Path) -> None:
        """As the engine."""
        self.inner.run(folder)

    def read(self, folder: Path) -> Atoms:
        """The label; EngineFailed when the gate refuses it."""
        atoms = self.inner.read(folder)
        if reason := problem(atoms, self.gate, self.elements):
            raise EngineFailed(f"{folder}: refused by the gate: {reason}.")
        return atoms


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
    note: Note,
) -> Standing:
    """Label what has no label and has not failed; `failed.tsv` lists failures, each with its log.

    Raises
    ------
    NotConverged
        More frames failed than the settings allow.
    EngineMissing, EngineFailed
        The engine is not installed; a label cannot be written.
    """
    chosen = labeler(engine, settings, inputs=inputs / f"{engine}.toml")
    gated = Gated(chosen, settings.gate, elements)
    frames = read_queue(queue)
    try:
        return work_on(frames, out, gated, work, budget_s=math.inf, patience=patience, note=note)
    except NotConverged as error:
        raise NotConverged(
            f"{error} A bad potential makes frames that no engine can label: test the model first, "
            f"`make verify POTENTIAL={model}`; then lower trust.high_eV_per_A or the temperatures "
            "in inputs/learn.toml."
        ) from None
