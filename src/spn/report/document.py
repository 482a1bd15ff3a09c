"""Writes a whole report into a folder: tables, figures, and report.md that shows them together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spn.core.files import write_text
from spn.report.bars import draw_class_bars
from spn.report.comparison import Comparison
from spn.report.panels import draw_panels
from spn.report.tables import (
    ResultsTable,
    per_class_csv,
    results_table,
    runs_csv,
    to_csv,
    to_latex,
    to_markdown,
)

BARS: Final = "per_class_iou"
PANELS: Final = {
    "Source domain": "samples_source",
    "Routine domains": "samples_routine",
    "Rain and fog": "samples_rain_and_fog",
    "Real photographs": "samples_real",
    "Other domains": "samples_other",
}
FORMATS: Final = ("png", "pdf")


@dataclass(frozen=True)
class ReportFiles:
    """What was written. figures: the PNGs by title, in the order of the report."""

    folder: Path
    table: ResultsTable
    document: Path
    figures: dict[str, Path]


def write_report(comparison: Comparison, folder: Path, *, samples: int | None = None) -> ReportFiles:
    """Write everything into `folder`; files of an earlier report there are replaced.

    samples: rows per domain in the qualitative figures; None is one for many domains, two for few.
    """
    table = results_table(comparison)
    write_text(folder / "table.md", to_markdown(table))
    write_text(folder / "table.tex", to_latex(table))
    write_text(folder / "table.csv", to_csv(table))
    write_text(folder / "per_class.csv", per_class_csv(comparison))
    write_text(folder / "runs.csv", runs_csv(comparison))

    figures: dict[str, Path] = {}
    draw_class_bars(comparison, _paths(folder, BARS))
    figures["IoU per class"] = folder / f"{BARS}.png"
    for group, members in comparison.groups():
        rows = samples or (1 if len(members) > 2 else 2)
        paths = _paths(folder, PANELS[group.title])
        if draw_panels(comparison, members, paths, samples=rows):
            figures[f"Samples: {group.title.lower()}"] = paths[0]
        else:
            for path in paths:
                path.unlink(missing_ok=True)

    document = folder / "report.md"
    write_text(document, _document(comparison, table, figures))
    return ReportFiles(folder, table, document, figures)


def _document(comparison: Comparison, table: ResultsTable, figures: dict[str, Path]) -> str:
    title = " and ".join(method.title for method in comparison.methods)
    parts = [f"# {title}\n", to_markdown(table)]
    parts += [f"## {name}\n\n![{name}]({path.name})\n" for name, path in figures.items()]
    parts.append(
        "Samples are evenly spaced over each dataset and the first ones shown; none is chosen by its looks. "
        f"They come from {', '.join(f'{m.title} seed {m.seeds[0]}' for m in comparison.methods)}.\n"
    )
    rows = ["| method | seed | folder | weights (sha256) |", "| --- | ---: | --- | --- |"]
    rows += [
        f"| {m.title} | {r.results.seed} | {r.folder} | {r.results.checkpoint_sha256[:16]} |"
        for m in comparison.methods
        for r in m.runs
    ]
    parts.append("## Runs\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _paths(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}.{ending}" for ending in FORMATS]
