"""What must hold for a fine-tuned potential as it is committed."""

import json
import tomllib
from pathlib import Path

from dpchannel.learn.align import fingerprint, read_labels
from dpchannel.report.finetune import tsv
from dpchannel.results import Result, sha256
from dpchannel.settings import LabelSettings, SystemSettings, load


def check_committed(root: Path, system: str, evidence: Path, labels: Path) -> Result:
    """Evidence, both cards, the models and the labels belong together, and name no run."""
    result = Result.read(evidence / "result.json")
    assert (evidence / "table.tsv").read_text() == tsv(result)
    assert (evidence / "figure.png").stat().st_size > 10_000
    engine = str(result.state["engine"]).split()[0]
    potentials = root / "inputs/potentials"
    for name, folder in (
        ("start", potentials / system),
        ("tuned", potentials / f"{system}-{engine}"),
    ):
        card = tomllib.loads((folder / "card.toml").read_text())
        for file, entry in card["files"].items():
            assert sha256(folder / file) == entry["sha256"]
        assert card["dft"]["engine"] == result.state["engine"]
        for what, key in (("energy_mae", "meV_per_atom"), ("force_mae", "eV_per_A")):
            found = result.quantities[f"{name}/{what}"]
            row = card["dft"]["class"]["all"]
            assert row[f"{what}_{key}"] == float(f"{found.value:.4g}")
            assert row["frames"] == found.n == result.state["held_out"]
        for element in card["model"]["elements"]:
            assert {"force_mae_eV_per_A", "force_slope"} <= set(card["dft"]["element"][element])
    training = json.loads((folder / "input.json").read_text())["training"]
    assert training["training_data"] == {"systems": []} and "validation_data" not in training
    inputs = root / "inputs"
    rules = load(LabelSettings, inputs / "labels.toml")
    learned = read_labels(labels, load(SystemSettings, inputs / f"{system}.toml"), rules).train
    alignment = card["data"]["alignment"]
    assert fingerprint(learned[: alignment["labels"]]) == alignment["labels_sha256"]
    return result
