"""BDD-100K semantic segmentation, the 10k subset (Yu et al., CVPR 2020): labels are train ids already.

The colour maps that come with it are never decoded (a widely copied configuration swaps wall and fence).
"""

from spn.core.label_maps import TRAIN_IDS
from spn.data.declaration import FLAT_PNG_OR_JPEG, DatasetDeclaration, Layout

_PLAIN = r"(?!.*_train_(?:id|color)\.png)(.+)\.png"
_TRAIN_ID = r"(.+)_train_id\.png"

DATASET = DatasetDeclaration(
    key="bdd100k",
    title="BDD-100K",
    group="Routine domains",
    layouts=tuple(
        Layout(name, f"{images}/{{split}}", f"{labels}/{{split}}", FLAT_PNG_OR_JPEG, TRAIN_IDS, label)
        for name, images, labels, label in (
            ("images + labels, _train_id", "images", "labels", _TRAIN_ID),
            ("images + labels, same name", "images", "labels", _PLAIN),
            ("seg, _train_id", "seg/images", "seg/labels", _TRAIN_ID),
            ("10k + sem_seg", "images/10k", "labels/sem_seg/masks", _PLAIN),
            ("10k + semseg", "images/10k", "labels/semseg/masks", _PLAIN),
        )
    ),
    other_package=(
        "images/100k", "labels/100k", "labels/det_20", "labels/det_20_labels", "100k", "det_20",
        "labels/*det*.json",
    ),
    other_package_trap="bdd-package",
)  # fmt: skip
