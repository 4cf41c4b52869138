"""An engine behind the gate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpchannel.errors import EngineFailed
from dpchannel.labels.gate import problem
from dpchannel.labels.labeler import Labeler

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import GateSettings


class Gated:
    """An engine whose labels must pass the gate: what does not is a failed frame, with a reason."""

    def __init__(self, inner: Labeler, gate: GateSettings, elements: Sequence[str]) -> None:
        self.name, self.title = inner.name, inner.title
        self.inner, self.gate, self.elements = inner, gate, elements

    def made_with(self, atoms: Atoms) -> dict[str, Any]:
        """As the engine."""
        return self.inner.made_with(atoms)

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
