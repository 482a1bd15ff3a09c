"""Presets: TOML files that hold only what differs from the defaults of `TrainConfig`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from spn.core.errors import UserError
from spn.core.records import from_plain, to_plain
from spn.training.config import TrainConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def preset_names() -> tuple[str, ...]:
    """The presets that come with the package."""
    folder = resources.files("spn").joinpath("presets")
    return tuple(sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_preset(name: str, *, out: Path) -> TrainConfig:
    """The configuration of a preset of the package, or of the TOML file `name`, for the run folder `out`."""
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise UserError(f"there is no preset file {path}")
        return apply_differences(TrainConfig(out=out), path.read_text(encoding="utf-8"), source=name)
    if name not in preset_names():
        raise UserError(
            f"there is no preset {name!r}; there are {', '.join(preset_names())}, or the path of a .toml file"
        )
    text = resources.files("spn").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
    return apply_differences(TrainConfig(out=out), text, source=f"preset {name}")


def apply_differences(config: TrainConfig, text: str, *, source: str) -> TrainConfig:
    """`config` with the fields that the TOML `text` names; an unknown or wrongly typed field is an error."""
    try:
        differences = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{source}: not valid TOML ({error})") from error
    merged = _merge(to_plain(config), differences, where=source)
    return from_plain(TrainConfig, merged, where=source)


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
