"""Writes a whole report into a folder: tables, figures, and one Markdown file that shows them together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spn.core.files import write_text
from spn.report.calibration_table import NOTE, calibration_grid
from spn.report.charts import draw_charts, figure_paths
from spn.report.comparison import Comparison
from spn.report.csv_files import per_class_csv, runs_csv, table_csv
from spn.report.grid import grid_latex, grid_markdown
from spn.report.panels import draw_panels
from spn.report.style import write_figure
from spn.report.tables import (
    Published,
    Table,
    benchmark_table,
    comparison_table,
    to_latex,
    to_markdown,
)

_IN_EVERY_GROUP: Final = ("domain", "domains", "photographs")
"""Words of a group's title that its file's name leaves out."""


@dataclass(frozen=True)
class ReportFiles:
    """What was written. figures: the PNGs by title, in the order of the report."""

    table: Table
    document: Path
    figures: Mapping[str, Path]


def write_report(comparison: Comparison, folder: Path, *, samples: int | None = None) -> ReportFiles:
    """Write report.md and all that it shows into `folder`; files of an earlier report there are replaced.

    samples: rows per domain in the qualitative figures; None is one for many domains, two for few.
    """
    table = comparison_table(comparison)
    _write_tables(comparison, table, folder)
    figures = draw_charts(comparison, folder)
    for group, members in comparison.groups():
        rows = samples or (1 if len(members) > 2 else 2)
        words = [word for word in re.findall(r"\w+", group.lower()) if word not in _IN_EVERY_GROUP]
        paths = figure_paths(folder, "_".join(["samples", *words]))
        if write_figure(draw_panels(comparison, members, samples=rows), *paths):
            figures[f"Samples: {group.lower()}"] = paths[0]
    sources = ", ".join(f"{m.title} seed {m.seeds[0]}" for m in comparison.methods)
    runs = "".join(
        f"| {m.title} | {r.results.seed} | {r.folder} | {r.results.checkpoint_sha256[:16]} |\n"
        for m in comparison.methods
        for r in m.runs
    )
    document = folder / "report.md"
    write_text(
        document,
        f"# {' and '.join(table.methods)}\n\n{to_markdown(table)}\n{_shown(figures)}"
        "Samples are evenly spaced over each dataset and the first ones shown; none is chosen by its looks. "
        f"They come from {sources}.\n\n## Runs\n\n"
        f"| method | seed | folder | weights (sha256) |\n| --- | ---: | --- | --- |\n{runs}",
    )
    return ReportFiles(table, document, figures)


def write_benchmark(
    comparison: Comparison, folder: Path, *, published: Mapping[str, Published], missing: Sequence[str]
) -> ReportFiles:
    """Write benchmark.md and all that it shows into `folder`; files of an earlier report there are replaced.

    missing: a sentence for each planned run that is not in `comparison`.
    """
    table = benchmark_table(comparison, published)
    _write_tables(comparison, table, folder)
    parts = [f"# Benchmark: {', '.join(table.methods)}\n", to_markdown(table)]
    if missing:
        parts.append("## Missing\n\n" + "\n".join(f"- {text}" for text in missing) + "\n")
    if grid := calibration_grid(comparison):
        write_text(folder / "calibration.md", grid_markdown(grid))
        write_text(folder / "calibration.tex", grid_latex(grid))
        parts.append(f"## Calibration\n\n{grid_markdown(grid)}\n{NOTE}\n")
    figures = draw_charts(comparison, folder)
    document = folder / "benchmark.md"
    write_text(document, "\n".join([*parts, _shown(figures)]))
    return ReportFiles(table, document, figures)


def _write_tables(comparison: Comparison, table: Table, folder: Path) -> None:
    write_text(folder / "table.md", to_markdown(table))
    write_text(folder / "table.tex", to_latex(table))
    write_text(folder / "table.csv", table_csv(table))
    write_text(folder / "per_class.csv", per_class_csv(comparison))
    write_text(folder / "runs.csv", runs_csv(comparison))


def _shown(figures: Mapping[str, Path]) -> str:
    return "".join(f"## {name}\n\n![{name}]({path.name})\n\n" for name, path in figures.items())
