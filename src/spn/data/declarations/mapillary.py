"""Mapillary Vistas (Neuhold et al., ICCV 2017), v1.2 under map A (default) or B, and v2.0.

Ids above 65 under v1.2 are refused at reading. Where the dataset's own configuration file lies in the root,
its names are compared with the ids that the map relies on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from spn.core.label_maps import MAPILLARY_2, MAPILLARY_A, MAPILLARY_B, LabelMap
from spn.data.declaration import FLAT_PNG_OR_JPEG, DatasetDeclaration, Layout, Naming
from spn.data.traps import Problem

ANCHORS_1: Final = {
    3: "fence", 6: "wall", 13: "road", 15: "sidewalk", 17: "building", 27: "sky", 29: "terrain",
    30: "vegetation", 48: "traffic-light", 52: "bicycle", 54: "bus", 55: "car", 57: "motorcycle",
    58: "on-rails", 61: "truck",
}  # fmt: skip
"""Ids of v1.2 with the last part of their name in the configuration file (`construction--flat--road`)."""
ANCHORS_2: Final = {
    5: "fence", 12: "wall", 21: "road", 24: "sidewalk", 27: "building", 61: "sky", 63: "terrain",
    64: "vegetation", 105: "bicycle", 107: "bus", 108: "car", 110: "motorcycle", 111: "on-rails",
    114: "truck",
}  # fmt: skip
_TRAP: Final = "mapillary-release"


class _Label(msgspec.Struct):
    name: str


class _Configuration(msgspec.Struct):
    labels: list[_Label]


def compare_configuration(root: Path, label_map: LabelMap) -> Problem | None:
    """Names in `config.json` or `config_v*.json`, if there, that are not those of the ids of `label_map`."""
    second = label_map == MAPILLARY_2
    places = ("config_v2.0.json",) if second else ("config_v1.2.json", "config.json")
    path = next((root / name for name in places if (root / name).is_file()), None)
    if path is None:
        return None
    try:
        names = [label.name for label in msgspec.json.decode(path.read_bytes(), type=_Configuration).labels]
    except msgspec.DecodeError as error:
        return Problem(_TRAP, f'{path} is not a Mapillary configuration ("labels" with "name"): {error}')
    wrong = [
        f"id {label} is {''.join(names[label : label + 1])!r}, wanted {wanted!r}"
        for label, wanted in (ANCHORS_2 if second else ANCHORS_1).items()
        if not any(name.rsplit("--", 1)[-1] == wanted for name in names[label : label + 1])
    ]
    if not wrong:
        return None
    return Problem(
        _TRAP,
        f"{path} does not describe the ids of map {label_map.name!r} ({label_map.note}): "
        f"{'; '.join(wrong[:5])}. Choose the map of this release: A or B for v1.2, v2.0 for v2.0.",
    )


_FIRST: Final = (Naming(MAPILLARY_A, "{stem}.png"), Naming(MAPILLARY_B, "{stem}.png"))
_SECOND: Final = (Naming(MAPILLARY_2, "{stem}.png"),)

DATASET: Final = DatasetDeclaration(
    key="mapillary",
    title="Mapillary",
    group="Routine domains",
    layouts=(
        Layout("labels", "{split}/images", "{split}/labels", FLAT_PNG_OR_JPEG, (*_FIRST, *_SECOND)),
        Layout("v1.2/labels", "{split}/images", "{split}/v1.2/labels", FLAT_PNG_OR_JPEG, _FIRST),
        Layout("v2.0/labels", "{split}/images", "{split}/v2.0/labels", FLAT_PNG_OR_JPEG, _SECOND),
    ),
    splits={"train": ("training",), "val": ("validation",), "test": ("test", "testing")},
    aliases={"training": "train", "validation": "val", "testing": "test"},
    check_root=compare_configuration,
)
