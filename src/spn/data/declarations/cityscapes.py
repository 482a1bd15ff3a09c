"""Cityscapes (Cordts et al., CVPR 2016), and the folder pairs that it shares with its weather variants."""

from itertools import product

from spn.core.label_maps import LABEL_IDS, TRAIN_IDS
from spn.data.declaration import DatasetDeclaration, Layout

LABEL_FOLDERS = ("gtFine_trainvaltest/gtFine", "gtFine")
MAPS = ((LABEL_IDS, r"(.+)_gtFine_labelIds\.png"), (TRAIN_IDS, r"(.+)_gtFine_labelTrainIds\.png"))
"""labelIds are the dataset's own files and come first; labelTrainIds are made from them by its scripts."""


def cityscapes_layouts(image_folders: tuple[str, ...], image_key: str) -> tuple[Layout, ...]:
    """Every image folder beside every folder of ground truth."""
    return tuple(
        Layout(f"{images} + {labels}", f"{images}/{{split}}", f"{labels}/{{split}}", image_key, *rule)
        for images, labels, rule in product(image_folders, LABEL_FOLDERS, MAPS)
    )


DATASET = DatasetDeclaration(
    key="cityscapes",
    title="Cityscapes",
    group="Routine domains",
    layouts=cityscapes_layouts(
        ("leftImg8bit_trainvaltest/leftImg8bit", "leftImg8bit"), r"([^/]+/[^/]+)_leftImg8bit\.png"
    ),
)
