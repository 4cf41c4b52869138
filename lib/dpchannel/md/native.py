"""Kernels of this project, compiled for this machine, in place of DeePMD-kit's slowest ones.

lib/dpchannel/native/kernels.cc says what they do and why. They are optional: without them the
wheel's own kernels run, and results differ by rounding. An environment on a shared disk may hold
them for several kinds of CPU; one compiled for another kind is never loaded.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from dpchannel.errors import EngineFailed, EngineMissing, InputError
from dpchannel.results import replacing, sha256

SOURCE = Path(__file__).resolve().parents[1] / "native" / "kernels.cc"
FLAGS = ("-O3", "-march=native", "-fopenmp-simd", "-shared", "-fPIC", "-std=c++17", "-ldl")
SWITCH = "NATIVE"  # in the environment: 0 leaves compiled kernels unused


def kernels() -> Path | None:
    """The library to preload into LAMMPS, if it was compiled from the present source.

    Raises
    ------
    InputError          NATIVE is neither 0 nor 1
    """
    switch = os.environ.get(SWITCH, "1")
    if switch not in ("0", "1"):
        raise InputError(f"{SWITCH}={switch}: write 1 (the default) or 0.")
    path = _library()
    return path if switch == "1" and path.is_file() else None


def preloaded(environment: dict[str, str]) -> dict[str, str]:
    """The variables that put the kernels in front of DeePMD-kit's, if there are any."""
    library = kernels()
    if library is None:
        return {}
    earlier = [environment["LD_PRELOAD"]] if environment.get("LD_PRELOAD") else []
    return {"LD_PRELOAD": ":".join([str(library), *earlier])}


def version() -> str:
    """What a result says about the kernels it was made with."""
    return "none" if kernels() is None else sha256(SOURCE)[:12]


def compile_kernels() -> Path:
    """Compile the kernels into the environment; what is there already is kept.

    Raises
    ------
    EngineMissing       no C++ compiler
    EngineFailed        it does not accept the source
    """
    target = _library()
    if target.is_file():
        return target
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None or shutil.which(compiler) is None:
        wanted = compiler or "g++ or clang++"
        raise EngineMissing(f"{wanted}: no such C++ compiler. Install g++, or set CXX.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as aside:
        command = [compiler, str(SOURCE), "-o", str(aside), *FLAGS]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            first = next(iter(done.stderr.strip().splitlines()), "no reason given")
            raise EngineFailed(f"{compiler}: {SOURCE.name} not compiled ({first}).")
    return target


def _library() -> Path:
    return Path(sys.prefix) / "lib" / f"dpchannel-kernels-{sha256(SOURCE)[:12]}-{_cpu()}.so"


def _cpu() -> str:
    """A short name for what -march=native stands for here."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    says = {line.split(":")[0].strip(): line for line in lines if ":" in line}
    kind = "".join(says.get(key, "") for key in ("model name", "flags"))
    return hashlib.sha256(kind.encode()).hexdigest()[:8]
