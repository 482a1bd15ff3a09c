"""A whole split examined: every file of it read to the last pixel, and what was found put into a manifest.

Threads, because reading, decoding and hashing release the interpreter's lock. Pairs that an earlier check
read are not read again while the sizes and times of their files are unchanged; a long check keeps what it has
read so far in an unfinished manifest beside the last one.
"""

import io
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from spn.core.classes import IGNORE
from spn.core.errors import DatasetError
from spn.core.files import digest_of
from spn.core.progress import count_task
from spn.core.threads import mapped
from spn.data.base import Pair, SegmentationDataset, size_problem
from spn.data.expectations import is_street
from spn.data.files import (
    blend_signs,
    decode_header,
    decode_rgb,
    decode_stored,
    has_colour_profile,
    read_bytes,
)
from spn.data.manifest import (
    ClassCount,
    FileRecord,
    Manifest,
    PairRecord,
    SizeCount,
    choose_place,
    read_manifest,
    reader_key,
)
from spn.data.overlap import find_overlaps, is_training, look_of, part_of
from spn.data.pack import is_pack
from spn.data.plausibility import find_implausible, mean_heights
from spn.data.registry import DataArgument
from spn.data.sketches import GRID, Sketch, find_misfits, sampled_places, sketch_image, sketch_label
from spn.data.traps import Finding, Problem, gather_findings

_log: Final = logging.getLogger(__name__)
_Keyed = TypeVar("_Keyed", Pair, PairRecord)
PART: Final = 500
"""After so many pairs, what was read is kept in an unfinished manifest."""


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
        return self.manifest is not None and self.manifest.ok


def survey_dataset(
    argument: DataArgument,
    *,
    accept: Collection[str] | None = None,
    again: bool = False,
    beside: Sequence[Survey] = (),
    workers: int | None = None,
    progress: Progress | None = None,
) -> Survey:
    """Examine the split that `argument` names and write its manifest; of several splits, also one for each.

    accept: traps that are listed but do not count as failures; None: as the last manifest has them. again:
    whether to read even what was read before. beside: surveys whose images are compared with these. workers:
    threads; as many as cores if None. Raises DatasetError
    only where the argument itself is wrong.
    """
    if is_pack(argument.root):
        raise DatasetError(f"{argument.root} is a pack; check its folder, and verify it with spn data pack")
    try:
        dataset, problems = argument.find()
    except DatasetError as error:
        return Survey(argument, gather_findings([Problem(error.trap, str(error))], accept=accept or ()))
    path = choose_place(dataset)
    earlier = {}
    for place in sorted(path.parent.glob(f"manifest_{dataset.key}_*.json")):
        with suppress(DatasetError):
            earlier[place] = read_manifest(place)
    if accept is None:
        accept = [f.trap for f in earlier[path].findings if f.accepted] if path in earlier else ()
    kept = [] if again else [last for last in earlier.values() if last.reader == reader_key(dataset)]
    records = {record.key: record for last in kept for record in last.records}
    known = {
        pair.key: records[pair.key]
        for pair in dataset.pairs
        if pair.key in records and records[pair.key].is_current(pair, root=dataset.root)
    }
    unfinished = path.with_suffix(".unfinished.json")
    title, status = f"read {dataset.key} {dataset.split}", f"{len(known)} read earlier" if known else ""
    advance = count_task(progress, title, total=len(dataset), completed=len(known), status=status)
    found, missing = dict(known), [pair for pair in dataset.pairs if pair.key not in known]
    parts = _by_part(dataset.split, dataset.pairs)
    sampled = {pairs[place].key for pairs in parts for place in sampled_places(len(pairs))}
    threads = workers or os.cpu_count() or 1
    inspected = mapped(lambda pair: inspect_pair(pair, dataset), missing, threads=threads, name="check")
    with closing(inspected):
        for number, record in enumerate(inspected, 1):
            kept_sketch = record.sketch if record.key in sampled else None
            found[record.key] = msgspec.structs.replace(record, sketch=kept_sketch)
            if number % PART == 0:
                _written(_summarise(dataset, found.values()), unfinished)
            advance()
    complete = [found[pair.key] for pair in dataset.pairs]
    problems += _content_problems(dataset, complete)
    manifests = [_without_gone(manifest, dataset.root) for manifest in earlier.values()]
    manifests += [survey.manifest for survey in beside if survey.manifest is not None]
    problems += find_overlaps(argument, dataset.split, complete, manifests)
    manifest = _summarise(dataset, complete, problems, accept)
    there = path if _written(manifest, path) else None
    if there is not None:
        unfinished.unlink(missing_ok=True)
    names = dataset.split.split("+")
    for part in names if len(names) > 1 else ():  # so that training on one of them finds its manifest
        survey_dataset(replace(argument, split=part), accept=accept, workers=workers)
    return Survey(argument, manifest.findings, dataset, manifest, there, len(missing), len(known))


def _without_gone(manifest: Manifest, root: Path) -> Manifest:
    there = tuple(record for record in manifest.records if (root / record.image.path).exists())
    return msgspec.structs.replace(manifest, records=there)


def _by_part(split: str, items: Iterable[_Keyed]) -> list[list[_Keyed]]:
    """`items` by the part of the split that they are of."""
    groups: dict[str, list[_Keyed]] = defaultdict(list)
    for item in items:
        groups[part_of(split, item.key)].append(item)
    return list(groups.values())


def _content_problems(dataset: SegmentationDataset, records: Sequence[PairRecord]) -> Iterator[Problem]:
    """What the labels of a part show together that each alone does not: other content, other images."""
    label_map, names = dataset.label_map, dataset.label_space.names
    for part in _by_part(dataset.split, records):
        if label_map.confused_throughout(set().union(*(record.ids for record in part))):
            continue
        yield from find_implausible(part, label_map, names, dataset.expect)
        sketches = {r.image.path: r.sketch for r in part if r.sketch is not None and not r.problems}
        yield from find_misfits(sketches, visible=is_street(label_map, names, dataset.expect))


def _written(manifest: Manifest, path: Path) -> bool:
    """Whether it could be written; a verdict needs no file."""
    try:
        manifest.write(path)
    except OSError as error:
        _log.warning("no manifest was written (%s): later commands will not see that files changed", error)
        return False
    return True


def _summarise(
    dataset: SegmentationDataset,
    records: Collection[PairRecord],
    problems: Iterable[Problem] = (),
    accept: Collection[str] = (),
) -> Manifest:
    """Counts and findings, also of what only all records together show: equal images, implausible ids."""
    label_map, table, names = dataset.label_map, dataset.label_map.table().tolist(), dataset.label_space.names
    pixels: Counter[int] = Counter()
    images: Counter[int] = Counter()
    twins, found, present = defaultdict(list), list(problems), set[int]()
    for record in records:
        found += record.problems
        present |= record.ids.keys()
        side = is_training(part_of(dataset.split, record.key))  # images on both are another trap
        twins[record.pixels, side].append(record.image.path)
        images.update({table[label] for label in record.ids})
        for label, count in record.ids.items():
            pixels[table[label]] += count
    found += [
        Problem("duplicate", " = ".join(paths))
        for (digest, _), paths in twins.items()
        if digest and paths[1:]
    ]
    doubt = label_map.confused_throughout(present)
    if doubt and not any(label_map.confused(record.ids) for record in records):
        text = f"all {len(records)} labels: {doubt.text} (ids {sorted(present)})"
        found.append(Problem(doubt.trap, text))
    sizes = Counter((record.image.width, record.image.height) for record in records)
    return Manifest(
        key=dataset.key,
        split=dataset.split,
        map_name=dataset.map_name,
        label_space=dataset.label_space.key,
        layout=dataset.layout,
        reader=reader_key(dataset),
        exclusions=dataset.exclusions,
        findings=gather_findings(found, accept=accept),
        classes=tuple(ClassCount(name, pixels[c], images[c]) for c, name in enumerate(names)),
        ignored_pixels=pixels[IGNORE],
        sizes=tuple(SizeCount(*size, count) for size, count in sorted(sizes.items())),
        records=tuple(records),
    )


def inspect_pair(pair: Pair, dataset: SegmentationDataset) -> PairRecord:
    """Read and decode both files completely. Whatever is wrong with them is in the record, never raised."""
    root, encoding, label_map = dataset.root, dataset.encoding, dataset.label_map
    problems: list[Problem] = []

    def decode_label(data: bytes, path: Path) -> NDArray[np.uint8]:
        if has_colour_profile(data):
            text = f"{path.relative_to(root).as_posix()} carries an ICC profile"
            problems.append(Problem("colour-managed", text))
        return encoding.decode(data, path)

    image, rgb = _read(pair.image, root, decode_rgb, problems)
    label, stored = _read(pair.label, root, decode_label, problems)
    if rgb is not None and (rgb[::16, ::16] == rgb[0, 0]).all() and (rgb == rgb[0, 0]).all():
        problems.append(Problem("single-colour", f"{image.path} is {tuple(rgb[0, 0].tolist())} everywhere"))
    ids = {} if stored is None else count_ids(stored)
    if (
        encoding.channel is not None
        and set(ids) == {0}
        and decode_stored(read_bytes(pair.label), pair.label)[..., :3].any()
    ):
        text = f"{label.path}: the channel of ids is empty, others are not; were they swapped or split?"
        problems.append(Problem(encoding.trap or "colour-map", text))
    if stored is not None and (signs := blend_signs(stored)):
        problems.append(Problem("lossy-label", f"{label.path}: {signs}"))
    if doubt := label_map.confused(ids):
        why = label_map.explain(ids) if set(ids) - label_map.valid else f"holds ids {sorted(ids)}"
        problems.append(Problem(doubt.trap, f"{label.path}: {why}"))
    if image.width and label.width:
        sizes = (image.width, image.height), (label.width, label.height)
        problems += filter(None, [size_problem(pair, *sizes)])
    if rgb is None:
        return PairRecord(pair.key, image, label, "", ids, tuple(problems))
    pixels, brightness, sketch = digest_of(np.ascontiguousarray(rgb).data), sketch_image(rgb), None
    if stored is not None and min(stored.shape) >= GRID:
        sketch = Sketch(brightness.tobytes(), label_map.table()[sketch_label(stored)].tobytes())
    heights, look = {} if stored is None else mean_heights(stored), look_of(brightness)
    return PairRecord(pair.key, image, label, pixels, ids, tuple(problems), heights, look, sketch)


def _read(
    path: Path, root: Path, decode: Callable[[bytes, Path], NDArray[np.uint8]], problems: list[Problem]
) -> tuple[FileRecord, NDArray[np.uint8] | None]:
    """The record of a file, and its pixels; none where a problem says why."""
    record, pixels = FileRecord.of(path, root), None
    try:
        data = read_bytes(path)
        record = msgspec.structs.replace(record, digest=digest_of(data))
        try:
            pixels = decode(data, path)
        except DatasetError as error:  # a whole image, perhaps, but no label
            if error.trap == "damaged":
                raise
            problems.append(Problem(error.trap, str(error)))
        header = decode_header(io.BytesIO(data))
        return msgspec.structs.replace(record, width=header.width, height=header.height), pixels
    except DatasetError as error:
        problems.append(Problem(error.trap, str(error)))
    except (OSError, ValueError) as error:
        problems.append(Problem("damaged", f"{path}: {error}"))
    return record, None


def count_ids(ids: NDArray[np.uint8]) -> dict[int, int]:
    """Pixels of every id that occurs in `ids` [H, W]."""
    return {label: count for label, count in enumerate(np.bincount(ids.ravel()).tolist()) if count}
