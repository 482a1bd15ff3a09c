"""The figures of a benchmark: per row each method's mean over seeds, and its difference to the baseline with
95 % intervals over seeds and over images; figures from papers apart from these."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spn.evaluation.per_image import ImageCounts, read_counts
from spn.report.comparison import Comparison, Domain, Method, shares
from spn.report.statistics import (
    RESAMPLES,
    Interval,
    bootstrap_differences,
    percentile_interval,
    student_interval,
)
from spn.report.tables import Figure, Line, RowKind, mean_figure, table_lines


@dataclass(frozen=True)
class Published:
    """Figures from a paper. source: paper and table. miou: in percent, by dataset key or KEY:SPLIT."""

    source: str
    miou: Mapping[str, float]


@dataclass(frozen=True)
class Difference:
    """To the baseline, in points of mIoU: the mean over the seeds that both have.

    seeds: over trainings, None for fewer than two. images: over images, None without counts per image.
    """

    mean: float
    seeds: Interval | None
    images: Interval | None


@dataclass(frozen=True)
class BenchmarkRow:
    """figures: one per method. differences: one per method after the first, None if no seed is shared.

    published: in percent, NaN where the paper has none.
    """

    group: str
    title: str
    kind: RowKind
    figures: tuple[Figure, ...]
    differences: tuple[Difference | None, ...]
    published: tuple[float, ...]

    @property
    def best(self) -> int | None:
        """The measured method with the highest mean, where there is something to choose."""
        means = [figure.mean for figure in self.figures]
        return int(np.nanargmax(means)) if len(means) - np.isnan(means).sum() > 1 else None


@dataclass(frozen=True)
class BenchmarkTable:
    """methods: the baseline first. published: names of the columns from papers."""

    methods: tuple[str, ...]
    published: tuple[str, ...]
    rows: tuple[BenchmarkRow, ...]
    notes: tuple[str, ...]


class _ImageDraws(NamedTuple):
    """values: differences of mIoU (fractions), one per resample. images: how many were redrawn."""

    values: NDArray[np.float64]
    images: int


def benchmark_table(comparison: Comparison, published: Mapping[str, Published]) -> BenchmarkTable:
    """All figures of `comparison`. Reads the counts per image beside each run's results."""
    base, others = comparison.methods[0], comparison.methods[1:]
    draws = {
        (method.title, domain): _image_draws(base, method, domain)
        for method in others
        for domain in comparison.domains
    }
    rows = []
    for group, lines in table_lines(comparison):
        for line in lines:
            differences = [
                _difference(base, method, line, [draws[method.title, domain] for domain in line.domains])
                for method in others
            ]
            figures = tuple(_figure(method, line) for method in comparison.methods)
            papers = tuple(_published(paper, line, comparison.domains) for paper in published.values())
            rows.append(BenchmarkRow(group, line.title, line.kind, figures, tuple(differences), papers))
    return BenchmarkTable(
        methods=tuple(method.title for method in comparison.methods),
        published=tuple(published),
        rows=tuple(rows),
        notes=(*comparison.notes(differences=False), *_notes(comparison, published)),
    )


def shared_seeds(base: Method, method: Method) -> list[int]:
    """Seeds that both were trained with, ascending: what a paired comparison is over."""
    return sorted(set(base.seeds) & set(method.seeds))


def _figure(method: Method, line: Line) -> Figure:
    return mean_figure(method.mious(line.domains))


def _difference(
    base: Method, method: Method, line: Line, draws: Sequence[_ImageDraws | None]
) -> Difference | None:
    seeds = shared_seeds(base, method)
    theirs, mine = (dict(zip(m.seeds, m.mious(line.domains), strict=True)) for m in (base, method))
    paired = [mine[seed] - theirs[seed] for seed in seeds]
    if not paired or any(map(math.isnan, paired)):
        return None
    known = [draw for draw in draws if draw is not None]
    images = None
    if len(known) == len(draws):
        values = shares(line.domains) @ np.stack([draw.values for draw in known])
        images = percentile_interval(100 * values, n=sum(draw.images for draw in known))
    return Difference(float(np.mean(paired)), student_interval(paired), images)


def _image_draws(base: Method, method: Method, domain: Domain) -> _ImageDraws | None:
    """None without shared seeds, or if a run lacks its counts."""
    seeds = shared_seeds(base, method)
    theirs, mine = ([_counts(m, seed, domain) for seed in seeds] for m in (base, method))
    found = [counts for counts in (*theirs, *mine) if counts is not None]
    if not seeds or len(found) < 2 * len(seeds):
        return None
    values = bootstrap_differences(found[: len(seeds)], found[len(seeds) :])
    return _ImageDraws(values, images=len(found[0].keys))


def _counts(method: Method, seed: int, domain: Domain) -> ImageCounts | None:
    run = method.runs[method.seeds.index(seed)]
    result = run.result(domain)
    return read_counts(run.folder, result) if result is not None else None


def _published(paper: Published, line: Line, domains: Sequence[Domain]) -> float:
    """By KEY:SPLIT, or by KEY where the table has one split of it; no means of a paper's figures."""
    if line.kind == "average":
        return math.nan
    (domain,) = line.domains
    exact = paper.miou.get(f"{domain.key}:{domain.split}", math.nan)
    alone = sum(other.key == domain.key for other in domains) == 1
    return paper.miou.get(domain.key, exact) if alone and math.isnan(exact) else exact


def _notes(comparison: Comparison, published: Mapping[str, Published]) -> list[str]:
    base, *others = comparison.methods
    notes = []
    if others:
        pairs = "; ".join(f"{m.title} n = {len(shared_seeds(base, m))}" for m in others)
        notes.append(
            f"Δ: difference to {base.title}, mean over the seeds of both ({pairs}). Over seeds: 95 % "
            "interval of that mean by Student's t; none with one seed. Over images: the central 95 % of "
            f"{RESAMPLES} paired bootstrap resamples of the images, the trainings held fixed."
        )
    notes += [f"{name}: published, {paper.source}; not measured here." for name, paper in published.items()]
    return notes
