"""The report of a benchmark: what is finished side by side, what trials have chosen, and what is missing."""

from pathlib import Path

from spn.benchmark.planned import BenchmarkPlan
from spn.benchmark.results import compared, missing
from spn.benchmark.tuning import tuning_sections
from spn.core.errors import UserError
from spn.core.files import sole_writer
from spn.report.document import ReportFiles, write_report


def report_plan(plan: BenchmarkPlan, folder: Path) -> ReportFiles:
    """Write tables and figures of the finished runs into `folder`, with a sentence for each that is not.

    Raises UserError without a finished run of the baseline, or if one was trained under other settings.
    """
    from spn.training.run_folder import check_folder  # loads torch

    baseline = plan.methods[0].name
    for run in (*plan.trials, *plan.runs):
        check_folder(run.config)
    undecided = [run for method in plan.methods if method.choice is None for run in method.trials]
    gaps = {run: missing(run) for run in plan.runs}
    lacking = tuple(filter(None, [missing(run) for run in undecided] + list(gaps.values())))
    finished = sorted((r for r, gap in gaps.items() if gap is None), key=lambda r: r.variant != baseline)
    if not finished or finished[0].variant != baseline:
        raise UserError(
            f"no run of the baseline {baseline!r} is finished, so there is nothing to compare with:\n  "
            + "\n  ".join(lacking)
            + "\nRepeat the command without --report, or with --only VARIANT:SEED"
        )
    protocols = {run.tta for run in plan.runs}
    comparison = compared(finished, names=[run.title for run in finished], own_protocols=len(protocols) > 1)
    with sole_writer(folder):
        return write_report(
            comparison,
            folder,
            name="benchmark.md",
            panels=False,
            published=plan.published,
            sections=tuning_sections(plan),
            missing=lacking,
        )
