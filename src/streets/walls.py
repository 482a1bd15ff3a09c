"""Draws what is flat and upright: buildings, walls, fences and hedges."""

from collections.abc import Callable

import cv2
import numpy as np

from streets import facades, materials
from streets.materials import Generator, Image, choose
from streets.projection import FloatArray
from streets.raster import Canvas
from streets.scene import Barrier, Building, StreetScene

BUILDING, WALL, FENCE, VEGETATION = 2, 3, 4, 8


def plain(generator: Generator, texture: Image, density: float) -> Image:
    """A front as it is."""
    return texture


def draw_building(
    canvas: Canvas,
    building: Building,
    scene: StreetScene,
    *,
    finish: Callable[[Generator, Image, float], Image] = plain,
) -> None:
    """The visible walls, the roof, and now and then a chimney.

    finish: has the last word on a wall's texture of so many pixels a metre.
    """
    corners = building.footprint
    top_corners = np.column_stack([corners[:, 0], np.full(4, building.height), corners[:, 1]])
    foot_corners = top_corners * (1.0, 0.0, 1.0)
    if canvas.hidden(np.concatenate([top_corners, foot_corners])):
        return
    generator, seen = np.random.default_rng(building.seed), 0
    for index in range(4):
        a, b = corners[index], corners[(index + 1) % 4]
        if not _faces_camera(canvas, a, b):
            continue
        world = _wall_corners(a, b, 0.0, building.height)
        depth = _nearest_depth(canvas, world)
        if depth < 0 or canvas.hidden(world):
            continue
        length = float(np.hypot(*(b - a)))
        density = _density(canvas, depth, length * building.height, highest=24)
        front = index == 0
        shop = building.shop and (front or generator.random() < 0.4)
        if not front and generator.random() < 0.35:
            rows, columns = max(round(building.height * density), 4), max(round(length * density), 4)
            texture = facades.masonry(
                generator, building.kind, rows, columns, density, contrast=scene.texture
            )
        else:
            texture = facades.facade(
                generator, building.kind, width=length, height=building.height, density=density, shop=shop,
                contrast=scene.texture,
            )  # fmt: skip
        texture = finish(generator, texture, density)
        gain = _brightness(scene, a, b)
        if scene.sunny and gain > 0.9 and generator.random() < 0.4:  # the shadow of the houses opposite
            _shade(texture, generator)
        canvas.quad(world, cv2.convertScaleAbs(texture, alpha=gain), BUILDING)
        seen += 1
    if building.pitched and seen:
        rise, depth_m = generator.uniform(1.5, 3.5), 5.0
        a, b, c, d = corners
        inward = (d - a) / (np.linalg.norm(d - a) + 1e-9)
        ridge_a, ridge_b = a + inward * depth_m, b + inward * depth_m
        top = building.height
        slope = np.array(
            [
                [a[0], top, a[1]],
                [b[0], top, b[1]],
                [ridge_b[0], top + rise, ridge_b[1]],
                [ridge_a[0], top + rise, ridge_a[1]],
            ]
        )
        tiles = facades.roof(generator, 24, 48, contrast=scene.texture)
        if scene.snow > 0:
            cover = min(2 * scene.snow, 0.9)
            tiles = cv2.addWeighted(tiles, 1 - cover, np.full_like(tiles, 238), cover, 0)
        tiles = cv2.convertScaleAbs(tiles, alpha=float(scene.light.on(np.array([0.0, 1.0, 0.0]))))
        canvas.quad(slope, tiles, BUILDING)
        base = materials.jitter(generator, (140, 110, 92), 25)
        for start, ridge, end in ((a, ridge_a, d), (b, ridge_b, c)):
            gable = np.array(
                [[start[0], top, start[1]], [end[0], top, end[1]], [ridge[0], top + rise, ridge[1]]]
            )
            canvas.polygon(gable, base, BUILDING)
        if generator.random() < 0.5:
            place = ridge_a + (ridge_b - ridge_a) * generator.uniform(0.05, 0.95)
            half = np.array([0.5, 0.0])
            stack = _wall_corners(place - half, place + half, top + rise - 0.6, top + rise + 1.3)
            canvas.polygon(stack, materials.jitter(generator, (120, 84, 70), 20), BUILDING)


def _shade(texture: Image, generator: Generator) -> None:
    """Darken the lower part of a wall, up to a line that may slope."""
    rows, columns = texture.shape[:2]
    left = generator.uniform(0.1, 0.9) * rows
    right = left if generator.random() < 0.5 else generator.uniform(0.0, 1.0) * rows
    lit = np.full((rows, columns), 255, np.uint8)
    outline = np.array([(0, left), (columns, right), (columns, rows), (0, rows)], np.int32)
    cv2.fillPoly(lit, [outline], 255 * generator.uniform(0.45, 0.75))
    materials.brighten(texture, lit, one=255, into=texture)


def draw_barrier(canvas: Canvas, barrier: Barrier, scene: StreetScene) -> None:
    """A wall, a fence that can be seen through, a hedge, or columns, standing along a line."""
    a, b = np.asarray(barrier.start), np.asarray(barrier.end)
    world = _wall_corners(a, b, 0.0, barrier.height)
    depth = _nearest_depth(canvas, world)
    if depth < 0 or canvas.hidden(world):
        return
    generator = np.random.default_rng(barrier.seed)
    length = float(np.hypot(*(b - a)))
    density = min(_density(canvas, depth, length * barrier.height, highest=60), 700 / length)
    rows, columns = max(round(barrier.height * density), 3), max(round(length * density), 4)
    gain = max(_brightness(scene, a, b), _brightness(scene, b, a) * 0.9)
    if barrier.kind == "wall":
        kind = choose(generator, {"brick": 4, "stone": 3, "concrete": 2, "painted": 1})
        texture = facades.masonry(generator, kind, rows, columns, density, contrast=scene.texture)
        texture[: max(rows // 12, 1)] = materials.jitter(generator, (160, 156, 148), 30)
        canvas.quad(world, cv2.convertScaleAbs(texture, alpha=gain), WALL)
    elif barrier.kind == "hedge":
        colour = materials.hedge_colour(generator, "dark" if generator.random() < 0.4 else scene.palette)
        texture = materials.foliage(generator, rows, columns, colour, contrast=scene.texture)
        ragged = np.full((rows, columns), 255, np.uint8)
        edge = np.clip(
            rows * (0.08 + 0.05 * materials.noise_patch(generator, 2, columns, zoom=2)[0]), 0, rows
        )
        ragged[np.arange(rows)[:, None] < edge[None]] = 0
        canvas.quad(world, cv2.convertScaleAbs(texture, alpha=gain), VEGETATION, alpha=ragged)
    elif barrier.kind == "guardrail":
        texture = materials.flat(rows, columns, materials.jitter(generator, (170, 172, 172), 20))
        beam = np.zeros((rows, columns), np.uint8)
        beam[: max(rows // 2, 1)] = 255
        beam[:, :: max(int(2 * density), 3)] = 255
        canvas.quad(world, cv2.convertScaleAbs(texture, alpha=gain), FENCE, alpha=beam)
    elif barrier.kind == "arcade":
        texture, columns_and_beam = facades.arcade(generator, rows, columns, density)
        canvas.quad(world, cv2.convertScaleAbs(texture, alpha=gain), BUILDING, alpha=columns_and_beam)
    else:
        only = barrier.kind if barrier.kind in ("bars", "mesh") else None
        texture, bars = materials.railing(
            generator, width=length, height=barrier.height, density=density, kind=only
        )
        canvas.quad(world, cv2.convertScaleAbs(texture, alpha=gain), FENCE, alpha=bars, solid_label=True)


def _wall_corners(a: FloatArray, b: FloatArray, low: float, high: float) -> FloatArray:
    return np.array([[a[0], low, a[1]], [b[0], low, b[1]], [b[0], high, b[1]], [a[0], high, a[1]]])


def _faces_camera(canvas: Canvas, a: FloatArray, b: FloatArray) -> bool:
    """Whether the outside of the wall a→b (outside on the left of the direction) is seen."""
    normal = np.array([b[1] - a[1], -(b[0] - a[0])])
    eye = np.array([canvas.camera.offset_x, 0.0])
    return bool(normal @ (eye - a) > 0)


def _nearest_depth(canvas: Canvas, corners: FloatArray) -> float:
    depths = canvas.camera.to_camera(corners)[:, 2].tolist()
    return max(min(depths), 1.0) if max(depths) > 0.5 else -1.0


def _density(canvas: Canvas, depth: float, area: float, *, highest: float) -> float:
    """Texture pixels per metre for a wall of `area` m² whose nearest point lies at `depth`: as fine as it
    will be seen, but no more pixels in all than half the canvas."""
    affordable = (canvas.label.size / 2 / max(area, 1.0)) ** 0.5
    return min(max(min(canvas.camera.focal / depth * 0.9, affordable), 1.5), highest)


def _brightness(scene: StreetScene, a: FloatArray, b: FloatArray) -> float:
    normal = np.array([b[1] - a[1], 0.0, -(b[0] - a[0])])
    return float(scene.light.on(normal / (np.linalg.norm(normal) + 1e-9)))
