"""Vehicles from models in three dimensions, seen beforehand from many sides.

`models.npz` holds pictures without colours: in each pixel the part (paint, glass, rubber, …), how bright it
is and which way it faces. Colours and light come when one is drawn. `recipes/vehicles` makes the file, from
models by Scopia (CC BY 3.0), Andrew Kator and Jennifer Legaz (CC BY 3.0 US) and contributors of Blend Swap
(CC BY 3.0, CC0).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from streets.car_body import choose_paint, look_around, reflectance
from streets.materials import Colour, Generator, any_colour, chosen, jitter, lettering, noise_patch
from streets.projection import FloatArray
from streets.raster import Canvas, Image
from streets.vehicles import Light, Vehicle, size

PARTS = (
    "nothing", "paint", "second", "glass", "rubber", "metal", "grey", "lamp", "red", "amber", "plate"
)  # fmt: skip
KINDS = ("saloon", "hatch", "estate", "suv", "van", "pickup", "truck", "bus")
_PAINT, _SECOND = PARTS.index("paint"), PARTS.index("second")
_GLOSS = {"second": 0.03, "rubber": 0.01, "metal": 0.4, "grey": 0.02, "lamp": 0.2, "red": 0.08, "amber": 0.08}
_CLOSE = 0.55, 2.6  # lengths, metres: nearer ones do not look like any picture
_LIVERIES: tuple[Colour, ...] = (
    (234, 234, 230), (226, 226, 224), (205, 208, 210), (184, 36, 38), (38, 72, 146), (50, 118, 82),
    (238, 188, 40), (120, 124, 130), (226, 120, 44), (52, 54, 60), (90, 150, 190),
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """One picture, [h, w] each: parts, as in PARTS; tones 0..15; normals: the index 16 x + y of its
    rightward and upward coordinates, each in 0..15.

    middle: the pixel (row, column) of the middle of its floor plan; yaw: which way it looks in radians, 0
    away from the camera; away: the camera's distance in metres; density: pixels of a metre there; size:
    length, width and height in metres.
    """

    parts: Image
    tones: Image
    normals: Image
    middle: tuple[int, int]
    yaw: float
    away: float
    density: float
    size: tuple[float, float, float]


@functools.cache
def _library() -> dict[str, tuple[tuple[View, ...], ...]]:
    """The views of each model of each kind."""
    with resources.files("streets").joinpath("models.npz").open("rb") as file, np.load(file) as held:
        codes, normals, rows = (held[name] for name in ("codes", "normals", "views"))
    found: dict[str, dict[int, list[View]]] = {kind: {} for kind in KINDS}
    start = 0
    for row in rows.tolist():
        kind, model, height, width, y, x = (int(value) for value in row[:6])
        yaw, away, density, length, wide, tall = row[6:]
        here = slice(start, start + height * width)
        code, normal = (flat[here].reshape(height, width) for flat in (codes, normals))
        view = View(code & 15, code >> 4, normal, (y, x), yaw, away, density, (length, wide, tall))
        found[KINDS[kind]].setdefault(model, []).append(view)
        start = here.stop
    return {kind: tuple(tuple(views) for views in models.values()) for kind, models in found.items()}


def is_model(canvas: Canvas, vehicle: Vehicle, share: float) -> bool:
    """Whether this vehicle is one of the `share` that are drawn from models; those close by are not."""
    if vehicle.kind not in KINDS or vehicle.kind == "pickup":  # of which there is nothing else
        return vehicle.kind == "pickup"
    if not chosen(vehicle.seed, share):
        return False
    length, *_ = size(vehicle)
    away = np.hypot(vehicle.x - canvas.camera.offset_x, vehicle.z)
    return bool(away > _CLOSE[0] * length + _CLOSE[1])


def draw_model(canvas: Canvas, vehicle: Vehicle, light: Light, generator: Generator, instance: int) -> None:
    """Draw one of the models of its kind (KINDS); nothing where it is beside or behind the camera."""
    camera = canvas.camera
    length, width, height = size(vehicle)
    models = _library()[vehicle.kind]
    dx, dz = vehicle.x - camera.offset_x, vehicle.z
    away = float(np.hypot(dx, dz))
    yaw = vehicle.heading - float(np.arctan2(dx, dz))
    view = _nearest(models[int(generator.integers(len(models)))], yaw, away, length)
    base = camera.to_camera(np.array([[vehicle.x, 0.0, vehicle.z]]))
    depth = float(base[0, 2])
    if depth < 1.0:
        return
    sin, cos = abs(np.sin(yaw)), abs(np.cos(yaw))
    wide = (sin * length / view.size[0] + cos * width / view.size[1]) / (sin + cos)
    scale = camera.focal / depth / view.density
    across, up = scale * wide * float(np.hypot(base[0, 0], depth)) / depth, scale * height / view.size[2]
    rows, columns = view.parts.shape
    full = max(round(columns * across), 1), max(round(rows * up), 1)
    if max(full) > 3 * camera.width:
        return
    u, v = camera.to_pixels(base)[0].tolist()
    left, top = round(u - view.middle[1] * across), round(v - view.middle[0] * up)
    if left >= camera.width or top >= camera.height or left + full[0] <= 0 or top + full[1] <= 0:
        return
    towards = np.array([-dx, 0.0, -dz]) / max(away, 1e-6)
    rgb = _lit(generator, vehicle, view, light, towards)
    if up > 1.3:  # steps between the few directions a surface can face
        rgb = cv2.GaussianBlur(rgb, (3, 3), 0)
    rgb[view.parts == 0] = 0
    mask = (view.parts > 0).astype(np.uint8) * np.uint8(255)
    depths = _depths(canvas, vehicle, left + np.arange(full[0]), depth)
    canvas.cutout(rgb, mask, (left, top), depths, vehicle.train_id, height=full[1], instance=instance)


def _nearest(views: tuple[View, ...], yaw: float, away: float, length: float) -> View:
    """The one that is seen from nearly there; how near it is counts by its length."""

    def apart(view: View) -> float:
        turned = abs((view.yaw - yaw + np.pi) % (2 * np.pi) - np.pi)
        return float(turned + 0.12 * abs(np.log(view.away / view.size[0] * length / max(away, 0.1))))

    return min(views, key=apart)


def _depths(canvas: Canvas, vehicle: Vehicle, columns: NDArray[np.int_], middle: float) -> FloatArray:
    """Of each column of pixels, the depth at which the floor plan begins; beside it, that of its middle."""
    camera = canvas.camera
    pixels = np.stack([columns, np.full(len(columns), camera.centre[1]), np.ones(len(columns))])
    rays = (camera.rotation.T @ camera.pixel_to_ray @ pixels)[[0, 2]].T
    sin, cos = np.sin(vehicle.heading), np.cos(vehicle.heading)
    turn = np.array([[cos, -sin], [sin, cos]])  # to its own right and ahead
    eye = turn @ np.array([camera.offset_x - vehicle.x, -vehicle.z])
    rays = rays @ turn.T
    rays = np.where(np.abs(rays) < 1e-6, 1e-6, rays)
    length, width, _ = size(vehicle)
    half = np.array([width, length]) / 2
    near, far = (-half - eye) / rays, (half - eye) / rays
    enter, leave = np.minimum(near, far).max(axis=1), np.maximum(near, far).min(axis=1)
    return np.where((enter < leave) & (enter > 0.3), enter, middle)


def _lit(generator: Generator, vehicle: Vehicle, view: View, light: Light, towards: FloatArray) -> Image:
    """Its colours in daylight, with what its paint and its glass mirror."""
    steps = np.arange(16) / 7.5 - 1
    x, y = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    ahead = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    right = np.array([-towards[2], 0.0, towards[0]])
    normals = x[:, None] * right + y[:, None] * [0.0, 1.0, 0.0] + ahead[:, None] * towards
    daylight = light.on(normals) * np.clip(0.72 + 0.28 * (y + 1), 0.6, 1)
    around = look_around(generator, light.ambient + 0.5 * light.direct)
    gloss = {**_GLOSS, "paint": generator.uniform(0.03, 0.2), "glass": generator.uniform(0.05, 0.25)}
    straight = np.array([gloss.get(part, 0.02) for part in PARTS])
    share = reflectance(ahead, straight[:, None])
    base = _colours(generator, vehicle.kind)
    own = base[:, None] * (daylight * (1 - share))[..., None]
    sky = (around.seen(2 * ahead * y) * share)[..., None] * [0.95, 0.99, 1.05]
    parts = _painted(generator, vehicle.kind, view)
    key = parts.astype(np.int64) * 256 + view.normals
    tone = view.tones.astype(np.float32) * np.float32(1 / 15)
    rows, columns = parts.shape
    dirt = 1 + generator.uniform(0.02, 0.14) * noise_patch(generator, rows, columns, zoom=rows / 40)
    shade = (tone * dirt)[..., None]
    rgb = own.reshape(-1, 3).astype(np.float32)[key] * shade + sky.reshape(-1, 3).astype(np.float32)[key]
    if vehicle.kind in ("van", "truck", "bus") and generator.random() < 0.5:
        rgb = _lettered(generator, rgb, parts, float(daylight.mean()))
    return np.clip(rgb, 0, 255).astype(np.uint8)


def _colours(generator: Generator, kind: str) -> FloatArray:
    """[parts, 3], before light."""

    def livery() -> Colour:
        colour = np.array(_LIVERIES[int(generator.integers(len(_LIVERIES)))], float)
        r, g, b = (colour + 0.6 * generator.random() * (colour.mean() - colour)).tolist()  # faded
        return jitter(generator, (r, g, b), 14)

    heavy = kind in ("truck", "bus")
    paint = livery() if heavy else choose_paint(generator)
    white = kind == "van" and generator.random() < 0.5
    paint = jitter(generator, (226, 226, 224), 10) if white else paint
    lit = generator.random() < 0.25
    second = livery() if heavy and generator.random() < 0.75 else paint
    trim = paint if kind in ("hatch", "estate", "suv") and generator.random() < 0.5 else second
    grey, metal = generator.uniform(130, 215), generator.uniform(90, 190)
    behind = generator.uniform(40, 130)
    plate = (228, 200, 70) if generator.random() < 0.2 else (226, 226, 222)
    colours: dict[str, Colour] = {
        "paint": paint, "second": trim, "glass": (behind, 1.05 * behind, 1.1 * behind),
        "rubber": jitter(generator, (40, 40, 42), 10), "metal": (metal, metal, 1.02 * metal),
        "grey": (grey, grey, grey), "lamp": (255, 250, 230) if lit else (200, 202, 204),
        "red": (225, 34, 30) if lit else (150, 20, 22), "amber": (220, 130, 40), "plate": plate,
    }  # fmt: skip
    return np.array([colours.get(part, (0, 0, 0)) for part in PARTS], float)


def _painted(generator: Generator, kind: str, view: View) -> Image:
    """Its parts; some vans, trucks and buses have bands of the second colour on the first."""
    if kind not in ("van", "truck", "bus") or generator.random() < 0.5:
        return view.parts
    rows, columns = view.parts.shape
    y, x = np.ogrid[:rows, :columns]
    slope = generator.normal(0, 0.25) if generator.random() < 0.4 else 0.0
    height = y / rows + slope * (x / columns - generator.random())
    start = generator.uniform(0.0, 0.8)
    band = (height > start) & (height < start + generator.uniform(0.06, 0.5))
    body = (view.parts == _PAINT) | (view.parts == _SECOND)
    return np.where(band & body, _PAINT + _SECOND - view.parts, view.parts).astype(np.uint8)


def _lettered(
    generator: Generator, rgb: NDArray[np.float32], parts: Image, daylight: float
) -> NDArray[np.float32]:
    """A firm's name or an advertisement on what is painted."""
    rows, columns = parts.shape
    letters = np.zeros((rows, columns, 3), np.uint8)
    top = generator.uniform(0.1, 0.5) * rows
    for _ in range(int(generator.integers(1, 3))):
        tall = generator.uniform(0.08, 0.28) * rows
        left = generator.uniform(0, 0.6) * columns
        right = min(left + generator.uniform(0.2, 0.7) * columns, columns)
        if generator.random() < 0.25:  # a picture
            cv2.ellipse(
                letters, (round((left + right) / 2), round(top + tall / 2)),
                (max(round(tall), 1), max(round(tall * 0.7), 1)), 0, 0, 360, (255, 255, 255), -1,
            )  # fmt: skip
        else:
            lettering(generator, letters, left, top, right, min(top + tall, rows), (255, 255, 255))
        top += tall * 1.2
    body = (parts == _PAINT) | (parts == _SECOND)
    weight = (letters[..., 0] / np.float32(255) * body)[..., None]
    ink = any_colour(generator, 0, 255).astype(np.float32) * np.float32(daylight)
    return rgb + (ink - rgb) * weight
