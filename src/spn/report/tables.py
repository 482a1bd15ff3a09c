"""The comparison as tables: each method's mean over seeds per row, its difference to the first, and what
papers report beside it; and how far each method's confidence can be trusted. `notes.py` says what a reader
must know of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from spn.evaluation.counts import Calibration
from spn.report.comparison import MEANS, TARGETS, Comparison, Domain
from spn.report.notes import comparison_notes
from spn.report.statistics import (
    RESAMPLES,
    Difference,
    Interval,
    SeedMean,
    difference,
    resample,
    shared_seeds,
)

MOST_BESIDE: Final = 2
"""Differences that have room beside the figures; more have a table of their own."""
_STYLES: Final = {r"\*\*(.+)\*\*": r"\\textbf{\1}", r"\*(.+)\*": r"\\textit{\1}"}
_SYMBOLS: Final = {"±": r"$\pm$", "Δ": r"$\Delta$", "−": "$-$", "–": "--"}


@dataclass(frozen=True)
class Published:
    """Figures from a paper. source: paper and table. miou: in percent, by dataset key or KEY:SPLIT."""

    source: str
    miou: Mapping[str, float]

    def figure(self, row: tuple[Domain, ...], domains: tuple[Domain, ...]) -> float:
        """By KEY:SPLIT, or by KEY where the table has one split of it; no means of a paper's figures."""
        if len(row) > 1:
            return math.nan
        alone = sum(other.key == row[0].key for other in domains) == 1
        by_key = self.miou.get(row[0].key, math.nan) if alone else math.nan
        return self.miou.get(f"{row[0].key}:{row[0].split}", by_key)


@dataclass(frozen=True)
class Row:
    """One domain, or the mean of several. figures: one per method. differences: one per method after the
    first. published: one per paper, NaN where it has none."""

    group: str
    title: str
    domains: tuple[Domain, ...]
    figures: tuple[SeedMean, ...]
    differences: tuple[Difference, ...]
    published: tuple[float, ...]

    @property
    def is_mean(self) -> bool:
        return len(self.domains) > 1

    @property
    def best(self) -> int | None:
        """The measured method with the highest mean, where there is something to choose."""
        return _highest([figure.mean for figure in self.figures])


@dataclass(frozen=True)
class Table:
    """mIoU in percent. methods: the reference first. published: names of the columns from papers."""

    methods: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    published: tuple[str, ...]

    @property
    def has_intervals(self) -> bool:
        return any(d.seeds or d.images for row in self.rows for d in row.differences)


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
    table = Table(tuple(m.title for m in comparison.methods), tuple(rows), (), tuple(papers))
    notes = comparison_notes(comparison)
    if table.has_intervals:
        pairs = "; ".join(f"{m.title} n = {len(shared_seeds(base, m))}" for m in others)
        notes.append(
            f"Δ: difference to {base.title}, mean over the seeds of both ({pairs}). Over seeds: 95 % "
            "interval of that mean by Student's t; none with one seed. Over images: the central 95 % of "
            f"{RESAMPLES} paired bootstrap resamples of the images, the trainings held fixed."
        )
    notes += [f"{name}: published, {paper.source}; not measured here." for name, paper in papers.items()]
    return replace(table, notes=tuple(notes))


def _lines(comparison: Comparison) -> Iterator[tuple[str, str, tuple[Domain, ...]]]:
    """Group, title and domains of each row; the mean of all targets comes last."""
    for group, members in comparison.groups():
        yield from ((group, comparison.title(domain), (domain,)) for domain in members)
        yield from _means(group, members, MEANS)
    yield from _means("All targets", comparison.domains, {"Mean of the six targets": TARGETS})


def _means(
    group: str, domains: Sequence[Domain], means: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, str, tuple[Domain, ...]]]:
    """Those of which every dataset was measured."""
    for title, keys in means.items():
        found = tuple(domain for domain in domains if domain.key in keys)
        if {domain.key for domain in found} == set(keys):
            yield group, title, found


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
    figures: list[tuple[str, ...]] = []
    differences: list[tuple[str, ...]] = []
    several_groups = len({row.group for row in table.rows}) > 1
    for row in table.rows:
        if several_groups and (heading := (f"**{row.group}**",)) not in figures:
            figures.append(heading)
        title = f"*{row.title}*" if row.is_mean else row.title
        published = ["–" if math.isnan(value) else f"{value:.2f}" for value in row.published]
        changes = [d.value.text(signed=True) for d in row.differences]
        figures.append((title, *_cells(row.figures, row.best), *published, *changes[: len(beside)]))
        for method, change, d in zip(others, changes, row.differences, strict=True):
            differences.append((title, method, change, _interval(d.seeds), _interval(d.images)))
    second = ("Δ to " + reference, "method", "Δ mIoU", "95 % over seeds", "95 % over images")
    grids = [Grid(tuple(headings), tuple(figures)), Grid(second, tuple(differences), left=2)]
    return grids if others and (table.has_intervals or not beside) else grids[:1]


def _interval(interval: Interval | None) -> str:
    return f"{interval.low:+.2f} to {interval.high:+.2f}" if interval else "–"


def calibration_grid(comparison: Comparison) -> Grid | None:
    """Means over seeds in percent, the lowest bold; None if no run has counts of confidences."""
    rows, measured = [], False
    for domain in comparison.domains:
        runs = [method.counts(Calibration, domain) for method in comparison.methods]
        measured |= any(runs)
        for title, name in (("ECE", "ece"), ("AURC", "aurc"), ("wrong pixels", "error")):
            figures = [SeedMean.of(np.array([100 * getattr(c, name) for c in found])) for found in runs]
            best = _highest([-figure.mean for figure in figures])
            rows.append((comparison.title(domain), title, *_cells(figures, best)))
    headings = ("percent", "measure", *(method.title for method in comparison.methods))
    return Grid(headings, tuple(rows), left=2) if measured else None


def _highest(values: Sequence[float]) -> int | None:
    """The place of the highest of two or more numbers."""
    return int(np.nanargmax(values)) if np.isfinite(values).sum() > 1 else None


def _cells(figures: Sequence[SeedMean], best: int | None) -> list[str]:
    return [f"**{figure.text()}**" if i == best else figure.text() for i, figure in enumerate(figures)]


@dataclass(frozen=True)
class Grid:
    """headings [columns]; rows of as many cells, and headings (a single cell) over some of them.

    Cells are Markdown: `**bold**` or `*italic*` as a whole. The first `left` columns hold words, the others
    figures.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1

    def lined_up(self, lines: Sequence[Sequence[str]]) -> list[list[str]]:
        """`lines` of texts, those of a column equally wide; a line of one text is filled up."""
        full = [[*line, *[""] * (len(self.headings) - len(line))] for line in lines]
        widths = [max(3, *map(len, column)) for column in zip(*full, strict=True)]
        return [
            [text.ljust(w) if i < self.left else text.rjust(w) for i, (text, w) in enumerate(cells)]
            for cells in (zip(line, widths, strict=True) for line in full)
        ]


def grid_markdown(grid: Grid) -> str:
    """A Markdown table whose columns also line up as plain text."""
    first, *others = grid.lined_up([grid.headings, *grid.rows])
    rule = [("-" * len(t)) if i < grid.left else "-" * (len(t) - 1) + ":" for i, t in enumerate(first)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (first, rule, *others))


def grid_text(grid: Grid) -> str:
    """Aligned columns for a terminal."""
    plain = [[re.sub(r"^\*+(.+?)\*+$", r"\1", cell) for cell in row] for row in grid.rows]
    indented = [[f"  {first}", *others] if others else [first] for first, *others in plain]
    first, *others = ("  ".join(cells).rstrip() for cells in grid.lined_up([grid.headings, *indented]))
    return "".join(f"{line}\n" for line in (first, "─" * len(first), *others))


def grid_latex(grid: Grid) -> str:
    """A booktabs table (needs \\usepackage{booktabs}), with a rule instead of a heading over rows."""
    columns = "l" * grid.left + "r" * (len(grid.headings) - grid.left)
    rows = grid.rows if len(grid.rows[0]) == 1 else (("",), *grid.rows)
    lines = [r"\midrule" if len(row) == 1 else " & ".join(map(_latex, row)) + r" \\" for row in rows]
    head = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", " & ".join(map(_latex, grid.headings)) + r" \\"]
    return "\n".join([*head, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex(text: str) -> str:
    text = re.sub(r"([&%_#])", r"\\\1", text)
    text = re.sub(r"(?<!\w)-(?=\d)", "−", text)
    for symbol, command in _SYMBOLS.items():
        text = text.replace(symbol, command)
    for style, command in _STYLES.items():
        text = re.sub(f"^{style}$", command, text)
    return text
