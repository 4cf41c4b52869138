"""A frozen deep potential as an ASE calculator; a file that is none is refused in one line."""

import atexit
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ase.calculators.calculator import Calculator

from dpchannel.errors import EngineMissing, PotentialError
from dpchannel.results import project_root

PRECISE = "model.pb"  # float64, uncompressed: lattice, NEB, phonons
FAST = "model-compressed.pb"  # for molecular dynamics

_NO_FORCES = (".dp", ".yaml", ".yml")  # DeePMD-kit's exchange format, run by numpy
# A frozen potential holds these; an arbitrary graph, or one cut short, does not
_NODES = {"model_attr/tmap", "descrpt_attr/rcut", "o_energy", "o_force", "o_virial"}
_VERSION = "model_attr/model_version"  # of the graph; DeePMD-kit 2 was the first to write it


def potential_file(folder: Path, precise: bool = True) -> Path:
    """The potential in `folder` (or `folder` itself, when it is a file).

    Parameters
    ----------
    precise : bool          the uncompressed float64 model; else the compressed one for MD

    Raises
    ------
    PotentialError          it is not there
    """
    path = folder / (PRECISE if precise else FAST) if folder.is_dir() else folder
    if not path.is_file():
        shipped = project_root() / "inputs" / "potentials" in path.resolve().parents
        restore = f"Restore it with `git checkout -- {path}`, train" if shipped else "Train"
        raise PotentialError(
            f"{path}: no potential there. {restore} one with `make train`, or name another file."
        )
    return path


def check_potential(path: Path, elements: tuple[str, ...]) -> tuple[str, ...]:
    """Type map of a frozen TensorFlow potential (.pb), read without TensorFlow.

    Raises
    ------
    PotentialError          missing, truncated or foreign file, one of DeePMD-kit 0 or 1, or without
                            one of the elements
    """
    path = potential_file(path)
    nodes = _graph_nodes(path)
    if missing := sorted(_NODES - nodes.keys()):
        raise PotentialError(
            f"{path}: a TensorFlow graph, but not a frozen deep potential (no {missing[0]})."
            " Freeze one with `dp freeze`."
        )
    if _VERSION not in nodes:
        raise PotentialError(
            f"{path}: frozen with DeePMD-kit 1 or earlier, whose graphs version 3 cannot run."
            f" Convert it: `.venv/bin/dp convert-from -i {path} -o {path.stem}-converted.pb`."
        )
    type_map = tuple(nodes["model_attr/tmap"].decode().split())
    _check_elements(path, type_map, elements)
    return type_map


def calculator(potential: Path, elements: tuple[str, ...], reach_A: float = 0.0) -> Calculator:
    """ASE calculator (energy, forces, stress) of a frozen deep potential of any backend.

    Parameters
    ----------
    potential : Path        a model file (.pb, .pth ...), compressed or not, or a folder with one
    elements : symbols      of the system; the potential may list them in another order, and know
                            more of them
    reach_A : A             the cutoff must not be shorter

    Raises
    ------
    PotentialError          the file is missing, damaged or foreign, lacks an element, or does not
                            see far enough
    EngineMissing           DeePMD-kit, or the backend of this file, is not installed
    """
    path = potential_file(potential)
    if path.suffix in _NO_FORCES:
        raise PotentialError(
            f"{path}: a model in this format gives energies without forces. Convert it with"
            f" `dp convert-backend {path.name} model.pb`."
        )
    if path.suffix == ".pb":  # quick, and says more than TensorFlow does
        check_potential(path, elements)
    # the order of types comes from the file itself, never from the caller
    model = _load(path)
    _check_elements(path, tuple(model.dp.get_type_map()), elements)
    if (cutoff := float(model.dp.get_rcut())) < reach_A:
        raise PotentialError(
            f"{path}: sees {cutoff:g} A far, but neighbours of this system lie up to {reach_A:g} A"
            " apart. Use a potential with a longer cutoff."
        )
    return model


def _load(path: Path) -> Any:
    with quiet():
        try:
            from deepmd.calculator import DP
        except ImportError as error:
            raise EngineMissing(f"DeePMD-kit: {error}. Run `make setup`.") from None
        try:
            return DP(str(path))
        except ImportError as error:
            raise EngineMissing(f"{path}: its backend is not installed ({error}).") from None
        except (RuntimeError, ValueError, OSError, KeyError) as error:
            why = " ".join(str(error).split())
            if "PyTorch" in why:  # the wheel belongs to one version of it
                raise EngineMissing(f"{path}: {why[:200]}.") from None
            raise PotentialError(
                f"{path}: DeePMD-kit cannot load it ({why[:200]}). Name a frozen model: .pb or"
                " .pth."
            ) from None


def _check_elements(path: Path, type_map: tuple[str, ...], elements: tuple[str, ...]) -> None:
    if not set(elements) <= set(type_map):
        known = " ".join(type_map) or "unnamed elements"
        raise PotentialError(
            f"{path}: trained for {known}, the system has {' '.join(elements)}."
            " Use the potential of this system."
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the start-up messages of TensorFlow and DeePMD-kit off the terminal.

    Their C++ parts write past Python, so the file descriptor itself is turned aside; what was
    written is shown after all when the block fails. Threads follow the cores granted to us.
    """
    cores = str(len(os.sched_getaffinity(0)))
    for name, value in {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": cores,
        "DP_INTRA_OP_PARALLELISM_THREADS": os.environ.get("OMP_NUM_THREADS", cores),
        "DP_INTER_OP_PARALLELISM_THREADS": "1",
    }.items():
        os.environ.setdefault(name, value)
    for name in ("deepmd", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(terminal, aside.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
    _mute_at_exit()


@cache
def _mute_at_exit() -> None:
    """The CPU wheel looks for the CUDA runtime once more while it is unloaded, and says so."""
    atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2))


def _graph_nodes(path: Path) -> dict[str, bytes]:
    """Nodes of a frozen graph: name -> the strings of its constant value.

    Reads the protobuf wire format itself: importing TensorFlow for it takes seconds. The field
    numbers are those of TensorFlow's graph, node_def, attr_value and tensor .proto files.
    """
    try:
        nodes = {}
        for node in _fields(path.read_bytes(), 1):
            name = b"".join(_fields(node, 1)).decode()
            nodes[name] = b" ".join(
                text
                for attribute in _fields(node, 5)
                if _fields(attribute, 1) == [b"value"]
                for value in _fields(attribute, 2)
                for tensor in _fields(value, 8)
                for text in _fields(tensor, 8)
            )
    except (IndexError, ValueError):  # a length beyond the end, an unknown wire type, no text
        size = path.stat().st_size
        raise PotentialError(
            f"{path}: not a frozen potential, or cut short ({size} bytes). Restore it with"
            f" `git checkout -- {path}` or freeze it again."
        ) from None
    return nodes


def _fields(message: bytes, wanted: int) -> list[bytes]:
    """All values of one length-delimited field of a protobuf message."""
    found, at = [], 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == 0:
            _, at = _varint(message, at)
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > len(message):
            raise IndexError("message ends inside a field")
        if key >> 3 == wanted:
            found.append(message[at : at + size])
        at += size
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
