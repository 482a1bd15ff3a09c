"""What a vehicle is: its kind, size and place, and how daylight falls on it.

Vehicle space: x to the right, y up, z forward, the origin on the ground below the middle; metres.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from streets.materials import Generator
from streets.projection import FloatArray

CAR, TRUCK, BUS, TRAIN = 13, 14, 15, 16


@dataclass(frozen=True)
class Light:
    """Where daylight comes from: unit direction to the sun (world), its share, and the share from the sky."""

    sun: FloatArray
    direct: float
    ambient: float

    def on(self, normals: FloatArray) -> FloatArray:
        """Brightness [...] of surfaces with these unit world normals [..., 3]."""
        return self.ambient * (0.82 + 0.18 * normals[..., 1]) + self.direct * np.maximum(
            normals @ self.sun, 0.0
        )


@dataclass(frozen=True)
class Vehicle:
    """kind: saloon, hatch, estate, suv, van, pickup, truck, bus or train; heading in radians, 0: away."""

    kind: str
    x: float
    z: float
    heading: float
    seed: int

    @property
    def train_id(self) -> int:
        return {"pickup": TRUCK, "truck": TRUCK, "bus": BUS, "train": TRAIN}.get(self.kind, CAR)


def dimensions(kind: str, generator: Generator) -> tuple[float, float, float]:
    """Length, width and height in metres."""
    ranges = {
        "saloon": ((4.2, 4.9), (1.7, 1.85), (1.38, 1.48)),
        "hatch": ((3.6, 4.3), (1.62, 1.8), (1.4, 1.56)),
        "estate": ((4.3, 4.9), (1.7, 1.85), (1.42, 1.52)),
        "suv": ((4.2, 4.8), (1.8, 1.95), (1.62, 1.82)),
        "van": ((4.6, 5.8), (1.85, 2.05), (1.9, 2.5)),
        "pickup": ((5.0, 5.9), (1.85, 2.05), (1.7, 1.95)),
        "truck": ((6.0, 10.0), (2.3, 2.5), (2.9, 3.9)),
        "bus": ((9.0, 12.0), (2.45, 2.55), (2.9, 4.3)),
        "train": ((14.0, 30.0), (2.4, 2.65), (3.2, 3.7)),
    }
    length, width, height = (float(generator.uniform(*bounds)) for bounds in ranges[kind])
    if kind == "bus":  # single or double deck, nothing between
        height = 4.2 if height > 3.7 else 3.1
    return length, width, height


def place(vehicle: Vehicle, local: FloatArray) -> FloatArray:
    """Vehicle space [..., 3] to the world."""
    sin, cos = math.sin(vehicle.heading), math.cos(vehicle.heading)
    world = np.empty_like(local, dtype=np.float64)
    world[..., 0] = vehicle.x + local[..., 0] * cos + local[..., 2] * sin
    world[..., 1] = local[..., 1]
    world[..., 2] = vehicle.z - local[..., 0] * sin + local[..., 2] * cos
    return world


def footprint(vehicle: Vehicle, *, margin: float = 0.0) -> FloatArray:
    """Ground outline [4, 2] of (X, Z)."""
    length, width, _ = size(vehicle)
    w, l = width / 2 + margin, length / 2 + margin
    sin, cos = math.sin(vehicle.heading), math.cos(vehicle.heading)
    corners = [(-w, -l), (w, -l), (w, l), (-w, l)]
    return np.array([(vehicle.x + x * cos + z * sin, vehicle.z - x * sin + z * cos) for x, z in corners])


@lru_cache(maxsize=256)
def size(vehicle: Vehicle) -> tuple[float, float, float]:
    """Length, width and height in metres; a painter draws them first from the vehicle's seed."""
    return dimensions(vehicle.kind, np.random.default_rng(vehicle.seed))
