"""Draws the ground: surfaces and paint, grain and stains, cast shadows, wet shine."""

import cv2
import numpy as np
from numpy.typing import NDArray

from streets import materials
from streets.materials import Generator
from streets.raster import Canvas
from streets.scene import StreetScene
from streets.street import TERRAIN
from streets.vehicles import footprint


def paint_ground(canvas: Canvas, scene: StreetScene, generator: Generator) -> None:
    """Surfaces and paint, then grain, stains and shadows over all of them."""
    inverse, below = _ground_pixels(canvas)
    height, width = canvas.label.shape
    colour, train_id = scene.base
    canvas.image[below] = np.asarray(colour).astype(np.uint8)
    canvas.label[below] = train_id
    for patch in scene.ground:
        canvas.ground(patch.outline, patch.colour, patch.train_id, alpha=patch.alpha)
    np.copyto(canvas.inverse_depth, inverse, where=below)
    top = int(np.argmax(below.any(1)))
    if not below[-1].any():
        return
    # grain and stains: two scales of tileable noise laid on the ground plane
    rows = slice(top, height)
    to_ground = canvas.camera.pixel_to_ground @ np.array([[1, 0, 0], [0, 1, top], [0, 0, 1]])
    fade = np.minimum(inverse[rows] * 14, 1) * np.float32(scene.texture * scene.ground_roughness)
    fade += fade * (canvas.label[rows] == TERRAIN)  # grass is rougher
    gain = np.ones((height - top, width), np.float32)
    for density, strength in ((60.0, 0.07), (4.0, 0.07)):
        tile = materials.noise_tile(int(generator.integers(8)))
        place = np.array(
            [[density, 0, generator.uniform(0, 512)], [0, density, generator.uniform(0, 512)], [0, 0, 1]]
        )
        layer = cv2.warpPerspective(
            tile, place @ to_ground, (width, height - top), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_WRAP,
        )  # fmt: skip
        gain += cv2.multiply(layer, fade, scale=strength)
    if scene.sunny:
        shade = ground_shadow(canvas, scene)[rows]
        depth = float(generator.uniform(0.38, 0.62))
        gain *= (1 + 0.12 * scene.light.direct) - shade.astype(np.float32) * np.float32((1 - depth) / 255)
    contact = np.zeros((height, width), np.uint8)  # the dark below every car
    canvas.ground_mask([footprint(vehicle, margin=0.12) for vehicle in scene.vehicles], contact, 255)
    contact = cv2.blur(contact, (3, 3))[rows]
    gain *= 1 - contact.astype(np.float32) * np.float32(0.62 / 255)
    region = canvas.image[rows]
    lit = np.clip(128 * gain, 0, 255).astype(np.uint8)
    lit = np.where(below[rows], lit, 128).astype(np.uint8)
    materials.brighten(region, lit, one=128, into=region)
    if scene.wet > 0:  # wet asphalt mirrors the sky at grazing angles
        shine = np.clip(1 - inverse[rows] * 9, 0, 1) * np.float32(scene.wet * 0.7) * (canvas.label[rows] == 0)
        region[:] = region + (canvas.image[max(top - 2, 0)].mean(0) - region) * shine[..., None]


def ground_shadow(canvas: Canvas, scene: StreetScene) -> NDArray[np.uint8]:
    """Mask [H, W] of cast shadows on the ground: 255 in full shadow."""
    mask = np.zeros(canvas.label.shape, np.uint8)
    offset = np.asarray(scene.shadow)
    length = float(np.hypot(*offset))
    if length > 3.5:
        offset = offset * (3.5 / length)
    outlines = []
    for building in scene.buildings:
        corners = np.concatenate([building.footprint, building.footprint + offset * building.height])
        hull = cv2.convexHull(corners.astype(np.float32))[:, 0]
        outlines.append(hull.astype(np.float64))
    for vehicle in scene.vehicles:
        corners = footprint(vehicle)
        hull = cv2.convexHull(np.concatenate([corners, corners + offset * 1.4]).astype(np.float32))[:, 0]
        outlines.append(hull.astype(np.float64))
    circle = np.column_stack([np.cos(np.linspace(0, 2 * np.pi, 9)), np.sin(np.linspace(0, 2 * np.pi, 9))])
    for upright in scene.uprights:
        foot = np.array([upright.x, upright.z])
        if upright.kind.endswith("tree"):
            radius = upright.height * (0.22 if upright.kind == "bare tree" else 0.34)
            outlines.append(foot + offset * upright.height * 0.65 + circle * radius)
        else:
            tip = foot + offset * upright.height
            across = np.array([offset[1], -offset[0]]) / (np.hypot(*offset) + 1e-6) * 0.18
            outlines.append(np.array([foot - across, foot + across, tip + across, tip - across]))
    for post in scene.posts:
        foot = np.array([post.x, post.z])
        across = np.array([offset[1], -offset[0]]) / (np.hypot(*offset) + 1e-6) * post.width / 2
        tip = foot + offset * post.height
        outlines.append(np.array([foot - across, foot + across, tip + across, tip - across]))
    canvas.ground_mask(outlines, mask, 255)
    return cv2.blur(mask, (3, 3))


def _ground_pixels(canvas: Canvas) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    a, b, c = canvas.camera.ground_inverse_depth
    height, width = canvas.label.shape
    row = (a * np.arange(width) + c).astype(np.float32)
    inverse = row[None] + (b * np.arange(height)).astype(np.float32)[:, None]
    return inverse, inverse > 1 / 400
