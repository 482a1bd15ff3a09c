"""Foggy Cityscapes (Sakaridis et al., IJCV 2018) and RainCityscapes (Hu et al., CVPR 2019).

Every image is a variant of a clear Cityscapes frame, whose ground truth it shares: the label's name is what
stands before `_leftImg8bit`. Each variant is a pair of its own. Both sets cover a part of the clear frames,
so ground truth without an image is normal here.
"""

from __future__ import annotations

from typing import Final

from spn.core.label_space import CITYSCAPES_19
from spn.data.cityscapes import SPLITS, cityscapes_layouts
from spn.data.declaration import DatasetDeclaration

_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"

FOGGY_CITYSCAPES: Final = DatasetDeclaration(
    key="foggy_cityscapes",
    layouts=cityscapes_layouts(
        (
            "leftImg8bit_trainvaltest/leftImg8bit",
            "leftImg8bit_trainvaltest_foggy/leftImg8bit_foggy",
            "leftImg8bit_foggy",
        ),
        rf"(?P<city>[^/]+)/(?P<frame>[^/]+)_leftImg8bit_foggy_(?P<variant>beta_{_NUMBER})\.png",
    ),
    label_space=CITYSCAPES_19,
    splits=SPLITS,
    label_shared=True,
)

RAIN_CITYSCAPES: Final = DatasetDeclaration(
    key="rain_cityscapes",
    layouts=cityscapes_layouts(
        (
            "leftImg8bit_trainvaltest/leftImg8bit",
            "leftImg8bit_trainval_rain/leftImg8bit_rain",
            "leftImg8bit_rain",
        ),
        rf"(?P<city>[^/]+)/(?P<frame>[^/]+)_leftImg8bit_rain_"
        rf"(?P<variant>alpha_{_NUMBER}_beta_{_NUMBER}_dropsize_{_NUMBER}_pattern_[0-9]+)\.png",
    ),
    label_space=CITYSCAPES_19,
    splits=SPLITS,
    label_shared=True,
)
