"""Upright pictures of people, two-wheelers, trees, signs and lights, drawn from polygons.

Each function returns a `Sprite` whose height in pixels is `size`; the caller says how large it stands in
the street. Crowns of bare trees are labelled as a whole, twigs and the sky between them, as annotators do.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.classes import IGNORE
from spn.simulator.materials import (
    Colour,
    Generator,
    foliage,
    hedge_colour,
    jitter,
    lettering,
    noise_patch,
)
from spn.simulator.projection import FloatArray
from spn.simulator.raster import Sprite

PERSON, RIDER, MOTORCYCLE, BICYCLE = 11, 12, 17, 18
POLE, LIGHT, SIGN, VEGETATION = 5, 6, 7, 8


class _Sheet:
    """A drawing sheet in units of its own height: x in 0..aspect, y from 0 (top) to 1 (bottom)."""

    def __init__(self, size: int, aspect: float) -> None:
        self.size = size
        self.rgb = np.zeros((size, max(round(size * aspect), 2), 3), np.uint8)
        self.alpha = np.zeros(self.rgb.shape[:2], np.uint8)
        self.label = np.full(self.rgb.shape[:2], IGNORE, np.uint8)

    def _pixels(self, points: list[tuple[float, float]]) -> NDArray[np.int32]:
        return np.rint(np.asarray(points) * self.size * 16).astype(np.int32)

    def polygon(self, points: list[tuple[float, float]], colour: Colour, train_id: int) -> None:
        fixed = [self._pixels(points)]
        for layer, value in ((self.rgb, colour), (self.alpha, 255), (self.label, train_id)):
            cv2.fillPoly(layer, fixed, value, lineType=cv2.LINE_8, shift=4)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour, train_id: int) -> None:
        centre = (round(x * self.size * 16), round(y * self.size * 16))
        axes = (max(round(rx * self.size * 16), 8), max(round(ry * self.size * 16), 8))
        for layer, value in ((self.rgb, colour), (self.alpha, 255), (self.label, train_id)):
            cv2.ellipse(layer, centre, axes, 0, 0, 360, value, -1, cv2.LINE_8, 4)

    def line(self, points: list[tuple[float, float]], width: float, colour: Colour, train_id: int) -> None:
        fixed = [self._pixels(points)]
        thickness = max(round(width * self.size), 1)
        for layer, value in ((self.rgb, colour), (self.alpha, 255), (self.label, train_id)):
            cv2.polylines(layer, fixed, False, value, thickness, cv2.LINE_8, 4)

    def ring(
        self, x: float, y: float, r: float, width: float, colour: Colour, train_id: int, *, fill: bool
    ) -> None:
        """A wheel; with `fill` the label covers the spokes' gaps too."""
        centre = (round(x * self.size), round(y * self.size))
        radius, thickness = max(round(r * self.size), 1), max(round(width * self.size), 1)
        cv2.circle(self.rgb, centre, radius, colour, thickness)
        cv2.circle(self.alpha, centre, radius, 255, thickness)
        cv2.circle(self.label, centre, radius, train_id, -1 if fill else thickness)

    def shade(self, generator: Generator, strength: float = 0.14) -> Sprite:
        """Finish: soft folds and a darker side."""
        height, width = self.alpha.shape
        noise = noise_patch(generator, height, width, zoom=max(self.size / 40, 0.5))
        side = np.linspace(1 + 0.25 * generator.uniform(-1, 1), 1, width, dtype=np.float32)
        gain = cv2.convertScaleAbs((1 + strength * noise) * side, alpha=127)
        rgb = cv2.multiply(self.rgb, cv2.merge([gain, gain, gain]), scale=1 / 127)
        return Sprite(rgb, self.alpha, self.label)


def _cloth(generator: Generator) -> Colour:
    roll = generator.random()
    if roll < 0.64:  # most people wear dark clothes
        tone = generator.uniform(12, 62)
        return jitter(generator, (tone, tone, tone * 1.1), 10)
    if roll < 0.78:
        return jitter(generator, (62, 76, 108), 22)  # denim
    if roll < 0.9:
        tone = generator.uniform(90, 225)
        return jitter(generator, (tone, tone, tone), 12)
    tone, dye = generator.uniform(40, 190), generator.uniform(0.55, 1.25, 3)
    r, g, b = (tone * dye).tolist()
    return r, g, b


def _skin(generator: Generator) -> Colour:
    options: tuple[Colour, ...] = ((224, 178, 150), (198, 150, 120), (150, 104, 78), (100, 68, 52))
    return jitter(generator, options[int(generator.integers(4))], 14)


def _head(sheet: _Sheet, generator: Generator, x: float, y: float, train_id: int, *, helmet: bool) -> None:
    facing = generator.random() < 0.5
    hair = (
        jitter(generator, (46, 34, 26), 20)
        if generator.random() < 0.8
        else jitter(generator, (150, 124, 84), 30)
    )
    sheet.ellipse(x, y, 0.042, 0.062, _skin(generator) if facing else hair, train_id)
    if helmet:
        r, g, b = generator.uniform(10, 245, 3)
        sheet.ellipse(x, y - 0.02, 0.052, 0.048, (r, g, b), train_id)
    else:
        sheet.ellipse(x, y - 0.028, 0.046, 0.042, hair, train_id)


def person(generator: Generator, size: int) -> Sprite:
    """Somebody standing or walking, seen from any side."""
    sheet = _Sheet(size, 0.56)
    x = 0.28
    top, trousers, shoes = _cloth(generator), _cloth(generator), jitter(generator, (30, 28, 28), 14)
    stride = generator.uniform(0.0, 0.13)
    hip, shoulder = generator.uniform(0.47, 0.54), generator.uniform(0.155, 0.18)
    half = generator.uniform(0.075, 0.115)
    coat = generator.random() < 0.45
    for side in (-1, 1):
        foot = x + side * (0.03 + stride * generator.uniform(0.4, 1))
        knee = (x + foot) / 2 + generator.uniform(-0.01, 0.03)
        leg = [(x + side * 0.005, hip), (knee - 0.032, 0.74), (foot - 0.022, 0.97), (foot + 0.022, 0.97)]
        sheet.polygon([*leg, (knee + 0.034, 0.74), (x + side * 0.075, hip)], trousers, PERSON)
        sheet.ellipse(foot + 0.012, 0.98, 0.036, 0.018, shoes, PERSON)
    if generator.random() < 0.15:  # skirt
        skirt_colour = _cloth(generator)
        sheet.polygon(
            [(x - 0.07, hip - 0.05), (x + 0.07, hip - 0.05), (x + 0.12, 0.72), (x - 0.12, 0.72)],
            skirt_colour,
            PERSON,
        )
    hem = hip + (generator.uniform(0.08, 0.26) if coat else 0.03)
    torso = [(x - half, shoulder + 0.02), (x - 0.04, shoulder - 0.01), (x + 0.04, shoulder - 0.01)]
    sheet.polygon(
        [*torso, (x + half, shoulder + 0.02), (x + half * 0.86, hem), (x - half * 0.86, hem)], top, PERSON
    )
    dim = generator.uniform(0.75, 1.0)
    sleeve: Colour = (top[0] * dim, top[1] * dim, top[2] * dim)
    for side in (-1, 1):
        swing = generator.uniform(-0.07, 0.09)
        elbow = (x + side * (half + 0.025) + swing * 0.4, 0.34)
        hand = (x + side * (half + 0.01) + swing, generator.uniform(0.42, 0.52))
        sheet.line([(x + side * half * 0.92, shoulder + 0.04), elbow, hand], 0.055, sleeve, PERSON)
        sheet.ellipse(*hand, 0.02, 0.024, _skin(generator), PERSON)
    if generator.random() < 0.4:  # bag
        side = -1 if generator.random() < 0.5 else 1
        bx, by = x + side * half, generator.uniform(0.3, 0.55)
        colour = _cloth(generator)
        sheet.polygon(
            [(bx - 0.05, by), (bx + 0.05, by), (bx + 0.055, by + 0.13), (bx - 0.055, by + 0.13)],
            colour,
            PERSON,
        )
    hat = generator.random() < 0.2
    _head(sheet, generator, x + generator.uniform(-0.01, 0.01), 0.085, PERSON, helmet=hat)
    return sheet.shade(generator)


def _wheels_side(sheet: _Sheet, x: float, span: float, radius: float, *, motor: bool, colour: Colour) -> None:
    train_id = MOTORCYCLE if motor else BICYCLE
    y = 1 - radius - 0.01
    for wheel in (x - span / 2, x + span / 2):
        if motor:
            sheet.ellipse(wheel, y, radius, radius, (26, 26, 28), train_id)
            sheet.ellipse(wheel, y, radius * 0.5, radius * 0.5, (120, 120, 124), train_id)
        else:
            sheet.ring(wheel, y, radius, 0.022, (28, 28, 30), train_id, fill=True)
    if motor:
        body = [(x - span * 0.45, y - 0.16), (x + span * 0.1, y - 0.22), (x + span * 0.36, y - 0.2)]
        sheet.polygon([*body, (x + span * 0.2, y + 0.06), (x - span * 0.2, y + 0.06)], colour, train_id)
        sheet.line([(x + span / 2, y), (x + span * 0.3, y - 0.3)], 0.03, (60, 60, 62), train_id)
    else:
        seat, bars = (x - span * 0.17, y - 0.24), (x + span * 0.36, y - 0.28)
        crank = (x - span * 0.03, y)
        rear, front = (x - span / 2, y), (x + span / 2, y)
        sheet.line([rear, seat, crank, rear], 0.017, colour, train_id)
        sheet.line([crank, bars, front], 0.017, colour, train_id)
        sheet.line([seat, bars], 0.017, colour, train_id)
        sheet.line(
            [(seat[0] - 0.03, seat[1] - 0.03), (seat[0] + 0.04, seat[1] - 0.03)],
            0.025,
            (20, 20, 20),
            train_id,
        )


def two_wheeler(generator: Generator, size: int, *, motor: bool, ridden: bool, side: bool) -> Sprite:
    """A bicycle or motorcycle, ridden or parked, from the side or from the end."""
    train_id = MOTORCYCLE if motor else BICYCLE
    frame: Colour = tuple(generator.uniform(15, 160, 3)) if generator.random() < 0.35 else (36, 36, 40)
    top, trousers = _cloth(generator), _cloth(generator)
    tall = 1.0 if ridden else 0.62  # a parked machine fills the sheet that a rider would share
    sheet = _Sheet(size, (1.0 if side else 0.5) / tall)
    k = 1 / tall
    x = 0.5 * k if side else 0.25 * k
    radius = (0.175 if motor else 0.2) * k
    if side:
        _wheels_side(sheet, x, (0.6 if motor else 0.58) * k, radius, motor=motor, colour=frame)
    else:
        y = 1 - radius - 0.01
        width = 0.045 if motor else generator.uniform(0.02, 0.034)
        sheet.ellipse(x, y, width * k, radius, (24, 24, 26), train_id)
        if motor:
            sheet.polygon(
                [
                    (x - 0.07 * k, y - 0.24 * k),
                    (x + 0.07 * k, y - 0.24 * k),
                    (x + 0.06 * k, y),
                    (x - 0.06 * k, y),
                ],
                frame,
                train_id,
            )
        sheet.line([(x, y), (x, y - 0.27 * k)], 0.03 * k, frame, train_id)
        sheet.line(
            [(x - 0.12 * k, y - 0.3 * k), (x + 0.12 * k, y - 0.3 * k)], 0.024 * k, (30, 30, 32), train_id
        )
        if motor or generator.random() < 0.5:
            lamp = (250, 60, 40) if generator.random() < 0.5 else (250, 245, 225)
            sheet.ellipse(x, y - 0.2 * k, 0.022 * k, 0.022 * k, lamp, train_id)
    if ridden and side:
        hip, neck = (x - 0.09, 0.5), (x + 0.06, 0.2)
        sheet.line([hip, (x + 0.06, 0.62), (x, 0.83)], 0.075, trousers, RIDER)
        sheet.line([(hip[0] + 0.01, hip[1] + 0.02), (x + 0.02, 0.7), (x - 0.05, 0.86)], 0.06, trousers, RIDER)
        sheet.line([hip, neck], 0.125, top, RIDER)
        sheet.line([(neck[0], neck[1] + 0.04), (x + 0.15, 0.38), (x + 0.2, 0.46)], 0.05, top, RIDER)
        _head(sheet, generator, neck[0] + 0.04, 0.105, RIDER, helmet=motor or generator.random() < 0.4)
    elif ridden:
        _rider_from_the_end(sheet, generator, x, top, trousers, motor=motor)
    sprite = sheet.shade(generator, 0.1)
    return _turned(sprite, generator.uniform(0.35, 1.0)) if side and generator.random() < 0.6 else sprite


def _rider_from_the_end(
    sheet: _Sheet, generator: Generator, x: float, top: Colour, trousers: Colour, *, motor: bool
) -> None:
    """One knee up and one foot down, a back or a chest, elbows out, and what is carried."""
    if generator.random() < 0.15:  # high visibility
        top = jitter(generator, (200, 226, 60) if generator.random() < 0.7 else (236, 120, 40), 20)
    up = generator.uniform(0, 1)
    for leg, lift in ((-1, up), (1, 1 - up)):
        knee = (x + leg * (0.065 + 0.045 * lift), 0.68 - 0.05 * lift)
        points = [(x + leg * 0.04, 0.5), knee, (x + leg * 0.05, 0.92 - 0.15 * lift)]
        sheet.line(points, generator.uniform(0.055, 0.075), trousers, RIDER)
    if not motor and generator.random() < 0.2:  # panniers
        colour = _cloth(generator)
        for bag in (-1, 1):
            inner, outer = x + bag * 0.025, x + bag * 0.105
            sheet.polygon([(inner, 0.66), (outer, 0.67), (outer, 0.82), (inner, 0.82)], colour, BICYCLE)
    shoulder, half, sway = (
        generator.uniform(0.18, 0.24),
        generator.uniform(0.085, 0.125),
        generator.uniform(-0.03, 0.03),
    )
    waist, hips = x + sway * 0.3, half * generator.uniform(0.62, 0.9)
    middle = x + sway
    torso = [
        (middle - half, shoulder + 0.03),
        (middle - 0.045, shoulder - 0.02),
        (middle + 0.045, shoulder - 0.02),
    ]
    torso += [(middle + half, shoulder + 0.03), (waist + hips, 0.55), (waist - hips, 0.55)]
    sheet.polygon(torso, top, RIDER)
    elbow = generator.uniform(0.02, 0.065)
    for arm in (-1, 1):
        points = [(middle + arm * half * 0.9, shoulder + 0.05), (middle + arm * (half + elbow), 0.37)]
        sheet.line([*points, (x + arm * 0.115, 0.47)], 0.05, top, RIDER)
    if generator.random() < 0.3:  # rucksack
        wide, low = generator.uniform(0.05, 0.085), generator.uniform(0.4, 0.5)
        bag = [
            (middle - wide, shoulder + 0.03),
            (middle + wide, shoulder + 0.03),
            (middle + wide, low),
            (middle - wide, low),
        ]
        sheet.polygon(bag, _cloth(generator), RIDER)
    _head(sheet, generator, middle, shoulder - 0.1, RIDER, helmet=motor or generator.random() < 0.4)


def _turned(sprite: Sprite, share: float) -> Sprite:
    """Seen from between the side and the end: `share` of the width."""
    height, width = sprite.alpha.shape
    size = max(round(width * share), 2), height
    rgb, alpha = (
        cv2.resize(layer, size, interpolation=cv2.INTER_AREA) for layer in (sprite.rgb, sprite.alpha)
    )
    return Sprite(rgb, alpha, cv2.resize(sprite.label, size, interpolation=cv2.INTER_NEAREST))


def leafy_tree(generator: Generator, size: int, palette: str, *, contrast: float) -> Sprite:
    """A crown of leaf clusters on a trunk."""
    conifer = generator.random() < 0.15
    aspect = generator.uniform(0.4, 0.5) if conifer else generator.uniform(0.65, 1.05)
    sheet = _Sheet(size, aspect)
    height, width = sheet.alpha.shape
    trunk = jitter(generator, (74, 62, 50), 18)
    stem = generator.uniform(0.012, 0.028)
    x = aspect / 2
    fork = generator.uniform(0.6, 0.85)
    sheet.polygon(
        [(x - stem, 1), (x - stem * 0.8, fork), (x + stem * 0.8, fork), (x + stem, 1)], trunk, VEGETATION
    )
    for lean in generator.uniform(-0.16, 0.16, 1 if conifer else 3):
        sheet.line([(x, fork), (x + lean * aspect, fork - 0.3)], stem, trunk, VEGETATION)
    crown = np.zeros((height, width), np.uint8)
    lit = np.ones((height, width), np.float32)
    sun = generator.uniform(-0.4, 0.4)
    low = 0.9 if conifer else generator.uniform(0.62, 0.82)
    if conifer:
        for tier in np.linspace(0.12, low, 6):  # drooping boughs
            left, right = tier * aspect * generator.uniform(0.32, 0.54, 2) / low
            points = np.array([(x, tier - 0.3), (x + right, tier), (x, tier - 0.05), (x - left, tier)]) * size
            cv2.fillPoly(crown, [points.astype(np.int32)], 255)
    else:  # a few boughs, each with its lobes, of no common outline
        boughs = int(generator.integers(5, 9))
        middles = generator.uniform((0.22 * aspect, 0.16), (0.78 * aspect, low - 0.12), (boughs, 2))
        middles[:2] = (x, generator.uniform(0.14, 0.24)), (x, 0.5 * low)
        lobes = np.repeat(middles, 6, 0) + generator.uniform(-0.11, 0.11, (6 * boughs, 2))
        radii = generator.uniform(0.05, 0.15, len(lobes)) * min(aspect, low)
        centres = (lobes * size).astype(np.int32).tolist()
        sizes = np.maximum(radii * size, 1).astype(np.int32).tolist()
        tones = generator.uniform((0.55, 0.9), (0.9, 1.3), (len(lobes), 2)).tolist()
        for (cx, cy), lobe, (dark, bright) in zip(centres, sizes, tones, strict=True):
            cv2.circle(crown, (cx, cy), lobe, 255, -1)
            cv2.circle(lit, (cx, cy), lobe, dark, -1)
            above = (cx + int(sun * lobe), cy - int(0.35 * lobe))
            cv2.circle(lit, above, max(int(lobe * 0.7), 1), bright, -1)
    rough = noise_patch(generator, height, width, zoom=max(size / 90, 0.6))
    inside = cv2.GaussianBlur(crown, (0, 0), max(size * 0.022, 0.6)).astype(np.float32) / 255 + 0.18 * rough
    leaves = inside > 0.5
    solid = inside > generator.uniform(0.42, 0.5)
    colour = hedge_colour(generator, palette)
    texture = foliage(generator, height, width, colour, contrast=contrast)
    lit = (
        cv2.blur(lit, (max(size // 40, 1) * 2 + 1,) * 2)
        * np.linspace(1.2, 0.7, height, dtype=np.float32)[:, None]
    )
    gain = cv2.convertScaleAbs(lit, alpha=127)
    texture = cv2.multiply(texture, cv2.merge([gain, gain, gain]), scale=1 / 127)
    cv2.copyTo(texture, leaves.view(np.uint8), sheet.rgb)
    sheet.alpha[leaves] = 255
    holes = (noise_patch(generator, height, width, zoom=0.7) > generator.uniform(1.2, 2.8)) & leaves
    sheet.alpha[holes] = 40
    sheet.label[solid] = VEGETATION
    return Sprite(sheet.rgb, sheet.alpha, sheet.label)


def bare_tree(generator: Generator, size: int) -> Sprite:
    """A winter tree: trunk, boughs and a haze of twigs; the label is the crown's closed outline."""
    aspect = generator.uniform(0.6, 1.0)
    sheet = _Sheet(size, aspect)
    bark = jitter(generator, (72, 64, 56) if generator.random() < 0.8 else (150, 146, 138), 18)
    boughs = _boughs(generator, levels=int(np.clip(3 + size / 30, 4, 8)))
    reached = np.abs(np.concatenate(boughs)).reshape(-1, 2).max(0)
    fit = np.minimum((aspect * 0.48, 0.98) / reached, 1.0)
    width = 0.022
    for level, bough in enumerate(boughs):
        points = bough * (fit * size * 16) + np.array([aspect / 2, 1.0]) * (size * 16)
        lines = list(np.rint(points).astype(np.int32))
        thickness = max(round(width * size), 1)
        shade = [min(channel * (0.8 + 0.1 * level), 210) for channel in bark]
        cv2.polylines(sheet.rgb, lines, False, shade, thickness, cv2.LINE_8, 4)
        cv2.polylines(sheet.alpha, lines, False, max(255 - 28 * level, 120), thickness, cv2.LINE_8, 4)
        width *= 0.6
    reach = max(round(size * 0.07), 1)
    hull = cv2.morphologyEx(sheet.alpha, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    sheet.label[hull > 60] = VEGETATION
    haze = (hull > 60) & (noise_patch(generator, *hull.shape, zoom=0.6) > generator.uniform(0.1, 1.2))
    np.copyto(sheet.rgb, np.asarray(bark).astype(np.uint8), where=(haze & (sheet.alpha == 0))[..., None])
    sheet.alpha[haze] = np.maximum(sheet.alpha[haze], 110)
    return Sprite(sheet.rgb, sheet.alpha, sheet.label)


def _boughs(generator: Generator, *, levels: int) -> list[FloatArray]:
    """Segments [n, 2, 2] of each level of branching, from (0, 0) upwards (negative y); about 1 high."""
    spread = generator.uniform(0.28, 0.5)
    start, angle = np.zeros((1, 2)), np.array([-np.pi / 2])
    length = np.array([generator.uniform(0.2, 0.36)])
    boughs = []
    for level in range(levels):
        end = start + np.column_stack([np.cos(angle), np.sin(angle)]) * length[:, None]
        boughs.append(np.stack([start, end], 1))
        children = 2 if level == 0 or generator.random() < 0.5 else 3
        turn = np.linspace(-spread, spread, children)[None] + generator.normal(
            0, 0.16, (len(angle), children)
        )
        angle = (angle[:, None] + turn).ravel()
        length = (length[:, None] * generator.uniform(0.62, 0.82, turn.shape)).ravel()
        start = np.repeat(end, children, 0)
    return boughs


def bush(generator: Generator, size: int, palette: str, *, contrast: float) -> Sprite:
    """A rounded shrub."""
    aspect = generator.uniform(1.0, 2.4)
    sheet = _Sheet(size, aspect)
    height, width = sheet.alpha.shape
    blob = np.zeros((height, width), np.uint8)
    for _ in range(7):
        cx, cy = generator.uniform(0.2, 0.8) * aspect, generator.uniform(0.4, 0.8)
        cv2.circle(blob, (int(cx * size), int(cy * size)), int(generator.uniform(0.2, 0.38) * size), 255, -1)
    blob[int(0.9 * height) :, int(0.2 * width) : int(0.8 * width)] = 255
    soft = cv2.GaussianBlur(blob, (0, 0), size * 0.03 + 0.5).astype(np.float32) / 255
    leaves = soft + 0.16 * noise_patch(generator, height, width, zoom=max(size / 60, 0.6)) > 0.5
    texture = foliage(generator, height, width, hedge_colour(generator, palette), contrast=contrast)
    sheet.rgb[:] = np.clip(texture * np.linspace(1.2, 0.6, height, dtype=np.float32)[:, None, None], 0, 255)
    sheet.alpha[leaves] = 255
    sheet.label[leaves] = VEGETATION
    return Sprite(sheet.rgb, sheet.alpha, sheet.label)


def traffic_sign(generator: Generator, size: int) -> tuple[Sprite, float]:
    """A sign plate and its width over its height: round, triangular, rectangular, or its grey back."""
    kind = generator.random()
    aspect = 1.0 if kind < 0.6 else generator.uniform(0.55, 2.2)
    sheet = _Sheet(size, aspect)
    red, blue, white = (
        jitter(generator, (196, 32, 36), 22),
        jitter(generator, (28, 72, 160), 22),
        (236, 236, 232),
    )
    black = (24, 24, 26)
    if generator.random() < 0.14:
        grey = jitter(generator, (128, 130, 130), 26)
        if kind < 0.45:
            sheet.ellipse(0.5, 0.5, 0.48, 0.48, grey, SIGN)
        else:
            sheet.polygon(
                [(0.02, 0.02), (aspect - 0.02, 0.02), (aspect - 0.02, 0.98), (0.02, 0.98)], grey, SIGN
            )
    elif kind < 0.4:
        rim, field = ((red, white), (blue, blue), (red, blue), (red, red))[int(generator.integers(4))]
        sheet.ellipse(0.5, 0.5, 0.48, 0.48, rim, SIGN)
        sheet.ellipse(0.5, 0.5, 0.36, 0.36, field, SIGN)
        ink = black if field == white else white
        if generator.random() < 0.5:
            sheet.polygon([(0.26, 0.43), (0.74, 0.43), (0.74, 0.57), (0.26, 0.57)], ink, SIGN)
        else:
            lettering(generator, sheet.rgb, 0.24 * size, 0.28 * size, 0.76 * size, 0.72 * size, ink)
    elif kind < 0.6:
        sheet.polygon([(0.5, 0.02), (0.99, 0.93), (0.01, 0.93)], red, SIGN)
        sheet.polygon([(0.5, 0.24), (0.8, 0.8), (0.2, 0.8)], white, SIGN)
        sheet.polygon([(0.46, 0.4), (0.54, 0.4), (0.54, 0.72), (0.46, 0.72)], black, SIGN)
    else:
        yellow, green = jitter(generator, (236, 196, 40), 20), jitter(generator, (24, 104, 66), 18)
        options = (blue, green, yellow, white, red, jitter(generator, (128, 84, 60), 20))
        field = options[int(generator.integers(len(options)))]
        sheet.polygon([(0.01, 0.01), (aspect - 0.01, 0.01), (aspect - 0.01, 0.99), (0.01, 0.99)], white, SIGN)
        sheet.polygon([(0.05, 0.05), (aspect - 0.05, 0.05), (aspect - 0.05, 0.95), (0.05, 0.95)], field, SIGN)
        ink = black if field in (yellow, white) else white
        for row in range(int(generator.integers(1, 4))):
            y = (0.12 + 0.27 * row) * size
            lettering(generator, sheet.rgb, 0.08 * size, y, (aspect - 0.08) * size, y + 0.25 * size, ink)
    return sheet.shade(generator, 0.05), aspect


def traffic_light(generator: Generator, size: int) -> Sprite:
    """A housing with three lamps, one lit, from the front or from behind."""
    sheet = _Sheet(size, 0.42)
    tone = generator.uniform(12, 52)
    housing: Colour = (
        (tone, tone, tone) if generator.random() < 0.85 else jitter(generator, (190, 160, 40), 20)
    )
    sheet.polygon([(0.03, 0.0), (0.39, 0.0), (0.39, 1.0), (0.03, 1.0)], housing, LIGHT)
    if generator.random() < 0.25 and tone < 40:
        sheet.polygon([(0.0, 0.0), (0.42, 0.0), (0.42, 0.03), (0.0, 0.03)], (220, 220, 220), LIGHT)
    if generator.random() < 0.8:
        lit = int(generator.integers(3))
        lamps = (
            ((250, 60, 40), (80, 22, 20)),
            ((252, 190, 60), (84, 62, 18)),
            ((70, 240, 150), (16, 66, 44)),
        )
        for index, (on, off) in enumerate(lamps):
            sheet.ellipse(0.21, 0.19 + 0.31 * index, 0.115, 0.125, on if index == lit else off, LIGHT)
    return Sprite(sheet.rgb, sheet.alpha, sheet.label)
