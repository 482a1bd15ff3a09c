"""Class-uniform sampling: part of each epoch shows every class equally often (Zhu et al., CVPR 2019).

An epoch has as many draws as there are images. Its class-uniform part is split evenly over the classes that
have positions; within a class the tiles come in random order, each once before any comes again. The other
part takes images in random order. Both are shuffled together.

Draw number p of a training follows from the seed and p alone: resuming and sharding are arithmetic on p.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spn.core.errors import UserError
from spn.core.seeding import numpy_generator
from spn.sampling.class_index import ClassIndex


@dataclass(frozen=True)
class Draw:
    """Which image comes next; for a class-uniform draw the class and a pixel (x, y) of it, native."""

    image_index: int
    centre: tuple[int, int] | None = None
    class_id: int | None = None


class ClassUniformSampler:
    """Endless draws over `images` images; `fraction` of every epoch is class-uniform."""

    def __init__(self, index: ClassIndex | None, *, images: int, fraction: float, seed: int) -> None:
        if images < 1:
            raise UserError("there are no training images; check the path and the split given with --data")
        self.images = images
        self.seed = seed
        self._index = index
        ids = np.zeros(0, np.uint8) if index is None else index.class_id
        self._entries = [np.flatnonzero(ids == class_id) for class_id in np.unique(ids)]
        self._class_draws = round(images * fraction) if self._entries else 0
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
        uniform = generator.permutation(self.images)[: self.images - self._class_draws]
        planned = [Draw(int(image)) for image in uniform] + self._draw_by_class(generator)
        return [planned[i] for i in generator.permutation(len(planned))]

    def _draw_by_class(self, generator: np.random.Generator) -> list[Draw]:
        if self._index is None or self._class_draws == 0:
            return []
        classes = len(self._entries)
        quotas = np.full(classes, self._class_draws // classes)
        quotas[generator.permutation(classes)[: self._class_draws % classes]] += 1
        rows: list[int] = []
        for entries, quota in zip(self._entries, quotas.tolist(), strict=True):
            rounds = [generator.permutation(entries) for _ in range(-(-quota // len(entries)))]
            rows += np.concatenate(rounds)[:quota].tolist() if rounds else []
        index, chosen = self._index, generator.integers(0, self._index.points.shape[1], len(rows))
        drawn = index.image[rows], index.points[rows, chosen], index.class_id[rows]
        return [Draw(i, (x, y), c) for i, (x, y), c in zip(*(part.tolist() for part in drawn), strict=True)]
