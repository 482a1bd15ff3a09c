"""Writes a whole report into a folder: tables, figures, and what shows them together, as Markdown and as a
page for a browser."""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from spn.core.files import refuse_foreign, write_text
from spn.evaluation.grid import Grid, markdown_text, one_line
from spn.report.charts import draw_charts
from spn.report.comparison import Comparison
from spn.report.page import page
from spn.report.pictures import ReadSample, draw_panels, read_samples
from spn.report.section import Section
from spn.report.style import write_figure
from spn.report.tables import (
    CALIBRATION_NOTE,
    Published,
    Table,
    calibration_grid,
    comparison_table,
    rendered,
    table_grids,
)

PAGE: Final = "report.html"
_IN_EVERY_GROUP: Final = ("domain", "domains", "photographs")
"""Words of a group's title that its file's name leaves out."""
_LONGEST_STEM: Final = 48
_SIGNATURES: Final = {
    **dict.fromkeys((".md", ".html"), "<!-- written by SPN -->\n"),
    ".tex": "% written by SPN\n",
    ".csv": "",
}
"""First line of a text; of a .csv, whose headings are always the same, none but these."""


@dataclass(frozen=True)
class ReportFiles:
    """What was written. document: in Markdown. page: in HTML. figures: the PNGs by title, in the order of the
    report. missing: as it was given."""

    table: Table
    document: Path
    page: Path
    figures: Mapping[str, Path]
    missing: Sequence[str]


def write_report(
    comparison: Comparison,
    folder: Path,
    *,
    name: str = "report.md",
    samples: int | None = None,
    panels: bool = True,
    published: Mapping[str, Published] | None = None,
    sections: Sequence[Section] = (),
    missing: Sequence[str] = (),
) -> ReportFiles:
    """Write `name`, all that it shows and `PAGE` into `folder`; files of an earlier report are replaced.

    Args:
        samples: how many of each domain are shown; None is one for many domains, two for few.
        panels: whether they are figures, too, and not only on the page.
        published: figures of papers, by the names of their columns.
        sections: more of them, after the first table.
        missing: a sentence for each planned run that is not in `comparison`.
    """
    table = comparison_table(comparison, published)
    texts = {"table.md": rendered(table, "markdown"), "table.tex": rendered(table, "latex")}
    texts["table.csv"] = table_csv(table)
    texts["per_class.csv"], texts["runs.csv"] = results_csv(comparison)
    sections = [Section("mIoU", table_grids(table), notes=table.notes), *sections]
    if missing:
        sections.append(Section("Missing", notes=tuple(missing)))
    if grid := calibration_grid(comparison):
        texts |= {"calibration.md": grid.markdown(), "calibration.tex": grid.latex()}
        sections.append(Section("Calibration", (grid,), notes=(CALIBRATION_NOTE,)))
    for file in (*texts, name, PAGE):
        refuse_foreign(folder / file, _signature(Path(file), texts.get(file, "")))
    for file, text in texts.items():
        write_text(folder / file, _SIGNATURES[Path(file).suffix] + text)
    charts = draw_charts(comparison, folder)
    sections += [Section(title, figure=chart.path, about=chart.about) for title, chart in charts.items()]
    read, pictures = _samples(comparison, folder, count=samples, panels=panels)
    methods = ", ".join(f"{m.title} seed {m.seeds[0]}" for m in comparison.methods)
    sources = (
        "Samples are evenly spaced over each dataset and the first ones shown; none is chosen by its looks.",
        f"They come from {methods}.",
    )
    shown = [Section(title, figure=path) for title, path in pictures.items()]
    shown[-1:] = [replace(section, notes=sources) for section in shown[-1:]]
    lines = [
        (m.title, str(r.seed), str(r.folder), r.checkpoint_sha256[:16])
        for m in comparison.methods
        for r in m.runs
    ]
    runs = Section("Runs", (Grid(("method", "seed", "folder", "weights (sha256)"), lines, left=4),))
    parts = (
        f"# {markdown_text(', '.join(table.methods))}\n",
        *(s.markdown() for s in (*sections, *shown, runs)),
    )
    documents = {name: "\n".join(parts), PAGE: page(comparison, [*sections, runs], read, sources)}
    for file, text in documents.items():
        write_text(folder / file, _SIGNATURES[Path(file).suffix] + text)
    figures = {title: chart.path for title, chart in charts.items()} | pictures
    return ReportFiles(table, folder / name, folder / PAGE, figures, missing)


def _samples(
    comparison: Comparison, folder: Path, *, count: int | None, panels: bool
) -> tuple[list[ReadSample], dict[str, Path]]:
    """The samples of all domains, and the figures of each group of them by their titles."""
    read, pictures, stems = list[ReadSample](), dict[str, Path](), list[str]()
    for group, members in comparison.groups():
        rows = (1 if len(members) > 2 else 2) if count is None else count
        words = [word for word in re.findall(r"\w+", group.lower()) if word not in _IN_EVERY_GROUP]
        stem = "_".join(["samples", *words])[:_LONGEST_STEM]
        stems.append(stem)
        path = folder / f"{stem}{f'-{stems.count(stem)}' if stem in stems[:-1] else ''}.png"
        found = [sample for domain in members for sample in read_samples(comparison, domain, samples=rows)]
        read += found
        if write_figure(draw_panels(comparison, found if panels else []), path, path.with_suffix(".pdf")):
            pictures[f"Samples: {group}"] = path
    return read, pictures


def _signature(file: Path, text: str) -> bytes:
    """What says in a text of an earlier report that it is one."""
    return (_SIGNATURES[file.suffix] or text.partition("\n")[0]).encode()


def table_csv(table: Table) -> str:
    """One line per row and column of the table; the notes follow as comment lines (#)."""
    heading = "group,domain,kind,method,source,mean,std,difference,difference std"
    rows: list[Sequence[object]] = []
    for row in table.rows:
        start = (row.group, row.title, "average" if row.is_mean else "domain")
        columns = zip(table.methods, row.figures, (None, *row.differences), strict=True)
        for method, figure, difference in columns:
            cells = [*start, method, "measured", figure.mean, figure.std]
            if difference:
                cells += [difference.value.mean, difference.value.std]
                for interval in (difference.seeds, difference.images):
                    cells += [interval.n, interval.low, interval.high] if interval else [""] * 3
            rows.append(cells)
        for name, value in zip(table.published, row.published, strict=True):
            rows.append([*start, name, "published", value])
    text = _csv(f"{heading},seeds,seeds low,seeds high,images,images low,images high", rows)
    return text + "".join(f"# {one_line(note)}\n" for note in table.notes)


def results_csv(comparison: Comparison) -> tuple[str, str]:
    """Two files: IoU in percent per class, empty where there is no ground truth, a line per domain, method,
    seed and class; and a line per run and domain, with everything that says what was measured."""
    classes: list[Sequence[object]] = []
    results: list[Sequence[object]] = []
    runs = [(method.title, run) for method in comparison.methods for run in method.runs]
    for domain in comparison.domains:
        for title, run in runs:
            if r := run.at(domain.place):
                trained = title, run.seed
                ious = zip(r.class_names, 100 * r.class_iou, strict=True)
                classes += [(*r.place, *trained, name, float(iou), domain.title) for name, iou in ious]
                figures = 100 * r.miou, 100 * r.miou_all_classes, len(r.classes_evaluated), r.images
                results.append(
                    (
                        *trained,
                        *r.place,
                        *figures,
                        r.protocol_name,
                        r.fingerprint,
                        r.checkpoint_sha256,
                        domain.title,
                    )
                )
    heading = "method,seed,domain,split,map,miou,miou_all_classes,classes,images,protocol,fingerprint"
    per_class = _csv("domain,split,map,method,seed,class,iou,title", classes)
    return per_class, _csv(f"{heading},checkpoint_sha256,title", results)


def _csv(heading: str, rows: Sequence[Sequence[object]]) -> str:
    """Fractions with four decimals, NaN as an empty cell; short rows are filled up."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    columns = heading.split(",")
    writer.writerow(columns)
    for row in rows:
        cells = ["" if isinstance(c, float) and math.isnan(c) else c for c in row]
        cells = [f"{cell:.4f}" if isinstance(cell, float) else one_line(str(cell)) for cell in cells]
        writer.writerow([*cells, *[""] * (len(columns) - len(cells))])
    return stream.getvalue()
