"""The datasets by key, and the one way to open them.

Every file in `spn/data/declarations` is a dataset: its name is the key, its `DATASET` the declaration.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final

from spn.core.errors import DatasetError
from spn.data import declarations
from spn.data.base import SegmentationDataset
from spn.data.checks import check_dataset
from spn.data.declaration import DatasetDeclaration
from spn.data.description import DESCRIPTION, read_description
from spn.data.discovery import find_dataset
from spn.data.manifest import verify_manifest
from spn.data.pack import PackedDataset, is_pack
from spn.data.traps import Problem

CUSTOM: Final = "custom"
BUILT_IN: Final = tuple(sorted(module.name for module in pkgutil.iter_modules(declarations.__path__)))
KEYS: Final = (*BUILT_IN, CUSTOM)


@cache
def built_in() -> Mapping[str, DatasetDeclaration]:
    """The declaration of every built-in dataset, by key."""
    modules = {key: import_module(f"{declarations.__name__}.{key}") for key in BUILT_IN}
    return MappingProxyType({key: module.DATASET for key, module in modules.items()})


@dataclass(frozen=True)
class DataArgument:
    """A dataset as named on the command line: KEY[/MAP]=PATH[:SPLIT]."""

    key: str
    root: Path
    split: str | None = None
    map_name: str | None = None

    def open(self, *, check: bool = True, problems: list[Problem] | None = None) -> SegmentationDataset:
        return open_dataset(
            self.key, self.root, self.split, map_name=self.map_name, check=check, problems=problems
        )

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
    check: bool = True,
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
        check: Whether headers and first labels are scanned, and the manifest of `spn data check` is compared.
        problems: What does not pair up is added to this list, not raised.

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
    if check:
        check_dataset(dataset)
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
