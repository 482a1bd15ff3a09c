"""Counts against torchmetrics, and what the figures mean where classes are absent."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_confusion_matrix, multiclass_jaccard_index

from spn.evaluation import counts as module
from spn.evaluation.counts import confusion_counts
from spn.evaluation.results import class_iou


@given(
    classes=st.integers(2, 30), height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99)
)
def test_counts_equal_torchmetrics(classes: int, height: int, width: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    label = generator.integers(0, classes, (height, width), dtype=np.uint8)
    label[generator.random((height, width)) < 0.2] = 255
    prediction = generator.integers(0, classes, (height, width), dtype=np.uint8)
    expected = multiclass_confusion_matrix(
        torch.from_numpy(prediction).long(), torch.from_numpy(label).long(), classes, ignore_index=255
    )
    counts = confusion_counts(label, prediction, classes=classes)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, expected.numpy())


def test_iou_equals_torchmetrics_where_all_classes_occur() -> None:
    generator = np.random.default_rng(0)
    label, prediction = (generator.integers(0, 19, (64, 64), dtype=np.uint8) for _ in range(2))
    iou = class_iou(confusion_counts(label, prediction, classes=19))
    expected = multiclass_jaccard_index(
        torch.from_numpy(prediction).long(), torch.from_numpy(label).long(), 19, average="none"
    )
    np.testing.assert_allclose(iou, expected.numpy(), rtol=1e-6)


def test_large_images_are_counted_exactly_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_PIXELS", 50)
    label = np.zeros((20, 20), np.uint8)
    assert confusion_counts(label, label, classes=3)[0, 0] == 400


def test_absent_classes_have_no_iou_even_if_predicted() -> None:
    confusion = np.array([[6, 2, 2], [0, 10, 0], [0, 0, 0]])
    iou = class_iou(confusion)
    np.testing.assert_allclose(iou[:2], [6 / 10, 10 / 12])
    assert np.isnan(iou[2])
    assert np.nanmean(iou) == pytest.approx((6 / 10 + 10 / 12) / 2)
    assert np.isnan(class_iou(np.zeros((3, 3), np.int64))).all()


@pytest.mark.parametrize(
    ("label", "prediction", "says"),
    [
        (np.zeros((2, 2), np.uint8), np.full((2, 2), 19, np.uint8), "predictions up to 19"),
        (np.full((2, 2), 19, np.uint8), np.zeros((2, 2), np.uint8), r"labels \[19\] are not classes"),
        (np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), "one shape"),
        (np.zeros((2, 2), np.int64), np.zeros((2, 2), np.uint8), "uint8"),
    ],
)
def test_impossible_values_are_refused(label: np.ndarray, prediction: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        confusion_counts(label, prediction, classes=19)


@pytest.mark.slow
def test_at_least_ten_times_as_fast_as_torchmetrics() -> None:
    """The best of thirty rounds each, at 2048x1024 and 19 classes; torchmetrics without its own checks."""
    generator = np.random.default_rng(0)
    label, prediction = (
        np.repeat(generator.integers(0, 19, (1024, 64), dtype=np.uint8), 32, axis=1) for _ in range(2)
    )
    label[:100] = 255
    tensors = torch.from_numpy(prediction).long(), torch.from_numpy(label).long()

    def seconds(function: Callable[[], object]) -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    def ours() -> object:
        return confusion_counts(label, prediction, classes=19)

    def theirs() -> object:
        return multiclass_confusion_matrix(*tensors, 19, ignore_index=255, validate_args=False)

    rounds = [(seconds(ours), seconds(theirs)) for _ in range(30)]  # by turns: what else runs slows down both
    our_best, their_best = map(min, zip(*rounds, strict=True))
    assert their_best >= 10 * our_best, f"{their_best / our_best:.1f} times"
