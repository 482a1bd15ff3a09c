"""Writes a split into one pack; an interrupted packing continues, a finished pack is verified.

Pairs go in order into a hidden database beside the pack, one transaction each, and it becomes the pack by
being renamed. However the command ends, SQLite keeps whole pairs; repeated, it continues after them.
"""

import errno
import os
import sqlite3
import zlib
from contextlib import closing, suppress
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from spn.core.errors import DatasetError, UserError
from spn.core.files import encode_json, sole_process
from spn.core.progress import count_task
from spn.core.threads import mapped
from spn.data import pack
from spn.data.base import SegmentationDataset
from spn.data.pack import TILE, ImageStorage, PackedDataset, PackedPair, PackPlan, seal, tile_id
from spn.data.traps import listing

_TABLES = """
    CREATE TABLE facts (name TEXT PRIMARY KEY, data BLOB);
    CREATE TABLE pairs (number INTEGER PRIMARY KEY, data BLOB);
    CREATE TABLE tiles (id INTEGER PRIMARY KEY, label BLOB, image BLOB);
"""
Rows = list[tuple[int, bytes, bytes]]


def pack_dataset(
    dataset: SegmentationDataset,
    path: Path,
    *,
    images: ImageStorage = "compressed",
    workers: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Pack every pair of `dataset` into `path`; returns how many are packed now, the others were earlier.

    Uses as many threads as cores if `workers` is not given. If `path` is already the pack of this very
    dataset, every tile of it is verified instead. Raises UserError where `path` is another pack or has
    another suffix, DatasetError where the pack is damaged or a pair cannot be read.
    """
    if path.suffix != pack.SUFFIX:
        raise UserError(f"the pack is to be {path}; wanted a name that ends in {pack.SUFFIX}")
    facts: dict[str, Any] = {name: getattr(dataset, name) for name in pack.FACTS}
    plan = PackPlan(**facts, fingerprint=dataset.fingerprint(), images=images, size=len(dataset))
    if path.exists():
        _verify(path, plan, progress=progress)
        return 0
    partial = path.with_name(f".{path.name}.partial")
    taken = f"another process is packing {path}; wait for it, or choose another --out"
    try:
        with sole_process(partial, taken=taken), closing(_continue(partial, plan)) as database:
            kept: int = database.execute("SELECT count(*) FROM pairs").fetchone()[0]
            status = f"{kept} packed earlier" if kept else ""
            title = f"pack {dataset.key} {dataset.split}"
            advance = count_task(progress, title, total=plan.size, completed=kept, status=status)
            threads = workers or os.cpu_count() or 1
            encoded = mapped(
                lambda number: _encode(dataset, number, images=images),
                range(kept, plan.size),
                threads=threads,
                name="pack",
            )
            with closing(encoded):
                for number, (entry, rows) in enumerate(encoded, kept):
                    write_pair(database, number, entry, rows)
                    advance()
        os.replace(partial, path)
    except sqlite3.Error as error:
        full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error), str(path)) from error
    return plan.size - kept


def write_pair(database: sqlite3.Connection, number: int, entry: PackedPair, rows: Rows) -> None:
    """Pair `number` and its tiles, both or neither."""
    with database:
        database.executemany("INSERT INTO tiles VALUES (?, ?, ?)", rows)
        database.execute("INSERT INTO pairs VALUES (?, ?)", (number, seal(encode_json(entry), number)))


def _verify(path: Path, plan: PackPlan, *, progress: Progress | None) -> None:
    """Raises unless `path` is the pack of `plan` and every tile of it is as it was packed."""
    packed = PackedDataset(path)
    if packed.plan != plan:
        raise UserError(
            f"{path} is another pack ({packed.key} {packed.split}, {len(packed)} pairs, images "
            f"{packed.plan.images}) or the folder changed since; delete it, or choose another --out"
        )
    advance = count_task(progress, f"verify {packed.key} {packed.split}", total=plan.size)
    damaged = []
    for number, pair in enumerate(packed.pairs):
        try:
            packed.read_image(number), packed.read_ids(number)
        except DatasetError:
            damaged.append(pair.key)
        advance()
    if damaged:
        raise DatasetError(
            f"{path} is damaged: {len(damaged)} of {plan.size} pairs do not agree with their checksums"
            f"{listing(damaged)}\nDelete it and repeat the command, or copy it again."
        )


def _continue(partial: Path, plan: PackPlan) -> sqlite3.Connection:
    """The database of an earlier start under the same plan, or a new one."""
    with suppress(sqlite3.DatabaseError, ValueError, zlib.error):
        database = sqlite3.connect(partial)
        if pack.read_plan(database) == plan:
            return database
        database.close()
    partial.write_bytes(b"")
    partial.with_name(f"{partial.name}-journal").unlink(missing_ok=True)
    database = sqlite3.connect(partial)
    with database:
        database.executescript(_TABLES)
        database.execute("INSERT INTO facts VALUES ('plan', ?)", (seal(encode_json(plan), pack.VERSION),))
    return database


def _encode(dataset: SegmentationDataset, number: int, *, images: ImageStorage) -> tuple[PackedPair, Rows]:
    """Pair `number` in the form of the pack, checked as when it is read: size and ids."""
    pair, rows = dataset.pairs[number], []
    image, ids = dataset[number].image, dataset.read_ids(number)
    for top, left in product(range(0, ids.shape[0], TILE), range(0, ids.shape[1], TILE)):
        place = slice(top, top + TILE), slice(left, left + TILE)
        pixels, level = image[place], 0
        if images == "compressed":
            pixels, level = np.diff(pixels, axis=1, prepend=np.uint8(0)), 6
        tile = tile_id(number, top // TILE, left // TILE)
        rows.append((tile, seal(ids[place].tobytes(), tile), seal(pixels.tobytes(), tile, level=level)))
    names = [path.relative_to(dataset.root).as_posix() for path in (pair.image, pair.label)]
    return (pair.key, names[0], names[1], ids.shape[0], ids.shape[1]), rows
