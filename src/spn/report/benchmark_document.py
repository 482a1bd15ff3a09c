"""Writes what a benchmark found into a folder: table, figures, and benchmark.md that shows them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spn.core.files import write_text
from spn.report.bars import draw_class_bars
from spn.report.benchmark_figures import BenchmarkTable, Published, benchmark_table
from spn.report.benchmark_text import benchmark_csv, benchmark_latex, benchmark_markdown
from spn.report.calibration_table import NOTE, calibration_grid
from spn.report.comparison import Comparison
from spn.report.grid import grid_latex, grid_markdown
from spn.report.severity import draw_severity
from spn.report.tables import per_class_csv, runs_csv

FORMATS: Final = ("png", "pdf")


@dataclass(frozen=True)
class BenchmarkFiles:
    table: BenchmarkTable
    document: Path


def write_benchmark(
    comparison: Comparison, folder: Path, *, published: Mapping[str, Published], missing: Sequence[str]
) -> BenchmarkFiles:
    """Write everything into `folder`; files of an earlier report there are replaced.

    missing: a sentence for each planned run that is not in `comparison`.
    """
    table = benchmark_table(comparison, published)
    write_text(folder / "table.md", benchmark_markdown(table))
    write_text(folder / "table.tex", benchmark_latex(table))
    write_text(folder / "table.csv", benchmark_csv(table))
    write_text(folder / "per_class.csv", per_class_csv(comparison))
    write_text(folder / "runs.csv", runs_csv(comparison))

    parts = [f"# Benchmark: {', '.join(table.methods)}\n", benchmark_markdown(table)]
    if missing:
        parts.append("## Missing\n\n" + "\n".join(f"- {text}" for text in missing) + "\n")
    severity, bars = (
        [folder / f"{name}.{ending}" for ending in FORMATS] for name in ("severity", "per_class_iou")
    )
    if draw_severity(comparison, severity):
        parts.append(
            f"## mIoU against fog and rain\n\n![mIoU against severity]({severity[0].name})\n\n"
            "Shaded: one standard deviation over seeds.\n"
        )
    else:
        for path in severity:
            path.unlink(missing_ok=True)
    if grid := calibration_grid(comparison):
        write_text(folder / "calibration.md", grid_markdown(grid))
        write_text(folder / "calibration.tex", grid_latex(grid))
        parts.append(f"## Calibration\n\n{grid_markdown(grid)}\n{NOTE}\n")
    draw_class_bars(comparison, bars)
    parts.append(f"## IoU per class\n\n![IoU per class]({bars[0].name})\n")
    document = folder / "benchmark.md"
    write_text(document, "\n".join(parts))
    return BenchmarkFiles(table, document)
