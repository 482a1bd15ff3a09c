"""The datasets by key, and the one way to open them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from spn.core.errors import DatasetError
from spn.data.base import SegmentationDataset
from spn.data.bdd100k import BDD100K
from spn.data.camvid import CAMVID
from spn.data.checks import check_dataset
from spn.data.cityscapes import CITYSCAPES
from spn.data.custom import open_custom
from spn.data.declaration import DatasetDeclaration
from spn.data.discovery import find_split, has_split_list
from spn.data.gtav import GTAV
from spn.data.manifest import verify_manifest
from spn.data.mapillary import MAPILLARY
from spn.data.packed import is_pack, open_pack
from spn.data.pairs import ALL, PairingProblem, parse_split
from spn.data.synthia import SYNTHIA
from spn.data.weather import FOGGY_CITYSCAPES, RAIN_CITYSCAPES

DECLARATIONS: Final[Mapping[str, DatasetDeclaration]] = MappingProxyType(
    {
        declaration.key: declaration
        for declaration in (
            GTAV, CITYSCAPES, BDD100K, SYNTHIA, MAPILLARY, RAIN_CITYSCAPES, FOGGY_CITYSCAPES, CAMVID,
        )
    }
)  # fmt: skip
CUSTOM: Final = "custom"
KEYS: Final = (*DECLARATIONS, CUSTOM)


@dataclass(frozen=True)
class DataArgument:
    """A dataset as named on the command line: KEY[/MAP]=PATH[:SPLIT]."""

    key: str
    root: Path
    split: str | None = None
    map_name: str | None = None

    def open(
        self, *, check: bool = True, problems: list[PairingProblem] | None = None
    ) -> SegmentationDataset:
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
        path, split = place, ""
    if colon and path != place and not split:
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
    problems: list[PairingProblem] | None = None,
) -> SegmentationDataset:
    """Recognise the layout of `root`, pair images and labels, check them, and return the dataset.

    split: "val", several as "train+val", one weather setting as "val@beta_0.02"; None is the key's default
    evaluation split ("val"; "all" for folders without splits). map_name: one of the key's maps; None is the
    first that fits the files, in the declared order. check=False skips the scan of headers and first labels
    (for a dataset that was just checked) and the comparison with the manifest of `spn data check`. With a
    list `problems`, what does not pair up is added to it, not raised. A pack of `spn data pack` as `root`
    holds one split under one map, checked when it was packed. Raises DatasetError.
    """
    if is_pack(root):
        return open_pack(root, key=key, own_name=key == CUSTOM, split=split, map_name=map_name)
    if key == CUSTOM:
        dataset = open_custom(root, split, map_name=map_name, reserved=KEYS, problems=problems)
    elif key in DECLARATIONS:
        dataset = _open_declared(DECLARATIONS[key], root, split, map_name=map_name, problems=problems)
    else:
        raise DatasetError(f"unknown dataset {key!r}; wanted one of {', '.join(KEYS)}")
    if check:
        check_dataset(dataset)
        dataset.split_hash = verify_manifest(dataset)
    return dataset


def _open_declared(
    declaration: DatasetDeclaration,
    root: Path,
    split: str | None,
    *,
    map_name: str | None,
    problems: list[PairingProblem] | None,
) -> SegmentationDataset:
    if split is None:
        flat = any(layout.flat and (root / layout.images).is_dir() for layout in declaration.layouts)
        folders = any(
            (root / layout.images.format(split=folder)).is_dir()
            for layout in declaration.layouts
            if not layout.flat
            for folder in declaration.splits[declaration.default_split]
        )
        default_listed = has_split_list(root, declaration.default_split)
        split = ALL if flat and not folders and not default_listed else declaration.default_split
    requests = parse_split(declaration, split)
    found = [
        find_split(declaration, root, split=request, map_name=map_name, problems=problems)
        for request in requests
    ]
    recognised = {(part.layout.name, part.label_map.name) for part in found}
    if len(recognised) > 1:
        raise DatasetError(
            f"{declaration.key}: the parts of split {split!r} under {root} differ in layout or map: "
            f"{', '.join(f'{layout} with map {name}' for layout, name in sorted(recognised))}"
        )
    first = found[0]
    if declaration.check_root is not None:
        try:
            declaration.check_root(root, first.label_map)
        except DatasetError as error:
            if problems is None:
                raise
            problems.append(PairingProblem("mapillary-release", str(error)))
    pairs = tuple(pair for part in found for pair in part.pairs)
    if len({pair.key for pair in pairs}) != len(pairs):
        raise DatasetError(f"{declaration.key}: the parts of split {split!r} overlap; wanted disjoint parts")
    return SegmentationDataset(
        declaration.key,
        root,
        split="+".join(map(str, requests)),
        pairs=pairs,
        label_space=declaration.label_space,
        label_map=first.label_map,
        layout=first.layout.name,
        encoding=declaration.encoding,
        exclusions=tuple(line for part in found for line in part.excluded),
    )
