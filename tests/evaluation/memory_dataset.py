"""A dataset in memory, of labels painted in the palette's colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.colour_network import painted
from spn.core.classes import CITYSCAPES_19, LabelSpace
from spn.core.sample import Sample


class MemoryDataset:
    """images[i] with labels[i]; images painted from train ids `painted_from` where labels are coarser."""

    key = "memory"
    split = "val"
    layout = "memory"
    map_name = "none"
    split_hash: str | None = None
    title = "Memory"
    group = "Other domains"
    mappings = ()

    def __init__(
        self,
        labels: Sequence[NDArray[np.uint8]],
        *,
        painted_from: Sequence[NDArray[np.uint8]] | None = None,
        label_space: LabelSpace = CITYSCAPES_19,
    ) -> None:
        self.labels = list(labels)
        self.images = [painted(label) for label in painted_from or labels]
        self.label_space = label_space
        self.reads: list[int] = []

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Sample:
        self.reads.append(index)
        path = Path(f"frame_{index}.png")
        return Sample(self.images[index], self.labels[index], self.key, f"frame_{index}", path, path)

    def fingerprint(self) -> str:
        return "f" * 32
