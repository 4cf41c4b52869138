"""Numbers of others: regression/paper.toml and regression/literature.toml."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from dpchannel.errors import InputError
from dpchannel.results import project_root
from dpchannel.settings import Strict, load

# two states are the same when their set points agree this well; both are typed, not measured
_SAME_STATE = {"pressure_GPa": 1e-3, "temperature_K": 0.5}


class Number(Strict):
    """One number somebody else published, and where it stands."""

    quantity: str
    value: float
    unit: str
    stderr: float | None = None
    state: dict[str, float] = Field(default_factory=dict)
    case: str = ""  # of a barrier: what hops in which cell; without one, any
    method: str
    where: str
    note: str = ""
    assumed: bool = False  # held fixed by its authors: shown, and nothing is judged by it


class Reference(Strict):
    """One file of published numbers for one system."""

    system: str
    citation: str
    number: tuple[Number, ...]

    def find(self, system: str, quantity: str, state: Mapping[str, Any]) -> Number | None:
        """The first number for this quantity of this system at this state, if there is one."""
        for number in self.all_states(system, quantity):
            if number.case not in ("", state.get("case")):
                continue
            if set(number.state) == set(_SAME_STATE) and all(
                key in state and abs(float(state[key]) - number.state[key]) <= tolerance
                for key, tolerance in _SAME_STATE.items()
            ):
                return number
        return None

    def all_states(self, system: str, quantity: str) -> tuple[Number, ...]:
        """Every number for this quantity of this system."""
        if system != self.system:
            return ()
        return tuple(n for n in self.number if n.quantity == quantity)


def paper() -> Reference:
    """The paper's numbers; a checkout without them is an InputError."""
    return load(Reference, project_root() / "regression" / "paper.toml")


def paper_diffusion_cm2_per_s(system: str, state: Mapping[str, Any]) -> float | None:
    """The paper's D at this state, or None.

    Raises
    ------
    InputError      the number in regression/paper.toml is not in cm2/s
    """
    return _value(paper().find(system, "D_c", state), "cm2/s")


def paper_barrier_eV(system: str, state: Mapping[str, Any]) -> float | None:
    """The paper's barrier for this case at this pressure, or None.

    Raises
    ------
    InputError      the number in regression/paper.toml is not in eV
    """
    return _value(paper().find(system, "barrier_forward", state), "eV")


def paper_melting_K(system: str, state: Mapping[str, Any]) -> float | None:
    """Where the paper's crystal melts on heating at this pressure, or None.

    Raises
    ------
    InputError      the number in regression/paper.toml is not in K
    """
    pressure = float(state["pressure_GPa"])
    for number in paper().all_states(system, "T_m_heating"):
        kelvin = _value(number, "K")
        if abs(number.state.get("pressure_GPa", pressure) - pressure) <= 1e-3:
            return kelvin
    return None


def _value(number: Number | None, unit: str) -> float | None:
    if number is None:
        return None
    if number.unit != unit:
        raise InputError(
            f"regression/paper.toml: {number.quantity} in {number.unit!r}. Write it in {unit}."
        )
    return number.value


def literature() -> Reference:
    """Independent numbers; a checkout without them is an InputError."""
    return load(Reference, project_root() / "regression" / "literature.toml")


def published_bulk_moduli(system: str) -> list[tuple[str, float, float]]:
    """Label, B0 (GPa) and B0' of every published equation of state: pairs of one source."""
    slopes = {number.where: number.value for number in literature().all_states(system, "B0p")}
    return [
        (f"{n.where.split(';')[0]}: {n.value:g} GPa", n.value, slopes[n.where])
        for n in literature().all_states(system, "B0")
        if n.where in slopes
    ]


def evidence_path(system: str, task: str, state: Path) -> Path:
    """The committed result for this state: `state` is `P4GPa/T500K`."""
    return project_root() / "regression" / "evidence" / system / task / state / "result.json"
