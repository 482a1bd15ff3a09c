"""The figures for machines, as CSV: of the table, of every class, and of every run."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from spn.report.comparison import Comparison
from spn.report.tables import Table


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
    return text + "".join(f"# {note}\n" for note in table.notes)


def results_csv(comparison: Comparison) -> tuple[str, str]:
    """Two files: IoU in percent per class, empty where there is no ground truth, a line per domain, method,
    seed and class; and a line per run and domain, with everything that says what was measured."""
    classes: list[Sequence[object]] = []
    results: list[Sequence[object]] = []
    for domain in comparison.domains:
        for run in (run for method in comparison.methods for run in method.runs):
            if r := run.result(domain):
                trained = run.method, run.results.seed
                ious = zip(r.class_names, 100 * r.class_iou, strict=True)
                classes += [(*r.place, *trained, name, float(iou)) for name, iou in ious]
                figures = 100 * r.miou, 100 * r.miou_all_classes, len(r.classes_evaluated), r.images
                measured = r.protocol_name, r.fingerprint, r.checkpoint_sha256
                results.append((*trained, *r.place, *figures, *measured))
    heading = "method,seed,domain,split,map,miou,miou_all_classes,classes,images,protocol,fingerprint"
    per_class = _csv("domain,split,map,method,seed,class,iou", classes)
    return per_class, _csv(f"{heading},checkpoint_sha256", results)


def _csv(heading: str, rows: Sequence[Sequence[object]]) -> str:
    """Fractions with four decimals, NaN as an empty cell; short rows are filled up."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    columns = heading.split(",")
    writer.writerow(columns)
    for row in rows:
        cells = ["" if isinstance(c, float) and math.isnan(c) else c for c in row]
        cells = [f"{cell:.4f}" if isinstance(cell, float) else cell for cell in cells]
        writer.writerow([*cells, *[""] * (len(columns) - len(cells))])
    return stream.getvalue()
