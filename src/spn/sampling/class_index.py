"""Where each class is: for every image, tile and class some pixels that really are of that class.

Zhu et al., "Improving Semantic Segmentation via Video Propagation and Label Relaxation", CVPR 2019, section
3.3, cuts images into tiles and keeps one centroid per class and tile. Two things differ here on purpose.
Tiling rounds up, so that the right and bottom edges (and images smaller than a tile) take part. And pixels of
the class are kept instead of its centre of mass, which can lie off the class.

A label is looked at once, as runs of equal pixels, not compared with each class in turn; positions come from
random probes, and only classes that these miss are looked for among the runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spn.core.classes import CLASS_NAMES, NUM_CLASSES
from spn.core.runs import Runs, find_runs
from spn.core.seeding import numpy_generator

_PROBES = 2048


class LabelSource(Protocol):
    """What the index needs of a dataset; `spn.data` has it."""

    def __len__(self) -> int: ...
    def read_label(self, index: int, /) -> NDArray[np.uint8]: ...
    def fingerprint(self) -> str: ...


@dataclass(frozen=True)
class ClassIndex:
    """N entries, one per image, tile and class, in that order.

    image: int32 [N], index of the image. class_id: uint8 [N]. points: int32 [N, P, 2], pixels (x, y) of that
    class, native; where a tile has fewer than P of them they repeat. pixels: int64 [19], pixels of each class
    in all images. images: how many images were indexed.
    """

    image: NDArray[np.int32]
    class_id: NDArray[np.uint8]
    points: NDArray[np.int32]
    pixels: NDArray[np.int64]
    images: int

    def __len__(self) -> int:
        return len(self.image)

    def entries_of(self, class_id: int) -> NDArray[np.intp]:
        """The rows of one class."""
        return np.flatnonzero(self.class_id == class_id)

    def counts(self) -> NDArray[np.int64]:
        """Entries [19] per class."""
        return np.bincount(self.class_id, minlength=NUM_CLASSES).astype(np.int64)

    def missing(self) -> tuple[str, ...]:
        """Names of the classes that have no position anywhere."""
        return tuple(CLASS_NAMES[i] for i in np.flatnonzero(self.counts() == 0))


class ImageEntries(NamedTuple):
    """The entries of one image: class_id uint8 [n], points int32 [n, P, 2]; pixels int64 [19]."""

    class_id: NDArray[np.uint8]
    points: NDArray[np.int32]
    pixels: NDArray[np.int64]


def index_label(
    label: NDArray[np.uint8], *, tile: int, positions: int, minimum_pixels: int, seed: int
) -> ImageEntries:
    """Classes and positions of one label [H, W] in train ids; the same for the same arguments."""
    generator = numpy_generator(seed, "class index")
    classes: list[int] = []
    points: list[NDArray[np.int32]] = []
    pixels = np.zeros(NUM_CLASSES, np.int64)
    for left, top, part in _tiles(label, tile):
        runs = find_runs(part.ravel())
        counts = np.bincount(runs.values, runs.lengths, minlength=256)[:NUM_CLASSES].astype(np.int64)
        pixels += counts
        present = np.flatnonzero(counts >= minimum_pixels)
        if len(present):
            classes.extend(present.tolist())
            points.extend(
                found + np.array([left, top], np.int32)
                for found in _find(part, runs, present, positions=positions, generator=generator)
            )
    stacked = np.stack(points) if points else np.zeros((0, positions, 2), np.int32)
    return ImageEntries(np.array(classes, np.uint8), stacked, pixels)


def join_entries(parts: Sequence[ImageEntries], *, positions: int) -> ClassIndex:
    """The index of a dataset from the entries of its images, in order."""
    owners = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.class_id) for part in parts])
    return ClassIndex(
        image=owners,
        class_id=np.concatenate([np.zeros(0, np.uint8), *(part.class_id for part in parts)]),
        points=np.concatenate([np.zeros((0, positions, 2), np.int32), *(part.points for part in parts)]),
        pixels=np.sum([np.zeros(NUM_CLASSES, np.int64), *(part.pixels for part in parts)], axis=0),
        images=len(parts),
    )


def join_indexes(indexes: Sequence[ClassIndex]) -> ClassIndex:
    """One index over several datasets; images are counted on from dataset to dataset."""
    offsets = np.cumsum([0, *(index.images for index in indexes)])
    return ClassIndex(
        image=np.concatenate([index.image + np.int32(offset) for index, offset in zip(indexes, offsets)]),  # noqa: B905
        class_id=np.concatenate([index.class_id for index in indexes]),
        points=np.concatenate([index.points for index in indexes]),
        pixels=np.sum([index.pixels for index in indexes], axis=0),
        images=int(offsets[-1]),
    )


def _tiles(label: NDArray[np.uint8], tile: int) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """(left, top, part) in row order; the number of tiles is rounded up, the last ones are smaller."""
    for top in range(0, label.shape[0], tile):
        for left in range(0, label.shape[1], tile):
            yield left, top, np.ascontiguousarray(label[top : top + tile, left : left + tile])


def _find(
    part: NDArray[np.uint8],
    runs: Runs,
    classes: NDArray[np.intp],
    *,
    positions: int,
    generator: np.random.Generator,
) -> Iterator[NDArray[np.int32]]:
    """For each class, `positions` of its pixels as int32 [P, 2] (x, y) within the tile."""
    flat = part.ravel()
    probes = generator.integers(0, flat.size, _PROBES)
    probed = flat[probes]
    for class_id in classes:
        hits = probes[probed == class_id][:positions]
        if len(hits) < positions:  # rare: choose evenly among all pixels of the class
            own = np.flatnonzero(runs.values == class_id)
            ends = np.cumsum(runs.lengths[own])
            ranks = generator.integers(0, ends[-1], positions)
            chosen = np.searchsorted(ends, ranks, side="right")
            hits = runs.starts[own][chosen] + ranks - (ends - runs.lengths[own])[chosen]
        yield np.stack([hits % part.shape[1], hits // part.shape[1]], axis=1).astype(np.int32)
