"""What each image adds to a confusion matrix, in a file beside results.json, for a bootstrap over images.

Per image and class three counts of labelled pixels: intersection (right), truth and predicted. They sum to
the diagonal, the rows and the columns of the domain's confusion matrix; a file that does not is not used.
No torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spn.core.sample import Sample
from spn.evaluation.arrays import read_arrays, write_arrays
from spn.evaluation.results import DomainResult

PER_IMAGE_FOLDER: Final = "per_image"
_COUNTS: Final = ("intersection", "truth", "predicted")


@dataclass(frozen=True, eq=False)
class ImageCounts:
    """Pixels per image and class, int64 [N, C].

    keys [N]: of the images, in the order of the dataset. frames [N]: folder and name of their label files:
    weather variants of one street share it.
    """

    keys: tuple[str, ...]
    frames: tuple[str, ...]
    intersection: NDArray[np.int64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]

    def belong_to(self, result: DomainResult) -> bool:
        """Whether these counts, summed over the images, are those of `result`."""
        confusion = result.confusion
        return (
            len(self.keys) == len(self.frames) == result.images
            and all(getattr(self, name).shape == (result.images, len(confusion)) for name in _COUNTS)
            and np.array_equal(self.intersection.sum(axis=0), np.diag(confusion))
            and np.array_equal(self.truth.sum(axis=0), confusion.sum(axis=1))
            and np.array_equal(self.predicted.sum(axis=0), confusion.sum(axis=0))
        )


class ImageRow(NamedTuple):
    """key, frame: of the image (`ImageCounts`). counts int64 [3, C]: intersection, truth, predicted."""

    key: str
    frame: str
    counts: NDArray[np.int64]


def count_image(sample: Sample, confusion: NDArray[np.int64]) -> ImageRow:
    """confusion [C, C]: of this image alone."""
    counts = np.stack([np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)])
    return ImageRow(sample.key, "/".join(sample.label_path.parts[-2:]), counts)


def write_counts(folder: Path, result: DomainResult, rows: list[ImageRow]) -> None:
    """Write the counts of all images, in the dataset's order, atomically."""
    counts = np.stack([row.counts for row in rows], axis=1)
    keys, frames = np.array([row.key for row in rows]), np.array([row.frame for row in rows])
    columns = dict(zip(_COUNTS, counts, strict=True))
    write_arrays(folder, PER_IMAGE_FOLDER, result, keys=keys, frames=frames, **columns)


def read_counts(folder: Path, result: DomainResult) -> ImageCounts | None:
    """The counts behind `result` in its evaluation folder; None if there are none, or of another evaluation.

    Raises ResultsError where the file is damaged.
    """
    arrays = read_arrays(folder, PER_IMAGE_FOLDER, result, "keys", "frames", *_COUNTS)
    if arrays is None:
        return None
    keys, frames, *per_class = arrays
    counts = ImageCounts(tuple(keys.tolist()), tuple(frames.tolist()), *per_class)
    return counts if counts.belong_to(result) else None
