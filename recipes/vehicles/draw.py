"""Draw src/streets/models.npz: cars, vans, pickups, trucks and buses without colours, from many sides.

    python -m pip install numba
    python recipes/vehicles/draw.py CATALOGUES

CATALOGUES is a folder with Scopia.sh3f, KatorLegaz.sh3f, BlendSwap-CC-0.sh3f and BlendSwap-CC-BY.sh3f, the
furniture of Sweet Home 3D (Debian has it as `sweethome3d-furniture`); `fleet.py` says which models are used
and who made them. Takes half a minute. `streets.models` reads the file and gives colours and light.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

from fleet import fleet
from streets import models
from wavefront import PART, Mesh

YAWS = 20
SHARP = 0.7  # the cosine between faces that make an edge
Array = NDArray[np.float64]


@numba.njit(cache=True)
def _raster(screen: Array, depth: Array, height: int, width: int) -> tuple[NDArray[np.int32], Array]:
    """The nearest triangle of each pixel, -1 for none, and its barycentric coordinates."""
    nearest = np.zeros((height, width))
    seen = np.full((height, width), -1, np.int32)
    where = np.zeros((height, width, 3))
    for t in range(len(screen)):
        (ax, ay), (bx, by), (cx, cy) = screen[t, 0], screen[t, 1], screen[t, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        for y in range(max(int(np.ceil(min(ay, by, cy))), 0), min(int(max(ay, by, cy)) + 1, height)):
            for x in range(max(int(np.ceil(min(ax, bx, cx))), 0), min(int(max(ax, bx, cx)) + 1, width)):
                v = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                w = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                u = 1 - v - w
                if u < 0 or v < 0 or w < 0:
                    continue
                u, v, w = u / depth[t, 0], v / depth[t, 1], w / depth[t, 2]
                inverse = u + v + w
                if inverse > nearest[y, x]:
                    nearest[y, x], seen[y, x] = inverse, t
                    where[y, x, 0], where[y, x, 1], where[y, x, 2] = u / inverse, v / inverse, w / inverse
    return seen, where


@numba.njit(cache=True)
def _smooth(
    flat: Array, vertex: NDArray[np.int64], start: NDArray[np.int64], owner: NDArray[np.int64]
) -> Array:
    """Of each corner, the mean normal of the faces that meet there without an edge."""
    out = np.zeros((len(flat), 3, 3))
    size = np.sqrt((flat * flat).sum(axis=1)) + 1e-12
    for t in range(len(flat)):
        for k in range(3):
            v = vertex[3 * t + k]
            for n in range(start[v], start[v + 1]):
                other = owner[n]
                same = (flat[t] * flat[other]).sum() / (size[t] * size[other])
                if abs(same) > SHARP:
                    out[t, k] += flat[other] * np.sign(same)
    return out


def corner_normals(corners: Array) -> Array:
    """[T, 3, 3]."""
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    _, vertex = np.unique(
        np.rint(corners.reshape(-1, 3) * 1000).astype(np.int64), axis=0, return_inverse=True
    )
    vertex = vertex.ravel()
    order = np.argsort(vertex, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(vertex))])
    return _smooth(flat, vertex, start, order // 3)


def drawn(
    mesh: Mesh, normals: Array, yaw: float, away: float, eye: float, density: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[int, int]]:
    """Codes (part + 16 x tone) and normals (16 x across + up) of what is seen, cut out.

    Last, the pixel (row, column) of the middle of its floor plan.

    yaw: which way it looks, 0 away from the camera; away, eye: metres to its middle and above the ground;
    density: pixels of a metre there.
    """
    s, c = np.sin(yaw), np.cos(yaw)
    turn = np.array([[-c, 0, s], [0, 1, 0], [s, 0, c]])  # x to the left becomes x to the right
    points = mesh.corners @ turn.T
    depth = points[..., 2] + away
    focal = density * away
    half = density * np.abs(points[..., 0] * away / depth).max()
    down = (eye - points[..., 1]) * focal / depth
    high = down.min()
    width, height = int(2 * half) + 3, int(down.max() - high) + 3
    screen = np.stack([half + 1 + points[..., 0] * focal / depth, down - high + 1], -1)
    seen, where = _raster(screen, depth, height, width)
    glass = mesh.parts == PART["glass"]
    behind = _raster(screen[~glass], depth[~glass], height, width)[0]
    there, first = seen >= 0, np.maximum(seen, 0)
    parts, grey = mesh.parts[first], mesh.grey[first].copy()
    places = np.einsum("hwk,hwkc->hwc", where, mesh.places[first])
    for index, picture in enumerate(mesh.pictures):
        here = there & (mesh.picture[first] == index)
        rows = ((1 - places[here, 1]) % 1 * len(picture)).astype(int) % len(picture)
        colour = (
            picture[rows, (places[here, 0] % 1 * picture.shape[1]).astype(int) % picture.shape[1]] / 255.0
        )
        tone, part = colour @ (0.3, 0.6, 0.1), parts[here]
        free = part == PART["grey"]
        part[free & (colour[:, 0] > 1.6 * colour[:, 1:].max(1)) & (colour[:, 0] > 0.3)] = PART["red"]
        painted = (part == PART["paint"]) | (part == PART["second"])
        brightest = np.quantile(tone[painted], 0.9) if painted.any() else 1.0
        parts[here], grey[here] = part, np.where(painted, tone / max(brightest, 0.1), tone)
    pane = there & (parts == PART["glass"])
    grey[pane] = np.where(behind[pane] < 0, 0.5, 0.3 * mesh.grey[~glass][np.maximum(behind[pane], 0)])
    facing = np.einsum("hwk,hwkc->hwc", where, normals[first]) @ turn.T
    facing /= np.maximum(np.linalg.norm(facing, axis=-1, keepdims=True), 1e-9)
    facing[facing[..., 2] > 0] *= -1
    tone = np.where(there, np.rint(np.clip(grey, 0, 1) * 15), 0).astype(np.uint8)
    across, up = (
        np.where(there, np.rint((facing[..., k] / 2 + 0.5) * 15), 0).astype(np.uint8) for k in (0, 1)
    )
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    middle = round(eye * density - high + 1) - rows[0], round(half + 1) - columns[0]
    return (np.where(there, parts, 0).astype(np.uint8) | tone << 4)[box], (across << 4 | up)[box], middle


def main() -> None:
    rng = np.random.default_rng(2026)
    codes, turns, rows = [], [], []
    for number, model in enumerate(fleet(Path(sys.argv[1]))):
        corners = model.mesh.corners
        width, height, length = np.ptp(corners.reshape(-1, 3), axis=0)
        normals = corner_normals(corners)
        for away, share in ((length * 0.8 + 3.2, 0.8), (length * 1.2 + 14, 0.75)):
            density = 105 / length**0.5 * share
            for view in range(YAWS):
                yaw = 2 * np.pi * (view + rng.random() - 0.5) / YAWS
                code, normal, middle = drawn(model.mesh, normals, yaw, away, rng.uniform(1.1, 1.9), density)
                codes.append(code.ravel())
                turns.append(normal.ravel())
                kind = models.KINDS.index(model.kind)
                rows.append((kind, number, *code.shape, *middle, yaw, away, density, length, width, height))
        print(f"{model.kind}, {model.name}: {length:.1f} m x {width:.1f} m x {height:.1f} m")
    file = Path(models.__file__).with_suffix(".npz")
    views = np.array(rows, np.float32)
    np.savez_compressed(file, codes=np.concatenate(codes), normals=np.concatenate(turns), views=views)
    print(f"{file}: {len(rows)} pictures, {file.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
