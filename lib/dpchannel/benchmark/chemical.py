"""Lattice and ring edges against pressure, and the pressure that a dopant is worth (Fig. 7)."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

from dpchannel.benchmark.lattice import space_group
from dpchannel.benchmark.outcome import Outcome
from dpchannel.physics.equivalent import Curve
from dpchannel.results import Check, Quantity
from dpchannel.settings import SystemSettings
from dpchannel.settings.chemical import ChemicalPressureSettings, PaperEdge
from dpchannel.structures.classify import classify
from dpchannel.structures.columns import wrapped
from dpchannel.structures.dopants import dopant_sites, doped
from dpchannel.structures.io import read_structure, write_structure
from dpchannel.structures.measure import filled_rings, measure
from dpchannel.structures.relax import relax_shaken

Note = Callable[[str], None]
Measured = dict[str, float]
UNITS = {"V": "A^3"}  # of the others: A


@dataclass(frozen=True)
class Bench:
    """A calculator, where its finished relaxations are kept, and how they are done.

    identity : str          what its numbers depend on (`Engine.identity`): another relaxes anew
    """

    name: str
    identity: str
    calculator: Calculator
    work: Path
    settings: ChemicalPressureSettings
    note: Note

    def relaxed(self, name: str, start: Atoms, pressure_GPa: float = 0.0) -> Atoms:
        """Cell and atoms at rest under the pressure; what was relaxed before is read again.

        Raises
        ------
        NotConverged        it did not come to rest
        """
        elements = start.get_chemical_symbols()
        chosen = self.settings
        shaken = (chosen.rattle_A, chosen.seed, chosen.lower_meV)
        how = (self.identity, chosen.fmax_eV_per_A, shaken, pressure_GPa, elements)
        text = f"{how}{start.cell.array.round(8).tolist()}{start.positions.round(8).tolist()}"
        key = hashlib.sha256(text.encode()).hexdigest()[:12]
        path = self.work / f"{self.name}-{name}-{key}.extxyz"
        if not path.exists():
            self.note(f"{self.name}: {name}")
            atoms = relax_shaken(
                start,
                self.calculator,
                rattle_A=self.settings.rattle_A,
                seed=self.settings.seed,
                lower_meV=self.settings.lower_meV,
                pressure_GPa=pressure_GPa,
                fmax_eV_per_A=self.settings.fmax_eV_per_A,
                max_steps=self.settings.max_steps,
                note=self.note,
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            write_structure(path, atoms)
        return read_structure(path)


def measures(atoms: Atoms, system: SystemSettings, stands_for: dict[str, str]) -> Measured:
    """a (mean of a and b), c, V, and of each kind of ring the mean edge and its single edges.

    Parameters
    ----------
    stands_for : dopant -> element      a dopant counts as the atom it replaced: on a ring its edges
                                        are among those measured

    Returns
    -------
    dict                    lengths in A, V in A^3 per formula unit; `<ring>_empty_1` ... the edges
                            of that kind, shortest first, where the cell has one ring of the kind
    """
    pure = atoms.copy()
    pure.calc = None
    pure.symbols = [stands_for.get(s, s) for s in atoms.get_chemical_symbols()]
    found = {name: value for name, (value, _) in measure(pure, system).items()}
    found["a"] = (found["a"] + found.pop("b")) / 2
    sites = classify(pure, system)
    if not sites.has_rings:
        return found
    cell, scaled = pure.cell.array[None], pure.get_scaled_positions(wrap=False)[None]
    pairs, here = sites.pairs[sites.ring_name], sites.vectors[sites.ring_name]
    there = scaled[0, pairs[:, 1]] - scaled[0, pairs[:, 0]]
    length = np.linalg.norm((here + wrapped(there - here)) @ cell[0], axis=1)
    filled = filled_rings(cell, scaled, sites)[0]
    each = length.reshape(len(filled), -1)
    for kind, chosen in (("filled", filled), ("empty", ~filled)):
        if chosen.sum() == 1:
            for k, edge in enumerate(np.sort(each[chosen][0]), start=1):
                found[f"{sites.ring_name}_{kind}_{k}"] = float(edge)
    return found


def chemical_pressure(
    crystal: Atoms,
    system: SystemSettings,
    settings: ChemicalPressureSettings,
    *,
    bench: Bench,
    dopants: Bench,
    inputs: Path,
) -> Outcome:
    """The curve of the pure crystal, and every measure's pressure for the dopant on each site.

    A dopant's measure enters as its ratio to that of the pure crystal by the same engine, times
    that of this engine at zero pressure: what engines differ by at rest cancels. So does what
    publications differ by.

    Parameters
    ----------
    bench : Bench           engine of the curve
    dopants : Bench         engine of pure and doped crystal at zero pressure
    inputs : Path           folder of the published structures

    Returns
    -------
    Outcome                 `<measure>_<pressure>GPa`; `<measure>_<site>` and
                            `P_<measure>_<site>` (GPa) for each site and publication; the curves
    """
    outcome = Outcome(state={"dopant": settings.dopant, "replaces": settings.replaces, "sites": []})
    curve = _curve(crystal, system, settings, bench, outcome)
    pure = dopants.relaxed("pure", crystal)
    stands_for = {settings.dopant: settings.replaces}
    known = measures(pure, system, {})
    for site, atom in dopant_sites(pure, system, settings).items():
        atoms = dopants.relaxed(f"{settings.dopant}-{site}", doped(pure, atom, settings.dopant))
        outcome.structures[f"{settings.dopant}_{site}"] = atoms
        energy = Quantity(float(atoms.get_potential_energy()), "eV", n=1, method=dopants.name)
        outcome.quantities[f"energy_{site}"] = energy
        found = measures(atoms, system, stands_for)
        _equivalents(site, found, known, curve, outcome, dopants.name)
    for name, pair in settings.published.items():
        if (pair.system, pair.dopant) == (system.system.name, settings.dopant):
            theirs = measures(read_structure(inputs / pair.pure), system, {})
            found = measures(read_structure(inputs / pair.doped), system, stands_for)
            _equivalents(name, found, theirs, curve, outcome, "published structure")
    _beside_paper(curve, system, settings, outcome)
    return outcome


def _curve(
    crystal: Atoms,
    system: SystemSettings,
    settings: ChemicalPressureSettings,
    bench: Bench,
    outcome: Outcome,
) -> Curve:
    """The pure crystal; outward from zero, each pressure from the last."""
    found: dict[float, Measured] = {}
    groups: dict[float, str] = {}
    pressures = settings.pressures_GPa
    for branch in (
        [p for p in pressures if p >= 0],
        [0.0, *(p for p in reversed(pressures) if p < 0)],
    ):
        atoms = crystal
        for pressure_GPa in branch:
            atoms = bench.relaxed(f"P{pressure_GPa:g}GPa", atoms, pressure_GPa)
            found[pressure_GPa] = measures(atoms, system, {})
            groups[pressure_GPa] = space_group(atoms, settings.symmetry_A)
    names = [name for name in found[0.0] if name != "energy"]
    missing = {n: [f"{p:g}" for p in pressures if n not in found[p]] for n in names}
    for name in [name for name in names if missing[name]]:
        names.remove(name)
        outcome.miss(name, f"no such measure at {', '.join(missing[name])} GPa: left out")
    curve = Curve(
        np.array(pressures),
        {name: np.array([found[p][name] for p in pressures]) for name in names},
        _phase_at_rest(pressures, groups, outcome),
    )
    outcome.arrays |= {"pressure_GPa": curve.pressures_GPa, "inside_phase": curve.inside}
    outcome.arrays |= curve.values
    for name, values in curve.values.items():
        for pressure_GPa, value in zip(pressures, values, strict=True):
            quantity = Quantity(float(value), UNITS.get(name, "A"), n=1, method=bench.name)
            outcome.quantities[f"{name}_{pressure_GPa:g}GPa"] = quantity
    return curve


def _phase_at_rest(
    pressures: Sequence[float], groups: Mapping[float, str], outcome: Outcome
) -> NDArray[np.bool_]:
    """Which pressures, without a gap around zero, leave the crystal its space group."""
    same = np.array([groups[p] == groups[0.0] for p in pressures])
    zero = pressures.index(0.0)
    first = next((k + 1 for k in range(zero, -1, -1) if not same[k]), 0)
    last = next((k for k in range(zero, len(same)) if not same[k]), len(same))
    inside: NDArray[np.bool_] = (np.arange(len(same)) >= first) & (np.arange(len(same)) < last)
    outside = [
        f"{groups[p]} at {p:g} GPa" for p, here in zip(pressures, inside, strict=True) if not here
    ]
    text = f"{groups[0.0]} from {pressures[first]:g} to {pressures[last - 1]:g} GPa"
    if outside:
        text += f"; {', '.join(outside)}: another crystal, in which no equivalent is looked for"
    outcome.passes("one_phase", not outside, text)
    return inside


def _equivalents(
    site: str,
    found: Measured,
    known: Measured,
    curve: Curve,
    outcome: Outcome,
    method: str,
) -> None:
    outcome.state["sites"].append(site)
    for name in curve.values:
        if name not in found or name not in known:
            continue
        outcome.quantities[f"{name}_{site}"] = Quantity(
            found[name], UNITS.get(name, "A"), n=1, method=method
        )
        ratio = found[name] / known[name]
        pressure = curve.equivalent(name, ratio * curve.at_rest(name))
        how = f"{method}: {ratio:.4f} times the pure crystal's"
        if pressure is None:
            how += " lies outside the curve of its phase, or that turns"
        outcome.quantities[f"P_{name}_{site}"] = Quantity(pressure, "GPa", n=1, method=how)


def _beside_paper(
    curve: Curve,
    system: SystemSettings,
    settings: ChemicalPressureSettings,
    outcome: Outcome,
) -> None:
    """The paper's edge on this curve, as it stands and as a ratio to its own pure crystal."""
    paper = settings.paper
    if paper.measure not in curve.values:
        outcome.summary = f"{system.system.name} has no {paper.measure}: nothing of the paper's."
        return
    at_rest = curve.at_rest(paper.measure)
    targets = {
        "P_paper": (paper.edge_A, f"{paper.edge_A:g} A on this curve"),
        "P_paper_ratio": (
            paper.edge_A / paper.pure_A * at_rest,
            f"{paper.edge_A:g} / {paper.pure_A:g} A times this curve's at rest",
        ),
    }
    words = []
    for name, (target, how) in targets.items():
        value = curve.equivalent(paper.measure, target)
        outcome.quantities[name] = Quantity(value, "GPa", n=1, method=how)
        words.append(f"{how}: {'outside' if value is None else f'{value:.2f} GPa'}")
    found = {s: outcome.quantities.get(f"{paper.measure}_{s}") for s in outcome.state["sites"]}
    edges = {site: q.value for site, q in found.items() if q is not None and q.value is not None}
    if edges and settings.dopant == paper.dopant:
        site, check = _reproduced(edges, paper)
        outcome.checks.append(check)
        how = f"{paper.measure} with {paper.dopant}, {site}: the nearest to the paper's"
        outcome.quantities["dopant_edge"] = Quantity(edges[site], "A", n=1, method=how)
    reached = [f"{site} {edge:.3f} A" for site, edge in edges.items()]
    outcome.summary = (
        f"the paper: {paper.edge_A:g} A is {paper.pressure_GPa:g} GPa; {'; '.join(words)}."
        f" {paper.measure} with {settings.dopant}: {', '.join(reached)}."
    )


def _reproduced(edges: dict[str, float], paper: PaperEdge) -> tuple[str, Check]:
    """Has the dopant on any site, or of any publication, the edge that the paper gives it?"""
    site, edge = min(edges.items(), key=lambda item: abs(item[1] - paper.edge_A))
    ok = abs(edge - paper.edge_A) <= paper.within_A
    text = (
        f"{paper.measure} with {paper.dopant}: nearest to the paper's {paper.edge_A:g} A is"
        f" {edge:.3f} A, {site} (within {paper.within_A:g} A counts as found)"
    )
    return site, Check("paper_edge", ok, text if ok else f"not reproduced: {text}")
