"""What was measured here: in runs, and in the committed evidence."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dpchannel.results import SHIPPED, Quantity, Result, engine_name, relative


@dataclass(frozen=True)
class Own:
    """A quantity measured here: with which engine, at which state.

    system : str            whose own potential is called "dp"
    version : str           what tells two potentials of one name, or evidence and run, apart
    """

    name: str
    quantity: Quantity
    state: Mapping[str, Any]
    where: str
    system: str
    task: str = ""
    potential: str | None = None
    version: str = ""

    @property
    def engine(self) -> str:
        """Name of what gave the energies; of a trajectory the potential."""
        own = f"{SHIPPED}/{self.system}"
        text = str(self.state.get("engine") or engine_name("dp", self.potential, own))
        path = str(self.state.get("path_engine", text))
        return (text if path == text else f"{text} on the path of {path}") + self.version


def collect(paths: Iterable[Path], system: str) -> list[Own]:
    """Quantities of this system that an engine gave; of two files for one state the first.

    A potential whose content is not that of the first result with its name stands beside it. So
    does a run whose number is not that of the evidence for its state.

    Raises
    ------
    InputError              a result file is damaged
    """
    found: dict[tuple[str, ...], Own] = {}
    shas: dict[str, str] = {}
    for path in paths:
        result = Result.read(path)
        state = result.state
        if result.system != system or not ("engine" in state or result.provenance.get("potential")):
            continue
        used = result.provenance.get("potential") or {}
        potential, sha = used.get("path"), used.get("sha256", "")
        version = f" {sha[:8]}" if shas.setdefault(str(potential), sha) != sha else ""
        for name, quantity in result.quantities.items():
            where = relative(path)
            own = Own(name, quantity, state, where, system, result.task, potential, version)
            keys = ("pressure_GPa", "temperature_K", "case")
            key = (name, result.task, own.engine, *(str(state.get(k)) for k in keys))
            if key not in found:
                found[key] = own
            elif _is_run(path) and not _is_run(Path(found[key].where)) and _differ(own, found[key]):
                found[*key, "run"] = replace(own, version=f"{version}, your run")
    return list(found.values())


def _is_run(path: Path) -> bool:
    return "evidence" not in path.parts


def _differ(own: Own, other: Own) -> bool:
    """By more than rounding: the committed number does not stand for this one."""
    one, two = own.quantity.value, other.quantity.value
    return one is None or two is None or not math.isclose(one, two, rel_tol=1e-3)
