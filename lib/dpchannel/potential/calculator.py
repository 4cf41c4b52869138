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
    EngineMissing           TensorFlow is not installed
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
    """Nodes of a frozen graph: name -> value, for constants that hold one string."""
    with quiet():
        try:
            from google.protobuf.message import DecodeError
            from tensorflow.core.framework.graph_pb2 import GraphDef
        except ImportError as error:
            raise EngineMissing(f"TensorFlow: {error}. Run `make setup`.") from None
    graph = GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except DecodeError:
        size = path.stat().st_size
        raise PotentialError(
            f"{path}: not a frozen potential, or cut short ({size} bytes). Restore it with"
            f" `git checkout -- {path}` or freeze it again."
        ) from None
    nodes = {}
    for node in graph.node:
        values = node.attr["value"].tensor.string_val if "value" in node.attr else []
        nodes[node.name] = b" ".join(values)
    return nodes
