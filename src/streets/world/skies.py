"""Skies: blue, fair-weather clouds, veils, grey, burnt out, fog, dusk and night; clouds lie on a plane."""

from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np

from streets.materials import Colour, Generator, jitter
from streets.raster import Canvas
from streets.world import surfaces

SKY = 10

SKIES: Mapping[str, tuple[Colour, Colour, float]] = MappingProxyType(
    {  # zenith, horizon, cover of cloud
        "blue": ((52, 112, 200), (166, 202, 236), -1.3),
        "cumulus": ((50, 104, 192), (172, 204, 234), 0.0),
        "cirrus": ((92, 138, 200), (200, 216, 232), 0.3),
        "clouds": ((120, 136, 160), (196, 202, 210), 1.0),
        "overcast": ((206, 211, 218), (226, 228, 231), 1.6),
        "white": ((238, 241, 246), (250, 250, 250), -1.3),
        "fog": ((200, 203, 206), (196, 199, 202), -9.0),
        "dusk": ((92, 104, 142), (226, 188, 160), 0.4),
        "night": ((14, 16, 22), (34, 30, 28), 0.0),
    }
)


def paint_sky(canvas: Canvas, sky: str, generator: Generator, *, gain: float) -> Colour:
    """Fill the frame with sky, `gain` times as bright; returns the colour at its foot."""
    height, width = canvas.label.shape
    zenith, horizon, cover = SKIES[sky]
    spread = 0.3 if sky == "night" else 1.0
    high = np.asarray(jitter(generator, zenith, 26 * spread))
    foot = np.asarray(jitter(generator, horizon, 16 * spread))
    if sky == "night":
        glow = generator.uniform(0.05, 1.5) * np.array(generator.choice([(1.1, 0.9, 0.7), (0.8, 0.95, 1.2)]))
        high, foot = high * (0.4 + 0.5 * glow), foot * glow
    a, b, c = canvas.camera.ground_inverse_depth
    row = float(np.clip(-(a * width / 2 + c) / b, 8, 2 * height))
    h, w = max(height // 3, 2), max(width // 3, 2)
    y = (np.arange(h, dtype=np.float32) + 0.5) * height / h
    rise = np.clip((row - y) / np.float32(canvas.camera.focal), 0.02, None)[
        :, None
    ]  # tangent of the elevation
    pale = generator.uniform(0.25, 0.9)  # how high the pale foot of the sky reaches
    blend = np.clip(1 - rise / pale, 0, 1) ** generator.uniform(1.0, 2.5)
    image = (high + (foot - high) * blend).astype(np.float32)[:, None, :].repeat(w, 1)
    if cover > -9:
        cloud = _clouds(
            generator,
            rise.astype(np.float32),
            h,
            w,
            canvas.camera.focal / 3,
            stretch=3.0 if sky == "cirrus" else 1.0,
        )
        thick = np.clip(cloud + cover + generator.uniform(-0.5, 0.5), 0, None)
        soft = 0.35 if sky == "cirrus" else generator.uniform(0.6, 1.6)
        weight = (
            np.clip(thick * soft, 0, 0.95 if sky != "cirrus" else 0.6)[..., None]
            * np.clip(rise * 12, 0.25, 1)[..., None]
        )
        lit = {"dusk": 150.0, "night": 26.0, "clouds": 196.0, "overcast": 226.0}.get(sky, 244.0)
        base = np.asarray(jitter(generator, (lit, lit, lit * 1.01), 10 * spread), np.float32)
        shade = (
            1
            - np.float32(generator.uniform(0.05, 0.2 if sky == "overcast" else 0.4))
            * np.clip(thick - 0.4, 0, 1.4)[..., None]
        )
        image = image + (base * shade - image) * weight
    picture = np.clip(image * np.float32(gain), 0, 255).astype(np.uint8)
    cv2.resize(picture, (width, height), dst=canvas.image, interpolation=cv2.INTER_LINEAR)
    canvas.label[:] = SKY
    r, g, bl = np.clip(image[-1].mean(0) if sky == "fog" else foot, 0, 255).tolist()
    return r, g, bl


def _clouds(
    generator: Generator, rise: surfaces.Layer, h: int, w: int, focal: float, *, stretch: float
) -> surfaces.Layer:
    """Noise on a plane overhead, seen in perspective [h, w]."""
    tile = surfaces.spectral_tile(int(generator.integers(surfaces.TILES)), 1.4)
    distance = np.minimum(1 / (rise + 0.12), 6.0).astype(np.float32)
    scale = generator.uniform(60, 170)
    across = (np.arange(w, dtype=np.float32)[None] - w / 2) / focal
    turn = generator.uniform(0, np.pi)
    x, y = across * distance * scale, np.repeat(distance * scale, w, 1) * stretch
    map_x = (x * np.cos(turn) - y * np.sin(turn) + generator.uniform(0, 512)).astype(np.float32)
    map_y = (x * np.sin(turn) + y * np.cos(turn) + generator.uniform(0, 512)).astype(np.float32)
    return cv2.remap(tile, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
