"""What each image adds to a confusion matrix, in a file beside results.json, for a bootstrap over images.

Per image and class three counts of labelled pixels: intersection (right), truth and predicted. They sum to
the diagonal, the rows and the columns of the domain's confusion matrix; a file that does not is not used.
No torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spn.core.sample import Sample
from spn.evaluation.arrays import arrays_path, read_arrays, write_arrays
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


@dataclass
class ImageCounter:
    """Collects the counts of a domain; rows: by the image's index in the dataset, in any order."""

    rows: dict[int, ImageRow] = field(default_factory=dict)

    def add(self, index: int, sample: Sample, confusion: NDArray[np.int64]) -> None:
        """confusion [C, C]: of this image alone."""
        counts = np.stack([np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)])
        self.rows[index] = ImageRow(sample.key, "/".join(sample.label_path.parts[-2:]), counts)

    def write(self, path: Path) -> None:
        """Write everything added so far in the dataset's order, atomically."""
        rows = [self.rows[index] for index in sorted(self.rows)]
        counts = np.stack([row.counts for row in rows], axis=1)
        columns = dict(zip(_COUNTS, counts, strict=True))
        columns |= {
            "keys": np.array([row.key for row in rows]),
            "frames": np.array([row.frame for row in rows]),
        }
        write_arrays(path, **columns)


def counts_path(folder: Path, *, key: str, split: str, map_name: str) -> Path:
    """The file of one domain in an evaluation folder: per_image/cityscapes_val_labelIds.npz."""
    return arrays_path(folder, PER_IMAGE_FOLDER, key=key, split=split, map_name=map_name)


def read_counts(folder: Path, result: DomainResult) -> ImageCounts | None:
    """The counts behind `result` in its evaluation folder; None if there are none, or of another evaluation.

    Raises ResultsError where the file is damaged.
    """
    names = ("keys", "frames", *_COUNTS)
    arrays = read_arrays(
        folder, PER_IMAGE_FOLDER, result, names=names, what="counts per image", option="--per-image"
    )
    if arrays is None:
        return None
    keys, frames, *per_class = arrays
    counts = ImageCounts(tuple(keys.tolist()), tuple(frames.tolist()), *per_class)
    return counts if counts.belong_to(result) else None
