"""The comparison as a table: each method's mean over seeds per row, its difference to the first, and what
papers report beside it; as Markdown, LaTeX and plain text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from spn.report.comparison import ROUTINE, TARGETS, WEATHER, Comparison, Domain
from spn.report.differences import Difference, SeedMean, difference, resample, shared_seeds
from spn.report.grid import Cell, Grid, grid_latex, grid_markdown, grid_text
from spn.report.notes import comparison_notes
from spn.report.statistics import RESAMPLES, Interval

MOST_BESIDE: Final = 2
"""Differences that have room beside the figures; more have a table of their own."""


@dataclass(frozen=True)
class Published:
    """Figures from a paper. source: paper and table. miou: in percent, by dataset key or KEY:SPLIT."""

    source: str
    miou: Mapping[str, float]

    def figure(self, row: tuple[Domain, ...], domains: tuple[Domain, ...]) -> float:
        """By KEY:SPLIT, or by KEY where the table has one split of it; no means of a paper's figures."""
        if len(row) > 1:
            return math.nan
        exact = self.miou.get(f"{row[0].key}:{row[0].split}", math.nan)
        alone = sum(other.key == row[0].key for other in domains) == 1
        return self.miou.get(row[0].key, exact) if alone and math.isnan(exact) else exact


@dataclass(frozen=True)
class Row:
    """One domain, or the mean of several. figures: one per method. differences: one per method after the
    first. published: one per paper, NaN where it has none."""

    group: str
    title: str
    domains: tuple[Domain, ...]
    figures: tuple[SeedMean, ...]
    differences: tuple[Difference, ...]
    published: tuple[float, ...] = ()

    @property
    def is_mean(self) -> bool:
        return len(self.domains) > 1

    @property
    def best(self) -> int | None:
        """The measured method with the highest mean, where there is something to choose."""
        means = [figure.mean for figure in self.figures]
        return int(np.nanargmax(means)) if len(means) - np.isnan(means).sum() > 1 else None


@dataclass(frozen=True)
class Table:
    """mIoU in percent. methods: the reference first. published: names of the columns from papers."""

    methods: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    published: tuple[str, ...] = ()


def comparison_table(comparison: Comparison, published: Mapping[str, Published] | None = None) -> Table:
    """The table, with intervals over images where runs have counts per image beside their results."""
    base, *others = comparison.methods
    papers = published or {}
    resampled = {m.title: {d: resample(base, m, d) for d in comparison.domains} for m in others}
    rows = [
        Row(
            *(group, title, domains),
            tuple(SeedMean.of(method.mious(domains)) for method in comparison.methods),
            tuple(difference(base, m, domains, resampled[m.title]) for m in others),
            tuple(paper.figure(domains, comparison.domains) for paper in papers.values()),
        )
        for group, title, domains in _lines(comparison)
    ]
    notes = comparison_notes(comparison)
    if any(d.seeds or d.images for row in rows for d in row.differences):
        pairs = "; ".join(f"{m.title} n = {len(shared_seeds(base, m))}" for m in others)
        notes.append(
            f"Δ: difference to {base.title}, mean over the seeds of both ({pairs}). Over seeds: 95 % "
            "interval of that mean by Student's t; none with one seed. Over images: the central 95 % of "
            f"{RESAMPLES} paired bootstrap resamples of the images, the trainings held fixed."
        )
    notes += [f"{name}: published, {paper.source}; not measured here." for name, paper in papers.items()]
    return Table(tuple(m.title for m in comparison.methods), tuple(rows), tuple(notes), tuple(papers))


def _lines(comparison: Comparison) -> Iterator[tuple[str, str, tuple[Domain, ...]]]:
    """Group, title and domains of each row; the mean of all targets comes last."""
    for group, members in comparison.groups():
        yield from ((group, comparison.title(domain), (domain,)) for domain in members)
        for mean in (ROUTINE, WEATHER):
            if found := mean.members(members):
                yield group, mean.title, found
    if found := TARGETS.members(comparison.domains):
        yield "All targets", TARGETS.title, found


def to_markdown(table: Table) -> str:
    """For README and issues. The best measured figure of a row is bold, rows of means are italic."""
    return "\n".join([*map(grid_markdown, _grids(table)), *(f"{note}  " for note in table.notes)]) + "\n"


def to_latex(table: Table) -> str:
    """booktabs tables, the notes as comments."""
    return "\n".join([*map(grid_latex, _grids(table)), *(f"% {note}" for note in table.notes)]) + "\n"


def to_text(table: Table) -> str:
    """Aligned columns for a terminal."""
    return "\n".join([*map(grid_text, _grids(table)), *table.notes]) + "\n"


def _grids(table: Table) -> list[Grid]:
    """The figures, with few differences beside them; then these with their intervals."""
    reference, *others = table.methods
    beside = others if len(others) <= MOST_BESIDE else []
    headings = ["mIoU (%)", *table.methods, *(f"{name} (published)" for name in table.published)]
    headings += [f"Δ {name} − {reference}" for name in beside]
    figures: list[tuple[Cell, ...] | str] = []
    differences: list[tuple[Cell, ...] | str] = []
    groups = list(dict.fromkeys(row.group for row in table.rows))
    for row in table.rows:
        if len(groups) > 1 and row.group not in figures:
            figures.append(row.group)
        title = Cell(row.title, "italic" if row.is_mean else "")
        cells = [Cell(f.text(), "bold" if i == row.best else "") for i, f in enumerate(row.figures)]
        cells += [Cell("–" if math.isnan(value) else f"{value:.2f}") for value in row.published]
        cells += [Cell(d.value.text(signed=True)) for d in row.differences[: len(beside)]]
        figures.append((title, *cells))
        for method, to_base in zip(others, row.differences, strict=True):
            texts = to_base.value.text(signed=True), _interval(to_base.seeds), _interval(to_base.images)
            differences.append((title, Cell(method), *map(Cell, texts)))
    second = ("Δ to " + reference, "method", "Δ mIoU", "95 % over seeds", "95 % over images")
    wanted = not beside or any(d.seeds or d.images for row in table.rows for d in row.differences)
    grids = [Grid(tuple(headings), tuple(figures)), Grid(second, tuple(differences), left=2)]
    return grids if others and wanted else grids[:1]


def _interval(interval: Interval | None) -> str:
    return f"{interval.low:+.2f} to {interval.high:+.2f}" if interval else "–"
