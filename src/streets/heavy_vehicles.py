"""Trucks, buses and trams: textured boxes on wheels."""

import numpy as np

from streets.materials import Generator, Image, any_colour, flat, lettering, rectangle, speckle
from streets.projection import FloatArray
from streets.raster import Canvas
from streets.vehicles import Light, Vehicle, dimensions, place
from streets.wheels import wheels


def draw_heavy_vehicle(
    canvas: Canvas, vehicle: Vehicle, light: Light, generator: Generator, instance: int
) -> None:
    """Sides and ends as textures, then wheels and skirts."""
    length, width, height = dimensions(vehicle.kind, generator)
    kind = vehicle.kind
    floor = 0.3 if kind == "truck" else 0.22
    depth = max(float(canvas.camera.to_camera(np.array([[vehicle.x, 1.0, vehicle.z]]))[0, 2]), 3.0)
    density = float(np.clip(canvas.camera.focal / depth, 3, 32))
    texture = vehicle_side(generator, kind, length=length, height=height - floor, density=density)
    end = vehicle_end(
        generator, kind, width=width, height=height - floor, paint=texture[2, 2], density=density
    )
    w, l = width / 2, length / 2
    sides = (
        (
            np.array([[w, floor, -l], [w, floor, l], [w, height, l], [w, height, -l]]),
            (1.0, 0.0, 0.0),
            texture,
        ),
        (
            np.array([[-w, floor, l], [-w, floor, -l], [-w, height, -l], [-w, height, l]]),
            (-1.0, 0.0, 0.0),
            texture,
        ),
        (
            np.array([[-w, floor, -l], [w, floor, -l], [w, height, -l], [-w, height, -l]]),
            (0.0, 0.0, -1.0),
            end[0],
        ),
        (np.array([[w, floor, l], [-w, floor, l], [-w, height, l], [w, height, l]]), (0.0, 0.0, 1.0), end[1]),
    )
    eye = np.array([canvas.camera.offset_x, canvas.camera.eye_height, 0.0])
    sin, cos = np.sin(vehicle.heading), np.cos(vehicle.heading)
    skirts: list[list[tuple[float, float, float]]] = []
    rounds: list[tuple[FloatArray, FloatArray]] = []
    centre = np.array([vehicle.x, 0.0, vehicle.z])
    across = np.array([cos, 0.0, -sin])
    along = np.array([sin, 0.0, cos])
    for side in (-1, 1):
        if (eye - centre) @ across * side <= w:
            continue
        skirts.append([(side * w * 0.96, y, z) for z, y in ((-l, 0.12), (l, 0.12), (l, floor), (-l, floor))])
        if kind != "train":
            axles = (-0.36, -0.24, 0.36) if kind == "truck" else (-0.3, 0.32)
            places = tuple(axle * length for axle in axles)
            discs, tones = wheels(
                generator, side=side, plane=w - 0.04, places=places, radius=0.48, detailed=False
            )
            rounds.append((place(vehicle, discs), tones * light.on(across * side)))
    for sign in (-1, 1):
        if (eye - centre) @ along * sign > l:
            end_z = sign * l * 0.99
            skirts.append([(x, y, end_z) for x, y in ((-w, 0.15), (w, 0.15), (w, floor), (-w, floor))])
    for local, outward_local, face_texture in sides:
        x, y, z = outward_local
        normal = np.array([x * cos + z * sin, y, -x * sin + z * cos])
        world = place(vehicle, local)
        if normal @ (eye - world[0]) > 0:
            gain = light.on(normal)
            lit = np.clip(face_texture * gain, 0, 255).astype(np.uint8)
            canvas.quad(world, lit, vehicle.train_id, instance=instance)
    if skirts:
        dark = np.full((len(skirts), 3), 22.0)
        under = [(place(vehicle, np.array(skirts)), dark), *rounds]
        canvas.solid(under, vehicle.train_id, instance=instance)


def vehicle_end(
    generator: Generator, kind: str, *, width: float, height: float, paint: FloatArray, density: float
) -> tuple[np.ndarray, np.ndarray]:
    """Textures of the rear and the front of a bus, tram or truck."""
    columns, rows = max(round(width * density), 5), max(round(height * density), 5)
    base = paint.astype(float)
    ends = []
    for front in (False, True):
        texture = np.empty((rows, columns, 3), np.uint8)
        texture[:] = np.clip(base, 0, 255)
        dark = generator.uniform(18, 56)
        if front or kind != "truck":
            y0, y1 = (0.12, 0.58) if kind != "truck" else (0.3, 0.6)
            if height > 3.7:
                texture[int(0.08 * rows) : int(0.3 * rows), int(0.07 * columns) : int(0.93 * columns)] = (
                    dark * 1.2
                )
                y0, y1 = 0.45, 0.74
            texture[int(y0 * rows) : int(y1 * rows), int(0.06 * columns) : int(0.94 * columns)] = (
                dark,
                dark * 1.1,
                dark * 1.15,
            )
            if front and kind == "bus":  # destination board
                texture[int(0.03 * rows) : int(0.1 * rows) + 1, int(0.2 * columns) : int(0.8 * columns)] = (
                    230,
                    180,
                    60,
                )
        elif generator.random() < 0.7:  # the doors of a truck
            texture[:, columns // 2 : columns // 2 + 1] = base * 0.6
            texture[int(0.9 * rows) :] = 40
        if not front and kind == "bus":
            _rear_of_a_bus(generator, texture, base)
        lamp = (235, 236, 220) if front else (190, 26, 24)
        y0, y1 = int(0.8 * rows), int(0.87 * rows) + 1
        texture[y0:y1, int(0.05 * columns) : int(0.2 * columns) + 1] = lamp
        texture[y0:y1, int(0.8 * columns) : int(0.95 * columns)] = lamp
        texture[int(0.82 * rows) : int(0.87 * rows), int(0.4 * columns) : int(0.6 * columns)] = (
            225,
            222,
            200,
        )
        ends.append(texture)
    return ends[0], ends[1]


def _rear_of_a_bus(generator: Generator, texture: Image, base: FloatArray) -> None:
    """The firm's name, bands of another colour and the engine's grille, below the window."""
    rows, columns = texture.shape[:2]
    if generator.random() < 0.6:
        y0 = generator.uniform(0.58, 0.8) * rows
        rectangle(texture, 0, y0, columns, rows, tuple(any_colour(generator, 20, 240)))
    if generator.random() < 0.6:
        ink = (240, 240, 236) if base.mean() < 128 else (24, 26, 40)
        for y in generator.uniform(0.58, 0.72, 2):
            lettering(generator, texture, 0.1 * columns, y * rows, 0.9 * columns, (y + 0.09) * rows, ink)
    if generator.random() < 0.7:
        dark = tuple((base * 0.45).tolist())
        rectangle(texture, 0.15 * columns, 0.86 * rows, 0.85 * columns, 0.97 * rows, dark)


def vehicle_side(generator: Generator, kind: str, *, length: float, height: float, density: float) -> Image:
    """The long side of a bus, tram, truck box or van, without its wheels."""
    columns, rows = max(round(length * density), 6), max(round(height * density), 6)
    livery = any_colour(generator, 20, 235)
    if kind == "truck" and generator.random() < 0.5:
        livery = np.full(3, generator.uniform(170, 240))
    texture = flat(rows, columns, tuple(livery))
    skirt = livery * generator.uniform(0.4, 0.9)
    rectangle(texture, 0, rows * 0.86, columns, rows, tuple(skirt))
    if kind in ("bus", "train"):
        dark = generator.uniform(15, 60)
        decks = 2 if kind == "bus" and height > 3.7 else 1
        for deck in range(decks):
            y0 = rows * (0.14 + 0.5 * deck if decks == 2 else 0.18)
            y1 = y0 + rows * (0.24 if decks == 2 else 0.4)
            rectangle(texture, columns * 0.01, y0, columns * 0.99, y1, (dark, dark * 1.1, dark * 1.15))
            step = max(generator.uniform(1.2, 1.8) * density, 3)
            for x in np.arange(step, columns, step):
                tone = generator.uniform(0.6, 1.9) * dark
                rectangle(texture, x + 1, y0 + 1, x + step - 1, y1 - 1, (tone, tone * 1.08, tone * 1.14))
        for x in generator.uniform(0.05, 0.9, 2):
            rectangle(
                texture, x * columns, rows * 0.22, x * columns + 1.1 * density, rows * 0.95, (38, 40, 44)
            )
        if generator.random() < 0.6:
            stripe = tuple(any_colour(generator, 20, 240))
            rectangle(texture, 0, rows * 0.68, columns, rows * 0.76, stripe)
    elif generator.random() < 0.7:
        ink = tuple(generator.uniform(0, 255, 3))
        lettering(generator, texture, columns * 0.1, rows * 0.25, columns * 0.9, rows * 0.6, ink)
    return speckle(generator, texture, 0.04, zoom=3)
