"""Labels from a machine-learned potential, or any other ASE calculator."""

from __future__ import annotations

import importlib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dpchannel.errors import EngineFailed, EngineMissing, InputError
from dpchannel.results import replacing, sha256

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from dpchannel.settings import MlipSettings

FRAME = "frame.extxyz"
LABEL = "label.extxyz"


class MlipLabeler:
    """Energy, forces and stress in one call; there is no self-consistency that could fail."""

    name = "mlip"

    def __init__(self, settings: MlipSettings) -> None:
        self.settings = settings
        self._calculator: Calculator | None = None  # loading weights takes seconds: once

    def made_with(self, atoms: Atoms) -> dict[str, Any]:
        """The engine's title: which model, or which calculator."""
        return {"engine": self.title}

    def write_inputs(self, atoms: Atoms, folder: Path) -> None:
        """Write the frame."""
        from ase.io import write

        folder.mkdir(parents=True, exist_ok=True)
        bare = atoms.copy()
        bare.calc = None
        write(folder / FRAME, bare, format="extxyz")

    def run(self, folder: Path) -> None:
        """Evaluate the calculator on the frame; the label appears in one step."""
        from ase.calculators.singlepoint import SinglePointCalculator
        from ase.io import read, write

        atoms = cast("Atoms", read(folder / FRAME))
        atoms.calc = self.calculator()
        try:
            results = {
                "energy": atoms.get_potential_energy(),
                "forces": atoms.get_forces(),
                "stress": atoms.get_stress(),
            }
        except (RuntimeError, ValueError, NotImplementedError) as error:
            raise EngineFailed(
                f"{folder / FRAME}: {self.settings.calculator} failed ({error!r})."
            ) from error
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info |= {"engine": self.title, "versions": self._versions(), "converged": True}
        with replacing(folder / LABEL) as aside:
            write(aside, atoms, format="extxyz")

    def read(self, folder: Path) -> Atoms:
        """The labelled frame; its `info` is that of the frame plus engine and versions."""
        from ase.io import read

        try:
            return cast("Atoms", read(folder / LABEL))
        except (OSError, ValueError, IndexError, StopIteration) as error:
            raise EngineFailed(f"{folder / LABEL}: no label to read ({error}).") from None

    @property
    def title(self) -> str:
        """What its labels say they were made with."""
        arguments = self.settings.arguments
        model = arguments.get("model", self.settings.calculator)
        return f"{self.name} {model}"

    @property
    def identity(self) -> str:
        """What its numbers depend on: class, arguments, files among them, and versions.

        Raises
        ------
        EngineMissing       a package is not installed
        """
        given = self.settings.arguments.values()
        weights = [sha256(Path(v)) for v in given if isinstance(v, str) and Path(v).is_file()]
        try:
            versions = self._versions()
        except ImportError as error:
            raise self._missing(error) from None
        return f"{self.settings.calculator} {self.settings.arguments} {versions} {weights}"

    def _missing(self, error: ImportError) -> EngineMissing:
        return EngineMissing(
            f"{self.settings.calculator}: cannot be imported ({error}). "
            "Run `make setup-mlip`, or choose another [mlip] calculator in the settings."
        )

    def _versions(self) -> str:
        found = [f"{package} {metadata.version(package)}" for package in self.settings.packages]
        return ", ".join(found)

    def calculator(self) -> Calculator:
        """The calculator itself; loaded once.

        Raises
        ------
        EngineMissing       its package is not installed
        InputError          no such class, or not with these arguments
        """
        if self._calculator is None:
            module, _, name = self.settings.calculator.rpartition(".")
            try:
                maker: Any = getattr(importlib.import_module(module), name)
                self._versions()
            except ImportError as error:  # PackageNotFoundError is one
                raise self._missing(error) from None
            except AttributeError:
                raise InputError(
                    f"[mlip] calculator = {self.settings.calculator!r}: no such class."
                ) from None
            try:
                self._calculator = maker(**self.settings.arguments)
            except (TypeError, ValueError, OSError) as error:
                raise InputError(
                    f"{self.settings.calculator}({self.settings.arguments}): {error}."
                ) from None
        return self._calculator
