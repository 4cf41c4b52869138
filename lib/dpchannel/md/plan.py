"""Lengths and intervals of a run, in steps."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.settings import MDSettings, RunSettings


@dataclass(frozen=True)
class Plan:
    """Steps of one run; production is `equilibrate` ... `total`, both ends included."""

    timestep_ps: float
    equilibrate: int
    total: int
    mobile_every: int
    frame_every: int
    restart_every: int

    @classmethod
    def make(cls, profile: RunSettings, md: MDSettings) -> "Plan":
        """From the settings.

        Raises
        ------
        InputError      a length is no whole number of steps or intervals, so frames would be uneven
        """
        fs = md.timestep_fs

        def steps(name: str, length_fs: float) -> int:
            n = round(length_fs / fs)
            if n < 1 or abs(n * fs - length_fs) > 1e-6 * fs:
                raise InputError(
                    f"{name}: {length_fs:g} fs is no multiple of timestep_fs = {fs:g}."
                )
            return n

        equilibrate = steps("equilibrate_ps", 1000 * profile.equilibrate_ps)
        produce = steps("produce_ps", 1000 * profile.produce_ps)
        mobile = steps("mobile_every_fs", profile.mobile_every_fs)
        frame = steps("frame_every_fs", profile.frame_every_fs)
        for name, length, every_name, every in (
            ("equilibrate_ps", equilibrate, "mobile_every_fs", mobile),
            ("equilibrate_ps", equilibrate, "frame_every_fs", frame),
            ("produce_ps", produce, "mobile_every_fs", mobile),
        ):
            if length % every:
                raise InputError(
                    f"{name}: {length * fs / 1000:g} ps is no multiple of {every_name} = "
                    f"{every * fs:g}. Frames would not be evenly spaced from the start."
                )
        restart = steps("restart_every_fs", profile.restart_every_fs)
        for every_name, every in (("mobile_every_fs", mobile), ("frame_every_fs", frame)):
            if restart % every:  # else a frame torn by a kill could lie before the restart
                raise InputError(
                    f"restart_every_fs: {restart * fs:g} fs is no multiple of {every_name} = "
                    f"{every * fs:g} fs."
                )
        return cls(fs / 1000, equilibrate, equilibrate + produce, mobile, frame, restart)

    def until(self, step: int) -> "Plan":
        """The same run, ended at `step`."""
        return replace(self, total=min(self.total, step // self.mobile_every * self.mobile_every))

    def production(self, every: int) -> NDArray[np.int64]:
        """Steps (n,) of the frames of production, one in `every`."""
        return np.arange(self.equilibrate, self.total + 1, every, dtype=np.int64)

    def time_ps(self, step: NDArray[np.int64]) -> NDArray[np.float64]:
        """Time (n,) since the start of production; negative during equilibration."""
        return np.asarray((step - self.equilibrate) * self.timestep_ps, dtype=np.float64)
