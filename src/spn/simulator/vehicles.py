"""Cars, vans, trucks, buses and trams as small solids: faces with paint, glass, lights, plates, wheels.

Vehicle space: x to the right, y up, z forward, the origin on the ground below the middle; metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spn.simulator.materials import Colour, Generator, jitter, noise_patch, vehicle_side
from spn.simulator.projection import FloatArray
from spn.simulator.raster import Canvas

CAR, TRUCK, BUS, TRAIN = 13, 14, 15, 16

# Side profiles, rear to front: (fraction of the length, fraction of the height), and glass between points.
_PROFILES: dict[str, tuple[tuple[tuple[float, float], ...], tuple[int, ...]]] = {
    "saloon": (
        ((0, 0.2), (0, 0.5), (0.02, 0.62), (0.15, 0.65), (0.29, 0.97), (0.56, 1.0), (0.73, 0.65),
         (0.96, 0.52), (1.0, 0.42), (1.0, 0.18)),
        (3, 5),
    ),
    "hatch": (
        ((0, 0.2), (0, 0.5), (0.02, 0.62), (0.12, 0.95), (0.2, 0.99), (0.55, 1.0), (0.75, 0.63), (0.96, 0.52),
         (1.0, 0.42), (1.0, 0.18)),
        (2, 5),
    ),
    "suv": (
        ((0, 0.25), (0, 0.5), (0.01, 0.6), (0.06, 0.95), (0.14, 0.99), (0.6, 1.0), (0.76, 0.64), (0.96, 0.56),
         (1.0, 0.48), (1.0, 0.22)),
        (2, 5),
    ),
    "van": (
        ((0, 0.18), (0, 0.45), (0.005, 0.52), (0.02, 0.95), (0.06, 0.99), (0.72, 1.0), (0.87, 0.56),
         (0.98, 0.42), (1.0, 0.34), (1.0, 0.15)),
        (2, 5),
    ),
}  # fmt: skip
_PAINTS: tuple[Colour, ...] = (
    (190, 192, 196), (150, 154, 160), (96, 100, 106), (46, 48, 54), (22, 23, 27), (228, 228, 226),
    (142, 26, 30), (32, 48, 110), (44, 76, 64), (84, 70, 58), (196, 170, 60), (70, 96, 140),
)  # fmt: skip
GLASS: Colour = (36, 42, 50)
RUBBER: Colour = (20, 20, 22)
ARCH: Colour = (12, 12, 13)


@dataclass(frozen=True)
class Light:
    """Where daylight comes from: unit direction to the sun (world), its share, and the share from the sky."""

    sun: FloatArray
    direct: float
    ambient: float

    def on(self, normal: FloatArray) -> float:
        """Brightness of a surface with this unit world normal."""
        return self.ambient * (0.82 + 0.18 * float(normal[1])) + self.direct * max(
            float(normal @ self.sun), 0.0
        )


@dataclass(frozen=True)
class Vehicle:
    """kind: saloon, hatch, suv, van, truck, bus or train; heading in radians, 0 drives away from us."""

    kind: str
    x: float
    z: float
    heading: float
    seed: int

    @property
    def train_id(self) -> int:
        return {"truck": TRUCK, "bus": BUS, "train": TRAIN}.get(self.kind, CAR)


def dimensions(kind: str, generator: Generator) -> tuple[float, float, float]:
    """Length, width and height in metres."""
    ranges = {
        "saloon": ((4.2, 4.9), (1.7, 1.85), (1.38, 1.48)),
        "hatch": ((3.6, 4.3), (1.62, 1.8), (1.4, 1.56)),
        "suv": ((4.2, 4.8), (1.8, 1.95), (1.62, 1.82)),
        "van": ((4.6, 5.8), (1.85, 2.05), (1.9, 2.5)),
        "truck": ((6.0, 10.0), (2.3, 2.5), (2.9, 3.9)),
        "bus": ((9.0, 12.0), (2.45, 2.55), (2.9, 4.3)),
        "train": ((14.0, 30.0), (2.4, 2.65), (3.2, 3.7)),
    }
    length, width, height = (float(generator.uniform(*bounds)) for bounds in ranges[kind])
    if kind == "bus":  # single or double deck, nothing between
        height = 4.2 if height > 3.7 else 3.1
    return length, width, height


def _place(vehicle: Vehicle, local: FloatArray) -> FloatArray:
    sin, cos = np.sin(vehicle.heading), np.cos(vehicle.heading)
    x = vehicle.x + local[:, 0] * cos + local[:, 2] * sin
    z = vehicle.z - local[:, 0] * sin + local[:, 2] * cos
    return np.column_stack([x, local[:, 1], z])


def footprint(vehicle: Vehicle, *, margin: float = 0.0) -> FloatArray:
    """Ground outline [4, 2] of (X, Z)."""
    length, width, _ = dimensions(vehicle.kind, np.random.default_rng(vehicle.seed))
    w, l = width / 2 + margin, length / 2 + margin
    local = np.array([[-w, 0, -l], [w, 0, -l], [w, 0, l], [-w, 0, l]])
    return _place(vehicle, local)[:, [0, 2]]


class _Faces:
    """Collects faces in drawing order; `build` keeps those the camera can see, lit by the day."""

    def __init__(self, canvas: Canvas, vehicle: Vehicle, light: Light) -> None:
        self._vehicle, self._light = vehicle, light
        self._eye = np.array([canvas.camera.offset_x, canvas.camera.eye_height, 0.0])
        self._polygons: list[FloatArray] = []
        self._outward: list[FloatArray] = []
        self._colours: list[Colour] = []
        self._glow: list[bool] = []
        self._units: list[int] = []

    def add(
        self, local: FloatArray, outward: FloatArray, colour: Colour, *, glow: bool = False, unit: int = 0
    ) -> None:
        """Add a polygon [N, 3] with its outward direction; units are drawn farthest first."""
        self._polygons.append(local)
        self._outward.append(outward)
        self._colours.append(colour)
        self._glow.append(glow)
        self._units.append(unit)

    def build(self) -> list[tuple[FloatArray, Colour]]:
        """World polygons with their lit colours, in drawing order."""
        sizes = [len(polygon) for polygon in self._polygons]
        world = np.split(_place(self._vehicle, np.concatenate(self._polygons)), np.cumsum(sizes)[:-1])
        sin, cos = np.sin(self._vehicle.heading), np.cos(self._vehicle.heading)
        local = np.stack(self._outward)
        local = local / np.linalg.norm(local, axis=1, keepdims=True)
        normal = np.column_stack(
            [local[:, 0] * cos + local[:, 2] * sin, local[:, 1], -local[:, 0] * sin + local[:, 2] * cos]
        )
        facing = ((self._eye - np.stack([polygon[0] for polygon in world])) * normal).sum(1) > 0
        first = np.array([polygon[0] for polygon in world])
        faces: list[tuple[float, tuple[FloatArray, Colour]]] = []
        farness: dict[int, float] = {}
        for index in np.flatnonzero(facing):
            gain = 1.0 if self._glow[index] else self._light.on(normal[index])
            r, g, b = (channel * gain for channel in self._colours[index])
            unit = self._units[index]
            farness.setdefault(unit, float(np.hypot(*(first[index] - self._eye)[[0, 2]])) if unit else -1.0)
            faces.append((farness[unit], (world[index], (r, g, b))))
        return [face for _, face in sorted(faces, key=lambda item: -item[0])]


def _inset(polygon: FloatArray, amount: float) -> FloatArray:
    centre = polygon.mean(0)
    return centre + (polygon - centre) * (1 - amount)


def _car(
    canvas: Canvas, vehicle: Vehicle, light: Light, generator: Generator, instance: int, *, detailed: bool
) -> None:
    length, width, height = dimensions(vehicle.kind, generator)
    points, glass_strips = _PROFILES[vehicle.kind]
    profile = np.array([((a - 0.5) * length, b * height) for a, b in points])
    profile[1:-1] += generator.normal(0, 0.012, (len(profile) - 2, 2)) * (length, height)
    belt = 0.6 * height
    paint = jitter(generator, _PAINTS[int(generator.integers(len(_PAINTS)))], 14)
    if vehicle.kind == "van" and generator.random() < 0.5:
        paint = (226, 227, 228)
    glass = jitter(generator, GLASS, 14)
    under, over = float(generator.uniform(0.45, 0.9)), float(generator.uniform(1.0, 1.5))
    faces = _Faces(canvas, vehicle, light)

    def half(y: float) -> float:
        taper = 0.1 if vehicle.kind == "van" else 0.2
        return width / 2 * (1 - taper * max(0.0, (y - belt) / max(height - belt, 1e-6)))

    for index in range(len(profile) - 1):
        (z0, y0), (z1, y1) = profile[index], profile[index + 1]
        outward = np.array([0.0, z1 - z0, -(y1 - y0)])
        if np.linalg.norm(outward) < 1e-6:
            continue
        strip = np.array([[-half(y0), y0, z0], [half(y0), y0, z0], [half(y1), y1, z1], [-half(y1), y1, z1]])
        faces.add(strip, outward, paint, unit=index + 1)
        if index in glass_strips and not (vehicle.kind == "van" and index == 2 and generator.random() < 0.6):
            inner = _inset(strip, 0.1)
            faces.add(inner, outward, glass, unit=index + 1)
            if detailed and generator.random() < 0.7:  # the sky in the upper half of the pane
                upper = inner.copy()
                low = slice(0, 2) if y0 < y1 else slice(2, 4)
                other = slice(2, 4) if y0 < y1 else slice(0, 2)
                upper[low] = inner[low] * 0.4 + inner[other][::-1] * 0.6
                bright = generator.uniform(1.2, 2.4)
                faces.add(
                    upper, outward, (glass[0] * bright, glass[1] * bright, glass[2] * bright), unit=index + 1
                )
    lit = generator.random() < 0.3
    for end, sign in ((profile[0, 0], -1.0), (profile[-1, 0], 1.0)):
        rear = sign < 0
        outward = np.array([0.0, 0.0, sign])

        def panel(
            x0: float, x1: float, y0: float, y1: float, colour: Colour, *, glow: bool = False,
            end: float = end, outward: FloatArray = outward,
        ) -> None:  # fmt: skip
            z = end + outward[2] * 0.02
            faces.add(
                np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]]), outward, colour, glow=glow
            )

        w = width / 2
        if not detailed:
            continue
        panel(-w * 0.96, w * 0.96, 0.14 * height, 0.27 * height, (30, 30, 33))
        if not rear:
            panel(-w * 0.5, w * 0.5, 0.3 * height, 0.42 * height, (26, 27, 30))
        lamp: Colour = (196, 24, 26) if rear else (214, 216, 218)
        if lit:
            lamp = (255, 50, 44) if rear else (255, 250, 228)
        top = 0.56 if rear else 0.47
        depth = generator.uniform(0.1, 0.2)
        for side in (-1, 1):
            x0, x1 = sorted((side * w * 0.97, side * w * generator.uniform(0.58, 0.74)))
            panel(x0, x1, (top - depth) * height, top * height, lamp, glow=lit)
        for side in (-1, 1):  # tyres below the bumper
            x0, x1 = sorted((side * w * 0.96, side * w * 0.68))
            panel(x0, x1, 0.0, 0.16 * height, RUBBER)
        plate: Colour = (228, 200, 70) if rear and generator.random() < 0.5 else (232, 232, 228)
        panel(-0.26, 0.26, 0.3 * height, 0.37 * height, plate)
    for side in (-1, 1):
        outward = np.array([float(side), 0.0, 0.0])
        body = np.array([[side * width / 2, min(y, belt), z] for z, y in profile])
        faces.add(body, outward, paint)
        if detailed:  # the road below and the sky above, mirrored in the paint
            for foot, top, gain in ((0.2, 0.36, under), (0.52, 0.58, over)):
                band = [(-0.49, foot), (0.49, foot), (0.49, top), (-0.49, top)]
                reflection = np.array([[side * width / 2, v * height, u * length] for u, v in band])
                faces.add(reflection, outward, (paint[0] * gain, paint[1] * gain, paint[2] * gain))
        roof = [(z, y) for z, y in profile if y > belt * 0.98]
        if len(roof) >= 3:
            roof = [(roof[0][0], belt), *roof, (roof[-1][0], belt)]
            cabin = np.array([[side * half(y), y, z] for z, y in roof])
            faces.add(cabin, outward, paint)
            pane = _inset(cabin, 0.16)
            if vehicle.kind == "van":  # windows beside the seats only
                pane[:, 2] = np.maximum(pane[:, 2], 0.1 * length)
            faces.add(pane, outward, glass)
            if detailed and vehicle.kind != "van":
                pillar = float(generator.uniform(-0.04, 0.04)) * length
                y0, y1 = belt, height * 0.98
                post = [
                    [side * half(y), y, pillar + dz]
                    for y, dz in ((y0, -0.05), (y0, 0.05), (y1, 0.05), (y1, -0.05))
                ]
                faces.add(np.array(post), outward, paint)
        sill = np.array([[side * width / 2, y, z] for z, y in (
            (-0.48 * length, 0.13 * height), (0.48 * length, 0.13 * height), (0.48 * length, 0.22 * height),
            (-0.48 * length, 0.22 * height))])  # fmt: skip
        faces.add(sill, outward, (30, 30, 33))
        _wheels(faces, side, width, (-0.31 * length, 0.31 * length), 0.3, outward, generator)
    sheen = _sheen(generator) if detailed else None
    canvas.solid(faces.build(), vehicle.train_id, instance=instance, sheen=sheen)


def _sheen(generator: Generator) -> FloatArray:
    """What the street mirrors in paint and glass: a gain [32, 64] around 1, to be laid over the whole car."""
    blotches = generator.uniform(0.02, 0.22) * noise_patch(generator, 32, 64)
    fall = generator.uniform(-0.25, 0.4) * np.linspace(1, -1, 32)[:, None]
    return np.clip(1 + blotches + fall, 0.3, 1.9)


def _wheels(
    faces: _Faces, side: int, width: float, places: tuple[float, ...], radius: float, outward: FloatArray,
    generator: Generator,
) -> None:  # fmt: skip
    angles = np.arange(12) * (np.pi / 6)
    hub = jitter(generator, (92, 94, 98), 50)
    for z in places:
        for r, colour in ((radius * 1.2, ARCH), (radius, RUBBER), (radius * 0.58, hub)):
            rim = np.column_stack(
                [np.full(12, side * (width / 2 + 0.01)), radius + r * np.sin(angles), z + r * np.cos(angles)]
            )
            faces.add(rim, outward, colour)


def _box(canvas: Canvas, vehicle: Vehicle, light: Light, generator: Generator, instance: int) -> None:
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
    under = _Faces(canvas, vehicle, light)
    for side in (-1, 1):
        outward = np.array([float(side), 0.0, 0.0])
        if kind != "train":
            wheels = (
                (-0.3 * length, 0.32 * length)
                if kind != "truck"
                else (-0.36 * length, -0.24 * length, 0.36 * length)
            )
            _wheels(under, side, width - 0.1, wheels, 0.48, outward, generator)
        skirt = np.array(
            [[side * w * 0.96, y, z] for z, y in ((-l, 0.12), (l, 0.12), (l, floor), (-l, floor))]
        )
        under.add(skirt, outward, (24, 24, 26))
    for sign in (-1.0, 1.0):
        skirt = np.array(
            [[x, y, sign * l * 0.99] for x, y in ((-w, 0.15), (w, 0.15), (w, floor), (-w, floor))]
        )
        under.add(skirt, np.array([0.0, 0.0, sign]), (26, 26, 28))
    for local, outward_local, face_texture in sides:
        x, y, z = outward_local
        normal = np.array([x * cos + z * sin, y, -x * sin + z * cos])
        world = _place(vehicle, local)
        if normal @ (eye - world[0]) > 0:
            gain = light.on(normal)
            lit = np.clip(face_texture * gain, 0, 255).astype(np.uint8)
            canvas.quad(world, lit, vehicle.train_id, instance=instance)
    canvas.solid(under.build(), vehicle.train_id, instance=instance)


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


_DETAIL = 9.0  # pixels a metre, below which lamps and plates are left out


def draw_vehicle(canvas: Canvas, vehicle: Vehicle, light: Light) -> None:
    """Draw with a fresh object number; the same seed gives the same vehicle."""
    outline = footprint(vehicle, margin=0.2)
    high = 4.5 if vehicle.kind in ("bus", "truck", "train") else 2.6
    corners = [[x, y, z] for x, z in outline for y in (0.0, high)]
    if canvas.hidden(np.array(corners)):
        return
    generator = np.random.default_rng(vehicle.seed)
    instance = canvas.new_object()
    if vehicle.kind in _PROFILES:
        depth = float(np.hypot(vehicle.x - canvas.camera.offset_x, vehicle.z))
        detailed = canvas.camera.focal / depth > _DETAIL
        _car(canvas, vehicle, light, generator, instance, detailed=detailed)
    else:
        _box(canvas, vehicle, light, generator, instance)
