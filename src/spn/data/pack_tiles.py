"""Images and labels as independent tiles, so that a region decodes only the tiles that it touches.

A plane (one image or one label) is a table of tiles in row order, then their bytes one after the other:

    length uint32, CRC-32 uint32 of each tile's bytes; CRC-32 uint32 of this table; the tiles

all little-endian. Tiles at the right and bottom edge are smaller. Every checksum is verified whenever its
tile is read, before decoding. Three codecs, all lossless:

    raw   the pixels, RGB, row by row
    png   a PNG file, RGB
    runs  values uint8, then lengths - 1 uint16 of the runs of equal ids, row by row through the tile
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.runs import find_runs

Pixels = NDArray[np.uint8]
ImageCodec = Literal["raw", "png"]
TILE: Final = 128
"""Side of a tile in pixels; at most 256, so that a run fits into 16 bits."""


class DamagedPlaneError(ValueError):
    """Bytes that do not agree with their checksums."""


class Codec(NamedTuple):
    """encode: a contiguous tile to bytes. decode: the inverse, given the tile's height and width."""

    encode: Callable[[Pixels], bytes]
    decode: Callable[[memoryview, int, int], Pixels]


def _encode_png(tile: Pixels) -> bytes:
    swapped = cv2.cvtColor(tile, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", swapped, [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE])
    if not done:
        raise RuntimeError("OpenCV could not encode a PNG tile")
    return data.tobytes()


def _decode_png(data: memoryview, height: int, width: int) -> Pixels:
    tile = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(tile, cv2.COLOR_BGR2RGB)


def _decode_raw(data: memoryview, height: int, width: int) -> Pixels:
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _encode_runs(tile: Pixels) -> bytes:
    runs = find_runs(tile.ravel())
    return runs.values.tobytes() + (runs.lengths - 1).astype("<u2").tobytes()


def _decode_runs(data: memoryview, height: int, width: int) -> Pixels:
    runs = len(data) // 3
    values, lengths = np.frombuffer(data, np.uint8, runs), np.frombuffer(data, "<u2", runs, runs)
    return np.repeat(values, lengths.astype(np.int64) + 1).reshape(height, width)


CODECS: Final[Mapping[str, Codec]] = MappingProxyType(
    {
        "raw": Codec(lambda tile: tile.tobytes(), _decode_raw),
        "png": Codec(_encode_png, _decode_png),
        "runs": Codec(_encode_runs, _decode_runs),
    }
)


@dataclass(frozen=True)
class Plane:
    """The bytes of one image (`channels` 3) or label (`channels` 0) of `size` (height, width)."""

    data: memoryview
    size: tuple[int, int]
    channels: int
    codec: str
    tile: int

    def read(self, rows: slice, columns: slice) -> Pixels:
        """A new array with the pixels of `rows` and `columns` (start and stop inside the image).

        Raises DamagedPlaneError if the table or a tile that is needed does not agree with its checksum.
        """
        offsets, checksums = self._table()
        decode, across = CODECS[self.codec].decode, -(-self.size[1] // self.tile)
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        target = np.empty((*shape, self.channels) if self.channels else shape, np.uint8)
        for down in _Overlap.along(rows, self.size[0], self.tile):
            for side in _Overlap.along(columns, self.size[1], self.tile):
                number = down.number * across + side.number
                data = self.data[offsets[number] : offsets[number + 1]]
                if zlib.crc32(data) != checksums[number]:
                    raise DamagedPlaneError(f"tile {number} does not agree with its checksum")
                tile = decode(data, down.length, side.length)
                target[down.target, side.target] = tile[down.source, side.source]
        return target

    def _table(self) -> tuple[list[int], list[int]]:
        """Where each tile starts (and the last ends) in `data`, and the checksums."""
        tiles = -(-self.size[0] // self.tile) * -(-self.size[1] // self.tile)
        end = 8 * tiles
        stored = int.from_bytes(self.data[end : end + 4], "little")
        if len(self.data) < end + 4 or zlib.crc32(self.data[:end]) != stored:
            raise DamagedPlaneError("the table of its tiles does not agree with its checksum")
        table = np.frombuffer(self.data, "<u4", 2 * tiles).reshape(tiles, 2)
        offsets = np.concatenate([[0], np.cumsum(table[:, 0], dtype=np.int64)]) + end + 4
        return offsets.tolist(), table[:, 1].tolist()


def encode_plane(pixels: Pixels, *, codec: str, tile: int = TILE) -> bytes:
    """The bytes of a plane from uint8 [H, W, 3] or [H, W]."""
    encode = CODECS[codec].encode
    tiles = [
        encode(np.ascontiguousarray(pixels[top : top + tile, left : left + tile]))
        for top in range(0, pixels.shape[0], tile)
        for left in range(0, pixels.shape[1], tile)
    ]
    table = np.array([(len(data), zlib.crc32(data)) for data in tiles], "<u4").tobytes()
    return b"".join([table, zlib.crc32(table).to_bytes(4, "little"), *tiles])


class _Overlap(NamedTuple):
    """One tile along one axis: its number and length, and what of it lies where in the region."""

    number: int
    length: int
    source: slice
    target: slice

    @staticmethod
    def along(wanted: slice, available: int, tile: int) -> Iterator[_Overlap]:
        for number in range(wanted.start // tile, -(-wanted.stop // tile)):
            start, stop = number * tile, min((number + 1) * tile, available)
            first, last = max(start, wanted.start), min(stop, wanted.stop)
            yield _Overlap(
                number,
                stop - start,
                slice(first - start, last - start),
                slice(first - wanted.start, last - wanted.start),
            )
