"""Any pair of folders, described by a small TOML file.

    name = "my_city"                        # the key under which results are reported
    images = "rgb/**/*.jpg"                 # globs, relative to the TOML file
    labels = "gt/**/*.png"
    image_key = '(.+)_camera\\.jpg'         # optional: what images and labels have in common, from the path
    label_key = '(.+)_label\\.png'          # below the glob's fixed folder; default: the path without suffix
    unlisted = "error"                      # or "ignore": ids that the table below does not name
    label_space = "cityscapes19"            # or "camvid11"

    [classes]                               # stored id = class name, or "ignore"
    0 = "road"
    255 = "ignore"

    [splits.val]                            # optional: the same two globs for each split
    images = "val/rgb/*.jpg"
    labels = "val/gt/*.png"

Ids are read as in other datasets: one channel, or a palette's index. Without [splits] the one split is "all".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from spn.core.errors import DatasetError
from spn.core.label_maps import LabelMap
from spn.core.label_space import CITYSCAPES_19, LABEL_SPACES
from spn.core.toml import parse_toml
from spn.data.base import SegmentationDataset
from spn.data.encodings import INDEX
from spn.data.files import IMAGE_SUFFIXES
from spn.data.pairs import ALL, Pair, PairingProblem

DESCRIPTION: Final = "spn_dataset.toml"
IGNORED: Final = "ignore"
_ANY_STEM: Final = r"(.+)\.[^./]+"
_KNOWN: Final = {
    "name", "images", "labels", "image_key", "label_key", "unlisted", "label_space", "classes", "splits",
}  # fmt: skip


def open_custom(
    root: Path,
    split: str | None,
    *,
    map_name: str | None,
    reserved: Sequence[str],
    problems: list[PairingProblem] | None = None,
) -> SegmentationDataset:
    """Open what the TOML file `root` (or `root`/spn_dataset.toml) describes. Raises DatasetError.

    With a list `problems`, files that do not pair up are added to it, and the pairs that do are opened.
    """
    path = root / DESCRIPTION if root.is_dir() else root
    description = _Description(path)
    if description.name in reserved and description.name != "custom":
        raise DatasetError(
            f"{path}: name {description.name!r} is one of the built-in datasets; choose another name"
        )
    if map_name is not None:
        raise DatasetError(
            f"{path}: a custom dataset has only the map of its [classes]; drop the map {map_name!r}"
        )
    names = description.splits
    if split is None:
        split = "val" if "val" in names else next(iter(names))
    parts = [part.strip() for part in split.split("+")]
    unknown = [part for part in parts if part not in names]
    if unknown or len(set(parts)) != len(parts):
        raise DatasetError(
            f"{path}: cannot read split {split!r}; wanted one of {', '.join(names)}, or several joined by +"
        )
    pairs = tuple(pair for part in parts for pair in description.pairs(part, collected=problems))
    if len({pair.image for pair in pairs}) != len(pairs):
        raise DatasetError(f"{path}: splits {split!r} share images; wanted disjoint parts")
    return SegmentationDataset(
        description.name,
        path.parent,
        split="+".join(parts),
        pairs=pairs,
        label_space=description.label_space,
        label_map=description.label_map,
        layout=path.name,
        encoding=INDEX,
    )


class _Description:
    """The TOML file, validated."""

    def __init__(self, path: Path) -> None:
        self.path = path
        values = _read_toml(path)
        unknown = sorted(set(values) - _KNOWN)
        if unknown:
            raise DatasetError(
                f"{path}: unknown entries {', '.join(unknown)}; wanted {', '.join(sorted(_KNOWN))}"
            )
        self.name = self._text(values, "name", default="custom")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.name):
            raise DatasetError(f"{path}: name {self.name!r} may hold letters, digits, _ and - only")
        space = self._text(values, "label_space", default=CITYSCAPES_19.key)
        if space not in LABEL_SPACES:
            raise DatasetError(
                f"{path}: label_space {space!r} is unknown; wanted one of {', '.join(LABEL_SPACES)}"
            )
        self.label_space = LABEL_SPACES[space]
        unlisted = self._text(values, "unlisted", default="error")
        if unlisted not in ("error", "ignore"):
            raise DatasetError(f'{path}: unlisted = {unlisted!r}; wanted "error" or "ignore"')
        self.label_map = self._map(values.get("classes"), ignore_unlisted=unlisted == "ignore")
        self.image_key = self._rule(values, "image_key")
        self.label_key = self._rule(values, "label_key")
        self.splits = self._globs(values)

    def pairs(self, split: str, *, collected: list[PairingProblem] | None = None) -> tuple[Pair, ...]:
        """Images and labels with the same key. Raises DatasetError for leftovers, or collects them."""
        image_glob, label_glob = self.splits[split]
        images, unnamed_images = self._keyed(image_glob, self.image_key)
        labels, unnamed_labels = self._keyed(label_glob, self.label_key)
        unpaired = (
            (
                "misnamed",
                f"image(s) whose path does not fit image_key {self.image_key.pattern}",
                unnamed_images,
            ),
            (
                "misnamed",
                f"label(s) whose path does not fit label_key {self.label_key.pattern}",
                unnamed_labels,
            ),
            ("orphan", "image(s) without a label", _others(images, labels)),
            ("orphan", "label(s) without an image", _others(labels, images)),
        )
        problems = [PairingProblem(trap, text, tuple(files)) for trap, text, files in unpaired if files]
        if collected is not None:
            collected += problems
            images = {key: path for key, path in images.items() if key in labels}
        elif problems:
            raise DatasetError(
                f"{self.path}: split {split!r} does not pair up.\n" + "\n".join(map(str, problems))
            )
        if not images:
            raise DatasetError(f"{self.path}: no image fits {image_glob!r} under {self.path.parent}")
        prefix = "" if split == ALL else f"{split}/"
        return tuple(Pair(prefix + key, images[key], labels[key]) for key in sorted(images))

    def _keyed(self, glob: str, rule: re.Pattern[str]) -> tuple[dict[str, Path], list[str]]:
        fixed = []
        for part in Path(glob).parts[:-1]:
            if any(mark in part for mark in "*?["):
                break
            fixed.append(part)
        base = self.path.parent.joinpath(*fixed)
        keyed: dict[str, Path] = {}
        unnamed = []
        for path in sorted(self.path.parent.glob(glob)):
            if path.name.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES:
                continue
            match = rule.fullmatch(path.relative_to(base).as_posix())
            if match is None:
                unnamed.append(str(path))
                continue
            key = "/".join(group for group in match.groups() if group is not None)
            if key in keyed:
                raise DatasetError(f"{self.path}: {keyed[key]} and {path} have the same key {key!r}")
            keyed[key] = path
        return keyed, unnamed

    def _globs(self, values: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
        tables = values.get("splits", {ALL: values})
        if (
            not isinstance(tables, dict)
            or not tables
            or not all(isinstance(t, dict) for t in tables.values())
        ):
            raise DatasetError(f"{self.path}: [splits.NAME] must be tables with images and labels")
        if "splits" in values and ("images" in values or "labels" in values):
            raise DatasetError(
                f"{self.path}: give images and labels either at the top or in [splits], not in both"
            )
        globs = {}
        for name, table in tables.items():
            images, labels = self._text(table, "images"), self._text(table, "labels")
            for glob in (images, labels):
                if Path(glob).is_absolute() or ".." in Path(glob).parts:
                    raise DatasetError(f"{self.path}: glob {glob!r} must be relative and below the TOML file")
            globs[name] = (images, labels)
        return globs

    def _map(self, classes: object, *, ignore_unlisted: bool) -> LabelMap:
        if not isinstance(classes, dict) or not classes:
            raise DatasetError(f'{self.path}: wanted a table [classes] with lines as 7 = "road"')
        numbers = {name: number for number, name in enumerate(self.label_space.names)}
        train_ids, valid = {}, set()
        for text, name in classes.items():
            if not re.fullmatch(r"\d{1,3}", text) or int(text) > 255:
                raise DatasetError(f"{self.path}: [classes] id {text!r} is not a number in 0..255")
            valid.add(int(text))
            if name != IGNORED:
                if name not in numbers:
                    raise DatasetError(
                        f"{self.path}: [classes] {text} = {name!r} is no class of {self.label_space.key}; "
                        f"wanted {IGNORED!r} or one of {', '.join(numbers)}"
                    )
                train_ids[int(text)] = numbers[name]
        if ignore_unlisted:
            valid = set(range(256))
        return LabelMap(
            f"{self.name} [classes]", train_ids, frozenset(valid), f"the ids listed in {self.path.name}"
        )

    def _rule(self, values: Mapping[str, Any], name: str) -> re.Pattern[str]:
        text = self._text(values, name, default=_ANY_STEM)
        try:
            rule = re.compile(text)
        except re.error as error:
            raise DatasetError(
                f"{self.path}: {name} = {text!r} is not a regular expression: {error}"
            ) from error
        if not rule.groups:
            raise DatasetError(
                f"{self.path}: {name} = {text!r} needs a group (…) around what image and label share"
            )
        return rule

    def _text(self, values: Mapping[str, Any], name: str, *, default: str | None = None) -> str:
        value = values.get(name, default)
        if not isinstance(value, str) or not value:
            raise DatasetError(f"{self.path}: {name} = {value!r}; wanted a text in quotes")
        return value


def _others(files: Mapping[str, Path], known: Mapping[str, Path]) -> list[str]:
    """The files whose keys are not in `known`."""
    return [str(files[key]) for key in sorted(files.keys() - known.keys())]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DatasetError(
            f"custom: {path} is missing; wanted a TOML file that describes the dataset"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"custom: {path} cannot be read as TOML: {error}") from error
    return parse_toml(text, source=f"custom: {path}", error_class=DatasetError)
