"""What is verified when a dataset is opened: every header, and the ids of a few labels.

Headers are read in parallel threads (a few bytes of each file): sizes of image and label agree, labels are
stored as ids and not as colours, PNG files are not cut off. The ids of every label are verified when it is
read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from spn.core.errors import DatasetError
from spn.data.base import SegmentationDataset, explain_ids
from spn.data.discovery import EXCLUSIONS
from spn.data.encodings import LabelEncoding
from spn.data.files import read_header
from spn.data.pairs import Pair, listing

_LABELS_READ: Final = 3


def check_dataset(dataset: SegmentationDataset) -> None:
    """Raises DatasetError that lists what is wrong with headers or with the ids of the first labels."""
    problems = header_problems(dataset.pairs, encoding=dataset.encoding)
    if problems:
        raise DatasetError(
            f"{dataset.key}: {len(problems)} of {len(dataset)} pairs of split {dataset.split} under "
            f"{dataset.root} cannot be used{listing(problems)}\nReplace these files, or leave the images out "
            f"by naming them in {dataset.root / EXCLUSIONS}, one a line (stem, then # and the reason)."
        )
    check_first_ids(dataset)


def header_problems(pairs: tuple[Pair, ...], *, encoding: LabelEncoding) -> list[str]:
    """One line for each pair whose files cannot be a pair, judged by their headers."""

    def of_chunk(chunk: tuple[Pair, ...]) -> list[str]:
        return [problem for pair in chunk if (problem := _pair_problem(pair, encoding)) is not None]

    chunks = [pairs[start : start + 256] for start in range(0, len(pairs), 256)]
    if len(chunks) <= 1:
        return [problem for chunk in chunks for problem in of_chunk(chunk)]
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        return [problem for problems in pool.map(of_chunk, chunks) for problem in problems]


def _pair_problem(pair: Pair, encoding: LabelEncoding) -> str | None:
    try:
        image, label = read_header(pair.image), read_header(pair.label)
    except DatasetError as error:
        return str(error)
    if image[:2] == label[:2]:
        problem = encoding.header_problem(label)
        return None if problem is None else f"{pair.label}: {problem}"
    transposed = "; one of them is transposed" if image[:2] == label[1::-1] else ""
    return (
        f"{pair.image} is {image.width}x{image.height}, its label {pair.label} is "
        f"{label.width}x{label.height}{transposed}"
    )


def check_first_ids(dataset: SegmentationDataset) -> None:
    """Read a few labels, spread over the dataset, and refuse ids that contradict the map.

    Besides ids that cannot occur: labelIds in which no evaluated road, nor any id above 18, is found, but
    classes of trainIds are (the confusion that scores 0.4% mIoU), and labels without any evaluated pixel.
    """
    places = sorted({int(place) for place in np.linspace(0, len(dataset) - 1, _LABELS_READ)})
    ids: set[int] = set()
    for place in places:
        found = set(np.unique(dataset.read_ids(place)).tolist())
        if not found <= dataset.label_map.valid:
            path = dataset.pairs[place].label
            raise DatasetError(
                f"{dataset.key}: label {path}: {explain_ids(dataset.label_map, sorted(found))}"
            )
        ids |= found
    files = _names(dataset.pairs[place].label for place in places)
    if not ids & set(dataset.label_map.train_ids):
        raise DatasetError(
            f"{dataset.key}: labels of split {dataset.split} hold no evaluated class (ids {sorted(ids)} in "
            f"{files}); a test split whose ground truth is withheld cannot be used"
        )
    if dataset.map_name == "labelIds" and 7 not in ids and max(ids) <= 18 and ids & set(range(4, 19)):
        raise DatasetError(
            f"{dataset.key}: ids {sorted(ids)} in {files} look like trainIds where labelIds belong (no road, "
            "7, and nothing above 18); wanted labelIds as in the original files"
        )


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(path.name for path in paths)
