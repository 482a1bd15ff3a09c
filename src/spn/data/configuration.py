"""A dataset's own list of its label ids, compared with the map under which it is read."""

from pathlib import Path
from typing import Final

import msgspec

from spn.core.classes import CLASS_NAMES
from spn.core.label_maps import LabelMap
from spn.data.traps import Problem

_WORDS: Final = {
    name: {"train": "on-rails"}.get(name, name.replace(" ", "-"))
    for name in CLASS_NAMES
    if name not in ("pole", "traffic sign", "person", "rider")  # which have no id of their name alone
}
"""Class names as words in Mapillary's configuration file."""


def contradictions(root: Path, files: tuple[str, ...], label_map: LabelMap) -> list[Problem]:
    """Names in the first of `files`, JSON with "labels", that are not those of the map's ids."""
    path = next((root / name for name in files if (root / name).is_file()), None)
    if path is None:
        return []
    try:
        labels = msgspec.json.decode(path.read_bytes())["labels"]
        names = [set(label["name"].split("--")) for label in labels]  # construction--flat--road
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        text = f'{path} is no configuration of the dataset ("labels" with "name"): {error!r}'
        return [Problem("mapillary-release", text)]
    right = {
        CLASS_NAMES[c]
        for i, c in label_map.train_ids.items()
        if _WORDS.get(CLASS_NAMES[c]) in set().union(*names[i : i + 1])
    }
    wrong = ", ".join(name for name in _WORDS if name not in right)
    text = (
        f"{path} does not describe the ids of map {label_map.name!r} ({label_map.note}): no id that is read "
        f"as {wrong} is called so. Choose the map of this release."
    )
    return [Problem("mapillary-release", text)] if wrong else []
