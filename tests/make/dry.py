"""What tests of the Makefile share: words of a run on springs, and how a dry run is read."""

import re

TOY = ("PROFILE=toy", "POTENTIAL=tether.lammps")
STATE = "runs/pb10po46o/toy/diffusion/P4GPa/T500K"


def scripts(dry_run: str) -> list[str]:
    """Names of the scripts that a dry run would call to make a file."""
    return re.findall(r"bin/step\.py .*? bin/(\w+)\.py", dry_run)
