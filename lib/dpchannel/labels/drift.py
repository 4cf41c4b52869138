"""The mean force of labels from elsewhere: VASP and its kin leave it in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import GateSettings


def without_drift(atoms: Atoms, gate: GateSettings) -> Atoms:
    """A label without its mean force, which is recorded, as our own engines do it.

    One whose net force is beyond `gate.drift_eV_per_A` stays as it is, for the gate to refuse; so
    do one that says its mean force, and one whose net force the gate lets pass.
    """
    from ase.calculators.singlepoint import SinglePointCalculator

    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    forces = np.asarray(results.get("forces", np.zeros((len(atoms), 3))))
    net = float(np.linalg.norm(forces.sum(axis=0)))
    if "mean_force" in atoms.info or not gate.net_force_eV_per_A < net <= gate.drift_eV_per_A:
        return atoms
    mean = forces.mean(axis=0)
    moved = atoms.copy()
    moved.calc = SinglePointCalculator(moved, **(results | {"forces": forces - mean}))
    moved.info |= {"mean_force": mean, "net_force": net}
    return moved
