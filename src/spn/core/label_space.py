"""A label space: the classes one domain is evaluated on, as groups of the 19 train ids.

Cityscapes and most targets evaluate the 19 classes themselves. CamVid has 11 coarser ones; a 19-class
model is scored on it by adding the probabilities within each group before the argmax.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from spn.core.classes import CLASS_NAMES, CLASSES, NUM_CLASSES


@dataclass(frozen=True)
class LabelSpace:
    """`groups[i]` lists the train ids that make up evaluated class i, called `names[i]`."""

    key: str
    names: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    colours: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        if not (len(self.names) == len(self.groups) == len(self.colours)):
            raise ValueError(
                f"label space {self.key!r}: {len(self.names)} names, {len(self.groups)} groups and "
                f"{len(self.colours)} colours; wanted one of each per class"
            )
        members = [train_id for group in self.groups for train_id in group]
        if len(members) != len(set(members)) or not all(0 <= m < NUM_CLASSES for m in members):
            raise ValueError(
                f"label space {self.key!r}: groups must be disjoint sets of 0..{NUM_CLASSES - 1}"
            )

    def __len__(self) -> int:
        return len(self.names)


CITYSCAPES_19 = LabelSpace(
    key="cityscapes19",
    names=CLASS_NAMES,
    groups=tuple((info.train_id,) for info in CLASSES),
    colours=tuple(info.colour for info in CLASSES),
)

CAMVID_11 = LabelSpace(
    key="camvid11",
    names=(
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian",
        "bicyclist",
    ),
    groups=((10,), (2,), (5,), (0,), (1,), (8, 9), (6, 7), (3, 4), (13, 14, 15, 16), (11,), (12, 17, 18)),
    colours=(
        (70, 130, 180), (70, 70, 70), (153, 153, 153), (128, 64, 128), (244, 35, 232), (107, 142, 35),
        (220, 220, 0), (190, 153, 153), (0, 0, 142), (220, 20, 60), (119, 11, 32),
    ),
)  # fmt: skip

LABEL_SPACES: Final[Mapping[str, LabelSpace]] = MappingProxyType(
    {space.key: space for space in (CITYSCAPES_19, CAMVID_11)}
)
