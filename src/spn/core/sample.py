"""The one record that travels from a dataset to the transforms and the evaluation, whole or by regions."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Region(NamedTuple):
    """A rectangle of a sample, or a crop made of it. image: uint8 [h, w, 3], RGB; label: uint8 [h, w]."""

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]


class RegionSource(Protocol):
    """A sample of which only the pixels that are asked for need to be read."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    def region(self, rows: slice, columns: slice) -> Region:
        """The pixels of `rows` and `columns`, both with start and stop inside the image."""


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

    @property
    def size(self) -> tuple[int, int]:
        return self.label.shape[0], self.label.shape[1]

    def region(self, rows: slice, columns: slice) -> Region:
        return Region(self.image[rows, columns], self.label[rows, columns])
