"""What there is to know about a dataset, in Python or in a TOML file: layouts, maps, splits, encoding.

A layout names where images and labels lie, relative to the root: a folder (then every PNG and JPEG below it),
or a glob such as `rgb/*/{split}/*_rgb.png`. `{split}` stands for the split's folder. A layout without
`{split}` that is not of one split is flat: its splits are text lists of image names (`splits/val.txt` or
`val.txt` under the root, one name a line), and `all` is every image.

`image_key` and `label_key` are regular expressions for paths relative to the fixed part of the layout's
place: an image and a label whose groups are equal belong together. The group `variant` names a setting
(weather, time of day), chosen as `val@beta_0.02`; where only the image has one, its variants share the label.

The TOML file lies beside the data; docs/datasets.md shows all its entries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from spn.core.classes import CITYSCAPES_19, LABEL_SPACES, LabelSpace
from spn.core.errors import DatasetError
from spn.core.label_maps import LABEL_MAPS, LabelMap
from spn.data.files import CHANNELS, INDEX, LabelEncoding
from spn.data.traps import Problem

PNG_OR_JPEG: Final = r"(.+)\.(?:png|jpg|jpeg)"
FLAT_PNG_OR_JPEG: Final = r"([^/]+)\.(?:png|jpg|jpeg)"
PNG: Final = r"(.+)\.png"
VARIANT: Final = "variant"
ALL: Final = "all"
SPLITS: Final = {"train": ("train",), "val": ("val",), "test": ("test",)}
"""Where nothing else is said: each split in the folder of its name."""
DESCRIPTION: Final = "spn_dataset.toml"
IGNORED: Final = "ignore"
_ANY_STEM: Final = r"(.+)\.[^./]+"


@dataclass(frozen=True)
class Layout:
    """One arrangement of folders under one label map. split: the one split that lies here; "" for any."""

    name: str
    images: str
    labels: str
    image_key: str
    map: LabelMap
    label_key: str
    split: str = ""

    @property
    def flat(self) -> bool:
        return not self.split and "{split}" not in self.images


@dataclass(frozen=True)
class DatasetDeclaration:
    """A dataset as it is found on disk, and what it is called in tables.

    layouts: tried in the order of their maps, unless the user names a map. splits: canonical split name →
    names its folder may have, which a user may say too. title, group: its name in tables, and the section
    that it stands in. check_root: what contradicts the chosen map in the root folder. other_package: globs
    that show another download of the same name. other_package_trap: its name in `spn.data.traps`.
    """

    key: str
    layouts: tuple[Layout, ...]
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: SPLITS)
    title: str = ""
    group: str = "Other domains"
    label_space: LabelSpace = CITYSCAPES_19
    encoding: LabelEncoding = INDEX
    check_root: Callable[[Path, LabelMap], Problem | None] = lambda root, label_map: None
    other_package: tuple[str, ...] = ()
    other_package_trap: str = ""


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


class _Globs(msgspec.Struct, forbid_unknown_fields=True):
    images: str
    labels: str


class _Description(msgspec.Struct, forbid_unknown_fields=True):
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


def _known(entry: str, value: str, known: Collection[str]) -> str:
    if value not in known:
        raise DatasetError(f"{entry} {value!r} is unknown; wanted one of {', '.join(known)}")
    return value


def _declaration(table: _Description, *, layout: str) -> DatasetDeclaration:
    _known("label_space", table.label_space, LABEL_SPACES)
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
    return DatasetDeclaration(
        table.name,
        tuple(
            Layout(layout, images, labels, table.image_key, label_map, table.label_key, split)
            for split, (images, labels) in places.items()
        ),
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
        return encoding, LABEL_MAPS[_known("map", table.map, LABEL_MAPS)]
    names = LABEL_SPACES[table.label_space].names
    wrong = [stored for stored in table.classes if not re.fullmatch(r"\d{1,3}", stored) or int(stored) > 255]
    if all(re.fullmatch("#[0-9a-fA-F]{6}", stored) for stored in table.classes):
        colours = tuple((int(stored[1:], 16), number) for number, stored in enumerate(table.classes))
        encoding = LabelEncoding(f"colours {colours}", index=False, colours=colours)
        ids = dict(enumerate(table.classes.values()))
    elif wrong:
        raise DatasetError(
            f"[classes] id {wrong[0]!r} is not a number in 0..255 (or all are colours as #804080)"
        )
    else:
        ids = {int(stored): name for stored, name in table.classes.items()}
    for name in ids.values():
        _known(f"[classes] {table.label_space} class", name, (*names, IGNORED))
    train_ids = {label_id: names.index(name) for label_id, name in ids.items() if name != IGNORED}
    valid = frozenset(range(256) if table.unlisted == "ignore" else ids)
    return encoding, LabelMap(f"{table.name} [classes]", train_ids, valid, f"the ids listed in {layout}")
