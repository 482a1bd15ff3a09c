"""Frozen dataclasses to plain JSON values and back, strictly: what a run or checkpoint stores of its config.

Supported field types: bool, int, float, str, None, Path, Literal, tuples, lists, mappings by string, nested
dataclasses and unions of these.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from spn.core.errors import UserError

Record = TypeVar("Record")


class RecordError(UserError):
    """A stored value that does not fit the dataclass it is read into."""


def to_plain(value: Any) -> Any:
    """`value` (a dataclass, or anything a field may hold) as dicts, lists, strings, numbers and None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"cannot store a {type(value).__name__}; wanted a dataclass or a plain value")


def from_plain(record: type[Record], value: Any, *, where: str = "") -> Record:
    """An instance of the dataclass `record` from what `to_plain` gave.

    Fields that are not in `value` keep their defaults. `where` names the place in messages.
    Raises RecordError for unknown or missing fields and for values of the wrong type.
    """
    place = where or record.__name__
    if not isinstance(value, Mapping):
        raise RecordError(f"{place}: got {_described(value)}, wanted a table of fields")
    hints = typing.get_type_hints(record)
    fields = {field.name: field for field in dataclasses.fields(record) if field.init}  # type: ignore[arg-type]
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise RecordError(
            f"{place}: unknown field {', '.join(map(repr, unknown))}; there are {', '.join(fields)}. "
            "Was it written by another version?"
        )
    required = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    missing = [name for name in required if name not in value]
    if missing:
        raise RecordError(f"{place}: the field {', '.join(map(repr, missing))} is missing")
    return record(**{name: _decoded(hints[name], item, f"{place}.{name}") for name, item in value.items()})


def _decoded(hint: Any, value: Any, place: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _decoded_union(arguments, value, place)
    if origin is typing.Literal:
        if value not in arguments:
            raise RecordError(f"{place}: got {value!r}, wanted one of {', '.join(map(repr, arguments))}")
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_plain(hint, value, where=place)
    if origin in (tuple, list, Sequence) or hint in (tuple, list):
        return _decoded_sequence(origin or hint, arguments, value, place)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise RecordError(f"{place}: got {_described(value)}, wanted a table")
        return {key: _decoded(arguments[1], item, f"{place}.{key}") for key, item in value.items()}
    return _decoded_plain(hint, value, place)


def _decoded_union(members: tuple[Any, ...], value: Any, place: str) -> Any:
    if value is None and type(None) in members:
        return None
    problems = []
    for member in members:
        if member is type(None):
            continue
        try:
            return _decoded(member, value, place)
        except RecordError as error:
            problems.append(str(error))
    raise RecordError(problems[0])


def _decoded_sequence(kind: Any, arguments: tuple[Any, ...], value: Any, place: str) -> Any:
    if not isinstance(value, list | tuple):
        raise RecordError(f"{place}: got {_described(value)}, wanted a list")
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        if len(value) != len(arguments):
            raise RecordError(f"{place}: got {len(value)} values, wanted {len(arguments)}")
        hints: Sequence[Any] = arguments
    else:
        hints = [arguments[0] if arguments else Any] * len(value)
    items = [
        _decoded(hint, item, f"{place}[{index}]")
        for index, (hint, item) in enumerate(zip(hints, value, strict=True))
    ]
    return items if kind is list else tuple(items)


def _decoded_plain(hint: Any, value: Any, place: str) -> Any:
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, bool):
        raise RecordError(f"{place}: got {value!r}, wanted int")
    if isinstance(hint, type) and isinstance(value, hint):
        return value
    raise RecordError(f"{place}: got {_described(value)}, wanted {getattr(hint, '__name__', hint)}")


def _described(value: Any) -> str:
    return f"{value!r} ({type(value).__name__})"
