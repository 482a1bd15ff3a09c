"""Draws cars and vans: the shell of car_body.py with windows, lamps, plate and wheels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spn.simulator.car_body import (
    GLASS,
    LAMP,
    PAINT,
    TRIM,
    choose_paint,
    look_around,
    reflectance,
    shell,
    unit_normals,
)
from spn.simulator.materials import Generator, lettering, noise_patch
from spn.simulator.projection import FloatArray
from spn.simulator.raster import Canvas
from spn.simulator.vehicles import CAR, Light, Vehicle, dimensions, place
from spn.simulator.wheels import wheels

_Faces = tuple[FloatArray, FloatArray]


def draw_car(
    canvas: Canvas, vehicle: Vehicle, light: Light, generator: Generator, instance: int, *, detailed: bool
) -> None:
    """detailed: with lamps, plate, mirrored street and rims."""
    length, width, height = size = dimensions(vehicle.kind, generator)
    body = shell(vehicle.kind)
    scale = np.array([width / 2, height, length])
    eye = np.array([canvas.camera.offset_x, canvas.camera.eye_height, 0.0])
    facets = place(vehicle, body.facets * scale)
    middles = facets.mean(axis=1)
    normals = unit_normals(facets)
    views = eye - middles
    distances = np.linalg.norm(views, axis=1)
    cosines = (views * normals).sum(axis=1) / distances
    seen = np.flatnonzero(cosines > 0)
    seen = seen[np.argsort(-distances[seen])]
    material = body.material
    if generator.random() < 0.45:  # painted sills
        material = np.where(material == TRIM, PAINT, material)
    rear = body.facets[:, :, 2].mean(axis=1) < 0
    upwards = 2 * cosines * normals[:, 1] - views[:, 1] / distances
    colours = _colours(
        material[seen], rear[seen], normals[seen], upwards[seen], cosines[seen], light, generator
    )

    behind = [_tyres(vehicle, size)]
    front: list[_Faces] = []
    radius = (0.31 if vehicle.kind in ("suv", "van") else 0.285) * generator.uniform(1, 1.12)
    across = place(vehicle, np.array([[1.0, 0.0, 0.0]]))[0] - place(vehicle, np.zeros((1, 3)))[0]
    middle = np.array([vehicle.x, 0.0, vehicle.z])
    for side in (-1, 1):
        if ((eye - middle) @ across) * side > width / 2:
            discs, tones = wheels(
                generator, side=side, plane=width / 2 * 0.995, places=(-0.3 * length, 0.315 * length),
                radius=radius, detailed=detailed,
            )  # fmt: skip
            front.append((place(vehicle, discs), tones * light.on(across * side)))
    if detailed:
        front += _ends(vehicle, size, light, generator, eye)
    canvas.solid(
        [*behind, (facets[seen], colours), *front], CAR, instance=instance,
        sheen=_sheen(generator) if detailed else None,
    )  # fmt: skip
    if detailed and vehicle.kind == "van" and generator.random() < 0.5:
        _letter(canvas, vehicle, size, generator, eye, instance)


def _colours(
    material: NDArray[np.int64], rear: NDArray[np.bool_], normals: FloatArray, upwards: FloatArray,
    cosines: FloatArray,
    light: Light, generator: Generator,
) -> FloatArray:  # fmt: skip
    """Colour [N, 3] of each facet: its own under daylight, and what it mirrors.

    rear: whether it belongs to the rear half. upwards: the vertical part of the mirrored direction.
    """
    paint = np.array(choose_paint(generator))
    tone = generator.uniform(8, 40)
    lit = generator.random() < 0.25
    lamps = np.where(
        rear[:, None], (210, 30, 26) if lit else (150, 20, 22), (250, 246, 226) if lit else (196, 198, 200)
    )
    table = np.zeros((4, 3))
    table[PAINT], table[GLASS], table[TRIM] = paint, (tone, tone * 1.08, tone * 1.15), (24, 24, 26)
    base = table[material]
    base[material == LAMP] = lamps[material == LAMP]
    daylight = light.on(normals)
    around = look_around(generator, light.ambient + 0.5 * light.direct)
    mirrored = around.seen(upwards)
    gloss = generator.uniform(0.04, 0.2)
    straight = np.array([gloss, generator.uniform(0.05, 0.18), 0.02, 0.1])[material]
    share = reflectance(cosines, straight)
    foot = np.clip(0.72 + 0.28 * (normals[:, 1] + 1.0), 0.6, 1.0)  # less sky reaches what leans inwards
    own = base * (daylight * foot)[:, None]
    sky = mirrored[:, None] * np.array([0.95, 0.99, 1.05])
    return own * (1 - share[:, None]) + sky * share[:, None]


def _tyres(vehicle: Vehicle, size: tuple[float, float, float]) -> _Faces:
    """Dark blocks under the sills: the tyres seen from the front or from behind, and the shade between."""
    length, width, height = size
    w, top = width / 2 * 0.93, 0.2 * height
    ends, low = (-0.36 * length, 0.4 * length), 0.09 * height
    blocks = [
        [(x0, y, z), (x1, y, z), (x1, top, z), (x0, top, z)]
        for z in ends
        for x0, x1, y in ((-w, 0.2 - w, 0.0), (w - 0.2, w, 0.0), (-w, w, low))
    ]
    back, ahead = ends
    blocks += [[(x, low, back), (x, low, ahead), (x, top, ahead), (x, top, back)] for x in (-w, w)]
    return place(vehicle, np.array(blocks, float)), np.full((len(blocks), 3), 15.0)


def _ends(
    vehicle: Vehicle, size: tuple[float, float, float], light: Light, generator: Generator, eye: FloatArray
) -> list[_Faces]:
    """Plate, grille and lamps of the end that faces us; none where we look at the side alone."""
    length, width, height = size
    ends: list[_Faces] = []
    for rear, sign in ((True, -1.0), (False, 1.0)):
        z = sign * (length / 2 + 0.01)
        at, ahead = place(vehicle, np.array([[0.0, 0.0, z], [0.0, 0.0, z + sign]]))
        normal = ahead - at
        if (eye - at) @ normal <= 0:
            continue
        w = width / 2 * 0.76
        plate = (228, 200, 70) if rear and generator.random() < 0.4 else (226, 226, 222)
        panels: list[tuple[float, float, float, float, tuple[float, float, float]]] = []
        if rear:
            panels.append((-w, w, 0.13, generator.uniform(0.2, 0.3), (26, 26, 28)))
            lamp = generator.uniform(0.2, 0.34)
            tall = generator.uniform(0.08, 0.2)
            red = (176, 22, 24)
            panels += [(-w, -w + lamp, 0.58 - tall, 0.57, red), (w - lamp, w, 0.58 - tall, 0.57, red)]
        else:
            panels.append((-w * 0.9, w * 0.9, 0.15, 0.25, (20, 20, 22)))
            panels.append((-w * 0.55, w * 0.55, 0.33, generator.uniform(0.4, 0.44), (18, 18, 20)))
            lamp = generator.uniform(0.2, 0.32)
            panels += [
                (-w, -w + lamp, 0.35, 0.44, (206, 208, 208)),
                (w - lamp, w, 0.35, 0.44, (206, 208, 208)),
            ]
        y = 0.27 if not rear else generator.uniform(0.3, 0.42)
        panels.append((-0.26, 0.26, y, y + 0.075, plate))
        quads = [
            [(a, b * height, z), (c, b * height, z), (c, d * height, z), (a, d * height, z)]
            for a, c, b, d, _ in panels
        ]
        tones = np.array([colour for *_, colour in panels], float)
        ends.append((place(vehicle, np.array(quads)), tones * max(float(light.on(normal)), 0.4)))
    return ends


def _letter(
    canvas: Canvas, vehicle: Vehicle, size: tuple[float, float, float], generator: Generator, eye: FloatArray,
    instance: int,
) -> None:  # fmt: skip
    """A firm's name on the sides and the rear of a van."""
    length, width, height = size
    ink = generator.uniform(0, 255, 3) if generator.random() < 0.6 else np.full(3, generator.uniform(0, 60))
    x, low, high = 0.505 * width, 0.5 * height, 0.88 * height
    back, ahead, rear = -0.46 * length, 0.05 * length, -0.505 * length
    panels = (
        [(x, low, back), (x, low, ahead), (x, high, ahead), (x, high, back)],
        [(-x, low, ahead), (-x, low, back), (-x, high, back), (-x, high, ahead)],
        [(-0.8 * x, low, rear), (0.8 * x, low, rear), (0.8 * x, high, rear), (-0.8 * x, high, rear)],
    )
    for local in panels:
        world = place(vehicle, np.array(local))
        if np.cross(world[1] - world[0], world[3] - world[0]) @ (eye - world[0]) >= 0:
            continue
        rows, columns = 40, max(round(40 * np.hypot(*(world[1] - world[0])[[0, 2]]) / (high - low)), 8)
        letters = np.zeros((rows, columns, 3), np.uint8)
        top = 0.0
        while top < 0.8 * rows:
            tall = generator.uniform(0.25, 0.7) * rows
            lettering(generator, letters, 0, top, columns, min(top + tall, rows), (255, 255, 255))
            top += tall + 2
        paint = np.empty_like(letters)
        paint[:] = ink.astype(np.uint8)
        canvas.quad(world, paint, CAR, instance=instance, alpha=letters[..., 0].copy())


def _sheen(generator: Generator) -> FloatArray:
    """Unevenness of the mirrored street: a gain [32, 64] around 1, to be laid over the whole car."""
    blotches = generator.uniform(0.02, 0.2) * noise_patch(generator, 32, 64)
    return np.clip(1 + blotches, 0.4, 1.8)
