"""Networks of a given size that have learnt nothing: as fast as trained ones, and worth nothing."""

from pathlib import Path

from dpchannel.potential.frozen import Note
from dpchannel.potential.train import train
from dpchannel.results import project_root
from dpchannel.settings import SystemSettings, TrainingSettings, load

STEPS = 2  # of training: enough to be frozen


def random_model(
    network: str, dataset: Path, folder: Path, system: SystemSettings, *, note: Note
) -> Path:
    """Folder with `model.pb` and `model-compressed.pb` of a network of inputs/training.toml.

    The data set gives the numbers of neighbours and the shortest distance, so that the tables are
    as large as those of a trained network. What is there is kept.
    """
    settings = load(TrainingSettings, project_root() / "inputs" / "training.toml")
    size = settings.networks[network].model_copy(update={"steps": STEPS})
    made = train(
        dataset, folder / network, settings, size, elements=system.system.elements, note=note
    )
    return made.model.parent
