"""An evaluation for torchrun: python parallel_program.py FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from evaluation.memory_dataset import MemoryDataset
from evaluation.test_run import colour_model
from inference.colour_network import random_blocks
from spn.evaluation.counts import EvaluationOptions
from spn.evaluation.run import evaluate_run


def measure(folder: Path) -> None:
    """Eleven images of two sizes, in blocks of two; the network is wrong at many edges."""
    generator = np.random.default_rng(0)
    sizes = [(16, 24)] * 5 + [(24, 16)] * 6
    truth = [random_blocks(generator, height=height, width=width) for height, width in sizes]
    dataset = MemoryDataset(truth, painted_from=[np.roll(label, 3, axis=1) for label in truth])
    options = EvaluationOptions(pictures=3, batch=2, predictions=True)
    evaluate_run(colour_model(), [dataset], folder=folder, options=options)  # type: ignore[list-item]


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
