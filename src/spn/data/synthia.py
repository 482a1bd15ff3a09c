"""SYNTHIA RAND-CITYSCAPES (Ros et al., CVPR 2016): 16-bit PNG, class in red, instance in green.

The set has no splits of its own: `all` is every image, and text lists make others. Three of the 19 classes
(terrain, truck, train) never occur; the mean over the 16 that do is what its results report.
"""

from __future__ import annotations

from typing import Final

from spn.core.label_maps import SYNTHIA as SYNTHIA_MAP
from spn.core.label_space import CITYSCAPES_19
from spn.data.declaration import FLAT_PNG_OR_JPEG, DatasetDeclaration, Layout, Naming
from spn.data.encodings import SYNTHIA_RED

_NAMINGS: Final = (Naming(SYNTHIA_MAP, "{stem}.png", companions=(r".*_labelTrainIds\.png",)),)

SYNTHIA: Final = DatasetDeclaration(
    key="synthia",
    layouts=(
        Layout("RGB + GT/LABELS", "RGB", "GT/LABELS", FLAT_PNG_OR_JPEG, _NAMINGS),
        Layout(
            "RAND_CITYSCAPES folder",
            "RAND_CITYSCAPES/RGB",
            "RAND_CITYSCAPES/GT/LABELS",
            FLAT_PNG_OR_JPEG,
            _NAMINGS,
        ),
    ),
    label_space=CITYSCAPES_19,
    splits={"train": ("train",), "val": ("val",), "test": ("test",)},
    encoding=SYNTHIA_RED,
)
