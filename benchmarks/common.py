"""What the data benchmarks share: rendered GTAV images, and processor times of several ways side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import torch

from spn.data.base import SegmentationDataset
from spn.data.registry import DataArgument
from streets.export import ExportPlan, export_dataset

GTAV_WIDTH, GTAV_HEIGHT = 1914, 1052


def rendered_gtav(root: Path, *, images: int) -> SegmentationDataset:
    """The training split of a miniature GTAV with images as large as the real ones, in `root`."""
    plan = ExportPlan("gtav", root, {"train": images}, width=GTAV_WIDTH, height=GTAV_HEIGHT)
    export_dataset(plan, progress=False)
    return DataArgument("gtav", root, "train").open()


def step_of(optimizer: torch.optim.Optimizer, loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
    """A training step: forward, backward and optimiser."""

    def step() -> None:
        loss().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def use_one_thread() -> None:
    """All figures are per core."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def fastest(
    ways: Mapping[str, Callable[[], object]], *, repeats: int, clock: Callable[[], float] = time.process_time
) -> dict[str, float]:
    """Seconds of the fastest of `repeats` rounds; the ways take turns, after one round to warm up.

    Processor time by default, because other work on the machine distorts it less than the clock; the data are
    in memory.
    """
    seconds = dict.fromkeys(ways, float("inf"))
    for number in range(repeats + 1):
        for name, run in ways.items():
            start = clock()
            run()
            if number:
                seconds[name] = min(seconds[name], clock() - start)
    return seconds
