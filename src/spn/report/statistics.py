"""Means over seeds, and whether a difference is more than chance.

Over seeds Student's t, over images a paired bootstrap. The two answer different questions: would other
trainings show the difference again, and would other images of the same domain? Neither says anything about
another domain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from spn.core.seeding import numpy_generator
from spn.evaluation.counts import ImageCounts
from spn.report.comparison import Domain, MethodRuns, shares

LEVEL: Final = 0.95
RESAMPLES: Final = 2000
_BLOCK: Final = 200
"""Resamples counted at once, which bounds the memory."""


@dataclass(frozen=True)
class SeedMean:
    """A mean over seeds in percent, and its standard deviation (NaN for a single seed)."""

    mean: float
    std: float = math.nan

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> SeedMean:
        """Of one value per seed; NaN of none."""
        if len(values) < 2:
            return cls(float(values[0]) if len(values) else math.nan)
        return cls(float(values.mean()), float(values.std(ddof=1)))

    def text(self, *, signed: bool = False) -> str:
        """`43.12`, `43.12 ± 0.40`, `+1.20`; a dash if there is no figure."""
        if math.isnan(self.mean):
            return "–"
        mean = f"{self.mean:+z.2f}" if signed else f"{self.mean:.2f}"
        return mean if math.isnan(self.std) else f"{mean} ± {self.std:.2f}"


@dataclass(frozen=True)
class Interval:
    """low to high with confidence `LEVEL`, around what was estimated from n values."""

    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Difference:
    """In points of mIoU, over the seeds of both; where they share none, of the means, without intervals.

    seeds: 95 % over trainings, None for fewer than two. images: over images, None without counts per image.
    """

    value: SeedMean
    seeds: Interval | None = None
    images: Interval | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the interval over seeds leaves out 0."""
        return self.seeds is not None and not self.seeds.low <= 0 <= self.seeds.high


def leader(methods: Sequence[Mapping[int, float]]) -> int | None:
    """Which of the methods, each a value per seed, is the best, if the seeds tell it from chance.

    Then the interval of its difference to every other one that has values lies above 0.
    """
    found = {
        place: values
        for place, values in enumerate(methods)
        if values and np.isfinite([*values.values()]).all()
    }
    if len(found) < 2:
        return None
    best = max(found, key=lambda place: np.mean([*found[place].values()]))
    for other in (values for place, values in found.items() if place != best):
        interval = student_interval(
            [found[best][seed] - other[seed] for seed in sorted(found[best].keys() & other)]
        )
        if interval is None or interval.low <= 0:
            return None
    return best


def shared_seeds(base: MethodRuns, method: MethodRuns) -> list[int]:
    """Seeds that both were trained with, ascending: what a paired comparison is over."""
    return sorted(set(base.seeds) & set(method.seeds))


def difference(
    base: MethodRuns,
    method: MethodRuns,
    domains: Sequence[Domain],
    resampled: Mapping[Domain, NDArray[np.float64] | None],
) -> Difference:
    """`method` minus `base` in the mean over `domains`. resampled: by domain, what `resample` gave."""
    seeds = shared_seeds(base, method)
    if not seeds:
        return Difference(SeedMean(float(method.mious(domains).mean() - base.mious(domains).mean())))
    paired = method.of_seeds(seeds).mious(domains) - base.of_seeds(seeds).mious(domains)
    if np.isnan(paired).any():
        return Difference(SeedMean(math.nan))
    images, known = None, [values for d in domains if (values := resampled[d]) is not None]
    if len(known) == len(domains):
        count = sum(method.results(domain)[0].images for domain in domains)
        images = percentile_interval(100 * (shares(domains) @ np.stack(known)), n=count)
    return Difference(SeedMean.of(paired), student_interval(paired.tolist()), images)


def resample(base: MethodRuns, method: MethodRuns, domain: Domain) -> NDArray[np.float64] | None:
    """The bootstrap over the images of `domain`; None without shared seeds, if a run lacks its counts, or if
    they are of different images."""
    seeds = shared_seeds(base, method)
    theirs, mine = (one.of_seeds(seeds).counts(ImageCounts, domain) for one in (base, method))
    same = all(np.array_equal(run.keys, theirs[0].keys) for run in (*theirs, *mine)) if theirs else False
    return bootstrap_differences(theirs, mine) if same and mine else None


def student_interval(differences: Sequence[float]) -> Interval | None:
    """The interval of the mean of paired differences: mean ± t · s / √n. None for fewer than two.

    >>> student_interval([1.0, 2.0, 3.0])
    Interval(low=-0.484..., high=4.484..., n=3)
    """
    n, found = len(differences), SeedMean.of(np.asarray(differences, np.float64))
    if n < 2:
        return None
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * found.std / math.sqrt(n)
    return Interval(found.mean - half, found.mean + half, n)


def percentile_interval(values: NDArray[np.float64], *, n: int) -> Interval:
    """The central `LEVEL` of bootstrap values. n: of the images they were drawn from."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), n)


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
    if any(not np.array_equal(run.keys, runs[0].keys) for run in runs):
        raise ValueError(
            "the runs were evaluated on different images; wanted the same ones in the same order"
        )
    frames, members = np.unique(runs[0].frames, return_inverse=True)
    counts = [np.stack([r.intersection, r.truth, r.predicted]).astype(np.float64) for r in runs]
    generator = numpy_generator(seed, "bootstrap", *frames.tolist())
    even = np.full(len(frames), 1 / len(frames))
    parts = []
    for start in range(0, resamples, _BLOCK):
        drawn = generator.multinomial(len(frames), even, size=min(_BLOCK, resamples - start))
        weights = drawn.astype(np.float64)[:, members.reshape(-1)]  # sums are exact up to 2^53 pixels
        scores = [_mean_iou(*(weights @ run)) for run in counts]
        parts.append(np.mean(scores[len(base) :], axis=0) - np.mean(scores[: len(base)], axis=0))
    return np.concatenate(parts)


def _mean_iou(
    hits: NDArray[np.float64], truth: NDArray[np.float64], predicted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[R, C] pixel counts to mIoU [R], over the classes with ground truth in the resample."""
    present = truth > 0
    iou = np.where(present, hits / np.maximum(truth + predicted - hits, 1), 0.0)
    return iou.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
