"""`spn benchmark`: methods × seeds × domains from one TOML file, and one table of what came out.

Runs are in OUT/runs/VARIANT-SEED, trials in OUT/runs/VARIANT@VALUE-SEED, the report in OUT/report.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from spn.benchmark.plan import read_plan
from spn.benchmark.planned import BenchmarkPlan, RunPlan
from spn.benchmark.report import report_plan
from spn.benchmark.runs import (
    Job,
    carry_out,
    check_plan,
    is_trained,
    run_in_processes,
    single_command,
    visible_gpus,
)
from spn.benchmark.tuning import chosen
from spn.cli.main import FAILED
from spn.core.errors import UserError
from spn.report.tables import rendered


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
    """Only print one command per run, to be started in any order, at once or not, as by a job array."""
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
    plan = chosen(read_plan(command.file, out=command.out))
    if command.list:
        for planned in plan.runs if plan.decided else plan.trials:
            print(shlex.join(["spn", *single_command(planned, file=command.file, out=command.out)]))
        if not plan.decided:
            print(
                "these are trials; once they are finished, --list prints the runs they choose",
                file=sys.stderr,
            )
        return 0
    if command.only:
        _carry_out([plan.run(command.only)], plan, command)
        return 0
    failures: list[tuple[Job, int]] = []
    if not command.report:
        if not plan.decided:
            failures += _carry_out(plan.trials, plan, command)
            plan = chosen(plan)
        failures += _carry_out(plan.runs, plan, command)
    for job, status in failures:
        print(f"{job.name} failed (status {status}); see {job.log}", file=sys.stderr)
    report = report_plan(plan, command.out / "report")
    print(rendered(report.table, "markdown"))
    for gap in report.missing:
        print(f"missing: {gap}")
    print(f"written: {report.document}, and {report.page.name} for a browser")
    return FAILED if failures else 0


def _carry_out(
    runs: Sequence[RunPlan], plan: BenchmarkPlan, command: BenchmarkCommand
) -> Sequence[tuple[Job, int]]:
    """Train and evaluate all, several at once where that was asked for; returns what failed there."""
    if not runs:
        return []
    datasets = check_plan(plan, (*plan.trials, *runs))  # trials under other settings would choose wrongly
    gpus = [] if runs[0].config.runtime.accelerator == "cpu" else visible_gpus()
    processes = 1 if command.only else command.processes or max(1, len(gpus))
    if processes > 1:
        places = {"file": command.file, "out": command.out}
        return run_in_processes(runs, **places, processes=processes, gpus=gpus)
    for number, planned in enumerate(runs, start=1):
        state = "trained, evaluate" if is_trained(planned) else "train and evaluate"
        print(f"[{number}/{len(runs)}] {planned.name}: {state}", flush=True)
        carry_out(planned, datasets, plan.mappings)
    return []
