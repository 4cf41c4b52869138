"""`[dft]` in card.toml: how far a potential is from held-out labels of DFT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dpchannel.errors import InputError
from dpchannel.potential.card import errors, read_card, toml
from dpchannel.potential.frozen import MODEL
from dpchannel.results import Result, replacing


def add_dft(folder: Path, result: Result, name: str) -> dict[str, Any]:
    """Write what bin/finetune.py found for one potential into its card; all else stays.

    Parameters
    ----------
    folder : Path       of the potential, with its card.toml
    name : str          "start", "tuned" or "alone": which of those compared it is

    Returns
    -------
    dict                `[dft]`: engine, frames and trajectories held out, labels trained on; by
                        class and by element mean absolute errors, slopes of forces, their errors

    Raises
    ------
    InputError          no such result, no card, or the card of another model
    """
    path = folder / "card.toml"
    if result.task != "finetune":
        raise InputError(f"a result of {result.task} is given, not of bin/finetune.py.")
    content = read_card(path)
    if content["files"][MODEL]["sha256"] != _compared(result, name):
        raise InputError(
            f"{path}: the result compares another model as {name!r}. Run `make finetune` with "
            f"POTENTIAL={folder}, or name the folder that it started from."
        )
    start = f"{name}/"
    found = {k.removeprefix(start): q for k, q in result.quantities.items() if k.startswith(start)}
    over_all = found["force_mae"]
    content["dft"] = {
        "engine": result.state["engine"],
        "held_out": over_all.n,
        **({"trajectories": over_all.n_independent} if over_all.n_independent else {}),
        "trained_on": 0 if name == "start" else result.state["labels"],
        **errors(found),
    }
    with replacing(path) as aside:
        aside.write_text(toml(content))
    found_dft: dict[str, Any] = content["dft"]
    return found_dft


def _compared(result: Result, name: str) -> str | None:
    """SHA-256 of the model that the result calls `name`."""
    if name == "start":
        return (result.provenance.get("potential") or {}).get("sha256")
    return result.files.get(f"n{result.state['labels']:05d}/{name}/{MODEL}")
