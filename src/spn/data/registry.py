"""The datasets by key, and the one way to open them.

Every TOML file in `spn/data/declarations` is a dataset, whose key is the file's name.
When a dataset is opened, the header of every file is verified, and the ids of a few labels; those of every
label are when it is read.
"""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from spn.core.errors import DatasetError
from spn.data.base import Pair, SegmentationDataset, size_problem
from spn.data.declaration import CUSTOM, DESCRIPTION, DatasetDeclaration, read_declaration
from spn.data.discovery import EXCLUSIONS, find_dataset
from spn.data.files import blend_signs, read_header
from spn.data.manifest import verify_manifest
from spn.data.pack import PackedDataset, is_pack
from spn.data.traps import TRAPS, Problem, gather_findings

_DECLARATIONS: Final = Path(__file__).with_name("declarations")
BUILT_IN: Final = tuple(sorted(path.stem for path in _DECLARATIONS.glob("*.toml")))
KEYS: Final = (*BUILT_IN, CUSTOM)
_LABELS_READ: Final = 3


@cache
def built_in() -> Mapping[str, DatasetDeclaration]:
    """The declaration of every built-in dataset, by key."""
    return {key: replace(read_declaration(_DECLARATIONS / f"{key}.toml"), key=key) for key in BUILT_IN}


@dataclass(frozen=True)
class DataArgument:
    """A dataset as named on the command line: KEY[/MAP]=PATH[:SPLIT].

    key: one of `KEYS`. root: its folder, a pack of `spn data pack`, or for "custom" a TOML file or its
    folder. split: "val", several as "train+val", one setting as "val@beta_0.02"; None is the default
    evaluation split ("val"; "all" for folders without splits). map_name: None is the first that fits.
    """

    key: str
    root: Path
    split: str | None = None
    map_name: str | None = None

    def open(self) -> SegmentationDataset:
        """The dataset, found and checked; a pack was checked when it was packed.

        Raises DatasetError if no layout fits, or what was found cannot be right.
        """
        if is_pack(self.root):
            return self._open_pack()
        dataset, problems = self.find()
        problems = problems or _header_problems(dataset)
        if problems:
            findings = "\n".join(map(str, gather_findings(problems)))
            raise DatasetError(
                f"{dataset.key}: split {dataset.split} under {self.root} cannot be used as it is (layout "
                f"{dataset.layout!r}, map {dataset.map_name!r}, {len(dataset)} pairs).\n{findings}\n"
                f"Mend this, or name images to leave out in {dataset.root / EXCLUSIONS}, one a line (stem, "
                "then # and the reason).",
                trap=problems[0].trap,
            )
        _check_ids(dataset)
        dataset.split_hash = verify_manifest(dataset)
        return dataset

    def find(self) -> tuple[SegmentationDataset, list[Problem]]:
        """The pairs of a folder, into which nobody has looked yet, and what does not pair up.

        Raises DatasetError if no layout fits.
        """
        declaration, root = self.declared()
        return find_dataset(declaration, root, self.split, map_name=self.map_name)

    def declared(self) -> tuple[DatasetDeclaration, Path]:
        """The declaration, and the folder that its globs start from."""
        if self.key != CUSTOM:
            return built_in()[self.key], self.root
        path = self.root / DESCRIPTION if self.root.is_dir() else self.root
        declaration = read_declaration(path)
        if declaration.key in BUILT_IN:
            raise DatasetError(f"{path}: the name {declaration.key!r} is built-in; choose another name")
        return declaration, path.parent

    def _open_pack(self) -> PackedDataset:
        """The pack, if it is what the user named."""
        dataset, key = PackedDataset(self.root), None if self.key == CUSTOM else self.key
        facts = {"": (key, dataset.key), "the split ": (self.split, dataset.split)}
        for what, (wanted, held) in (facts | {"the map ": (self.map_name, dataset.map_name)}).items():
            if wanted not in (None, held):
                text = f"{self.root} holds {what}{held}, wanted {wanted}; leave that out, or pack that one"
                raise DatasetError(text)
        return dataset

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
    root = Path(os.path.expanduser(path))  # ~nobody stays, and is named when it is opened
    return DataArgument(key, root, split or None, map_name if slash else None)


def _header_problems(dataset: SegmentationDataset) -> list[Problem]:
    """What is wrong with pairs, judged by the headers of their files."""

    def problem(pair: Pair) -> Problem | None:
        try:
            image, label = read_header(pair.image), read_header(pair.label)
            if image[:2] == label[:2]:
                dataset.encoding.check_header(label, pair.label)
        except DatasetError as error:
            return Problem(error.trap, str(error))
        return size_problem(pair, image[:2], label[:2])

    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        return list(filter(None, pool.map(problem, dataset.pairs)))


def _check_ids(dataset: SegmentationDataset) -> None:
    """Raises DatasetError for ids of a few labels that cannot occur, count another way or are not evaluated.

    The confusion of labelIds and trainIds scores 0.4% mIoU.
    """
    key, pairs, label_map = dataset.key, dataset.pairs, dataset.label_map
    places = sorted({int(place) for place in np.linspace(0, len(pairs) - 1, _LABELS_READ)})
    found = {}
    for place in places:
        label = dataset.read_ids(place)
        found[place] = ids = set(np.unique(label).tolist())
        if signs := blend_signs(label, as_colours=False):  # the surer sign: this refuses
            text = f"label {pairs[place].label}: {signs}; {TRAPS['lossy-label']}"
            raise DatasetError(f"{key}: {text}", trap="lossy-label")
        if not ids <= label_map.valid:
            raise DatasetError(f"{key}: label {pairs[place].label}: {label_map.explain(ids)}")
    together = set().union(*found.values())
    if confusion := label_map.confused_throughout(together):
        names = ", ".join(pairs[place].label.name for place in places)
        raise DatasetError(f"{key}: ids {sorted(together)} in {names}: {confusion.text}", trap=confusion.trap)
