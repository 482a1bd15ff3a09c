"""The 19 evaluation classes of Cityscapes, and label spaces: these, other published ones, and one's own.

Source: Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016,
and its public label table. `train_id` counts the evaluated classes 0..18; `label_id` is the id stored
in `*_labelIds.png` files (and in GTAV's palette index); 255 marks pixels that are not evaluated.
"""

import colorsys
import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from spn.core.errors import UserError

IGNORE: Final = 255
"""The train id of a pixel that takes part in neither loss nor metric."""

Byte = Annotated[int, Meta(ge=0, le=255)]
Colour = tuple[Byte, Byte, Byte]


class ClassInfo(NamedTuple):
    train_id: int
    label_id: int
    name: str
    colour: Colour


CLASSES: Final[tuple[ClassInfo, ...]] = (
    ClassInfo(0, 7, "road", (128, 64, 128)),
    ClassInfo(1, 8, "sidewalk", (244, 35, 232)),
    ClassInfo(2, 11, "building", (70, 70, 70)),
    ClassInfo(3, 12, "wall", (102, 102, 156)),
    ClassInfo(4, 13, "fence", (190, 153, 153)),
    ClassInfo(5, 17, "pole", (153, 153, 153)),
    ClassInfo(6, 19, "traffic light", (250, 170, 30)),
    ClassInfo(7, 20, "traffic sign", (220, 220, 0)),
    ClassInfo(8, 21, "vegetation", (107, 142, 35)),
    ClassInfo(9, 22, "terrain", (152, 251, 152)),
    ClassInfo(10, 23, "sky", (70, 130, 180)),
    ClassInfo(11, 24, "person", (220, 20, 60)),
    ClassInfo(12, 25, "rider", (255, 0, 0)),
    ClassInfo(13, 26, "car", (0, 0, 142)),
    ClassInfo(14, 27, "truck", (0, 0, 70)),
    ClassInfo(15, 28, "bus", (0, 60, 100)),
    ClassInfo(16, 31, "train", (0, 80, 100)),
    ClassInfo(17, 32, "motorcycle", (0, 0, 230)),
    ClassInfo(18, 33, "bicycle", (119, 11, 32)),
)
NUM_CLASSES: Final = len(CLASSES)
CLASS_NAMES: Final[tuple[str, ...]] = tuple(info.name for info in CLASSES)


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a model or a dataset: class i is called `names[i]` and drawn in `colours[i]` (RGB).

    key: what mappings and results call them. label_ids: ids in label files, where they are not 0, 1, 2, …
    things: the classes of countable objects.
    """

    key: str
    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    label_ids: tuple[Byte, ...] = ()
    things: tuple[Byte, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.names)
        if not count == len(self.colours) == len(self.label_ids or self.names) or count > IGNORE:
            raise UserError(
                f"{self.key}: {count} classes; wanted at most {IGNORE}, each with a colour and an id"
            )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def identity(self) -> str:
        """What fingerprints know of it: the key of a published one, the names of one's own."""
        return self.key if self.key in LABEL_SPACES else f"{self.key}: {self.names}"

    def misnamed(self, named: Collection[str]) -> str:
        """How these names differ from those of the classes, in words; "" if they are the same."""
        missing = ", ".join(name for name in self.names if name not in named)
        unknown = ", ".join(name for name in named if name not in self.names)
        wrong = [f"lacks {missing}"] * bool(missing) + [f"names {unknown}"] * bool(unknown)
        return " and ".join(wrong)

    def palette(self) -> NDArray[np.uint8]:
        """Colours [256, 3] by class; black for anything that is none."""
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(self)] = self.colours
        return colours

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """Each with its number, id, name and colour."""
        ids = self.label_ids or range(len(self))
        rows = zip(range(len(self)), ids, self.names, self.colours, strict=True)
        return tuple(ClassInfo(*row) for row in rows)

    def to_label_ids(self) -> NDArray[np.uint8]:
        """Lookup [256] from classes to ids in label files; `IGNORE` becomes 0, or stays without such ids."""
        if not self.label_ids:
            return np.arange(256, dtype=np.uint8)
        table = np.zeros(256, np.uint8)
        table[: len(self)] = self.label_ids
        return table


CITYSCAPES_19 = LabelSpace(
    key="cityscapes19",
    names=CLASS_NAMES,
    colours=tuple(info.colour for info in CLASSES),
    label_ids=tuple(info.label_id for info in CLASSES),
    things=(6, 7, *range(11, 19)),  # traffic lights and signs; from person to bicycle
)

CAMVID_11 = LabelSpace(
    key="camvid11",
    names=(
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian",
        "bicyclist",
    ),
    colours=tuple(CLASSES[train_id].colour for train_id in (10, 2, 5, 0, 1, 8, 7, 4, 13, 11, 18)),
    things=(6, 8, 9, 10),
)  # fmt: skip

IDD_7 = LabelSpace(  # level 1 of IDD's hierarchy
    key="idd7",
    names=("drivable", "non-drivable", "living things", "vehicles", "roadside objects", "far objects", "sky"),
    colours=tuple(CLASSES[train_id].colour for train_id in (0, 1, 11, 13, 7, 2, 10)),
    things=(2, 3),
)

LABEL_SPACES: Final = {space.key: space for space in (CITYSCAPES_19, CAMVID_11, IDD_7)}


def own_space(
    key: str,
    names: Sequence[str],
    *,
    colours: Mapping[str, Colour] | None = None,
    label_ids: Sequence[int] = (),
    things: Sequence[str] = (),
) -> LabelSpace:
    """Classes of one's own. Those without a colour have Cityscapes' of this name, or one that no other has.

    things: by default what Cityscapes calls so and counts.
    """
    known = dict(zip(CITYSCAPES_19.names, CITYSCAPES_19.colours, strict=True)) | dict(colours or {})
    taken = {known[name] for name in names if name in known} | {(0, 0, 0)}
    chosen = []
    free = (_vivid(number) for number in itertools.count())
    for name in names:
        colour = known[name] if name in known else next(c for c in free if c not in taken)
        taken.add(colour)
        chosen.append(colour)
    counted = things or [CITYSCAPES_19.names[c] for c in CITYSCAPES_19.things]
    return LabelSpace(
        key,
        tuple(names),
        tuple(chosen),
        tuple(label_ids),
        tuple(index for index, name in enumerate(names) if name in counted),
    )


def numbered_space(count: int) -> LabelSpace:
    """The classes of a model that does not say what they are: the 19 of Cityscapes, or numbers."""
    return (
        CITYSCAPES_19 if count == NUM_CLASSES else own_space("unnamed", [f"class {i}" for i in range(count)])
    )


def _vivid(number: int) -> Colour:
    """Colours whose hues are far apart, however many are taken (steps of the golden ratio)."""
    share = number * 0.618033988749895 % 1
    rgb = colorsys.hsv_to_rgb(share, (0.85, 0.5, 0.7)[number % 3], (0.95, 0.75, 0.55)[number // 3 % 3])
    red, green, blue = (round(255 * value) for value in rgb)
    return red, green, blue
