"""Is the potential good enough everywhere? Accurate, candidate and failed frames per (T, P)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dpchannel.learn.deviation import Counts
from dpchannel.results import Check, Quantity

if TYPE_CHECKING:
    from dpchannel.results import Result
    from dpchannel.settings.learn import StopSettings
    from dpchannel.statepoint import StatePoint

ACCURATE, STATES, CHANGE = "accurate", "accurate_everywhere", "force_mae_settled"


@dataclass(frozen=True)
class HeldOut:
    """Mean absolute force error (eV/A) on the held-out frames, and that of the potential before
    on the same frames; None in the first iteration.
    """

    now: float
    before: float | None
    frames: int

    @property
    def change(self) -> float | None:
        """Relative to the potential before."""
        if not self.before:
            return None
        return abs(self.now - self.before) / self.before


def state_name(point: StatePoint) -> str:
    """`P4GPa_T500K`."""
    return point.path.as_posix().replace("/", "_")


def quantities(
    counts: Mapping[StatePoint, Counts],
    trajectories: Mapping[StatePoint, int],
    held_out: HeldOut | None,
) -> dict[str, Quantity]:
    """Shares of every (T, P) and of all, and the held-out error."""
    found = {}
    everything = sum(counts.values(), Counts())
    for name, c, n in [
        ("", everything, sum(trajectories.values())),
        *((f"_{state_name(p)}", c, trajectories[p]) for p, c in counts.items()),
    ]:
        for kind in (ACCURATE, "candidate", "failed"):
            share = getattr(c, kind) / c.total if c.total else None
            found[f"{kind}{name}"] = Quantity(
                share, "", n=c.total, n_independent=n, method="share of frames; n trajectories"
            )
    if held_out is not None:
        method = "mean absolute error on held-out trajectories"
        for name, value in (("force_mae", held_out.now), ("force_mae_before", held_out.before)):
            found[name] = Quantity(value, "eV/A", n=held_out.frames, method=method)
        found["force_mae_change"] = Quantity(held_out.change, "", method="relative, same frames")
    return found


def checks(
    counts: Mapping[StatePoint, Counts], held_out: HeldOut | None, stop: StopSettings
) -> list[Check]:
    """The two conditions of the end, for this iteration alone."""
    worst = min(counts, key=lambda point: counts[point].share)
    share = counts[worst].share
    text = f"least in {state_name(worst)}: {share:.1%} accurate, asked {stop.accurate_share:.1%}"
    found = [Check(STATES, share >= stop.accurate_share, text)]
    change = held_out.change if held_out else None
    if change is None:
        text = "no held-out error of an earlier potential"
    else:
        text = f"changed by {change:.1%}, allowed {stop.force_mae_change:.1%}"
    found.append(Check(CHANGE, change is not None and change < stop.force_mae_change, text))
    return found


def finished(history: Sequence[Result], stop: StopSettings, last_stage_from: int) -> str | None:
    """Why the loop is not finished, or None when it is.

    Parameters
    ----------
    history : results of iterations 0, 1, ...
    last_stage_from : int
        Only iterations from this one on count: earlier ones explore less.
    """
    recent = history[last_stage_from:][-stop.iterations :]
    if len(recent) < stop.iterations:
        count = len(recent)
        return f"{count} of {stop.iterations} iterations in the last stage of the schedule"
    for result in recent:
        check = next(c for c in result.checks if c.name == STATES)
        if not check.ok:
            return f"iteration {result.state['iteration']}: {check.text}"
    check = next(c for c in recent[-1].checks if c.name == CHANGE)
    return None if check.ok else f"held-out force error {check.text}"


def table(counts: Mapping[StatePoint, Counts]) -> list[str]:
    """One line for every (T, P), for a person."""
    lines = [f"{'state':<20} {'accurate':>9} {'candidate':>9} {'failed':>9}   share"]
    for point, c in sorted(
        counts.items(), key=lambda item: (item[0].pressure_GPa, item[0].temperature_K)
    ):
        row = f"{state_name(point):<20} {c.accurate:>9} {c.candidate:>9} {c.failed:>9}"
        lines.append(f"{row}  {c.share:6.1%}")
    return lines


def sentence(counts: Mapping[StatePoint, Counts], held_out: HeldOut | None) -> str:
    """One line that a person reads first."""
    all_of = sum(counts.values(), Counts())
    worst = min(counts, key=lambda point: counts[point].share)
    text = (
        f"{all_of.share:.1%} of {all_of.total} frames accurate (least {counts[worst].share:.1%} in "
        f"{state_name(worst)})"
    )
    if held_out is None:
        return text + "; no held-out frames"
    text += f"; held-out force MAE {held_out.now:.4g} eV/A"
    return text if held_out.before is None else text + f", before {held_out.before:.4g}"
