"""What there is to know about a dataset: layouts, the name rule, encodings, maps, splits. Data, no behaviour.

A layout names one folder for images and one for labels, relative to the root; `{split}` stands for the
split's folder. A layout without `{split}` is flat: its splits are text lists of image names (`splits/val.txt`
or `val.txt` under the root, one name a line), and `all` is every image.

`image_name` is a regular expression for an image's path relative to the image folder; `label_name` builds the
label's path from its named groups. The group `variant` names a weather setting, chosen as `val@beta_0.02`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spn.core.label_maps import LabelMap
from spn.core.label_space import LabelSpace
from spn.data.encodings import INDEX, LabelEncoding

PLAIN_PNG_OR_JPEG = r"(?P<stem>.+)\.(?:png|jpg|jpeg)"
FLAT_PNG_OR_JPEG = r"(?P<stem>[^/]+)\.(?:png|jpg|jpeg)"


@dataclass(frozen=True)
class Naming:
    """One rule from image to label under one label map.

    companions: patterns (full match) of files beside the labels that are known and not wanted.
    """

    map: LabelMap
    label_name: str
    companions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One arrangement of folders. `namings` are tried in order unless the user names a map."""

    name: str
    images: str
    labels: str
    image_name: str
    namings: tuple[Naming, ...]

    @property
    def flat(self) -> bool:
        return "{split}" not in self.images


@dataclass(frozen=True)
class DatasetDeclaration:
    """A dataset as it is found on disk.

    splits: canonical split name → names its folder may have. aliases: other words for a split.
    label_shared: images are variants of clear frames, so that images share labels and labels may be unused.
    check_root: extra check of the root folder under the chosen map; raises DatasetError.
    """

    key: str
    layouts: tuple[Layout, ...]
    label_space: LabelSpace
    splits: Mapping[str, tuple[str, ...]]
    default_split: str = "val"
    encoding: LabelEncoding = INDEX
    aliases: Mapping[str, str] = field(default_factory=dict)
    label_shared: bool = False
    check_root: Callable[[Path, LabelMap], None] | None = None

    @property
    def map_names(self) -> tuple[str, ...]:
        names = [naming.map.name for layout in self.layouts for naming in layout.namings]
        return tuple(dict.fromkeys(names))
