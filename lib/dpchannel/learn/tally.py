"""What became of the frames that an iteration asked labels for: 02.label/result.json."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from dpchannel.labels.campaign import read_failures, read_queue
from dpchannel.labels.labeler import frame_id
from dpchannel.labels.queue import labelled_ids
from dpchannel.learn import state
from dpchannel.results import Quantity, Result, provenance

REFUSED = "refused"
_PLACE = re.compile(r"^\S*/\S*: *")  # the file a message is about
_NUMBER_FIRST = re.compile(r"^[-+.e\d]+ +")
_END = re.compile(r" in(?= \d)| *[-+]?\d|[.:;(=](?: |$)")
_KINDS = 4  # as many reasons as a line has room for


def write_tally(folder: Path, system: str, engine: str, number: int) -> Result:
    """Count the labels in the folder `02.label` of an iteration; result.json appears there.

    Quantities are `asked`, `labelled`, `refused` and, of these, `refused/<kind of reason>`.
    """
    started = time.time()
    asked = {frame_id(atoms) for atoms in read_queue(folder / state.QUEUE)}
    done = labelled_ids(folder / state.LABELLED) & asked
    failures = read_failures(folder / state.FAILED)
    reasons = Counter(
        kind_of(row["reason"]) for name, row in failures.items() if name in asked - done
    )
    counts = {"asked": len(asked), "labelled": len(done), REFUSED: reasons.total()}
    counts |= {f"{REFUSED}/{kind}": n for kind, n in reasons.most_common()}
    result = Result(
        "labels",
        system,
        {"iteration": number, "engine": engine},
        {name: Quantity(float(n), "", n=len(asked)) for name, n in counts.items()},
        provenance=provenance(settings={}, started=started),
        summary=sentence(counts),
    )
    result.write(folder / state.RESULT)
    return result


def total(results: Iterable[Result]) -> dict[str, Quantity]:
    """The sum of several, as quantities `labels/<name>`."""
    counts: Counter[str] = Counter()
    for result in results:
        counts.update({name: int(q.value or 0) for name, q in result.quantities.items()})
    asked = counts.get("asked", 0)
    return {f"labels/{name}": Quantity(float(n), "", n=asked) for name, n in counts.items()}


def kind_of(reason: str) -> str:
    """A reason of failed.tsv without the file and the numbers, so that equal ones can be counted.

    `/a/label.out: net force 0.62 eV/A > 0.5. Raise ...` is a `net force`.
    """
    text = reason
    while text != (text := _PLACE.sub("", text)):
        pass
    text = _NUMBER_FIRST.sub("", text.removeprefix("refused by the gate: "))
    return _END.split(text)[0].strip(" .:") or "unknown"


def sentence(counts: dict[str, int]) -> str:
    """`57 of 60 labelled, 3 refused: net force (2), SCF stopped after (1)`."""
    text = f"{counts['labelled']} of {counts['asked']} labelled"
    if not counts[REFUSED]:
        return text
    kinds = [(k.partition("/")[2], n) for k, n in counts.items() if k.startswith(f"{REFUSED}/")]
    listed = ", ".join(f"{kind} ({n})" for kind, n in kinds[:_KINDS])
    return f"{text}, {counts[REFUSED]} refused: {listed}{', ...' * (len(kinds) > _KINDS)}"
