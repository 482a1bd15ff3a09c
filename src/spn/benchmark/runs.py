"""The runs of a benchmark: train each and evaluate it on every domain.

Several at once, each in a process of its own: one per GPU, or some on the cores of a machine. A cluster's job
array does the same over many machines, from the commands of `spn benchmark --list`.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spn.benchmark.planned import BenchmarkPlan, RunPlan
from spn.core.errors import UserError
from spn.core.process import leave_on_sigterm
from spn.core.progress import progress_bar
from spn.data.base import SegmentationDataset
from spn.data.mapping import ClassMapping
from spn.data.registry import parse_data_argument
from spn.data.view import seen_by
from spn.evaluation.counts import EvaluationOptions


@dataclass(frozen=True)
class Job:
    """One command. log: where its output goes, after that of earlier starts."""

    name: str
    command: Sequence[str]
    log: Path


def check_plan(plan: BenchmarkPlan, runs: Sequence[RunPlan]) -> dict[str, SegmentationDataset]:
    """Find mistakes before hours of training, not after: build the methods, open all data.

    Returns the domains by their texts in the file. Raises UserError.
    """
    from spn.evaluation.run import check_places  # loads torch, as the others: not for --help and --list
    from spn.methods.base import build_method
    from spn.training.data import open_sources, open_validation
    from spn.training.run_folder import check_folder

    for run in runs:
        check_folder(run.config)
        build_method(run.config.method, run.config.loss)
    places = {plan.domains, *(run.domains for run in runs)}
    datasets = {text: parse_data_argument(text).open() for domains in places for text in domains}
    for domains in places:
        check_places([datasets[text] for text in domains])
    for data, validation in dict.fromkeys((run.config.data, run.config.validation) for run in runs):
        source = open_sources(data)[0]
        open_validation(validation, source)
        for dataset in datasets.values():
            seen_by(dataset, source.label_space, plan.mappings)
    return datasets


def carry_out(
    run: RunPlan, datasets: Mapping[str, SegmentationDataset], mappings: Sequence[ClassMapping] = ()
) -> None:
    """Train and evaluate, or continue; what is finished is kept. Raises UserError.

    datasets: those of `check_plan`.
    """
    from spn.evaluation.run import evaluate_run
    from spn.inference.weights import load
    from spn.training.session import run_training

    if not is_trained(run):
        if not run.trains:
            raise UserError(f"{run.name} evaluates the weights in {run.config.out}, which are not there yet")
        run_training(run.config)
    model = load(run.config.out, device=run.config.runtime.accelerator, tta=run.tta)
    options = EvaluationOptions(per_image=True, calibration=True)
    progress = run.config.runtime.progress
    folder = run.results.parent
    domains = [datasets[text] for text in run.domains]
    evaluate_run(model, domains, folder=folder, options=options, mappings=mappings, progress=progress)


def is_trained(run: RunPlan) -> bool:
    """Whether the final weights are there; only a finished training writes them."""
    from spn.inference.weights import WEIGHTS_NAME

    return (run.config.out / WEIGHTS_NAME).is_file()


def visible_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES has to be for each of the GPUs that torch sees."""
    import torch  # seconds: not for --help

    count = torch.cuda.device_count()
    listed = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (listed or [str(index) for index in range(count)])[:count]


def single_command(run: RunPlan, *, file: Path, out: Path) -> list[str]:
    """The arguments of spn that carry out one run of the plan in `file` alone."""
    return ["benchmark", str(file), "--out", str(out), "--only", run.name]


def run_in_processes(
    runs: Sequence[RunPlan], *, file: Path, out: Path, processes: int, gpus: Sequence[str]
) -> list[tuple[Job, int]]:
    """Carry out `runs`, the trainings first: what evaluates their weights again needs them."""
    failures = []
    for trains in (True, False):
        jobs = []
        for run in (run for run in runs if run.trains == trains):
            command = [sys.executable, "-m", "spn.cli.main", *single_command(run, file=file, out=out)]
            jobs.append(Job(run.name, command, out / "logs" / f"{run.folder.name}.txt"))
        failures += run_jobs(jobs, processes=processes, gpus=gpus)
    return failures


@leave_on_sigterm()
def run_jobs(jobs: Sequence[Job], *, processes: int, gpus: Sequence[str]) -> list[tuple[Job, int]]:
    """Run all jobs, `processes` at a time; returns those that failed, with their status, which stop no other.

    gpus: job slots take them in turn; empty: the slots share the processor's cores. Interrupted or
    terminated, it stops what runs, which keeps its checkpoints.
    """
    waiting, failures = list(reversed(jobs)), []
    running: dict[int, tuple[Job, subprocess.Popen[bytes]]] = {}
    try:
        with progress_bar() as progress:
            task = progress.add_task("runs", total=len(jobs), status="")
            while waiting or running:
                for slot in range(processes):
                    if slot in running and (status := running[slot][1].poll()) is not None:
                        job, _ = running.pop(slot)
                        progress.advance(task)
                        failures += [(job, status)] if status else []
                    if slot not in running and waiting:
                        job, gpu = waiting.pop(), gpus[slot % len(gpus)] if gpus else None
                        running[slot] = job, _start(job, gpu=gpu, share=processes)
                names = ", ".join(running[slot][0].name for slot in sorted(running))
                progress.update(task, status=names or "done")
                time.sleep(0.2)
    finally:
        for _, process in running.values():
            process.terminate()
            process.wait()
    return failures


def _start(job: Job, *, gpu: str | None, share: int) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    if gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    else:  # threads that wait for each other on one core are many times slower than one thread
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // share)))
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with open(job.log, "ab") as log:
        return subprocess.Popen(job.command, env=environment, stdout=log, stderr=subprocess.STDOUT)
