"""Night: a street lit by lamps, headlights, windows and signs instead of the sky.

The day's picture stands for how much light each surface returns. Every lamp lights what lies around it
(falling with the square of the distance), the own headlights what is ahead; what shines itself is added, with
the glow and the rays that a lens makes of it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streets.materials import Generator
from streets.projection import FloatArray
from streets.raster import Canvas
from streets.vehicles import dimensions, place
from streets.world.setting import Setting
from streets.world.surfaces import Layer

BUILDING, LIGHT, SIGN, VEGETATION, TERRAIN, SKY, BUS, TRAIN = 2, 6, 7, 8, 9, 10, 15, 16
_UPRIGHT = (3, 4, 5)  # walls, fences, poles
_SODIUM, _WHITE, _COLD = (1.0, 0.5, 0.12), (1.0, 0.86, 0.68), (0.85, 0.95, 1.0)


@dataclass(frozen=True)
class Shine:
    """A source in view: place in the world, radius in metres, colour 0..1 and strength."""

    at: FloatArray
    radius: float
    colour: tuple[float, float, float]
    strength: float


def light_the_night(canvas: Canvas, setting: Setting, generator: Generator) -> None:
    """Turn the day's picture into the night's, in place."""
    tint = np.array((_SODIUM, _WHITE, _COLD)[int(generator.choice(3, p=(0.74, 0.16, 0.1)))])
    shines = [*_lamps(setting, generator, tint), *_vehicle_lights(canvas, setting, generator)]
    sky = canvas.label == SKY
    albedo = (canvas.image.astype(np.float32) * np.float32(1 / 255)) ** 2.2
    light = _illumination(canvas, setting, generator, tint)
    picture = albedo * light * _facing(canvas.label, generator)[..., None]
    np.copyto(picture, albedo, where=sky[..., None])
    glow = np.zeros_like(picture)
    _panels(canvas, albedo, glow, generator)
    _windows(canvas, setting, glow, generator)
    for shine in shines:
        _spot(canvas, shine, glow)
    picture += glow + _bloom(glow, generator)
    canvas.image[:] = (np.clip(picture, 0, 1) ** np.float32(1 / 2.2) * 255).astype(np.uint8)


def _illumination(canvas: Canvas, setting: Setting, generator: Generator, tint: FloatArray) -> Layer:
    """Light [H, W, 3] on every surface, 1 as by day."""
    height, width = canvas.label.shape
    depth = 1 / np.maximum(canvas.inverse_depth, 1 / 300)
    to_world = canvas.camera.rotation.T @ canvas.camera.pixel_to_ray
    u, v = np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None]
    x, y, z = (
        (np.float32(a) * u + np.float32(b) * v + np.float32(c)) * depth + np.float32(eye)
        for (a, b, c), eye in zip(to_world.tolist(), canvas.camera.eye.tolist(), strict=True)
    )
    level = float(generator.uniform(0.25, 1.5))
    lamps = np.zeros((height, width), np.float32)
    posts = [post for post in setting.scene.posts if post.kind == "lamp" and post.z < 70]
    for post in sorted(posts, key=lambda post: post.z)[:8]:
        high = max(post.height, 4.0)
        squared = (x - (post.x + post.reach)) ** 2 + (z - post.z) ** 2 + (y - high) ** 2
        below = np.clip((high + 0.6 - y) * 0.4, 0, 1)
        lamps += np.float32(0.75 * level * high**2) * below / (squared + np.float32(0.25 * high**2))
    if not posts:  # lamps out of view
        lamps += np.float32(level * generator.uniform(0.03, 0.3)) * np.exp(
            -depth / np.float32(generator.uniform(15, 60))
        )
    forward = depth
    side = (u - width / 2) / np.float32(canvas.camera.focal)
    beam = np.exp(-((side / 0.42) ** 2)) * np.exp(-((np.maximum(y - 0.9, 0)) ** 2) / 1.2)
    head = (
        np.float32(generator.uniform(0.05, 0.8))
        * beam
        * 90
        / (forward + 5.0) ** 2
        * np.clip(forward * 0.25, 0, 1)
    )
    ambient = generator.uniform(0.004, 0.035) * np.array(_COLD if generator.random() < 0.4 else _SODIUM)
    white = np.array(_WHITE if generator.random() < 0.6 else _COLD)
    return (lamps[..., None] * tint + head[..., None] * white + ambient).astype(np.float32)


def _facing(label: NDArray[np.uint8], generator: Generator) -> Layer:
    """Lamps shine down: the road returns their light, leaves and fronts little of it."""
    table = np.ones(256, np.float32)
    table[[BUILDING, *_UPRIGHT]] = generator.uniform(0.2, 0.8)
    table[[VEGETATION, TERRAIN]] = generator.uniform(0.1, 0.5)
    return table[label]


def _lamps(setting: Setting, generator: Generator, tint: FloatArray) -> list[Shine]:
    r, g, b = (0.4 + 0.6 * tint).tolist()
    return [
        Shine(np.array([p.x + p.reach, p.height, p.z]), 0.22, (r, g, b), float(generator.uniform(3, 9)))
        for p in setting.scene.posts
        if p.kind == "lamp"
    ]


def _vehicle_lights(canvas: Canvas, setting: Setting, generator: Generator) -> list[Shine]:
    """Head and tail lamps of what is not parked."""
    shines = []
    for vehicle in setting.scene.vehicles:
        if generator.random() < 0.3:
            continue
        length, width, height = dimensions(vehicle.kind, np.random.default_rng(vehicle.seed))
        braking = generator.random() < 0.4
        for sign, colour, strength in ((1, _WHITE, 5.0), (-1, (1.0, 0.06, 0.03), 2.2 if braking else 0.8)):
            local = np.array(
                [
                    [x, 0.5 * min(height, 1.7), sign * (length / 2 + 0.06)]
                    for x in (-0.38 * width, 0.38 * width)
                ]
            )
            places = place(vehicle, local)
            outward = places[0] - place(vehicle, local - [0, 0, sign])[0]
            if outward @ (canvas.camera.eye - places[0]) > 0:
                shines += [Shine(at, 0.09 if sign > 0 else 0.08, colour, strength) for at in places]
    return shines


def _spot(canvas: Canvas, shine: Shine, glow: Layer) -> None:
    """A disc of light, where nothing nearer hides it."""
    point = canvas.camera.to_camera(shine.at[None])[0]
    if point[2] < 1.0:
        return
    u, v = canvas.camera.to_pixels(point[None])[0].tolist()
    height, width = canvas.label.shape
    if not (0 <= u < width and 0 <= v < height) or canvas.inverse_depth[int(v), int(u)] > 1.05 / (
        point[2] - 0.3
    ):
        return
    radius = max(shine.radius * canvas.camera.focal / point[2], 0.7)
    strength = shine.strength * min(1.0, (radius / 0.7) ** 0.5)
    colour = [channel * strength for channel in shine.colour]
    cv2.circle(glow, (round(u * 16), round(v * 16)), round(radius * 16), colour, -1, cv2.LINE_AA, 4)


def _panels(canvas: Canvas, albedo: Layer, glow: Layer, generator: Generator) -> None:
    """Traffic lights, signs that return the headlights, glass of buses and trams lit from within."""
    label = canvas.label
    strength = np.zeros(label.shape, np.float32)
    bright = albedo.max(2)
    np.copyto(strength, np.where(bright > 0.55, 3.0, 0.0).astype(np.float32), where=label == LIGHT)
    np.copyto(strength, np.float32(generator.uniform(0.05, 0.9)), where=label == SIGN)
    glow += albedo * strength[..., None]
    inside = (label == BUS) | (label == TRAIN)
    if inside.any() and generator.random() < 0.6:
        panes = cv2.blur(np.clip(1 - bright / 0.08, 0, 1) * inside, (3, 3)) * inside
        panes *= panes.sum() < 0.4 * inside.sum()  # or else the bodies are dark, not the glass alone
        warm = np.array(_WHITE if generator.random() < 0.6 else _COLD, np.float32)
        glow += panes[..., None] * warm * np.float32(generator.uniform(0.04, 0.3))


def _windows(canvas: Canvas, setting: Setting, glow: Layer, generator: Generator) -> None:
    """Lit panes and shops in the fronts of houses."""
    share = generator.uniform(0.0, 0.25) ** 1.3
    for building in setting.scene.buildings:
        corners = building.footprint
        if np.hypot(*(corners[0] - [canvas.camera.offset_x, 0])) > 90 or generator.random() < 0.2:
            continue
        a, b = corners[0], corners[1]
        length = float(np.hypot(*(b - a)))
        out = np.array([b[1] - a[1], -(b[0] - a[0])]) / max(length, 1e-6) * 0.06
        pitch, storey = generator.uniform(1.8, 3.6), generator.uniform(2.8, 3.5)
        for level in range(int(building.height / storey)):
            shop = building.shop and level == 0
            for column in range(int(length / pitch)):
                if generator.random() > (0.8 if shop else share):
                    continue
                s0 = (column + 0.2) * pitch
                s1 = s0 + pitch * (0.85 if shop else 0.5)
                y0, y1 = (0.5, 2.7) if shop else (level * storey + 0.9, level * storey + 2.3)
                p, q = a + (b - a) * (s0 / length) + out, a + (b - a) * (min(s1, length) / length) + out
                world = np.array([(p[0], y0, p[1]), (q[0], y0, q[1]), (q[0], y1, q[1]), (p[0], y1, p[1])])
                _pane(canvas, world, glow, generator)


def _pane(canvas: Canvas, world: FloatArray, glow: Layer, generator: Generator) -> None:
    pixels = canvas.pixels_of(world)
    colour = np.array((_WHITE, _WHITE, _SODIUM, _COLD)[int(generator.integers(4))]) * generator.uniform(
        0.12, 1.1
    )
    if pixels is None or canvas.box_around(pixels) is None:
        return
    box = canvas.box_around(pixels)
    assert box is not None
    mask: NDArray[np.uint8] = np.zeros((box.size[1], box.size[0]), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(pixels - (box.left, box.top)).astype(np.int32), 1)
    free = (mask > 0) & (canvas.label[box.slices] == BUILDING)
    glow[box.slices] += free[..., None] * colour.astype(np.float32)


def _bloom(glow: Layer, generator: Generator) -> Layer:
    """Light that the lens spreads: soft rings, and rays through the bright spots."""
    height, width = glow.shape[:2]
    small = cv2.resize(glow, (max(width // 4, 2), max(height // 4, 2)), interpolation=cv2.INTER_AREA)
    strength = generator.uniform(0.15, 0.8)
    spread = strength * cv2.GaussianBlur(small, (0, 0), max(width / 4 * 0.012, 0.6))
    spread += 0.5 * strength * cv2.GaussianBlur(small, (0, 0), max(width / 4 * 0.05, 1.0))
    if generator.random() < 0.6:  # smeared glass: a ray one way
        size = int(generator.integers(9, 40)) | 1
        kernel = np.zeros((size, size), np.float32)
        angle, half = generator.uniform(0, np.pi), size // 2
        dx, dy = np.cos(angle) * half, np.sin(angle) * half
        cv2.line(kernel, (round(half - dx), round(half - dy)), (round(half + dx), round(half + dy)), 1.0, 1)
        spread += generator.uniform(0.4, 1.6) * cv2.filter2D(
            np.maximum(small - 0.6, 0), -1, kernel / kernel.sum()
        )
    return cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR)
