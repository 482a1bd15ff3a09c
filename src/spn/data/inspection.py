"""One pair of image and label, read from the first byte to the last pixel: what it is, and what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.errors import DatasetError
from spn.core.label_maps import LabelMap
from spn.data.base import explain_ids
from spn.data.encodings import LabelEncoding
from spn.data.files import (
    ImageHeader,
    TruncatedFileError,
    decode_header,
    decode_rgb,
    decode_stored,
    read_bytes,
)
from spn.data.pairs import Pair
from spn.data.traps import Problem, trap_of_ids

RECORD_VERSION: Final = 1
"""Raised whenever the same files would give another record."""
_BLOCK: Final = 1 << 22
"""Pixels counted at once: OpenCV returns counts as float32, which is exact up to 2^24."""


class FileRecord(NamedTuple):
    """A file: path relative to the root, size in bytes, time of change, digest of its bytes, size in pixels.

    A file that cannot be read has an empty digest; one that cannot be decoded measures 0x0.
    """

    path: str
    bytes: int
    mtime_ns: int
    digest: str
    width: int
    height: int


@dataclass(frozen=True)
class PairRecord:
    """What was found in one pair.

    pixels: digest of the decoded image. ids: stored id → its pixels in the label. problems: traps it is in.
    """

    key: str
    image: FileRecord
    label: FileRecord
    pixels: str
    ids: Mapping[int, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "image": self.image._asdict(),
            "label": self.label._asdict(),
            "pixels": self.pixels,
            "ids": {str(label): count for label, count in self.ids.items()},
            "problems": [problem._asdict() for problem in self.problems],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PairRecord:
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            str(values["key"]),
            FileRecord(**values["image"]),
            FileRecord(**values["label"]),
            str(values["pixels"]),
            {int(label): int(count) for label, count in values["ids"].items()},
            tuple(Problem(**problem) for problem in values["problems"]),
        )

    def is_current(self, pair: Pair, *, root: Path) -> bool:
        """Whether `pair` is still these files, with the same sizes in bytes and times of change."""
        return all(
            (record.path, record.bytes, record.mtime_ns) == (relative(path, root), *file_state(path))
            for record, path in ((self.image, pair.image), (self.label, pair.label))
        )


def relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def file_state(path: Path) -> tuple[int, int]:
    """Size in bytes and time of change in nanoseconds; (-1, 0) for a file that is not there."""
    try:
        status = path.stat()
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns


def reader_key(encoding: LabelEncoding, label_map: LabelMap) -> str:
    """What a record depends on besides the files: how labels are decoded and which ids they may hold."""
    facts = (RECORD_VERSION, encoding.form, sorted(label_map.train_ids.items()), sorted(label_map.valid))
    return hashlib.blake2b(repr((label_map.name, facts)).encode(), digest_size=12).hexdigest()


def inspect_pair(pair: Pair, *, root: Path, encoding: LabelEncoding, label_map: LabelMap) -> PairRecord:
    """Read and decode both files completely. Whatever is wrong with them is in the record, never raised."""
    problems: list[Problem] = []
    image, rgb = _inspect_image(pair.image, root, problems)
    label, ids = _inspect_label(pair.label, root, encoding, label_map, problems)
    if image.width and label.width and image[-2:] != label[-2:]:
        swapped = (image.width, image.height) == (label.height, label.width)
        problems.append(
            Problem(
                "transposed" if swapped else "size-mismatch",
                f"{image.path} is {image.width}x{image.height}, its label {label.path} is "
                f"{label.width}x{label.height}",
            )
        )
    return PairRecord(pair.key, image, label, rgb, ids, tuple(problems))


def _inspect_image(path: Path, root: Path, problems: list[Problem]) -> tuple[FileRecord, str]:
    """The record of an image file, and the digest of its pixels."""
    name, state = relative(path, root), file_state(path)
    data = _read(path, name, problems)
    if data is None:
        return FileRecord(name, *state, "", 0, 0), ""
    try:
        image = decode_rgb(data, path)
    except DatasetError as error:
        problems.append(Problem("damaged", str(error)))
        return FileRecord(name, *state, _digest(data), 0, 0), ""
    if _single_colour(image):
        colour = tuple(int(value) for value in image[0, 0])
        problems.append(Problem("single-colour", f"{name} is {colour} everywhere"))
    height, width = image.shape[:2]
    return FileRecord(name, *state, _digest(data), width, height), _digest(np.ascontiguousarray(image).data)


def _inspect_label(
    path: Path, root: Path, encoding: LabelEncoding, label_map: LabelMap, problems: list[Problem]
) -> tuple[FileRecord, dict[int, int]]:
    """The record of a label file, and the pixels of each id stored in it."""
    name, state = relative(path, root), file_state(path)
    data = _read(path, name, problems)
    if data is None:
        return FileRecord(name, *state, "", 0, 0), {}
    try:
        header = decode_header(data, path)
        misfit = encoding.header_problem(header)
        if misfit is not None:
            problems.append(Problem(_trap_of_header(encoding, header), f"{name}: {misfit}"))
            return FileRecord(name, *state, _digest(data), header.width, header.height), {}
        stored = decode_stored(data, path)
    except (DatasetError, OSError, ValueError) as error:
        problems.append(Problem("damaged", str(error)))
        return FileRecord(name, *state, _digest(data), 0, 0), {}
    record = FileRecord(name, *state, _digest(data), header.width, header.height)
    try:
        ids = count_ids(encoding.decode(data, path))
    except DatasetError as error:
        trap = "synthia-16-bit" if encoding.form == "synthia_red" else "colour-map"
        problems.append(Problem(trap, str(error)))
        return record, {}
    trap_of_label = trap_of_ids(ids, label_map)
    if trap_of_label is not None:
        why = explain_ids(label_map, list(ids)) if set(ids) - label_map.valid else f"holds ids {sorted(ids)}"
        problems.append(Problem(trap_of_label, f"{name}: {why}"))
    elif encoding.form == "synthia_red" and set(ids) == {0} and stored[..., 1:3].any():
        text = f"{name}: red is empty and other channels are not; the channels were swapped or split"
        problems.append(Problem("synthia-16-bit", text))
    return record, ids


def _read(path: Path, name: str, problems: list[Problem]) -> bytes | None:
    try:
        return read_bytes(path)
    except TruncatedFileError as error:
        problems.append(Problem("truncated", str(error)))
    except DatasetError as error:
        size, _ = file_state(path)
        if size == 0:
            problems.append(Problem("truncated", f"{name} is empty"))
        else:
            trap = "damaged" if error.__cause__ is None else "unreadable"
            problems.append(Problem(trap, str(error)))
    return None


def _trap_of_header(encoding: LabelEncoding, header: ImageHeader) -> str:
    if header.bits == 8 and header.channels >= 3:
        return "colour-map"
    return "synthia-16-bit" if encoding.form == "synthia_red" else "bit-depth"


def count_ids(ids: NDArray[np.uint8]) -> dict[int, int]:
    """Pixels of every id that occurs in `ids` [H, W]."""
    rows = max(1, _BLOCK // max(1, ids.shape[1]))
    counts = np.zeros(256, np.int64)
    for top in range(0, ids.shape[0], rows):
        block = np.ascontiguousarray(ids[top : top + rows])
        counts += cv2.calcHist([block], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    return {int(label): int(counts[label]) for label in np.flatnonzero(counts)}


def _single_colour(image: NDArray[np.uint8]) -> bool:
    """A thin sample first: nearly every image is decided by it."""
    return bool((image[::16, ::16] == image[0, 0]).all() and (image == image[0, 0]).all())


def _digest(data: bytes | memoryview) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
