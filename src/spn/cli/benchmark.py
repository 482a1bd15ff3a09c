"""`spn benchmark`: methods × seeds × domains from one TOML file, and one table of what came out.

    spn benchmark FILE.toml --out DIR                      train, evaluate and report all; repeat to continue
    spn benchmark FILE.toml --out DIR --list               one command per run, for the job array of a cluster
    spn benchmark FILE.toml --out DIR --only spn:2         one run in this process
    spn benchmark FILE.toml --out DIR --processes 2        two runs at a time; on GPUs one each is the default
    spn benchmark FILE.toml --out DIR --report             the tables, from what is there

Runs are in DIR/runs/VARIANT-SEED, the report in DIR/report.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from spn.benchmark.plan import BenchmarkPlan, RunPlan, read_plan
from spn.benchmark.processes import Failure, Job, run_jobs, visible_gpus
from spn.benchmark.runs import (
    carry_out,
    check_plan,
    check_unchanged,
    is_planned,
    is_trained,
    missing,
    results_file,
)
from spn.cli.failures import FAILED
from spn.core.errors import UserError
from spn.data.base import SegmentationDataset
from spn.report.document import write_benchmark
from spn.report.loading import load_comparison
from spn.report.tables import to_markdown


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
    processes: int = 0
    """How many runs are carried out at once, each in a process of its own; 0: one per GPU, or one."""
    report: bool = False
    """Only write the report, from the runs that are finished, and say what is missing."""


def run(command: BenchmarkCommand) -> int:
    if sum((command.list, command.only is not None, command.report)) > 1:
        raise UserError("--list, --only and --report were given together; wanted one of them at most")
    if command.processes < 0:
        raise UserError(f"--processes {command.processes}: wanted 1 or more, or 0 for one per GPU")
    plan = read_plan(command.file, out=command.out)
    if command.list:
        for planned in plan.runs:
            print(shlex.join(single_command(command, planned)))
        return 0
    if command.only:
        runs = [plan.run(command.only)]
        _carry_out_all(runs, check_plan(plan, runs))
        return 0
    failures: list[Failure] = []
    if command.report:
        check_unchanged(plan.runs)
    else:
        datasets = check_plan(plan, plan.runs)
        gpus = [] if plan.runs[0].config.runtime.accelerator == "cpu" else visible_gpus()
        processes = command.processes or max(1, len(gpus))
        if processes > 1:
            failures = _side_by_side(command, plan, processes=processes, gpus=gpus)
        else:
            _carry_out_all(plan.runs, datasets)
    for failure in failures:
        print(f"{failure.job.name} failed (status {failure.status}); see {failure.job.log}", file=sys.stderr)
    _report(plan, command.out / "report")
    return FAILED if failures else 0


def single_command(command: BenchmarkCommand, planned: RunPlan) -> list[str]:
    """The arguments that carry out one run alone."""
    return ["spn", "benchmark", str(command.file), "--out", str(command.out), "--only", planned.name]


def _side_by_side(
    command: BenchmarkCommand, plan: BenchmarkPlan, *, processes: int, gpus: Sequence[str]
) -> list[Failure]:
    """The trainings first: what evaluates their weights again needs them."""
    failures = []
    for trains in (True, False):
        jobs = [
            Job(
                planned.name,
                [sys.executable, "-m", "spn.cli.main", *single_command(command, planned)[1:]],
                log=command.out / "logs" / f"{planned.folder.name}.txt",
            )
            for planned in plan.runs
            if planned.trains == trains
        ]
        failures += run_jobs(jobs, processes=processes, gpus=gpus)
    return failures


def _carry_out_all(runs: Sequence[RunPlan], datasets: Sequence[SegmentationDataset]) -> None:
    for number, planned in enumerate(runs, start=1):
        state = "trained, evaluate" if is_trained(planned) else "train and evaluate"
        print(f"[{number}/{len(runs)}] {planned.name}: {state}", flush=True)
        carry_out(planned, datasets)


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
    files = {results_file(planned): planned for planned in finished}
    comparison = load_comparison(
        list(files),
        names=[planned.title for planned in finished],
        wanted=lambda file, result: is_planned(result, files[file], plan),
        own_protocols=len({planned.tta for planned in plan.runs}) > 1,
    )
    written = write_benchmark(comparison, folder, published=plan.published, missing=lacking)
    print(to_markdown(written.table))
    for gap in lacking:
        print(f"missing: {gap}")
    print(f"written: {written.document}")
