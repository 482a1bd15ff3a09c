"""Trees and bushes: upright pictures whose height in pixels is `size`.

Crowns of bare trees are labelled as a whole, twigs and the sky between them, as annotators do.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from streets.materials import Colour, Generator, brighten, foliage, hedge_colour, jitter, noise_patch
from streets.projection import FloatArray
from streets.raster import Sprite
from streets.sheet import Sheet

VEGETATION = 8


def leafy_tree(generator: Generator, size: int, palette: str, *, contrast: float) -> Sprite:
    """A crown of leaf clusters on a trunk."""
    conifer = generator.random() < 0.15
    aspect = generator.uniform(0.4, 0.5) if conifer else generator.uniform(0.65, 1.05)
    sheet = Sheet(size, aspect)
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
        * np.linspace(1.3, 0.8, height, dtype=np.float32)[:, None]
    )
    gain = cv2.convertScaleAbs(lit, alpha=127)
    texture = brighten(texture, gain, one=127)
    cv2.copyTo(texture, leaves.view(np.uint8), sheet.rgb)
    sheet.alpha[leaves] = 255
    holes = (noise_patch(generator, height, width, zoom=0.7) > generator.uniform(0.6, 2.8)) & leaves
    sheet.alpha[holes] = 40
    sheet.label[solid] = VEGETATION
    return Sprite(sheet.rgb, sheet.alpha, sheet.label)


def bare_tree(generator: Generator, size: int) -> Sprite:
    """A winter tree: trunk, boughs and a haze of twigs; the label is the crown's closed outline."""
    aspect = generator.uniform(0.6, 1.0)
    sheet = Sheet(size, aspect)
    bark = jitter(generator, (72, 64, 56) if generator.random() < 0.8 else (150, 146, 138), 18)
    boughs = _boughs(generator, levels=int(np.clip(3 + size / 30, 4, 8)))
    reached = np.abs(np.concatenate(boughs)).reshape(-1, 2).max(0)
    fit = np.minimum((aspect * 0.48, 0.98) / reached, 1.0)
    width = generator.uniform(0.012, 0.028)
    for level, bough in enumerate(boughs):
        points = bough * (fit * size * 16) + np.array([aspect / 2, 1.0]) * (size * 16)
        lines = list(np.rint(points).astype(np.int32))
        thickness = max(round(width * size), 1)
        shade = [min(channel * (0.8 + 0.1 * level), 210) for channel in bark]
        cv2.polylines(sheet.rgb, lines, False, shade, thickness, cv2.LINE_8, 4)
        cv2.polylines(sheet.alpha, lines, False, max(255 - 18 * level, 150), thickness, cv2.LINE_8, 4)
        width *= 0.6
    reach = max(round(size * generator.uniform(0.015, 0.045)), 1)
    hull = cv2.morphologyEx(sheet.alpha, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    sheet.label[hull > 60] = VEGETATION
    _twigs(generator, sheet, bark, hull > 60)
    return Sprite(sheet.rgb, sheet.alpha, sheet.label)


def _twigs(generator: Generator, sheet: Sheet, bark: Colour, crown: NDArray[np.bool_]) -> None:
    """The finest twigs, too many to draw: grain, the denser the more boughs are near, lit here and there."""
    grain = generator.standard_normal((2, *crown.shape), dtype=np.float32)
    clumps = noise_patch(generator, *crown.shape, zoom=max(sheet.size / 60, 0.6))
    reach = (max(round(sheet.size * 0.06), 2),) * 2
    near = cv2.blur(cv2.blur(sheet.alpha, reach), reach).astype(np.float32)
    cover = generator.uniform(0.2, 1.6) * near + 80 * grain[0] + 40 * clumps - 50
    tone = generator.uniform(0.6, 1.6) * (1 + 0.35 * grain[1] + 0.15 * clumps)
    paint = np.clip(tone[..., None] * np.asarray(bark, np.float32), 4, 235).astype(np.uint8)
    np.copyto(sheet.rgb, paint, where=(crown & (sheet.alpha == 0))[..., None])
    cover = np.clip(cover, 0, 255).astype(np.uint8)
    np.copyto(sheet.alpha, np.maximum(sheet.alpha, cover), where=crown)


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
    sheet = Sheet(size, aspect)
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
