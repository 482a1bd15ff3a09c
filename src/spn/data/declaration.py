"""What there is to know about a dataset, in a TOML file: layouts, maps, splits, encoding.

The built-in datasets are files in `declarations`, one's own lies beside the data; docs/datasets.md shows all
entries. A layout names where images and labels lie, relative to the root: a folder (then every PNG and JPEG
below it), or a glob such as `rgb/*/{split}/*_rgb.png`. `{split}` stands for the split's folder. A layout
without `{split}` that is not of one split is flat: its splits are text lists of image names, one a line
(`splits/val.txt` or `val.txt` under the root, unless `lists` names others), and `all` is every image.

`image_key` and `label_key` are regular expressions for paths relative to the fixed part of the layout's
place: an image and a label whose groups are equal belong together. The group `variant` names a setting
(weather, time of day), chosen as `val@beta_0.02`; where only the image has one, its variants share the label.

`[classes]` may name the classes of a published label space, or anything: then these are the dataset's own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from spn.core.classes import CITYSCAPES_19, LABEL_SPACES, LabelSpace
from spn.core.errors import DatasetError
from spn.core.label_maps import LABEL_MAPS, LabelMap
from spn.data.class_table import ClassTable, known_entry
from spn.data.expectations import Expectation
from spn.data.files import CHANNELS, ENCODINGS, INDEX, LabelEncoding
from spn.data.mapping import ClassMapping, read_mapping

VARIANT: Final = "variant"
ALL: Final = "all"
SPLITS: Final = {"train": ("train",), "val": ("val",), "test": ("test",)}
"""Where nothing else is said: each split in the folder of its name."""
DESCRIPTION: Final = "spn_dataset.toml"
CUSTOM: Final = "custom"
_ANY_STEM: Final = r"(.+)\.[^./]+"


@dataclass(frozen=True)
class Layout:
    """One arrangement of folders under one label map. split: the one split that lies here; "" for any."""

    images: str
    labels: str
    image_key: str
    label_key: str
    map: LabelMap
    split: str = ""

    @property
    def name(self) -> str:
        return "a place for each split" if self.split else f"{self.images} + {self.labels}"

    @property
    def flat(self) -> bool:
        return not self.split and "{split}" not in self.images


@dataclass(frozen=True)
class DatasetDeclaration:
    """A dataset as it is found on disk, and what it is called in tables.

    layouts: tried in the order of their maps, unless the user names a map. splits: canonical split name →
    names its folder may have, which a user may say too. lists: where text lists of a flat layout's splits may
    lie. title, group: its name in tables, and the section that it stands in. configurations: by the name of a
    map, files of the dataset's own that name its ids. mappings: from or to other classes. other_package:
    globs that show another download of the same name. other_package_trap: its name in `spn.data.traps`.
    expect: what its labels look like.
    """

    key: str
    layouts: tuple[Layout, ...]
    splits: Mapping[str, tuple[str, ...]]
    lists: tuple[str, ...]
    title: str
    group: str
    label_space: LabelSpace
    encoding: LabelEncoding
    mappings: tuple[ClassMapping, ...]
    configurations: Mapping[str, tuple[str, ...]]
    other_package: tuple[str, ...]
    other_package_trap: str
    expect: Expectation

    def __post_init__(self) -> None:
        if unknown := self.expect.unknown(self.label_space.names):
            names = ", ".join(self.label_space.names)
            raise DatasetError(f"[expect] names {', '.join(unknown)}; wanted classes of {names}")


class SplitRequest(NamedTuple):
    """One part of a split argument: `val`, or `val@beta_0.02` for one setting (weather, time of day)."""

    name: str
    variant: str | None

    def __str__(self) -> str:
        return self.name if self.variant is None else f"{self.name}@{self.variant}"

    def takes(self, variant: str | None) -> bool:
        """Whether an image of this variant is wanted: every word of the request stands in it, in a row."""
        return self.variant is None or (variant is not None and f"_{self.variant}_" in f"_{variant}_")


def parse_split(declaration: DatasetDeclaration, text: str) -> tuple[SplitRequest, ...]:
    """Read `train+val@beta_0.02`. Raises DatasetError for unknown, repeated or empty parts."""
    requests, splits = [], declaration.splits
    names = {word: name for name, folders in splits.items() for word in folders} | {
        n: n for n in (*splits, ALL)
    }
    for part in text.split("+"):
        word, mark, variant = part.strip().partition("@")
        if word not in names:
            raise DatasetError(
                f"{declaration.key} has no split {word!r} (in {text!r}); wanted one of {', '.join(names)}, "
                "or several joined by +"
            )
        if mark and not variant:
            raise DatasetError(f"nothing after @ in split {part!r}; wanted for example val@beta_0.02")
        requests.append(SplitRequest(names[word], variant if mark else None))
    if len(set(requests)) != len(requests):
        raise DatasetError(f"split {text!r} names a part twice")
    return tuple(requests)


Several = str | tuple[str, ...]
"""One text, or a list of alternatives."""


class _Place(msgspec.Struct, forbid_unknown_fields=True):
    """Where images and labels lie and how they are named; lists are tried in every combination."""

    images: Several = ""
    labels: Several = ""
    image_key: Several = ""
    label_key: Several = ""
    map: Several = ""


class _Description(ClassTable, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$")] = CUSTOM
    title: str = ""
    group: str = "Other domains"
    images: Several = ""
    labels: Several = ""
    image_key: Several = _ANY_STEM
    label_key: Several = _ANY_STEM
    map: Several = ""
    encoding: str = INDEX.form
    channel: Literal["", "red", "green", "blue"] = ""
    mappings: tuple[str, ...] = ()
    splits: dict[str, Several | _Place] = msgspec.field(default_factory=dict)
    lists: tuple[str, ...] = ("splits/{split}.txt", "{split}.txt")
    layouts: tuple[_Place, ...] = ()
    configurations: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    other_package: tuple[str, ...] = ()
    other_package_trap: str = ""
    expect: Expectation = Expectation()


def read_declaration(path: Path) -> DatasetDeclaration:
    """The declaration in the TOML file `path`. Raises DatasetError that names the file and the entry."""
    try:
        table = msgspec.toml.decode(path.read_text(encoding="utf-8-sig"), type=_Description)
        return _declaration(table, path.parent)
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing; wanted a TOML file that describes the dataset") from error
    except (OSError, ValueError, DatasetError) as error:  # msgspec's and Unicode's are ValueErrors
        raise DatasetError(f"{path} cannot be used: {error}") from error


def _declaration(table: _Description, folder: Path) -> DatasetDeclaration:
    own = {name: place for name, place in table.splits.items() if isinstance(place, _Place)}
    folders = {name: _several(text) for name, text in table.splits.items() if not isinstance(text, _Place)}
    if own and (table.images or table.labels or table.layouts):
        raise DatasetError("give images and labels either at the top or in [splits], not in both")
    places = [*own.items(), *(("", place) for place in table.layouts)]
    if not table.layouts and (folders or not own):
        places.append(("", _Place()))
    encoding, label_space, label_maps = _meaning(table)
    return DatasetDeclaration(
        key=table.name,
        layouts=tuple(
            layout for split, place in places for layout in _layouts(place, table, split, label_maps)
        ),
        splits={name: folders.get(name, ()) for name in table.splits} or SPLITS,
        lists=table.lists,
        title=table.title,
        group=table.group,
        label_space=label_space,
        encoding=encoding,
        mappings=tuple(read_mapping(folder / name) for name in table.mappings),
        configurations=table.configurations,
        other_package=table.other_package,
        other_package_trap=table.other_package_trap,
        expect=table.expect,
    )


def _several(text: Several) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text


def _layouts(
    place: _Place, table: _Description, split: str, label_maps: Mapping[str, LabelMap]
) -> list[Layout]:
    """Every combination of what `place` names or, where it names nothing, the top of the file."""
    images, labels, image_keys, label_keys, maps = (
        _several(getattr(place, name) or getattr(table, name))
        for name in ("images", "labels", "image_key", "label_key", "map")
    )
    for glob in (*images, *labels):
        if not glob or Path(glob).is_absolute() or ".." in Path(glob).parts:
            raise DatasetError(f"images and labels must be globs below the TOML file; got {glob!r}")
    _check_rules("image_key", image_keys)
    _check_rules("label_key", label_keys)
    known = [label_maps[known_entry("map", name, label_maps)] for name in maps]
    return [Layout(*choice, split) for choice in product(images, labels, image_keys, label_keys, known)]


def _check_rules(name: str, rules: tuple[str, ...]) -> None:
    for rule in rules:
        try:
            groups = re.compile(rule).groups
        except re.error as error:
            raise DatasetError(f"{name} = {rule!r} is not a regular expression: {error}") from error
        if not groups:
            raise DatasetError(f"{name} = {rule!r} needs a group (…) around what image and label share")


def _meaning(table: _Description) -> tuple[LabelEncoding, LabelSpace, Mapping[str, LabelMap]]:
    """How ids are stored, the classes, and the ids of each: published maps by name, or [classes] under ""."""
    encoding = ENCODINGS[known_entry("encoding", table.encoding, ENCODINGS)]
    if table.channel:
        encoding = LabelEncoding(table.channel, channel=CHANNELS.index(table.channel))
    if bool(table.map or any(place.map for place in table.layouts)) == bool(table.classes):
        raise DatasetError('wanted a table [classes] with lines as 7 = "road", or the name of a map')
    if table.classes:
        coloured, space, label_map = table.read(table.name)
        return coloured or encoding, space, {"": label_map}
    key = known_entry("label_space", table.label_space or CITYSCAPES_19.key, LABEL_SPACES)
    return encoding, LABEL_SPACES[key], LABEL_MAPS
