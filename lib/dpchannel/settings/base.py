"""Closed, frozen models, and the reader that names a mistake by file and key."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dpchannel.errors import InputError

M = TypeVar("M", bound="Strict")


class Strict(BaseModel):
    """Frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def load(model: type[M], path: Path) -> M:
    """Read a TOML file into its model; say which key of which file is wrong."""
    try:
        raw = tomllib.loads(Path(path).read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}.") from None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, e['loc'])) or 'file'} = {e['input']!r}: {e['msg']}."
            for e in error.errors()
        ]
        raise InputError("\n".join(lines)) from None
