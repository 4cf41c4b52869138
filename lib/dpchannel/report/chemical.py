"""The table of chemical pressure: what a dopant on each site is worth, by every measure."""

import io

from dpchannel.results import Quantity, Result


def shown(result: Result) -> str:
    """Equivalent pressures (GPa) and the measures themselves, as text."""
    from rich.console import Console
    from rich.table import Table

    sites = result.state["sites"]
    dopant = result.state["dopant"]
    title = f"{dopant} for {result.state['replaces']}: measure, and pressure (GPa) worth as much"
    drawn = Table(box=None, title=title, title_justify="left")
    for head in ("", "pure", *sites):
        drawn.add_column(head, justify="right" if head else "left", no_wrap=True)
    for name in measures(result):
        pure = result.quantities[f"{name}_0GPa"]
        drawn.add_row(name, _number(pure, 3), *(_cell(result, name, site) for site in sites))
    text = io.StringIO()
    Console(file=text, width=170).print(drawn)
    return f"{text.getvalue()}{result.summary}"


def measures(result: Result) -> list[str]:
    """Names of everything that was followed under pressure."""
    return [
        name.removesuffix("_0GPa")
        for name in result.quantities
        if name.endswith("_0GPa") and not name.startswith("P_")
    ]


def _cell(result: Result, name: str, site: str) -> str:
    value, worth = (result.quantities.get(f"{head}{name}_{site}") for head in ("", "P_"))
    if value is None:
        return ""
    return f"{_number(value, 3)} ({'-' if worth is None else _number(worth, 2)})"


def _number(quantity: Quantity, digits: int) -> str:
    return "-" if quantity.value is None else f"{quantity.value:.{digits}f}"
