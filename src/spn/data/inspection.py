"""One pair of image and label, read from the first byte to the last pixel: what it is, and what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from spn.core.errors import DatasetError
from spn.core.label_maps import LabelMap
from spn.core.runs import find_runs
from spn.data.base import Pair, SegmentationDataset
from spn.data.encodings import LabelEncoding
from spn.data.files import TruncatedFileError, decode_header, decode_rgb, read_bytes
from spn.data.manifest import FileRecord, PairRecord
from spn.data.traps import Problem


def inspect_pair(pair: Pair, dataset: SegmentationDataset) -> PairRecord:
    """Read and decode both files completely. Whatever is wrong with them is in the record, never raised."""
    root, encoding, label_map = dataset.root, dataset.encoding, dataset.label_map
    problems: list[Problem] = []
    image, _, rgb = _read(pair.image, root, decode_rgb, problems)
    label, data, stored = _read(pair.label, root, encoding.decode_pixels, problems)
    if rgb is not None and (rgb[::16, ::16] == rgb[0, 0]).all() and (rgb == rgb[0, 0]).all():
        problems.append(Problem("single-colour", f"{image.path} is {tuple(rgb[0, 0].tolist())} everywhere"))
    ids = {} if stored is None else _inspect_label(pair.label, label.path, data, stored, encoding, problems)
    if trap := trap_of_ids(ids, label_map):
        why = label_map.explain(ids) if set(ids) - label_map.valid else f"holds ids {sorted(ids)}"
        problems.append(Problem(trap, f"{label.path}: {why}"))
    if image.width and label.width and (image.width, image.height) != (label.width, label.height):
        trap = "transposed" if (image.width, image.height) == (label.height, label.width) else "size-mismatch"
        size = f"{image.path} is {image.width}x{image.height}"
        problems.append(Problem(trap, f"{size}, its label {label.path} is {label.width}x{label.height}"))
    pixels = "" if rgb is None else _digest(np.ascontiguousarray(rgb).data)
    return PairRecord(pair.key, image, label, pixels, ids, tuple(problems))


def _read(
    path: Path, root: Path, decode: Callable[[bytes, Path], NDArray[Any]], problems: list[Problem]
) -> tuple[FileRecord, bytes, NDArray[Any] | None]:
    """The record of a file, its bytes and its pixels; no pixels where a problem says why."""
    record = FileRecord.of(path, root)
    try:
        data = read_bytes(path)
    except DatasetError as error:
        if isinstance(error, TruncatedFileError) or record.size == 0:
            text = str(error) if record.size else f"{record.path} is empty"
            problems.append(Problem("truncated", text))
        else:
            problems.append(Problem("unreadable" if error.__cause__ else "damaged", str(error)))
        return record, b"", None
    try:
        pixels, size = decode(data, path), decode_header(data)
    except (DatasetError, OSError, ValueError) as error:
        problems.append(Problem("damaged", str(error)))
        return msgspec.structs.replace(record, digest=_digest(data)), data, None
    return msgspec.structs.replace(record, digest=_digest(data), width=size[0], height=size[1]), data, pixels


def _inspect_label(
    path: Path, name: str, data: bytes, stored: NDArray[Any], encoding: LabelEncoding, problems: list[Problem]
) -> dict[int, int]:
    """The pixels of each id that a label holds; none where it is stored otherwise."""
    header = decode_header(data)
    if misfit := encoding.header_problem(header):
        colours = header.bits == 8 and header.channels >= 3
        trap = "colour-map" if colours else encoding.trap or "bit-depth"
        problems.append(Problem(trap, f"{name}: {misfit}"))
        return {}
    try:
        ids = count_ids(encoding.ids_of(stored, path))
    except DatasetError as error:
        problems.append(Problem(encoding.trap or "colour-map", str(error)))
        return {}
    if encoding.channel is not None and set(ids) == {0} and stored[..., :3].any():
        text = f"{name}: the channel of ids is empty, others are not; were they swapped or split?"
        problems.append(Problem(encoding.trap or "colour-map", text))
    return ids


def trap_of_ids(ids: Iterable[int], label_map: LabelMap) -> str | None:
    """The trap that the ids of one label are in under `label_map`; None if they are in none."""
    present = set(ids)
    if confusion := label_map.confused(present):
        return confusion.trap
    return None if present <= label_map.valid else "impossible-ids"


def count_ids(ids: NDArray[np.uint8]) -> dict[int, int]:
    """Pixels of every id that occurs in `ids` [H, W]."""
    runs = find_runs(ids.ravel())
    counts = np.bincount(runs.values, runs.lengths)
    return {label: int(counts[label]) for label in np.flatnonzero(counts).tolist()}


def _digest(data: bytes | memoryview) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
