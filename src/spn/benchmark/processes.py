"""Several runs at once, each in a process of its own: one per GPU, or some on the cores of a machine.

A cluster's job array does the same over many machines, from the commands of `spn benchmark --list`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spn.benchmark.plan import RunPlan
from spn.core.progress import progress_bar
from spn.core.stopping import leave_on_sigterm

POLL = 0.2
"""Seconds between looks at the processes."""


@dataclass(frozen=True)
class Job:
    """One command. log: where its output goes, after that of earlier starts."""

    name: str
    command: Sequence[str]
    log: Path


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
    slots: list[tuple[Job, subprocess.Popen[bytes]] | None] = [None] * processes
    try:
        with progress_bar() as progress:
            task = progress.add_task("runs", total=len(jobs), status="")
            while waiting or any(slots):
                for index, slot in enumerate(slots):
                    if slot is not None and (status := slot[1].poll()) is not None:
                        slots[index] = None
                        progress.advance(task)
                        if status:
                            failures.append((slot[0], status))
                    if slots[index] is None and waiting:
                        job = waiting.pop()
                        gpu = gpus[index % len(gpus)] if gpus else None
                        slots[index] = job, _start(job, gpu=gpu, share=processes)
                running = ", ".join(slot[0].name for slot in slots if slot)
                progress.update(task, status=running or "done")
                time.sleep(POLL)
    finally:
        for slot in slots:
            if slot is not None:
                slot[1].terminate()
                slot[1].wait()
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
