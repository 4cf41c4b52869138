"""The barrier of one case: from its routes, or along a stored path with another engine."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from dpchannel.benchmark.band import Array, path_length
from dpchannel.benchmark.hopping import Column, Passage, Search
from dpchannel.benchmark.route import Route
from dpchannel.benchmark.workers import Workers
from dpchannel.errors import InputError
from dpchannel.results import Check, Quantity, Result
from dpchannel.settings.neb import StateMinima

TASK = "neb"
# what every image of a stored path carries
_KEYS = ("system", "case", "about", "engine", "pressure_GPa", "repeat", "ions", "ordered_end")
_OF_IMAGE = ("hop", "at_A", "minimum", "off_axis_A", "height_sites", "converged", "residual")


@dataclass(frozen=True, eq=False)
class Profile:
    """Energies along a path; one entry for each image.

    energy : (n_image,) eV          as the engine gives it
    at : (n_image,) A               length of the path up to here
    hop : (n_image,) int            which hop it belongs to, counted from 0
    minimum : (n_image,) bool       a relaxed state: an end or an intermediate
    off_axis, height : (n_image,)   of the ion that hops: A from the axis, sites gone
    """

    energy: Array
    at: Array
    hop: Array
    minimum: Array
    off_axis: Array
    height: Array
    converged: bool
    residual: float
    info: dict[str, Any]

    @property
    def top(self) -> int:
        """Number of the highest image."""
        return int(self.energy.argmax())

    def arrays(self) -> dict[str, Array]:
        """For the sidecar; energies from the first image."""
        return {
            "energy_eV": self.energy - self.energy[0],
            "at_A": self.at,
            "hop": self.hop,
            "minimum": self.minimum,
            "off_axis_A": self.off_axis,
            "height_sites": self.height,
        }


def lowest(found: Sequence[Passage]) -> Passage:
    """The sequence of hops with the lowest highest point."""
    return min(found, key=lambda passage: passage.height)


def images_of(passage: Passage, column: Column, info: dict[str, Any]) -> list[Atoms]:
    """Images of a passage, each with what is known about it in its `info`; energies attached."""
    route, frames = passage.whole, []
    at, first = path_length(route.images), 0
    for number, (ion, hop) in enumerate(zip(passage.ions, passage.hops, strict=True)):
        images = hop.images if number == 0 else hop.images[1:]
        minima = set(hop.minima)
        for k, atoms in enumerate(images, start=len(hop.images) - len(images)):
            frame = atoms.copy()
            frame.calc = atoms.calc
            frame.info = info | {
                "ions": "-".join(map(str, passage.ions)),
                "hop": number,
                "at_A": float(at[first + k]),
                "minimum": k in minima,
                "off_axis_A": column.off_axis(atoms, ion),
                "height_sites": column.height(atoms, ion),
                "converged": route.converged,
                "residual": route.residual,
            }
            frames.append(frame)
        first += len(hop.images) - 1
    return frames


def profile_of(frames: Sequence[Atoms]) -> Profile:
    """The profile that images with labels and `info` make up.

    Raises
    ------
    InputError              fewer than three images, or one that lacks what `images_of` writes
    """
    if len(frames) < 3:
        raise InputError(f"path: {len(frames)} images; a barrier needs three at least.")
    for number, atoms in enumerate(frames):
        if missing := [key for key in (*_KEYS, *_OF_IMAGE) if key not in atoms.info]:
            raise InputError(
                f"path: image {number} lacks {missing[0]}. Give the path.extxyz of bin/neb.py."
            )

    def column(key: str) -> Array:
        return np.array([atoms.info[key] for atoms in frames])

    return Profile(
        np.array([atoms.get_potential_energy() for atoms in frames]),
        column("at_A"),
        column("hop"),
        column("minimum").astype(bool),
        column("off_axis_A"),
        column("height_sites"),
        bool(column("converged").all()),
        float(column("residual").max()),
        {key: _plain(frames[0].info[key]) for key in _KEYS},
    )


def evaluated(frames: Sequence[Atoms], workers: Workers) -> list[Atoms]:
    """Copies of stored images with the energies of another engine."""
    new = []
    for atoms in frames:
        frame = atoms.copy()
        frame.info = dict(atoms.info)
        new.append(frame)
    workers.evaluate(new)
    return new


def result_of(
    profile: Profile,
    *,
    method: str,
    states: StateMinima,
    search: Search | None = None,
    engine: str = "",
) -> Result:
    """The barrier with its checks; without convergence there is none, only the profile.

    Parameters
    ----------
    method : str                how the energies came about
    search : Search             that found the path; None for energies of another engine along it
    engine : str                of the energies, where it is not that of the path
    """
    info, energy = profile.info, profile.energy
    others = search.sequences if search else []
    worst = max([profile.residual, *(p.whole.residual for p in others)])
    converged = profile.converged and all(p.whole.converged for p in others)
    quantities = _heights(profile, method) if converged else {}
    if not info["ordered_end"] or profile.hop.max() > 0:
        first = np.flatnonzero(profile.hop == 0)[-1]
        quantities["pair_energy"] = Quantity(float(energy[first] - energy[0]), "eV", method=method)
    if converged and len(others) > 1:
        for passage in others:
            name = "height_" + "".join(map(str, passage.ions))
            quantities[name] = Quantity(passage.height, "eV", method=method)
    if converged and search:
        for hop, seed, route in _tried(search):
            if route.converged:
                height = Quantity(route.height, "eV", n=len(route.energies), method=method)
                quantities[f"height_{hop}_seed{seed}"] = height
    checks = [_convergence(profile, converged, worst, search)]
    if search:
        checks += [_lowest_start(profile, states), _all_at_rest(search)]
    if info["ordered_end"]:
        checks.append(_ends_alike(profile, states))
    return Result(
        TASK,
        info["system"],
        {
            "compound": info["system"],
            "pressure_GPa": info["pressure_GPa"],
            "temperature_K": 0.0,
            "engine": engine or info["engine"],
            "path_engine": info["engine"],
            "case": info["case"],
            "about": info["about"],
            "repeat": info["repeat"],
            "sequence": str(info["ions"]),  # extxyz takes that of one ion for a number
        },
        quantities,
        checks,
        summary=_summary(profile, quantities, worst),
    )


def _heights(profile: Profile, method: str) -> dict[str, Quantity]:
    energy, n = profile.energy, len(profile.energy)
    top = profile.top

    def height(k: int, ground: int) -> Quantity:
        return Quantity(float(energy[k] - energy[ground]), "eV", n=n, method=method)

    found = {"barrier_forward": height(top, 0), "barrier_backward": height(top, n - 1)}
    start = 0
    for number in range(int(profile.hop.max()) + 1 if profile.hop.max() > 0 else 0):
        end = int(np.flatnonzero(profile.hop == number)[-1])
        peak = start + int(energy[start : end + 1].argmax())
        found[f"hop{number + 1}_forward"] = height(peak, start)
        found[f"hop{number + 1}_backward"] = height(peak, end)
        start = end
    found["off_axis"] = Quantity(
        float(profile.off_axis[top]), "A", n=1, method="of the ion, at the highest image"
    )
    return found


def _tried(search: Search) -> Iterator[tuple[str, int, Route]]:
    for hop, routes in search.tries.items():
        for seed, route in routes.items():
            yield hop, seed, route


def _convergence(profile: Profile, converged: bool, worst: float, search: Search | None) -> Check:
    """Of the bands that the path is made of; a route that did not converge is none of them."""
    text = (
        f"largest force on any band {worst:.3f} eV/A, {len(profile.energy)} images,"
        f" {int(profile.minimum[1:-1].sum())} relaxed states between the ends"
    )
    if search is None:
        return Check("path_converged", converged, f"with {profile.info['engine']}: {text}")
    routes = list(_tried(search))
    if left_out := [f"{hop} seed {seed}" for hop, seed, route in routes if not route.converged]:
        text += f"; of {len(routes)} routes not converged and left out: {', '.join(left_out)}"
    return Check("converged", converged, text)


def _lowest_start(profile: Profile, states: StateMinima) -> Check:
    below = float((profile.energy - profile.energy[0]).min())
    text = f"the lowest image is {below:+.4f} eV from the first state, which is the ordered crystal"
    return Check("start_is_lowest", below >= -states.same_eV, text)


def _all_at_rest(search: Search) -> Check:
    text = (
        f"{len(search.starts)} starts with ions up and down the channel,"
        f" {len(search.elsewhere)} ended in another state"
    )
    if search.unfinished:
        text += f"; not at rest, and so not compared: {', '.join(sorted(search.unfinished))}"
    return Check("states_at_rest", not search.unfinished, text)


def _ends_alike(profile: Profile, states: StateMinima) -> Check:
    differ = float(profile.energy[-1] - profile.energy[0])
    text = f"the last state is {differ:+.4f} eV from the first; both are the ordered crystal"
    return Check("ends_alike", abs(differ) <= states.alike_eV, text)


def _summary(profile: Profile, quantities: dict[str, Quantity], worst: float) -> str:
    case = f"{profile.info['case']} at {profile.info['pressure_GPa']:g} GPa"
    if "barrier_forward" not in quantities:
        return (
            f"{case}: not converged (largest force on any band {worst:.3f} eV/A): no barrier. The"
            " same command goes on where it stopped, for max_steps of inputs/neb.toml more."
        )
    forward, back = (quantities[f"barrier_{way}"].value for way in ("forward", "backward"))
    text = f"{case}: barrier {forward:.3f} eV, {back:.3f} eV back"
    if "pair_energy" in quantities:
        text += f"; the first hop ends {quantities['pair_energy'].value:.3f} eV up"
    return f"{text} ({profile.info['about']})."


def turning_points(frames: Sequence[Atoms]) -> list[Atoms]:
    """Only minima, and the highest image between each two of them."""
    minima = [k for k, atoms in enumerate(frames) if atoms.info["minimum"]]
    energy = np.array([atoms.get_potential_energy() for atoms in frames])
    kept = set(minima)
    for a, b in itertools.pairwise(minima):
        kept.add(a + int(energy[a : b + 1].argmax()))
    return [frames[k] for k in sorted(kept)]


def _plain(value: Any) -> Any:
    """Of what extxyz gives: plain numbers and lists, for JSON."""
    return value.tolist() if hasattr(value, "tolist") else value
