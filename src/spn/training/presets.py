"""Presets: TOML files that hold only what differs from the defaults of `TrainConfig`, or from another preset.

A preset that begins with `base = "NAME"` starts from that preset instead of from the defaults. Beside the
tables of TrainConfig it may have tables for parts that are chosen elsewhere: `[methods.isw]` holds for
`method.kind = "isw"`, and so do `[encoders.NAME]`, `[prompts.NAME]` and `[decoders.NAME]`.
"""

import copy
import difflib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from spn.core.errors import UserError
from spn.core.files import parse_toml, read_text
from spn.core.records import flattened, from_plain, to_plain
from spn.core.registry import Registry
from spn.methods.options import METHODS
from spn.models.decoders.options import DECODERS
from spn.models.encoders.options import ENCODERS
from spn.models.prompts.options import PROMPTS
from spn.training.config import RENAMED, TrainConfig

REGISTRIES: Final[Mapping[str, Registry]] = {
    "method": METHODS,
    "model.encoder": ENCODERS,
    "model.prompt": PROMPTS,
    "model.decoder": DECODERS,
}
"""The parts that are chosen by their kind, by the field that holds their options."""


@dataclass(frozen=True)
class PresetFile:
    """One preset as it is written. source: its name in messages. base: the preset it starts from, if any.

    description: the comment that the file begins with. differences: its fields, without `base`.
    """

    source: str
    base: str | None
    description: str
    differences: Mapping[str, Any]


def preset_names() -> tuple[str, ...]:
    """The presets that come with the package."""
    folder = resources.files("spn").joinpath("presets")
    return tuple(sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_preset(
    name: str,
    *,
    out: Path,
    kinds: Mapping[str, str] | None = None,
    tables: Iterable[tuple[str, Mapping[str, Any]]] = (),
) -> TrainConfig:
    """The configuration of a preset, as it is asked for: `spn.training.resolve` makes it the one trained.

    Args:
        name: a preset of the package, or the path of a TOML file.
        out: the run folder.
        kinds: parts to choose instead of the preset's, as `{"method": "isw"}`; keys are those of REGISTRIES.
        tables: further differences, each with its name in messages; the last ones win.

    Raises UserError for unknown presets, fields and parts, and for values of the wrong type or out of range.
    """
    files = [(file.source, file.differences) for file in reversed(preset_lineage(name))]
    plain = _assembled([*files, *tables], kinds or {})
    plain["out"] = str(out)
    return from_plain(TrainConfig, plain, where="settings")


def preset_lineage(name: str, *, above: tuple[str, ...] = ()) -> tuple[PresetFile, ...]:
    """The preset `name` (of the package, or the path of a .toml file), the one it starts from, and so on.

    above: the presets that start from it.
    """
    if name in above:
        raise UserError(f"presets start from each other: {' → '.join([*above, name])}")
    if name in preset_names():
        text = resources.files("spn").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
        source = f"preset {name}"
    elif name.endswith(".toml") and Path(name).is_file():
        text, source = read_text(Path(name)), name
    else:
        raise UserError(
            f"there is no preset {name!r}; there are {', '.join(preset_names())}, or the path of a .toml file"
        )
    differences = parse_toml(text, source=source)
    base = differences.pop("base", None)
    comment = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    description = "\n".join(line.lstrip("#").strip() for line in comment)
    file = PresetFile(source, base, description, differences)
    if base is None:
        return (file,)
    if not isinstance(base, str):
        raise UserError(f'{source}: base is {base!r}; wanted the name of a preset, as "r50"')
    following = str(Path(name).parent / base) if base.endswith(".toml") else base
    return file, *preset_lineage(following, above=(*above, name))


def changed_fields(config: TrainConfig) -> dict[str, dict[str, Any]]:
    """Value and default of what differs from the defaults of the same parts, by dotted name, but `out`."""
    plain = to_plain(config)
    kinds = {path: _at(plain, path)["kind"] for path in REGISTRIES}
    values, defaults = flattened(plain), flattened(_assembled([], kinds)) | {"out": plain["out"]}
    return {
        name: {"value": value, "default": defaults[name]}
        for name, value in values.items()
        if value != defaults[name]
    }


def _assembled(tables: Sequence[tuple[str, Mapping[str, Any]]], kinds: Mapping[str, str]) -> dict[str, Any]:
    """The defaults of the chosen parts (by `kinds`, else by the last table that names one), then the tables.

    A table may set fields of a part that a later one replaces: those which the later kind has stay.
    """
    plain: dict[str, Any] = to_plain(TrainConfig(out=Path()))
    chosen = [{path: str(_at(plain, path)["kind"]) for path in REGISTRIES}]
    for _, table in tables:
        chosen.append({path: _at(table, path).get("kind", kind) for path, kind in chosen[-1].items()})
    final = {**chosen[-1], **kinds}
    for path, kind in final.items():
        _at(plain, path).clear()
        _at(plain, path).update(to_plain(REGISTRIES[path].entry(kind).options()))
    for (source, table), meant in zip(tables, chosen[1:], strict=True):
        own = copy.deepcopy({**table})
        for path, registry in REGISTRIES.items():
            part, options = _at(own, path), _at(plain, path)
            part.pop("kind", None)
            if meant[path] != final[path]:  # a ResNet's name is no vision transformer's
                replaced = registry.entry(meant[path]).options.__dataclass_fields__
                for field in {"name", *replaced.keys() - options.keys()}:
                    part.pop(field, None)
            room = f"{registry.kind}s"
            for kind, fields in own.pop(room, {}).items():
                where = f"{source}, {room}.{kind}"
                from_plain(registry.entry(kind).options, {"kind": kind, **fields}, where=where)
                if kind == final[path]:
                    _merge(options, fields, where=where)
        _merge(plain, own, where=source)
    return plain


def _at(table: Mapping[str, Any], path: str) -> Any:
    """The table at a dotted path; an empty one where there is none."""
    for part in path.split("."):
        table = table.get(part, {}) if isinstance(table, Mapping) else {}
    return table if isinstance(table, Mapping) else {}


def _merge(base: dict[str, Any], differences: Mapping[str, Any], *, where: str, path: str = "") -> None:
    """Table by table, in place, so that a preset can change one field deep inside and keep its neighbours."""
    for key, value in differences.items():
        name = f"{path}{key}"
        if key not in base:
            near = difflib.get_close_matches(key, base, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(base)}"
            hint = f"it is called {RENAMED[name]} now" if name in RENAMED else hint
            place = ", ".join((where, *path.split(".")[:-1]))
            raise UserError(f"{place}: unknown field {key!r}; {hint}")
        if (old := f"{name} {value}") in RENAMED:
            raise UserError(f"{where}: {old} is called {RENAMED[old]} now")
        if isinstance(value, Mapping) and isinstance(base[key], dict):
            _merge(base[key], value, where=where, path=f"{name}.")
        else:
            base[key] = value
