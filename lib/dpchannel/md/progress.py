"""Live progress of a run on stderr: a bar on a terminal, a plain line now and then elsewhere."""

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from dpchannel.md.plan import Plan
from dpchannel.md.segments import last_sample

Note = Callable[[str], None]

_PLAIN_EVERY_S = 10.0
_PS_PER_DAY_IN_NS = 86400.0 / 1000.0


class Watch:
    """Reads the newest sample of a running LAMMPS and shows it; call `update` often."""

    def __init__(self, samples: Path, plan: Plan, note: Note) -> None:
        self._samples, self._plan, self._note = samples, plan, note
        self._first: tuple[float, float] | None = None  # time and step of the first sample seen
        self._told = time.monotonic()
        self.step: int | None = None
        console = Console(stderr=True)
        self._bar = None
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(bar_width=24))
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("LAMMPS is starting", total=plan.total)

    def __enter__(self) -> "Watch":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def update(self) -> bool:
        """Show the newest sample; False when it is not a number: the run has blown up."""
        sample = last_sample(self._samples)
        if sample is None:
            return True
        now, step = time.monotonic(), sample["step"]
        self.step = int(step)
        if self._first is None:
            self._first = (now, step)
        text = self._text(sample, now)
        if self._bar:
            self._bar.update(self._task, completed=step, description=text)
        elif now - self._told >= _PLAIN_EVERY_S:
            self._told = now
            self._note(text)
        return math.isfinite(sample["temp"]) and math.isfinite(sample["press"])

    def _text(self, sample: dict[str, float], now: float) -> str:
        assert self._first is not None
        began, first_step = self._first
        phase = "equilibrating" if sample["step"] < self._plan.equilibrate else "producing"
        text = (
            f"{phase}: step {sample['step']:.0f} of {self._plan.total}, "
            f"T {sample['temp']:.0f} K, P {sample['press'] * 1e-4:.2f} GPa"
        )
        per_second = (sample["step"] - first_step) / (now - began) if now > began else 0.0
        if per_second > 0:
            left = (self._plan.total - sample["step"]) / per_second
            speed = per_second * self._plan.timestep_ps * _PS_PER_DAY_IN_NS
            text += f", {speed:.2f} ns/day, {duration(left)} left"
        return text


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 05 min`."""
    s = round(seconds)
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} min {s % 60:02d} s"
    return f"{s // 3600} h {s % 3600 // 60:02d} min"
