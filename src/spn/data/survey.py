"""A whole split examined: every file of it read to the last pixel, and what was found put into a manifest.

Threads, because reading, decoding and hashing release the interpreter's lock. Pairs that an earlier or an
interrupted check read are not read again while the sizes and times of their files are unchanged.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from spn.core.classes import IGNORE
from spn.core.errors import DatasetError
from spn.core.label_maps import LabelMap
from spn.core.progress import count_task
from spn.core.runs import find_runs
from spn.data.base import Pair, SegmentationDataset
from spn.data.encodings import LabelEncoding
from spn.data.files import TruncatedFileError, decode_header, decode_rgb, read_bytes
from spn.data.manifest import (
    ClassCount,
    FileRecord,
    Manifest,
    PairRecord,
    SizeCount,
    choose_place,
    find_manifest,
    read_manifest,
    reader_key,
)
from spn.data.pack import is_pack
from spn.data.registry import DataArgument, built_in
from spn.data.traps import Finding, Problem, gather_findings

JOURNAL: Final = ".journal"
"""Ends the name of the file beside a manifest where an unfinished check keeps what it read, a line a pair."""


@dataclass(frozen=True)
class Survey:
    """What was found. dataset, manifest, path: None if no layout fits, so that nothing could be read.

    read, kept: pairs read now, and pairs whose records of an earlier check still hold.
    """

    argument: DataArgument
    findings: tuple[Finding, ...]
    dataset: SegmentationDataset | None = None
    manifest: Manifest | None = None
    path: Path | None = None
    read: int = 0
    kept: int = 0

    @property
    def ok(self) -> bool:
        return self.manifest is not None and all(finding.accepted for finding in self.findings)


def survey_dataset(
    argument: DataArgument,
    *,
    accept: Collection[str] | None = None,
    again: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Survey:
    """Examine the split that `argument` names and write its manifest; of several splits, also one for each.

    accept: traps that are listed but do not count as failures; None: as the last manifest has them. again:
    whether to read even what was read before. workers: threads; as many as cores if None. Raises DatasetError
    only where the argument itself is wrong.
    """
    if is_pack(argument.root):
        raise DatasetError(f"{argument.root} is a pack; check its folder, and verify it with spn data pack")
    problems: list[Problem] = []
    try:
        dataset = argument.open(check=False, problems=problems)
    except DatasetError as error:
        problems += [*_package_problems(argument, problems, pairs=0), Problem("layout", str(error))]
        return Survey(argument, gather_findings(problems, accept=accept or ()))
    path = choose_place(dataset)
    journal = path.with_name(path.name + JOURNAL)
    if accept is None:
        last = find_manifest(dataset)
        with contextlib.suppress(DatasetError):
            accept = {f.trap for f in (read_manifest(last).findings if last else ()) if f.accepted}
    known = {} if again else _known_records(dataset, path.parent, journal)
    records = _read_pairs(dataset, known, journal, workers=workers, progress=progress)
    problems += _package_problems(argument, problems, pairs=len(dataset))
    problems += [problem for record in records for problem in record.problems]
    problems += _split_problems(dataset, records)
    manifest = _summarise(dataset, records, gather_findings(problems, accept=accept or ()))
    manifest.write(path)
    journal.unlink(missing_ok=True)
    parts = dataset.split.split("+")
    for part in parts if len(parts) > 1 else ():  # so that training on one of them finds its manifest
        survey_dataset(replace(argument, split=part), accept=accept, workers=workers)
    read = len(records) - len(known)
    return Survey(argument, manifest.findings, dataset, manifest, path, read, len(known))


def _known_records(dataset: SegmentationDataset, folder: Path, journal: Path) -> dict[str, PairRecord]:
    """Records of earlier checks, of any split in `folder`, and of an interrupted one that still hold."""
    reader = reader_key(dataset)
    records: list[PairRecord] = []
    for path in sorted(folder.glob(f"manifest_{dataset.key}_*.json")):
        with contextlib.suppress(DatasetError):
            manifest = read_manifest(path)
            records += manifest.records if manifest.reader == reader else ()
    for line in journal.read_bytes().splitlines() if journal.is_file() else ():
        with contextlib.suppress(msgspec.DecodeError):  # a line that was cut off
            key, record = msgspec.json.decode(line, type=tuple[str, PairRecord])
            records += [record] if key == reader else []
    known = {record.key: record for record in records}
    wanted = {pair.key: pair for pair in dataset.pairs if pair.key in known}
    return {k: known[k] for k, pair in wanted.items() if known[k].is_current(pair, root=dataset.root)}


def _read_pairs(
    dataset: SegmentationDataset,
    known: Mapping[str, PairRecord],
    journal: Path,
    *,
    workers: int | None,
    progress: Progress | None,
) -> tuple[PairRecord, ...]:
    """Every record in the order of the pairs; what is read now goes into the journal at once."""
    reader, found = reader_key(dataset), dict(known)
    title, status = f"read {dataset.key} {dataset.split}", f"{len(known)} read earlier" if known else ""
    advance = count_task(progress, title, total=len(dataset), completed=len(known), status=status)
    with ThreadPoolExecutor(workers or os.cpu_count(), thread_name_prefix="check") as pool:
        missing = [pair for pair in dataset.pairs if pair.key not in known]
        try:
            for record in pool.map(lambda pair: inspect_pair(pair, dataset), missing):
                found[record.key] = record
                with open(journal, "ab") as file:  # the line break first: it ends a line that was cut off
                    file.write(b"\n" + msgspec.json.encode((reader, record)))
                advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(found[pair.key] for pair in dataset.pairs)


def _package_problems(argument: DataArgument, unpaired: Iterable[Problem], *, pairs: int) -> list[Problem]:
    """Another package of the same name: it is there and nothing pairs, or most images have no label."""
    declaration = built_in().get(argument.key)
    if declaration is None or not declaration.other_package or not argument.root.is_dir():
        return []
    trap, root = declaration.other_package_trap, argument.root
    signs = {
        path.relative_to(root).as_posix() for glob in declaration.other_package for path in root.glob(glob)
    }
    without = sum(len(p.files) for p in unpaired if p.trap == "orphan" and p.text.startswith("image"))
    if signs and not pairs:
        return [Problem(trap, f"{root} holds {', '.join(sorted(signs))}")]
    text = f"{without} of {without + pairs} images have no segmentation label"
    return [Problem(trap, text)] if without > pairs else []


def _split_problems(dataset: SegmentationDataset, records: Collection[PairRecord]) -> list[Problem]:
    """What only all records together show: equal images, and ids that are possible but not plausible."""
    twins = defaultdict(list)
    for record in records:
        twins[record.pixels].append(record.image.path)
    twins.pop("", None)
    problems = [Problem("duplicate", " = ".join(names)) for names in twins.values() if names[1:]]
    ids, label_map = {label for record in records for label in record.ids}, dataset.label_map
    if ids and not ids & set(label_map.train_ids):
        problems.append(Problem("no-ground-truth", f"only ids {sorted(ids)} in {len(records)} labels"))
    elif (other := label_map.confused_throughout(ids)) and not any(
        trap_of_ids(record.ids, label_map) for record in records
    ):
        problems.append(Problem(other.trap, f"all {len(records)} labels: {other.text} (ids {sorted(ids)})"))
    return problems


def _summarise(
    dataset: SegmentationDataset, records: tuple[PairRecord, ...], findings: tuple[Finding, ...]
) -> Manifest:
    table, names = dataset.label_map.table(), dataset.label_space.names
    stored = np.zeros((len(records), 256), np.int64)
    for row, record in zip(stored, records, strict=True):
        np.add.at(row, table[[*record.ids]], [*record.ids.values()])
    pixels, images = stored.sum(axis=0).tolist(), (stored > 0).sum(axis=0).tolist()
    sizes = Counter((record.image.width, record.image.height) for record in records)
    return Manifest(
        key=dataset.key,
        split=dataset.split,
        map_name=dataset.map_name,
        label_space=dataset.label_space.key,
        layout=dataset.layout,
        reader=reader_key(dataset),
        exclusions=dataset.exclusions,
        findings=findings,
        classes=tuple(ClassCount(*figures) for figures in zip(names, pixels, images, strict=False)),
        ignored_pixels=pixels[IGNORE],
        sizes=tuple(SizeCount(*size, count) for size, count in sorted(sizes.items())),
        records=records,
    )


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
