"""Calibration error and risk-coverage against a direct computation over all pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from evaluation.test_per_image import blurred
from evaluation.test_run import colour_model, measure
from inference.colour_network import ColourNetwork
from spn.core.classes import CAMVID_11
from spn.evaluation.counts import EDGES, Calibration, EvaluationOptions, counts_path, read_counts
from spn.evaluation.results import ResultsError
from spn.inference.tta import TestTimeAugmentation

OPTIONS = EvaluationOptions(pictures=0, calibration=True)


def counted(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration:
    counted = Calibration()
    label = np.where(right, 1, 0).astype(np.uint8)
    counted.add(confidence.astype(np.float32), label, np.ones_like(label))
    return counted


def direct_ece(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    total = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence >= low) & (confidence < low + 1 / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def direct_aurc(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    wrong = ~right[np.argsort(-confidence)]
    return float((np.cumsum(wrong) / np.arange(1, len(wrong) + 1)).mean())


@pytest.mark.parametrize("honest", [True, False])
def test_figures_are_those_of_all_pixels(honest: bool) -> None:
    """Confidences as networks have them: many near 1; honest ones are right as often as they say."""
    generator = np.random.default_rng(3)
    confidence = 1 - 0.9 * generator.random(100_000) ** 4
    right = generator.random(100_000) < (confidence if honest else 0.7)
    figures = counted(confidence, right)
    assert figures.error == pytest.approx(1 - right.mean())
    assert figures.ece == pytest.approx(direct_ece(confidence, right), abs=1 / 3000)
    assert figures.aurc == pytest.approx(direct_aurc(confidence, right), rel=0.02)
    assert (figures.ece < 0.01) == honest
    assert (figures.aurc < 0.8 * figures.error) == honest, "confidence that says nothing gives the error rate"


def test_small_cases_by_hand() -> None:
    sure = counted(np.full(8, 0.95), np.array([True, False] * 4))
    assert sure.ece == pytest.approx(0.45, abs=1 / 3000)
    assert sure.aurc == pytest.approx(0.5)
    good = counted(np.repeat([0.9, 0.2], 500), np.repeat([True, False], 500))
    tail = np.arange(1, 501) / np.arange(501, 1001)
    assert good.aurc == pytest.approx(tail.sum() / 1000, abs=1e-5)
    empty = counted(np.zeros(0), np.zeros(0, bool))
    assert np.isnan([empty.ece, empty.aurc, empty.error]).all()


@pytest.mark.parametrize(
    "tta", [TestTimeAugmentation(), TestTimeAugmentation(flip=True), TestTimeAugmentation(num_samples=2)]
)
def test_an_evaluation_counts_every_labelled_pixel(tmp_path: Path, tta: TestTimeAugmentation) -> None:
    data = blurred()
    data.labels[0][:4] = 255
    network = ColourNetwork(sharpness=2.0)
    (result,) = measure(tmp_path, data, model=colour_model(network, tta=tta), options=OPTIONS).domains
    calibration = read_counts(Calibration, tmp_path, result)
    assert calibration is not None
    assert calibration.right.sum() + calibration.wrong.sum() == sum(
        (label != 255).sum() for label in data.labels
    )
    probabilities = []
    for image in data.images:
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        probabilities.append(torch.softmax(network(pixels).logits, dim=1).amax(dim=1)[0])
    confidence = torch.stack(probabilities).detach().numpy()
    known = np.stack(data.labels) != 255
    histogram = np.bincount(np.searchsorted(EDGES, confidence[known], side="right"), minlength=len(EDGES) + 1)
    middle = np.arange(len(EDGES) + 1)
    mine = calibration.right + calibration.wrong
    assert (mine * middle).sum() == pytest.approx((histogram * middle).sum(), rel=0.01)


def test_coarser_classes_are_judged_by_the_sum_of_their_probabilities(tmp_path: Path) -> None:
    """Nothing but noise among 19 classes is 5 % sure; CamVid's car is four of them."""
    data = blurred()
    data.label_space = CAMVID_11
    for label in data.labels:
        label[:] = 0
    model = colour_model(ColourNetwork(sharpness=1e-6))
    (result,) = measure(tmp_path, data, model=model, options=OPTIONS).domains
    calibration = read_counts(Calibration, tmp_path, result)
    assert calibration is not None
    (filled,) = {EDGES[index] for index in np.flatnonzero(calibration.right + calibration.wrong)}
    assert filled == pytest.approx(4 / 19, abs=1 / 1000)


def test_it_is_measured_once_and_made_again_when_lost(tmp_path: Path) -> None:
    data = blurred()
    measure(tmp_path, data, options=OPTIONS)
    data.reads.clear()
    (result,) = measure(tmp_path, data, options=OPTIONS).domains
    assert data.reads == []
    path = counts_path(tmp_path, "calibration", result)
    path.write_bytes(b"PK")
    with pytest.raises(ResultsError, match=r"damaged .*--calibration"):
        read_counts(Calibration, tmp_path, result)
    path.unlink()
    assert read_counts(Calibration, tmp_path, result) is None
    measure(tmp_path, data, options=OPTIONS)
    assert len(data.reads) == 3
