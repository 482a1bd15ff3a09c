"""A dataset described by a small TOML file, read into the same declaration as a built-in one.

    name = "my_city"
    images = "rgb/**/*.jpg"
    labels = "gt/**/*.png"
    [classes]
    0 = "road"
    255 = "ignore"

docs/datasets.md shows all entries.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from spn.core.errors import DatasetError
from spn.core.label_maps import LABEL_MAPS, LabelMap
from spn.core.label_space import CITYSCAPES_19, LABEL_SPACES
from spn.data.declaration import SPLITS, DatasetDeclaration, Layout, Naming
from spn.data.files import CHANNELS, INDEX, LabelEncoding

DESCRIPTION: Final = "spn_dataset.toml"
IGNORED: Final = "ignore"
_ANY_STEM: Final = r"(.+)\.[^./]+"


class _Globs(msgspec.Struct, forbid_unknown_fields=True):
    """Where the images and labels of one split lie."""

    images: str
    labels: str


class _Description(msgspec.Struct, forbid_unknown_fields=True):
    """The entries of the file."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$")] = "custom"
    title: str = ""
    group: str = "Other domains"
    images: str = ""
    labels: str = ""
    image_key: str = _ANY_STEM
    label_key: str = _ANY_STEM
    unlisted: Literal["error", "ignore"] = "error"
    label_space: str = CITYSCAPES_19.key
    channel: Literal["", "red", "green", "blue"] = ""
    map: str = ""
    classes: dict[str, str] = {}
    splits: dict[str, _Globs | str] = {}


def read_description(path: Path) -> DatasetDeclaration:
    """The declaration in the TOML file `path`. Raises DatasetError that names the file and the entry."""
    try:
        table = msgspec.toml.decode(path.read_text(encoding="utf-8-sig"), type=_Description)
        return _declaration(table, layout=path.name)
    except FileNotFoundError as error:
        raise DatasetError(
            f"custom: {path} is missing; wanted a TOML file that describes the dataset"
        ) from error
    except (OSError, ValueError, DatasetError) as error:  # msgspec's and Unicode's are ValueErrors
        raise DatasetError(f"custom: {path} cannot be used: {error}") from error


def _declaration(table: _Description, *, layout: str) -> DatasetDeclaration:
    if table.label_space not in LABEL_SPACES:
        raise DatasetError(
            f"label_space {table.label_space!r} is unknown; wanted one of {', '.join(LABEL_SPACES)}"
        )
    for name, rule in (("image_key", table.image_key), ("label_key", table.label_key)):
        try:
            groups = re.compile(rule).groups
        except re.error as error:
            raise DatasetError(f"{name} = {rule!r} is not a regular expression: {error}") from error
        if not groups:
            raise DatasetError(f"{name} = {rule!r} needs a group (…) around what image and label share")
    own = {name: globs for name, globs in table.splits.items() if isinstance(globs, _Globs)}
    folders = {name: (text,) for name, text in table.splits.items() if isinstance(text, str)}
    places = {name: (globs.images, globs.labels) for name, globs in own.items()}
    if folders or not own:
        places[""] = (table.images, table.labels)
    elif table.images or table.labels:
        raise DatasetError("give images and labels either at the top or in [splits], not in both")
    for glob in (glob for pair in places.values() for glob in pair):
        if not glob or Path(glob).is_absolute() or ".." in Path(glob).parts:
            raise DatasetError(f"images and labels must be globs below the TOML file; got {glob!r}")
    encoding, label_map = _encoding_and_map(table, layout=layout)
    naming = Naming(label_map, label_key=table.label_key)
    return DatasetDeclaration(
        table.name,
        tuple(Layout(layout, *globs, table.image_key, (naming,), split) for split, globs in places.items()),
        splits={name: folders.get(name, ()) for name in table.splits} or SPLITS,
        title=table.title,
        group=table.group,
        label_space=LABEL_SPACES[table.label_space],
        encoding=encoding,
    )


def _encoding_and_map(table: _Description, *, layout: str) -> tuple[LabelEncoding, LabelMap]:
    """How ids are stored and what they mean: a published map, or the table of classes."""
    encoding = INDEX
    if table.channel:
        encoding = LabelEncoding(table.channel, channel=CHANNELS.index(table.channel))
    if bool(table.map) == bool(table.classes):
        raise DatasetError('wanted a table [classes] with lines as 7 = "road", or the name of a map')
    if table.map:
        if table.map not in LABEL_MAPS:
            raise DatasetError(f"map {table.map!r} is unknown; wanted one of {', '.join(LABEL_MAPS)}")
        return encoding, LABEL_MAPS[table.map]
    names = LABEL_SPACES[table.label_space].names
    colours = all(re.fullmatch("#[0-9a-fA-F]{6}", stored) for stored in table.classes)
    train_ids, valid = {}, set(range(256)) if table.unlisted == "ignore" else set()
    for number, (stored, name) in enumerate(table.classes.items()):
        if not colours and not (re.fullmatch(r"\d{1,3}", stored) and int(stored) <= 255):
            raise DatasetError(
                f"[classes] id {stored!r} is not a number in 0..255 (or all are colours as #804080)"
            )
        if name not in (*names, IGNORED):
            raise DatasetError(
                f"[classes] {stored} = {name!r} is no class of {table.label_space}; wanted {IGNORED!r} or "
                f"one of {', '.join(names)}"
            )
        label_id = number if colours else int(stored)
        valid.add(label_id)
        if name != IGNORED:
            train_ids[label_id] = names.index(name)
    if colours:
        known = tuple((int(stored[1:], 16), number) for number, stored in enumerate(table.classes))
        encoding = LabelEncoding(f"colours {known}", index=False, colours=known)
    note = f"the ids listed in {layout}"
    return encoding, LabelMap(f"{table.name} [classes]", train_ids, frozenset(valid), note)
