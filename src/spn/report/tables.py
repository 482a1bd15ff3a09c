"""The comparison as a table: each method's mean over seeds per row, its difference to the first, and what
papers report beside it; as Markdown, LaTeX and plain text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spn.report.comparison import ROUTINE, TARGETS, WEATHER, Comparison, Domain
from spn.report.differences import Difference, SeedMean, difference, resample, shared_seeds
from spn.report.grid import Cell, Grid, grid_latex, grid_markdown, grid_text
from spn.report.notes import comparison_notes
from spn.report.statistics import RESAMPLES, Interval


@dataclass(frozen=True)
class Published:
    """Figures from a paper. source: paper and table. miou: in percent, by dataset key or KEY:SPLIT."""

    source: str
    miou: Mapping[str, float]

    def figure(self, line: Line, domains: Sequence[Domain]) -> float:
        """By KEY:SPLIT, or by KEY where the table has one split of it; no means of a paper's figures."""
        if line.kind == "average":
            return math.nan
        (domain,) = line.domains
        exact = self.miou.get(f"{domain.key}:{domain.split}", math.nan)
        alone = sum(other.key == domain.key for other in domains) == 1
        return self.miou.get(domain.key, exact) if alone and math.isnan(exact) else exact


@dataclass(frozen=True)
class Line:
    """What a row is of: one domain, or several whose mean it shows. group: what it stands under."""

    group: str
    title: str
    kind: Literal["domain", "average"]
    domains: tuple[Domain, ...]


@dataclass(frozen=True)
class Row:
    """figures: one per method. differences: one per method after the first. published: NaN where a paper has
    none."""

    line: Line
    figures: tuple[SeedMean, ...]
    differences: tuple[Difference, ...]
    published: tuple[float, ...] = ()

    @property
    def title(self) -> Cell:
        return Cell(self.line.title, "italic" if self.line.kind == "average" else "")

    @property
    def best(self) -> int | None:
        """The measured method with the highest mean, where there is something to choose."""
        means = [figure.mean for figure in self.figures]
        return int(np.nanargmax(means)) if len(means) - np.isnan(means).sum() > 1 else None


@dataclass(frozen=True)
class Table:
    """mIoU in percent. methods: the reference first. published: names of the columns from papers.

    intervals: differences come with intervals in a table of their own, not with deviations beside the means.
    """

    methods: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    published: tuple[str, ...] = ()
    intervals: bool = False


def comparison_table(comparison: Comparison) -> Table:
    """The table of `spn report`."""
    notes = comparison_notes(comparison, deviations=len(comparison.methods) > 1)
    return _table(comparison, {}, notes, intervals=False)


def benchmark_table(comparison: Comparison, published: Mapping[str, Published]) -> Table:
    """The table of `spn benchmark`. Reads the counts per image beside each run's results."""
    notes = comparison_notes(comparison, deviations=False)
    base, *others = comparison.methods
    if others:
        pairs = "; ".join(f"{m.title} n = {len(shared_seeds(base, m))}" for m in others)
        notes.append(
            f"Δ: difference to {base.title}, mean over the seeds of both ({pairs}). Over seeds: 95 % "
            "interval of that mean by Student's t; none with one seed. Over images: the central 95 % of "
            f"{RESAMPLES} paired bootstrap resamples of the images, the trainings held fixed."
        )
    notes += [f"{name}: published, {paper.source}; not measured here." for name, paper in published.items()]
    return _table(comparison, published, notes, intervals=True)


def table_lines(comparison: Comparison) -> list[Line]:
    """What the rows are of, group by group; the mean of all targets comes last."""
    lines = []
    for group, members in comparison.groups():
        lines += [Line(group, comparison.title(domain), "domain", (domain,)) for domain in members]
        for mean in (ROUTINE, WEATHER):
            if found := mean.members(members):
                lines.append(Line(group, mean.title, "average", found))
    if found := TARGETS.members(comparison.domains):
        lines.append(Line("All targets", TARGETS.title, "average", found))
    return lines


def to_markdown(table: Table) -> str:
    """For README and issues. The best measured figure of a row is bold, rows of means are italic."""
    return "\n".join([*map(grid_markdown, _grids(table)), *(f"{note}  " for note in table.notes)]) + "\n"


def to_latex(table: Table) -> str:
    """booktabs tables, the notes as comments."""
    return "\n".join([*map(grid_latex, _grids(table)), *(f"% {note}" for note in table.notes)]) + "\n"


def to_text(table: Table) -> str:
    """Aligned columns for a terminal."""
    return "\n".join([*map(grid_text, _grids(table)), *table.notes]) + "\n"


def _table(
    comparison: Comparison, published: Mapping[str, Published], notes: Sequence[str], *, intervals: bool
) -> Table:
    base, *others = comparison.methods
    domains = comparison.domains if intervals else ()
    resampled = {m.title: {domain: resample(base, m, domain) for domain in domains} for m in others}
    rows = [
        Row(
            line,
            tuple(SeedMean.of(method.mious(line.domains)) for method in comparison.methods),
            tuple(difference(base, m, line.domains, resampled[m.title]) for m in others),
            tuple(paper.figure(line, comparison.domains) for paper in published.values()),
        )
        for line in table_lines(comparison)
    ]
    titles = tuple(method.title for method in comparison.methods)
    return Table(titles, tuple(rows), tuple(notes), tuple(published), intervals)


def _grids(table: Table) -> list[Grid]:
    """The figures; then the differences, unless they stand beside them."""
    reference, *others = table.methods
    beside = [] if table.intervals else others
    headings = ["mIoU (%)", *table.methods, *(f"{name} (published)" for name in table.published)]
    rows: list[tuple[Cell, ...] | str] = []
    groups = dict.fromkeys(row.line.group for row in table.rows)
    for group in groups:
        if len(groups) > 1 and not table.intervals:
            rows.append(group)
        rows += [(row.title, *_cells(row, len(beside))) for row in table.rows if row.line.group == group]
    figures = Grid((*headings, *(f"Δ {name} − {reference}" for name in beside)), tuple(rows))
    return [figures, _differences(table)] if table.intervals and others else [figures]


def _cells(row: Row, beside: int) -> list[Cell]:
    """beside: how many differences stand beside the figures."""
    measured = [Cell(f.text(), "bold" if i == row.best else "") for i, f in enumerate(row.figures)]
    papers = [Cell("–" if math.isnan(value) else f"{value:.2f}") for value in row.published]
    return [*measured, *papers, *(Cell(d.value.text(signed=True)) for d in row.differences[:beside])]


def _differences(table: Table) -> Grid:
    headings = (f"Δ to {table.methods[0]}", "method", "Δ mIoU", "95 % over seeds", "95 % over images")
    rows = []
    for row in table.rows:
        for method, to_base in zip(table.methods[1:], row.differences, strict=True):
            mean = SeedMean(to_base.value.mean, math.nan).text(signed=True)
            texts = method, mean, _interval(to_base.seeds), _interval(to_base.images)
            rows.append((row.title, *map(Cell, texts)))
    return Grid(headings, tuple(rows), left=2)


def _interval(interval: Interval | None) -> str:
    return f"{interval.low:+.2f} to {interval.high:+.2f}" if interval else "–"
