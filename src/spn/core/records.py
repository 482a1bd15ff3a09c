"""Frozen dataclasses to plain JSON values and back, strictly: what a run or checkpoint stores of its config.

msgspec converts and checks the values of fields (types, and ranges given as `Annotated[float, Meta(ge=0)]`).
Ours are what it lacks for dataclasses: unknown fields are errors, a place is named in every message, and a
field of registered options (spn.core.registry) is read by its `kind`.
"""

import dataclasses
import functools
import math
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from spn.core.errors import UserError
from spn.core.registry import Options

Record = TypeVar("Record")


def to_plain(value: Any) -> Any:
    """`value` (a dataclass, or anything a field may hold) as dicts, tuples, strings, numbers and None."""
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping | Path):
        return dict(value) if isinstance(value, Mapping) else str(value)
    raise TypeError(f"cannot store a {type(value).__name__}; wanted a dataclass or a plain value")


def from_plain(record: type[Record], value: Any, *, where: str = "") -> Record:
    """An instance of the dataclass `record` from what `to_plain` gave.

    Fields that are not in `value` keep their defaults. `where` names the place in messages. Raises UserError
    for unknown or missing fields, for values of the wrong type or out of range.
    """
    place = where or getattr(record, "__name__", str(record))
    if not isinstance(value, Mapping):
        raise UserError(f"{place}: got {value!r} ({type(value).__name__}), wanted a table of fields")
    if isinstance(record, type) and issubclass(record, Options) and not dataclasses.is_dataclass(record):
        try:
            record = record.registry.entry(str(value.get("kind"))).options
        except UserError as error:
            raise UserError(f"{place}: {error}") from error
    hints = typing.get_type_hints(record, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(record) if field.init}  # type: ignore[arg-type]
    if unknown := sorted(set(value) - set(fields)):
        raise UserError(
            f"{place}: unknown field {', '.join(map(repr, unknown))}; there are {', '.join(fields)}. "
            "Was it written by another version?"
        )
    missing = [
        name
        for name, field in fields.items()
        if name not in value and field.default is field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UserError(f"{place}: the field {', '.join(map(repr, missing))} is missing")
    return record(**{name: _decoded(hints[name], item, f"{place}.{name}") for name, item in value.items()})


def flattened(plain: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, by dotted names; an empty table leaves nothing."""
    flat: dict[str, Any] = {}
    for name, value in plain.items():
        nested = isinstance(value, Mapping)
        flat |= flattened(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return flat


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as nested tables: what `flattened` was given."""
    plain: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        functools.reduce(lambda table, key: table.setdefault(key, {}), path, plain)[last] = value
    return plain


def checked(record: Record, *, where: str = "") -> Record:
    """`record` again, after checking every value's type and range. Raises UserError as `from_plain`."""
    return from_plain(type(record), to_plain(record), where=where)


def _decoded(hint: Any, value: Any, place: str) -> Any:
    plain = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
    kind = typing.get_origin(plain) or plain
    if isinstance(kind, type) and (dataclasses.is_dataclass(kind) or issubclass(kind, Options)):
        return from_plain(kind, value, where=place)
    if isinstance(kind, type) and issubclass(kind, Mapping):
        _, item_kind = typing.get_args(plain)
        if dataclasses.is_dataclass(item_kind) and isinstance(item_kind, type):
            return {str(k): from_plain(item_kind, item, where=f"{place}.{k}") for k, item in value.items()}
    if kind is tuple and isinstance(value, list | tuple):
        item_kind, *_ = typing.get_args(plain)
        if dataclasses.is_dataclass(item_kind) and isinstance(item_kind, type):  # msgspec forgets defaults
            items = enumerate(value)
            return tuple(from_plain(item_kind, item, where=f"{place}[{index}]") for index, item in items)
    try:
        decoded = msgspec.convert(value, hint, dec_hook=_path)
    except msgspec.ValidationError as error:
        message, _, inside = str(error).partition(" - at `$")
        place, got = f"{place}{inside.rstrip('`')}", f"{value!r} ({type(value).__name__})"
        raise UserError(f"{place}: got {got}; {message[:1].lower()}{message[1:]}") from error
    if not _is_finite(decoded):
        raise UserError(f"{place}: got {decoded!r}; expected a finite number")
    return decoded


def _is_finite(value: Any) -> bool:
    """Whether a number is, and every number in a list or table."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _path(kind: type[Any], value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise msgspec.ValidationError(f"Expected `{kind.__name__}`, got `{type(value).__name__}`")
