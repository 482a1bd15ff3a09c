"""CamVid, SegNet release (Brostow et al., 2009): 11 coarser classes, so for evaluation only."""

from __future__ import annotations

from typing import Final

from spn.core.label_maps import CAMVID as CAMVID_MAP
from spn.core.label_space import CAMVID_11
from spn.data.declaration import FLAT_PNG_OR_JPEG, DatasetDeclaration, Layout, Naming

CAMVID: Final = DatasetDeclaration(
    key="camvid",
    layouts=(
        Layout("SegNet", "{split}", "{split}annot", FLAT_PNG_OR_JPEG, (Naming(CAMVID_MAP, "{stem}.png"),)),
    ),
    label_space=CAMVID_11,
    splits={"train": ("train",), "val": ("val",), "test": ("test",)},
)
