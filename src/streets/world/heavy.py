"""Draws buses, trams and trucks of many kinds: boxes with detailed faces, on wheels or rails."""

from dataclasses import dataclass

import numpy as np

from streets.materials import Colour, Generator, Image, choose
from streets.projection import FloatArray
from streets.raster import Canvas
from streets.vehicles import Light, Vehicle, dimensions, place
from streets.wheels import wheels
from streets.world import liveries


@dataclass(frozen=True)
class Box:
    """Part of a vehicle: its reach along z and y in metres, and its faces' textures; None is not drawn."""

    z: tuple[float, float]
    y: tuple[float, float]
    half: float
    side: Image
    front: Image | None
    rear: Image | None


def draw_heavy(canvas: Canvas, vehicle: Vehicle, light: Light, instance: int) -> None:
    """The same seed gives the same vehicle."""
    generator = np.random.default_rng(vehicle.seed)
    length, width, height = dimensions(vehicle.kind, generator)
    local = np.array([[0.0, 1.0, -length / 2], [0.0, 1.0, length / 2]])
    depths = canvas.camera.to_camera(place(vehicle, local))[:, 2]
    density = float(np.clip(canvas.camera.focal / max(float(depths.min()), 3.0), 3, 40))
    if vehicle.kind == "truck":
        boxes, axles = _truck(generator, length, width, height, density)
    else:
        boxes, axles = _coach(generator, vehicle.kind, length, width, height, density)
    _ground_gear(canvas, vehicle, light, generator, instance, (length, width), axles)
    for box in boxes:
        _draw_box(canvas, vehicle, light, box, instance)


def _coach(
    generator: Generator, kind: str, length: float, width: float, height: float, density: float
) -> tuple[list[Box], tuple[float, ...]]:
    """A bus, or a tram of several parts; articulated buses have two."""
    tram = kind == "train"
    colour = liveries.body_colour(generator, kind)
    floor = 0.32 if tram else generator.uniform(0.25, 0.4)
    parts = (
        max(round(length / generator.uniform(6, 10)), 2)
        if tram
        else 2
        if length > 11.6 and generator.random() < 0.4
        else 1
    )
    edges = np.linspace(-length / 2, length / 2, parts + 1)
    tall = height - floor
    boxes = []
    for index in range(parts):
        side = liveries.coach_side(
            generator,
            colour,
            tram=tram or parts > 1,
            length=float(edges[1] - edges[0]),
            height=tall,
            density=density,
        )
        ends: list[Image | None] = [None, None]
        for place_, at in ((0, index == 0), (1, index == parts - 1)):
            if at:
                ends[place_] = liveries.coach_end(
                    generator, colour, front=place_ == 1, tram=tram, width=width, height=tall, density=density
                )
        boxes.append(
            Box(
                (float(edges[index]), float(edges[index + 1])),
                (floor, height),
                width / 2,
                side,
                ends[1],
                ends[0],
            )
        )
    if generator.random() < (0.8 if tram else 0.3):  # what stands on the roof
        grey: Colour = (110, 112, 114)
        z = generator.uniform(-0.4, 0.1) * length
        top = liveries.cargo(generator, grey, "box", length=0.25 * length, height=0.35, density=density)
        boxes.append(Box((z, z + 0.25 * length), (height, height + 0.35), width * 0.35, top, top, top))
    axles: tuple[float, ...] = () if tram else (-0.28 * length, 0.32 * length)
    return boxes, axles


def _truck(
    generator: Generator, length: float, width: float, height: float, density: float
) -> tuple[list[Box], tuple[float, ...]]:
    """A cab and what it carries."""
    paint, load = (
        liveries.body_colour(generator, "truck"),
        choose(generator, {"box": 4, "curtain": 2.5, "tank": 0.8, "tipper": 1.2, "flat": 0.8}),
    )
    half, front = width / 2, length / 2
    cab_length, cab_height = generator.uniform(1.5, 2.4), generator.uniform(2.3, 3.1)
    same = generator.random() < 0.4
    colour = paint if same or load == "tipper" else liveries.body_colour(generator, "truck")
    high = {"tipper": generator.uniform(1.9, 2.8), "flat": generator.uniform(1.4, 1.9), "tank": 2.9}.get(
        load, height
    )
    floor = 0.95 if load != "box" else generator.uniform(0.6, 1.1)
    back = front - cab_length - generator.uniform(0.1, 0.6)
    side = liveries.cargo(generator, colour, load, length=back + front, height=high - floor, density=density)
    rear = liveries.cargo_rear(generator, colour, load, width=width, height=high - floor, density=density)
    cab = Box(
        (front - cab_length, front), (0.45, cab_height), half * 0.96,
        liveries.cab_side(generator, paint, length=cab_length, height=cab_height - 0.45, density=density),
        liveries.cab_front(generator, paint, width=width, height=cab_height - 0.45, density=density),
        liveries.cargo(generator, paint, "box", length=width, height=cab_height - 0.45, density=density),
    )  # fmt: skip
    axles = (
        (-0.36 * length, -0.36 * length + 1.2, front - 1.2) if length > 8 else (-0.3 * length, front - 1.2)
    )
    return [cab, Box((-front, back), (floor, high), half, side, rear, rear)], axles


def _ground_gear(
    canvas: Canvas, vehicle: Vehicle, light: Light, generator: Generator, instance: int,
    size: tuple[float, float], axles: tuple[float, ...],
) -> None:  # fmt: skip
    """Wheels and the dark below the floor."""
    length, width = size
    w, l, floor = width / 2, length / 2, 1.0 if vehicle.kind == "truck" else 0.45
    sin, cos = np.sin(vehicle.heading), np.cos(vehicle.heading)
    across = np.array([cos, 0.0, -sin])
    centre = np.array([vehicle.x, 0.0, vehicle.z])
    dark = [
        [(x, y, z) for z, y in ((-l, 0.15), (l, 0.15), (l, floor), (-l, floor))] for x in (-w * 0.9, w * 0.9)
    ]
    dark += [
        [(x, y, z) for x, y in ((-w, 0.2), (w, 0.2), (w, floor), (-w, floor))] for z in (-l * 0.98, l * 0.98)
    ]
    batches = [(place(vehicle, np.array(dark)), np.full((len(dark), 3), 20.0))]
    for side in (-1, 1):
        if axles and (canvas.camera.eye - centre) @ across * side > w:
            discs, tones = wheels(
                generator, side=side, plane=w - 0.02, places=axles, radius=generator.uniform(0.44, 0.52),
                detailed=length * canvas.camera.focal > 600,
            )  # fmt: skip
            batches.append((place(vehicle, discs), tones * float(light.on(across * side))))
    canvas.solid(batches, vehicle.train_id, instance=instance)


def _draw_box(canvas: Canvas, vehicle: Vehicle, light: Light, box: Box, instance: int) -> None:
    (z0, z1), (y0, y1), w = box.z, box.y, box.half
    faces: tuple[tuple[list[tuple[float, float, float]], tuple[float, float], Image | None], ...] = (
        ([(w, y0, z0), (w, y0, z1), (w, y1, z1), (w, y1, z0)], (1, 0), box.side),
        ([(-w, y0, z1), (-w, y0, z0), (-w, y1, z0), (-w, y1, z1)], (-1, 0), box.side),
        ([(-w, y0, z0), (w, y0, z0), (w, y1, z0), (-w, y1, z0)], (0, -1), box.rear),
        ([(w, y0, z1), (-w, y0, z1), (-w, y1, z1), (w, y1, z1)], (0, 1), box.front),
    )
    sin, cos = np.sin(vehicle.heading), np.cos(vehicle.heading)
    for corners, (x, z), texture in faces:
        if texture is None:
            continue
        world: FloatArray = place(vehicle, np.array(corners, float))
        normal = np.array([x * cos + z * sin, 0.0, -x * sin + z * cos])
        if normal @ (canvas.camera.eye - world[0]) > 0:
            gain = float(light.on(normal))
            canvas.quad(
                world, np.clip(texture * gain, 0, 255).astype(np.uint8), vehicle.train_id, instance=instance
            )
