"""Presets: TOML files that hold only what differs from the defaults of `TrainConfig`, or from another preset.

A preset that begins with `base = "NAME"` starts from that preset instead of from the defaults.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from spn.core.errors import UserError
from spn.core.files import read_text
from spn.core.records import Record, from_plain, to_plain
from spn.core.toml import parse_toml
from spn.training.config import TrainConfig

BASE_FIELD = "base"


@dataclass(frozen=True)
class PresetFile:
    """One preset as it is written. source: its name in messages. base: the preset it starts from, if any.

    description: the comment that the file begins with. differences: its fields, without `base`.
    """

    source: str
    base: str | None
    description: str
    differences: Mapping[str, Any]


@dataclass(frozen=True)
class FieldChange:
    """A field that differs from its default; both are plain values."""

    value: Any
    default: Any


def preset_names() -> tuple[str, ...]:
    """The presets that come with the package."""
    folder = resources.files("spn").joinpath("presets")
    return tuple(sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_preset(name: str, *, out: Path) -> TrainConfig:
    """The configuration of a preset of the package, or of the TOML file `name`, for the run folder `out`."""
    config = TrainConfig(out=out)
    for file in reversed(preset_lineage(name)):
        config = apply_table(config, file.differences, source=file.source)
    return config


def preset_lineage(name: str) -> tuple[PresetFile, ...]:
    """The preset `name` (of the package, or the path of a .toml file), the one it starts from, and so on."""
    lineage: list[PresetFile] = []
    seen: list[str] = []
    following: str | None = name
    while following is not None:
        if following in seen:
            raise UserError(f"presets start from each other: {' → '.join([*seen, following])}")
        seen.append(following)
        file = _read_preset(following)
        lineage.append(file)
        following = file.base
    return tuple(lineage)


def apply_table(record: Record, differences: Mapping[str, Any], *, source: str) -> Record:
    """`record` with the fields of a parsed TOML table; an unknown or wrongly typed field is an error."""
    if not isinstance(differences, Mapping):
        raise UserError(f"{source} is {differences!r}; wanted a table")
    merged = _merge(to_plain(record), differences, where=source)
    return from_plain(type(record), merged, where=source)


def changed_fields(config: TrainConfig) -> dict[str, FieldChange]:
    """What differs from the defaults, by dotted field name; the run folder does not count."""
    return dict(_changes(to_plain(config), to_plain(TrainConfig(out=config.out)), path=()))


def _read_preset(name: str) -> PresetFile:
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise UserError(f"there is no preset file {path}")
        text, source = read_text(path), name
    elif name in preset_names():
        text = resources.files("spn").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
        source = f"preset {name}"
    else:
        raise UserError(
            f"there is no preset {name!r}; there are {', '.join(preset_names())}, or the path of a .toml file"
        )
    differences = parse_toml(text, source=source)
    base = differences.pop(BASE_FIELD, None)
    if base is not None and not isinstance(base, str):
        raise UserError(f'{source}: {BASE_FIELD} is {base!r}; wanted the name of a preset, as "r50"')
    if base is not None and base.endswith(".toml"):
        base = str(Path(name).parent / base)
    return PresetFile(source, base, _leading_comment(text), differences)


def _leading_comment(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#").strip())
    return "\n".join(lines)


def _merge(base: Mapping[str, Any], differences: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Table by table, so that a preset can change one field deep inside and keep its neighbours."""
    merged = dict(base)
    for key, value in differences.items():
        if key not in base:
            near = difflib.get_close_matches(key, base, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(base)}"
            raise UserError(f"{where}: unknown field {key!r}; {hint}")
        nested = isinstance(value, Mapping) and isinstance(base[key], Mapping)
        merged[key] = _merge(base[key], value, where=f"{where}, {key}") if nested else value
    return merged


def _changes(
    values: Mapping[str, Any], defaults: Mapping[str, Any], *, path: tuple[str, ...]
) -> list[tuple[str, FieldChange]]:
    changes: list[tuple[str, FieldChange]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            changes += _changes(value, defaults[key], path=(*path, key))
        elif value != defaults[key]:
            changes.append((".".join((*path, key)), FieldChange(value, defaults[key])))
    return changes
