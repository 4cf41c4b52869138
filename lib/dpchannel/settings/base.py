"""Closed, frozen models, and the reader that names a mistake by file and key."""

import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

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
        lines = [f"{path}: {_mistake(model, found)}" for found in error.errors()]
        raise InputError("\n".join(lines)) from None


def _mistake(model: type[Strict], found: ErrorDetails) -> str:
    """The key, its value unless that is a whole table, and what is wrong with it."""
    where = ".".join(map(str, found["loc"]))
    value = "" if isinstance(found["input"], dict) else f" = {found['input']!r}"
    said = found["msg"].removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        fields = _model_at(model, found["loc"]).model_fields
        known = [field.alias or name for name, field in fields.items()]
        near = get_close_matches(str(found["loc"][-1]), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        return f"{where}{value}: unknown key. Known: {', '.join(known)}{hint}"
    return f"{where}{value}: {said}." if where else f"{said}."


def _model_at(model: type[Strict], loc: Sequence[int | str]) -> type[Strict]:
    """The model of the table that holds the key `loc`; indices and names of tables are passed."""
    for part in loc[:-1]:
        if part in model.model_fields:
            model = _inner(model.model_fields[str(part)].annotation) or model
    return model


def _inner(annotation: object) -> type[Strict] | None:
    """The model in `annotation`, be it in a tuple, a dictionary or an option."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return annotation
    return next(filter(None, map(_inner, get_args(annotation))), None)
