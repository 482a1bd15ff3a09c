"""CamVid, SegNet release (Brostow et al., 2009): 11 coarser classes, so for evaluation only."""

from __future__ import annotations

from typing import Final

from spn.core.label_maps import CAMVID
from spn.core.label_space import CAMVID_11
from spn.data.declaration import FLAT_PNG_OR_JPEG, DatasetDeclaration, Layout, Naming

DATASET: Final = DatasetDeclaration(
    key="camvid",
    title="CamVid",
    group="Real photographs",
    layouts=(Layout("SegNet", "{split}", "{split}annot", FLAT_PNG_OR_JPEG, (Naming(CAMVID, "{stem}.png"),)),),
    splits={"train": ("train",), "val": ("val",), "test": ("test",)},
    label_space=CAMVID_11,
)
