"""How far the confidence of each method can be trusted, per domain."""

from __future__ import annotations

from typing import Final

import numpy as np

from spn.evaluation.calibration import Calibration, read_calibration
from spn.report.comparison import Comparison, Domain, MethodRuns
from spn.report.differences import SeedMean
from spn.report.grid import Cell, Grid

MEASURES: Final = (("ECE", "ece"), ("AURC", "aurc"), ("wrong pixels", "error"))
NOTE: Final = (
    "ECE: expected calibration error of the largest probability, 15 bins. AURC: area under the risk-coverage "
    "curve, the error rate among the most confident pixels averaged over all shares of them; a confidence "
    "that says nothing gives the share of wrong pixels. Lower is better."
)


def calibration_grid(comparison: Comparison) -> Grid | None:
    """Means over seeds in percent; None if no run has counts of confidences beside its results."""
    rows, measured = [], False
    for domain in comparison.domains:
        runs = [_calibrations(method, domain) for method in comparison.methods]
        measured |= any(runs)
        for title, name in MEASURES:
            figures = [SeedMean.of(np.array([100 * getattr(c, name) for c in found])) for found in runs]
            rows.append((Cell(comparison.title(domain)), Cell(title), *_cells(figures)))
    headings = ("percent", "measure", *(method.title for method in comparison.methods))
    return Grid(headings, tuple(rows), left=2) if measured else None


def _calibrations(method: MethodRuns, domain: Domain) -> list[Calibration]:
    """Of all runs that have it; none if one of them lacks it, so that means stay over all seeds."""
    results = [(run, run.result(domain)) for run in method.runs]
    found = [read_calibration(run.folder, result) for run, result in results if result is not None]
    there = [calibration for calibration in found if calibration is not None]
    return there if len(there) == len(method.runs) else []


def _cells(figures: list[SeedMean]) -> list[Cell]:
    """The lowest is bold, where there is something to choose."""
    means = np.array([figure.mean for figure in figures])
    best = int(np.nanargmin(means)) if (~np.isnan(means)).sum() > 1 else None
    return [Cell(figure.text(), "bold" if index == best else "") for index, figure in enumerate(figures)]
