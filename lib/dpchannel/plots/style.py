"""The look every figure shares, and files that do not change when nothing changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpchannel.errors import InputError
from dpchannel.results import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOBILE = "#c44e00"
OTHER = "#1f6fb2"
FRAMEWORK = ("#7a7a7a", "#a3a3a3", "#c4c4c4")
REFERENCE = "#2b2b2b"

_RC: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.labelsize": 9.0,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.4,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # text stays text in the PDF
}
# no time stamp and no version in the files: the same result gives the same bytes
_METADATA = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw without a display, in the house style, leaving matplotlib's settings as they were."""
    import matplotlib

    matplotlib.use("Agg")
    with matplotlib.rc_context(_RC):
        yield


def save(figure: "Figure", paths: list[Path]) -> None:
    """Write the figure to every path (`.png` or `.pdf`), each in one step."""
    for path in paths:
        if path.suffix not in _METADATA:
            raise InputError(f"{path}: a figure is written as {' or '.join(_METADATA)}.")
    for path in paths:
        with replacing(path) as aside:
            figure.savefig(aside, metadata=_METADATA[path.suffix])
