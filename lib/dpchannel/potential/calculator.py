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

from ase.calculators.calculator import Calculator

from dpchannel.errors import EngineMissing, PotentialError

PRECISE = "model.pb"  # float64, uncompressed: lattice, NEB, phonons
FAST = "model-compressed.pb"  # for molecular dynamics

# A frozen potential holds these; an arbitrary graph, or one cut short, does not
_NODES = {"model_attr/tmap", "descrpt_attr/rcut", "o_energy", "o_force", "o_virial"}


def potential_file(folder: Path, precise: bool = True) -> Path:
    """The potential in `folder` (or `folder` itself, when it is a file).

    Parameters
    ----------
    precise : bool          the uncompressed float64 model; else the compressed one for MD

    Raises
    ------
    PotentialError          it is not there
    """
    path = folder if folder.is_file() else folder / (PRECISE if precise else FAST)
    if not path.is_file():
        raise PotentialError(
            f"{path}: no potential there. Restore it with `git checkout -- {path}`, train one with"
            " `make train`, or name another file."
        )
    return path


def check_potential(path: Path, elements: tuple[str, ...]) -> tuple[str, ...]:
    """Type map of a frozen potential, after checking that it is whole and fits the elements.

    Raises
    ------
    PotentialError          missing, truncated or foreign file, or a type map of other elements
    """
    path = potential_file(path)
    nodes = _graph_nodes(path)
    if missing := sorted(_NODES - nodes.keys()):
        raise PotentialError(
            f"{path}: a TensorFlow graph, but not a frozen deep potential (no {missing[0]})."
            " Freeze one with `dp freeze`."
        )
    type_map = tuple(nodes["model_attr/tmap"].decode().split())
    if set(type_map) != set(elements):
        raise PotentialError(
            f"{path}: trained for {' '.join(type_map)}, the system has {' '.join(elements)}."
            " Use the potential of this system."
        )
    return type_map


def calculator(potential: Path, elements: tuple[str, ...]) -> Calculator:
    """ASE calculator (energy, forces, stress) of a frozen deep potential.

    Parameters
    ----------
    potential : Path        a .pb file, or a folder with one
    elements : symbols      of the system; the potential may list them in another order

    Raises
    ------
    PotentialError          the file is missing, damaged or foreign, or of other elements
    EngineMissing           DeePMD-kit is not installed
    """
    path = potential_file(potential)
    type_map = check_potential(path, elements)
    with quiet():
        try:
            from deepmd.calculator import DP
        except ImportError as error:
            raise EngineMissing(f"DeePMD-kit: {error}. Run `make setup`.") from None
        # the order of types comes from the file itself, never from the caller
        return DP(str(path), type_dict={element: i for i, element in enumerate(type_map)})


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
