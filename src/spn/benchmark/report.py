"""The report of a benchmark: of the runs that are finished, with a sentence for each that is not."""

from __future__ import annotations

from pathlib import Path

from spn.benchmark.plan import BenchmarkPlan
from spn.benchmark.runs import is_planned, missing, results_file
from spn.core.errors import UserError
from spn.report.comparison import load_comparison
from spn.report.document import ReportFiles, write_report


def report_plan(plan: BenchmarkPlan, folder: Path) -> ReportFiles:
    """Write tables and figures into `folder`. Raises UserError without a finished run of the baseline."""
    gaps = {run: missing(run, plan) for run in plan.runs}
    lacking = tuple(gap for gap in gaps.values() if gap is not None)
    baseline = plan.runs[0].variant
    finished = sorted((r for r, gap in gaps.items() if gap is None), key=lambda r: r.variant != baseline)
    if not finished or finished[0].variant != baseline:
        raise UserError(
            f"no run of the baseline {baseline!r} is finished, so there is nothing to compare with:\n  "
            + "\n  ".join(lacking)
            + "\nRepeat the command without --report, or with --only VARIANT:SEED"
        )
    files = {results_file(run): run for run in finished}
    comparison = load_comparison(
        list(files),
        names=[run.title for run in finished],
        wanted=lambda file, result: is_planned(result, files[file], plan),
        own_protocols=len({run.tta for run in plan.runs}) > 1,
    )
    return write_report(
        comparison, folder, name="benchmark.md", samples=0, published=plan.published, missing=lacking
    )
