"""The input file of one CP2K label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dpchannel.errors import InputError
from dpchannel.labels.kpoints import mesh, points

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings.cp2k import Cp2kSettings

PROJECT = "label"
_TEMPLATE = """\
&GLOBAL
  PROJECT {project}
  RUN_TYPE ENERGY_FORCE
  PRINT_LEVEL MEDIUM
&END GLOBAL
&FORCE_EVAL
  METHOD QUICKSTEP
  STRESS_TENSOR ANALYTICAL
  &PRINT
    &FORCES
    &END FORCES
    &STRESS_TENSOR
    &END STRESS_TENSOR
  &END PRINT
  &DFT
{files}{spin}
    &KPOINTS
{kpoints}
    &END KPOINTS
    &MGRID
      CUTOFF {cutoff:g}
      REL_CUTOFF {relative:g}
      NGRIDS {levels}
      PROGRESSION_FACTOR {progression:g}
    &END MGRID
    &QS
      METHOD GPW
      EPS_DEFAULT {eps_default:.1E}
    &END QS
    &SCF
      SCF_GUESS {guess}
      EPS_SCF {eps:.1E}
      MAX_SCF {max_steps}
      ADDED_MOS {added}
      &DIAGONALIZATION
        ALGORITHM STANDARD
      &END DIAGONALIZATION
      &MIXING
        METHOD BROYDEN_MIXING
        ALPHA {mixing:g}
        BETA [bohr^-1] {kerker:g}
        NBROYDEN {history}
      &END MIXING{smearing}
      &PRINT
        &RESTART
          BACKUP_COPIES 0
          ADD_LAST NUMERIC
          &EACH
            QS_SCF 1000
          &END EACH
        &END RESTART
      &END PRINT
    &END SCF
    &XC
      &XC_FUNCTIONAL {functional}
      &END XC_FUNCTIONAL
      &XC_GRID
        XC_SMOOTH_RHO {smooth}
        XC_DERIV {derivative}
      &END XC_GRID
    &END XC
  &END DFT
  &SUBSYS
    &CELL
{cell}
      PERIODIC XYZ
    &END CELL
    &COORD
{coordinates}
    &END COORD
{kinds}
  &END SUBSYS
&END FORCE_EVAL
"""
_SMEARING = """
      &SMEAR ON
        METHOD FERMI_DIRAC
        ELECTRONIC_TEMPERATURE [K] {kelvin:g}
      &END SMEAR"""
_SPIN = """
    UKS
    MULTIPLICITY {multiplicity}"""
_KIND = """\
    &KIND {name}
      ELEMENT {symbol}{magnetization}
      BASIS_SET {basis}
      POTENTIAL {potential}
    &END KIND"""


def input_text(atoms: Atoms, settings: Cp2kSettings, *, restart: str | None = None) -> str:
    """The whole input file.

    Parameters
    ----------
    atoms : Atoms
        Spin-polarised where atoms carry starting moments (`magmoms`). With k-points and smearing
        CP2K cannot hold their sum: the output says what became of it.
    restart : str, optional
        File with the wave function to start from; without one, from the atoms.

    Raises
    ------
    InputError
        An element has no basis set in the settings, or the cell is not periodic.
    """
    if not (atoms.pbc.all() and abs(np.linalg.det(atoms.cell[:])) > 0):
        raise InputError("a CP2K label needs a cell that is periodic in three directions.")
    grid, scf = settings.grid, settings.scf
    kinds = _kinds(atoms)
    polarised = is_polarised(atoms)
    how = settings.spin if polarised else scf
    total = float(atoms.get_initial_magnetic_moments().sum())
    smearing = _SMEARING.format(kelvin=how.smearing_K) if how.smearing_K else ""
    return _TEMPLATE.format(
        project=PROJECT,
        files=_files(settings, restart),
        spin=_SPIN.format(multiplicity=round(abs(total)) + 1) if polarised else "",
        kpoints=_kpoints(atoms, settings),
        cutoff=grid.cutoff_Ry,
        relative=grid.relative_cutoff_Ry,
        levels=grid.levels,
        progression=grid.progression,
        eps_default=scf.eps_default,
        guess="RESTART" if restart else "ATOMIC",
        eps=scf.eps,
        max_steps=scf.max_steps,
        added=" ".join([str(how.added_orbitals)] * (2 if polarised else 1)),
        mixing=scf.mixing,
        kerker=scf.kerker_per_bohr,
        history=scf.history,
        smearing=smearing,
        functional=settings.functional,
        smooth=grid.smooth_density,
        derivative=grid.derivative,
        cell=_rows(zip("ABC", atoms.cell[:], strict=True)),
        coordinates=_rows(zip(kinds, atoms.positions, strict=True)),
        kinds="\n".join(_kind(name, *what, settings) for name, what in _described(atoms).items()),
    )


def _kpoints(atoms: Atoms, settings: Cp2kSettings) -> str:
    divisions = mesh(atoms.cell[:], settings.kpoint_length_A)
    if settings.kpoint_scheme == "monkhorst-pack" or settings.kpoint_length_A == 0:  # Gamma alone
        return f"      SCHEME MONKHORST-PACK {' '.join(map(str, divisions))}"
    lines = ["SCHEME GENERAL", "UNITS B_VECTOR", "SYMMETRY OFF"]
    lines += [f"KPOINT {x:.10f} {y:.10f} {z:.10f} {w:.10f}" for (x, y, z), w in points(divisions)]
    return "\n".join(f"      {line}" for line in lines)


def _files(settings: Cp2kSettings, restart: str | None) -> str:
    lines = [f"BASIS_SET_FILE_NAME {name}" for name in settings.basis_files]
    lines.append(f"POTENTIAL_FILE_NAME {settings.potential_file}")
    if restart:
        lines.append(f"WFN_RESTART_FILE_NAME {restart}")
    return "\n".join(f"    {line}" for line in lines)


def _rows(named: zip[tuple[str, np.ndarray]]) -> str:
    return "\n".join(f"      {name} {x:.12f} {y:.12f} {z:.12f}" for name, (x, y, z) in named)


def is_polarised(atoms: Atoms) -> bool:
    """Whether atoms carry starting moments."""
    return bool(np.any(atoms.get_initial_magnetic_moments()))


def _kinds(atoms: Atoms) -> list[str]:
    """A name for each atom: its element, with a number where elements differ by their moment."""
    moments = atoms.get_initial_magnetic_moments()
    different = {s: sorted(set(moments[atoms.symbols == s])) for s in set(atoms.symbols)}
    return [
        symbol if len(different[symbol]) == 1 else f"{symbol}_{different[symbol].index(m) + 1}"
        for symbol, m in zip(atoms.get_chemical_symbols(), moments, strict=True)
    ]


def _described(atoms: Atoms) -> dict[str, tuple[str, float]]:
    """Kind -> element and starting moment in Bohr magnetons."""
    moments = atoms.get_initial_magnetic_moments()
    rows = zip(_kinds(atoms), atoms.get_chemical_symbols(), moments, strict=True)
    return {name: (symbol, float(moment)) for name, symbol, moment in rows}


def _kind(name: str, symbol: str, moment: float, settings: Cp2kSettings) -> str:
    if symbol not in settings.kinds:
        raise InputError(
            f"[kinds] of inputs/cp2k.toml: no basis set and potential for {symbol}. "
            f"It has {', '.join(settings.kinds)}; add a line."
        )
    magnetization = f"\n      MAGNETIZATION {moment:g}" if moment else ""
    head = {"name": name, "symbol": symbol, "magnetization": magnetization}
    return _KIND.format(**head, **settings.kinds[symbol].model_dump())
