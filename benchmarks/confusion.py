"""The confusion matrix of one image against torchmetrics, with equal counts.

    python benchmarks/confusion.py

2048x1024 pixels, 19 classes, a twentieth of the label not evaluated. Each side gets the arrays in the type it
likes best (uint8 and int64), and torchmetrics does not validate them. Target: 10x.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import torch
import tyro
from torchmetrics.functional.classification import multiclass_confusion_matrix

from common import fastest, use_one_thread
from spn.core.classes import IGNORE, NUM_CLASSES
from spn.core.seeding import numpy_generator
from spn.evaluation.counts import confusion_counts


@dataclass(frozen=True)
class ConfusionBenchmark:
    """Time to count one image."""

    height: int = 1024
    width: int = 2048
    repeats: int = 5


def main() -> int:
    benchmark = tyro.cli(ConfusionBenchmark)
    use_one_thread()
    generator, shape = numpy_generator(0), (benchmark.height, benchmark.width)
    coarse = generator.integers(0, NUM_CLASSES, (-(-shape[0] // 32), -(-shape[1] // 32)), dtype=np.uint8)
    blocks = np.ascontiguousarray(coarse.repeat(32, 0).repeat(32, 1)[: shape[0], : shape[1]])
    noise = generator.integers(0, NUM_CLASSES, shape, dtype=np.uint8)
    prediction = np.where(generator.random(shape) < 0.2, noise, blocks)
    label = np.where(generator.random(shape) < 0.05, np.uint8(IGNORE), blocks)
    tensors = torch.from_numpy(prediction).long(), torch.from_numpy(label).long()

    def theirs() -> torch.Tensor:
        return multiclass_confusion_matrix(*tensors, NUM_CLASSES, ignore_index=IGNORE, validate_args=False)

    def ours() -> np.ndarray:
        return confusion_counts(label, prediction, classes=NUM_CLASSES)

    if not np.array_equal(ours(), theirs().numpy()):
        raise SystemExit("the counts differ")
    seconds = fastest({"torchmetrics": theirs, "ours": ours}, repeats=benchmark.repeats)
    for name, value in seconds.items():
        print(f"{name:<14}{1000 * value:9.2f} ms per image")
    print(f"{'ratio':<14}{seconds['torchmetrics'] / seconds['ours']:9.1f}x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
