"""A packed split: images and labels in one SQLite file, of which a training crop reads only what it shows.

    facts   name, data             "plan": what the pack holds (`PackPlan`)
    pairs   number, data           [key, image, label, height, width] of each pair; files relative to a folder
    tiles   id, label, image       128x128 pixels of both; id: number, row and column of the tile

Every blob is a zlib stream of its row's number (8 bytes, little-endian) and its content, so that zlib's
checksum covers both: JSON, the ids as stored before the label map, or RGB pixels (differences to the left
neighbour, if the images are compressed). Everything is lossless.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import LABEL_SPACES, LabelSpace
from spn.core.errors import DatasetError
from spn.core.files import decode_json, to_bytes
from spn.core.label_maps import LabelMap
from spn.core.sample import Region
from spn.data.base import Pair, SegmentationDataset
from spn.data.files import INDEX
from spn.data.mapping import ClassMapping

SUFFIX: Final = ".sqlite"
VERSION: Final = 2
TILE: Final = 128
_WHOLE: Final = slice(None)

ImageStorage = Literal["compressed", "raw"]


class PackPlan(msgspec.Struct, frozen=True):
    """What a dataset says of itself, and a pack of it repeats; what of it is packed. fingerprint: its own."""

    key: str
    title: str
    group: str
    split: str
    layout: str
    label_space: LabelSpace
    label_map: LabelMap
    exclusions: tuple[str, ...]
    split_hash: str | None
    fingerprint: str
    images: ImageStorage
    size: int
    version: int = VERSION
    mappings: tuple[ClassMapping, ...] = ()


FACTS: Final = (*PackPlan.__struct_fields__[:9], "mappings")
PackedPair = tuple[str, str, str, int, int]
"""Key, image, label (files relative to the packed folder), height and width in pixels."""


def is_pack(path: Path) -> bool:
    """Whether a place is a pack rather than a folder; judged by its name (.spnpack is no longer read)."""
    return path.suffix in (SUFFIX, ".spnpack") and not path.is_dir()


class PackedDataset(SegmentationDataset):
    """Reads a finished pack. Whatever is read is compared with its checksums first.

    Its fingerprint and split hash are those of the folder when it was packed, so that a training or an
    evaluation that was begun with the one continues with the other. Files are named as if the pack were
    that folder: gtav.sqlite/images/00001.png.
    """

    def __init__(self, path: Path) -> None:
        """Raises DatasetError for a file that is unfinished, damaged or of another version."""
        self.root = path
        self._connected: tuple[int, sqlite3.Connection] | None = None
        if not path.is_file():
            raise DatasetError(f"{path} cannot be read as a pack: there is no such file")
        with self._reading("it") as connection:
            self.plan = read_plan(connection)
            rows = connection.execute("SELECT number, data FROM pairs ORDER BY number")
            entries: list[PackedPair] = [
                decode_json(unseal(data, number), PackedPair) for number, data in rows
            ]
            if len(entries) != self.plan.size:
                raise ValueError(f"{len(entries)} of {self.plan.size} pairs are there")
        pairs = tuple(Pair(key, path / image, path / label) for key, image, label, *_ in entries)
        facts = {name: getattr(self.plan, name) for name in FACTS}
        fingerprint = self.plan.fingerprint
        super().__init__(root=path, encoding=INDEX, pairs=pairs, known_fingerprint=fingerprint, **facts)
        self.sizes = np.array([entry[3:] for entry in entries], np.int32).reshape(-1, 2)

    def open_regions(self, index: int) -> PackedSample:
        return PackedSample(self, index)

    def read_image(self, index: int, rows: slice = _WHOLE, columns: slice = _WHOLE) -> NDArray[np.uint8]:
        """uint8 [h, w, 3], RGB: the whole image, or a region of it."""
        return self._read(index, "image", rows, columns)

    def read_ids(self, index: int, rows: slice = _WHOLE, columns: slice = _WHOLE) -> NDArray[np.uint8]:
        """uint8 [h, w]: the stored ids before the map, whole or of a region."""
        return self._read(index, "label", rows, columns)[..., 0]

    def _read(
        self, index: int, what: Literal["image", "label"], rows: slice, columns: slice
    ) -> NDArray[np.uint8]:
        """The region, cut out of the tiles that it touches."""
        height, width = self.sizes[index].tolist()
        top, bottom, _ = rows.indices(height)
        left, right, _ = columns.indices(width)
        first, last = left // TILE, max(left, right - 1) // TILE
        tall, channels = range(top // TILE, -(-bottom // TILE)), 3 if what == "image" else 1
        canvas = np.empty((len(tall) * TILE, (last + 1 - first) * TILE, channels), np.uint8)
        query = f"SELECT id, {what} FROM tiles WHERE id BETWEEN ? AND ?"
        with self._reading(getattr(self.pairs[index], what)) as connection:
            for row in tall:
                ends = tile_id(index, row, first), tile_id(index, row, last)
                tiles = connection.execute(query, ends).fetchall()
                if [number for number, _ in tiles] != list(range(ends[0], ends[1] + 1)):
                    raise ValueError("tiles are missing")
                for column, (number, data) in enumerate(tiles, first):
                    shape = min(TILE, height - row * TILE), min(TILE, width - column * TILE), channels
                    tile = np.frombuffer(unseal(data, number), np.uint8).reshape(shape)
                    if what == "image" and self.plan.images == "compressed":
                        tile = np.cumsum(tile, axis=1, dtype=np.uint8)
                    y, x = (row - tall.start) * TILE, (column - first) * TILE
                    canvas[y : y + shape[0], x : x + shape[1]] = tile
        y, x = top - tall.start * TILE, left - first * TILE
        return np.ascontiguousarray(canvas[y : y + bottom - top, x : x + right - left])

    @contextmanager
    def _reading(self, what: object) -> Iterator[sqlite3.Connection]:
        """The open file; each process opens its own. Raises DatasetError: `what` is damaged."""
        try:
            if self._connected is None or self._connected[0] != os.getpid():
                address = f"file:{quote(to_bytes(str(self.root.absolute())))}?mode=ro&immutable=1"
                connection = sqlite3.connect(address, uri=True, check_same_thread=False)
                self._connected = os.getpid(), connection
            yield self._connected[1]
        except (sqlite3.Error, zlib.error, ValueError, OverflowError) as error:
            raise DatasetError(
                f"{self.root} is damaged or no pack: {what}: {error}; copy it again, or delete it and repeat "
                "spn data pack"
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_connected": None}


@dataclass(frozen=True)
class PackedSample:
    """One pair of a pack, of which only the tiles under a region are read."""

    dataset: PackedDataset
    index: int

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.dataset.sizes[self.index].tolist()
        return height, width

    def region(self, rows: slice, columns: slice) -> Region:
        dataset, index = self.dataset, self.index
        label = dataset.map_ids(dataset.read_ids(index, rows, columns), dataset.pairs[index].label)
        return Region(dataset.read_image(index, rows, columns), label)


def read_plan(connection: sqlite3.Connection) -> PackPlan:
    """Raises sqlite3.Error, zlib.error or ValueError where the file holds none."""
    row = connection.execute("SELECT data FROM facts WHERE name = 'plan'").fetchone()
    if row is None:
        raise ValueError("it holds no plan")
    plan: PackPlan = decode_json(unseal(row[0], VERSION), PackPlan)
    space = plan.label_space  # an older pack tells less of a published one
    return msgspec.structs.replace(plan, label_space=LABEL_SPACES.get(space.key, space))


def tile_id(pair: int, row: int, column: int) -> int:
    """The tile's number; columns of a row follow each other. An image has at most 1024 rows and columns."""
    return pair << 20 | row << 10 | column


def seal(content: bytes, number: int, *, level: int = 6) -> bytes:
    """A zlib stream that says whose it is; level 0 stores."""
    return zlib.compress(number.to_bytes(8, "little") + content, level)


def unseal(data: bytes, number: int) -> memoryview:
    """The content of `seal`. Raises zlib.error or ValueError if it is not what was sealed under `number`."""
    content = memoryview(zlib.decompress(data))
    if int.from_bytes(content[:8], "little") != number:
        raise ValueError("it is not what belongs there")
    return content[8:]
