"""The counts of each image: what is kept, that it belongs to the results, and when it is made again."""

from __future__ import annotations

import importlib
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.memory_dataset import MemoryDataset
from evaluation.test_run import dataset, measure
from spn.core.classes import CITYSCAPES_19
from spn.evaluation.counts import EvaluationOptions, ImageCounts, confusion_counts, counts_path, read_counts
from spn.evaluation.results import ResultsError, RunResults

PER_IMAGE = EvaluationOptions(pictures=0, per_image=True)


def blurred() -> MemoryDataset:
    """Three images of which a third is labelled road, whatever is on them."""
    made = dataset("cityscapes")
    for label in made.labels:
        label[::3] = 0
    made.images[1] = np.zeros_like(made.images[1])
    return made


def counted(folder: Path, data: MemoryDataset) -> RunResults:
    return measure(folder, data, options=PER_IMAGE)


def test_counts_are_those_of_each_image(tmp_path: Path) -> None:
    data = blurred()
    (result,) = counted(tmp_path, data).domains
    counts = read_counts(ImageCounts, tmp_path, result)
    assert counts is not None
    assert counts.keys.tolist() == ["frame_0", "frame_1", "frame_2"]
    assert counts.intersection.dtype == np.int64
    one = dataset("cityscapes")
    one.images, one.labels = [data.images[1]], [data.labels[1]]
    (alone,) = measure(tmp_path / "one", one).domains
    np.testing.assert_array_equal(counts.truth[1], alone.confusion.sum(axis=1))
    np.testing.assert_array_equal(counts.predicted[1], alone.confusion.sum(axis=0))
    np.testing.assert_array_equal(counts.intersection[1], np.diag(alone.confusion))
    assert not np.array_equal(counts.intersection[0], counts.intersection[1])


def test_results_are_the_same_and_old_ones_are_measured_again_for_counts(tmp_path: Path) -> None:
    data = blurred()
    (before,) = measure(tmp_path, data, options=EvaluationOptions(pictures=0)).domains
    assert read_counts(ImageCounts, tmp_path, before) is None
    data.reads.clear()
    (after,) = counted(tmp_path, data).domains
    assert len(data.reads) == 3
    np.testing.assert_array_equal(before.confusion, after.confusion)
    data.reads.clear()
    counted(tmp_path, data)
    measure(tmp_path, data, options=EvaluationOptions(pictures=0))
    assert data.reads == []


def test_counts_of_another_evaluation_are_not_used(tmp_path: Path) -> None:
    (result,) = counted(tmp_path, blurred()).domains
    other = confusion_counts(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8), classes=19)
    assert read_counts(ImageCounts, tmp_path, replace(result, confusion=result.confusion + other)) is None
    assert read_counts(ImageCounts, tmp_path, replace(result, images=2)) is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (result,) = counted(tmp_path, blurred()).domains
    path = counts_path(tmp_path, "per_image", result)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ResultsError, match=r"cityscapes_val_none\.npz: damaged .*--per-image"):
        read_counts(ImageCounts, tmp_path, result)


def test_the_recipe_counts_the_usual_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "streets"
    if not recipe.exists():
        pytest.skip("needs the source tree")
    monkeypatch.syspath_prepend(str(recipe))
    script = importlib.import_module("usual_shares")
    (result,) = counted(tmp_path, blurred()).domains
    counts = read_counts(ImageCounts, tmp_path, result)
    assert counts is not None
    capsys.readouterr()
    script.main(tmp_path)
    usual = tomllib.loads(capsys.readouterr().out)["usual"]
    assert tuple(usual) == CITYSCAPES_19.names
    shares = counts.predicted / counts.predicted.sum(axis=1, keepdims=True)
    wanted = 100 * np.prod(np.maximum(shares, 1e-4), axis=0) ** (1 / 3)
    np.testing.assert_allclose([*usual.values()], wanted, atol=6e-4)
    counts_path(tmp_path, "per_image", result).unlink()
    with pytest.raises(SystemExit, match="evaluate with --per-image"):
        script.main(tmp_path)
