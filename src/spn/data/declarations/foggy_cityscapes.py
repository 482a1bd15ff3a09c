"""Foggy Cityscapes (Sakaridis et al., IJCV 2018): variants of clear frames, whose ground truth they share.

The label's name is what stands before `_leftImg8bit`. Each variant is a pair of its own. The set covers a
part of the clear frames, so ground truth without an image is normal here.
"""

from spn.data.declaration import DatasetDeclaration
from spn.data.declarations.cityscapes import cityscapes_layouts

DATASET = DatasetDeclaration(
    key="foggy_cityscapes",
    title="Foggy Cityscapes",
    group="Rain and fog",
    layouts=cityscapes_layouts(
        (
            "leftImg8bit_trainvaltest/leftImg8bit",
            "leftImg8bit_trainvaltest_foggy/leftImg8bit_foggy",
            "leftImg8bit_foggy",
        ),
        r"([^/]+/[^/]+)_leftImg8bit_foggy_(?P<variant>beta_[0-9]+(?:\.[0-9]+)?)\.png",
    ),
)
