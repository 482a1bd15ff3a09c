"""The class index: every position is a pixel of its class, no tile is missed, the cache is right."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from spn.core.classes import CITYSCAPES_19
from spn.core.seeding import numpy_generator
from spn.sampling.class_uniform import (
    ClassIndex,
    build_class_index,
    index_label,
    join_indexes,
    open_class_index,
)
from spn.sampling.config import SamplingConfig


@dataclass
class Labels:
    """A dataset of label arrays that counts how often it is read."""

    label_space = CITYSCAPES_19
    arrays: list[np.ndarray]
    version: str = "v1"
    reads: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.arrays)

    def read_label(self, index: int) -> np.ndarray:
        self.reads.append(index)
        return self.arrays[index]

    def fingerprint(self) -> str:
        return self.version


def _random_labels(count: int, *, seed: int = 0) -> Labels:
    generator = numpy_generator(seed)
    arrays = []
    for _ in range(count):
        label = np.repeat(np.repeat(generator.integers(0, 15, (6, 8)), 10, 0), 10, 1).astype(np.uint8)
        label[3, 77] = 17  # a single pixel of a rare class, in the last column of tiles
        label[40:, 10:20] = 255
        arrays.append(label)
    return Labels(arrays)


CONFIG = SamplingConfig(tile=32, positions=3)


def test_every_position_is_a_pixel_of_its_class() -> None:
    labels = _random_labels(4)
    index = build_class_index(labels, CONFIG, progress=False)
    for image, class_id, points in zip(index.image, index.class_id, index.points, strict=True):
        assert (labels.arrays[image][points[:, 1], points[:, 0]] == class_id).all()


def test_tiles_and_classes_agree_with_comparing_each_class_in_turn() -> None:
    labels = _random_labels(3)
    index = build_class_index(labels, CONFIG, progress=False)
    expected = [
        (number, class_id, left // 32, top // 32)
        for number, label in enumerate(labels.arrays)
        for top in range(0, 60, 32)
        for left in range(0, 80, 32)
        for class_id in range(19)
        if (label[top : top + 32, left : left + 32] == class_id).any()
    ]
    tiles = index.points[:, 0] // 32
    found = list(zip(index.image.tolist(), index.class_id.tolist(), *tiles.T.tolist(), strict=True))
    assert found == expected


def test_a_single_pixel_at_the_far_edge_is_found_and_minimum_pixels_drops_it() -> None:
    labels = _random_labels(1)
    index = build_class_index(labels, CONFIG, progress=False)
    assert index.points[index.class_id == 17].tolist() == [[[77, 3]] * 3]
    strict = build_class_index(labels, replace(CONFIG, minimum_pixels=2), progress=False)
    assert 17 not in strict.class_id


def test_an_image_smaller_than_the_tile_takes_part() -> None:
    entries = index_label(np.full((5, 7), 4, np.uint8), SamplingConfig(positions=2), seed=0)
    assert entries.class_id.tolist() == [4]
    void = index_label(np.full((5, 7), 255, np.uint8), SamplingConfig(positions=2), seed=0)
    assert len(void.class_id) == 0


def test_the_index_does_not_depend_on_the_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(cores: int) -> ClassIndex:
        monkeypatch.setattr("os.cpu_count", lambda: cores)
        return build_class_index(_random_labels(6), CONFIG, progress=False)

    one, many = build(1), build(4)
    np.testing.assert_array_equal(one.points, many.points)
    np.testing.assert_array_equal(one.class_id, many.class_id)


def test_the_cache_is_used_for_the_same_content_only(tmp_path: Path) -> None:
    config = replace(CONFIG, cache=tmp_path)
    labels = _random_labels(3)
    first = open_class_index(labels, config, progress=False)
    labels.reads.clear()
    again = open_class_index(labels, config, progress=False)
    assert labels.reads == []
    for name in ("image", "class_id", "points", "images"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    for changed, other in (
        (replace(labels, version="v2", reads=[]), config),
        (labels, replace(config, tile=16)),
    ):
        open_class_index(changed, other, progress=False)
        assert sorted(changed.reads) == [0, 1, 2]


def test_a_damaged_cache_file_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = replace(CONFIG, cache=tmp_path)
    labels = _random_labels(2)
    index = open_class_index(labels, config, progress=False)
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes()[:100])
    with caplog.at_level(logging.WARNING):
        again = open_class_index(labels, config, progress=False)
    assert "made again" in caplog.text
    np.testing.assert_array_equal(index.points, again.points)
    labels.reads.clear()
    open_class_index(labels, config, progress=False)
    assert labels.reads == []


def test_classes_without_positions_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        index = open_class_index(_random_labels(1), replace(CONFIG, cache=tmp_path), progress=False)
    assert not {16, 18} & set(index.class_id.tolist())
    assert "no position of" in caplog.text
    assert "train" in caplog.text
    assert "bicycle" in caplog.text


def test_a_folder_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    config = replace(CONFIG, cache=tmp_path / "file")
    with caplog.at_level(logging.WARNING):
        assert open_class_index(_random_labels(1), config, progress=False).image.size > 0
    assert "sampling.cache" in caplog.text


def test_joining_counts_images_on() -> None:
    first = build_class_index(_random_labels(2), CONFIG, progress=False)
    second = build_class_index(_random_labels(3, seed=1), CONFIG, progress=False)
    joined = join_indexes([first, second])
    assert joined.images == 5
    assert len(joined.image) == len(first.image) + len(second.image)
    assert set(joined.image.tolist()) == {0, 1, 2, 3, 4}
