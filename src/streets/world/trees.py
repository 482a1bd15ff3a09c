"""Trees of many kinds: crowns of clumped leaves in the light, conifers, birches, palms, some under snow.

Each is an upright picture of `size` rows; height over width lies in its shape.
"""

import cv2
import numpy as np

from streets.materials import Colour, Generator, brighten, jitter
from streets.plants import VEGETATION, bare_tree
from streets.raster import Sprite
from streets.sheet import Sheet
from streets.world import surfaces
from streets.world.surfaces import Layer

KINDS = ("broad", "tall", "round", "conifer", "birch", "palm", "bare", "shrub")

_GREENS: tuple[Colour, ...] = (
    (78, 96, 44), (96, 112, 52), (62, 84, 40), (108, 122, 62), (88, 100, 64), (70, 88, 56), (120, 128, 70),
)  # fmt: skip
_AUTUMN: tuple[Colour, ...] = ((150, 112, 48), (128, 92, 46), (140, 120, 56), (160, 92, 40), (112, 100, 52))
_DARK: tuple[Colour, ...] = ((46, 58, 34), (38, 50, 32), (54, 62, 40), (40, 52, 44))


def leaf_colour(generator: Generator, palette: str) -> Colour:
    """Of one tree or hedge of the palette green, autumn, dark or winter; seldom all of a kind."""
    shares = {"green": (0.82, 0.03), "autumn": (0.45, 0.5), "dark": (0.35, 0.03), "winter": (0.4, 0.25)}
    green, autumn = shares[palette]
    roll = generator.random()
    options = _GREENS if roll < green else _AUTUMN if roll < green + autumn else _DARK
    colour = np.array(options[int(generator.integers(len(options)))], float)
    colour += (colour.mean() - colour) * 0.6 * generator.random()
    r, g, b = (colour * generator.uniform(0.7, 1.25)).tolist()
    return jitter(generator, (r, g, b), 9)


def tree(generator: Generator, kind: str, size: int, *, palette: str, contrast: float, snow: float) -> Sprite:
    """A tree of one of KINDS; `snow` 0 to 1 lies on its boughs."""
    if kind == "bare":
        sprite = bare_tree(generator, size)
    elif kind == "palm":
        sprite = _palm(generator, size)
    else:
        sprite = _crown(generator, kind, size, palette=palette, contrast=contrast)
    return _snowed(generator, sprite, snow) if snow > 0 else sprite


def _envelope(generator: Generator, kind: str, height: int, width: int) -> Layer:
    """How far inside its outline a crown is [height, width], below 0 outside."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    if kind == "conifer":
        tier = 0.16 * np.abs(np.modf(y * generator.uniform(5, 9))[0])
        return np.minimum((y / generator.uniform(0.9, 0.98)) * 0.92 - np.abs(x) + tier - 0.03, (0.95 - y) * 3)
    low = generator.uniform(0.8, 0.95) if kind == "birch" else generator.uniform(0.68, 0.92)
    if kind == "shrub":
        low = generator.uniform(1.1, 1.7)
    middle = low * generator.uniform(0.42, 0.58)
    fall = np.where(y < middle, (middle - y) / middle, (y - middle) / (low - middle))
    power = generator.uniform(1.7, 2.6)
    return (1 - np.abs(x * generator.uniform(1.05, 1.25)) ** power - fall**power).astype(np.float32)


def _crown(generator: Generator, kind: str, size: int, *, palette: str, contrast: float) -> Sprite:
    shapes = {
        "broad": (0.85, 1.25),
        "round": (0.7, 1.0),
        "tall": (0.42, 0.65),
        "birch": (0.45, 0.7),
        "shrub": (0.9, 2.4),
    }
    aspect = generator.uniform(*shapes.get(kind, (0.34, 0.5)))
    sheet = Sheet(size, aspect)
    height, width = sheet.alpha.shape
    bark: Colour = jitter(generator, (190, 186, 178) if kind == "birch" else (74, 64, 54), 20)
    stem, x = generator.uniform(0.010, 0.028), aspect / 2
    lean = generator.uniform(-0.05, 0.05)
    if kind == "shrub":
        stem = 0.01
    trunk = [(x - stem, 1.0), (x + lean - stem * 0.6, 0.4), (x + lean + stem * 0.6, 0.4), (x + stem, 1.0)]
    sheet.polygon(trunk, bark, VEGETATION)
    if kind not in ("conifer", "shrub"):
        for reach in generator.uniform(-0.2, 0.2, 3):
            points = [
                (x, generator.uniform(0.6, 0.85)),
                (x + reach * aspect * 1.6, generator.uniform(0.2, 0.5)),
            ]
            sheet.line(points, stem * 0.9, bark, VEGETATION)
    inside = _envelope(generator, kind, height, width)
    scale = size * generator.uniform(0.14, 0.3)
    lobes = surfaces.surface(generator, height, width, slope=1.2, zoom=max(scale / 40, 0.25))
    fine = surfaces.surface(generator, height, width, slope=0.6, zoom=0.7)
    density = generator.uniform(0.1, 0.55)
    cover = inside + density * 0.75 * lobes + 0.22 * fine + 0.12
    crown = cover > 0.12
    rim = crown & (fine > generator.uniform(0.9, 2.2)) & (cover < 0.7)  # sky between the leaves
    dark = generator.uniform(0.55, 1.0)
    texture = surfaces.leaves(
        generator, height, width, leaf_colour(generator, palette), scale=scale, contrast=contrast
    )
    side = np.float32(generator.uniform(-0.25, 0.25)) * np.linspace(-1, 1, width, dtype=np.float32)[None]
    fall = np.linspace(1.2, dark, height, dtype=np.float32)[:, None] + side
    texture = brighten(texture, cv2.convertScaleAbs(fall, alpha=127), one=127)
    cv2.copyTo(texture, crown.view(np.uint8), sheet.rgb)
    sheet.alpha[crown] = 255
    sheet.alpha[rim] = 40
    solid = cv2.morphologyEx(crown.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    sheet.label[solid > 0] = VEGETATION
    return Sprite(sheet.rgb, sheet.alpha, sheet.label)


def _palm(generator: Generator, size: int) -> Sprite:
    aspect = generator.uniform(0.4, 0.7)
    sheet = Sheet(size, aspect)
    x, top = aspect / 2 + generator.uniform(-0.06, 0.06), generator.uniform(0.16, 0.3)
    bark = jitter(generator, (112, 98, 82), 24)
    sheet.line(
        [(aspect / 2, 1.0), (aspect / 2, 0.6), (x, top)], generator.uniform(0.02, 0.045), bark, VEGETATION
    )
    colour = leaf_colour(generator, "green")
    for angle in np.linspace(-0.3, np.pi + 0.3, int(generator.integers(11, 20))):
        reach = min(aspect * 0.5, top) * generator.uniform(0.75, 1.1)
        tip = (x + reach * np.cos(angle), top - reach * np.sin(angle) * 0.8 + 0.35 * reach)
        bend = (x + 0.55 * reach * np.cos(angle), top - 0.75 * reach * max(np.sin(angle), 0.2))
        gain = generator.uniform(0.6, 1.3)
        shade: Colour = (colour[0] * gain, colour[1] * gain, colour[2] * gain)
        sheet.line([(x, top), bend, tip], generator.uniform(0.02, 0.04), shade, VEGETATION)
        for share in (0.35, 0.6, 0.85):  # hanging leaflets
            px, py = bend[0] + (tip[0] - bend[0]) * share, bend[1] + (tip[1] - bend[1]) * share
            sheet.line([(px, py), (px, py + 0.05)], 0.008, shade, VEGETATION)
    return sheet.shade(generator, 0.2)


def _snowed(generator: Generator, sprite: Sprite, snow: float) -> Sprite:
    """White on the upper sides of boughs and clumps."""
    height, width = sprite.alpha.shape
    grey = cv2.cvtColor(sprite.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    soft = cv2.blur(grey, (5, 5))
    lumps = surfaces.surface(generator, height, width, slope=1.0, zoom=0.8)
    lies = np.clip(0.55 * lumps + 0.05 * (grey - soft) + 2 * snow - 1.2, 0, 1) * np.float32(0.8)
    white = generator.uniform(170, 235)
    rgb = sprite.rgb + (np.float32(white) - sprite.rgb) * lies[..., None]
    return Sprite(rgb.astype(np.uint8), sprite.alpha, sprite.label)
