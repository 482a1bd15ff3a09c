"""What is counted of a domain: its confusion matrix, and what else is asked for in KIND/KEY_SPLIT_MAP.npz.

A file that does not fit the confusion matrix of its domain is of another evaluation and not used. No torch.
"""

import itertools
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from spn.core.errors import UserError
from spn.core.files import atomic_path, read_arrays
from spn.evaluation.results import DomainResult, ResultsError, margins

ECE_BINS: Final = 15
EVEN_BINS: Final = 100 * ECE_BINS
EDGES: Final = np.array(
    [*(k / EVEN_BINS for k in range(1, EVEN_BINS)), *(1 - 2.0**-k / EVEN_BINS for k in range(1, 9))]
)
"""Between the bins, ascending: even ones, and finer ones in the last of these, where most pixels are."""
BINS: Final = len(EDGES) + 1
EXACT_PIXELS: Final = 1 << 24
"""OpenCV counts in float32, which is exact up to here; larger images are counted in parts."""
STREAMS: Final = 4
"""How many pixels apart are counted by turns; 4 are 1.4 times as fast as 1."""


@dataclass(frozen=True)
class EvaluationOptions:
    """How to run; none of it changes a figure."""

    pictures: int = 4
    """Images of each domain that are saved as pictures: image, ground truth, prediction and uncertainty."""
    predictions: bool = False
    """Whether every prediction is written, as labelId PNGs where the domain has the 19 classes."""
    per_image: bool = False
    """Whether the counts of each image are kept beside results.json, for a bootstrap over images."""
    calibration: bool = False
    """Whether confidences are counted, for calibration error and risk-coverage, beside results.json."""
    batch: int = 8
    """Images of equal size that run together."""
    again: bool = False
    """Evaluate also what results.json already holds."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UserError(f"batch {self.batch}: wanted 1 image or more")
        if self.pictures < 0:
            raise UserError(f"pictures {self.pictures}: wanted 0 or more")


def confusion_counts(
    label: NDArray[np.uint8], prediction: NDArray[np.uint8], *, classes: int
) -> NDArray[np.int64]:
    """Counts [classes, classes] of (label, prediction) pairs, without the pixels labelled 255.

    One histogram of label times prediction, all 256 label values included, so that nothing needs masking.
    Raises ValueError if the shapes or types differ, or for a label or prediction that is not a class.
    """
    if label.dtype != np.uint8 or prediction.dtype != np.uint8 or label.shape != prediction.shape:
        raise ValueError(
            f"label {label.dtype} {label.shape} and prediction {prediction.dtype} {prediction.shape}; "
            "wanted uint8 arrays of one shape"
        )
    flat_label, flat_prediction = label.reshape(-1), prediction.reshape(-1)
    even = flat_label.size - flat_label.size % STREAMS
    counts = np.zeros((256, classes), np.int64)
    for start, end in itertools.pairwise((*range(0, even, EXACT_PIXELS), even, flat_label.size)):
        if start < end:
            pair = [_interleaved(flat[start:end]) for flat in (flat_label, flat_prediction)]
            histogram = cv2.calcHist(pair, [0, 1], None, [256, classes], [0, 256, 0, classes])
            counts += histogram.astype(np.int64)
    if counts.sum() != flat_label.size:
        raise ValueError(f"predictions up to {int(prediction.max())}; wanted 0..{classes - 1}")
    if counts[classes:IGNORE].any():
        wrong = [int(value) for value in np.unique(label) if classes <= value < IGNORE]
        raise ValueError(f"labels {wrong} are not classes; wanted 0..{classes - 1} or {IGNORE}")
    return counts[:classes]


def _interleaved(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A column of the values, neighbours far apart, if their number allows it: they are mostly equal, and a
    processor waits to count up again what it has just counted up."""
    streams = 1 if len(values) % STREAMS else STREAMS
    return cv2.merge(values.reshape(streams, -1)).reshape(-1, 1)  # type: ignore[call-overload]


class Reliability(NamedTuple):
    """By bin: its mean confidence, its share of right pixels, and its share of all pixels."""

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    share: NDArray[np.float64]


@dataclass(eq=False)
class Calibration:
    """Whether confidence means anything: pixels that were right and wrong, by bin of it, int64 [BINS] each.

    Confidence is the largest probability of a pixel. Bins are fixed, so memory is constant; the pixels of one
    count as equally confident, at its middle: ECE is exact to 1/3000. Without pixels the figures are NaN.
    """

    kind: ClassVar[str] = "calibration"
    right: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    wrong: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(
        self, confidence: NDArray[np.float32], label: NDArray[np.uint8], prediction: NDArray[np.uint8]
    ) -> None:
        """Count an image. confidence [H, W]: of the prediction, 0..1; pixels labelled 255 are left out."""
        known = label != IGNORE
        bins = np.searchsorted(EDGES.astype(np.float32), confidence[known], side="right")
        right = (label == prediction)[known]
        self.right += np.bincount(bins[right], minlength=BINS)
        self.wrong += np.bincount(bins[~right], minlength=BINS)

    @property
    def error(self) -> float:
        """The share of wrong pixels."""
        return int(self.wrong.sum()) / (int(self.right.sum() + self.wrong.sum()) or math.nan)

    @property
    def ece(self) -> float:
        """Expected calibration error (Guo et al., ICML 2017), a fraction.

        Σ_b n_b/N · |accuracy_b − mean confidence_b| over 15 even bins.
        """
        bins = self.reliability
        gaps = bins.share * np.abs(bins.accuracy - bins.confidence)
        return float(gaps.sum()) if len(gaps) else math.nan

    @property
    def reliability(self) -> Reliability:
        """Of those of 15 even bins that have pixels."""
        middles = (np.array([0.0, *EDGES]) + np.array([*EDGES, 1.0])) / 2
        group = (middles * ECE_BINS).astype(np.int64)
        each = self.right + self.wrong
        confidence, right, pixels = (
            np.bincount(group, weights=weights, minlength=ECE_BINS)
            for weights in (each * middles, self.right, each)
        )
        some = pixels > 0
        pixels, shares = pixels[some], pixels[some] / max(1, pixels.sum())
        return Reliability(confidence[some] / pixels, right[some] / pixels, shares)

    @property
    def aurc(self) -> float:
        """Area under the risk-coverage curve (Geifman et al., ICLR 2019), a fraction.

        The mean over coverages of the error rate among the most confident pixels; an order by chance gives
        the error rate itself.

        A bin's n pixels come in random order after the C more confident ones, of which E are wrong: with a
        share r of them wrong, they add Σ_j (E + r·j) / (C + j) = r·n + (E − r·C) · (H(C + n) − H(C)), and
        H(C + n) − H(C) ≈ log((C + n + ½) / (C + ½)).
        """
        wrong = self.wrong[::-1].astype(np.float64)
        pixels = self.right[::-1] + wrong
        before, wrong_before = np.cumsum(pixels) - pixels, np.cumsum(wrong) - wrong
        rate = wrong / np.maximum(pixels, 1)
        harmonic = np.log((before + pixels + 0.5) / (before + 0.5))
        return float((wrong + (wrong_before - rate * before) * harmonic).sum() / (pixels.sum() or math.nan))

    def belongs_to(self, result: DomainResult) -> bool:
        """Whether these are the pixels of `result`."""
        hits = np.trace(result.confusion)
        totals = self.right.sum(), self.wrong.sum()
        return self.right.shape == (BINS,) and totals == (hits, result.confusion.sum() - hits)


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

    def belongs_to(self, result: DomainResult) -> bool:
        """Whether these counts, summed over the images, are those of `result`."""
        sums = [counts.sum(axis=0) for counts in (self.intersection, self.truth, self.predicted)]
        return len(self.keys) == result.images and np.array_equal(sums, margins(result.confusion))


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
        counts = kind(**read_arrays(path))
        return counts if counts.belongs_to(result) else None
    except (ValueError, TypeError, IndexError) as error:
        remedy = f"remove it and evaluate again with --{kind.kind.replace('_', '-')}"
        raise ResultsError(f"{path}: damaged ({error}); {remedy}") from error
