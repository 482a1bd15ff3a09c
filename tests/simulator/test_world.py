"""The style `world`: labels fit pictures on every day, every class is frequent, frames repeat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spn.core.classes import CLASSES, IGNORE, NUM_CLASSES
from streets.projection import Camera
from streets.raster import Canvas, Sprite
from streets.render import render_frame
from streets.street_signs import LIGHT, SIGN
from streets.styles import STYLES
from streets.world import litter, signs
from streets.world.tables import DAYS, LENSES, PLACES
from streets.world.trees import KINDS, VEGETATION, tree

WORLD = STYLES["world"]
SKY, ROAD = 10, 0


def test_the_style_names_every_place_day_and_lens() -> None:
    assert set(dict(WORLD.places)) == set(PLACES)
    assert set(dict(WORLD.days)) == set(DAYS)
    assert set(dict(WORLD.lenses)) == set(LENSES)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("day", DAYS)
def test_labels_depths_and_pictures_fit_everywhere_on_every_day(place: str, day: str) -> None:
    style = replace(WORLD, places=((place, 1.0),), days=((day, 1.0),))
    frame = render_frame(style, seed=5, width=96, height=72)
    assert set(np.unique(frame.label)) <= {*range(NUM_CLASSES), IGNORE}
    assert np.array_equal(np.isinf(frame.depth), frame.label == SKY)
    assert (frame.depth[np.isfinite(frame.depth)] > 0).all()
    assert (frame.label == ROAD).mean() > 0.01
    assert frame.image.std() > 3
    again = render_frame(style, seed=5, width=96, height=72)
    assert np.array_equal(frame.image, again.image)
    assert np.array_equal(frame.label, again.label)


def test_pictures_without_a_label_are_void_where_they_stand() -> None:
    camera = Camera(64, 48, focal=50.0, offset_x=0.0, eye_height=1.0, yaw=0.0, pitch=0.0, roll=0.0)
    canvas = Canvas(camera)
    canvas.label[:] = ROAD
    picture = litter.picture(np.random.default_rng(1), "bin", 40)
    canvas.sprite(picture, np.array([0.0, 0.0, 5.0]), width=0.6, height=1.0)
    covered = canvas.inverse_depth > 0
    assert covered.sum() > 20
    assert (canvas.label[covered] == IGNORE).all()
    assert (canvas.label[~covered] == ROAD).all()


def test_nights_are_dark_and_their_skies_darker_than_days() -> None:
    def light(day: str) -> float:
        style = replace(WORLD, days=((day, 1.0),), lenses=(("hard", 1.0),))
        return float(
            np.mean([render_frame(style, seed=s, width=64, height=48).image.mean() for s in range(8)])
        )

    assert light("night") < 0.6 * light("grey")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("snow", [0.0, 0.8])
def test_trees_are_vegetation_wherever_they_are_drawn(kind: str, snow: float) -> None:
    sprite = tree(np.random.default_rng(3), kind, 80, palette="green", contrast=1.0, snow=snow)
    assert set(np.unique(sprite.label[sprite.label != IGNORE]).tolist()) == {VEGETATION}
    assert not ((sprite.label == IGNORE) & (sprite.alpha == 255)).mean() > 0.02


@pytest.mark.parametrize("seed", range(12))
def test_signs_and_lights_carry_their_labels(seed: int) -> None:
    def labels(sprite: Sprite) -> set[int]:
        drawn = sprite.label != IGNORE
        assert not (drawn.any() and (~drawn & (sprite.alpha == 255)).any())
        return set(np.unique(sprite.label[drawn]).tolist())

    def draw() -> np.random.Generator:
        return np.random.default_rng(seed)

    assert labels(signs.sign(draw(), 60)[0]) in ({SIGN}, set())  # backs are void
    assert labels(signs.light(draw(), 60)[0]) == {LIGHT}


@pytest.mark.slow
def test_every_class_is_seen_at_a_useful_size_in_many_frames() -> None:
    """In one frame of twelve at least over 0.2 % of the picture."""
    labels = [render_frame(WORLD, seed=seed, width=128, height=96).label for seed in range(250)]
    present = [
        np.bincount(label.ravel(), minlength=256)[:NUM_CLASSES] > 0.002 * label.size for label in labels
    ]
    shares = dict(zip([each.name for each in CLASSES], np.mean(present, axis=0).tolist(), strict=True))
    assert min(shares.values()) > 1 / 12, shares
