"""What each image adds to a confusion matrix, in a file beside results.json, for a bootstrap over images.

Per image and class three counts of labelled pixels: intersection (right), truth and predicted. They sum to
the diagonal, the rows and the columns of the domain's confusion matrix; a file that does not is not used.
No torch.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spn.core.files import atomic_path
from spn.core.sample import Sample
from spn.evaluation.results import DomainResult, ResultsError

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


@dataclass
class ImageCounter:
    """Collects the counts of a domain, image by image."""

    samples: list[tuple[str, str]] = field(default_factory=list)
    counts: list[tuple[NDArray[np.int64], ...]] = field(default_factory=list)

    def add(self, sample: Sample, confusion: NDArray[np.int64]) -> None:
        """confusion [C, C]: of this image alone."""
        self.samples.append((sample.key, "/".join(sample.label_path.parts[-2:])))
        self.counts.append((np.diag(confusion).copy(), confusion.sum(axis=1), confusion.sum(axis=0)))

    def write(self, path: Path) -> None:
        """Write everything added so far, atomically."""
        columns = {
            name: np.stack(rows) for name, rows in zip(_COUNTS, zip(*self.counts, strict=True), strict=True)
        }
        columns |= dict(zip(("keys", "frames"), map(np.array, zip(*self.samples, strict=True)), strict=True))
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, **columns)  # type: ignore[arg-type]


def counts_path(folder: Path, *, key: str, split: str, map_name: str) -> Path:
    """The file of one domain in an evaluation folder: per_image/cityscapes_val_labelIds.npz."""
    return folder / PER_IMAGE_FOLDER / f"{key}_{split}_{map_name}.npz"


def read_counts(folder: Path, result: DomainResult) -> ImageCounts | None:
    """The counts behind `result` in its evaluation folder; None if there are none, or of another evaluation.

    Raises ResultsError where the file is damaged.
    """
    path = counts_path(folder, key=result.key, split=result.split, map_name=result.map_name)
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            counts = ImageCounts(
                tuple(stored["keys"].tolist()),
                tuple(stored["frames"].tolist()),
                *(stored[name] for name in _COUNTS),
            )
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise ResultsError(
            f"{path}: not a file of counts per image ({error}); remove it and evaluate again with --per-image"
        ) from error
    return counts if counts.belong_to(result) else None
