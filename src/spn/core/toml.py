"""TOML: files that people wrote are read, and plain values written with comments (tomllib only reads).

TOML has no null: a field that is None is written as a comment, and reads back as not given.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from spn.core.errors import UserError


def parse_toml(text: str, *, source: object, error_class: type[UserError] = UserError) -> dict[str, Any]:
    """The values in `text`. Raises `error_class`, which names `source`, for what is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise error_class(f"{source}: not valid TOML ({error})") from error


def to_toml(table: Mapping[str, Any], *, comments: Mapping[str, str] | None = None) -> str:
    """`table` (nested mappings of plain values, as `to_plain` gives) as TOML.

    comments: text by dotted field name, written at the end of the field's line.
    Raises TypeError for what TOML cannot hold.
    """
    return "\n".join(_lines(table, comments=comments or {}, path=())).strip("\n") + "\n"


def _lines(table: Mapping[str, Any], *, comments: Mapping[str, str], path: tuple[str, ...]) -> list[str]:
    """The table's own fields, then its tables: in TOML a field after a table would belong to that table."""
    lines = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            continue
        line = f"# {key} is not set" if value is None else f"{key} = {_literal(value)}"
        comment = comments.get(".".join((*path, key)))
        lines.append(f"{line}  # {comment}" if comment else line)
    for key, value in table.items():
        if isinstance(value, Mapping):
            below = (*path, key)
            lines += ["", f"[{'.'.join(below)}]", *_lines(value, comments=comments, path=below)]
    return lines


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # a JSON string is a TOML basic string
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, Mapping):  # inside a list
        return f"{{{', '.join(f'{key} = {_literal(item)}' for key, item in value.items())}}}"
    raise TypeError(f"cannot write {value!r} ({type(value).__name__}) as TOML")
