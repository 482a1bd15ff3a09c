"""Mapillary Vistas (Neuhold et al., ICCV 2017), v1.2 under map A (default) or B, and v2.0.

Ids above 65 under v1.2 are refused at reading. Where the dataset's own configuration file lies in the root,
its names are compared with the ids that the map relies on.
"""

from pathlib import Path

import msgspec

from spn.core.classes import CLASS_NAMES
from spn.core.label_maps import MAPILLARY_2, MAPILLARY_A, MAPILLARY_B, LabelMap
from spn.data.declaration import FLAT_PNG_OR_JPEG, PNG, DatasetDeclaration, Layout
from spn.data.traps import Problem

_WORDS = {
    name: {"train": "on-rails"}.get(name, name.replace(" ", "-"))
    for name in CLASS_NAMES
    if name not in ("pole", "traffic sign", "person", "rider")  # which have no id of their name alone
}
"""Class names as words in the configuration file (`construction--flat--road`)."""


def compare_configuration(root: Path, label_map: LabelMap) -> Problem | None:
    """Names in `config.json` or `config_v*.json`, if there, that are not those of the ids of `label_map`."""
    places = ("config_v2.0.json",) if label_map == MAPILLARY_2 else ("config_v1.2.json", "config.json")
    for path in (root / name for name in places if (root / name).is_file()):
        try:
            labels = msgspec.json.decode(path.read_bytes())["labels"]
            names = [set(label["name"].split("--")) for label in labels]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            text = f'{path} is not a Mapillary configuration ("labels" with "name"): {error!r}'
            return Problem("mapillary-release", text)
        right = {
            CLASS_NAMES[c]
            for i, c in label_map.train_ids.items()
            if _WORDS.get(CLASS_NAMES[c]) in set().union(*names[i : i + 1])
        }
        if wrong := [name for name in _WORDS if name not in right]:
            text = (
                f"{path} does not describe the ids of map {label_map.name!r} ({label_map.note}): no id that "
                f"is read as {', '.join(wrong)} is called so. Choose the map of this release: A or B for "
                "v1.2, v2.0 for v2.0."
            )
            return Problem("mapillary-release", text)
        break
    return None


DATASET = DatasetDeclaration(
    key="mapillary",
    title="Mapillary",
    group="Routine domains",
    layouts=tuple(
        Layout(
            f"{folder}labels", "{split}/images", f"{{split}}/{folder}labels", FLAT_PNG_OR_JPEG, label_map, PNG
        )
        for folder, label_map in (
            ("", MAPILLARY_A), ("", MAPILLARY_B), ("", MAPILLARY_2),
            ("v1.2/", MAPILLARY_A), ("v1.2/", MAPILLARY_B), ("v2.0/", MAPILLARY_2),
        )
    ),
    splits={"train": ("training",), "val": ("validation",), "test": ("test", "testing")},
    check_root=compare_configuration,
)  # fmt: skip
