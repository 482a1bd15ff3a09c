"""The 19 evaluation classes of Cityscapes, and the label spaces that datasets group them into.

Source: Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016,
and its public label table. `train_id` counts the evaluated classes 0..18; `label_id` is the id stored
in `*_labelIds.png` files (and in GTAV's palette index); 255 marks pixels that are not evaluated.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

IGNORE: Final = 255
"""The train id of a pixel that takes part in neither loss nor metric."""


class ClassInfo(NamedTuple):
    train_id: int
    label_id: int
    name: str
    colour: tuple[int, int, int]


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


def train_id_to_label_id() -> NDArray[np.uint8]:
    """Lookup [256] from trainIds to labelIds; `IGNORE` becomes 0 ("unlabeled" in the label table)."""
    table = np.zeros(256, np.uint8)
    table[:NUM_CLASSES] = [info.label_id for info in CLASSES]
    return table


def palette() -> NDArray[np.uint8]:
    """Colours [256, 3] (RGB) by train id; black for anything that is not a class."""
    colours = np.zeros((256, 3), np.uint8)
    colours[:NUM_CLASSES] = [info.colour for info in CLASSES]
    return colours


@dataclass(frozen=True)
class LabelSpace:
    """The classes one domain is evaluated on: `groups[i]` are the train ids of class i, called `names[i]`.

    A model of 19 classes is scored on fewer by adding the probabilities within groups before the argmax.
    """

    key: str
    names: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    colours: tuple[tuple[int, int, int], ...]

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
    colours=tuple(CLASSES[train_id].colour for train_id in (10, 2, 5, 0, 1, 8, 7, 4, 13, 11, 18)),
)  # fmt: skip

IDD_7 = LabelSpace(  # level 1 of IDD's hierarchy
    key="idd7",
    names=("drivable", "non-drivable", "living things", "vehicles", "roadside objects", "far objects", "sky"),
    groups=((0,), (1, 9), (11, 12), (13, 14, 15, 16, 17, 18), (3, 4, 5, 6, 7), (2, 8), (10,)),
    colours=tuple(CLASSES[train_id].colour for train_id in (0, 1, 11, 13, 7, 2, 10)),
)

LABEL_SPACES: Final = {space.key: space for space in (CITYSCAPES_19, CAMVID_11, IDD_7)}
