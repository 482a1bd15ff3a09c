"""GTAV (Richter et al., "Playing for Data", ECCV 2016): labelIds as palette index, or as its colours."""

from spn.core.label_maps import LABEL_IDS
from spn.data.declaration import FLAT_PNG_OR_JPEG, PNG_OR_JPEG, DatasetDeclaration, Layout
from spn.data.files import INDEX_OR_COLOURS

_RULE = (LABEL_IDS, r"(?!.*_labelTrainIds\.png)(.+)\.png")

DATASET = DatasetDeclaration(
    key="gtav",
    title="GTAV",
    group="Source domain",
    layouts=(
        Layout("split folders", "images/{split}", "labels/{split}", PNG_OR_JPEG, *_RULE),
        Layout("flat", "images/*", "labels/*", FLAT_PNG_OR_JPEG, *_RULE),
    ),
    splits={"train": ("train",), "val": ("valid", "val"), "test": ("test",)},
    encoding=INDEX_OR_COLOURS,
)
