"""How much of a crystal is left: Lindemann index, g(r) far out, motion of the framework, waves."""

import numpy as np
from scipy.spatial import cKDTree

from dpchannel.errors import InputError
from dpchannel.physics.arrays import Array, IntArray
from dpchannel.physics.displacement import summed_increments
from dpchannel.physics.msd import lag_count, lag_times, msd_per_atom

MAX_LAG_FRACTION = 0.5
_ROUNDING = 1e-6  # amplitude of a wave that a perfect crystal has not
Measured = tuple[float, float]  # value and standard error


def framework_positions(scaled: Array, cells: Array, masses: Array) -> Array:
    """Positions of the framework with its own centre at rest, in a crystal or a melt.

    Parameters
    ----------
    scaled : (n_frame, n, 3)    scaled coordinates
    cells : (n_frame, 3, 3) A
    masses : (n,) amu

    Returns
    -------
    (n_frame, n, 3) A           sums of minimum-image increments
    """
    positions = summed_increments(scaled, cells)
    centre = np.tensordot(positions, masses / np.sum(masses), axes=(1, 0))
    relative: Array = positions - (centre - centre[0])[:, None, :]
    return relative


def nearest_distance_A(scaled: Array, cell: Array) -> float:
    """Mean distance (A) to the nearest neighbour in one frame (n, 3), periodic."""
    home = (scaled - np.floor(scaled)) @ cell
    images = np.array(np.meshgrid(*[(-1, 0, 1)] * 3)).reshape(3, -1).T @ cell
    everywhere = (home[None] + images[:, None]).reshape(-1, 3)
    distance, _ = cKDTree(everywhere).query(home, k=2)
    return float(distance[:, 1].mean())


def lindemann(
    scaled: Array, cells: Array, masses: Array, sites: Array, nearest_A: float
) -> Measured:
    """Root-mean-square distance from the crystal's sites over the nearest distance.

    Sites are where the run started, so a crystal that is gone moves away for good: a mean over one
    stretch of a ramp would follow the liquid, and depend on how long the stretch lasts.

    Parameters
    ----------
    scaled : (n_frame, n, 3)    unwrapped scaled coordinates of the framework
    cells : (n_frame, 3, 3) A
    masses : (n,) amu           their common drift is taken off
    sites : (n, 3)              scaled coordinates at the start
    nearest_A : A               of nearest_distance_A in the crystal

    Source: Lindemann, Phys. Z. 11, 609 (1910). The error is the scatter between atoms.
    """
    away = scaled - sites
    away = away - np.tensordot(away, masses / np.sum(masses), axes=(1, 0))[:, None, :]
    square = ((away @ cells) ** 2).sum(axis=2).mean(axis=0)
    rms = float(np.sqrt(square.mean()))
    error = square.std(ddof=1) / np.sqrt(len(square)) / (2 * rms) if rms > 0 else 0.0
    return rms / nearest_A, float(error) / nearest_A


def framework_msd(positions: Array, time_ps: Array) -> tuple[Array, Array]:
    """Lag times (n_lag,) ps to half the frames, and the MSD of every atom (n_lag, n) A^2."""
    n_lag = lag_count(len(positions), MAX_LAG_FRACTION)
    return lag_times(time_ps, n_lag), msd_per_atom(positions, n_lag=n_lag).sum(axis=2)


def framework_diffusion(lag_ps: Array, msd_A2: Array, *, first_lag_ps: float) -> Measured:
    """D (A^2/ps) of the framework: slope of its MSD beyond `first_lag_ps`, over 6.

    Parameters
    ----------
    lag_ps : (n_lag,) ps, msd_A2 : (n_lag, n) A^2       of framework_msd
    first_lag_ps : ps                                   earlier is vibration

    Zero in a crystal. The error is the scatter between atoms.
    """
    late = lag_ps >= first_lag_ps
    if late.sum() < 3:
        raise InputError(
            f"lags to {lag_ps[-1]:g} ps, {late.sum()} of them beyond {first_lag_ps:g} ps: a slope"
            " of the MSD needs three. Lower frame_every_fs, or average longer."
        )
    x = lag_ps[late] - lag_ps[late].mean()
    slopes = x @ msd_A2[late] / (x @ x) / 6
    return float(slopes.mean()), float(slopes.std(ddof=1) / np.sqrt(len(slopes)))


def contrast(r_A: Array, g: Array, *, from_A: float) -> float:
    """Root-mean-square of g(r) - 1 beyond `from_A`: what is left of order far away."""
    far = r_A >= from_A
    if not far.any():
        raise InputError(f"g(r) reaches {r_A[-1]:.2f} A: its contrast is taken from {from_A:g} A.")
    return float(np.sqrt(np.mean((g[far] - 1) ** 2)))


def bragg_waves(
    scaled: Array, lengths_A: Array, axis: int, *, n_wave: int, min_A: float, least: float
) -> tuple[IntArray, Array]:
    """The strongest waves of a crystal's density with no component along `axis`.

    Parameters
    ----------
    scaled : (n, 3)         crystal, scaled coordinates
    lengths_A : (3,) A      edges of the rectangular cell
    n_wave : int            as many at most
    min_A : A               shortest wave length looked at
    least : 0 to 1          a wave with less of the strongest one's amplitude tells no crystal

    Returns
    -------
    (k, 3), (k,)            whole wave numbers in the cell, and amplitudes in this crystal

    Raises
    ------
    InputError              fewer than two waves: they could not tell a crystal from one that slides
    """
    across = [k for k in range(3) if k != axis]
    reach = [int(lengths_A[k] / min_A) for k in across]
    grid = np.array(
        [(h, k) for h in range(reach[0] + 1) for k in range(-reach[1], reach[1] + 1)][1:]
    )
    grid = grid[(grid[:, 0] > 0) | (grid[:, 1] > 0)]  # a wave and its opposite are one
    waves = np.zeros((len(grid), 3), dtype=np.int64)
    waves[:, across] = grid
    long = np.linalg.norm(waves / lengths_A, axis=1) <= 1 / min_A
    waves = waves[long]
    amplitude = np.abs(np.exp(2j * np.pi * (scaled @ waves.T)).mean(axis=0))
    first = np.argsort(-amplitude, kind="stable")[:n_wave]
    first = first[amplitude[first] >= max(least * amplitude[first].max(initial=0), _ROUNDING)]
    if len(first) < 2:
        raise InputError(
            f"interface: {len(first)} density wave of {min_A:g} A or longer along it; two are"
            " needed. Lower shortest_wave_A in inputs/melting.toml."
        )
    return waves[first], amplitude[first]


def liquid_order(n_atom: float) -> float:
    """What slab_order gives for `n_atom` atoms without order: sqrt(pi/n)/2 (Rayleigh's law)."""
    return float(np.sqrt(np.pi / n_atom) / 2)


def slab_order(scaled: Array, waves: IntArray, weights: Array, axis: int, n_slab: int) -> Array:
    """Weighted mean amplitude of the waves in every slab across `axis`: (n_slab,).

    A liquid slab gives liquid_order of its atoms, whatever the weights (k,); an empty one 0. With
    the amplitudes in the crystal as weights, faint waves add little noise.
    """
    slab = (np.mod(scaled[:, axis], 1.0) * n_slab).astype(np.int64) % n_slab
    phases = np.exp(2j * np.pi * (scaled @ waves.T))
    number = np.bincount(slab, minlength=n_slab)
    order = np.zeros(n_slab)
    for wave, weight in zip(phases.T, weights, strict=True):
        real = np.bincount(slab, weights=wave.real, minlength=n_slab)
        imaginary = np.bincount(slab, weights=wave.imag, minlength=n_slab)
        order += weight * np.hypot(real, imaginary) / np.maximum(number, 1)
    return order / np.sum(weights)


def solid_sides(order: Array, *, solid: float, liquid: float) -> Array:
    """Part of the cell that is crystal on the side of each interface: (n_frame, 2).

    Parameters
    ----------
    order : (n_frame, n_slab)   of slab_order; the crystal was put into the lower half of the cell
    solid, liquid : float       what a slab of either gives; between the two it counts in part

    Returns
    -------
    (n_frame, 2)                around the middle of the cell, and around its ends; their sum is the
                                part of the whole cell
    """
    if not solid > liquid:
        raise InputError(
            f"order {solid:.2f} in the solid, {liquid:.2f} in the liquid: no two phases to tell."
        )
    n_slab = order.shape[1]
    ends = np.arange(n_slab + 1) / n_slab
    middle = np.clip(np.minimum(ends[1:], 0.75) - np.maximum(ends[:-1], 0.25), 0, None)
    part = np.clip((order - liquid) / (solid - liquid), 0, 1)
    sides: Array = part @ np.array([middle, 1 / n_slab - middle]).T
    return sides
