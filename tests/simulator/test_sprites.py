"""Upright pictures: what is drawn is labelled, and a seed gives the same picture again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spn.core.classes import IGNORE
from streets import bodies, people, plants, street_signs
from streets.facades import WALL_COLOURS, facade
from streets.materials import Generator, railing
from streets.raster import Sprite

DRAWN: dict[str, tuple[Callable[[Generator], Sprite], set[int]]] = {
    "person": (lambda g: people.person(g, 96), {people.PERSON}),
    "cyclist from the end": (
        lambda g: people.two_wheeler(g, 96, motor=False, ridden=True, side=False),
        {people.RIDER, people.BICYCLE},
    ),
    "cyclist from the side": (
        lambda g: people.two_wheeler(g, 96, motor=False, ridden=True, side=True),
        {people.RIDER, people.BICYCLE},
    ),
    "motorcyclist": (
        lambda g: people.two_wheeler(g, 96, motor=True, ridden=True, side=False),
        {people.RIDER, people.MOTORCYCLE},
    ),
    "bicycle": (lambda g: people.two_wheeler(g, 96, motor=False, ridden=False, side=True), {people.BICYCLE}),
    "body on foot": (lambda g: bodies.body(g, "person", 96), {people.PERSON}),
    "body on a bicycle": (lambda g: bodies.body(g, "cyclist", 96), {people.RIDER, people.BICYCLE}),
    "body on a motorcycle": (lambda g: bodies.body(g, "motorcyclist", 96), {people.RIDER, people.MOTORCYCLE}),
    "bicycle's body": (lambda g: bodies.body(g, "bicycle", 96), {people.BICYCLE}),
    "motorcycle's body": (lambda g: bodies.body(g, "motorcycle", 96), {people.MOTORCYCLE}),
    "leafy tree": (lambda g: plants.leafy_tree(g, 96, "green", contrast=1.0), {plants.VEGETATION}),
    "bare tree": (lambda g: plants.bare_tree(g, 96), {plants.VEGETATION}),
    "bush": (lambda g: plants.bush(g, 48, "dark", contrast=1.0), {plants.VEGETATION}),
    "lights": (lambda g: street_signs.traffic_light(g, 64)[0], {street_signs.LIGHT}),
    "sign": (lambda g: street_signs.traffic_sign(g, 64)[0], {street_signs.SIGN}),
    "panel": (lambda g: street_signs.information_board(g, 96, aspect=0.5), {street_signs.SIGN}),
}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("seed", range(6))
def test_what_is_drawn_has_its_label_and_nothing_else_has(name: str, seed: int) -> None:
    draw, expected = DRAWN[name]
    sprite = draw(np.random.default_rng(seed))
    labelled = sprite.label != IGNORE
    assert set(np.unique(sprite.label[labelled]).tolist()) == expected
    assert not (~labelled & (sprite.alpha == 255)).mean() > 0.02  # lobes of leaves may stand out
    again = draw(np.random.default_rng(seed))
    assert np.array_equal(sprite.rgb, again.rgb)
    assert np.array_equal(sprite.label, again.label)


def test_cyclists_are_seen_from_between_side_and_end_too() -> None:
    widths = {
        people.two_wheeler(np.random.default_rng(seed), 96, motor=False, ridden=True, side=True).label.shape[
            1
        ]
        for seed in range(20)
    }
    assert max(widths) == 96
    assert min(widths) < 60


@pytest.mark.parametrize("kind", WALL_COLOURS)
@pytest.mark.parametrize("density", [1.5, 5.0, 20.0])
def test_every_kind_of_facade_can_be_drawn_at_every_size(kind: str, density: float) -> None:
    for seed in range(4):
        texture = facade(
            np.random.default_rng(seed), kind, width=7.0, height=9.0, density=density, shop=seed % 2 == 0,
            contrast=1.0,
        )  # fmt: skip
        assert texture.shape == (round(9 * density), round(7 * density), 3)
        assert texture.std() > 1


@pytest.mark.parametrize("seed", range(8))
def test_signs_and_lights_fill_the_width_they_give(seed: int) -> None:
    for draw in (street_signs.traffic_sign, street_signs.traffic_light):
        sprite, aspect = draw(np.random.default_rng(seed), 100)
        height, width = sprite.label.shape
        assert width == round(height * aspect)
        columns = np.flatnonzero((sprite.label != IGNORE).any(axis=0))
        assert columns[-1] - columns[0] + 1 >= 0.8 * width


def test_iron_bars_and_mesh_are_dark_and_can_be_seen_through() -> None:
    for kind in ("bars", "mesh"):
        texture, alpha = railing(np.random.default_rng(1), width=4, height=2, density=40, kind=kind)
        assert texture.mean() < 90
        assert 0.05 < (alpha > 0).mean() < 0.7


@pytest.mark.parametrize("size", [12, 40, 240])
def test_bodies_have_the_height_asked_for_and_fill_it(size: int) -> None:
    for kind in bodies.KINDS:
        sprite = bodies.body(np.random.default_rng(size), kind, size)
        assert len(sprite.alpha) == size
        rows = np.flatnonzero((sprite.label != IGNORE).any(axis=1))
        assert rows[0] <= 1
        assert rows[-1] >= size - 2


def test_bodies_come_in_many_shapes_and_colours() -> None:
    people_drawn = [bodies.body(np.random.default_rng(seed), "person", 96) for seed in range(60)]
    assert len({sprite.alpha.tobytes() for sprite in people_drawn}) > 45
    tops = [sprite.rgb[25:45][sprite.label[25:45] != IGNORE].mean(axis=0) for sprite in people_drawn]
    assert np.std(tops, axis=0).min() > 20


def test_air_between_spokes_is_bicycle_and_shows_what_is_behind() -> None:
    sprites = [bodies.body(np.random.default_rng(seed), "bicycle", 96) for seed in range(20)]
    assert max((sprite.alpha[sprite.label != IGNORE] == 0).mean() for sprite in sprites) > 0.3
