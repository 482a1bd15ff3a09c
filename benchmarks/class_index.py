"""The class index against comparing each class in turn and taking centres of mass, per label and core.

    python benchmarks/class_index.py

Labels of rendered 1914x1052 GTAV images in tiles of 1024, as for class-uniform sampling (Zhu et al., CVPR
2019). Both start from labels in memory and must find the same classes in the same tiles. Target: 25x.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray

from common import fastest, rendered_gtav, use_one_thread
from spn.core.classes import NUM_CLASSES
from spn.sampling.class_uniform import index_label
from spn.sampling.config import SamplingConfig


@dataclass(frozen=True)
class ClassIndexBenchmark:
    """Time to index a label."""

    images: int = 6
    repeats: int = 3


def main() -> int:
    benchmark = tyro.cli(ClassIndexBenchmark)
    use_one_thread()
    with tempfile.TemporaryDirectory() as folder:
        dataset = rendered_gtav(Path(folder), images=benchmark.images)
        labels = [dataset.read_label(index) for index in range(len(dataset))]
    for label in labels:
        if [class_id for class_id, *_ in centres_of_mass(label)] != ours(label):
            raise SystemExit("the two ways find different classes")
    seconds = fastest(
        {
            "each class in turn": lambda: [centres_of_mass(label) for label in labels],
            "ours": lambda: [ours(label) for label in labels],
        },
        repeats=benchmark.repeats,
    )
    for name, value in seconds.items():
        print(f"{name:<20}{1000 * value / len(labels):9.2f} ms per label")
    print(f"{'ratio':<20}{seconds['each class in turn'] / seconds['ours']:9.1f}x")
    return 0


def ours(label: NDArray[np.uint8]) -> list[int]:
    """The classes, tile after tile."""
    entries = index_label(label, SamplingConfig(), seed=0)
    return entries.class_id.tolist()


def centres_of_mass(label: NDArray[np.uint8]) -> list[tuple[int, float, float]]:
    """Class and centre (x, y), tile after tile."""
    tile, found = SamplingConfig().tile, []
    for top in range(0, label.shape[0], tile):
        for left in range(0, label.shape[1], tile):
            part = label[top : top + tile, left : left + tile]
            for class_id in range(NUM_CLASSES):
                rows, columns = np.nonzero(part == class_id)
                if len(rows):
                    found.append((class_id, left + float(columns.mean()), top + float(rows.mean())))
    return found


if __name__ == "__main__":
    sys.exit(main())
