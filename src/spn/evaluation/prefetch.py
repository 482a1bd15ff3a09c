"""Reads samples ahead of their use in threads (decoding releases Python's lock) and batches equal sizes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from spn.core.sample import Sample


class Samples(Protocol):
    """Anything that gives samples by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


@dataclass(frozen=True)
class Indexed:
    """A sample and its position in the dataset."""

    index: int
    sample: Sample


def read_ahead(dataset: Samples, indices: Sequence[int], *, threads: int, ahead: int) -> Iterator[Indexed]:
    """The samples in order; at most `ahead` are held or being read beyond the current one."""
    with ThreadPoolExecutor(threads, thread_name_prefix="read") as pool:
        waiting: deque[tuple[int, Future[Sample]]] = deque()
        try:
            for index in indices:
                waiting.append((index, pool.submit(dataset.__getitem__, index)))
                if len(waiting) > ahead:
                    first, future = waiting.popleft()
                    yield Indexed(first, future.result())
            while waiting:
                first, future = waiting.popleft()
                yield Indexed(first, future.result())
        finally:
            for _, future in waiting:
                future.cancel()


def equal_sizes(items: Iterator[Indexed], *, batch: int, pixels: int) -> Iterator[list[Indexed]]:
    """Runs of consecutive samples with one image and label size, at most `pixels` in all.

    None crosses a multiple of `batch`, so that which images run together, and with it every rounding, depends
    on the dataset alone and not on where an evaluation began. An image with more than `pixels` comes alone.
    """
    group: list[Indexed] = []
    for item in items:
        if group and (
            item.index // batch != group[0].index // batch
            or _shape(item) != _shape(group[0])
            or (len(group) + 1) * _area(item) > pixels
        ):
            yield group
            group = []
        group.append(item)
        if (item.index + 1) % batch == 0:
            yield group
            group = []
    if group:
        yield group


def _shape(item: Indexed) -> tuple[int, ...]:
    return item.sample.image.shape[:2] + item.sample.label.shape


def _area(item: Indexed) -> int:
    return item.sample.label.size
