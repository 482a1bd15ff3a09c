"""Peak memory of an evaluation: it must not grow with the number of images.

    python benchmarks/evaluation_memory.py

Evaluates the network of the preset `tiny` on 10 and on 500 images of 256x192, each in a process of its own,
and prints the peak resident memory of each above what the process held before.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

from spn.core.classes import CITYSCAPES_19, NUM_CLASSES
from spn.core.sample import Sample
from spn.core.seeding import numpy_generator
from spn.evaluation.evaluator import evaluate
from spn.inference.model import Model
from spn.models.build import build_network
from spn.training.presets import load_preset


@dataclass(frozen=True)
class EvaluationMemoryBenchmark:
    """Peak memory of evaluations of different lengths."""

    images: tuple[int, ...] = (10, 500)
    height: int = 192
    width: int = 256


class NoiseDataset:
    """Images and labels of noise, made when they are asked for."""

    key, split, layout, map_name, label_space = "noise", "val", "none", "trainIds", CITYSCAPES_19

    def __init__(self, *, images: int, height: int, width: int) -> None:
        self._images = images
        self._size = (height, width)

    def __len__(self) -> int:
        return self._images

    def __getitem__(self, index: int) -> Sample:
        generator, path = numpy_generator(0, index), Path(f"{index}.png")
        image = generator.integers(0, 256, (*self._size, 3), dtype=np.uint8)
        label = generator.integers(0, NUM_CLASSES, self._size, dtype=np.uint8)
        return Sample(image, label, self.key, str(index), path, path)

    def fingerprint(self) -> str:
        return f"noise {self._size} {self._images}"


def main() -> int:
    benchmark = tyro.cli(EvaluationMemoryBenchmark)
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        peaks = [
            pool.apply(peak_mib, (images, benchmark.height, benchmark.width)) for images in benchmark.images
        ]
    for images, peak in zip(benchmark.images, peaks, strict=True):
        print(f"{images:>6} images: {peak:7.1f} MiB")
    print(f"growth over {benchmark.images[-1] / benchmark.images[0]:.0f} times the images: "
          f"{peaks[-1] / peaks[0]:.2f}x")  # fmt: skip
    return 0


def peak_mib(images: int, height: int, width: int) -> float:
    """Peak resident memory in MiB that evaluating adds to this process."""
    torch.set_num_threads(1)
    network = build_network(load_preset("tiny", out=Path()).model)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    evaluate(Model(network), NoiseDataset(images=images, height=height, width=width))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit - before


if __name__ == "__main__":
    sys.exit(main())
