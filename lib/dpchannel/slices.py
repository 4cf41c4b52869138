"""The part of the inputs that each stage depends on, one small file a stage.

A slice is rewritten only when its content changes: a touched or freshly checked out TOML file, a
new comment or another order of keys changes nothing. Standard library only, and quick: Make asks
every time.
"""

import hashlib
import json
import os
import socket
import tomllib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from dpchannel.errors import InputError
from dpchannel.statepoint import StatePoint

LEAST_TEMPERATURES = 4  # two to either side of a transition
ROOT = Path(__file__).resolve().parents[2]
INPUTS = ROOT / "inputs"
# whose text can change a number between trajectory and result
ANALYSIS = (
    "bin/diffusion.py",
    "lib/dpchannel/md/h5md.py",
    "lib/dpchannel/results.py",
    "regression/paper.toml",
)
ANALYSIS_ROOMS = ("physics", "structures", "report")
# whose text can change what is seen of two phases beside each other, and where to look next
SEARCH = (
    "lib/dpchannel/physics/blocks.py",
    "lib/dpchannel/physics/coexistence.py",
    "lib/dpchannel/physics/order.py",
    "lib/dpchannel/report/coexistence.py",
    "lib/dpchannel/report/coexistence_task.py",
)
# of [profiles.*.coexistence]; the rest goes into the runs themselves
SEARCH_KEYS = ("low_K", "high_K", "tolerance_K", "max_runs")


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file; InputError when it is missing or damaged."""
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{shown(path)}: {error.strerror}.{_others(path)}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{shown(path)}: not valid TOML: {error}.") from None


def _others(path: Path) -> str:
    """What stands beside a missing file and could have been meant: of inputs/ only systems."""
    beside = sorted(path.parent.glob("*.toml"))
    if path.parent == INPUTS:
        beside = [other for other in beside if "[system]" in other.read_text().splitlines()]
    return f" There is: {', '.join(other.stem for other in beside)}." if beside else ""


def shown(path: Path) -> str:
    """`path` as a user would write it."""
    path = path.absolute()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def digest(*paths: Path) -> str:
    """One SHA-256 over the content of some files."""
    total = hashlib.sha256()
    for path in paths:
        try:
            total.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise InputError(f"{shown(path)}: cannot be read ({error.strerror}).") from None
    return total.hexdigest()


def slices(system_name: str, profile: str, potential: Path | None) -> dict[str, str]:
    """File name -> content, for every stage; without a potential there is none for MD.

    Raises
    ------
    InputError              a file is missing or is not TOML, or there is no potential
    """
    system = read_toml(INPUTS / f"{system_name}.toml")
    structure = _structure(system)
    measured = {"ring": system.get("ring"), "distance": system.get("distance")}
    found = {
        "diffusion.json": as_json(
            structure | measured | {"diffusion": read_toml(INPUTS / "diffusion.toml")}
        ),
        "physics.sha": digest(*analysis_files()) + "\n",
    }
    profile_settings = read_toml(INPUTS / "profiles" / f"{profile}.toml")
    if profile in (own := system.get("repeat", {})):
        profile_settings["repeat"] = own[profile]
    integrator = read_toml(INPUTS / "md.toml")
    everything = {"system": system, "profile": profile_settings, "md": integrator}
    found["inputs.json"] = as_json(everything | {"diffusion": read_toml(INPUTS / "diffusion.toml")})
    if potential is not None:
        md = {
            "md": integrator,
            "profile": profile_settings,
            "script": digest(INPUTS / "lammps" / "npt.in"),
            "potential": _potential(potential),
        }
        found["md.json"] = as_json(structure | md)
    return found


def require_channel(system_name: str) -> None:
    """Refuse a task that follows a channel for a system without one, before its runs begin.

    Raises
    ------
    InputError              channel.axis = none
    """
    path = INPUTS / f"{system_name}.toml"
    if read_toml(path).get("channel", {}).get("axis") == "none":
        raise InputError(
            f"{shown(path)}: channel.axis = none: this task follows a channel, and the system has"
            " none. Use make diffusion, arrhenius or pressure-scan, or name an axis."
        )


def melting_slices(
    system_name: str, profile: str, potential: Path, committee: Sequence[Path] = ()
) -> dict[str, str]:
    """File name -> content, for every stage of melting; `committee` are models that watch the runs.

    Raises
    ------
    InputError              a file or the profile is missing, or there is no potential
    """
    system, how = read_toml(INPUTS / f"{system_name}.toml"), read_toml(INPUTS / "melting.toml")
    sizes = how.pop("profiles", {}).get(profile, {})
    md = _structure(system) | {
        "md": read_toml(INPUTS / "md.toml"),
        "heating": how.get("heating"),
        "potential": _potential(potential),
    }
    if committee:
        md["committee"] = digest(*committee)
    ramp, coexistence = (
        {"script": digest(INPUTS / "lammps" / f"{name}.in")} for name in ("ramp", "coexistence")
    )
    two_phases = sizes.get("coexistence", {})
    search = {key: two_phases.pop(key, None) for key in SEARCH_KEYS}
    interface = how.pop("interface", {})
    halves = {"how": two_phases, "cell_points": interface.get("cell_points")}
    search |= {"interface": interface, "code": digest(*(ROOT / x for x in SEARCH))}
    # stretches of a ramp are cut when it is read
    ramps = [dict(one) for one in sizes.get("ramps", ())]
    stretches = {one.get("name"): one.pop("bin_K", None) for one in ramps}
    analysis = {"melting": how, "code": digest(*analysis_files()), "ring": system.get("ring")}
    analysis |= {"pairs": system.get("melting"), "species": system.get("species")}
    analysis |= {"stretches": stretches}
    return {
        "melting-steps.json": as_json(md | ramp | {"run": sizes.get("run")}),
        "melting-ramp.json": as_json(md | ramp | {"ramps": ramps}),
        "melting-coexistence.json": as_json(md | coexistence | halves),
        "melting-search.json": as_json(search),
        "melting-analysis.json": as_json(analysis),
    }


def melting_files(profile: str, mode: str, pressure: str, temperatures: Sequence[str]) -> list[str]:
    """`P0GPa`, then the files of the runs of a melting task, below its folder.

    Raises
    ------
    InputError              unknown profile or mode, temperatures that are too few or do not
                            increase, bad labels
    """
    profiles = read_toml(INPUTS / "melting.toml").get("profiles", {})
    if profile not in profiles:
        raise InputError(f"profile {profile!r}: inputs/melting.toml has {', '.join(profiles)}.")
    if mode not in ("steps", "ramp", "coexistence"):
        raise InputError(f"MODE={mode}: write steps, ramp or coexistence.")
    if len(pressure.split()) != 1:
        raise InputError(f"P={pressure!r}: melting takes one pressure at a time, such as P=0GPa.")
    folder = StatePoint.parse(pressure, "0K").path.parent.name
    if mode == "ramp":
        ramps = profiles[profile].get("ramps", ())
        return [folder, *(f"ramp/{ramp.get('name')}/traj.h5" for ramp in ramps)]
    labels = temperatures or [f"{k}K" for k in profiles[profile].get("temperatures_K", ())]
    points = [StatePoint.parse(pressure, label) for label in labels]
    for before, after in pairwise(points):
        if after.temperature_K <= before.temperature_K:
            raise InputError(
                f"temperatures: {after.temperature_K:g} K comes after {before.temperature_K:g} K;"
                " they must increase (temperatures_K in inputs/melting.toml, or T=)."
            )
    if len(points) < LEAST_TEMPERATURES:
        raise InputError(
            f"{len(points)} temperatures: a transition needs {LEAST_TEMPERATURES} or more"
            " (temperatures_K in inputs/melting.toml, or T=)."
        )
    last = {True: "relaxed.extxyz", False: "traj.h5"}
    return [folder, *(f"steps/{p.path.name}/{last[p.temperature_K == 0]}" for p in points)]


def _structure(system: Mapping[str, Any]) -> dict[str, Any]:
    """What the atoms are, and where."""
    head = system.get("system", {})
    return {
        "elements": head.get("elements"),
        "structure": digest(INPUTS / str(head.get("structure"))),
        "cell": head.get("cell"),
        "species": system.get("species"),
        "channel": system.get("channel"),
    }


def _potential(path: Path) -> str:
    if not path.is_file():
        raise InputError(
            f"{shown(path)}: no potential there. Make one with {_training(path)}, or name"
            " another: POTENTIAL=path/to/model.pb."
        )
    return digest(path)


def _training(path: Path) -> str:
    """The commands that lead to the potential of a system: with its name, unless it is shipped."""
    home = INPUTS / "potentials"
    if not path.absolute().is_relative_to(home):
        return "`make train`"
    name = path.absolute().relative_to(home).parts[0]
    labels = INPUTS / "labels" / name
    first = "" if labels.is_dir() else f"`make labels SYSTEM={name}`, then "
    own = "" if labels.is_dir() else f" DATA=runs/{name}/labels/mlip/dataset"
    return f"{first}`make train SYSTEM={name}{own}` (docs/your-own-material.md)"


def training_slice(system_name: str, network: str, data: Path) -> str:
    """Content of `train.json`: what a training depends on.

    Raises
    ------
    InputError              the data set or the network is missing
    """
    if not (data / "origin.json").is_file():
        raise InputError(
            f"{shown(data)}: no data set there (no origin.json). Make one with `make labels`, from"
            " DFT with `make label ENGINE=cp2k`, or name another: DATA=folder."
        )
    how = read_toml(INPUTS / "training.toml")
    networks = how.pop("networks", {})
    if network not in networks:
        raise InputError(f"network {network!r}: inputs/training.toml has {', '.join(networks)}.")
    settings = {key: how.get(key) for key in ("seed", "descriptor", "learning_rate", "loss", "run")}
    elements = read_toml(INPUTS / f"{system_name}.toml").get("system", {}).get("elements")
    return as_json(
        {
            "training": settings,
            "network": networks[network],
            "elements": elements,
            "data": digest(data / "origin.json"),
        }
    )


def analysis_files() -> list[Path]:
    """The modules between a trajectory and its result."""
    lib = ROOT / "lib" / "dpchannel"
    rooms = [path for room in ANALYSIS_ROOMS for path in sorted((lib / room).glob("*.py"))]
    return [ROOT / name for name in ANALYSIS if (ROOT / name).exists()] + rooms


def as_json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def write_if_changed(path: Path, content: str) -> None:
    """Leave the file and its time stamp alone when the content is the same."""
    if path.exists() and path.read_text() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # jobs of one array write the same slice at the same time, on several machines
    aside = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}.new")
    aside.write_text(content)
    aside.replace(path)
