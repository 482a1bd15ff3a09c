"""What is counted besides a confusion matrix, in files beside results.json: FOLDER/KIND/KEY_SPLIT_MAP.npz.

A file that does not fit the confusion matrix of its domain is of another evaluation and not used. No torch.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from spn.core.files import atomic_path
from spn.evaluation.calibration import Calibration
from spn.evaluation.results import DomainResult, ResultsError


@dataclass(eq=False)
class ImageCounts:
    """Pixels per image and class, int64 [N, C], for a bootstrap over images: right, labelled, predicted.

    keys [N]: of the images, in the order of the dataset. frames [N]: folder and name of their label files:
    weather variants of one street share it.
    """

    kind: ClassVar[str] = "per_image"
    keys: NDArray[np.str_]
    frames: NDArray[np.str_]
    intersection: NDArray[np.int64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @classmethod
    def of(cls, images: Iterable[tuple[str, str, NDArray[np.int64]]]) -> ImageCounts:
        """Of all images of a dataset, in its order: key, frame and `margins` of each."""
        keys, frames, counts = zip(*images, strict=True)
        return cls(np.array(keys), np.array(frames), *np.stack(counts, axis=1))

    def belongs_to(self, result: DomainResult) -> bool:
        """Whether these counts, summed over the images, are those of `result`."""
        sums = [counts.sum(axis=0) for counts in (self.intersection, self.truth, self.predicted)]
        return len(self.keys) == result.images and np.array_equal(sums, margins(result.confusion))


def margins(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """[3, C] of [C, C]: the diagonal, and the sums of rows and of columns."""
    return np.stack([np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)])


Counts = TypeVar("Counts", Calibration, ImageCounts)


def counts_path(folder: Path, kind: str, result: DomainResult) -> Path:
    """The file of one domain in an evaluation folder: per_image/cityscapes_val_labelIds.npz."""
    return folder / kind / f"{result.folder_name}.npz"


def write_counts(folder: Path, result: DomainResult, counts: Counts) -> None:
    """Write all arrays, atomically."""
    with atomic_path(counts_path(folder, counts.kind, result)) as temporary:
        np.savez_compressed(temporary, **vars(counts))


def read_counts(kind: type[Counts], folder: Path, result: DomainResult) -> Counts | None:
    """The counts behind `result` in its evaluation folder; None if there are none, or of another evaluation.

    Raises ResultsError where the file is damaged.
    """
    path = counts_path(folder, kind.kind, result)
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            counts = kind(**stored)
    except (ValueError, TypeError, zipfile.BadZipFile, EOFError) as error:
        option = "--" + kind.kind.replace("_", "-")
        raise ResultsError(
            f"{path}: damaged ({error}); remove it and evaluate again with {option}"
        ) from error
    return counts if counts.belongs_to(result) else None
