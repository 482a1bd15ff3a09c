"""Fog, the tint of daylight, the mirrors that wet roads and shining cars are."""

import cv2
import numpy as np

from streets.materials import Colour, Generator
from streets.raster import Canvas
from streets.street import ROAD, SIDEWALK
from streets.weather import streaks
from streets.world import surfaces

SKY, CAR = 10, 13


def add_fog(canvas: Canvas, colour: Colour, extinction: float, generator: Generator) -> None:
    """A fraction exp(-extinction * depth) of each colour is left; denser in drifts and near the ground."""
    depth = 1 / np.maximum(canvas.inverse_depth, 1 / 2000)
    height, width = depth.shape
    drift = 1 + 0.12 * surfaces.surface(generator, height, width, slope=1.4, zoom=max(width / 200, 0.5))
    kept = np.exp(-extinction * depth * np.clip(drift, 0.5, 1.6)).astype(np.float32)
    kept[canvas.inverse_depth <= 0] = 1
    veil = np.asarray(colour, np.float32)
    mixed = veil + (canvas.image - veil) * kept[..., None]
    canvas.image[:] = np.clip(mixed, 0, 255).astype(np.uint8)


def mirror_in_wet_ground(canvas: Canvas, shine: float, generator: Generator) -> None:
    """What stands behind each piece of wet ground, upside down, drawn out downwards and broken up."""
    label, image = canvas.label, canvas.image
    height, width = label.shape
    wet = (label == ROAD) | (label == SIDEWALK)
    if not wet[-1].any() and not wet.any():
        return
    # the row where the ground that reaches down from there begins, column by column
    others = np.where(wet, -1, np.arange(height)[:, None])
    foot = np.maximum.accumulate(others, axis=0).astype(np.float32)
    foot = np.minimum(foot, height - 1)
    rows = np.arange(height, dtype=np.float32)[:, None]
    wave = 1.5 * surfaces.surface(generator, height, width, slope=0.8, zoom=1.0)
    map_y = np.clip(2 * foot - rows + wave, 0, height - 1).astype(np.float32)
    map_x = np.broadcast_to(np.arange(width, dtype=np.float32)[None], (height, width)) + 0.6 * wave
    seen = cv2.remap(image, map_x.astype(np.float32), map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    long = max(int(height * generator.uniform(0.02, 0.1)), 1)
    seen = cv2.blur(seen, (1, long))
    grazing = np.clip(1.15 - canvas.inverse_depth * np.float32(generator.uniform(3, 7)), 0.12, 1)
    puddles = np.clip(
        0.75 + 0.35 * surfaces.surface(generator, height, width, slope=1.0, zoom=max(width / 250, 0.5)),
        0.25,
        1.1,
    )
    weight = np.where(wet, np.float32(0.75 * shine) * grazing * puddles, 0)[..., None].astype(np.float32)
    image[:] = np.clip(image + (seen.astype(np.float32) - image) * weight, 0, 255).astype(np.uint8)


def tone_of_daylight(canvas: Canvas, generator: Generator, *, sunny: bool) -> None:
    """Light is never white: the sky's blue fills the shade, the sun warms what it reaches; grey days lean one
    way or another as a whole."""
    level = np.arange(256, dtype=np.float32)
    if sunny:
        cold, warm = generator.uniform(0.0, 0.14), generator.uniform(0.0, 0.12)
    else:
        cold, warm = generator.normal(0.02, 0.04, 2)
    share = np.clip(level / 200, 0, 1)
    lean = warm * share - cold * (1 - share)
    gains = (1 + lean, 1 + 0.25 * lean + generator.normal(0, 0.015), 1 - lean)
    table = np.stack([np.clip(level * gain, 0, 255) for gain in gains], -1).astype(np.uint8)[None]
    earth = canvas.label != SKY
    np.copyto(canvas.image, cv2.LUT(canvas.image, table), where=earth[..., None])


def fall(canvas: Canvas, generator: Generator, *, snow: bool) -> None:
    """Streaks of rain or flakes of snow in the air."""
    height, width = canvas.label.shape
    if snow:
        pattern = np.zeros((height, width), np.uint8)
        for _ in range(int(generator.integers(40, 500))):
            place = int(generator.integers(width * 8)), int(generator.integers(height * 8))
            size = max(round(8 * 0.0025 * width * generator.random() ** 2), 3)
            cv2.circle(pattern, place, size, int(generator.integers(60, 220)), -1, cv2.LINE_AA, 3)
        veil = cv2.blur(pattern, (3, 3)).astype(np.float32) / 255
    else:
        alpha, drop = generator.uniform(0.005, 0.03), generator.uniform(0.002, 0.01)
        veil = streaks(height, width, alpha=alpha, drop_size=drop, generator=generator) * np.float32(0.6)
    canvas.image[:] = (canvas.image + (np.float32(235) - canvas.image) * veil[..., None]).astype(np.uint8)


def gloss(canvas: Canvas, generator: Generator) -> None:
    """What the paint and the glass of cars mirror: soft shapes in the paint, bright patches in dark glass."""
    cars = canvas.label == CAR
    if not cars.any():
        return
    height, width = cars.shape
    shapes = surfaces.surface(generator, height, width, slope=1.2, zoom=max(width / 260, 0.6))
    dark = canvas.image.max(2) < 70
    bright = generator.uniform(2, 22) * np.clip(shapes + generator.uniform(-1.2, 0.0), 0, 1.2) * dark
    picture = canvas.image * (1 + np.float32(0.05) * shapes)[..., None] + bright[..., None].astype(np.float32)
    np.copyto(canvas.image, np.clip(picture, 0, 255).astype(np.uint8), where=cars[..., None])
