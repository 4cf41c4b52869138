"""Engines that work through files, as ASE calculators: what was run before is only read again."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from dpchannel.errors import EngineFailed, EngineMissing
from dpchannel.labels.labeler import Labeler, frame_id
from dpchannel.labels.vasp import VaspLabeler

Note = Callable[[str], None]
RESULTS = ("energy", "forces", "stress")


class LabelerCalculator(Calculator):
    """A Labeler as an ASE calculator: write, run, read, in a folder for each geometry."""

    def __init__(self, engine: Labeler, folder: Path) -> None:
        super().__init__()
        self.implemented_properties = [*RESULTS, "magmom"]
        self.engine, self.folder = engine, folder

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = RESULTS,
        system_changes: Any = all_changes,
    ) -> None:
        """All three results of one geometry; what was run before is read again.

        Raises
        ------
        EngineFailed        it failed, did not converge, or left a result out
        """
        super().calculate(atoms, properties, system_changes)
        frame: Any = self.atoms
        folder = self.folder / frame_id(frame)
        try:
            labelled = self.engine.read(folder)
        except EngineFailed:  # not run yet, or not to the end
            self.engine.write_inputs(frame, folder)
            self.engine.run(folder)
            labelled = self.engine.read(folder)
        found = labelled.calc.results if labelled.calc is not None else {}
        if missing := [name for name in RESULTS if name not in found]:
            raise EngineFailed(f"{folder}: gave no {missing[0]}. See its output there.")
        if not labelled.info.get("converged", False):
            raise EngineFailed(f"{folder}: did not converge. See its output there.")
        self.results = {name: found[name] for name in RESULTS}
        if "moment_muB" in labelled.info:
            self.results["magmom"] = labelled.info["moment_muB"]

    def prepare(self, frames: Sequence[Atoms], note: Note) -> None:
        """Compute every frame that has no result yet; all inputs are written before the first run.

        Raises
        ------
        EngineMissing       it is not installed here; the message says where the inputs wait
        EngineFailed        it failed on a frame
        """
        left = {self.folder / frame_id(f): f for f in frames if not self._is_there(f, note)}
        for folder, frame in left.items():
            self.engine.write_inputs(frame, folder)
        for number, folder in enumerate(left):
            note(f"{self.engine.name}: single point {number + 1} of {len(left)}, in {folder}")
            try:
                self.engine.run(folder)
            except EngineMissing as error:
                raise EngineMissing(
                    f"{error} Or run it elsewhere: inputs for {len(left) - number} points are in"
                    f" {self.folder}; with their outputs beside them the same command goes on."
                ) from None
            self.engine.read(folder)

    def _is_there(self, frame: Atoms, note: Note) -> bool:
        """A result can be read, or is what a run elsewhere has left."""
        folder = self.folder / frame_id(frame)
        try:
            self.engine.read(folder)
        except EngineFailed:
            if not isinstance(self.engine, VaspLabeler) or not self.engine.has_outputs(folder):
                return False
            try:
                self.engine.take_in(folder)
                self.engine.read(folder)
            except EngineFailed as error:
                note(str(error))
                return False
        return True


def prepare(calculator: Calculator, frames: Sequence[Atoms], note: Note) -> None:
    """Have an engine that works through files compute all frames; nothing for any other.

    Raises
    ------
    EngineMissing, EngineFailed     as LabelerCalculator.prepare
    """
    if isinstance(calculator, LabelerCalculator):
        calculator.prepare(frames, note)
