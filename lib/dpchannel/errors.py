"""Errors a user can act on: each message says what, where, which value, and the remedy."""


class DpchannelError(Exception):
    """Base of every error that ends a task with one clear line instead of a traceback."""

    exit_code = 1


class InputError(DpchannelError):
    """A file, key, label or number given by the user cannot be used."""

    exit_code = 2


class TrajectoryError(InputError):
    """A trajectory is truncated, repeats frames, changes its atoms or lacks image flags."""


class PotentialError(InputError):
    """A potential file is missing, damaged, or does not fit the system."""


class RangeError(InputError):
    """A state point lies outside what the potential was trained on."""


class NotConverged(DpchannelError):
    """A computation ended without reaching its stated criterion."""

    exit_code = 3


class NotDiffusive(NotConverged):
    """No window of the MSD has the exponent of diffusion."""


class EngineMissing(DpchannelError):
    """An external program or optional package is not installed."""

    exit_code = 4


class EngineFailed(DpchannelError):
    """An external program ran and failed; the message names its log."""

    exit_code = 5
