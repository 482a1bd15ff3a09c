"""Draws what stands and faces the camera: people, riders, plants, and posts with what they carry."""

from collections.abc import Callable

import numpy as np

from streets import materials, people, plants, street_signs
from streets.bodies import body
from streets.materials import Colour
from streets.raster import Canvas, Sprite
from streets.scene import Post, StreetScene, Upright

POLE = 5
BODIES = ("person", "cyclist", "motorcyclist", "bicycle", "motorcycle")

_LOWEST_DETAIL, _HIGHEST_DETAIL = 16, 240  # rows of a sprite's own drawing
_SMALLEST = 4.0  # canvas rows below which a thing is left out


def draw_upright(canvas: Canvas, upright: Upright, scene: StreetScene) -> None:
    """A person, rider, two-wheeler or plant, drawn at about the size it will be seen."""
    foot = np.array([upright.x, upright.y, upright.z])
    base = canvas.camera.to_camera(foot[None])[0]
    if base[2] < 1.2 or abs(base[0]) > base[2] * 2.2 + 6:
        return
    seen = canvas.camera.focal / base[2] * upright.height
    fine = 0.7 if upright.kind == "leafy tree" else 1.1
    size = int(min(max(seen * fine, _LOWEST_DETAIL), _HIGHEST_DETAIL))
    across = canvas.camera.rotation.T[:, 0] * (upright.height * 0.6)
    top = foot + np.array([0.0, upright.height, 0.0])
    if seen < _SMALLEST or canvas.hidden(
        np.array([foot - across, foot + across, top + across, top - across])
    ):
        return
    generator, instance = np.random.default_rng(upright.seed), 0
    if upright.kind in BODIES and materials.chosen(upright.seed, scene.modelled):
        sprite, instance = body(generator, upright.kind, size), canvas.new_object()
    elif upright.kind == "person":
        sprite, instance = people.person(generator, size), canvas.new_object()
    elif upright.kind == "leafy tree":
        sprite = plants.leafy_tree(generator, size, scene.palette, contrast=scene.texture)
    elif upright.kind == "bare tree":
        sprite = plants.bare_tree(generator, size)
    elif upright.kind == "bush":
        sprite = plants.bush(generator, size, scene.palette, contrast=scene.texture)
    else:
        motor = upright.kind.startswith("motor")
        ridden = upright.kind.endswith("ist")
        instance = canvas.new_object()
        side = generator.random() < (0.3 if ridden else 0.75)
        sprite = people.two_wheeler(generator, size, motor=motor, ridden=ridden, side=side)
    if generator.random() < 0.5:
        sprite = sprite.mirrored()
    height, width = sprite.alpha.shape
    shade = (scene.light.ambient + scene.light.direct * generator.uniform(0.0, 0.55)) * _cover(generator)
    canvas.sprite(
        sprite,
        foot,
        width=upright.height * width / height,
        height=upright.height,
        shade=float(shade),
        instance=instance,
    )


def _cover(generator: np.random.Generator) -> float:
    """How much of the light reaches a thing: less in the shade of a house or a tree."""
    return float(generator.uniform(0.3, 0.9)) if generator.random() < 0.35 else 1.0


Mount = Callable[[materials.Generator, int], tuple[Sprite, float]]
"""Draws a sign or a light of so many rows: the picture and its width over its height."""


def draw_post(
    canvas: Canvas,
    post: Post,
    scene: StreetScene,
    *,
    sign: Mount = street_signs.traffic_sign,
    light_of: Mount = street_signs.traffic_light,
) -> None:
    """A pole and its lamp, signs, lights, gantry or hanging board."""
    base = canvas.camera.to_camera(np.array([[post.x, 0.0, post.z]]))[0]
    if base[2] < 1.5 or abs(base[0]) > base[2] * 2 + 4:
        return
    if post.width * canvas.camera.focal < 0.4 * base[2]:
        return  # thinner than anybody would label
    sideways = canvas.camera.rotation.T[:, 0] * (abs(post.reach) + 1.0)
    foot, top = np.array([post.x, 0.0, post.z]), np.array([post.x, post.height + 1.8, post.z])
    if canvas.hidden(np.array([foot - sideways, foot + sideways, top + sideways, top - sideways])):
        return
    generator = np.random.default_rng(post.seed)
    tone = generator.uniform(*((24, 80), (70, 125), (110, 185))[int(generator.choice(3, p=(0.5, 0.2, 0.3)))])
    light = (scene.light.ambient + scene.light.direct * 0.35) * _cover(generator)
    colour = materials.jitter(generator, (tone * light, tone * light * 1.01, tone * light), 8)
    if post.kind == "bollard" and generator.random() < 0.3:
        colour = materials.jitter(generator, (210, 190, 90), 25)
    across = canvas.camera.rotation.T @ np.array([1.0, 0.0, 0.0])  # parallel to the image rows
    across = np.array([across[0], 0.0, across[2]])
    place = np.array([post.x, 0.0, post.z])
    pixel = base[2] / canvas.camera.focal
    width = max(post.width, pixel * 0.9)

    def upright(x: float, low: float, high: float, w: float, paint: Colour) -> None:
        left, right = place + across * (x - w / 2), place + across * (x + w / 2)
        world = np.array([left, right, right, left])
        world[:, 1] = (low, low, high, high)
        canvas.polygon(world, paint, POLE)

    def arm(x0: float, x1: float, y0: float, y1: float, w: float) -> None:
        world = np.array([place + across * x0, place + across * x1, place + across * x1, place + across * x0])
        world[:, 1] = (y0 - w / 2, y1 - w / 2, y1 + w / 2, y0 + w / 2)
        canvas.polygon(world, colour, POLE)

    seen = canvas.camera.focal / base[2]

    def mount(sprite: Sprite, x: float, y: float, *, width: float, height: float) -> None:
        foot = place + across * x
        foot[1] = y
        nearer = (
            foot * (1 - 0.15 / base[2])
            + np.array([canvas.camera.offset_x, canvas.camera.eye_height, 0]) * 0.15 / base[2]
        )
        canvas.sprite(sprite, nearer, width=width, height=height, shade=light, instance=canvas.new_object())

    if post.kind != "board":
        upright(0.0, 0.0, post.height, width, colour)
        if post.width > 1.2 * pixel:  # a lit edge makes a round pole
            edge: Colour = (
                min(colour[0] * 1.45, 255),
                min(colour[1] * 1.45, 255),
                min(colour[2] * 1.45, 255),
            )
            upright(post.width * 0.22, 0.0, post.height, post.width * 0.3, edge)
    if post.kind == "lamp":
        rise = generator.uniform(0.0, 0.6)
        arm(0.0, post.reach, post.height, post.height + rise, max(0.09, pixel * 0.8))
        end = post.reach + np.sign(post.reach) * 0.5
        arm(post.reach, end, post.height + rise, post.height + rise, max(0.16, pixel))
    elif post.kind == "signs":
        y = post.height
        for _ in range(int(generator.integers(1, 4))):
            sprite, aspect = sign(generator, int(min(max(seen * 0.8, 8), 120)))
            tall = generator.uniform(0.35, 0.9)
            if y - tall < 1.1:
                break
            mount(sprite, 0.0, y - tall, width=tall * aspect, height=tall)
            y -= tall + 0.06
    elif post.kind == "lights":
        for x, y in ((0.0, post.height - 1.0), (post.reach, post.height + 0.6)):
            if x == 0.0 or abs(post.reach) > 1:
                tall = generator.uniform(0.75, 1.2)
                sprite, aspect = light_of(generator, int(min(max(seen * 1.0, 10), 130)))
                mount(sprite, x, y, width=tall * aspect, height=tall)
        if generator.random() < 0.25:  # a sign beside or below the lights
            sprite, aspect = sign(generator, int(min(max(seen * 0.7, 8), 120)))
            tall = generator.uniform(0.35, 0.6)
            beside = generator.choice([-0.5, 0.0, 0.5])
            down = 1.1 + tall if beside == 0 else 0.9
            mount(sprite, float(beside), post.height - down, width=tall * aspect, height=tall)
        if abs(post.reach) > 1:
            upright(0.0, post.height, post.height + 1.7, width, colour)
            arm(0.0, post.reach, post.height + 1.7, post.height + 1.7, max(0.1, pixel))
    elif post.kind in ("panel", "banner"):
        tall = post.height if post.kind == "panel" else generator.uniform(1.2, 2.2)
        aspect = generator.uniform(0.35, 0.8) if post.kind == "panel" else generator.uniform(0.25, 0.45)
        sprite = street_signs.information_board(generator, int(min(max(seen * tall, 10), 160)), aspect=aspect)
        x = 0.0 if post.kind == "panel" else np.sign(post.reach) * (tall * aspect / 2 + post.width)
        mount(sprite, float(x), post.height - tall, width=tall * aspect, height=tall)
    elif post.kind == "board":
        size = int(min(max(seen * 0.9, 8), 120))
        if generator.random() < 0.5:
            sprite, aspect = sign(generator, size)
        else:
            aspect = float(generator.uniform(0.5, 1.6))
            sprite = street_signs.information_board(generator, size, aspect=aspect)
        tall = generator.uniform(0.5, 1.3)
        mount(sprite, 0.0, post.height, width=tall * aspect, height=tall)
