"""The images of a dataset as batches of one size, read ahead of their use.

In threads, not in processes as torch's DataLoader does: decoding releases Python's lock, and no image has to
be sent from one process to another.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from spn.core.sample import Sample

BATCH_PIXELS = 1 << 21
"""Labelled pixels per batch: one image of 2048x1024, or eight of 640x360."""


class Samples(Protocol):
    """Anything that gives samples by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


@dataclass(frozen=True)
class Indexed:
    """A sample and its position in the dataset."""

    index: int
    sample: Sample


def read_batches(
    dataset: Samples, *, batch: int, rank: int = 0, ranks: int = 1, pixels: int = BATCH_PIXELS
) -> Iterator[list[Indexed]]:
    """Runs of consecutive samples with one image and label size, at most `batch`, and `pixels`, in all.

    Every `ranks`-th block of `batch` images is read, from that of `rank` on. No run crosses a block: which
    images run together, and with it every rounding, depends on the dataset alone. An image with more than
    `pixels` comes alone.
    """
    mine = (index for index in range(len(dataset)) if index // batch % ranks == rank)
    alike = itertools.groupby(
        _read_ahead(dataset, mine, ahead=batch),
        key=lambda item: (item.index // batch, item.sample.image.shape, item.sample.label.shape),
    )
    for (_, _, (height, width)), run in alike:
        while together := list(itertools.islice(run, max(1, pixels // (height * width)))):
            yield together


def _read_ahead(dataset: Samples, indices: Iterable[int], *, ahead: int) -> Iterator[Indexed]:
    """The samples in order; at most `ahead` (or 2) are held or being read beyond the current one."""
    pool = ThreadPoolExecutor(2, thread_name_prefix="read")
    waiting: deque[tuple[int, Future[Sample]]] = deque()
    try:
        for index in indices:
            waiting.append((index, pool.submit(dataset.__getitem__, index)))
            if len(waiting) > max(2, ahead):
                first, future = waiting.popleft()
                yield Indexed(first, future.result())
        for first, future in waiting:
            yield Indexed(first, future.result())
    finally:
        pool.shutdown(cancel_futures=True)
