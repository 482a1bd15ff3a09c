"""The comparison as a table, in Markdown, LaTeX, CSV and plain text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spn.report.cells import csv_text, escaped, number, pipes
from spn.report.comparison import TARGETS, Comparison, Domain, DomainGroup, Method

RowKind = Literal["domain", "average"]


@dataclass(frozen=True)
class Figure:
    """A mean over seeds in percent, and its standard deviation (NaN for a single seed)."""

    mean: float
    std: float

    def text(self, *, signed: bool = False, between: str = " ± ") -> str:
        """`43.12`, `43.12 ± 0.40`, `+1.20`; a dash if there is no figure."""
        if math.isnan(self.mean):
            return "–"
        mean = f"{self.mean:+.2f}" if signed else f"{self.mean:.2f}"
        return mean if math.isnan(self.std) else f"{mean}{between}{self.std:.2f}"


@dataclass(frozen=True)
class Line:
    """What a row is of: one domain, or several whose mean it shows."""

    title: str
    kind: RowKind
    domains: tuple[Domain, ...]


@dataclass(frozen=True)
class Row:
    """figures: one per method. differences: one per method after the first."""

    title: str
    kind: RowKind
    figures: tuple[Figure, ...]
    differences: tuple[Figure, ...]

    @property
    def best(self) -> int | None:
        """The method with the highest mean, where there is something to choose."""
        means = [figure.mean for figure in self.figures]
        if len(means) < 2 or any(map(math.isnan, means)):
            return None
        return int(np.argmax(means))


@dataclass(frozen=True)
class Section:
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class ResultsTable:
    """mIoU in percent: a section per group of domains, a column per method, then differences to the first."""

    methods: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]

    @property
    def headings(self) -> list[str]:
        reference = self.methods[0]
        return ["mIoU (%)", *self.methods, *(f"Δ {name} − {reference}" for name in self.methods[1:])]

    def rows(self) -> list[Row]:
        return [row for section in self.sections for row in section.rows]


def results_table(comparison: Comparison) -> ResultsTable:
    """The table of a comparison; a group of several domains gets a row with their mean."""
    sections = [
        Section(group, tuple(_row(comparison, line) for line in lines))
        for group, lines in table_lines(comparison)
    ]
    return ResultsTable(
        methods=tuple(method.title for method in comparison.methods),
        sections=tuple(sections),
        notes=tuple(comparison.notes()),
    )


def table_lines(comparison: Comparison) -> Iterator[tuple[str, tuple[Line, ...]]]:
    """The titles of the groups, each with what its rows are of; all targets come last."""
    for group, members in comparison.groups():
        lines = tuple(Line(comparison.title(domain), "domain", (domain,)) for domain in members)
        yield group.title, lines + _average(group, members)
    if average := _average(TARGETS, comparison.domains):
        yield TARGETS.title, average


def _average(group: DomainGroup, domains: Sequence[Domain]) -> tuple[Line, ...]:
    """The line of the group's mean over those of `domains` that are in it; none unless all datasets are."""
    members = tuple(domain for domain in domains if domain.key in group.keys)
    if group.average is None or {domain.key for domain in members} != set(group.keys):
        return ()
    return (Line(group.average, "average", members),)


def to_markdown(table: ResultsTable) -> str:
    """A table for README and issues; the best figure of a row is bold, rows of means are italic."""
    columns = len(table.headings)
    lines = [pipes(table.headings), pipes(["---", *["---:"] * (columns - 1)])]
    for section in table.sections:
        if len(table.sections) > 1:
            lines.append(pipes([f"**{section.title}**", *[""] * (columns - 1)]))
        for row in section.rows:
            title = f"*{row.title}*" if row.kind == "average" else row.title
            cells = [figure.text() for figure in row.figures]
            if row.best is not None:
                cells[row.best] = f"**{cells[row.best]}**"
            lines.append(pipes([title, *cells, *(d.text(signed=True) for d in row.differences)]))
    return "\n".join(lines) + "\n\n" + "\n".join(f"{note}  " for note in table.notes) + "\n"


def to_latex(table: ResultsTable) -> str:
    """A booktabs table (needs \\usepackage{booktabs})."""
    headings = [escaped(text) for text in ["mIoU (%)", *table.methods]]
    headings += [f"$\\Delta$ {escaped(name)}" for name in table.methods[1:]]
    lines = [
        f"\\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}",
        "\\toprule",
        " & ".join(headings) + " \\\\",
    ]
    for section in table.sections:
        lines.append("\\midrule")
        for row in section.rows:
            cells = [_latex_figure(figure) for figure in row.figures]
            if row.best is not None:
                cells[row.best] = _latex_figure(row.figures[row.best], bold=True)
            title = escaped(row.title)
            title = f"\\textit{{{title}}}" if row.kind == "average" else title
            differences = [_latex_figure(figure, signed=True) for figure in row.differences]
            lines.append(" & ".join([title, *cells, *differences]) + " \\\\")
    lines += ["\\bottomrule", "\\end{tabular}"]
    return "\n".join(lines) + "\n" + "\n".join(f"% {note}" for note in table.notes) + "\n"


def to_csv(table: ResultsTable) -> str:
    """Numbers for machines; empty cells where there is no figure. The notes follow as comment lines (#)."""
    heading = ["group", "domain", "kind"]
    for name in table.methods:
        heading += [f"{name} mean", f"{name} std"]
    for name in table.methods[1:]:
        heading += [f"{name} difference mean", f"{name} difference std"]
    rows: list[list[str]] = []
    for section in table.sections:
        for row in section.rows:
            numbers = [n for f in (*row.figures, *row.differences) for n in (f.mean, f.std)]
            rows.append([section.title, row.title, row.kind, *map(number, numbers)])
    return csv_text([heading, *rows]) + "".join(f"# {note}\n" for note in table.notes)


def to_text(table: ResultsTable) -> str:
    """Aligned columns for a terminal."""
    body: list[list[str] | str] = []
    for section in table.sections:
        body.append(section.title)
        body += [
            [
                f"  {row.title}",
                *(f.text() for f in row.figures),
                *(d.text(signed=True) for d in row.differences),
            ]
            for row in section.rows
        ]
    lists = [table.headings, *(cells for cells in body if isinstance(cells, list))]
    widths = [max(len(cells[column]) for cells in lists) for column in range(len(table.headings))]
    lines = [_aligned(table.headings, widths), "─" * (sum(widths) + 2 * (len(widths) - 1))]
    lines += [cells if isinstance(cells, str) else _aligned(cells, widths) for cells in body]
    return "\n".join([*lines, "", *table.notes]) + "\n"


def per_class_csv(comparison: Comparison) -> str:
    """One line per domain, method, seed and class: IoU in percent, empty where there is no ground truth."""
    rows = [["domain", "split", "map", "method", "seed", "class", "iou"]]
    for domain in comparison.domains:
        for method in comparison.methods:
            for run in method.runs:
                if (result := run.result(domain)) is None:
                    continue
                start = [domain.key, domain.split, domain.map_name, method.title, str(run.results.seed)]
                for name, iou in zip(result.class_names, result.class_iou, strict=True):
                    rows.append([*start, name, number(100 * iou)])
    return csv_text(rows)


def runs_csv(comparison: Comparison) -> str:
    """One line per run and domain, with everything that says what was measured."""
    rows = [
        [
            "method", "seed", "domain", "split", "map", "miou", "miou_all_classes", "classes", "images",
            "protocol", "fingerprint", "checkpoint_sha256",
        ]
    ]  # fmt: skip
    for method in comparison.methods:
        for run in method.runs:
            for domain in comparison.domains:
                if (result := run.result(domain)) is None:
                    continue
                rows.append(
                    [
                        method.title, str(run.results.seed), domain.key, domain.split, domain.map_name,
                        number(100 * result.miou), number(100 * result.miou_all_classes),
                        str(len(result.classes_evaluated)), str(result.images), result.protocol_name,
                        result.fingerprint, result.checkpoint_sha256,
                    ]
                )  # fmt: skip
    return csv_text(rows)


def _row(comparison: Comparison, line: Line) -> Row:
    values = [method.mious(line.domains) for method in comparison.methods]
    reference = comparison.methods[0]
    differences = [
        _difference(reference, values[0], method, mine)
        for method, mine in zip(comparison.methods[1:], values[1:], strict=True)
    ]
    return Row(line.title, line.kind, tuple(mean_figure(mine) for mine in values), tuple(differences))


def mean_figure(values: NDArray[np.float64]) -> Figure:
    """Mean and standard deviation of one value per seed."""
    return Figure(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan)


def _difference(
    reference: Method, base: NDArray[np.float64], method: Method, mine: NDArray[np.float64]
) -> Figure:
    """Of the means; with a deviation if both methods ran the same seeds, so that they pair."""
    if len(mine) > 1 and sorted(method.seeds) == sorted(reference.seeds):
        return mean_figure(mine[np.argsort(method.seeds)] - base[np.argsort(reference.seeds)])
    return Figure(float(mine.mean() - base.mean()), math.nan)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *others])


def _latex_figure(figure: Figure, *, signed: bool = False, bold: bool = False) -> str:
    if math.isnan(figure.mean):
        return "--"
    text = figure.text(signed=signed, between=" \\pm ")
    return f"$\\mathbf{{{text}}}$" if bold else f"${text}$"
