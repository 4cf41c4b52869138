"""Which atom is of which species, by the rules of a system's TOML that look at neighbours."""

from collections import Counter

import numpy as np
from ase import Atoms
from ase.formula import Formula
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.settings import Neighbour, SystemSettings
from dpchannel.settings.crystal import Species
from dpchannel.structures.columns import Array, Index


def check_elements(atoms: Atoms, system: SystemSettings) -> None:
    """Refuse a structure with elements the system does not have."""
    if strange := sorted(set(atoms.symbols) - set(system.system.elements)):
        raise InputError(
            f"structure {atoms.symbols.formula.format('hill')}: {', '.join(strange)} is not among"
            f" the elements of {system.system.name} ({', '.join(system.system.elements)})."
        )


def formula_units(atoms: Atoms, system: SystemSettings) -> int:
    """Formula units; every element must agree, save that of ions which may be missing."""
    check_elements(atoms, system)
    found = Counter(atoms.get_chemical_symbols())
    fixed = Formula(system.system.formula).count()
    if system.channel.vacancies:  # ions may be missing, so the rest of the crystal counts
        movers = {s.element for s in system.species if s.role == "mobile"}
        fixed = {e: n for e, n in fixed.items() if e not in movers}
    units = {found[e] / n for e, n in fixed.items()}
    if len(units) != 1 or (value := units.pop()) != int(value):
        counts = " ".join(f"{e}{found[e]}" for e in system.system.elements)
        raise InputError(
            f"structure {counts}: not a whole number of formula units {system.system.formula}."
        )
    return int(value)


class BondRules:
    """The rules of the TOML that need no channel; each evaluated once."""

    def __init__(self, atoms: Atoms, system: SystemSettings) -> None:
        self.symbols = np.array(atoms.get_chemical_symbols())
        self.fits = []
        for rule in system.species:
            fits = self.symbols == rule.element
            if rule.with_neighbour:
                fits &= _has_neighbour(atoms, rule.element, rule.with_neighbour)
            if rule.without_neighbour:
                fits &= ~_has_neighbour(atoms, rule.element, rule.without_neighbour)
            self.fits.append(fits)


def _has_neighbour(atoms: Atoms, element: str, wanted: Neighbour) -> NDArray[np.bool_]:
    pairs = {(element, wanted.element): wanted.within_A}
    return np.bincount(neighbor_list("i", atoms, pairs), minlength=len(atoms)) > 0


def mobile_ions(bonded: BondRules, system: SystemSettings, n_formula: int) -> Index:
    """Atoms of the mobile species.

    Raises
    ------
    InputError              not as many as the crystal has, save for its vacancies
    """
    names = names_of(bonded, system, None)
    movers = [s.name for s in system.species if s.role == "mobile"]
    mobile = np.flatnonzero(np.isin(names, movers))
    expected = n_formula * system.channel.ions_per_cell
    missing = expected - len(mobile)
    if missing < 0 or len(mobile) == 0 or (missing and not system.channel.vacancies):
        rules = "; ".join(_in_words(s) for s in system.species if s.role == "mobile")
        remedy = "the element or distance of that rule, or its place: the first that fits counts"
        if len(mobile):
            remedy = f"that rule, or channel.ions_per_cell = {system.channel.ions_per_cell}"
        raise InputError(
            f"structure: {len(mobile)} mobile ions ({', '.join(movers)}) in {n_formula} formula"
            f" units, expected {expected}. Is it the crystal, with all its ions, and not a melt?"
            f" Then change in inputs/{system.system.name}.toml [[species]] {rules}: {remedy}."
        )
    return mobile


def _in_words(rule: Species) -> str:
    """`O2 (element O, no P within 2.2 A)`."""
    said = [f"element {rule.element}"]
    for sign, other in (("a", rule.with_neighbour), ("no", rule.without_neighbour)):
        if other:
            said.append(f"{sign} {other.element} within {other.within_A:g} A")
    if rule.near_channel:
        said.append(f"the channel within {rule.near_channel.within_A:g} A")
    return f"{rule.name} ({', '.join(said)})"


def names_of(
    bonded: BondRules, system: SystemSettings, from_channel_A: Array | None
) -> NDArray[np.str_]:
    """Species of each atom: the first rule that fits; "" where none does.

    Without distances to the channels, rules that ask for them fit nothing.
    """
    longest = max(len(rule.name) for rule in system.species)
    names = np.full(len(bonded.symbols), "", dtype=f"<U{longest}")
    for rule, bond_fits in zip(system.species, bonded.fits, strict=True):
        fits = bond_fits & (names == "")
        if rule.near_channel:
            fits &= from_channel_A is not None and from_channel_A <= rule.near_channel.within_A
        names[fits] = rule.name
    return names


def roles_of(species: NDArray[np.str_], system: SystemSettings) -> dict[str, Index]:
    """Atoms of each role.

    Raises
    ------
    InputError              no atom of the framework, which displacements are measured against
    """
    role_of = {s.name: s.role for s in system.species}
    roles = np.array([role_of[name] for name in species])
    found = {role: np.flatnonzero(roles == role) for role in ("mobile", "framework", "other")}
    if len(found["framework"]) == 0:
        rules = "; ".join(_in_words(s) for s in system.species if s.role == "framework")
        raise InputError(
            f"structure: no atom of the framework. Change in inputs/{system.system.name}.toml"
            f" [[species]] {rules}, or its place: the first rule that fits names the atom."
        )
    return found


def check_named(species: NDArray[np.str_]) -> None:
    """Refuse a structure with an atom that no rule names."""
    if len(nameless := np.flatnonzero(species == "")):
        raise InputError(
            f"structure: no [[species]] rule fits {len(nameless)} atoms, first {nameless[0]}."
        )
