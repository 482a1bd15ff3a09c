"""SYNTHIA RAND-CITYSCAPES (Ros et al., CVPR 2016): 16-bit PNG, class in red, instance in green.

The set has no splits of its own: `all` is every image, and text lists make others. Three of the 19 classes
(terrain, truck, train) never occur; the mean over the 16 that do is what its results report.
"""

from spn.core.label_maps import SYNTHIA
from spn.data.declaration import FLAT_PNG_OR_JPEG, DatasetDeclaration, Layout
from spn.data.files import LabelEncoding

_RULE = (SYNTHIA, r"(?!.*_labelTrainIds\.png)(.+)\.png")

DATASET = DatasetDeclaration(
    key="synthia",
    title="SYNTHIA",
    group="Routine domains",
    layouts=tuple(
        Layout(name, f"{folder}RGB/*", f"{folder}GT/LABELS/*", FLAT_PNG_OR_JPEG, *_RULE)
        for name, folder in (("RGB + GT/LABELS", ""), ("RAND_CITYSCAPES folder", "RAND_CITYSCAPES/"))
    ),
    encoding=LabelEncoding(
        "synthia_red", channel=0, bits=16, trap="synthia-16-bit", hint=" (GT/LABELS, not GT/COLOR)"
    ),
)
