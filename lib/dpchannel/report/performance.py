"""The tables of docs/performance.md and docs/scale.md, from the results of `make bench`.

They stand between markers, `<!-- NAME -->` and `<!-- end NAME -->`; all other text is written by
hand and stays.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import linregress

from dpchannel.errors import InputError
from dpchannel.physics.power_law import PowerLaw
from dpchannel.report.table import with_error
from dpchannel.results import Result
from dpchannel.settings.bench import ScaleTargets

NOTHING = "Not measured yet: `{command}` on a quiet machine writes this table."
SECTIONS = ("pair", "neigh", "comm", "output", "modify", "other")
OWN_MODEL, PAPER_MODEL, FLOOR_MODEL, TEACHER = "shipped", "paper", "toy", "teacher"


@dataclass(frozen=True)
class Measured:
    """Results of `make bench` and of `make bench-analysis`, each in the order of its files."""

    speed: Sequence[Result]
    analysis: Sequence[Result]

    @classmethod
    def read(cls, folder: Path) -> "Measured":
        """From `speed/*.json` and `analysis/*.json` below a folder; either may be missing."""
        return cls(*([Result.read(p) for p in sorted((folder / part).glob("*.json"))]
                     for part in ("speed", "analysis")))  # fmt: skip

    def find(self, **state: Any) -> list[Result]:
        """Timings of LAMMPS or ASE whose state holds these values, by number of atoms."""
        found = [r for r in self.speed if all(r.state[k] == v for k, v in state.items())]
        return sorted(found, key=lambda r: int(r.state["n_atoms"]))


def fill(text: str, sections: Mapping[str, str], where: str) -> str:
    """Put each section between its markers.

    Raises
    ------
    InputError          a marker is missing, or one of the text has no section
    """
    for name in set(re.findall(r"<!-- (?!end )(\S+) -->", text)) ^ set(sections):
        raise InputError(f"{where}: marker {name!r} is in the page or in the code, not in both.")
    for name, content in sections.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise InputError(f"{where}: no line <!-- end {name} --> after <!-- {name} -->.")
        text = pattern.sub(lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text)  # type: ignore[misc]
    return text


def performance(measured: Measured) -> dict[str, str]:
    """Sections of docs/performance.md."""
    parts: dict[str, Callable[[Measured], str]] = {
        "machine": _machine,
        "models": _models,
        "parallel": _parallel,
        "sizes": _sizes,
        "profile": _profile,
        "drivers": _drivers,
    }
    found = {name: part(measured) for name, part in parts.items()}
    found = {name: text or NOTHING.format(command="make bench") for name, text in found.items()}
    analysis = _analysis(measured) or NOTHING.format(command="make bench-analysis")
    return found | {"analysis": analysis}


def scale(measured: Measured, targets: ScaleTargets) -> dict[str, str]:
    """Sections of docs/scale.md: core hours and memory of one large cell and of a campaign."""
    large = measured.find(driver="lammps", model=OWN_MODEL)
    one_rank = [
        r for r in large if r.state["ranks"] * r.state["threads"] == 1 and is_best(r, large)
    ]
    if len(one_rank) < 3:
        return dict.fromkeys(("cell", "campaign"), NOTHING.format(command="make bench"))
    atoms = [float(r.state["n_atoms"]) for r in one_rank]
    law = PowerLaw.through(atoms, [value_of(r, "step") / 1e3 for r in one_rank])
    memory = linregress(atoms, [value_of(r, "peak_memory") for r in one_rank])
    # beyond what was measured each atom costs what it costs in the largest cell
    per_atom_s = value_of(one_rank[-1], "step") / 1e3 / atoms[-1]
    steps = targets.run_ps * 1e3 / targets.timestep_fs
    hours = targets.atoms * per_atom_s * steps / 3600
    of_one = (
        targets.system_atoms * per_atom_s * targets.system_ps * 1e3 / targets.timestep_fs / 3600
    )
    campaign = of_one * targets.states * targets.systems
    days = f"days on {targets.cores} cores, perfectly divided"
    cell = [
        ("speed of one core", f"{1e-3 / per_atom_s:.1f} katom-step/s at {atoms[-1]:.0f} atoms"),
        ("exponent of a step's time in the atoms", with_error(law.exponent)),
        (f"{targets.atoms} atoms, {targets.run_ps:g} ps", f"{hours:.3g} core hours"),
        (days, f"{hours / 24 / targets.cores:.3g}"),
        ("memory of the atoms", f"{memory.slope * targets.atoms / 1e3:.3g} GB over all ranks"),
        ("memory of each rank beside that", f"{memory.intercept / 1e3:.2g} GB"),
    ]
    many = [
        (f"one state: {targets.system_atoms} atoms, {targets.system_ps:g} ps",
         f"{of_one:.3g} core hours"),
        (f"{targets.systems} crystals, {targets.states} states each", f"{campaign:.3g} core hours"),
        (f"days on {targets.cores} cores, one core a state",
         f"{math.ceil(targets.states * targets.systems / targets.cores) * of_one / 24:.3g}"),
    ]  # fmt: skip
    return {"cell": table_of(("", ""), cell), "campaign": table_of(("", ""), many)}


def _machine(measured: Measured) -> str:
    rows: dict[tuple[object, ...], list[float]] = {}
    for result in (*measured.speed, *measured.analysis):
        m, p = result.provenance["machine"], result.provenance
        busy = any(
            c.name in ("quiet_machine", "quiet_meanwhile") and not c.ok for c in result.checks
        )
        engines = ("deepmd-kit", "tensorflow-cpu", "lammps", "ase", "numpy", "scipy")
        versions = ", ".join(f"{n} {p['versions'][n]}" for n in engines if n in p["versions"])
        key = (m["cpu"], m["cores"], m["memory_GB"], versions, "no: in use" if busy else "yes")
        rows.setdefault(key, []).append(m["load_at_start"])
    header = ("CPU", "cores", "memory (GB)", "versions", "quiet", "load average at the start")
    return table_of(header, [(*key, _range(loads)) for key, loads in rows.items()]) if rows else ""


def _models(measured: Measured) -> str:
    sizes = [r.state["n_atoms"] for r in measured.find(driver="lammps", model=PAPER_MODEL)
             if r.state["ranks"] > 1] or [r.state["n_atoms"] for r in measured.speed]  # fmt: skip
    here = [r for r in measured.find(driver="lammps") if r.state["n_atoms"] in sizes[:1]]
    if not here:
        return ""
    ranks = max(r.state["ranks"] for r in here)
    here = [r for r in here if r.state["ranks"] == ranks and r.state["threads"] == 1]
    own = next((r for r in here if r.state["model"] == OWN_MODEL and is_best(r, here)), None)
    rows = []
    for r in here:
        factor = f"{value_of(own, 'speed') / value_of(r, 'speed'):.2f}" if own else "-"
        kernels = "own" if r.state["native"] else "of the wheel"
        rows.append((r.state["model"], kernels, _shown(r, "speed"), factor, _held_out(r)))
    title = f"{here[0].state['n_atoms']} atoms, {ranks} ranks.\n\n"
    header = ("network", "kernels", "katom-step/s", "the shipped one is faster by",
              "held out: energy (meV/atom), force (eV/A)")  # fmt: skip
    return title + table_of(header, rows)


def _parallel(measured: Measured) -> str:
    mine = measured.find(driver="lammps", model=OWN_MODEL)
    several = [r for r in mine if r.state["threads"] > 1]
    at = several[0].state["n_atoms"] if several else None
    mine = [r for r in mine if r.state["n_atoms"] == at]
    one = next((r for r in mine if cores_of(r) == 1 and is_best(r, mine)), None)
    if one is None:
        return ""
    rows = []
    for r in (r for r in mine if r.state["native"] == one.state["native"]):
        efficiency = value_of(r, "speed") / value_of(one, "speed") / cores_of(r)
        rows.append((r.state["ranks"], r.state["threads"], _shown(r, "speed"), f"{efficiency:.2f}"))
    return f"{at} atoms.\n\n" + table_of(("ranks", "threads", "katom-step/s", "efficiency"), rows)


def _sizes(measured: Measured) -> str:
    mine = [r for r in measured.find(driver="lammps", model=OWN_MODEL) if r.state["threads"] == 1]
    mine = [r for r in mine if is_best(r, mine)]
    mine.sort(key=lambda r: (r.state["ranks"], r.state["n_atoms"]))
    rows = [
        (r.state["ranks"], r.state["n_atoms"], _shown(r, "speed"), _shown(r, "step")) for r in mine
    ]
    header = ("ranks", "atoms", "katom-step/s", "ms a step")
    return table_of(header, rows) if rows else ""


def _profile(measured: Measured) -> str:
    alone = [
        r for r in measured.find(driver="lammps") if cores_of(r) == 1 and "pair" in r.quantities
    ]
    floor = [r for r in alone if r.state["model"] == FLOOR_MODEL]
    if not floor:
        return ""
    at = floor[0].state["n_atoms"]
    here = [r for r in alone if r.state["n_atoms"] == at and is_best(r, alone)]
    rows = [
        (r.state["model"], *(f"{value_of(r, s):.2f}" for s in SECTIONS if s in r.quantities),
         f"{1e3 * value_of(r, 'step') / at:.1f}")
        for r in here
    ]  # fmt: skip
    least = 1e3 * value_of(floor[0], "step") / at
    title = f"{at} atoms, one core; microseconds per atom and step.\n\n"
    text = f"\n\nThe smallest network ({FLOOR_MODEL}) leaves {least:.1f} us: what lists, tables and"
    text += " the interface cost, whatever the network."
    return title + table_of(("network", *SECTIONS, "all"), rows) + text


def _drivers(measured: Measured) -> str:
    """ASE against LAMMPS on the same cell, and the teacher on its own."""
    rows = []
    for r in measured.find(driver="ase"):
        n, cores = r.state["n_atoms"], cores_of(r)
        same = [o for o in measured.find(driver="lammps", model=OWN_MODEL, n_atoms=n)
                if cores_of(o) == cores]  # fmt: skip
        best = max((value_of(o, "speed") for o in same), default=None)
        factor = "-" if best is None else f"{best / value_of(r, 'speed'):.3g}"
        rows.append((f"{r.state['model']} by ASE", n, cores, _shown(r, "speed"), factor))
    header = ("what", "atoms", "cores", "katom-step/s", "LAMMPS with the shipped one is faster by")
    return table_of(header, rows) if rows else ""


def _analysis(measured: Measured) -> str:
    rows = []
    own = {r.state["frames"]: r for r in measured.analysis if r.state["tool"] == "dpchannel"}
    for r in sorted(measured.analysis, key=lambda r: (r.state["frames"], r.state["feed"])):
        mine, versions = own.get(r.state["frames"]), r.provenance["versions"]
        package = {"mdanalysis": "MDAnalysis", "pymatgen": "pymatgen-analysis-diffusion"}
        name = package.get(r.state["tool"], r.state["tool"])
        factor = f"{value_of(r, 'wall') / value_of(mine, 'wall'):.3g}" if mine else "-"
        if r.quantities["wall"].kind == "lower_bound":
            factor = f"> {factor}, not finished"
        same = r.quantities.get("msd_difference")
        difference = "-" if same is None else f"{same.value:.1e}"
        shown = (_shown(r, "wall"), _shown(r, "peak_memory"), factor, difference)
        what = f"{name} {versions.get(name, '')}".strip()
        rows.append((r.state["frames"], what, r.state["feed"], *shown))
    header = ("frames", "tool", "reads", "wall (s)", "peak memory (MB)",
              "time relative to dpchannel", "MSD differs by")  # fmt: skip
    return table_of(header, rows) if rows else ""


def _held_out(result: Result) -> str:
    errors = result.state["facts"].get("held_out")
    if errors is None:
        return "random weights, not trained"
    energy, force = errors["energy_mae_meV_per_atom"], errors["force_mae_eV_per_A"]
    return f"{energy:.2f}, {force:.3f}"


def is_best(result: Result, among: Iterable[Result]) -> bool:
    """Whether it uses the own kernels, or nothing does."""
    return bool(result.state["native"]) or not any(r.state["native"] for r in among)


def cores_of(result: Result) -> int:
    return int(result.state["ranks"] * result.state["threads"])


def value_of(result: Result, name: str) -> float:
    value = result.quantities[name].value
    if value is None:
        raise InputError(f"{result.task} {result.state}: no value of {name}. Measure it again.")
    return value


def _shown(result: Result, name: str) -> str:
    q = result.quantities[name]
    return f"> {q.value:.0f}" if q.kind == "lower_bound" else with_error(q)


def _range(values: Sequence[float]) -> str:
    return f"{min(values):g} to {max(values):g}"


def table_of(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [tuple(header), ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
