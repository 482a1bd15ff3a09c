"""A method against the first one, seed by seed: the difference, and what its intervals are over."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spn.evaluation.per_image import read_counts
from spn.report.comparison import Domain, MethodRuns, shares
from spn.report.statistics import Interval, bootstrap_differences, percentile_interval, student_interval


@dataclass(frozen=True)
class SeedMean:
    """A mean over seeds in percent, and its standard deviation (NaN for a single seed)."""

    mean: float
    std: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> SeedMean:
        """Of one value per seed; NaN of none."""
        if not len(values):
            return cls(math.nan, math.nan)
        return cls(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan)

    def text(self, *, signed: bool = False) -> str:
        """`43.12`, `43.12 ± 0.40`, `+1.20`; a dash if there is no figure."""
        if math.isnan(self.mean):
            return "–"
        mean = f"{self.mean:+.2f}" if signed else f"{self.mean:.2f}"
        return mean if math.isnan(self.std) else f"{mean} ± {self.std:.2f}"


@dataclass(frozen=True)
class Difference:
    """In points of mIoU, over the seeds of both; where they share none, of the means, without intervals.

    seeds: 95 % over trainings, None for fewer than two. images: over images, None without counts per image.
    """

    value: SeedMean
    seeds: Interval | None = None
    images: Interval | None = None


class Resampled(NamedTuple):
    """values: differences of mIoU (fractions), one per resample. images: how many were redrawn."""

    values: NDArray[np.float64]
    images: int


def shared_seeds(base: MethodRuns, method: MethodRuns) -> list[int]:
    """Seeds that both were trained with, ascending: what a paired comparison is over."""
    return sorted(set(base.seeds) & set(method.seeds))


def difference(
    base: MethodRuns,
    method: MethodRuns,
    domains: Sequence[Domain],
    resampled: Mapping[Domain, Resampled | None],
) -> Difference:
    """`method` minus `base` in the mean over `domains`. resampled: for the interval over images."""
    seeds = shared_seeds(base, method)
    if not seeds:
        of_means = method.mious(domains).mean() - base.mious(domains).mean()
        return Difference(SeedMean(float(of_means), math.nan))
    paired = method.of_seeds(seeds).mious(domains) - base.of_seeds(seeds).mious(domains)
    if np.isnan(paired).any():
        return Difference(SeedMean(math.nan, math.nan))
    known = [found for domain in domains if (found := resampled.get(domain)) is not None]
    images = None
    if len(known) == len(domains):
        values = shares(domains) @ np.stack([found.values for found in known])
        images = percentile_interval(100 * values, n=sum(found.images for found in known))
    return Difference(SeedMean.of(paired), student_interval(paired.tolist()), images)


def resample(base: MethodRuns, method: MethodRuns, domain: Domain) -> Resampled | None:
    """The bootstrap over the images of `domain`; None without shared seeds, or if a run lacks its counts."""
    seeds = shared_seeds(base, method)
    results = [(r, r.result(domain)) for m in (base, method) for r in m.of_seeds(seeds).runs]
    counts = [found for r, result in results if result and (found := read_counts(r.folder, result))]
    if not seeds or len(counts) < len(results):
        return None
    values = bootstrap_differences(counts[: len(seeds)], counts[len(seeds) :])
    return Resampled(values, images=len(counts[0].keys))
