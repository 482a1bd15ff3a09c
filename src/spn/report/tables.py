"""The comparison as tables: each method's mean over seeds per row, its difference to the first, and what
papers report beside it; how far each method's confidence can be trusted; and under them what a reader must
know to trust the table: how, on what and after how much training."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

import numpy as np

from spn.core.ranges import Percent
from spn.evaluation.counts import Calibration
from spn.evaluation.grid import Bold, Grid, Italic, markdown_text, one_line
from spn.report.comparison import MEANS, TARGETS, Comparison, Domain
from spn.report.statistics import (
    RESAMPLES,
    Difference,
    Interval,
    SeedMean,
    difference,
    leader,
    resample,
    shared_seeds,
)

MOST_BESIDE: Final = 2
"""Differences that have room beside the figures; more have a table of their own."""
FEW_STEPS: Final = 200
CALIBRATION_NOTE = (
    "ECE: expected calibration error of the largest probability, 15 bins. AURC: area under the risk-coverage "
    "curve, the error rate among the most confident pixels averaged over all shares of them; a confidence "
    "that says nothing gives the share of wrong pixels. Lower is better."
)


@dataclass(frozen=True)
class Published:
    """Figures from a paper. source: paper and table. miou: in percent, by dataset key or KEY:SPLIT."""

    source: str
    miou: Mapping[str, Percent]

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
    first. published: one per paper, NaN where it has none. best: the method that `leader` finds."""

    group: str
    title: str
    domains: tuple[Domain, ...]
    figures: tuple[SeedMean, ...]
    differences: tuple[Difference, ...]
    published: tuple[float, ...]
    best: int | None

    @property
    def is_mean(self) -> bool:
        return len(self.domains) > 1


@dataclass(frozen=True)
class Table:
    """mIoU in percent. methods: the reference first. published: names of the columns from papers."""

    methods: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    published: tuple[str, ...]
    has_intervals: bool


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
            leader([dict(zip(m.seeds, m.mious(domains).tolist(), strict=True)) for m in comparison.methods]),
        )
        for group, title, domains in _lines(comparison)
    ]
    has_intervals = any(d.seeds or d.images for row in rows for d in row.differences)
    notes = comparison_notes(comparison)
    if has_intervals:
        pairs = "; ".join(f"{m.title} n = {len(shared_seeds(base, m))}" for m in others)
        notes.append(
            f"Δ: difference to {base.title}, mean over the seeds of both ({pairs}). Over seeds: 95 % "
            "interval of that mean by Student's t; none with one seed. Over images: the central 95 % of "
            f"{RESAMPLES} paired bootstrap resamples of the images, the trainings held fixed."
        )
    if any(d.seeds for row in rows for d in row.differences):
        notes.append(
            "Bold: what the seeds tell from chance, by that interval over seeds: a Δ that is not 0, and the "
            "best of a row if it differs from every other method."
        )
    notes += [f"{name}: published, {paper.source}; not measured here." for name, paper in papers.items()]
    methods = tuple(method.title for method in comparison.methods)
    return Table(methods, tuple(rows), tuple(notes), tuple(papers), has_intervals)


def _lines(comparison: Comparison) -> Iterator[tuple[str, str, tuple[Domain, ...]]]:
    """Group, title and domains of each row; means only of what was measured whole, that of all comes last."""
    means = [(group, members, MEANS) for group, members in comparison.groups()]
    of_all = ("All targets", comparison.domains, {"Mean of the six targets": TARGETS})
    for group, members, titled in [*means, of_all]:
        if titled is MEANS:
            yield from ((group, comparison.title(domain), (domain,)) for domain in members)
        for title, keys in titled.items():
            found = tuple(domain for domain in members if domain.key in keys)
            if {domain.key for domain in found} == set(keys):
                yield group, title, found


def rendered(table: Table, form: Literal["markdown", "latex", "text"]) -> str:
    """For README and issues, for papers (notes as comments), or for a terminal.

    Bold is what the seeds tell from chance, rows of means are italic.
    """
    grids = (getattr(grid, form)() for grid in table_grids(table))
    lines = map(markdown_text if form == "markdown" else one_line, table.notes)
    note = {"markdown": "{}  ", "latex": "% {}", "text": "{}"}[form]
    return "\n".join([*grids, *map(note.format, lines)]) + "\n"


def table_grids(table: Table) -> tuple[Grid, ...]:
    """The figures, with few differences beside them; then these with their intervals."""
    reference, *others = table.methods
    beside = others if len(others) <= MOST_BESIDE else []
    headings = ["mIoU (%)", *table.methods, *(f"{name} (published)" for name in table.published)]
    headings += [f"Δ {name} − {reference}" for name in beside]
    figures: list[tuple[str, ...]] = []
    differences: list[tuple[str, ...]] = []
    several_groups = len({row.group for row in table.rows}) > 1
    for row in table.rows:
        if several_groups and (heading := (Bold(row.group),)) not in figures:
            figures.append(heading)
        title = Italic(row.title) if row.is_mean else row.title
        published = ["–" if math.isnan(value) else f"{value:.2f}" for value in row.published]
        changes = [
            Bold(d.value.text(signed=True)) if d.is_clear else d.value.text(signed=True)
            for d in row.differences
        ]
        figures.append((title, *_cells(row.figures, row.best), *published, *changes[: len(beside)]))
        for method, change, d in zip(others, changes, row.differences, strict=True):
            differences.append((title, method, change, _interval(d.seeds), _interval(d.images)))
    second = ("Δ to " + reference, "method", "Δ mIoU", "95 % over seeds", "95 % over images")
    grids = Grid(tuple(headings), tuple(figures)), Grid(second, tuple(differences), left=2)
    return grids if others and (table.has_intervals or not beside) else grids[:1]


def _interval(interval: Interval | None) -> str:
    return f"{interval.low:+z.2f} to {interval.high:+z.2f}" if interval else "–"


def calibration_grid(comparison: Comparison) -> Grid | None:
    """Means over seeds in percent, the lowest bold as in the table; None without counts of confidences."""
    rows, measured = [], False
    for domain in comparison.domains:
        runs = [method.counts(Calibration, domain) for method in comparison.methods]
        measured |= any(runs)
        for title, name in (("ECE", "ece"), ("AURC", "aurc"), ("wrong pixels", "error")):
            values = [np.array([100 * getattr(c, name) for c in found]) for found in runs]
            figures = [SeedMean.of(found) for found in values]
            columns = zip(comparison.methods, values, strict=True)
            best = leader([dict(zip(m.seeds, (-found).tolist(), strict=False)) for m, found in columns])
            rows.append((comparison.title(domain), title, *_cells(figures, best)))
    headings = ("percent", "measure", *(method.title for method in comparison.methods))
    return Grid(headings, tuple(rows), left=2) if measured else None


def _cells(figures: Sequence[SeedMean], best: int | None) -> list[str]:
    return [Bold(figure.text()) if i == best else figure.text() for i, figure in enumerate(figures)]


def comparison_notes(comparison: Comparison) -> list[str]:
    """The notes of a table: how, on what and after how much training; the protocol comes first."""
    methods = comparison.methods
    protocols: dict[str, dict[str, None]] = {}
    for method in methods:
        for result in (result for run in method.runs for result in run.domains):
            text = f"{result.protocol_name} ({result.protocol['description']})"
            protocols.setdefault(text, {})[method.title] = None
    notes = [
        f"Protocol ({', '.join(titles)}): {text}." if len(protocols) > 1 else f"Protocol: {text}."
        for text, titles in protocols.items()
    ]
    measured = (
        f"{d.title} {d.split}, {comparison.result(d).images} images, map {d.map_name}"
        for d in comparison.domains
    )
    notes.append(f"Measured on: {'; '.join(measured)}.")
    for domain in comparison.domains:
        result = comparison.result(domain)
        names, evaluated = result.class_names, result.classes_evaluated
        if absent := ", ".join(name for name in names if name not in evaluated):
            figures = {m.title: [100 * r.miou_all_classes for r in m.results(domain)] for m in methods}
            zeros = ", ".join(f"{title} {np.mean(found):.2f}" for title, found in figures.items() if found)
            notes.append(
                f"{comparison.title(domain)}: mIoU over the {len(evaluated)} classes with ground truth "
                f"(absent: {absent}); counting absent ones as 0 over all {len(names)}: {zeros}."
            )
        mapped = {f"{m.title} by {r.mapping}" for m in methods for r in m.results(domain) if r.mapping}
        if mapped:
            notes.append(f"{comparison.title(domain)}: classes mapped, {'; '.join(sorted(mapped))}.")
    seeds = "; ".join(f"{m.title} {', '.join(map(str, m.seeds))}" for m in methods)
    if all(len(method.runs) == 1 for method in methods):
        notes.append(f"Seeds: {seeds}. One run each: a small difference may be chance.")
    else:
        paired = " (in Δ columns: of the differences of equal seeds)" if len(methods) > 1 else ""
        notes.append(f"Seeds: {seeds}. ± is the standard deviation over seeds{paired}.")
    if all("step" in run.info for method in methods for run in method.runs):
        steps = {m.title: sorted({int(run.info["step"]) for run in m.runs}) for m in methods}
        texts = (f"{title} {', '.join(map(str, numbers))} steps" for title, numbers in steps.items())
        notes.append(f"Trained: {'; '.join(texts)}.")
        if min(chain(*steps.values())) < FEW_STEPS:
            notes.append(
                f"WARNING: fewer than {FEW_STEPS} training steps show that everything runs, and nothing of "
                "which method is better."
            )
        if len(set(map(tuple, steps.values()))) > 1:
            notes.append("WARNING: the methods were not trained for equally many steps.")
    return notes + [f"WARNING: {warning}" for warning in comparison.warnings]
