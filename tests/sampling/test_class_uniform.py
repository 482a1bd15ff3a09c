"""The sampler: class-uniform half, evenly drawn rest, a pure function of seed and epoch."""

from __future__ import annotations

import numpy as np
import pytest

from spn.core.errors import UserError
from spn.sampling.class_uniform import ClassIndex, ClassUniformSampler

IMAGES = 100


@pytest.fixture(scope="module")
def index() -> ClassIndex:
    """Class 0 in all images, class 5 in two, class 18 in one."""
    image = np.array([*range(IMAGES), 3, 4, 99], np.int32)
    class_id = np.array([0] * IMAGES + [5, 5, 18], np.uint8)
    points = np.stack([np.stack([image, image + p], 1) for p in range(2)], 1).astype(np.int32)
    return ClassIndex(image, class_id, points, images=IMAGES)


def test_half_is_uniform_over_classes(index: ClassIndex) -> None:
    sampler = ClassUniformSampler(index, images=IMAGES, fraction=0.5, seed=0)
    draws = sampler.draws(0)
    assert len(draws) == IMAGES
    by_class = [draw.class_id for draw in draws if draw.class_id is not None]
    assert len(by_class) == 50
    assert {by_class.count(c) for c in (0, 5, 18)} <= {16, 17}
    plain = [draw.image_index for draw in draws if draw.class_id is None]
    assert len(set(plain)) == len(plain) == 50


def test_centres_come_from_the_index(index: ClassIndex) -> None:
    for draw in ClassUniformSampler(index, images=IMAGES, fraction=1.0, seed=0).draws(2):
        assert draw.centre in {(draw.image_index, draw.image_index), (draw.image_index, draw.image_index + 1)}
        if draw.class_id == 18:
            assert draw.image_index == 99


def test_tiles_of_a_class_come_once_before_any_comes_again(index: ClassIndex) -> None:
    draws = ClassUniformSampler(index, images=IMAGES, fraction=1.0, seed=0).draws(0)
    rare = [draw.image_index for draw in draws if draw.class_id == 5]
    assert abs(rare.count(3) - rare.count(4)) <= 1
    common = [draw.image_index for draw in draws if draw.class_id == 0]
    assert len(set(common)) == len(common)


def test_pure_function_of_seed_and_epoch(index: ClassIndex) -> None:
    first = ClassUniformSampler(index, images=IMAGES, fraction=0.5, seed=7)
    second = ClassUniformSampler(index, images=IMAGES, fraction=0.5, seed=7)
    assert first.draws(3) == second.draws(3)
    assert first.draws(3) != first.draws(4)
    assert first.draws(3) != ClassUniformSampler(index, images=IMAGES, fraction=0.5, seed=8).draws(3)


def test_any_draw_can_be_asked_for_in_any_order(index: ClassIndex) -> None:
    sampler = ClassUniformSampler(index, images=IMAGES, fraction=0.5, seed=7)
    in_order = [sampler.draw(p) for p in range(250)]
    fresh = ClassUniformSampler(index, images=IMAGES, fraction=0.5, seed=7)
    assert [fresh.draw(p) for p in reversed(range(250))] == in_order[::-1]


def test_without_class_uniform_every_image_comes_once() -> None:
    draws = ClassUniformSampler(None, images=10, fraction=0.0, seed=0).draws(0)
    assert sorted(draw.image_index for draw in draws) == list(range(10))
    assert all(draw.centre is None for draw in draws)


def test_an_index_without_any_class_falls_back_to_images() -> None:
    empty = ClassIndex(np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros((0, 1, 2), np.int32), images=4)
    draws = ClassUniformSampler(empty, images=4, fraction=0.5, seed=0).draws(0)
    assert sorted(draw.image_index for draw in draws) == [0, 1, 2, 3]


def test_no_images_are_refused() -> None:
    with pytest.raises(UserError, match="no training images"):
        ClassUniformSampler(None, images=0, fraction=0.0, seed=0)
