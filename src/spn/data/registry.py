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
from spn.data.declaration import ALL, DatasetDeclaration, parse_split
from spn.data.description import DESCRIPTION, read_description
from spn.data.discovery import Place, find_split, folders_of, split_list
from spn.data.manifest import verify_manifest
from spn.data.pack import is_pack, open_pack
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
    head, equals, place = text.partition("=")
    key, slash, map_name = head.partition("/")
    if not equals or not place:
        raise DatasetError(
            f"cannot read {text!r} as data: wanted KEY=PATH or KEY=PATH:SPLIT, as cityscapes=data/cs:val"
        )
    if key not in KEYS:
        raise DatasetError(f"unknown dataset {key!r} in {text!r}; wanted one of {', '.join(KEYS)}")
    path, colon, split = place.rpartition(":")
    if not colon or not path or "/" in split or "\\" in split:
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
        return open_pack(root, key=None if key == CUSTOM else key, split=split, map_name=map_name)
    if key == CUSTOM:
        path = root / DESCRIPTION if root.is_dir() else root
        declaration, root = read_description(path), path.parent
        if declaration.key in BUILT_IN:
            raise DatasetError(f"{path}: the name {declaration.key!r} is built-in; choose another name")
    else:
        declaration = built_in()[key]
    dataset = _open(declaration, root, split, map_name=map_name, problems=problems)
    if check:
        check_dataset(dataset)
        dataset.split_hash = verify_manifest(dataset)
    return dataset


def _open(
    declaration: DatasetDeclaration,
    root: Path,
    split: str | None,
    *,
    map_name: str | None,
    problems: list[Problem] | None,
) -> SegmentationDataset:
    key, requests = declaration.key, parse_split(declaration, split or _default_split(declaration, root))
    split = "+".join(map(str, requests))
    found = [find_split(declaration, root, split=r, map_name=map_name, problems=problems) for r in requests]
    layout, label_map = found[0].layout, found[0].label_map
    recognised = sorted({f"{part.layout.name} with map {part.label_map.name}" for part in found})
    if len(recognised) > 1:
        text = f"the parts of split {split!r} under {root} differ in layout or map: {', '.join(recognised)}"
        raise DatasetError(f"{key}: {text}")
    if contradiction := declaration.check_root and declaration.check_root(root, label_map):
        if problems is None:
            raise DatasetError(str(contradiction))
        problems.append(contradiction)
    pairs = tuple(pair for part in found for pair in part.pairs)
    if min(len({pair.key for pair in pairs}), len({pair.image for pair in pairs})) != len(pairs):
        raise DatasetError(f"{key}: the parts of split {split!r} overlap; wanted disjoint parts")
    return SegmentationDataset(
        key=key,
        root=root,
        title=declaration.title or key,
        group=declaration.group,
        split=split,
        layout=layout.name,
        label_space=declaration.label_space,
        label_map=label_map,
        encoding=declaration.encoding,
        pairs=pairs,
        exclusions=tuple(line for part in found for line in part.excluded),
    )


def _default_split(declaration: DatasetDeclaration, root: Path) -> str:
    """The evaluation split; every image, where only a flat layout is there and no list makes that split."""
    default = declaration.default_split
    there = [
        layout.flat
        for layout in declaration.layouts
        for images, _ in folders_of(layout, declaration, default)
        if Place(root, images).folder.is_dir()
    ]
    return ALL if there and all(there) and split_list(root, default) is None else default
