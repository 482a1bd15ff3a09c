"""Writes a whole report into a folder: tables, figures, and one Markdown file that shows them together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spn.core.files import write_text
from spn.report.charts import draw_charts
from spn.report.comparison import Comparison
from spn.report.csv_files import results_csv, table_csv
from spn.report.grid import grid_latex, grid_markdown
from spn.report.notes import CALIBRATION_NOTE
from spn.report.pictures import draw_panels
from spn.report.style import write_figure
from spn.report.tables import Published, Table, calibration_grid, comparison_table, to_latex, to_markdown

_IN_EVERY_GROUP: Final = ("domain", "domains", "photographs")
"""Words of a group's title that its file's name leaves out."""


@dataclass(frozen=True)
class ReportFiles:
    """What was written. figures: the PNGs by title, in the order of the report. missing: as it was given."""

    table: Table
    document: Path
    figures: Mapping[str, Path]
    missing: Sequence[str]


def write_report(
    comparison: Comparison,
    folder: Path,
    *,
    name: str = "report.md",
    samples: int | None = None,
    published: Mapping[str, Published] | None = None,
    missing: Sequence[str] = (),
) -> ReportFiles:
    """Write `name` and all that it shows into `folder`; files of an earlier report there are replaced.

    Args:
        samples: rows per domain in the qualitative figures; None is one for many domains, two for few.
        published: figures of papers, by the names of their columns.
        missing: a sentence for each planned run that is not in `comparison`.
    """
    table = comparison_table(comparison, published)
    texts = {"table.md": to_markdown(table), "table.tex": to_latex(table), "table.csv": table_csv(table)}
    texts["per_class.csv"], texts["runs.csv"] = results_csv(comparison)
    parts = [f"# {', '.join(table.methods)}\n", to_markdown(table)]
    if missing:
        parts.append("## Missing\n\n" + "\n".join(f"- {text}" for text in missing) + "\n")
    if grid := calibration_grid(comparison):
        texts |= {"calibration.md": grid_markdown(grid), "calibration.tex": grid_latex(grid)}
        parts.append(f"## Calibration\n\n{grid_markdown(grid)}\n{CALIBRATION_NOTE}\n")
    for file, text in texts.items():
        write_text(folder / file, text)
    pictures = _draw_samples(comparison, folder, samples=samples)
    figures = draw_charts(comparison, folder) | pictures
    parts += [f"## {title}\n\n![{title}]({path.name})\n" for title, path in figures.items()]
    if pictures:
        sources = ", ".join(f"{m.title} seed {m.seeds[0]}" for m in comparison.methods)
        parts.append(
            "Samples are evenly spaced over each dataset and the first ones shown; none is chosen by its "
            f"looks. They come from {sources}.\n"
        )
    runs = "".join(
        f"| {m.title} | {r.results.seed} | {r.folder} | {r.results.checkpoint_sha256[:16]} |\n"
        for m in comparison.methods
        for r in m.runs
    )
    parts.append(
        f"## Runs\n\n| method | seed | folder | weights (sha256) |\n| --- | ---: | --- | --- |\n{runs}"
    )
    write_text(folder / name, "\n".join(parts))
    return ReportFiles(table, folder / name, figures, missing)


def _draw_samples(comparison: Comparison, folder: Path, *, samples: int | None) -> dict[str, Path]:
    """A figure of pictures for each group of domains, where runs have any."""
    drawn = {}
    for group, members in comparison.groups():
        rows = (1 if len(members) > 2 else 2) if samples is None else samples
        words = [word for word in re.findall(r"\w+", group.lower()) if word not in _IN_EVERY_GROUP]
        path = folder / f"{'_'.join(['samples', *words])}.png"
        if write_figure(draw_panels(comparison, members, samples=rows), path, path.with_suffix(".pdf")):
            drawn[f"Samples: {group.lower()}"] = path
    return drawn
