"""The arrays of a result: its sidecar .npz, checked against the hash the result names."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.results import Result, sha256


def load_sidecar(result: Result, result_path: Path, name: str) -> dict[str, NDArray[np.generic]]:
    """Arrays of the file `name` that lies beside the result file.

    Raises
    ------
    InputError      the file is missing, is not an .npz, or is not the one the result was made with
    """
    path = result_path.parent / name
    named = {Path(key).name: digest for key, digest in result.files.items()}
    if name not in named:
        raise InputError(f"{result_path}: names no file {name}. Run bin/diffusion.py again.")
    if not path.is_file():
        raise InputError(f"{path}: missing, although {result_path} names it. Run its task again.")
    if sha256(path) != named[name]:
        raise InputError(f"{path}: not the file {result_path} was made with. Run its task again.")
    with np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
