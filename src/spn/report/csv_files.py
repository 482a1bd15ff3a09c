"""The figures for machines, as CSV: of the table, of every class, and of every run."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence

from spn.evaluation.results import DomainResult
from spn.report.comparison import Comparison, Run
from spn.report.tables import Table


def table_csv(table: Table) -> str:
    """One line per row and column of the table; the notes follow as comment lines (#)."""
    heading = "group,domain,kind,method,source,mean,std,difference,difference std"
    intervals = "seeds,seeds low,seeds high,images,images low,images high"
    rows: list[Sequence[object]] = [f"{heading},{intervals}".split(",")]
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
    return _csv(rows) + "".join(f"# {note}\n" for note in table.notes)


def per_class_csv(comparison: Comparison) -> str:
    """One line per domain, method, seed and class: IoU in percent, empty where there is no ground truth."""
    rows: list[Sequence[object]] = [["domain", "split", "map", "method", "seed", "class", "iou"]]
    for run, result in _results(comparison):
        for name, iou in zip(result.class_names, result.class_iou, strict=True):
            rows.append([*result.place, run.method, run.results.seed, name, 100 * float(iou)])
    return _csv(rows)


def runs_csv(comparison: Comparison) -> str:
    """One line per run and domain, with everything that says what was measured."""
    heading = "method,seed,domain,split,map,miou,miou_all_classes,classes,images,protocol,fingerprint"
    rows: list[Sequence[object]] = [f"{heading},checkpoint_sha256".split(",")]
    for run, result in _results(comparison):
        figures = 100 * result.miou, 100 * result.miou_all_classes
        counts = len(result.classes_evaluated), result.images
        measured = result.protocol_name, result.fingerprint, result.checkpoint_sha256
        rows.append([run.method, run.results.seed, *result.place, *figures, *counts, *measured])
    return _csv(rows)


def _results(comparison: Comparison) -> Iterator[tuple[Run, DomainResult]]:
    for domain in comparison.domains:
        for method in comparison.methods:
            for run in method.runs:
                if result := run.result(domain):
                    yield run, result


def _csv(rows: Sequence[Sequence[object]]) -> str:
    """Fractions with four decimals, NaN as an empty cell; short rows are filled up."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for row in rows:
        cells = ["" if isinstance(c, float) and math.isnan(c) else c for c in row]
        cells = [f"{cell:.4f}" if isinstance(cell, float) else cell for cell in cells]
        writer.writerow([*cells, *[""] * (len(rows[0]) - len(cells))])
    return stream.getvalue()
