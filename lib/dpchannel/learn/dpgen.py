"""The same schedule for DP-GEN: param.json, and the structures that it explores from.

Source of the keys: `dpgen.generator.arginfo.run_jdata_arginfo` of DP-GEN 0.14.
"""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpchannel.errors import InputError
from dpchannel.learn.explore import Lengths
from dpchannel.potential import data
from dpchannel.potential.deepmd_input import training_input
from dpchannel.results import replacing
from dpchannel.structures.cells import build
from dpchannel.units import BAR_PER_GPA

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import SystemSettings, TrainingSettings
    from dpchannel.settings.learn import LearnSettings, LoopProfile, StageSettings, StartSettings
    from dpchannel.settings.vasp import VaspSettings

# without these DP-GEN does not start, whatever makes the labels
REQUIRED = (
    *("type_map", "init_data_sys", "sys_configs", "numb_models", "default_training_param"),
    *("model_devi_dt", "model_devi_skip", "model_devi_f_trust_lo", "model_devi_f_trust_hi"),
    *("model_devi_jobs", "fp_style", "fp_task_max", "fp_task_min"),
)


def param(
    system: SystemSettings,
    settings: LearnSettings,
    profile: LoopProfile,
    training: TrainingSettings,
    *,
    dataset: Path,
    folder: Path,
    fp: dict[str, Any],
) -> dict[str, Any]:
    """Content of param.json.

    Parameters
    ----------
    dataset : Path
        What the loop begins with: only its training folders are named, since DP-GEN holds nothing
        out.
    folder : Path
        Where param.json will lie; paths in it are as seen from there.
    fp : dict
        The keys of `fp_style`, see `vasp_keys` and `cp2k_keys`.

    Raises
    ------
    InputError
        A length is no whole number of steps, or there is no data set.
    """
    found = [path for paths in data.folders(dataset, "train").values() for path in paths]
    if not found:
        raise InputError(f"{dataset}: no folder to train on. Make it with bin/dataset.py.")
    network = training.networks[profile.network]
    network = network.model_copy(update={"steps": profile.train.first_steps})
    content = training_input(training, network, elements=system.system.elements, sel=[], train=[])
    # DP-GEN fills in the data; the room for neighbours is found by DeePMD-kit, with our margin
    margin = 1 + training.descriptor.sel_margin
    content["model"]["descriptor"]["sel"] = f"auto:{margin:g}"
    starts = unique_starts(profile)
    return {
        "type_map": list(system.system.elements),
        "mass_map": "auto",
        "init_data_prefix": "",
        "init_data_sys": [os.path.relpath(path, folder) for path in found],
        "sys_format": "vasp/poscar",
        "sys_configs": [[f"confs/{n:03d}/POSCAR"] for n in range(len(starts))],
        "numb_models": len(profile.seeds),
        "default_training_param": content,
        "dp_compress": True,
        "training_reuse_iter": 1,
        "training_reuse_numb_steps": profile.train.later_steps,
        "training_reuse_start_lr": profile.train.later_start,
        "model_devi_dt": settings.integrator.timestep_fs / 1000,
        "model_devi_skip": _skipped(profile, profile.stages[0], settings),
        **_trust(profile),
        "model_devi_jobs": [
            _job(profile, stage, starts, settings)
            for stage in profile.stages
            for _ in range(stage.iterations)
        ],
        **fp,
        "fp_task_max": profile.per_iteration,
        "fp_task_min": 0,
        "fp_accurate_threshold": settings.stop.accurate_share,
        "ratio_failed": settings.labels.failed_share,
    }


def unique_starts(profile: LoopProfile) -> list[StartSettings]:
    """Every start of any stage, once: DP-GEN names them by number."""
    return list(dict.fromkeys(start for stage in profile.stages for start in stage.starts))


def structures(profile: LoopProfile, system: SystemSettings, inputs: Path) -> list[Atoms]:
    """The structure of each, atoms grouped in the order of the type map."""
    found = []
    for n, s in enumerate(unique_starts(profile)):
        atoms = build(system, inputs, s.cell, s.repeat, s.occupancy, n)
        rank = [system.system.elements.index(symbol) for symbol in atoms.get_chemical_symbols()]
        found.append(atoms[sorted(range(len(atoms)), key=lambda k: rank[k])])
    return found


def vasp_keys(system: SystemSettings, vasp: VaspSettings) -> dict[str, Any]:
    """Labels with VASP, from an INCAR that lies beside param.json."""
    sets = [vasp.potcars[element] for element in system.system.elements]
    return {
        "fp_style": "vasp",
        "fp_pp_path": vasp.program.potcar_library or "potpaw_PBE",
        "fp_pp_files": [f"{name}/POTCAR" for name in sets],
        "fp_incar": "INCAR",
    }


def incar_text(vasp: VaspSettings) -> str:
    """Tags of the label set, and KSPACING (1/A) of the mesh's density: DP-GEN asks for it here."""
    from pymatgen.io.vasp.inputs import Incar

    spacing = round(2 * math.pi / vasp.mesh.length_A, 4)
    density = {"KSPACING": spacing, "KGAMMA": vasp.mesh.scheme == "gamma"}
    return str(Incar(vasp.tags("label") | density)) + "\n"


def cp2k_keys() -> dict[str, Any]:
    """Labels with CP2K, from a template that lies beside param.json."""
    return {"fp_style": "cp2k", "external_input_path": "cp2k.inp"}


def cp2k_template(text: str) -> str:
    """Our input of one frame with cell and coordinates left to DP-GEN; its k-points stay.

    DP-GEN puts the cell in place of the line with ABC and writes coord.xyz beside the input.
    """
    cell, coordinates = "ABC 1.0 1.0 1.0\\n      PERIODIC XYZ", "@include coord.xyz"
    for section, line in (("CELL", cell), ("COORD", coordinates)):
        pattern = rf"(&{section}\n).*?(\n *&END {section})"
        text, n = re.subn(pattern, rf"\g<1>      {line}\g<2>", text, count=1, flags=re.S)
        if n != 1:
            raise InputError(f"CP2K's input has no section {section}.")
    return text


def write(content: dict[str, Any], frames: list[Atoms], folder: Path) -> Path:
    """Write param.json and `confs/<n>/POSCAR` into `folder`; returns the path of the former."""
    from ase.io import write as write_atoms

    if missing := [key for key in REQUIRED if key not in content]:
        raise InputError(f"param.json: no {missing[0]}, which DP-GEN needs.")
    for n, atoms in enumerate(frames):
        with replacing(folder / "confs" / f"{n:03d}" / "POSCAR") as aside:
            write_atoms(aside, atoms, format="vasp", direct=True)
    with replacing(folder / "param.json") as aside:
        aside.write_text(json.dumps(content, indent=1) + "\n")
    return folder / "param.json"


def _trust(profile: LoopProfile) -> dict[str, Any]:
    trust = profile.trust
    found: dict[str, Any] = {
        "model_devi_f_trust_lo": trust.low_eV_per_A,
        "model_devi_f_trust_hi": trust.high_eV_per_A,
    }
    if trust.adaptive_share:
        found |= {
            "model_devi_adapt_trust_lo": True,
            "model_devi_numb_candi_f": trust.adaptive_frames,
            "model_devi_perc_candi_f": trust.adaptive_share,
        }
    return found


def _skipped(profile: LoopProfile, stage: StageSettings, settings: LearnSettings) -> int:
    """Frames at the start of a trajectory that do not count; the same in every stage."""
    lengths = Lengths.make(profile, stage, settings.integrator)
    return lengths.steps // lengths.every + 1 - lengths.frames


def _job(
    profile: LoopProfile,
    stage: StageSettings,
    starts: list[StartSettings],
    settings: LearnSettings,
) -> dict[str, Any]:
    lengths = Lengths.make(profile, stage, settings.integrator)
    return {
        "sys_idx": [starts.index(start) for start in stage.starts],
        "temps": list(stage.temperature_K),
        "press": [round(p * BAR_PER_GPA, 6) for p in stage.pressure_GPa],
        "trj_freq": lengths.every,
        "nsteps": lengths.steps,
        "ensemble": "npt",
        "taut": settings.integrator.thermostat_ps,
        "taup": settings.integrator.barostat_ps,
    }
