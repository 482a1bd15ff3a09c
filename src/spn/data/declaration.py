"""What there is to know about a dataset: layouts, the rule from image to label, maps, splits, encoding.

A layout names where images and labels lie, relative to the root: a folder (then every PNG and JPEG below it),
or a glob such as `rgb/*/{split}/*_rgb.png`. `{split}` stands for the split's folder. A layout without
`{split}` that is not of one split is flat: its splits are text lists of image names (`splits/val.txt` or
`val.txt` under the root, one name a line), and `all` is every image.

`image_name` is a regular expression for an image's path relative to the fixed part of the layout's place. The
group `variant` in it names a setting (weather, time of day), chosen as `val@beta_0.02`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from spn.core.errors import DatasetError
from spn.core.label_maps import LabelMap
from spn.core.label_space import CITYSCAPES_19, LabelSpace
from spn.data.files import INDEX, LabelEncoding
from spn.data.traps import Problem

PLAIN_PNG_OR_JPEG: Final = r"(?P<stem>.+)\.(?:png|jpg|jpeg)"
FLAT_PNG_OR_JPEG: Final = r"(?P<stem>[^/]+)\.(?:png|jpg|jpeg)"
VARIANT: Final = "variant"
ALL: Final = "all"
SPLITS: Final = MappingProxyType({"train": ("train",), "val": ("val",), "test": ("test",)})
"""Where nothing else is said: each split in the folder of its name."""


@dataclass(frozen=True)
class Naming:
    """One rule from image to label under one label map.

    label_name: the label's path, built from the named groups of the image's: `{city}/{frame}_labelIds.png`.
    Or label_key: a regular expression whose groups are what an image's path and its label's have in common
    (all but the image's `variant`, unless the label has one too). companions: patterns (full match) of files
    beside the labels that are known and not wanted.
    """

    map: LabelMap
    label_name: str = ""
    label_key: str = ""
    companions: tuple[str, ...] = ()

    def wanted(self, image: re.Match[str]) -> str:
        """What identifies the label of an image: its path, or its key."""
        if self.label_name:
            return self.label_name.format(**image.groupdict())
        return _key(image, without="" if VARIANT in re.compile(self.label_key).groupindex else VARIANT)

    def identify(self, label: str) -> str | None:
        """What identifies the label at this path; None if it is not named by the rule."""
        if self.label_name:
            return label
        match = re.fullmatch(self.label_key, label)
        return None if match is None else _key(match)

    def is_label(self, path: str) -> bool:
        """Whether a file beside the labels ought to belong to an image."""
        suffix = self.label_name.rpartition("}")[2]
        known = any(re.fullmatch(rule, path) for rule in self.companions)
        return path.endswith(suffix) and not known and self.identify(path) is not None

    def pair_key(self, image: re.Match[str]) -> str:
        """The key of an image's pair within its split: its path without the suffix, or its groups."""
        return image.string.rpartition(".")[0] if self.label_name else _key(image)


@dataclass(frozen=True)
class Layout:
    """One arrangement of folders. `namings` are tried in order unless the user names a map.

    split: the one split that lies here; "" for any.
    """

    name: str
    images: str
    labels: str
    image_name: str
    namings: tuple[Naming, ...]
    split: str = ""

    @property
    def flat(self) -> bool:
        return not self.split and "{split}" not in self.images


@dataclass(frozen=True)
class DatasetDeclaration:
    """A dataset as it is found on disk, and what it is called in tables.

    splits: canonical split name → names its folder may have. aliases: other words for a split. title, group:
    its name in tables, and the section that it stands in. label_shared: images are variants of clear frames,
    so that images share labels and labels may be unused. check_root: what contradicts the chosen map in the
    root folder. other_package: globs that show another download of the same name, and the trap that it is.
    """

    key: str
    layouts: tuple[Layout, ...]
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: SPLITS)
    title: str = ""
    group: str = "Other domains"
    label_space: LabelSpace = CITYSCAPES_19
    encoding: LabelEncoding = INDEX
    aliases: Mapping[str, str] = field(default_factory=dict)
    label_shared: bool = False
    check_root: Callable[[Path, LabelMap], Problem | None] | None = None
    other_package: tuple[str, ...] = ()
    other_package_trap: str = "layout"


def _key(match: re.Match[str], *, without: str = "") -> str:
    """The groups of a match in order, joined by slashes."""
    left_out = match.re.groupindex.get(without, 0)
    groups = (match[number] for number in range(1, match.re.groups + 1) if number != left_out)
    return "/".join(group for group in groups if group is not None)


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
    requests = []
    for part in text.split("+"):
        word, mark, variant = part.strip().partition("@")
        name = declaration.aliases.get(word, word)
        if name != ALL and name not in declaration.splits:
            known = ", ".join([*declaration.splits, *declaration.aliases, ALL])
            raise DatasetError(
                f"{declaration.key} has no split {word!r} (in {text!r}); wanted one of {known}, "
                "or several joined by +"
            )
        if mark and not variant:
            raise DatasetError(f"nothing after @ in split {part!r}; wanted for example val@beta_0.02")
        requests.append(SplitRequest(name, variant if mark else None))
    if len(set(requests)) != len(requests):
        raise DatasetError(f"split {text!r} names a part twice")
    return tuple(requests)
