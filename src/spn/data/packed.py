"""A packed split as a dataset: the samples of the folder it was made from, read by tiles from one file."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spn.core.errors import DatasetError
from spn.core.sample import Region, RegionSource
from spn.data.base import SegmentationDataset
from spn.data.encodings import INDEX
from spn.data.pack_format import ENTRY_HEAD, SUFFIX, EntryHead, PackEntry, read_index
from spn.data.pack_tiles import DamagedPlaneError, Plane
from spn.data.pairs import Pair

_WHOLE: Final = slice(None)


def is_pack(path: Path) -> bool:
    """Whether a dataset's place is a pack rather than a folder; judged by its name."""
    return path.suffix == SUFFIX and not path.is_dir()


class PackedDataset(SegmentationDataset):
    """Reads a finished pack, memory-mapped. Whatever is read is compared with its checksums first.

    Its fingerprint and split hash are those of the folder when it was packed, so that a training or an
    evaluation that was begun with the one continues with the other. Files are named as if the pack were
    that folder: gtav.spnpack/images/00001.png.
    """

    def __init__(self, path: Path) -> None:
        """Raises DatasetError for a file that is unfinished, damaged or of another version."""
        plan, entries = read_index(path)
        super().__init__(
            plan.key,
            path,
            split=plan.split,
            pairs=tuple(Pair(entry.key, path / entry.image, path / entry.label) for entry in entries),
            label_space=plan.space(),
            label_map=plan.label_map(),
            layout=plan.layout,
            encoding=INDEX,
            exclusions=plan.exclusions,
        )
        self.plan = plan
        self.split_hash = plan.split_hash
        self._places = np.array([_Place.of(entry) for entry in entries], np.int64).reshape(len(entries), 5)
        self._bytes = map_file(path)

    def fingerprint(self) -> str:
        return self.plan.fingerprint

    def open_regions(self, index: int) -> RegionSource:
        return PackedSample(self, index)

    def size(self, index: int) -> tuple[int, int]:
        """Height and width in pixels."""
        place = self._place(index)
        return place.height, place.width

    def read_image(self, index: int, rows: slice = _WHOLE, columns: slice = _WHOLE) -> NDArray[np.uint8]:
        """uint8 [h, w, 3], RGB: the whole image, or a region of it."""
        place = self._place(index)
        data = self._bytes[place.start : place.start + place.image_bytes]
        return self._read(index, data, codec=self.plan.images, channels=3, rows=rows, columns=columns)

    def read_ids(self, index: int, rows: slice = _WHOLE, columns: slice = _WHOLE) -> NDArray[np.uint8]:
        """uint8 [h, w]: the stored ids before the map, whole or of a region."""
        place = self._place(index)
        start = place.start + place.image_bytes
        data = self._bytes[start : start + place.label_bytes]
        return self._read(index, data, codec="runs", channels=0, rows=rows, columns=columns)

    def _read(
        self, index: int, data: memoryview, *, codec: str, channels: int, rows: slice, columns: slice
    ) -> NDArray[np.uint8]:
        size, pair = self.size(index), self.pairs[index]
        plane = Plane(data, size, channels, codec, self.plan.tile)
        try:
            return plane.read(slice(*rows.indices(size[0])), slice(*columns.indices(size[1])))
        except DamagedPlaneError as error:
            path = pair.image if channels else pair.label
            raise DatasetError(
                f"{self.root} is damaged: {path}: {error}; copy the pack again, or delete it and repeat "
                "spn data pack"
            ) from error

    def _place(self, index: int) -> _Place:
        return _Place(*self._places[index].tolist())

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        del state["_bytes"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._bytes = map_file(self.root)


@dataclass(frozen=True)
class PackedSample:
    """One pair of a pack, of which only the tiles under a region are read."""

    dataset: PackedDataset
    index: int

    @property
    def size(self) -> tuple[int, int]:
        return self.dataset.size(self.index)

    def region(self, rows: slice, columns: slice) -> Region:
        dataset, index = self.dataset, self.index
        ids = dataset.read_ids(index, rows, columns)
        label = dataset.map_ids(ids, dataset.pairs[index].label)
        return Region(dataset.read_image(index, rows, columns), label)


class _Place(NamedTuple):
    """Where a pair lies in the file, in bytes, and its size in pixels."""

    start: int
    height: int
    width: int
    image_bytes: int
    label_bytes: int

    @classmethod
    def of(cls, entry: PackEntry) -> _Place:
        return cls(entry.start, entry.height, entry.width, entry.image_bytes, entry.label_bytes)


def open_pack(
    path: Path, *, key: str, own_name: bool, split: str | None, map_name: str | None
) -> PackedDataset:
    """The pack at `path`, if it is what the user named. Raises DatasetError.

    key: the dataset's key; with `own_name` the pack's key is a custom dataset's own name instead. split,
    map_name: None for whatever the pack holds.
    """
    dataset = PackedDataset(path)
    if dataset.key != key and not own_name:
        raise DatasetError(f"{path} holds {dataset.key}, wanted {key}; write {dataset.key}={path}")
    if split not in (None, dataset.split):
        raise DatasetError(
            f"{path} holds the split {dataset.split}, wanted {split}; leave the split out, or pack that one"
        )
    if map_name not in (None, dataset.map_name):
        raise DatasetError(
            f"{path} was packed under the map {dataset.map_name}, wanted {map_name}; leave the map out, or "
            f"pack {key}/{map_name}"
        )
    return dataset


def verify_entry(data: memoryview, number: int, entry: PackEntry) -> bool:
    """Whether the bytes of one pair in the mapped file are those that were packed."""
    middle = entry.start + entry.image_bytes
    image, label = data[entry.start : middle], data[middle : middle + entry.label_bytes]
    head = EntryHead.of(number, (entry.height, entry.width), image, label)
    stored = bytes(data[entry.start - ENTRY_HEAD : entry.start])
    return head.to_bytes() == stored and head.sha256.hex() == entry.sha256


def map_file(path: Path) -> memoryview:
    """The bytes of the file, read only when they are looked at. Raises DatasetError."""
    try:
        with open(path, "rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
