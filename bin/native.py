#!/usr/bin/env python3
"""Compile the kernels of molecular dynamics for this machine."""

import _env  # noqa: F401  (re-runs in the project's .venv)

from dpchannel import cli


def main() -> None:
    """Compile lib/dpchannel/native/kernels.cc into .venv; MD then uses it, unless NATIVE=0."""
    from dpchannel.md.native import compile_kernels

    cli.note(f"ready: {compile_kernels()}")


if __name__ == "__main__":
    cli.run(main)
