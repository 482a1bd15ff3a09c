"""The datasets by key, and the one way to open them.

Every file in `spn/data/declarations` is a dataset: its name is the key, its `DATASET` the declaration.
When a dataset is opened, the header of every file is verified, and the ids of a few labels; those of every
label are when it is read.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np

from spn.core.errors import DatasetError
from spn.data import declarations
from spn.data.base import Pair, SegmentationDataset
from spn.data.declaration import DESCRIPTION, DatasetDeclaration, read_description
from spn.data.discovery import EXCLUSIONS, find_dataset
from spn.data.files import LabelEncoding, read_header
from spn.data.manifest import verify_manifest
from spn.data.pack import PackedDataset, is_pack
from spn.data.traps import Problem, listing

CUSTOM: Final = "custom"
BUILT_IN: Final = tuple(sorted(module.name for module in pkgutil.iter_modules(declarations.__path__)))
KEYS: Final = (*BUILT_IN, CUSTOM)
_LABELS_READ: Final = 3


@cache
def built_in() -> Mapping[str, DatasetDeclaration]:
    """The declaration of every built-in dataset, by key."""
    return {key: import_module(f"{declarations.__name__}.{key}").DATASET for key in BUILT_IN}


@dataclass(frozen=True)
class DataArgument:
    """A dataset as named on the command line: KEY[/MAP]=PATH[:SPLIT]."""

    key: str
    root: Path
    split: str | None = None
    map_name: str | None = None

    def open(self, *, problems: list[Problem] | None = None) -> SegmentationDataset:
        return open_dataset(self.key, self.root, self.split, map_name=self.map_name, problems=problems)

    def __str__(self) -> str:
        head = self.key if self.map_name is None else f"{self.key}/{self.map_name}"
        return f"{head}={self.root}" + (f":{self.split}" if self.split else "")


def parse_data_argument(text: str) -> DataArgument:
    """Read `camvid=PATH:train+val`, `cityscapes=PATH`, `mapillary/B=PATH`. Raises DatasetError.

    What follows the last colon is a split unless it holds a path separator (so `C:\\data` stays a path).
    """
    head, _, place = text.partition("=")
    key, slash, map_name = head.partition("/")
    if not place:
        raise DatasetError(
            f"cannot read {text!r} as data: wanted KEY=PATH or KEY=PATH:SPLIT, as cityscapes=data/cs:val"
        )
    if key not in KEYS:
        raise DatasetError(f"unknown dataset {key!r} in {text!r}; wanted one of {', '.join(KEYS)}")
    path, colon, split = place.rpartition(":")
    if not path or "/" in split or "\\" in split:
        path, colon, split = place, "", ""
    if colon and not split:
        raise DatasetError(f"nothing after the colon in {text!r}; wanted KEY=PATH:SPLIT")
    try:
        root = Path(path).expanduser()
    except RuntimeError as error:
        raise DatasetError(f"{text!r}: there is no home folder for {path}") from error
    return DataArgument(key, root, split or None, map_name if slash else None)


def open_dataset(
    key: str,
    root: Path,
    split: str | None = None,
    *,
    map_name: str | None = None,
    problems: list[Problem] | None = None,
) -> SegmentationDataset:
    """Recognise the layout of `root`, pair images and labels, check them, and return the dataset.

    Args:
        key: One of `KEYS`; for "custom", `root` is a TOML file or the folder of `spn_dataset.toml`.
        root: The dataset's folder, or a pack of `spn data pack`, which holds one split under one map and was
            checked when it was packed.
        split: "val", several as "train+val", one setting as "val@beta_0.02"; None is the default evaluation
            split ("val"; "all" for folders without splits).
        map_name: One of the dataset's label maps; None is the first that fits the files, in declared order.
        problems: What does not pair up is added to this list, not raised; then no file is looked into, and no
            manifest of `spn data check` compared.

    Raises:
        DatasetError: If no layout fits, or what was found cannot be right.
    """
    if key not in KEYS:
        raise DatasetError(f"unknown dataset {key!r}; wanted one of {', '.join(KEYS)}")
    if is_pack(root):
        return _open_pack(root, key=None if key == CUSTOM else key, split=split, map_name=map_name)
    if key == CUSTOM:
        path = root / DESCRIPTION if root.is_dir() else root
        declaration, root = read_description(path), path.parent
        if declaration.key in BUILT_IN:
            raise DatasetError(f"{path}: the name {declaration.key!r} is built-in; choose another name")
    else:
        declaration = built_in()[key]
    dataset = find_dataset(declaration, root, split, map_name=map_name, problems=problems)
    if problems is None:
        _check(dataset)
        dataset.split_hash = verify_manifest(dataset)
    return dataset


def _open_pack(path: Path, *, key: str | None, split: str | None, map_name: str | None) -> PackedDataset:
    """The pack at `path`, if it is what the user named; None for whatever it holds."""
    dataset = PackedDataset(path)
    named = {dataset.key: key, f"the split {dataset.split}": split, f"the map {dataset.map_name}": map_name}
    for held, wanted in named.items():
        if wanted is not None and wanted != held.rpartition(" ")[2]:
            raise DatasetError(f"{path} holds {held}, wanted {wanted}; leave that out, or pack that one")
    return dataset


def _check(dataset: SegmentationDataset) -> None:
    """Raises DatasetError that lists what is wrong with headers, or with the ids of a few labels.

    Besides ids that cannot occur: ids that count another way (the confusion of labelIds and trainIds scores
    0.4% mIoU), and labels without any evaluated pixel.
    """
    key, pairs, label_map = dataset.key, dataset.pairs, dataset.label_map
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        problems = list(filter(None, pool.map(lambda pair: _pair_problem(pair, dataset.encoding), pairs)))
    if problems:
        raise DatasetError(
            f"{key}: {len(problems)} of {len(dataset)} pairs of split {dataset.split} under "
            f"{dataset.root} cannot be used{listing(problems)}\nReplace these files, or leave the images out "
            f"by naming them in {dataset.root / EXCLUSIONS}, one a line (stem, then # and the reason)."
        )
    places = sorted({int(place) for place in np.linspace(0, len(pairs) - 1, _LABELS_READ)})
    found = {place: set(np.unique(dataset.read_ids(place)).tolist()) for place in places}
    for place, ids in found.items():
        if not ids <= label_map.valid:
            raise DatasetError(f"{key}: label {pairs[place].label}: {label_map.explain(ids)}")
    together = set().union(*found.values())
    where = f"ids {sorted(together)} in {', '.join(pairs[place].label.name for place in places)}"
    if not together & set(label_map.train_ids):
        raise DatasetError(
            f"{key}: labels of split {dataset.split} hold no evaluated class ({where}); a test split whose "
            "ground truth is withheld cannot be used"
        )
    if confusion := label_map.confused_throughout(together):
        raise DatasetError(f"{key}: {where}: {confusion.text}")


def _pair_problem(pair: Pair, encoding: LabelEncoding) -> str | None:
    """Why these files cannot be a pair, judged by their headers."""
    try:
        image, label = read_header(pair.image), read_header(pair.label)
        if image[:2] == label[:2]:
            encoding.check_header(label, pair.label)
            return None
    except DatasetError as error:
        return str(error)
    transposed = "; one of them is transposed" if image[:2] == label[1::-1] else ""
    return (
        f"{pair.image} is {image.width}x{image.height}, its label {pair.label} is "
        f"{label.width}x{label.height}{transposed}"
    )
