"""Draws cars and vans: the shell of car_body.py with windows, lamps, plate and wheels."""

import cv2
import numpy as np
from numpy.typing import NDArray

from streets.car_body import (
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
from streets.materials import Generator, lettering, noise_patch
from streets.projection import FloatArray
from streets.raster import Canvas
from streets.vehicles import CAR, Light, Vehicle, dimensions, place
from streets.wheels import wheels

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
    sides = [side for side in (-1, 1) if ((eye - middle) @ across) * side > width / 2]
    for side in sides:
        discs, tones = wheels(
            generator, side=side, plane=width / 2 * 0.995, places=(-0.3 * length, 0.315 * length),
            radius=radius, detailed=detailed,
        )  # fmt: skip
        front.append((place(vehicle, discs), tones * light.on(across * side)))
    if detailed:
        front += [_side_details(vehicle, size, light.on(across * side), generator, side) for side in sides]
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


def _side_details(
    vehicle: Vehicle, size: tuple[float, float, float], daylight: FloatArray, generator: Generator, side: int
) -> _Faces:
    """Door seams and handles, mouldings, a glint along the shoulder, what is behind the glass, a mirror."""
    length, width, height = size
    tall = 0.52 if vehicle.kind == "van" else 0.63  # where the glass begins
    quads: list[list[tuple[float, float, float]]] = []
    tones: list[tuple[float, float, float]] = []

    def panel(
        z0: float, z1: float, y0: float, y1: float, tone: FloatArray | float, lean: float = 0.0
    ) -> None:
        """lean: how far the upper edge lies inwards."""
        x0, x1 = (
            side * width / 2 * (1 - max(y0 - tall, 0) * lean),
            side * width / 2 * (1 - max(y1 - tall, 0) * lean),
        )
        low, high = y0 * height, y1 * height
        quads.append([(x0, low, z0), (x0, low, z1), (x1, high, z1), (x1, high, z0)])
        r, g, b = np.broadcast_to(np.asarray(tone, float), 3).tolist()
        tones.append((r, g, b))

    inside = generator.uniform(-0.26, 0.08, int(generator.integers(0, 5))) * length
    for z in inside:  # seats, heads, the far windows, a piece of sky
        tone = generator.uniform(5, 200) * generator.uniform(0.85, 1.1, 3)
        low = tall + generator.uniform(0.03, 0.15)
        panel(z, z + generator.uniform(0.1, 0.6), low, low + generator.uniform(0.05, 0.14), tone, 0.85)
    dark = generator.uniform(8, 40)
    seams = generator.choice([0.23, 0.25]) * length, generator.uniform(-0.08, 0.02) * length
    for z in (*seams, generator.uniform(-0.28, -0.22) * length):
        panel(z, z + 0.02, 0.2, tall - 0.02, dark)
        if generator.random() < 0.8:
            handle = dark if generator.random() < 0.5 else generator.uniform(60, 240)
            panel(z + 0.12, z + 0.3, tall - 0.1, tall - 0.075, handle)
    if generator.random() < 0.5:  # a moulding, a stripe, dirt
        y = generator.uniform(0.24, 0.45)
        panel(-0.44 * length, 0.42 * length, y, y + generator.uniform(0.015, 0.06), generator.uniform(8, 190))
    if generator.random() < 0.6:  # the edge of the shoulder catches the sky
        y = tall - generator.uniform(0.015, 0.06)
        bright = np.minimum(255, generator.uniform(120, 300) * daylight) * np.array([0.97, 1.0, 1.03])
        ahead = generator.uniform(0.1, 0.42) * length
        panel(-generator.uniform(0.1, 0.45) * length, ahead, y, y + generator.uniform(0.006, 0.025), bright)
    if generator.random() < 0.6:  # the frame under the glass
        chrome = generator.uniform(8, 30) if generator.random() < 0.6 else generator.uniform(120, 230)
        panel(-0.36 * length, 0.22 * length, tall, tall + 0.018, chrome)
    x, z, y = side * width / 2, generator.uniform(0.17, 0.23) * length, (tall + 0.02) * height
    reach, high = side * generator.uniform(0.12, 0.2), generator.uniform(0.1, 0.17)
    quads.append([(x, y, z), (x + reach, y + 0.02, z), (x + reach, y + high, z), (x, y + high, z)])
    mirror = generator.uniform(10, 160)
    tones.append((mirror, mirror, mirror))
    return place(vehicle, np.array(quads)), np.array(tones)


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
        for _ in range(int(generator.integers(1, 4))):  # seams, chrome, the bumper's edge
            y, tone = generator.uniform(0.2, 0.56), generator.uniform(10, 230)
            half, thick = w * generator.uniform(0.5, 1.05), generator.uniform(0.008, 0.025)
            panels.append((-half, half, y, y + thick, (tone, tone, tone)))
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
    """Unevenness of the mirrored street: a gain [32, 64] around 1, to be laid over the whole car.

    Smooth panels draw it out along the car.
    """
    streaks = noise_patch(generator, 32, 64, zoom=4)
    streaks = cv2.blur(streaks, (int(generator.integers(5, 40)), 1)) * generator.uniform(0.5, 1.5)
    return np.clip(1 + generator.uniform(0.02, 0.25) * streaks, 0.4, 1.8)
