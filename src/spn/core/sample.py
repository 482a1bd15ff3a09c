"""The one record that travels from a dataset to the transforms and the evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sample:
    """One image with its ground truth.

    image: uint8 [H, W, 3], RGB. label: uint8 [H, W] in the dataset's label space (train ids for training
    sets), 255 where not evaluated. domain: the dataset's key, never guessed from a path. key: unique and
    stable within the dataset. image_path, label_path: the files it came from, for messages.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]
    domain: str
    key: str
    image_path: Path
    label_path: Path
