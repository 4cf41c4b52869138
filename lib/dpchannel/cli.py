"""What every script in bin/ shares: one-line errors with exit codes, `-` for stdin and stdout."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from dpchannel.errors import DpchannelError


def run(command: Callable[..., Any]) -> None:
    """Run `command` as a typer application; a user's mistake ends in one line, not a traceback.

    Exit codes: 0 done, 2 bad input, 3 not converged, 4 engine missing, 5 engine failed,
    130 interrupted.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    try:
        app(standalone_mode=True)
    except DpchannelError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of our stdout, such as `head`, is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def note(message: str) -> None:
    """A message for the person watching; stdout is kept for data."""
    print(message, file=sys.stderr, flush=True)


def is_pipe(path: Path) -> bool:
    """True for `-`, which stands for stdin or stdout."""
    return str(path) == "-"
