"""Labels from CP2K: GTH pseudopotentials, MOLOPT basis sets, k-points, analytical stress."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.errors import EngineFailed, EngineMissing
from dpchannel.labels.cp2k_input import PROJECT, input_text, is_polarised
from dpchannel.labels.cp2k_output import Cp2kOutput, abort_reason, read_output
from dpchannel.labels.frame_file import read_frame, same_geometry, with_results, write_frame
from dpchannel.labels.process import run_program
from dpchannel.results import replacing, sha256

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings.cp2k import Cp2kSettings

INPUT, OUTPUT, LOG, RECORD = "label.inp", "label.out", "program.log", "run.json"
WAVE = f"{PROJECT}-RESTART.kp"
WAVES = ".waves"  # beside the frames' folders: the last wave function of each composition
REMEDY = (
    "Run `make setup-dft` (apt-get install cp2k cp2k-data), or set program.command in "
    "inputs/cp2k.toml."
)


class Cp2kLabeler:
    """One CP2K run a frame, started from the wave function of the frame before when it is close."""

    name = "cp2k"

    def __init__(self, settings: Cp2kSettings) -> None:
        self.settings = settings

    @property
    def title(self) -> str:
        """What its labels say they were made with."""
        return f"{self.name} {self.settings.functional}"

    def made_with(self, atoms: Atoms) -> dict[str, Any]:
        """Title, digest of the settings for its elements, hashes of bases and pseudopotentials."""
        return {
            "engine": self.title,
            "settings": self._digest(atoms),
            "data_sha256": self._data_sha256(),
            "spin_polarised": is_polarised(atoms),
        }

    def write_inputs(self, atoms: Atoms, folder: Path) -> None:
        """Write the frame, and the input that starts from the atoms."""
        text = input_text(atoms, self.settings)
        folder.mkdir(parents=True, exist_ok=True)
        write_frame(atoms, folder)
        (folder / INPUT).write_text(text)

    def run(self, folder: Path) -> None:
        """Run CP2K; when the neighbour's wave function leads nowhere, once more from the atoms."""
        atoms = read_frame(folder)
        wave = self._neighbour(atoms, folder)
        try:
            self._run_once(atoms, folder, wave)
        except EngineFailed:
            if wave is None:
                raise
            self._run_once(atoms, folder, None)
        self._keep_wave(atoms, folder)

    def read(self, folder: Path) -> Atoms:
        """The label; the mean force is subtracted from every atom and recorded."""
        atoms = read_frame(folder)
        record = self._record(folder, self._digest(atoms))
        found = read_output(folder / OUTPUT)
        path = folder / OUTPUT
        same_geometry(path, atoms, found.symbols, found.positions, decimals=6)
        _same_cell(path, atoms, found)
        mean = found.forces.mean(axis=0)
        net = float(np.linalg.norm(found.forces.sum(axis=0)))
        if net > self.settings.net_force_eV_per_A:
            raise EngineFailed(
                f"{path}: net force {net:.3g} eV/A > {self.settings.net_force_eV_per_A:g}. "
                "Frame not labelled. Raise grid.cutoff_Ry in inputs/cp2k.toml."
            )
        labelled = with_results(atoms, found.energy_eV, found.forces - mean, found.stress)
        labelled.info |= {
            "engine": self.title,
            "versions": found.version,
            "converged": True,
            "settings": record["settings"],
            "data_sha256": record["data_sha256"],
            "mean_force": mean,
            "net_force": net,
            "scf_steps": found.scf_steps,
            "restarted": record["restarted"],
            "wall_s": found.wall_s,
        }
        if is_polarised(atoms):
            if found.moments is None or found.absolute_spin is None:
                raise EngineFailed(f"{path}: no moments, but the frame has some. Run it again.")
            labelled.arrays["moment_muB"] = found.moments
            labelled.info |= {
                "spin_polarised": True,
                "moment_muB": float(found.moments.sum()),
                "absolute_moment_muB": found.absolute_spin,
                "smearing_K": self.settings.spin.smearing_K,
            }
        return labelled

    def _run_once(self, atoms: Atoms, folder: Path, wave: Path | None) -> None:
        data = self._data_sha256()
        name = None if wave is None else str(wave.resolve())
        text = input_text(atoms, self.settings, restart=name)
        (folder / INPUT).write_text(text)
        for old in (OUTPUT, RECORD, WAVE):  # CP2K appends to an output that is there
            (folder / old).unlink(missing_ok=True)
        program = self.settings.program
        code = run_program(
            [*program.command, "-i", INPUT, "-o", OUTPUT],
            folder,
            log=LOG,
            time_limit_min=program.time_limit_min,
            remedy=REMEDY,
            environment={"CP2K_DATA_DIR": program.data_folder},
            stop_file=("EXIT", ""),
        )
        if code != 0:
            raise EngineFailed(_why(folder, code))
        read_output(folder / OUTPUT)
        record = {
            "settings": self._digest(atoms),
            "data_sha256": data,
            "restarted": wave is not None,
            "output_sha256": sha256(folder / OUTPUT),
        }
        with replacing(folder / RECORD) as aside:
            aside.write_text(json.dumps(record, indent=1) + "\n")

    def _digest(self, atoms: Atoms) -> str:
        return self.settings.digest(atoms.get_chemical_symbols(), polarised=is_polarised(atoms))

    def _record(self, folder: Path, digest: str) -> dict[str, Any]:
        """What the run was made from; it exists only when CP2K ended well."""
        path = folder / RECORD
        try:
            record: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise EngineFailed(f"{path}: no finished CP2K run here ({error}).") from None
        if record.get("settings") != digest:
            raise EngineFailed(f"{path}: made with other settings than inputs/cp2k.toml has now.")
        output = folder / OUTPUT
        if not output.exists() or record.get("output_sha256") != sha256(output):
            raise EngineFailed(f"{output}: not the file that CP2K wrote. Run the frame again.")
        return record

    def _data_sha256(self) -> str:
        """`name:hash` of each file with basis sets or pseudopotentials, sixteen digits each."""
        folder = Path(self.settings.program.data_folder)
        names = [*self.settings.basis_files, self.settings.potential_file]
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise EngineMissing(f"{folder / missing[0]}: no such data file of CP2K. {REMEDY}")
        return " ".join(f"{name}:{sha256(folder / name)[:16]}" for name in names)

    def _signature(self, atoms: Atoms) -> str:
        moments = atoms.get_initial_magnetic_moments().tolist() if is_polarised(atoms) else ""
        text = f"{self._digest(atoms)} {atoms.get_chemical_symbols()}{moments}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _neighbour(self, atoms: Atoms, folder: Path) -> Path | None:
        """Wave function of an earlier frame whose atoms lie close enough to these."""
        limit = self.settings.scf.restart_within_A
        home = folder.parent / WAVES / self._signature(atoms)
        if limit == 0 or not (home / "wave.kp").exists():
            return None
        other = read_frame(home)
        apart = _wrapped(atoms) - _wrapped(other)  # an atom that left through a face counts as far
        distance = float(np.sqrt(np.mean(np.sum((apart @ atoms.cell[:]) ** 2, axis=1))))
        return home / "wave.kp" if distance <= limit else None

    def _keep_wave(self, atoms: Atoms, folder: Path) -> None:
        wave = folder / WAVE
        if self.settings.scf.restart_within_A == 0 or not wave.exists():
            return
        home = folder.parent / WAVES / self._signature(atoms)
        home.mkdir(parents=True, exist_ok=True)
        (home / "wave.kp").unlink(missing_ok=True)  # never beside another frame's positions
        write_frame(atoms, home)
        wave.replace(home / "wave.kp")


def _wrapped(atoms: Atoms) -> np.ndarray:
    """Fractional coordinates in [-1/2, 1/2), as CP2K folds them."""
    scaled = np.asarray(atoms.cell.scaled_positions(atoms.positions))
    return scaled - np.round(scaled)


def _same_cell(path: Path, atoms: Atoms, found: Cp2kOutput) -> None:
    """CP2K prints three decimals of the cell and six of its volume."""
    volume = atoms.get_volume()
    if (
        np.abs(found.cell - atoms.cell[:]).max() > 1.1e-3
        or abs(found.volume_A3 - volume) > 1e-6 * volume + 1e-6
    ):
        raise EngineFailed(f"{path}: the cell is not that of the frame. Run the frame again.")


def _why(folder: Path, code: int) -> str:
    for path in (folder / OUTPUT, folder / LOG):
        if path.exists():
            text = path.read_text(errors="replace")
            if reason := abort_reason(text):
                return f"{path}: CP2K stopped: {reason}"
    lines = (folder / LOG).read_text(errors="replace").strip().splitlines() or ["nothing printed"]
    return f"{folder / LOG}: CP2K ended with code {code}: {lines[-1]}"
