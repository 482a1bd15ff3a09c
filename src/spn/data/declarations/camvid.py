"""CamVid, SegNet release (Brostow et al., 2009): 11 coarser classes, so for evaluation only."""

from spn.core.classes import CAMVID_11
from spn.core.label_maps import CAMVID
from spn.data.declaration import FLAT_PNG_OR_JPEG, PNG, DatasetDeclaration, Layout

DATASET = DatasetDeclaration(
    key="camvid",
    title="CamVid",
    group="Real photographs",
    layouts=(Layout("SegNet", "{split}", "{split}annot", FLAT_PNG_OR_JPEG, CAMVID, PNG),),
    label_space=CAMVID_11,
)
