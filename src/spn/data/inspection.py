"""One pair of image and label, read from the first byte to the last pixel: what it is, and what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from spn.core.errors import DatasetError
from spn.core.label_maps import LabelMap
from spn.data.encodings import LabelEncoding
from spn.data.files import TruncatedFileError, decode_header, decode_rgb, decode_stored, read_bytes
from spn.data.pairs import Pair
from spn.data.traps import Problem

RECORD_VERSION: Final = 1
"""Raised whenever the same files would give another record."""
_BLOCK: Final = 1 << 22
"""Pixels counted at once: OpenCV returns counts as float32, which is exact up to 2^24."""


class FileRecord(msgspec.Struct, frozen=True, rename={"size": "bytes"}):
    """A file: path relative to the root, size in bytes, time of change, digest of its bytes, size in pixels.

    A file that cannot be read has an empty digest; one that cannot be decoded measures 0x0.
    """

    path: str
    size: int
    mtime_ns: int
    digest: str = ""
    width: int = 0
    height: int = 0

    @classmethod
    def of(cls, path: Path, root: Path) -> FileRecord:
        """What is known before reading; -1 bytes for a file that is not there."""
        name = path.relative_to(root).as_posix()
        try:
            status = path.stat()
        except OSError:
            return cls(name, -1, 0)
        return cls(name, status.st_size, status.st_mtime_ns)

    def known(self, data: bytes, *, size: tuple[int, int] = (0, 0)) -> FileRecord:
        """This file with what reading it gave; size: width and height."""
        return FileRecord(self.path, self.size, self.mtime_ns, _digest(data), *size)


class PairRecord(msgspec.Struct, frozen=True):
    """What was found in one pair.

    pixels: digest of the decoded image. ids: stored id → its pixels in the label. problems: traps it is in.
    """

    key: str
    image: FileRecord
    label: FileRecord
    pixels: str
    ids: dict[int, int] = {}
    problems: tuple[Problem, ...] = ()

    def is_current(self, pair: Pair, *, root: Path) -> bool:
        """Whether `pair` is still these files, with the same sizes in bytes and times of change."""
        return all(
            (record.path, record.size, record.mtime_ns) == (now.path, now.size, now.mtime_ns)
            for record, path in ((self.image, pair.image), (self.label, pair.label))
            for now in [FileRecord.of(path, root)]
        )


def reader_key(encoding: LabelEncoding, label_map: LabelMap) -> str:
    """What a record depends on besides the files: how labels are decoded and which ids they may hold."""
    facts = (RECORD_VERSION, encoding.form, sorted(label_map.train_ids.items()), sorted(label_map.valid))
    return hashlib.blake2b(repr((label_map.name, facts)).encode(), digest_size=12).hexdigest()


def inspect_pair(pair: Pair, *, root: Path, encoding: LabelEncoding, label_map: LabelMap) -> PairRecord:
    """Read and decode both files completely. Whatever is wrong with them is in the record, never raised."""
    problems: list[Problem] = []
    image, pixels = _inspect_image(pair.image, root, problems)
    label, ids = _inspect_label(pair.label, root, encoding, label_map, problems)
    if image.width and label.width and (image.width, image.height) != (label.width, label.height):
        swapped = (image.width, image.height) == (label.height, label.width)
        sizes = (
            f"{image.path} is {image.width}x{image.height}, its label {label.path} is "
            f"{label.width}x{label.height}"
        )
        problems.append(Problem("transposed" if swapped else "size-mismatch", sizes))
    return PairRecord(pair.key, image, label, pixels, ids, tuple(problems))


def _inspect_image(path: Path, root: Path, problems: list[Problem]) -> tuple[FileRecord, str]:
    """The record of an image file, and the digest of its pixels."""
    record = FileRecord.of(path, root)
    data = _read(path, record, problems)
    if data is None:
        return record, ""
    try:
        image = decode_rgb(data, path)
    except DatasetError as error:
        problems.append(Problem("damaged", str(error)))
        return record.known(data), ""
    if (image[::16, ::16] == image[0, 0]).all() and (image == image[0, 0]).all():  # first a thin sample
        colour = tuple(int(value) for value in image[0, 0])
        problems.append(Problem("single-colour", f"{record.path} is {colour} everywhere"))
    return record.known(data, size=image.shape[1::-1]), _digest(np.ascontiguousarray(image).data)


def _inspect_label(
    path: Path, root: Path, encoding: LabelEncoding, label_map: LabelMap, problems: list[Problem]
) -> tuple[FileRecord, dict[int, int]]:
    """The record of a label file, and the pixels of each id stored in it."""
    record = FileRecord.of(path, root)
    data = _read(path, record, problems)
    if data is None:
        return record, {}
    try:
        header = decode_header(data, path)
        stored = decode_stored(data, path)
    except (DatasetError, OSError, ValueError) as error:
        problems.append(Problem("damaged", str(error)))
        return record.known(data), {}
    record = record.known(data, size=header[:2])
    if misfit := encoding.header_problem(header):
        colours = header.bits == 8 and header.channels >= 3
        problems.append(
            Problem("colour-map" if colours else encoding.trap or "bit-depth", f"{record.path}: {misfit}")
        )
        return record, {}
    try:
        ids = count_ids(encoding.decode(data, path))
    except DatasetError as error:
        problems.append(Problem(encoding.trap or "colour-map", str(error)))
        return record, {}
    if trap := trap_of_ids(ids, label_map):
        why = label_map.explain(ids) if set(ids) - label_map.valid else f"holds ids {sorted(ids)}"
        problems.append(Problem(trap, f"{record.path}: {why}"))
    elif encoding.channel is not None and set(ids) == {0} and stored[..., :3].any():
        text = f"{record.path}: the channel of ids is empty, others are not; were they swapped or split?"
        problems.append(Problem(encoding.trap or "colour-map", text))
    return record, ids


def _read(path: Path, record: FileRecord, problems: list[Problem]) -> bytes | None:
    try:
        return read_bytes(path)
    except TruncatedFileError as error:
        problems.append(Problem("truncated", str(error)))
    except DatasetError as error:
        if record.size == 0:
            problems.append(Problem("truncated", f"{record.path} is empty"))
        else:
            problems.append(Problem("unreadable" if error.__cause__ else "damaged", str(error)))
    return None


def trap_of_ids(ids: Iterable[int], label_map: LabelMap) -> str | None:
    """The trap that the ids of one label are in under `label_map`; None if they are in none."""
    present = set(ids)
    if confusion := label_map.confused(present):
        return confusion.trap
    return None if present <= label_map.valid else "impossible-ids"


def count_ids(ids: NDArray[np.uint8]) -> dict[int, int]:
    """Pixels of every id that occurs in `ids` [H, W]."""
    rows = max(1, _BLOCK // max(1, ids.shape[1]))
    counts = np.zeros(256, np.int64)
    for top in range(0, ids.shape[0], rows):
        block = np.ascontiguousarray(ids[top : top + rows])
        counts += cv2.calcHist([block], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    return {int(label): int(counts[label]) for label in np.flatnonzero(counts)}


def _digest(data: bytes | memoryview) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
