"""The file of a packed split: what it says of itself, and how it is told whole from damaged or unfinished.

    header   b"SPNPACK\\x01", length of the plan uint64, the plan (JSON)
    entries  for each pair: number uint32, height uint32, width uint32, length of the image plane uint64, of
             the label plane uint64, SHA-256 of these fields and of both planes; image plane, label plane
    index    JSON: the plan, and for each pair key, names of its files, position, size and SHA-256
    footer   position of the index uint64, its length uint64, its SHA-256, b"SPNPACK\\n"

all little-endian. The footer is written last: a file without it is unfinished. Planes: `pack_tiles.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from spn.core.errors import DatasetError
from spn.core.label_maps import LabelMap
from spn.core.label_space import LABEL_SPACES, LabelSpace
from spn.core.records import RecordError, from_plain, to_plain

SUFFIX: Final = ".spnpack"
VERSION: Final = 1
_MAGIC: Final = b"SPNPACK\x01"
_END: Final = b"SPNPACK\n"
_LENGTH: Final = struct.Struct("<Q")
_FOOTER: Final = struct.Struct("<QQ32s8s")
_FIELDS: Final = struct.Struct("<IIIQQ")
ENTRY_HEAD: Final = _FIELDS.size + 32


@dataclass(frozen=True)
class PackPlan:
    """What a pack holds, known before the first pair is packed.

    map_note, train_ids, valid: the label map. fingerprint, split_hash: of the folder that was packed.
    images: the codec of images. tile: side of the tiles in pixels.
    """

    key: str
    split: str
    layout: str
    map_name: str
    map_note: str
    train_ids: Mapping[str, int]
    valid: tuple[int, ...]
    label_space: str
    fingerprint: str
    split_hash: str | None
    exclusions: tuple[str, ...]
    pairs: int
    images: str
    tile: int
    version: int = VERSION

    def label_map(self) -> LabelMap:
        train_ids = {int(label): train_id for label, train_id in self.train_ids.items()}
        return LabelMap(self.map_name, train_ids, frozenset(self.valid), self.map_note)

    def space(self) -> LabelSpace:
        return LABEL_SPACES[self.label_space]

    def header(self) -> bytes:
        """The first bytes of the file."""
        text = json.dumps(to_plain(self), ensure_ascii=False).encode()
        return _MAGIC + _LENGTH.pack(len(text)) + text


@dataclass(frozen=True)
class PackEntry:
    """One pair in the file. image, label: names relative to the packed folder. start: of the image plane.

    height, width in pixels; image_bytes, label_bytes: lengths of the planes. sha256: of fields and planes.
    """

    key: str
    image: str
    label: str
    start: int
    height: int
    width: int
    image_bytes: int
    label_bytes: int
    sha256: str


class EntryHead(NamedTuple):
    """What stands before the planes of one pair."""

    number: int
    height: int
    width: int
    image_bytes: int
    label_bytes: int
    sha256: bytes

    @classmethod
    def of(
        cls, number: int, size: tuple[int, int], image: bytes | memoryview, label: bytes | memoryview
    ) -> EntryHead:
        """The head that belongs to these planes."""
        height, width = size
        digest = hashlib.sha256(_FIELDS.pack(number, height, width, len(image), len(label)))
        digest.update(image)
        digest.update(label)
        return cls(number, height, width, len(image), len(label), digest.digest())

    def to_bytes(self) -> bytes:
        return _FIELDS.pack(*self[:5]) + self.sha256

    @classmethod
    def from_bytes(cls, data: bytes) -> EntryHead:
        number, height, width, image_bytes, label_bytes = _FIELDS.unpack_from(data)
        return cls(number, height, width, image_bytes, label_bytes, data[_FIELDS.size : ENTRY_HEAD])


def write_end(file: BinaryIO, plan: PackPlan, entries: Sequence[PackEntry]) -> None:
    """Index and footer, where `file` stands."""
    start = file.tell()
    rows = [list(to_plain(entry).values()) for entry in entries]
    index = json.dumps({"plan": to_plain(plan), "entries": rows}, ensure_ascii=False).encode()
    file.write(index + _FOOTER.pack(start, len(index), hashlib.sha256(index).digest(), _END))


def read_index(path: Path) -> tuple[PackPlan, tuple[PackEntry, ...]]:
    """Plan and entries of a finished pack. Raises DatasetError for anything else, and for a damaged index."""
    try:
        with open(path, "rb") as file:
            magic = file.read(len(_MAGIC))
            if magic != _MAGIC:
                raise DatasetError(f"{path} is no pack of this version of spn (it begins with {magic!r})")
            file.seek(max(0, os.fstat(file.fileno()).st_size - _FOOTER.size))
            start, length, digest, end = _FOOTER.unpack(file.read())
            if end != _END or start + length + _FOOTER.size != file.tell():
                raise ValueError("its end is missing")
            file.seek(start)
            index = file.read(length)
    except (OSError, struct.error, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as a pack: {error}; copy it again or {_REPACK}") from error
    if hashlib.sha256(index).digest() != digest:
        raise DatasetError(f"{path}: its index does not agree with its checksum; copy it again or {_REPACK}")
    try:
        values: dict[str, Any] = json.loads(index)
        plan = from_plain(PackPlan, values["plan"], where=str(path))
        entries = tuple(PackEntry(*row) for row in values["entries"])
        if plan.version != VERSION:
            raise ValueError(f"version {plan.version}, wanted {VERSION}")
    except (RecordError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} was packed by another version of spn ({error}); {_REPACK}") from error
    return plan, entries


_REPACK: Final = "delete it and repeat spn data pack"
