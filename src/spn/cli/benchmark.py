"""`spn benchmark`: methods × seeds × domains from one TOML file, and one table of what came out.

    spn benchmark FILE.toml --out DIR                      train, evaluate and report all; repeat to continue
    spn benchmark FILE.toml --out DIR --list               one command per run, for the job array of a cluster
    spn benchmark FILE.toml --out DIR --only spn:2         one run in this process
    spn benchmark FILE.toml --out DIR --report             the tables, from what is there

Runs are in DIR/runs/VARIANT-SEED, the report in DIR/report.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from spn.benchmark.plan import BenchmarkPlan, RunPlan, read_plan
from spn.benchmark.runs import carry_out, check_plan, is_planned, is_trained, missing, results_file
from spn.core.errors import UserError
from spn.report.benchmark_document import write_benchmark
from spn.report.benchmark_text import benchmark_markdown
from spn.report.comparison import load_comparison


@dataclass(frozen=True)
class BenchmarkCommand:
    """Train methods with several seeds, evaluate them on every domain, compare them in one table.

    Repeating the command continues it: what is finished is kept. docs/benchmark.md explains the file.
    """

    file: tyro.conf.Positional[Path]
    """The TOML file: preset, data, domains, methods, seeds, baseline."""
    out: Path
    """Folder for the runs and the report."""
    list: bool = False
    """Only print one command per run, to be started in any order, at once or not."""
    only: str | None = None
    """Only train and evaluate this run, as VARIANT:SEED; no report."""
    report: bool = False
    """Only write the report, from the runs that are finished, and say what is missing."""


def run(command: BenchmarkCommand) -> int:
    if sum((command.list, command.only is not None, command.report)) > 1:
        raise UserError("--list, --only and --report were given together; wanted one of them at most")
    plan = read_plan(command.file, out=command.out)
    if command.list:
        for planned in plan.runs:
            print(shlex.join(single_command(command, planned)))
        return 0
    if not command.report:
        _carry_out_all([plan.run(command.only)] if command.only else plan.runs, plan)
    if not command.only:
        _report(plan, command.out / "report")
    return 0


def single_command(command: BenchmarkCommand, planned: RunPlan) -> list[str]:
    """The arguments that carry out one run alone."""
    return ["spn", "benchmark", str(command.file), "--out", str(command.out), "--only", planned.name]


def _carry_out_all(runs: Sequence[RunPlan], plan: BenchmarkPlan) -> None:
    datasets = check_plan(plan, runs)
    for number, planned in enumerate(runs, start=1):
        state = "trained, evaluate" if is_trained(planned) else "train and evaluate"
        print(f"[{number}/{len(runs)}] {planned.name}: {state}", flush=True)
        carry_out(planned, datasets, plan=plan)


def _report(plan: BenchmarkPlan, folder: Path) -> None:
    gaps = {planned: missing(planned, plan) for planned in plan.runs}
    finished = [planned for planned, gap in gaps.items() if gap is None]
    lacking = [gap for gap in gaps.values() if gap is not None]
    baseline = plan.runs[0].variant
    if not any(planned.variant == baseline for planned in finished):
        raise UserError(
            f"no run of the baseline {baseline!r} is finished, so there is nothing to compare with:\n  "
            + "\n  ".join(lacking)
            + "\nRepeat the command without --report, or with --only VARIANT:SEED"
        )
    finished.sort(key=lambda planned: planned.variant != baseline)
    comparison = load_comparison(
        [results_file(planned) for planned in finished],
        names=[planned.title for planned in finished],
        wanted=lambda result: is_planned(result, plan),
    )
    files = write_benchmark(comparison, folder, published=plan.published, missing=lacking)
    print(benchmark_markdown(files.table))
    for gap in lacking:
        print(f"missing: {gap}")
    print(f"written: {files.document}")
