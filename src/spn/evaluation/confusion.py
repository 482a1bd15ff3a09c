"""The confusion matrix of one domain and the figures that follow from it. No torch.

Rows are ground truth, columns predictions. IoU of class c = TP / (TP + FN + FP); a class without a single
ground-truth pixel has no IoU (NaN) and is left out of the mean, even where it was predicted.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE

EXACT_PIXELS = 1 << 24
"""OpenCV counts in float32, which is exact up to here; larger images are counted in parts."""


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
    flat_label, flat_prediction = label.reshape(-1, 1), prediction.reshape(-1, 1)
    counts = np.zeros((256, classes), np.int64)
    for start in range(0, len(flat_label), EXACT_PIXELS):
        part = slice(start, start + EXACT_PIXELS)
        histogram = cv2.calcHist(
            [flat_label[part], flat_prediction[part]], [0, 1], None, [256, classes], [0, 256, 0, classes]
        )
        counts += histogram.astype(np.int64)
    if counts.sum() != flat_label.size:
        raise ValueError(f"predictions up to {int(prediction.max())}; wanted 0..{classes - 1}")
    if counts[classes:IGNORE].any():
        wrong = [int(value) for value in np.unique(label) if classes <= value < IGNORE]
        raise ValueError(f"labels {wrong} are not classes; wanted 0..{classes - 1} or {IGNORE}")
    return counts[:classes]


def class_iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """IoU [C] as fractions; NaN for classes without ground truth."""
    hits = np.diag(confusion).astype(np.float64)
    truth = confusion.sum(axis=1)
    union = truth + confusion.sum(axis=0) - hits
    return np.where(truth > 0, hits / np.maximum(union, 1), np.nan)


def mean_iou(iou: NDArray[np.float64]) -> float:
    """The mean over the classes that have ground truth; NaN if none has."""
    present = iou[~np.isnan(iou)]
    return float(present.mean()) if present.size else float("nan")


def mean_iou_all_classes(iou: NDArray[np.float64]) -> float:
    """The mean over every class with absent ones counted as 0: the figure of some old tables."""
    return float(np.nan_to_num(iou, nan=0.0).mean())
