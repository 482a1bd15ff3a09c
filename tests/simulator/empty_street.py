"""A street with nothing in it, and where in its picture a vehicle's box belongs."""

from __future__ import annotations

import numpy as np

from streets.projection import Camera, FloatArray
from streets.raster import Canvas
from streets.vehicles import Light, Vehicle, place, size

LIGHT = Light(np.array([0.0, 1.0, 0.0]), direct=0.3, ambient=0.7)


def street_camera(yaw: float = 0.0) -> Camera:
    return Camera(
        width=160, height=120, focal=120.0, offset_x=0.0, eye_height=1.4, yaw=yaw, pitch=0.0, roll=0.0
    )


def box_of(vehicle: Vehicle, canvas: Canvas) -> tuple[FloatArray, FloatArray]:
    """The corners of its box in camera space [8, 3], and their pixels [8, 2]."""
    length, width, height = size(vehicle)
    corners = [
        [x, y, z] for x in (-width / 2, width / 2) for y in (0, height) for z in (-length / 2, length / 2)
    ]
    points = canvas.camera.to_camera(place(vehicle, np.array(corners)))
    return points, canvas.camera.to_pixels(points)
