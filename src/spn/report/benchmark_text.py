"""The table of a benchmark as Markdown, LaTeX and CSV: figures first, then differences to the baseline."""

from __future__ import annotations

import math

from spn.report.benchmark_figures import BenchmarkRow, BenchmarkTable
from spn.report.cells import csv_text, number
from spn.report.grid import Cell, Grid, grid_latex, grid_markdown
from spn.report.statistics import Interval


def benchmark_markdown(table: BenchmarkTable) -> str:
    """Both parts, then the notes. The best measured figure of a row is bold, rows of means are italic."""
    parts = [grid_markdown(_figures(table))]
    if len(table.methods) > 1:
        parts.append(grid_markdown(_differences(table)))
    return "\n".join([*parts, *(f"{note}  " for note in table.notes)]) + "\n"


def benchmark_latex(table: BenchmarkTable) -> str:
    """Both parts as booktabs tables, the notes as comments."""
    parts = [grid_latex(_figures(table))]
    if len(table.methods) > 1:
        parts.append(grid_latex(_differences(table)))
    return "\n".join([*parts, *(f"% {note}" for note in table.notes)]) + "\n"


def benchmark_csv(table: BenchmarkTable) -> str:
    """One line per row and column of the table, for machines; the notes follow as comment lines (#)."""
    rows = [
        [
            "group", "domain", "kind", "method", "source", "mean", "std", "difference", "seeds", "seeds low",
            "seeds high", "images", "images low", "images high",
        ]
    ]  # fmt: skip
    for row in table.rows:
        start = [row.group, row.title, row.kind]
        for method, figure, difference in zip(
            table.methods, row.figures, (None, *row.differences), strict=True
        ):
            rows.append([*start, method, "measured", number(figure.mean), number(figure.std)])
            if difference is None:
                rows[-1] += [""] * 7
            else:
                intervals = (difference.seeds, difference.images)
                rows[-1] += [number(difference.mean), *(text for i in intervals for text in _numbers(i))]
        for name, value in zip(table.published, row.published, strict=True):
            rows.append([*start, name, "published", number(value), *[""] * 8])
    return csv_text(rows) + "".join(f"# {note}\n" for note in table.notes)


def _figures(table: BenchmarkTable) -> Grid:
    headings = ("mIoU (%)", *table.methods, *(f"{name} (published)" for name in table.published))
    rows = []
    for row in table.rows:
        measured = [
            Cell(figure.text(), "bold" if index == row.best else "")
            for index, figure in enumerate(row.figures)
        ]
        papers = [Cell("–" if math.isnan(value) else f"{value:.2f}") for value in row.published]
        rows.append((_title(row), *measured, *papers))
    return Grid(headings, tuple(rows))


def _differences(table: BenchmarkTable) -> Grid:
    headings = (f"Δ to {table.methods[0]}", "method", "Δ mIoU", "95 % over seeds", "95 % over images")
    rows = []
    for row in table.rows:
        for method, difference in zip(table.methods[1:], row.differences, strict=True):
            texts = (
                (f"{difference.mean:+.2f}", _interval(difference.seeds), _interval(difference.images))
                if difference
                else ("–", "–", "–")
            )
            rows.append((_title(row), Cell(method), *map(Cell, texts)))
    return Grid(headings, tuple(rows), left=2)


def _title(row: BenchmarkRow) -> Cell:
    return Cell(row.title, "italic" if row.kind == "average" else "")


def _interval(interval: Interval | None) -> str:
    return f"{interval.low:+.2f} to {interval.high:+.2f}" if interval else "–"


def _numbers(interval: Interval | None) -> tuple[str, str, str]:
    """n, low and high."""
    return (str(interval.n), number(interval.low), number(interval.high)) if interval else ("", "", "")
