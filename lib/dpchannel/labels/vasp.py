"""Labels from VASP, with the paper's settings as the shipped input set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.errors import EngineFailed
from dpchannel.labels.frame_file import read_frame, same_geometry, with_results, write_frame
from dpchannel.labels.process import must_exist, run_program
from dpchannel.labels.vasp_input import (
    grouped,
    hashes,
    kpoints,
    potcar_files,
    spin_tags,
    titles,
    write_vasp,
)
from dpchannel.labels.vasp_output import VaspOutput, read_vasp
from dpchannel.results import replacing, sha256

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings.vasp import VaspSettings

LOG, RECORD, MADE_FROM = "program.log", "run.json", "made_from.json"
OUTPUTS = ("vasprun.xml", "OUTCAR")
_NO_NUMBER = {"LWAVE", "LCHARG", "LORBIT", "NCORE", "NPAR", "KPAR"}  # what is written, and how fast
_PRINTED = 6  # letters of a word that vasprun.xml keeps: PREC = accura
REMEDY = "VASP is licensed: put it on PATH, or set program.command in inputs/vasp.toml."


class VaspLabeler:
    """One VASP run a frame: the frame in POSCAR element by element, the label in its own order."""

    name, title = "vasp", "vasp PBE"  # the title is what its labels say they were made with

    def __init__(self, settings: VaspSettings) -> None:
        self.settings = settings

    def made_with(self, atoms: Atoms) -> dict[str, Any]:
        """Title, digest of the settings, hashes of the POTCARs, and whether with spin."""
        return {
            "engine": self.title,
            "settings": self.settings.digest(),
            "data_sha256": hashes(potcar_files(atoms, self.settings)),
            "spin_polarised": self._asked(atoms)["ISPIN"] == 2,
        }

    def write_inputs(self, atoms: Atoms, folder: Path) -> None:
        """Write the frame, the four input files, and what they were made from.

        Polarised where atoms carry starting moments (`magmoms`).
        Outputs of inputs that were made from something else are removed.
        """
        write_vasp(atoms, self.settings, folder, extra=spin_tags(atoms))
        write_frame(atoms, folder)
        files = potcar_files(atoms, self.settings)
        record = {
            "settings": self.settings.digest(),
            "data_sha256": hashes(files),
            "titles": titles(files),
        }
        text, path = json.dumps(record, indent=1) + "\n", folder / MADE_FROM
        if not path.is_file() or path.read_text() != text:
            for old in (*OUTPUTS, RECORD):
                (folder / old).unlink(missing_ok=True)
        path.write_text(text)

    def run(self, folder: Path) -> None:
        """Run VASP; its record is written only when the output holds a label."""
        read_frame(folder)
        program = self.settings.program
        must_exist(program.command, REMEDY)  # else outputs of a run elsewhere would be lost
        for old in (*OUTPUTS, RECORD):
            (folder / old).unlink(missing_ok=True)
        code = run_program(
            program.command,
            folder,
            log=LOG,
            time_limit_min=program.time_limit_min,
            remedy=REMEDY,
            stop_file=("STOPCAR", "LABORT = .TRUE.\n"),
        )
        if code != 0:
            lines = (folder / LOG).read_text(errors="replace").strip().splitlines()
            raise EngineFailed(
                f"{folder / LOG}: VASP ended with code {code}: {(lines or ['nothing printed'])[-1]}"
            )
        self.take_in(folder)

    def has_outputs(self, folder: Path) -> bool:
        """VASP has begun to write there."""
        return any((folder / name).exists() for name in OUTPUTS)

    def take_in(self, folder: Path) -> None:
        """Vouch for outputs that are whole, of a run here or one that was done by hand.

        Raises
        ------
        EngineFailed
            They are unfinished, unconverged or damaged.
        """
        read_vasp(folder)
        with replacing(folder / RECORD) as aside:
            aside.write_text(json.dumps({n: sha256(folder / n) for n in OUTPUTS}, indent=1) + "\n")

    def read(self, folder: Path) -> Atoms:
        """The label; the mean force is subtracted from every atom and recorded."""
        atoms = read_frame(folder)
        made_from = self._made_from(folder)
        found = read_vasp(folder)
        path = folder / "vasprun.xml"
        order = grouped(atoms)
        same_geometry(
            path, atoms[order], found.symbols, _unwrapped(found, atoms[order]), decimals=6
        )
        self._as_asked(path, found, made_from, atoms)
        forces = np.empty_like(found.forces)
        forces[order] = found.forces
        mean, net = forces.mean(axis=0), float(np.linalg.norm(forces.sum(axis=0)))
        if net > self.settings.net_force_eV_per_A:
            raise EngineFailed(
                f"{path}: net force {net:.3g} eV/A > {self.settings.net_force_eV_per_A:g}. "
                "Frame not labelled. Raise ENCUT or PREC in inputs/vasp.toml."
            )
        labelled = with_results(atoms, found.energy_eV, forces - mean, found.stress)
        labelled.info |= {
            "engine": self.title,
            "versions": found.version,
            "converged": True,
            "settings": made_from["settings"],
            "data_sha256": made_from["data_sha256"],
            "titel": ", ".join(found.titles),
            "mean_force": mean,
            "net_force": net,
            "scf_steps": found.scf_steps,
            "spin_polarised": found.polarised,
        }
        if found.moment is not None:
            labelled.info["moment_muB"] = found.moment
        if found.moments is not None:
            moments = np.empty(len(atoms))
            moments[order] = found.moments
            labelled.arrays["moment_muB"] = moments
            labelled.info["absolute_moment_muB"] = float(np.abs(moments).sum())
        return labelled

    def _made_from(self, folder: Path) -> dict[str, Any]:
        """What the inputs were made from, when the outputs are those that VASP left here."""
        try:
            made_from: dict[str, Any] = json.loads((folder / MADE_FROM).read_text())
            record = json.loads((folder / RECORD).read_text())
            same = all(record.get(n) == sha256(folder / n) for n in OUTPUTS)
        except (OSError, ValueError) as error:
            raise EngineFailed(f"{folder}: no finished VASP run here ({error}).") from None
        if made_from.get("settings") != self.settings.digest():
            raise EngineFailed(f"{folder}: made with other settings than inputs/vasp.toml has now.")
        if not same:
            raise EngineFailed(f"{folder}: not the files that VASP wrote. Run the frame again.")
        return made_from

    def _asked(self, atoms: Atoms) -> dict[str, Any]:
        return {"ISPIN": 1} | self.settings.tags("label") | spin_tags(atoms)

    def _as_asked(
        self, path: Path, found: VaspOutput, made_from: dict[str, Any], atoms: Atoms
    ) -> None:
        for tag, value in self._asked(atoms).items():
            if tag not in _NO_NUMBER and not _same(found.incar.get(tag), value):
                raise EngineFailed(
                    f"{path}: {tag} = {found.incar.get(tag)}, asked was {value}. Run it again."
                )
        mesh = kpoints(atoms, self.settings)
        if any(getattr(found.mesh, n) != getattr(mesh, n) for n in ("style", "kpts", "kpts_shift")):
            raise EngineFailed(
                f"{path}: k-points {_brief(found.mesh)}, asked was {_brief(mesh)}. Run it again."
            )
        if list(found.titles) != list(made_from["titles"]):
            raise EngineFailed(f"{path}: other POTCARs than were given: {', '.join(found.titles)}.")
        if np.abs(found.cell - atoms.cell[:]).max() > 1e-6:
            raise EngineFailed(f"{path}: the cell is not that of the frame. Run the frame again.")


def _same(found: Any, asked: Any) -> bool:
    """Whether VASP ran with the value of a tag that was asked for."""
    if isinstance(asked, str):
        return str(found).strip().lower()[:_PRINTED] == asked.lower()[:_PRINTED]
    if isinstance(asked, bool) or found is None:
        return found is asked
    if isinstance(asked, list):  # moments, printed with eight decimals
        return np.shape(found) == np.shape(asked) and np.allclose(found, asked, rtol=0, atol=1e-6)
    return bool(found == asked)


def _brief(mesh: Any) -> str:
    return f"{mesh.style.name} {' '.join(map(str, mesh.kpts[0]))}"


def _unwrapped(found: VaspOutput, ordered: Atoms) -> np.ndarray:
    """VASP folds atoms into the cell: put each back beside its place in the frame."""
    if found.positions.shape != ordered.positions.shape:
        return found.positions
    apart = ordered.cell.scaled_positions(found.positions - ordered.positions)
    return np.asarray(found.positions - np.round(apart) @ ordered.cell[:])
