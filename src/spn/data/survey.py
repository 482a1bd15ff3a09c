"""A whole split examined: opened, every file of it read, and what was found put together into a manifest.

Threads, because reading, decoding and hashing release the interpreter's lock. Pairs that an earlier or an
interrupted check read are not read again while the sizes and times of their files are unchanged.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from rich.progress import Progress

from spn.core.classes import IGNORE
from spn.core.errors import DatasetError
from spn.core.progress import count_task
from spn.data.base import SegmentationDataset
from spn.data.catalogue import DataArgument
from spn.data.inspection import PairRecord, inspect_pair, reader_key
from spn.data.journal import Journal
from spn.data.manifest import (
    ClassCount,
    Manifest,
    SizeCount,
    choose_place,
    find_manifest,
    read_manifest,
    write_manifest,
)
from spn.data.packed import is_pack
from spn.data.pairs import PairingProblem
from spn.data.traps import Finding, Problem, gather_findings, trap_of_ids

_BDD_SIGNS: Final = ("images/100k", "labels/100k", "labels/det_20", "labels/det_20_labels", "100k", "det_20")


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
    inspect: Callable[..., PairRecord] = inspect_pair,
) -> Survey:
    """Examine the split that `argument` names and write its manifest; of several splits, also one for each.

    accept: traps that are listed but do not count as failures; None: those that the last manifest accepts.
    again: read even what was read before.
    inspect: another reader of pairs, for tests. Raises DatasetError only where the manifest's place is not
    writable or the argument itself is wrong.
    """
    if is_pack(argument.root):
        raise DatasetError(f"{argument.root} is a pack; check its folder, and verify it with spn data pack")
    unpaired: list[PairingProblem] = []
    try:
        dataset = argument.open(check=False, problems=unpaired)
    except DatasetError as error:
        problems = [*_pairing_problems(unpaired), *_opening_problems(argument, str(error))]
        return Survey(argument, gather_findings(problems, accept=accept or ()))
    path = choose_place(dataset)
    journal = Journal(path, reader=reader_key(dataset.encoding, dataset.label_map))
    last = _last_manifest(dataset)
    known = {} if again else _known_records(dataset, path.parent, journal)
    if accept is None:
        accept = {finding.trap for finding in last.findings if finding.accepted} if last else ()
    records, read = _read_pairs(dataset, known, journal, workers=workers, progress=progress, inspect=inspect)
    problems = [
        *_pairing_problems(unpaired),
        *_package_problems(dataset.key, dataset.root, unpaired=unpaired, pairs=len(dataset)),
        *(problem for record in records for problem in record.problems),
        *_split_problems(dataset, records),
    ]
    manifest = _summarise(dataset, records, gather_findings(problems, accept=accept))
    write_manifest(path, manifest)
    journal.remove()
    parts = dataset.split.split("+")
    for part in parts if len(parts) > 1 else ():  # so that training on one of them finds its manifest
        survey_dataset(replace(argument, split=part), accept=accept, workers=workers)
    return Survey(argument, manifest.findings, dataset, manifest, path, read, len(records) - read)


def _last_manifest(dataset: SegmentationDataset) -> Manifest | None:
    """The manifest of the last check; None if there is none, or none that can be read."""
    path = find_manifest(dataset)
    try:
        return None if path is None else read_manifest(path)
    except DatasetError:
        return None


def _known_records(dataset: SegmentationDataset, folder: Path, journal: Journal) -> dict[str, PairRecord]:
    """Records of earlier checks, of any split in `folder`, and of an interrupted one that still hold."""
    known: dict[str, PairRecord] = {}
    for path in sorted(folder.glob(f"manifest_{dataset.key}_*.json")):
        with contextlib.suppress(DatasetError):
            manifest = read_manifest(path)
            if manifest.reader == reader_key(dataset.encoding, dataset.label_map):
                known |= {record.key: record for record in manifest.records}
    known |= journal.read()
    return {
        pair.key: record
        for pair in dataset.pairs
        if (record := known.get(pair.key)) is not None and record.is_current(pair, root=dataset.root)
    }


def _read_pairs(
    dataset: SegmentationDataset,
    known: Mapping[str, PairRecord],
    journal: Journal,
    *,
    workers: int | None,
    progress: Progress | None,
    inspect: Callable[..., PairRecord],
) -> tuple[tuple[PairRecord, ...], int]:
    """Every record in the order of the pairs, and how many were read now."""
    missing = [pair for pair in dataset.pairs if pair.key not in known]
    found = dict(known)
    advance = count_task(
        progress,
        f"read {dataset.key} {dataset.split}",
        total=len(dataset),
        completed=len(known),
        status=f"{len(known)} read earlier" if known else "",
    )
    with ThreadPoolExecutor(workers or os.cpu_count(), thread_name_prefix="check") as pool:
        try:
            for record in pool.map(
                lambda pair: inspect(
                    pair, root=dataset.root, encoding=dataset.encoding, label_map=dataset.label_map
                ),
                missing,
            ):
                found[record.key] = record
                journal.append(record)
                advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(found[pair.key] for pair in dataset.pairs), len(missing)


def _pairing_problems(unpaired: Iterable[PairingProblem]) -> list[Problem]:
    return [
        Problem(problem.trap, f"{file}: {problem.text}" if file else problem.text)
        for problem in unpaired
        for file in (problem.files or ("",))
    ]


def _opening_problems(argument: DataArgument, message: str) -> list[Problem]:
    package = _package_problems(argument.key, argument.root, unpaired=(), pairs=0)
    return [*package, Problem("layout", message)]


def _package_problems(
    key: str, root: Path, *, unpaired: Collection[PairingProblem], pairs: int
) -> list[Problem]:
    """BDD's detection package: its folders are there and nothing pairs, or most images have no label."""
    if key != "bdd100k" or not root.is_dir():
        return []
    signs = [name for name in _BDD_SIGNS if (root / name).is_dir()]
    signs += sorted(path.relative_to(root).as_posix() for path in root.glob("labels/*det*.json"))
    if signs and not pairs:
        return [Problem("bdd-package", f"{root} holds {', '.join(signs)}")]
    without = sum(len(p.files) for p in unpaired if p.trap == "orphan" and p.text.startswith("image"))
    if without > pairs:
        return [Problem("bdd-package", f"{without} of {without + pairs} images have no segmentation label")]
    return []


def _split_problems(dataset: SegmentationDataset, records: Iterable[PairRecord]) -> list[Problem]:
    """What only all records together show: equal images, and ids that are possible but not plausible."""
    records = list(records)
    problems = []
    twins: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if record.pixels:
            twins[record.pixels].append(record.image.path)
    problems += [Problem("duplicate", " = ".join(names)) for names in twins.values() if len(names) > 1]
    ids = {label for record in records for label in record.ids}
    label_map = dataset.label_map
    if ids and not ids & set(label_map.train_ids):
        problems.append(Problem("no-ground-truth", f"only ids {sorted(ids)} in {len(records)} labels"))
    elif ids <= label_map.valid and not any(trap_of_ids(record.ids, label_map) for record in records):
        if label_map.name == "labelIds" and 7 not in ids and max(ids, default=99) <= 18:
            text = f"all {len(records)} labels: no road (7) and nothing above 18, only ids {sorted(ids)}"
            problems.append(Problem("trainIds-as-labelIds", text))
        if label_map.name == "v2.0" and max(ids, default=99) <= 65:
            text = f"all {len(records)} labels: no id above 65, as in v1.2; v2.0 has 124 ids"
            problems.append(Problem("mapillary-release", text))
    return problems


def _summarise(
    dataset: SegmentationDataset, records: tuple[PairRecord, ...], findings: tuple[Finding, ...]
) -> Manifest:
    table = dataset.label_map.table()
    pixels, images = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for record in records:
        counts = np.zeros(256, np.int64)
        for label, count in record.ids.items():
            counts[table[label]] += count
        pixels += counts
        images += counts > 0
    sizes = Counter((record.image.width, record.image.height) for record in records)
    return Manifest(
        key=dataset.key,
        split=dataset.split,
        map_name=dataset.map_name,
        label_space=dataset.label_space.key,
        layout=dataset.layout,
        reader=reader_key(dataset.encoding, dataset.label_map),
        exclusions=dataset.exclusions,
        findings=findings,
        classes=tuple(
            ClassCount(name, int(pixels[index]), int(images[index]))
            for index, name in enumerate(dataset.label_space.names)
        ),
        ignored_pixels=int(pixels[IGNORE]),
        sizes=tuple(SizeCount(*size, count) for size, count in sorted(sizes.items())),
        records=records,
    )
