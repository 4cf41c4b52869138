"""Energies and forces of many images at a time, on several cores, with any ASE calculator."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from dpchannel.errors import EngineFailed

Array = NDArray[np.float64]
Maker = Callable[[], Calculator]

_mine: Calculator  # of a worker process, loaded once


class Workers:
    """Processes that hold a calculator each; with one core the work is done here.

    Parameters
    ----------
    make : callable         gives a calculator; with more than one core it must be picklable
    """

    def __init__(self, make: Maker, pool: Executor | None = None) -> None:
        self.make, self.pool = make, pool
        self._calculator: Calculator | None = None

    @property
    def calculator(self) -> Calculator:
        """The calculator of this process."""
        if self._calculator is None:
            self._calculator = self.make()
        return self._calculator

    def evaluate(self, images: Sequence[Atoms]) -> None:
        """Give every image a calculator of its own that holds its energy (eV) and forces (eV/A).

        Raises
        ------
        EngineFailed            a worker died, or a number is not finite
        """
        bare = [atoms.copy() for atoms in images]
        if self.pool is None:
            found = [_single_point(atoms, self.calculator) for atoms in bare]
        else:
            try:
                found = list(self.pool.map(_evaluate, bare))
            except BrokenProcessPool as error:
                raise EngineFailed(f"worker process: {error} Is there enough memory?") from None
        for number, (atoms, (energy, forces)) in enumerate(zip(images, found, strict=True)):
            if not (np.isfinite(energy) and np.isfinite(forces).all()):
                raise EngineFailed(
                    f"image {number}: energy {energy} eV, or a force, is not finite. Atoms too"
                    " close for this engine? Try more images or a smaller off_axis_A."
                )
            atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)


@contextmanager
def workers(make: Maker, cores: int) -> Iterator[Workers]:
    """Workers on `cores` processes, gone when the block ends, or when this process is killed."""
    if cores == 1:
        yield Workers(make)
        return
    # spawned: a forked TensorFlow or torch hangs
    with ProcessPoolExecutor(
        cores, mp_context=get_context("spawn"), initializer=_start, initargs=(make,)
    ) as pool:
        yield Workers(make, pool)


def _start(make: Maker) -> None:
    global _mine
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _mine = make()


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        wait([parent.sentinel])
        os._exit(1)


def _evaluate(atoms: Atoms) -> tuple[float, Array]:
    return _single_point(atoms, _mine)


def _single_point(atoms: Atoms, calculator: Calculator) -> tuple[float, Array]:
    atoms.calc = calculator
    return float(atoms.get_potential_energy()), np.array(atoms.get_forces())
