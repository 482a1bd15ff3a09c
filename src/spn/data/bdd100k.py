"""BDD-100K semantic segmentation, the 10k subset (Yu et al., CVPR 2020): labels are train ids already.

The colour maps that come with it are never decoded (a widely copied configuration swaps wall and fence).
"""

from __future__ import annotations

from typing import Final

from spn.core.label_maps import TRAIN_IDS
from spn.core.label_space import CITYSCAPES_19
from spn.data.declaration import FLAT_PNG_OR_JPEG, DatasetDeclaration, Layout, Naming

_PLAIN: Final = (Naming(TRAIN_IDS, "{stem}.png", companions=(r".*_train_(?:id|color)\.png",)),)
_TRAIN_ID: Final = (Naming(TRAIN_IDS, "{stem}_train_id.png"),)

BDD100K: Final = DatasetDeclaration(
    key="bdd100k",
    layouts=(
        Layout("images + labels, _train_id", "images/{split}", "labels/{split}", FLAT_PNG_OR_JPEG, _TRAIN_ID),
        Layout("images + labels, same name", "images/{split}", "labels/{split}", FLAT_PNG_OR_JPEG, _PLAIN),
        Layout("seg, _train_id", "seg/images/{split}", "seg/labels/{split}", FLAT_PNG_OR_JPEG, _TRAIN_ID),
        Layout(
            "10k + sem_seg", "images/10k/{split}", "labels/sem_seg/masks/{split}", FLAT_PNG_OR_JPEG, _PLAIN
        ),
        Layout("10k + semseg", "images/10k/{split}", "labels/semseg/masks/{split}", FLAT_PNG_OR_JPEG, _PLAIN),
    ),
    label_space=CITYSCAPES_19,
    splits={"train": ("train",), "val": ("val",), "test": ("test",)},
)
