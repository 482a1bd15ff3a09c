"""What SPN costs over its baseline: time and peak memory, both in one run, each in a process of its own.

    python benchmarks/spn_overhead.py                             inference, r50 at 2048x1024
    python benchmarks/spn_overhead.py --mode train --batch 2 --width 512 --height 512

The two processes take turns (baseline, SPN, baseline, SPN …) so that a machine that slows down slows both.
Time is that of the fastest repeat, by the clock and by the processor, which a machine shared with others
distorts less. Memory is the peak of the process above what it held before the first pass (resident set on the
CPU, allocated memory on a GPU). On Linux both processes give large blocks back as soon as they are freed
(MALLOC_MMAP_THRESHOLD_), or the peak would be that of the heap's holes and scatter by a tenth; it costs time.
Targets: inference 1.35x and training step 1.9x the time, peak memory 1.6x.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import torch
import tyro

from common import step_of
from spn.losses.options import LossOptions
from spn.methods.base import Batch, build_method
from spn.methods.options import METHODS, SPNOptions
from spn.models.build import build_network
from spn.models.config import ModelConfig

METHOD_NAMES = ("baseline", "spn")


@dataclass(frozen=True)
class OverheadBenchmark:
    """SPN against its own baseline: time and peak memory."""

    mode: Literal["inference", "train"] = "inference"
    encoder: str = "resnet50"
    """timm name; weights are random."""
    height: int = 1024
    width: int = 2048
    batch: int = 1
    repeats: int = 3
    """Timed passes after one to warm up."""
    threads: int = 1
    """Torch threads of the process that is measured (CPU only)."""
    device: str = "cpu"
    channels_last: bool = True
    views: int = SPNOptions.views
    """For mode train: two photometric views with one draw, or one view with two draws."""
    second_view_share: float = SPNOptions.second_view_share
    output: Path | None = None
    """Also write the figures there as JSON."""


@dataclass(frozen=True)
class Cost:
    """seconds, processor_seconds: of the fastest pass. peak_mib: peak memory above the idle process."""

    seconds: float
    processor_seconds: float
    peak_mib: float


def main() -> int:
    benchmark = tyro.cli(OverheadBenchmark)
    costs = measure(benchmark)
    baseline, spn = (costs[name] for name in METHOD_NAMES)
    print(
        f"{benchmark.mode} {benchmark.encoder} {benchmark.width}x{benchmark.height} batch {benchmark.batch}"
    )
    print("             clock s   processor s   peak MiB")
    for name, cost in costs.items():
        print(f"  {name:<9} {cost.seconds:8.3f}   {cost.processor_seconds:11.3f}   {cost.peak_mib:8.0f}")
    clock, processor = spn.seconds / baseline.seconds, spn.processor_seconds / baseline.processor_seconds
    print(f"  ratio     {clock:8.3f}   {processor:11.3f}   {spn.peak_mib / baseline.peak_mib:8.3f}")
    if benchmark.output is not None:
        figures = {name: asdict(cost) for name, cost in costs.items()}
        benchmark.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(benchmark: OverheadBenchmark) -> dict[str, Cost]:
    """The cost of each method, passes interleaved."""
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(4 << 20))  # for the two processes
    context = multiprocessing.get_context("spawn")
    ends: dict[str, Connection] = {}
    processes = []
    for name in METHOD_NAMES:
        here, there = context.Pipe()
        # A daemon ends with this process, which would wait for it for ever where the other one fails.
        process = context.Process(target=serve_passes, args=(benchmark, name, there), daemon=True)
        process.start()
        there.close()
        ends[name] = here
        processes.append(process)
    passes: dict[str, list[tuple[float, float]]] = {name: [] for name in METHOD_NAMES}
    for _ in range(benchmark.repeats + 1):
        for name, end in ends.items():
            end.send("pass")
            passes[name].append(end.recv())
    costs = {}
    for name, end in ends.items():
        end.send("stop")
        clock, processor = zip(*passes[name][1:], strict=True)
        costs[name] = Cost(min(clock), min(processor), end.recv())
    for process in processes:
        process.join()
    return costs


def serve_passes(benchmark: OverheadBenchmark, name: str, end: Connection) -> None:
    """Runs in the process that is measured: one pass per request, then the peak memory."""
    torch.set_num_threads(benchmark.threads)
    device = torch.device(benchmark.device)
    run = prepare(benchmark, name, device)
    with PeakMemory(device) as memory:
        while end.recv() == "pass":
            start, start_processor = time.perf_counter(), time.process_time()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            end.send((time.perf_counter() - start, time.process_time() - start_processor))
        end.send(memory.peak_mib())


class PeakMemory:
    """Peak memory since entering, above what was held then."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._peak = self._start = 0.0
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakMemory:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._start = torch.cuda.memory_allocated(self.device) / 2**20
        else:
            self._start = self._peak = resident_mib()
            self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def peak_mib(self) -> float:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20 - self._start
        return self._peak - self._start

    def _sample(self) -> None:
        while not self._done.wait(0.002):
            self._peak = max(self._peak, resident_mib())


def resident_mib() -> float:
    """Resident memory of this process now; its peak so far where the system has no /proc."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def prepare(benchmark: OverheadBenchmark, name: str, device: torch.device) -> Callable[[], None]:
    """A function without arguments that runs one inference pass or one training step of the method."""
    spn = SPNOptions(views=benchmark.views, second_view_share=benchmark.second_view_share)  # type: ignore[arg-type]
    options = spn if name == "spn" else METHODS.entry(name).options()
    method = build_method(options, LossOptions())
    defaults = ModelConfig()
    base = replace(defaults, encoder=replace(defaults.encoder, name=benchmark.encoder))
    network = build_network(method.options.resolve(base)).to(device)
    method.prepare(network, teachers={})
    if benchmark.channels_last:
        network = network.to(memory_format=torch.channels_last)
    images = torch.rand(benchmark.batch, method.views, 3, benchmark.height, benchmark.width, device=device)
    if benchmark.mode == "inference":
        network.eval()

        def infer() -> None:
            with torch.inference_mode():
                network(images[:, 0])

        return infer

    labels = torch.randint(
        0, base.num_classes, (benchmark.batch, benchmark.height, benchmark.width), device=device
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)

    batch = Batch(images, labels)
    return step_of(optimizer, lambda: method.training_loss(network, batch, generator=None).total)


if __name__ == "__main__":
    sys.exit(main())
