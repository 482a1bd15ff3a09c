"""What is verified when a dataset is opened: every header, and the ids of a few labels.

Headers are read in parallel threads (a few bytes of each file): sizes of image and label agree, labels are
stored as ids and not as colours, PNG files are not cut off. The ids of every label are verified when it is
read.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from spn.core.errors import DatasetError
from spn.data.base import Pair, SegmentationDataset
from spn.data.discovery import EXCLUSIONS
from spn.data.encodings import LabelEncoding
from spn.data.files import read_header
from spn.data.traps import listing

_LABELS_READ: Final = 3


def check_dataset(dataset: SegmentationDataset) -> None:
    """Raises DatasetError that lists what is wrong with headers, or with the ids of the first labels.

    Besides ids that cannot occur: ids that count another way (the confusion of labelIds and trainIds scores
    0.4% mIoU), and labels without any evaluated pixel.
    """
    key, pairs, label_map = dataset.key, dataset.pairs, dataset.label_map
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        problems = list(filter(None, pool.map(lambda pair: pair_problem(pair, dataset.encoding), pairs)))
    if problems:
        raise DatasetError(
            f"{key}: {len(problems)} of {len(dataset)} pairs of split {dataset.split} under "
            f"{dataset.root} cannot be used{listing(problems)}\nReplace these files, or leave the images out "
            f"by naming them in {dataset.root / EXCLUSIONS}, one a line (stem, then # and the reason)."
        )
    places = sorted({int(place) for place in np.linspace(0, len(pairs) - 1, _LABELS_READ)})
    found = {place: set(np.unique(dataset.read_ids(place)).tolist()) for place in places}
    for place, ids in found.items():
        if not ids <= label_map.valid:
            raise DatasetError(f"{key}: label {pairs[place].label}: {label_map.explain(ids)}")
    together = set().union(*found.values())
    where = f"ids {sorted(together)} in {', '.join(pairs[place].label.name for place in places)}"
    if not together & set(label_map.train_ids):
        raise DatasetError(
            f"{key}: labels of split {dataset.split} hold no evaluated class ({where}); a test split whose "
            "ground truth is withheld cannot be used"
        )
    if confusion := label_map.confused_throughout(together):
        raise DatasetError(f"{key}: {where}: {confusion.text}")


def pair_problem(pair: Pair, encoding: LabelEncoding) -> str | None:
    """Why these files cannot be a pair, judged by their headers."""
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
