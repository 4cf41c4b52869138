"""Lennard-Jones for a teacher, which writes down every label and can end the process in one."""

import os
import signal
from pathlib import Path

from ase.calculators.lj import LennardJones


class Fused(LennardJones):
    """With a file `fuse.label` in the working folder the second call kills the whole group."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
        with open("labels.log", "a") as log:
            log.write(f"{atoms.get_volume():.9f}\n")
        fuse = Path("fuse.label")
        if fuse.exists() and (left := int(fuse.read_text())) >= 0:
            fuse.write_text(str(left - 1))
            if left == 0:
                os.killpg(0, signal.SIGKILL)
        super().calculate(atoms, properties, system_changes)
