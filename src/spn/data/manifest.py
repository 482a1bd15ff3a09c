"""The manifest that `spn data check` leaves: every file of a split, what it holds, and one hash over all.

It lies in ROOT/.spn/manifest_KEY_SPLIT_MAP.json; where the root cannot be written, under the same name in
~/.cache/spn/manifests/<digest of the root's path>/. Opening a dataset looks in both places: a dataset that is
no longer what was checked is refused, and the split hash is recorded with whatever is made from it.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from spn.core.errors import DatasetError
from spn.core.files import digest_of, encode_json, read_json, to_bytes, user_cache, write_text
from spn.data.base import Pair, SegmentationDataset
from spn.data.sketches import Sketch
from spn.data.traps import Finding, Problem, listing

SCHEMA: Final = "spn-manifest"
VERSION: Final = 1
RECORD_VERSION: Final = 3
"""Raised whenever the same files would give another record."""
_log = logging.getLogger(__name__)


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


class PairRecord(msgspec.Struct, frozen=True):
    """What was found in one pair.

    pixels: digest of the decoded image. ids: stored id → its pixels in the label; heights: → their middle,
    from 0 at the top to 1 at the bottom. problems: traps it is in. look: 12x12 mean brightnesses of the
    image.
    """

    key: str
    image: FileRecord
    label: FileRecord
    pixels: str
    ids: dict[int, int] = {}
    problems: tuple[Problem, ...] = ()
    heights: dict[int, float] = {}
    look: bytes = b""
    sketch: Sketch | None = None

    def is_current(self, pair: Pair, *, root: Path) -> bool:
        """Whether `pair` is still these files, with the same sizes in bytes and times of change."""
        then = [(file.path, file.size, file.mtime_ns) for file in (self.image, self.label)]
        now = [FileRecord.of(path, root) for path in (pair.image, pair.label)]
        return then == [(file.path, file.size, file.mtime_ns) for file in now]


class ClassCount(msgspec.Struct, frozen=True):
    """A class of the label space: its pixels, and the images that hold any of it."""

    name: str
    pixels: int
    images: int


class SizeCount(msgspec.Struct, frozen=True):
    """How many images measure width x height; 0x0 are those that cannot be decoded."""

    width: int
    height: int
    images: int


class Manifest(msgspec.Struct, frozen=True, rename={"map_name": "map", "records": "files"}):
    """One split of a dataset under one map, every file of it read.

    reader: `reader_key` of the dataset. ignored_pixels: labelled as not evaluated.
    """

    key: str
    split: str
    map_name: str
    label_space: str
    layout: str
    reader: str
    exclusions: tuple[str, ...]
    findings: tuple[Finding, ...]
    classes: tuple[ClassCount, ...]
    ignored_pixels: int
    sizes: tuple[SizeCount, ...]
    records: tuple[PairRecord, ...]

    @property
    def ok(self) -> bool:
        """Whether every finding was accepted, or there is none."""
        return all(finding.accepted for finding in self.findings)

    @property
    def bytes(self) -> int:
        """Of all images and labels; a label that several images share counts once."""
        files = {file.path: file.size for record in self.records for file in (record.image, record.label)}
        return sum(max(size, 0) for size in files.values())

    @property
    def split_hash(self) -> str:
        """One hash over names and contents: equal wherever and whenever the same files lie."""
        records = sorted(self.records, key=lambda record: record.key)
        lines = (f"{record.key}\0{record.image.digest}\0{record.label.digest}\n" for record in records)
        return digest_of(to_bytes("".join(lines)))

    def summary(self) -> dict[str, Any]:
        """Everything but the files, ready for JSON."""
        facts = msgspec.to_builtins(msgspec.structs.replace(self, records=()))
        del facts["files"]
        own = {"ok": self.ok, "split_hash": self.split_hash, "pairs": len(self.records), "bytes": self.bytes}
        return facts | own

    def write(self, path: Path) -> None:
        """Write it atomically, one line per pair."""
        head = json.dumps({"schema": SCHEMA, "version": VERSION, **self.summary()}, indent=2)
        lines = b",\n".join(map(encode_json, self.records)).decode()
        write_text(path, f'{head[:-2]},\n  "files": [\n{lines}\n]}}\n')


def reader_key(dataset: SegmentationDataset) -> str:
    """What records depend on besides the files: how labels are decoded and which ids they may hold."""
    label_map = dataset.label_map
    meaning = sorted(label_map.train_ids.items()), sorted(label_map.valid)
    facts = (label_map.name, (RECORD_VERSION, dataset.encoding.form, *meaning))
    return digest_of(repr(facts).encode(), size=12)


def manifest_places(dataset: SegmentationDataset) -> tuple[Path, Path]:
    """Where the manifest of `dataset` may lie: beside the data, or in the user's cache."""
    name = re.sub(r"[^\w.+@-]+", "_", f"manifest_{dataset.key}_{dataset.split}_{dataset.map_name}") + ".json"
    where = digest_of(to_bytes(str(dataset.root.resolve())), size=8)
    return dataset.root / ".spn" / name, user_cache() / "manifests" / where / name


def choose_place(dataset: SegmentationDataset) -> Path:
    """The first place that can be written, else the second."""
    beside, cached = manifest_places(dataset)
    try:
        write_text(beside.parent / ".gitignore", "*\n")
    except OSError:
        return cached
    return beside


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises DatasetError where it is damaged, of another version or edited."""
    try:
        values = read_json(path)
        if (values["schema"], values["version"]) != (SCHEMA, VERSION):
            raise ValueError(f"schema {values['schema']!r} version {values['version']}")
        manifest = msgspec.convert(values, Manifest, str_keys=True)
        if values["split_hash"] != manifest.split_hash:
            raise ValueError("its split hash does not follow from its files")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DatasetError(
            f"{path} is no manifest of spn data check ({error}); delete it, or repeat spn data check"
        ) from error
    return manifest


def verify_manifest(dataset: SegmentationDataset) -> str | None:
    """The split hash of the manifest of `dataset`; None if it was not checked. Known problems are a warning.

    Raises DatasetError if files came, went or changed since.
    """
    path = next(filter(os.path.isfile, manifest_places(dataset)), None)
    if path is None:
        return None
    manifest = read_manifest(path)
    if changes := list(_changes(manifest, dataset)):
        raise DatasetError(
            f"{dataset.key}: {dataset.root} (split {dataset.split}) changed since spn data check wrote {path}"
            f"{listing(changes)}\nRepeat spn data check on it (only what changed is read again), put the "
            "files back, or delete that manifest."
        )
    if found := {f.trap: len(f.items) for f in manifest.findings if not f.accepted}:
        text = "%s: spn data check found %d problem(s) here: %s"
        _log.warning(text, dataset.key, sum(found.values()), ", ".join(found))
    return manifest.split_hash


def _changes(manifest: Manifest, dataset: SegmentationDataset) -> Iterator[str]:
    if manifest.reader != reader_key(dataset):
        yield "the label map, or this spn's way of reading labels"
    known = {record.key: record for record in manifest.records}
    for pair in dataset.pairs:
        record = known.pop(pair.key, None)
        if record is None:
            yield f"{pair.key}: was not there"
        elif not record.is_current(pair, root=dataset.root):
            yield f"{pair.key}: other file names, sizes or times of change"
    yield from (f"{key}: is gone" for key in known)
