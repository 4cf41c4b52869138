"""What every script in bin/ shares: one-line errors with exit codes, `-` for stdin and stdout."""

import functools
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from dpchannel.errors import DpchannelError, InputError

if TYPE_CHECKING:
    from dpchannel.results import Result

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
_PIPE_HELP = re.compile(r"(^|\W)- (is|reads|writes) .*?(stdin|stdout)")


def named(folder: str) -> Callable[[Path], Path]:
    """For an option that takes a TOML file, or the name of one in a folder of inputs/."""
    return lambda given: given if given.suffix == ".toml" else INPUTS / folder / f"{given}.toml"


System = Annotated[Path, typer.Option(help="Name in inputs/, or a TOML file.", callback=named(""))]
Profile = Annotated[
    Path, typer.Option(help="Name in inputs/profiles/, or a TOML file.", callback=named("profiles"))
]
# what several scripts take
Integrator = Annotated[Path, typer.Option(help="Integrator.")]
Potential = Annotated[Path, typer.Option(help="Folder, or frozen model with its card.toml.")]
ShippedPotential = Annotated[Path | None, typer.Option(help="default: the shipped one")]
Force = Annotated[
    bool, typer.Option("--force", envvar="FORCE", help="Leave the potential's range.")
]
Engine = Annotated[str, typer.Option(help="dp, or an engine of labels such as mlip")]
Relaxed = Annotated[
    Path | None,
    typer.Argument(help="relaxed.extxyz of bin/lattice.py, - is stdin; else relaxed here"),
]
Trajectory = Annotated[Path, typer.Option(help="H5MD file of bin/md.py; - is stdin.")]
Figures = Annotated[list[Path], typer.Option(help=".png or .pdf; may be given twice")]
Cores = Annotated[int | None, typer.Option(min=1, help="Default: CORES, else all.")]
Threads = Annotated[int, typer.Option(min=1, help="Cores to use.")]


def run(command: Callable[..., Any]) -> None:
    """Run `command` as a typer application; a user's mistake ends in one line, not a traceback.

    Exit codes: 0 done, 2 bad input, 3 not converged, 4 engine missing, 5 engine failed,
    130 interrupted.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(_pipes_where_said(command))
    try:
        try:
            app(standalone_mode=True)
        finally:
            sys.stdout.flush()
    except DpchannelError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt as stopped:
        print("; ".join(["interrupted", *map(str, stopped.args)]), file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of our stdout, such as `head`, is gone
        _close_stdout()
        raise SystemExit(0) from None
    except OSError as error:  # a full disk, a folder that may not be written
        _close_stdout()
        where = error.filename or "stdout"
        print(f"error: {where}: {error.strerror or error}.", file=sys.stderr)
        raise SystemExit(2) from None


def _pipes_where_said(command: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse `-` for a file, unless the help of the option says that it is stdin or stdout.

    Else a file of that name would be looked for, or written.
    """

    def said(hint: Any) -> str:
        return " ".join(str(getattr(given, "help", "")) for given in hint.__metadata__)

    hints = get_type_hints(command, include_extras=True)
    annotated = {name: hint for name, hint in hints.items() if hasattr(hint, "__metadata__")}
    piped = {name for name, hint in annotated.items() if _PIPE_HELP.search(said(hint))}

    @functools.wraps(command)
    def checked(**given: Any) -> Any:
        for name, value in given.items():
            values = value if isinstance(value, list | tuple) else [value]
            if name not in piped and Path("-") in values:
                raise InputError(
                    f"{name} '-': no pipe here. Name a file; --help says where - goes."
                )
        return command(**given)

    return checked


def _close_stdout() -> None:
    """So that Python does not try once more to write what is left, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(message: str, *, of: object = "") -> None:
    """A message for the person watching, `of` one of several; stdout is kept for data."""
    print(f"{of}: {message}" if of else message, file=sys.stderr, flush=True)


def is_pipe(path: Path) -> bool:
    """True for `-`, which stands for stdin or stdout."""
    return str(path) == "-"


@contextmanager
def outgoing(out: Path, name: str) -> Iterator[Path]:
    """`out`, or for `-` a file `name` in a folder of its own, which goes to stdout in the end."""
    if not is_pipe(out):
        yield out
        return
    with TemporaryDirectory() as folder:
        yield Path(folder) / name
        with open(Path(folder) / name, "rb") as made:
            shutil.copyfileobj(made, sys.stdout.buffer)


def emit(result: "Result", out: Path) -> None:
    """Write a result to a file, or for `-` to stdout."""
    if is_pipe(out):
        sys.stdout.write(result.to_json())
    else:
        result.write(out)
