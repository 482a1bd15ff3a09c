"""A pinhole camera above a street: where it stands, where it looks, and where points land.

World: X to the right, Y up, Z forward along the street, in metres; the camera stands at (x, eye_height, 0).
Camera space: x right, y down, z forward. Pixels: u right, v down, centres at integers.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Camera:
    """focal in pixels; yaw, pitch (down is positive) and roll in radians; offset_x, eye_height in metres."""

    width: int
    height: int
    focal: float
    offset_x: float
    eye_height: float
    yaw: float
    pitch: float
    roll: float

    @property
    def centre(self) -> tuple[float, float]:
        return (self.width - 1) / 2, (self.height - 1) / 2

    @cached_property
    def rotation(self) -> NDArray[np.float64]:
        """[3, 3]: world directions to camera directions."""
        sy, cy = np.sin(self.yaw), np.cos(self.yaw)
        sp, cp = np.sin(self.pitch), np.cos(self.pitch)
        sr, cr = np.sin(self.roll), np.cos(self.roll)
        turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        flip = np.diag([1.0, -1.0, 1.0])
        tilt = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        bank = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return bank @ tilt @ flip @ turn

    @cached_property
    def eye(self) -> NDArray[np.float64]:
        """The camera's place (X, Y, Z) in the world, in metres."""
        return np.array([self.offset_x, self.eye_height, 0.0])

    def to_camera(self, points: FloatArray) -> FloatArray:
        """World points [N, 3] to camera space [N, 3]."""
        return (points - self.eye) @ self.rotation.T

    def to_pixels(self, points: FloatArray) -> FloatArray:
        """Camera-space points [N, 3] with z > 0 to pixels [N, 2]."""
        return points[:, :2] * (self.focal / points[:, 2:]) + self.centre

    @cached_property
    def pixel_to_ray(self) -> NDArray[np.float64]:
        """[3, 3]: (u, v, 1) to a camera-space direction whose z is 1."""
        cx, cy = self.centre
        return np.array(
            [[1 / self.focal, 0, -cx / self.focal], [0, 1 / self.focal, -cy / self.focal], [0, 0, 1]]
        )

    @cached_property
    def pixel_to_ground(self) -> NDArray[np.float64]:
        """[3, 3] homography: (u, v, 1) to (X, Z, 1) on the plane Y = 0, up to scale."""
        direction = self.rotation.T @ self.pixel_to_ray  # world direction of each pixel's ray
        # point = eye + t * direction with t = -eye_height / direction_y
        scale = -direction[1] / self.eye_height
        return np.stack([direction[0] + self.offset_x * scale, direction[2], scale])

    def inverse_depth_coefficients(self, point: FloatArray, normal: FloatArray) -> NDArray[np.float64]:
        """(a, b, c) with 1/z = a u + b v + c on the plane through `point` (camera space) with `normal`."""
        return (normal @ self.pixel_to_ray) / float(normal @ point)

    @cached_property
    def ground_inverse_depth(self) -> NDArray[np.float64]:
        """(a, b, c) of the ground plane: 1/z = a u + b v + c below the horizon, negative above it."""
        normal = self.rotation @ np.array([0.0, 1.0, 0.0])
        below = self.rotation @ np.array([0.0, -self.eye_height, 0.0])
        return self.inverse_depth_coefficients(below, normal)

    @cached_property
    def ray_length(self) -> NDArray[np.float32]:
        """[H, W]: distance along the ray for each metre of depth, >= 1."""
        cx, cy = self.centre
        x = (np.arange(self.width, dtype=np.float32) - cx) / self.focal
        y = (np.arange(self.height, dtype=np.float32) - cy) / self.focal
        return np.sqrt(1 + x[None, :] ** 2 + y[:, None] ** 2, dtype=np.float32)
