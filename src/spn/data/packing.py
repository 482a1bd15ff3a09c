"""Writes a split into one pack; an interrupted packing continues, a finished pack is verified.

Pairs are appended to a hidden file beside the pack, in order, each with the SHA-256 of its bytes. When the
command is repeated, that file is read again and cut off after the last sound pair of the same plan; it
becomes the pack by being renamed, after index and footer.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rich.progress import Progress

from spn.core.errors import DatasetError, UserError
from spn.core.files import sole_process
from spn.core.progress import count_task
from spn.data.base import SegmentationDataset, check_sizes
from spn.data.inspection import relative
from spn.data.pack_format import ENTRY_HEAD, SUFFIX, EntryHead, PackEntry, PackPlan, read_index, write_end
from spn.data.pack_tiles import TILE, ImageCodec, encode_plane
from spn.data.packed import map_file, verify_entry
from spn.data.pairs import listing


@dataclass(frozen=True)
class Packed:
    """pairs: in the pack. packed: now; the others by an earlier start. bytes: size of the file."""

    path: Path
    pairs: int
    packed: int
    bytes: int


class _EncodedPair(NamedTuple):
    head: EntryHead
    image: bytes
    label: bytes


def pack_dataset(
    dataset: SegmentationDataset,
    path: Path,
    *,
    images: ImageCodec,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Packed:
    """Pack every pair of `dataset` into `path`, with as many threads as cores if `workers` is not given.

    If `path` is already the pack of this very dataset, every entry of it is verified instead. Raises
    UserError where `path` is another pack, and DatasetError for a damaged pack or a pair that cannot be read.
    """
    if path.suffix != SUFFIX:
        raise UserError(f"the pack is to be {path}; wanted a name that ends in {SUFFIX}")
    plan = plan_pack(dataset, images=images)
    if path.exists():
        _verify(path, plan, progress=progress)
        return Packed(path, plan.pairs, 0, path.stat().st_size)
    partial = path.with_name(f".{path.name}.partial")
    taken = f"another process is packing {path}; wait for it, or choose another --out"
    try:
        with sole_process(partial, taken=taken), open(partial, "r+b") as file:
            entries = _continue(file, plan, dataset)
            kept = len(entries)
            with ThreadPoolExecutor(workers or os.cpu_count(), thread_name_prefix="pack") as pool:
                advance = count_task(
                    progress,
                    f"pack {dataset.key} {dataset.split}",
                    total=len(dataset),
                    completed=kept,
                    status=f"{kept} packed earlier" if kept else "",
                )
                for pair in _encode_ahead(dataset, range(kept, len(dataset)), pool=pool, images=images):
                    entries.append(_append(file, pair, dataset))
                    advance()
            write_end(file, plan, entries)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    return Packed(path, len(entries), len(entries) - kept, path.stat().st_size)


def plan_pack(dataset: SegmentationDataset, *, images: ImageCodec) -> PackPlan:
    """What the pack of `dataset` says of itself."""
    label_map = dataset.label_map
    return PackPlan(
        key=dataset.key,
        split=dataset.split,
        layout=dataset.layout,
        map_name=label_map.name,
        map_note=label_map.note,
        train_ids={str(label): label_map.train_ids[label] for label in sorted(label_map.train_ids)},
        valid=tuple(sorted(label_map.valid)),
        label_space=dataset.label_space.key,
        fingerprint=dataset.fingerprint(),
        split_hash=dataset.split_hash,
        exclusions=dataset.exclusions,
        pairs=len(dataset),
        images=images,
        tile=TILE,
    )


def _verify(path: Path, plan: PackPlan, *, progress: Progress | None) -> None:
    """Raises unless `path` is the pack of `plan` and every byte of its entries is as it was packed."""
    found, entries = read_index(path)
    if found != plan:
        raise UserError(
            f"{path} is another pack ({found.key} {found.split}, {found.pairs} pairs, images {found.images}) "
            "or the folder changed since; delete it, or choose another --out"
        )
    data = map_file(path)
    advance = count_task(progress, f"verify {plan.key} {plan.split}", total=plan.pairs)
    damaged = []
    for number, entry in enumerate(entries):
        if not verify_entry(data, number, entry):
            damaged.append(entry.key)
        advance()
    if damaged:
        raise DatasetError(
            f"{path} is damaged: {len(damaged)} of {plan.pairs} pairs do not agree with their checksums"
            f"{listing(damaged)}\nDelete it and repeat the command, or copy it again."
        )


def _continue(file: BinaryIO, plan: PackPlan, dataset: SegmentationDataset) -> list[PackEntry]:
    """The sound entries of an earlier start under the same plan; `file` is cut off and stands after them."""
    header = plan.header()
    entries: list[PackEntry] = []
    if file.read(len(header)) == header:
        end = len(header)
        while (entry := _read_entry(file, len(entries), dataset)) is not None:
            entries.append(entry)
            end = file.tell()
        file.seek(end)
    else:
        file.seek(0)
        file.write(header)
    file.truncate()
    return entries


def _read_entry(file: BinaryIO, number: int, dataset: SegmentationDataset) -> PackEntry | None:
    """The entry at which `file` stands, if it is whole, sound and pair `number`."""
    fields = file.read(ENTRY_HEAD)
    if len(fields) < ENTRY_HEAD or number == len(dataset):
        return None
    head = EntryHead.from_bytes(fields)
    start = file.tell()
    if head.number != number or head.image_bytes + head.label_bytes > os.fstat(file.fileno()).st_size - start:
        return None
    image, label = file.read(head.image_bytes), file.read(head.label_bytes)
    if EntryHead.of(number, (head.height, head.width), image, label) != head:
        return None
    return _entry(head, start, dataset)


def _append(file: BinaryIO, pair: _EncodedPair, dataset: SegmentationDataset) -> PackEntry:
    file.write(pair.head.to_bytes())
    start = file.tell()
    file.write(pair.image)
    file.write(pair.label)
    return _entry(pair.head, start, dataset)


def _entry(head: EntryHead, start: int, dataset: SegmentationDataset) -> PackEntry:
    pair = dataset.pairs[head.number]
    return PackEntry(
        pair.key,
        relative(pair.image, dataset.root),
        relative(pair.label, dataset.root),
        start,
        *head[1:5],
        head.sha256.hex(),
    )


def _encode(dataset: SegmentationDataset, number: int, *, images: ImageCodec) -> _EncodedPair:
    """Pair `number` in the form of the pack, checked as when it is read: size and ids."""
    pair = dataset.pairs[number]
    image, ids = dataset.read_image(number), dataset.read_ids(number)
    check_sizes(pair, image, ids)
    dataset.map_ids(ids, pair.label)
    picture, truth = encode_plane(image, codec=images), encode_plane(ids, codec="runs")
    return _EncodedPair(EntryHead.of(number, ids.shape, picture, truth), picture, truth)


def _encode_ahead(
    dataset: SegmentationDataset, numbers: range, *, pool: ThreadPoolExecutor, images: ImageCodec
) -> Iterator[_EncodedPair]:
    """Encoded pairs in order; only a few are held, however slow the disk is."""
    waiting: deque[Future[_EncodedPair]] = deque()
    try:
        for number in numbers:
            waiting.append(pool.submit(_encode, dataset, number, images=images))
            if len(waiting) > 2 * (os.cpu_count() or 1):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
