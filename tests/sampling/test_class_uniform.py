"""The sampler: class-uniform half, evenly drawn rest, a pure function of seed and epoch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spn.core.errors import UserError
from spn.sampling.class_uniform import ClassIndex, ClassUniformSampler
from spn.sampling.config import SamplingConfig

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


def many_sources(counts: list[int], generator: np.random.Generator) -> ClassIndex:
    """Some classes in every source, some only in the first, some nowhere."""
    images = sum(counts)
    image = np.repeat(np.arange(images, dtype=np.int32), 3)
    class_id = np.concatenate([[0, 1, 7 if i < counts[0] else 2] for i in range(images)]).astype(np.uint8)
    points = generator.integers(0, 99, (len(image), 2, 2), dtype=np.int32)
    return ClassIndex(image, class_id, points, images)


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    weights=st.lists(st.floats(0.1, 10), min_size=4, max_size=4),
    fraction=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 9),
)
@settings(max_examples=40)
def test_sources_get_the_shares_that_their_weights_give(
    counts: list[int], weights: list[float], fraction: float, seed: int
) -> None:
    """Of the images that are drawn evenly, and of every class that all sources show."""
    index = many_sources(counts, np.random.default_rng(seed))
    sources = list(zip(counts, weights, strict=False))
    images = sum(counts)
    sampler = ClassUniformSampler(index, images=images, fraction=fraction, seed=seed, sources=sources)
    source = np.repeat(np.arange(len(counts)), counts)
    shares = np.array([weight for _, weight in sources]) / sum(weight for _, weight in sources)
    epochs = 120
    draws = [draw for epoch in range(epochs) for draw in sampler.draws(epoch)]
    assert len(draws) == epochs * images
    for class_id in (None, 0):
        drawn = [source[draw.image_index] for draw in draws if draw.class_id == class_id]
        if drawn:  # whole numbers are right on average: one draw of chance for each epoch and source
            found = np.bincount(drawn, minlength=len(counts))
            assert np.abs(found - len(drawn) * shares).max() <= 3.5 * epochs**0.5
    assert {source[draw.image_index] for draw in draws if draw.class_id == 7} <= {0}


def test_within_a_source_every_image_comes_before_any_comes_again() -> None:
    sampler = ClassUniformSampler(None, images=12, fraction=0.0, seed=0, sources=[(4, 3.0), (8, 1.0)])
    drawn = Counter(draw.image_index for draw in sampler.draws(0))
    assert sorted(drawn[image] for image in range(4)) == [2, 2, 2, 3]
    assert sorted(drawn[image] for image in range(4, 12)) == [0] * 5 + [1] * 3


def test_weights_change_nothing_of_where_a_draw_stands() -> None:
    """What a rank draws follows from the position alone, so that devices and resuming change nothing."""
    index = many_sources([5, 9], np.random.default_rng(0))
    samplers = [
        ClassUniformSampler(index, images=14, fraction=0.5, seed=3, sources=[(5, 2.0), (9, 1.0)])
        for _ in range(3)
    ]
    positions = [*range(60)]
    whole = [samplers[0].draw(position) for position in positions]
    ranks = [{p: sampler.draw(p) for p in positions[rank::2]} for rank, sampler in enumerate(samplers[1:])]
    assert [ranks[position % 2][position] for position in positions] == whole


def test_draws_without_weights_are_those_of_earlier_versions() -> None:
    index = many_sources([6], np.random.default_rng(0))
    drawn = {
        fraction: [
            draw.image_index
            for draw in ClassUniformSampler(index, images=6, fraction=fraction, seed=1).draws(2)
        ]
        for fraction in (0.0, 0.5, 1.0)
    }
    assert drawn == {0.0: [3, 4, 0, 5, 1, 2], 0.5: [2, 1, 4, 5, 2, 1], 1.0: [2, 3, 0, 5, 1, 3]}


@pytest.mark.parametrize(
    "weights", [["gtav"], ["gtav=0"], ["gtav=-1"], ["gtav=x"], ["=1"], ["a=1", "a=2"], ["a=inf"]]
)
def test_weights_are_written_as_key_and_number(weights: list[str]) -> None:
    with pytest.raises(UserError, match=r"sampling.weights has '.*'; wanted KEY=WEIGHT"):
        SamplingConfig(weights=tuple(weights)).weight_of()
    assert SamplingConfig(weights=("gtav=2", "synthia=0.5")).weight_of() == {"gtav": 2.0, "synthia": 0.5}
