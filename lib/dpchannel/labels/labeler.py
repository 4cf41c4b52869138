"""What every engine of labels does: write its input, run, read the result back."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dpchannel.errors import InputError
from dpchannel.results import project_root
from dpchannel.settings import load

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import LabelSettings

ENGINES = ("mlip", "cp2k", "vasp")


class Labeler(Protocol):
    """An engine that labels one frame in a folder of its own.

    The three steps are separate, so that a finished run is read again instead of redone, and a
    batch system can do the second elsewhere.
    """

    name: str

    @property
    def title(self) -> str:
        """What its labels say they were made with; whose zero their energies count from."""

    def made_with(self, atoms: Atoms) -> dict[str, Any]:
        """What `info` of a label of this frame would say now of engine, settings and data files.

        Raises
        ------
        EngineMissing
            Data files of the engine are not here.
        """

    def write_inputs(self, atoms: Atoms, folder: Path) -> None:
        """Write everything the run needs into `folder`."""

    def run(self, folder: Path) -> None:
        """Run in `folder`.

        Raises
        ------
        EngineMissing
            The program or package is not installed.
        EngineFailed
            It ran and failed; the message names the log.
        """

    def read(self, folder: Path) -> Atoms:
        """The frame with `energy` (eV), `forces` (eV/A), `stress` (eV/A^3, ASE's sign: positive
        under tension) on a SinglePointCalculator; `info` says `engine`, `versions`, `converged`.

        What the engine did not give is left out: the gate refuses the frame and says why.
        """


def frame_id(atoms: Atoms) -> str:
    """Sixteen hexadecimal digits that name a frame.

    Elements, cell and positions to 1e-6 A, and starting moments where there are any.
    """
    digest = hashlib.sha256(atoms.numbers.astype("<i8").tobytes())
    moments = atoms.get_initial_magnetic_moments()
    for array in (atoms.cell[:], atoms.positions, *([moments] if moments.any() else [])):
        # adding 0.0 turns -0.0 into 0.0
        digest.update((np.round(np.asarray(array, dtype="<f8"), 6) + 0.0).tobytes())
    return digest.hexdigest()[:16]


def labeler(engine: str, settings: LabelSettings, *, inputs: Path | None = None) -> Labeler:
    """The engine of that name.

    Parameters
    ----------
    settings : LabelSettings
        inputs/labels.toml, which sets up the embedded engine.
    inputs : Path, optional
        The file that sets up any other engine [default: inputs/<engine>.toml of the project].
    """
    path = inputs or project_root() / "inputs" / f"{engine}.toml"
    if engine == "mlip":
        from dpchannel.labels.mlip import MlipLabeler

        return MlipLabeler(settings.mlip)
    if engine == "cp2k":
        from dpchannel.labels.cp2k import Cp2kLabeler
        from dpchannel.settings.cp2k import Cp2kSettings

        return Cp2kLabeler(load(Cp2kSettings, path))
    if engine == "vasp":
        from dpchannel.labels.vasp import VaspLabeler
        from dpchannel.settings.vasp import VaspSettings

        return VaspLabeler(load(VaspSettings, path))
    raise InputError(f"engine {engine!r}: not known here. Engines: {', '.join(ENGINES)}.")
