"""The images of a dataset as batches of one size, read ahead of their use.

In threads, not in processes as torch's DataLoader does: decoding releases Python's lock, and no image has to
be sent from one process to another.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from spn.core.label_space import LabelSpace
from spn.core.sample import Sample

BATCH_PIXELS = 1 << 21
"""Labelled pixels per batch: one image of 2048x1024, or eight of 640x360."""


class EvaluationDataset(Protocol):
    """What evaluation asks of a dataset (spn.data.base.SegmentationDataset has it)."""

    key: str
    split: str
    layout: str
    label_space: LabelSpace

    @property
    def map_name(self) -> str: ...

    def fingerprint(self) -> str: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


def read_batches(
    dataset: EvaluationDataset, *, batch: int, rank: int = 0, ranks: int = 1, pixels: int = BATCH_PIXELS
) -> Iterator[list[tuple[int, Sample]]]:
    """Consecutive samples of one image and label size with their indices, at most `pixels` of labels at once.

    Every `ranks`-th block of `batch` images is read, from that of `rank` on, while the one before is used. No
    run crosses a block: which images run together, and with it every rounding, depends on the dataset alone.
    An image with more than `pixels` comes alone.
    """
    starts = range(rank * batch, len(dataset), ranks * batch)
    blocks = [range(start, min(start + batch, len(dataset))) for start in starts]
    with ThreadPoolExecutor(2, thread_name_prefix="read") as pool:
        waiting = pool.map(dataset.__getitem__, blocks[0] if blocks else ())
        for block, following in itertools.zip_longest(blocks, blocks[1:], fillvalue=range(0)):
            reading, waiting = waiting, pool.map(dataset.__getitem__, following)
            samples = zip(block, reading, strict=True)
            for (_, (height, width)), run in itertools.groupby(
                samples, key=lambda item: (item[1].image.shape, item[1].size)
            ):
                while together := list(itertools.islice(run, max(1, pixels // (height * width)))):
                    yield together
