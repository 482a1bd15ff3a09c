"""Class-uniform sampling: part of each epoch shows every class equally often.

Zhu et al., "Improving Semantic Segmentation via Video Propagation and Label Relaxation", CVPR 2019, section
3.3, cuts images into tiles and keeps one centroid per class and tile. Here tiling rounds up, so that the
right and bottom edges (and images smaller than a tile) take part; and pixels of the class are kept instead of
its centre of mass, which can lie off the class. They come from random probes; only classes that these miss
are looked for among the runs of equal pixels, which are much faster to find than each class in turn.

An epoch has as many draws as there are images. Its class-uniform part is split evenly over the classes that
have positions; within a class the tiles come in random order, each once before any comes again. The other
part takes images in random order. Both are shuffled together. Where sources have weights, each gets its share
of both parts; of a class, those that show it.
"""

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from spn.core.errors import UserError
from spn.core.files import atomic_path, digest_of, read_arrays, user_cache
from spn.core.progress import progress_bar
from spn.core.seeding import numpy_generator
from spn.data.base import SegmentationDataset
from spn.sampling.config import SamplingConfig

VERSION: Final = 2
"""Raised whenever the same label would give other entries."""
_PROBES: Final = 2048
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassIndex:
    """N entries, one per image, tile and class, in that order.

    image: int32 [N], index of the image. class_id: uint8 [N]. points: int32 [N, P, 2], pixels (x, y) of that
    class, native; where a tile has fewer than P of them they repeat. images: how many images were indexed.
    """

    image: NDArray[np.int32]
    class_id: NDArray[np.uint8]
    points: NDArray[np.int32]
    images: int


def open_class_index(
    dataset: SegmentationDataset, config: SamplingConfig, *, progress: bool = True
) -> ClassIndex:
    """The index of `dataset`, built once and kept on disk; classes without a position are reported.

    Its file is named by what it was made from: a changed dataset gets a new one.
    """
    facts = (VERSION, dataset.fingerprint(), config.tile, config.positions, config.minimum_pixels)
    folder = config.cache or user_cache()
    path = folder / f"class_index_{digest_of(repr(facts).encode(), size=12)}.npz"
    index = _read(path, images=len(dataset))
    if index is None:
        index = build_class_index(dataset, config, progress=progress)
        arrays = {name: value for name, value in vars(index).items() if name != "images"}
        try:
            with atomic_path(path) as temporary:
                np.savez_compressed(temporary, **arrays)
        except OSError as error:
            _log.warning(
                "the class index cannot be kept at %s (%s); sampling.cache sets another folder", path, error
            )
    names = dataset.label_space.names
    if missing := [name for number, name in enumerate(names) if number not in index.class_id]:
        _log.warning("no position of %s in any training image: never drawn by class", ", ".join(missing))
    return index


def build_class_index(
    dataset: SegmentationDataset, config: SamplingConfig, *, progress: bool = True
) -> ClassIndex:
    """Read every label once. Threads, because decoding and counting release the interpreter's lock."""

    def indexed(number: int) -> ClassIndex:
        return index_label(dataset.read_label(number), config, seed=number)

    count = len(dataset)
    with progress_bar(disable=not progress) as bar, ThreadPoolExecutor(os.cpu_count()) as pool:
        task = bar.add_task("class index", total=count, status="")
        return join_indexes(list(bar.track(pool.map(indexed, range(count)), total=count, task_id=task)))


def join_indexes(indexes: Sequence[ClassIndex]) -> ClassIndex:
    """One index over several datasets; images are counted on from dataset to dataset."""
    offsets = np.cumsum([0, *(index.images for index in indexes)], dtype=np.int32)
    return ClassIndex(
        image=np.concatenate([index.image + offset for index, offset in zip(indexes, offsets)]),  # noqa: B905
        class_id=np.concatenate([index.class_id for index in indexes]),
        points=np.concatenate([index.points for index in indexes]),
        images=int(offsets[-1]),
    )


def index_label(label: NDArray[np.uint8], config: SamplingConfig, *, seed: int) -> ClassIndex:
    """The index of one label [H, W] of classes; the same for the same arguments."""
    generator = numpy_generator(seed, "class index")
    classes: list[int] = []
    points = []
    tops, lefts = (range(0, length, config.tile) for length in label.shape)
    for top, left in product(tops, lefts):
        part = label[top : top + config.tile, left : left + config.tile]
        flat = part.ravel()
        starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])  # of runs of equal pixels
        values, lengths = flat[starts], np.diff(starts, append=flat.size)
        counts = np.bincount(values, lengths, minlength=256)[:IGNORE]
        present = np.flatnonzero(counts >= config.minimum_pixels).tolist()
        probes = generator.integers(0, flat.size, _PROBES) if present else np.zeros(0, np.int64)
        probed = flat[probes]
        for class_id in present:
            hits = probes[probed == class_id][: config.positions]
            if len(hits) < config.positions:  # rare: choose evenly among all pixels of the class
                own = np.flatnonzero(values == class_id)
                ends = np.cumsum(lengths[own])
                ranks = generator.integers(0, ends[-1], config.positions)
                chosen = np.searchsorted(ends, ranks, side="right")
                hits = starts[own][chosen] + ranks - (ends - lengths[own])[chosen]
            classes.append(class_id)
            points.append(np.stack([left + hits % part.shape[1], top + hits // part.shape[1]], axis=1))
    positions = np.array(points, np.int32).reshape(-1, config.positions, 2)
    return ClassIndex(np.zeros(len(classes), np.int32), np.array(classes, np.uint8), positions, images=1)


def _read(path: Path, *, images: int) -> ClassIndex | None:
    """None if there is no index at `path`, or it cannot be read."""
    try:
        return ClassIndex(**read_arrays(path), images=images)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        _log.warning("the class index %s cannot be read (%s): it is made again", path, error)
        return None


@dataclass(frozen=True)
class Draw:
    """Which image comes next; for a class-uniform draw the class and a pixel (x, y) of it, native."""

    image_index: int
    centre: tuple[int, int] | None = None
    class_id: int | None = None


_Pools = list[tuple[NDArray[np.intp], float]]
"""What can be drawn, by source, with the weight of each."""


def _drawn(pools: _Pools, count: int, generator: np.random.Generator, *, least: int = 0) -> list[int]:
    """`count` of the pools together by their weights, of each in random order, all once before any again."""
    quotas = [count]
    if len(pools) > 1:  # whole numbers that are right on average
        shares = np.cumsum([weight for _, weight in pools])
        edges = np.floor(count * (shares / shares[-1]) + generator.random()).astype(int).clip(max=count)
        quotas = np.diff(edges, prepend=0).tolist()
    chosen: list[int] = []
    for (entries, _), quota in zip(pools, quotas, strict=True):
        rounds = [generator.permutation(entries) for _ in range(max(least, -(-quota // len(entries))))]
        chosen += np.concatenate(rounds)[:quota].tolist() if rounds else []
    return chosen


class ClassUniformSampler:
    """Endless draws over `images` images; `fraction` of every epoch is class-uniform.

    Draw number p follows from the seed and p alone: resuming and sharding are arithmetic on p.
    """

    def __init__(
        self,
        index: ClassIndex | None,
        *,
        images: int,
        fraction: float,
        seed: int,
        sources: Sequence[tuple[int, float]] = (),
    ) -> None:
        """sources: how many of the images, in order, each has, and its weight; none: images count alike."""
        if images < 1:
            raise UserError("there are no training images; check the path and the split given with --data")
        self.images, self.seed, self._index = images, seed, index
        counts, weights = zip(*sources, strict=True) if sources else ((images,), (1.0,))
        source = np.repeat(np.arange(len(counts)), counts)

        def pools(entries: NDArray[np.intp], image: NDArray[Any]) -> _Pools:
            """`entries`, of these images, of each source that has any, with its weight."""
            parts = [entries[source[image] == number] for number in range(len(counts))]
            return [(part, weight) for part, weight in zip(parts, weights, strict=True) if len(part)]

        self._images, self._classes = pools(np.arange(images), np.arange(images)), list[_Pools]()
        ids = np.zeros(0, np.uint8) if index is None else index.class_id
        for entries in (np.flatnonzero(ids == class_id) for class_id in np.unique(ids)):
            self._classes.append(pools(entries, index.image[entries] if index else ids))
        self._class_draws = round(images * fraction) if self._classes else 0
        self._latest: tuple[int, Sequence[Draw]] | None = None

    def draw(self, position: int) -> Draw:
        """Draw number `position` of the training, counted over all epochs and ranks."""
        epoch, place = divmod(position, self.images)
        if self._latest is None or self._latest[0] != epoch:
            self._latest = (epoch, self.draws(epoch))
        return self._latest[1][place]

    def draws(self, epoch: int) -> Sequence[Draw]:
        """All draws of one epoch, in order."""
        generator = numpy_generator(self.seed, "draws", epoch)
        uniform = _drawn(self._images, self.images - self._class_draws, generator, least=1)
        planned = [Draw(image) for image in uniform] + self._draw_by_class(generator)
        return [planned[i] for i in generator.permutation(len(planned))]

    def _draw_by_class(self, generator: np.random.Generator) -> list[Draw]:
        if self._index is None or self._class_draws == 0:
            return []
        classes = len(self._classes)
        quotas = np.full(classes, self._class_draws // classes)
        quotas[generator.permutation(classes)[: self._class_draws % classes]] += 1
        each = zip(self._classes, quotas.tolist(), strict=True)
        rows = [row for pools, quota in each for row in _drawn(pools, quota, generator)]
        index, chosen = self._index, generator.integers(0, self._index.points.shape[1], len(rows))
        drawn = index.image[rows], index.points[rows, chosen], index.class_id[rows]
        return [Draw(i, (x, y), c) for i, (x, y), c in zip(*(part.tolist() for part in drawn), strict=True)]
