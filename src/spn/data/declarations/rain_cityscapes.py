"""RainCityscapes (Hu et al., CVPR 2019): variants of clear frames, laid out as the foggy ones are."""

from spn.data.declaration import DatasetDeclaration
from spn.data.declarations.cityscapes import cityscapes_layouts

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"

DATASET = DatasetDeclaration(
    key="rain_cityscapes",
    title="Rain Cityscapes",
    group="Rain and fog",
    layouts=cityscapes_layouts(
        (
            "leftImg8bit_trainvaltest/leftImg8bit",
            "leftImg8bit_trainval_rain/leftImg8bit_rain",
            "leftImg8bit_rain",
        ),
        rf"([^/]+/[^/]+)_leftImg8bit_rain_"
        rf"(?P<variant>alpha_{_NUMBER}_beta_{_NUMBER}_dropsize_{_NUMBER}_pattern_[0-9]+)\.png",
    ),
)
