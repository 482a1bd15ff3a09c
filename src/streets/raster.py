"""The canvas: colour, label, object number and inverse depth, and the few primitives that draw on them.

Everything upright is tested against the inverse-depth buffer, so nearer things hide farther ones in
whatever order they are drawn. Colours are uint8 RGB. Planar polygons carry their exact depth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from streets.materials import brighten
from streets.projection import Camera, FloatArray

NEAR = 0.35  # metres: the closest depth that is drawn
_SHIFT = 4  # OpenCV polygon coordinates carry this many fractional bits
_LIMIT = 1 << 25

Colour = tuple[float, float, float]
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Sprite:
    """A flat picture of one thing: rgb [h, w, 3], alpha [h, w] (0..255), label [h, w] (255 = nothing)."""

    rgb: Image
    alpha: Image
    label: Image

    def mirrored(self) -> Sprite:
        """Left and right exchanged."""
        return Sprite(*(np.ascontiguousarray(layer[:, ::-1]) for layer in (self.rgb, self.alpha, self.label)))


@dataclass(frozen=True)
class Box:
    """Pixel bounds, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.right - self.left, self.bottom - self.top


def clip_near(points: FloatArray, near: float = NEAR) -> FloatArray:
    """Cut a camera-space polygon [N, 3] at z = near (Sutherland and Hodgman); may return no points."""
    depths = points[:, 2].tolist()
    if min(depths) >= near:
        return points
    if max(depths) < near:
        return points[:0]
    inside = [depth >= near for depth in depths]
    kept: list[FloatArray] = []
    for index in range(len(points)):
        here, there = points[index], points[(index + 1) % len(points)]
        if inside[index]:
            kept.append(here)
        if inside[index] != inside[(index + 1) % len(points)]:
            kept.append(here + (there - here) * ((near - here[2]) / (there[2] - here[2])))
    return np.stack(kept)


def _on_ground(outline: FloatArray) -> FloatArray:
    """World points [N, 3] of a ground outline [N, 2] of (X, Z)."""
    return np.column_stack([outline[:, 0], np.zeros(len(outline)), outline[:, 1]])


def _fixed(points: FloatArray) -> NDArray[np.int32]:
    scaled = np.rint(points * (1 << _SHIFT))
    return np.maximum(np.minimum(scaled, _LIMIT), -_LIMIT).astype(np.int32)  # np.clip takes thrice the time


class Canvas:
    """Buffers of one frame: image [H, W, 3], label [H, W], instance [H, W], inverse_depth [H, W] (sky 0)."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        shape = (camera.height, camera.width)
        self.image = np.zeros((*shape, 3), np.uint8)
        self.label = np.full(shape, IGNORE, np.uint8)
        self.instance = np.zeros(shape, np.uint16)
        self.inverse_depth = np.zeros(shape, np.float32)
        self._objects = 0

    def new_object(self) -> int:
        """The next free object number (1 upwards)."""
        self._objects += 1
        return self._objects

    def box_around(self, pixels: FloatArray) -> Box | None:
        """The part of the canvas that a set of pixels [N, 2] spans, or None where it spans nothing."""
        x, y = pixels.T.tolist()  # few points: much faster than reductions
        left, top = math.floor(max(min(x), 0)), math.floor(max(min(y), 0))
        right = math.ceil(min(max(x), self.camera.width - 1)) + 1
        bottom = math.ceil(min(max(y), self.camera.height - 1)) + 1
        return Box(left, top, right, bottom) if right > left and bottom > top else None

    def pixels_of(self, world: FloatArray) -> FloatArray | None:
        """Project a world polygon [N, 3], cut at the near plane; None where nothing is in front."""
        points = clip_near(self.camera.to_camera(world))
        return self.camera.to_pixels(points) if len(points) >= 3 else None

    def hidden(self, world: FloatArray) -> bool:
        """Whether a set of world points [N, 3], N >= 3, is out of view or wholly behind what is drawn."""
        points = clip_near(self.camera.to_camera(world))
        if len(points) < 3:
            return True
        box = self.box_around(self.camera.to_pixels(points))
        return box is None or bool(self.inverse_depth[box.slices].min() > 1 / points[:, 2].min())

    def ground_mask(self, polygons: list[FloatArray], mask: Image, value: int) -> None:
        """Fill ground polygons (each [N, 2] of X, Z) in a full-size mask."""
        for polygon in polygons:
            pixels = self.pixels_of(_on_ground(polygon))
            if pixels is not None:
                cv2.fillPoly(mask, [_fixed(pixels)], value, lineType=cv2.LINE_8, shift=_SHIFT)

    def ground(
        self, polygon: FloatArray, colour: Colour, train_id: int | None = None, *, alpha: float = 1.0
    ) -> None:
        """Paint a ground polygon [N, 2] of (X, Z); the label changes only when `train_id` is given."""
        pixels = self.pixels_of(_on_ground(polygon))
        if pixels is None:
            return
        fixed = [_fixed(pixels)]
        if alpha >= 1:
            cv2.fillPoly(self.image, fixed, colour, lineType=cv2.LINE_AA, shift=_SHIFT)
        else:
            box = self.box_around(pixels)
            if box is None:
                return
            region = self.image[box.slices]
            painted = region.copy()
            shifted = [_fixed(pixels - (box.left, box.top))]
            cv2.fillPoly(painted, shifted, colour, lineType=cv2.LINE_AA, shift=_SHIFT)
            cv2.addWeighted(painted, alpha, region, 1 - alpha, 0, dst=region)
        if train_id is not None:
            cv2.fillPoly(self.label, fixed, train_id, lineType=cv2.LINE_8, shift=_SHIFT)

    def polygon(self, world: FloatArray, colour: Colour, train_id: int, *, instance: int = 0) -> None:
        """A flat-coloured planar convex polygon [N, 3], hidden where something nearer stands."""
        points = clip_near(self.camera.to_camera(world))
        if len(points) < 3:
            return
        pixels = self.camera.to_pixels(points)
        box = self.box_around(pixels)
        if box is None:
            return
        mask = np.zeros((box.size[1], box.size[0]), np.uint8)
        cv2.fillConvexPoly(mask, _fixed(pixels - (box.left, box.top)), 1, lineType=cv2.LINE_8, shift=_SHIFT)
        inverse = self._plane_inverse_depth(points, box)
        visible = self._visible(mask, inverse, box)
        region = self.image[box.slices]
        paint = np.empty_like(region)
        paint[:] = [min(max(int(channel), 0), 255) for channel in colour]
        cv2.copyTo(paint, visible, region)
        self._write(visible.view(bool), inverse, box, train_id, instance)

    def quad(
        self,
        world: FloatArray,
        texture: Image,
        train_id: int,
        *,
        instance: int = 0,
        alpha: Image | None = None,
        solid_label: bool = False,
    ) -> None:
        """A textured rectangle: corners [4, 3] as bottom left, bottom right, top right, top left.

        alpha [h, w] cuts holes in the texture; with `solid_label` the label covers the holes as well, as
        annotators do for railings. Corners behind the camera are cut off along the bottom edge.
        """
        points = self.camera.to_camera(world)
        depth = np.minimum(points[[0, 1], 2], points[[3, 2], 2])
        start, end = 0.0, 1.0
        if depth.max() < NEAR:
            return
        if depth[0] < NEAR:
            start = (NEAR - depth[0]) / (depth[1] - depth[0])
        elif depth[1] < NEAR:
            end = (NEAR - depth[0]) / (depth[1] - depth[0])
        along_bottom, along_top = points[1] - points[0], points[2] - points[3]
        corners = np.stack(
            [
                points[0] + along_bottom * start,
                points[0] + along_bottom * end,
                points[3] + along_top * end,
                points[3] + along_top * start,
            ]
        )
        if (corners[:, 2] < NEAR * 0.5).any():
            return
        pixels = self.camera.to_pixels(corners)
        box = self.box_around(pixels)
        if box is None:
            return
        height, width = texture.shape[:2]
        source = np.array(
            [[start * width, height], [end * width, height], [end * width, 0], [start * width, 0]], np.float32
        )
        local = (pixels - (box.left, box.top)).astype(np.float32)
        warp = cv2.getPerspectiveTransform(source - 0.5, local)
        mask = np.zeros((box.size[1], box.size[0]), np.uint8)
        cv2.fillConvexPoly(mask, _fixed(local), 1, lineType=cv2.LINE_8, shift=_SHIFT)
        inverse = self._plane_inverse_depth(corners, box)
        visible = self._visible(mask, inverse, box)
        colour = cv2.warpPerspective(
            texture, warp, box.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        region = self.image[box.slices]
        if alpha is None:
            cv2.copyTo(colour, visible, region)
        else:
            opacity = cv2.warpPerspective(alpha, warp, box.size, flags=cv2.INTER_LINEAR)
            _blend(region, colour, opacity * visible)
            if not solid_label:
                visible = visible * (opacity > 127).astype(np.uint8)
        self._write(visible.view(bool), inverse, box, train_id, instance)

    def sprite(
        self,
        sprite: Sprite,
        foot: FloatArray,
        *,
        width: float,
        height: float,
        shade: float = 1.0,
        instance: int = 0,
    ) -> None:
        """An upright picture facing the camera: `foot` (X, Y, Z) is the middle of its lower edge; metres.

        A picture without any label is void all over.
        """
        base = self.camera.to_camera(np.asarray(foot, np.float64)[None])[0]
        if base[2] < 0.8:
            return
        scale = self.camera.focal / base[2]
        u, v = self.camera.to_pixels(base[None])[0]
        left, top = u - width * scale / 2, v - height * scale
        box = self.box_around(np.array([[left, top], [left + width * scale, v - 1e-6]]))
        if box is None:
            return
        full = max(round(width * scale), 1), max(round(height * scale), 1)
        if full[0] > 4 * self.camera.width or full[1] > 4 * self.camera.height:
            return
        x0, y0 = box.left - round(left), box.top - round(top)
        x1, y1 = min(x0 + box.size[0], full[0]), min(y0 + box.size[1], full[1])
        x0, y0 = max(x0, 0), max(y0, 0)
        if x1 <= x0 or y1 <= y0:
            return
        box = Box(box.left, box.top, box.left + x1 - x0, box.top + y1 - y0)
        shrink = full[0] < sprite.rgb.shape[1]
        mode = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
        rgb = cv2.resize(sprite.rgb, full, interpolation=mode)[y0:y1, x0:x1]
        opacity = cv2.resize(sprite.alpha, full, interpolation=mode)[y0:y1, x0:x1]
        label = cv2.resize(sprite.label, full, interpolation=cv2.INTER_NEAREST)[y0:y1, x0:x1]
        if shade != 1.0:
            rgb = cv2.convertScaleAbs(rgb, alpha=shade)
        inverse = np.float32(1 / base[2])
        free = (self.inverse_depth[box.slices] < inverse).astype(np.uint8)
        _blend(self.image[box.slices], rgb, opacity * free)
        void = bool((sprite.label == IGNORE).all())
        covered = free.view(bool) & (opacity > 127 if void else label != IGNORE)
        np.copyto(self.label[box.slices], label, where=covered)
        np.copyto(self.instance[box.slices], np.uint16(instance), where=covered)
        np.copyto(self.inverse_depth[box.slices], inverse, where=covered)

    def cutout(
        self,
        rgb: Image,
        mask: Image,
        corner: tuple[int, int],
        depths: FloatArray,
        train_id: int,
        *,
        height: int,
        instance: int,
    ) -> None:
        """A solid picture rgb [h, w, 3], there where mask [h, w] is over 127, black elsewhere.

        It is drawn `height` pixels high and as wide as there are `depths`, one for each of its columns in
        metres; corner: its left and upper pixel.
        """
        (left, top), width = corner, len(depths)
        x0, y0 = max(-left, 0), max(-top, 0)
        x1, y1 = min(self.camera.width - left, width), min(self.camera.height - top, height)
        if x1 <= x0 or y1 <= y0:
            return
        box = Box(left + x0, top + y0, left + x1, top + y1)
        mode = cv2.INTER_AREA if height < len(rgb) else cv2.INTER_LINEAR
        part = slice(y0, y1), slice(x0, x1)
        opacity = cv2.resize(mask, (width, height), interpolation=mode)[part]
        colour = cv2.resize(rgb, (width, height), interpolation=mode)[part]
        share = np.maximum(opacity, 1).astype(np.float32)[..., None] * np.float32(1 / 255)
        colour = np.minimum(colour / share, 255).astype(np.uint8)
        inverse = np.broadcast_to((1 / depths[x0:x1]).astype(np.float32), opacity.shape)
        visible = ((opacity > 127) & (inverse > self.inverse_depth[box.slices])).astype(np.uint8)
        cv2.copyTo(colour, visible, self.image[box.slices])
        self._write(visible.view(bool), inverse, box, train_id, instance)

    def solid(
        self,
        batches: Sequence[tuple[FloatArray, FloatArray]],
        train_id: int,
        *,
        instance: int,
        sheen: FloatArray | None = None,
    ) -> None:
        """Draw flat faces in drawing order, hidden by nearer things.

        batches: world polygons [N, K, 3] and their colours [N, 3] (0..255), K the same within a batch.
        sheen: a gain [h, w], at most 2, stretched over all of them.
        """
        drawn = [face for polygons, colours in batches for face in self._projected(polygons, colours)]
        corners = np.concatenate([pixels for pixels, _, _ in drawn]) if drawn else None
        box = None if corners is None else self.box_around(corners)
        if corners is None or box is None:
            return
        colour_layer = np.zeros((box.size[1], box.size[0], 3), np.uint8)
        inverse = np.zeros((box.size[1], box.size[0]), np.float32)
        fixed = _fixed(corners - (box.left, box.top))
        end = 0
        for pixels, depth, colour in drawn:
            start, end = end, end + len(pixels)
            outline = [fixed[start:end]]
            cv2.fillPoly(colour_layer, outline, colour, lineType=cv2.LINE_8, shift=_SHIFT)
            cv2.fillPoly(inverse, outline, 1 / depth, lineType=cv2.LINE_8, shift=_SHIFT)
        if sheen is not None:
            gain = cv2.resize((127 * sheen).astype(np.uint8), box.size)
            colour_layer = brighten(colour_layer, gain, one=127)
        visible = (inverse > self.inverse_depth[box.slices]).astype(np.uint8)
        cv2.copyTo(colour_layer, visible, self.image[box.slices])
        self._write(visible.view(bool), inverse, box, train_id, instance)

    def _projected(
        self, polygons: FloatArray, colours: FloatArray
    ) -> list[tuple[FloatArray, float, list[float]]]:
        """Pixels [k, 2], mean depth and colour of the faces that lie in front of the camera."""
        points = self.camera.to_camera(polygons.reshape(-1, 3)).reshape(polygons.shape)
        paints = np.minimum(np.maximum(colours, 0), 255).tolist()
        if points[..., 2].min() >= NEAR:
            pixels = self.camera.to_pixels(points.reshape(-1, 3)).reshape(*polygons.shape[:2], 2)
            return list(zip(pixels, points[..., 2].mean(axis=1).tolist(), paints, strict=True))
        cut = ((clip_near(part), paint) for part, paint in zip(points, paints, strict=True))
        return [
            (self.camera.to_pixels(part), float(part[:, 2].mean()), paint)
            for part, paint in cut
            if len(part) >= 3
        ]

    def _plane_inverse_depth(self, points: FloatArray, box: Box) -> NDArray[np.float32]:
        (ax, ay, az), (bx, by, bz) = points[1] - points[0], points[2] - points[0]
        normal = np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
        a, b, c = self.camera.inverse_depth_coefficients(points[0], normal)
        row = (a * np.arange(box.left, box.right) + c).astype(np.float32)
        column = (b * np.arange(box.top, box.bottom)).astype(np.float32)
        return row[None, :] + column[:, None]

    def _visible(self, mask: Image, inverse: NDArray[np.float32], box: Box) -> Image:
        return mask & (inverse > self.inverse_depth[box.slices])

    def _write(
        self, visible: NDArray[np.bool_], inverse: NDArray[np.float32], box: Box, train_id: int, instance: int
    ) -> None:
        np.copyto(self.label[box.slices], np.uint8(train_id), where=visible)
        np.copyto(self.instance[box.slices], np.uint16(instance), where=visible)
        np.copyto(self.inverse_depth[box.slices], inverse, where=visible)


def _blend(region: Image, colour: Image, opacity: Image) -> None:
    """region += (colour - region) * opacity / 255, in place."""
    weight = cv2.cvtColor(opacity, cv2.COLOR_GRAY2RGB)
    mixed = cv2.multiply(colour, weight, scale=1 / 255)
    kept = cv2.multiply(region, cv2.bitwise_not(weight), scale=1 / 255)
    cv2.add(mixed, kept, dst=region)
