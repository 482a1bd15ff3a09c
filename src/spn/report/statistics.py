"""Is a difference more than chance? Over seeds: Student's t. Over images: a paired bootstrap.

The two answer different questions: would other trainings show the difference again, and would other images
of the same domain? Neither says anything about another domain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from spn.core.seeding import numpy_generator
from spn.evaluation.per_image import ImageCounts

LEVEL: Final = 0.95
RESAMPLES: Final = 2000
_BLOCK: Final = 200
"""Resamples counted at once, which bounds the memory."""


@dataclass(frozen=True)
class Interval:
    """low to high with confidence `LEVEL`, around what was estimated from n values."""

    low: float
    high: float
    n: int


def student_interval(differences: Sequence[float]) -> Interval | None:
    """The interval of the mean of paired differences: mean ± t · s / √n. None for fewer than two.

    >>> student_interval([1.0, 2.0, 3.0])
    Interval(low=-0.484..., high=4.484..., n=3)
    """
    n = len(differences)
    if n < 2:
        return None
    values = np.asarray(differences, np.float64)
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * deviation / math.sqrt(n)
    return Interval(mean - half, mean + half, n)


def bootstrap_differences(
    base: Sequence[ImageCounts], mine: Sequence[ImageCounts], *, resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """Differences of mIoU (fractions, mine − base) on `resamples` redrawn sets of images, [resamples].

    In each resample frames are drawn with replacement, the weather variants of a frame together; every run
    is scored on the same draw, and scores are averaged over the seeds. The draws depend on nothing but `seed`
    and the frames, so domains that show the same frames are redrawn together. Own code: scipy's bootstrap
    keeps neither frames together nor runs on one draw.

    Args:
        base, mine: of one domain, one per seed, the same images in the same order.

    Raises:
        ValueError: for runs on different images.
    """
    runs = [*base, *mine]
    if any(run.keys != runs[0].keys for run in runs):
        raise ValueError(
            "the runs were evaluated on different images; wanted the same ones in the same order"
        )
    frames, members = np.unique(np.array(runs[0].frames), return_inverse=True)
    per_frame = [
        [_by_frame(c, members, len(frames)) for c in (r.intersection, r.truth, r.predicted)] for r in runs
    ]
    generator = numpy_generator(seed, "bootstrap", *frames.tolist())
    even = np.full(len(frames), 1 / len(frames))
    parts = []
    for start in range(0, resamples, _BLOCK):
        size = min(_BLOCK, resamples - start)
        weights = generator.multinomial(len(frames), even, size=size).astype(np.float64)
        scores = [_mean_iou(*(weights @ counts for counts in run)) for run in per_frame]
        parts.append(np.mean(scores[len(base) :], axis=0) - np.mean(scores[: len(base)], axis=0))
    return np.concatenate(parts)


def percentile_interval(values: NDArray[np.float64], *, n: int) -> Interval:
    """The central `LEVEL` of bootstrap values. n: of the images they were drawn from."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), n)


def _by_frame(counts: NDArray[np.int64], members: NDArray[np.intp], frames: int) -> NDArray[np.float64]:
    """[N, C] summed into [frames, C]; float64 is exact up to 2^53 pixels."""
    sums = np.zeros((frames, counts.shape[1]), np.float64)
    np.add.at(sums, members.reshape(-1), counts)
    return sums


def _mean_iou(
    hits: NDArray[np.float64], truth: NDArray[np.float64], predicted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[R, C] pixel counts to mIoU [R], over the classes with ground truth in the resample."""
    present = truth > 0
    iou = np.where(present, hits / np.maximum(truth + predicted - hits, 1), 0.0)
    return iou.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
