"""Simple solids as triangles: vertices [V, 3] in metres (x to the left, y up, z ahead) and corners [T, 3]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streets.bodies import PARTS

Points = NDArray[np.float64]
Triangles = NDArray[np.int64]
UPRIGHT: Points = np.eye(3)
PART = {name: index for index, name in enumerate(PARTS)}


class Piece(NamedTuple):
    """Part of a figure.

    parts: a value of PART for all triangles, or one for each. machine: whether it is
    labelled as the machine, not as somebody. gap: only labelled, as the air between spokes.
    """

    vertices: Points
    triangles: Triangles
    parts: NDArray[np.int64] | int
    machine: bool = False
    gap: bool = False


Solid = tuple[Points, Triangles]


def turn(axis: str, degrees: float) -> Points:
    """A rotation [3, 3] about an axis."""
    angle = math.radians(degrees)
    c, s = math.cos(angle), math.sin(angle)
    return np.array(
        {
            "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
            "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }[axis]
    )


def normals(vertices: Points, triangles: Triangles) -> Points:
    """Of each vertex, the mean of its triangles by area."""
    total = np.zeros_like(vertices)
    corners = vertices[triangles]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for corner in range(3):
        np.add.at(total, triangles[:, corner], flat)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)


def tube(start: ArrayLike, end: ArrayLike, radius: float, sides: int = 8) -> Solid:
    """Open at both ends."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    along = (b - a) / np.linalg.norm(b - a)
    across = np.cross(along, [1, 0, 0] if abs(along[0]) < 0.9 else [0, 1, 0])
    across /= np.linalg.norm(across)
    angles = np.arange(sides) * 2 * math.pi / sides
    ring = radius * (np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * np.cross(along, across))
    here = np.arange(sides)
    there = (here + 1) % sides
    triangles = np.r_[np.c_[here, there, there + sides], np.c_[here, there + sides, here + sides]]
    return np.r_[a + ring, b + ring], triangles


def torus(centre: Sequence[float], ring: float, radius: float, segments: int = 36, sides: int = 6) -> Solid:
    """A tyre that rolls ahead."""
    around = 2 * math.pi * np.arange(segments)[:, None] / segments
    inside = 2 * math.pi * np.arange(sides)[None] / sides
    out = ring + radius * np.cos(inside)
    vertices = np.stack(
        [
            np.broadcast_to(centre[0] + radius * np.sin(inside), (segments, sides)),
            centre[1] + out * np.sin(around),
            centre[2] + out * np.cos(around),
        ],
        axis=-1,
    ).reshape(-1, 3)
    triangles = []
    for i in range(segments):
        for j in range(sides):
            a, b = i * sides + j, (i + 1) % segments * sides + j
            c, d = i * sides + (j + 1) % sides, (i + 1) % segments * sides + (j + 1) % sides
            triangles += [[a, b, d], [a, d, c]]
    return vertices, np.array(triangles)


def disc(centre: Sequence[float], radius: float, segments: int = 24) -> Solid:
    """What a wheel covers."""
    around = np.arange(segments) * 2 * math.pi / segments
    x, y, z = centre
    rim = np.c_[np.full(segments, x), y + radius * np.sin(around), z + radius * np.cos(around)]
    here = np.arange(segments)
    return np.r_[rim, [centre]], np.c_[here, (here + 1) % segments, np.full(segments, segments)]


def ellipsoid(
    centre: ArrayLike,
    radii: ArrayLike,
    turned: Points = UPRIGHT,
    lowest: float = -1.0,
    around: int = 12,
    rings: int = 8,
) -> Solid:
    """Of it what lies above `lowest`, in shares of its upright radius."""
    angles = 2 * math.pi * np.arange(around) / around
    unit = np.array(
        [
            [math.cos(rise) * math.cos(angle), math.sin(rise), math.cos(rise) * math.sin(angle)]
            for rise in np.linspace(math.asin(max(-1, lowest)), math.pi / 2, rings)
            for angle in angles
        ]
    )
    triangles = []
    for ring in range(rings - 1):
        for step in range(around):
            a, b = ring * around + step, ring * around + (step + 1) % around
            triangles += [[a, a + around, b], [b, a + around, b + around]]
    return unit * np.asarray(radii) @ turned.T + np.asarray(centre), np.array(triangles)


def box(low: ArrayLike, high: ArrayLike) -> Solid:
    """Between two corners."""
    ends = np.asarray(low, float), np.asarray(high, float)
    vertices = np.array(
        [[ends[i][0], ends[j][1], ends[k][2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    )
    sides = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    return vertices, np.array([corners for a, b, c, d in sides for corners in ((a, b, c), (a, c, d))])


def prism(outline: Sequence[tuple[float, float]], half_width: ArrayLike) -> Solid:
    """A side view of (y, z), counter-clockwise seen from the left, drawn out to both sides."""
    count = len(outline)
    half = np.broadcast_to(np.asarray(half_width, float), count)
    flat = np.array(outline, float)
    here = np.arange(count)
    there = (here + 1) % count
    triangles = [[a, b, b + count] for a, b in zip(here, there, strict=True)]
    triangles += [[a, b + count, a + count] for a, b in zip(here, there, strict=True)]
    for i in range(1, count - 1):
        triangles += [[0, i, i + 1], [count, count + i + 1, count + i]]
    return np.r_[np.c_[half, flat], np.c_[-half, flat]], np.array(triangles)
