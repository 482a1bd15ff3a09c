"""Writes a whole report into a folder: tables, figures, and one Markdown file that shows them together."""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spn.core.files import refuse_foreign, write_text
from spn.evaluation.grid import Grid, markdown_text, one_line
from spn.report.charts import draw_charts
from spn.report.comparison import Comparison
from spn.report.pictures import draw_panels
from spn.report.style import write_figure
from spn.report.tables import CALIBRATION_NOTE, Published, Table, calibration_grid, comparison_table, rendered

_IN_EVERY_GROUP: Final = ("domain", "domains", "photographs")
"""Words of a group's title that its file's name leaves out."""
_LONGEST_STEM: Final = 48
_SIGNATURES: Final = {".md": "<!-- written by SPN -->\n", ".tex": "% written by SPN\n", ".csv": ""}
"""First line of a text; of a .csv, whose headings are always the same, none but these."""


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
    shown = rendered(table, "markdown")
    texts = {"table.md": shown, "table.tex": rendered(table, "latex"), "table.csv": table_csv(table)}
    texts["per_class.csv"], texts["runs.csv"] = results_csv(comparison)
    parts = [f"# {markdown_text(', '.join(table.methods))}\n", shown]
    if missing:
        parts.append("## Missing\n\n" + "\n".join(f"- {markdown_text(text)}" for text in missing) + "\n")
    if grid := calibration_grid(comparison):
        texts |= {"calibration.md": grid.markdown(), "calibration.tex": grid.latex()}
        parts.append(f"## Calibration\n\n{grid.markdown()}\n{CALIBRATION_NOTE}\n")
    for file in (*texts, name):
        refuse_foreign(folder / file, _signature(Path(file), texts.get(file, "")))
    for file, text in texts.items():
        write_text(folder / file, _SIGNATURES[Path(file).suffix] + text)
    pictures, stems = {}, list[str]()
    for group, members in comparison.groups():
        rows = (1 if len(members) > 2 else 2) if samples is None else samples
        words = [word for word in re.findall(r"\w+", group.lower()) if word not in _IN_EVERY_GROUP]
        stem = "_".join(["samples", *words])[:_LONGEST_STEM]
        stems.append(stem)
        path = folder / f"{stem}{f'-{stems.count(stem)}' if stem in stems[:-1] else ''}.png"
        if write_figure(draw_panels(comparison, members, samples=rows), path, path.with_suffix(".pdf")):
            pictures[f"Samples: {group}"] = path
    figures = draw_charts(comparison, folder) | pictures
    headings = {markdown_text(title): path.name for title, path in figures.items()}
    parts += [f"## {title}\n\n![{title}]({name})\n" for title, name in headings.items()]
    if pictures:
        sources = ", ".join(f"{m.title} seed {m.seeds[0]}" for m in comparison.methods)
        parts.append(
            "Samples are evenly spaced over each dataset and the first ones shown; none is chosen by its "
            f"looks. They come from {markdown_text(sources)}.\n"
        )
    runs = [
        (m.title, str(r.seed), str(r.folder), r.checkpoint_sha256[:16])
        for m in comparison.methods
        for r in m.runs
    ]
    parts.append(
        f"## Runs\n\n{Grid(('method', 'seed', 'folder', 'weights (sha256)'), runs, left=4).markdown()}"
    )
    write_text(folder / name, _SIGNATURES[".md"] + "\n".join(parts))
    return ReportFiles(table, folder / name, figures, missing)


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
