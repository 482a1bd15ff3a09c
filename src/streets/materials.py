"""Surfaces of the street: noise, flat and speckled colours, lettering, foliage, railings.

Every function returns a small uint8 texture made for the size at which it will be seen
(`density` pixels per metre), and draws all its randomness from the generator it is given.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.seeding import numpy_generator
from streets.projection import FloatArray

Image = NDArray[np.uint8]
Colour = tuple[float, float, float]
Generator = np.random.Generator

_LETTERS = "ABCDEFGHIKLMNOPRSTUVWZ"


@lru_cache(maxsize=16)
def noise_tile(index: int, size: int = 512, octaves: int = 5) -> NDArray[np.float32]:
    """A tileable fractal noise [size, size], zero mean, standard deviation 1; one of a fixed family."""
    generator = numpy_generator(index, "noise tile")
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = 4 << octave
        grid = generator.standard_normal((cells, cells)).astype(np.float32)
        grid = np.pad(grid, 2, mode="wrap")
        step = size // cells
        fine = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        total += fine[2 * step : 2 * step + size, 2 * step : 2 * step + size] * 0.7**octave
    grain = generator.standard_normal((size, size)).astype(np.float32)
    total += 0.35 * grain
    return (total - total.mean()) / total.std()


def noise_patch(generator: Generator, height: int, width: int, *, zoom: float = 1.0) -> NDArray[np.float32]:
    """A random window [height, width] of a noise tile, enlarged by `zoom`."""
    tile = noise_tile(int(generator.integers(8)))
    h, w = min(max(int(height / zoom), 2), 512), min(max(int(width / zoom), 2), 512)
    y, x = int(generator.integers(513 - h)), int(generator.integers(513 - w))
    patch = tile[y : y + h, x : x + w]
    if patch.shape != (height, width):
        patch = cv2.resize(patch, (width, height), interpolation=cv2.INTER_LINEAR)
    return patch


def any_colour(generator: Generator, low: float, high: float) -> FloatArray:
    """A colour [3] with levels between `low` and `high`, seldom a strong one."""
    colour = generator.uniform(low, high, 3)
    return colour.mean() + (colour - colour.mean()) * generator.uniform(0.15, 1.0)


def jitter(generator: Generator, colour: Colour, amount: float) -> Colour:
    """A colour with a common and a smaller per-channel change, each uniform in ± `amount` (levels)."""
    common, *change = generator.random(4).tolist()
    r, g, b = [
        min(max(value + amount * (2 * common - 1 + 0.4 * (2 * own - 1)), 2.0), 253.0)
        for value, own in zip(colour, change, strict=True)
    ]
    return r, g, b


def chosen(seed: int, share: float) -> bool:
    """Whether the thing of this seed is one of a share of all, whatever else its seed decides."""
    return bool(np.random.default_rng([seed, 1]).random() < share)


def choose(generator: Generator, weights: dict[str, float]) -> str:
    """A key of `weights`, drawn in proportion to its value."""
    keys = list(weights)
    cumulative = np.cumsum([weights[key] for key in keys])
    index = int(np.searchsorted(cumulative, generator.uniform(0, cumulative[-1]), side="right"))
    return keys[min(index, len(keys) - 1)]


def flat(height: int, width: int, colour: Colour) -> Image:
    texture = np.empty((height, width, 3), np.uint8)
    texture[:] = np.asarray(colour).astype(np.uint8)
    return texture


def brighten(texture: Image, gain: Image, *, one: int, into: Image | None = None) -> Image:
    """Every colour of `texture` [H, W, 3] times `gain` [H, W], where `one` changes nothing; `into`: for the
    result, instead of a new array."""
    return cv2.multiply(texture, cv2.merge([gain, gain, gain]), dst=into, scale=1 / one)


def speckle(generator: Generator, texture: Image, strength: float, *, zoom: float = 1.0) -> Image:
    """Multiply by 1 + noise of relative standard deviation `strength`."""
    if strength <= 0:
        return texture
    patch = noise_patch(generator, *texture.shape[:2], zoom=zoom)
    gain = cv2.convertScaleAbs(patch, alpha=128 * strength, beta=128)
    return brighten(texture, gain, one=128)


def rectangle(texture: Image, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
    cv2.rectangle(texture, (round(x0), round(y0)), (round(x1) - 1, round(y1) - 1), colour, -1)


def lettering(
    generator: Generator, texture: Image, x0: float, y0: float, x1: float, y1: float, ink: Colour
) -> None:
    """Random capitals across the given rectangle of the texture."""
    size = (y1 - y0) * 0.6
    if size < 4:
        middle = (y0 + y1) / 2
        rectangle(
            texture, x0 + (x1 - x0) * 0.2, middle - size / 3, x1 - (x1 - x0) * 0.2, middle + size / 3 + 1, ink
        )
        return
    count = max(int((x1 - x0) * generator.uniform(0.5, 0.9) / (size * 0.9)), 1)
    word = "".join(_LETTERS[i] for i in generator.integers(len(_LETTERS), size=min(count, 14)))
    thickness = max(round(size / 7), 1)
    start = (round(x0 + (x1 - x0 - count * size * 0.85) / 2), round(y1 - (y1 - y0) * 0.2))
    font = cv2.FONT_HERSHEY_DUPLEX if generator.random() < 0.5 else cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(texture, word, start, font, size / 22, ink, thickness, cv2.LINE_AA)


def foliage(generator: Generator, height: int, width: int, colour: Colour, *, contrast: float) -> Image:
    """Leaves: blotches of light and shade at several sizes, [height, width, 3]."""
    grain = generator.standard_normal((height, width), dtype=np.float32)
    fine = noise_patch(generator, height, width, zoom=0.8)
    coarse = noise_patch(generator, height, width, zoom=3)
    light = 0.78 * np.exp(contrast * (0.36 * grain + 0.24 * (fine + coarse)))  # leaves glint
    warm = light * (1 + 0.10 * coarse)
    r, g, b = colour
    layers = ((warm, r), (light, g), (light, b))
    return cv2.merge([cv2.convertScaleAbs(layer, alpha=strength) for layer, strength in layers])


def hedge_colour(generator: Generator, palette: str) -> Colour:
    """A leaf colour of a palette: green, autumn, dark or winter."""
    options: dict[str, tuple[Colour, ...]] = {
        "green": ((74, 96, 42), (92, 112, 52), (62, 84, 44), (104, 122, 66), (84, 98, 58)),
        "autumn": ((150, 108, 46), (126, 92, 50), (118, 112, 52), (160, 84, 40)),
        "dark": ((40, 52, 30), (34, 42, 30), (52, 60, 40)),
        "winter": ((104, 96, 78), (86, 80, 66), (96, 98, 70)),
    }
    choices = options[palette]
    colour = np.array(choices[int(generator.integers(len(choices)))], float)
    faded = 0.85 * generator.random() ** 1.1  # dust, a low sun, winter
    r, g, b = colour + faded * (colour.mean() - colour)
    return jitter(generator, (r, g, b), 12)


def railing(
    generator: Generator, *, width: float, height: float, density: float, kind: str | None = None
) -> tuple[Image, Image]:
    """A fence one can look through: (texture [h, w, 3], alpha [h, w]).

    kind: "bars" or "mesh", both dark; None for any of bars, mesh, boards and rails, dark or bright.
    """
    columns, rows = max(round(width * density), 4), max(round(height * density), 4)
    dark = kind is not None or generator.random() < 0.6
    kind = kind or choose(generator, {"bars": 5, "mesh": 1.5, "boards": 2.5, "rails": 1.5})
    tone = generator.uniform(10, 70) if dark else generator.uniform(120, 215)
    colour: Colour = (tone, tone * generator.uniform(0.92, 1.05), tone * generator.uniform(0.9, 1.05))
    if kind == "boards":
        colour = jitter(generator, (116, 88, 62) if generator.random() < 0.7 else (190, 186, 178), 25)
    texture = speckle(generator, flat(rows, columns, colour), 0.12)
    alpha = np.zeros((rows, columns), np.uint8)
    bar = max(round(0.03 * density * generator.uniform(0.8, 1.8)), 1)
    if kind == "boards":
        alpha[:] = 255
        step = max(generator.uniform(0.12, 0.25) * density, 3)
        for x in np.arange(0, columns, step):
            texture[:, int(x) : int(x) + 1] = np.asarray(colour) * 0.6
    elif kind == "rails":
        for level in (0.08, 0.4, 0.72):
            row = int(level * rows)
            alpha[row : row + max(round(0.08 * density), 1)] = 255
        for x in np.arange(0, columns, max(1.8 * density, 4)):
            alpha[:, int(x) : int(x) + 2 * bar] = 255
    else:
        step = max((0.12 if kind == "bars" else 0.07) * density * generator.uniform(0.9, 1.6), 2 * bar + 1)
        for x in np.arange(0, columns, step):
            alpha[:, int(x) : int(x) + bar] = 255 if kind == "bars" else 130
        if kind == "mesh":
            for y in np.arange(0, rows, step):
                alpha[int(y) : int(y) + bar] = 130
        for level in (0.03, 0.9):
            row = int(level * rows)
            alpha[row : row + 2 * bar] = 255
        for x in np.arange(0, columns, max(2.4 * density, 6)):
            alpha[:, int(x) : int(x) + 2 * bar + 1] = 255
    return texture, alpha
