"""Random surfaces with the statistics of photographs: power falls with frequency as in clouds, leaves, stone.

Tiles are drawn once in a process, from fixed seeds, and windows of them are used everywhere: a frame depends
on its own seed alone. All values have mean 0 and standard deviation 1 unless said otherwise.
"""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from spn.core.seeding import numpy_generator
from streets.materials import Colour, Generator, Image
from streets.projection import FloatArray

Layer = NDArray[np.float32]
TILES: Final = 4
SIZE: Final = 512


@lru_cache(maxsize=40)
def spectral_tile(index: int, slope: float) -> Layer:
    """A tileable random surface [SIZE, SIZE] whose amplitude falls as frequency ** -slope."""
    generator = numpy_generator(index, "spectral tile", str(slope))
    across = np.fft.fftfreq(SIZE)[:, None]
    along = np.fft.rfftfreq(SIZE)[None]
    frequency = np.hypot(across, along)
    frequency[0, 0] = np.inf
    phase = np.exp(2j * np.pi * generator.random(frequency.shape))
    surface = np.fft.irfft2(frequency**-slope * phase, s=(SIZE, SIZE))
    return (surface / surface.std()).astype(np.float32)


@lru_cache(maxsize=8)
def leaf_tile(index: int) -> Layer:
    """Overlapping leaves [SIZE, SIZE], each its own brightness, over what light falls between them."""
    generator = numpy_generator(index, "leaf tile")
    tile = np.full((SIZE, SIZE), 40, np.uint8)
    for size, count in ((7, 2600), (5, 4200), (3, 6000)):
        places = generator.integers(0, SIZE, (count, 2))
        angles = generator.integers(0, 180, count)
        tones = np.clip(generator.normal(120, 48, count), 20, 255).astype(int)
        for (x, y), angle, tone in zip(places.tolist(), angles.tolist(), tones.tolist(), strict=True):
            half = max(round(size * 0.45), 1)
            cv2.ellipse(tile, (x, y), (size, half), angle, 0, 360, tone, -1)
    surface = tile.astype(np.float32)
    return (surface - surface.mean()) / surface.std()


@lru_cache(maxsize=8)
def stone_tile(index: int) -> Layer:
    """Setts or flags in courses [SIZE, SIZE], 32 stones across, dark joints between."""
    generator = numpy_generator(index, "stone tile")
    tile = np.full((SIZE, SIZE), 60.0, np.float32)
    step = 16
    for row in range(SIZE // step):
        x = float(generator.uniform(0, step))
        while x < SIZE:
            wide = step * generator.uniform(0.7, 1.5)
            tone = generator.normal(150, 26)
            y0, y1 = row * step + int(generator.integers(1, 3)), (row + 1) * step - 1
            cv2.rectangle(tile, (round(x) + 1, y0), (min(round(x + wide) - 1, SIZE), y1), tone, -1)
            x += wide
    tile = cv2.GaussianBlur(tile, (3, 3), 0) + 14 * spectral_tile(index, 0.8)
    return (tile - tile.mean()) / tile.std()


def window(generator: Generator, tile: Layer, height: int, width: int, *, zoom: float = 1.0) -> Layer:
    """A random part [height, width] of a tile, enlarged by `zoom`; the tile repeats where it is too small."""
    h, w = max(int(height / zoom), 2), max(int(width / zoom), 2)
    y, x = int(generator.integers(max(SIZE - h, 0) + 1)), int(generator.integers(max(SIZE - w, 0) + 1))
    if h <= SIZE and w <= SIZE:
        patch = tile[y : y + h, x : x + w]
    else:
        patch = tile[np.ix_(np.arange(h) % SIZE, np.arange(w) % SIZE)]
    if patch.shape != (height, width):  # a coarse reduction: what it aliases is noise as well
        patch = cv2.resize(patch, (width, height), interpolation=cv2.INTER_LINEAR)
    return patch


def surface(generator: Generator, height: int, width: int, *, slope: float = 1.0, zoom: float = 1.0) -> Layer:
    """A random surface [height, width]."""
    return window(generator, spectral_tile(int(generator.integers(TILES)), slope), height, width, zoom=zoom)


def paint(gain: Layer, colour: Colour, *, warm: Layer | None = None) -> Image:
    """`colour` times `gain` [H, W]; where `warm` is above 0 yellower and redder, below bluer."""
    r, g, b = colour
    if warm is None:
        layers = [cv2.convertScaleAbs(gain, alpha=channel) for channel in (r, g, b)]
    else:
        layers = [
            cv2.convertScaleAbs(gain * (1 + warm), alpha=r),
            cv2.convertScaleAbs(gain, alpha=g),
            cv2.convertScaleAbs(gain * (1 - warm), alpha=b),
        ]
    return cv2.merge(layers)


def leaves(
    generator: Generator, height: int, width: int, colour: Colour, *, scale: float, contrast: float
) -> Image:
    """Foliage [height, width, 3] whose clumps are about `scale` pixels wide, lit from above."""
    clumps = surface(generator, height, width, slope=1.4, zoom=max(scale / 40, 0.25))
    twigs = surface(generator, height, width, slope=1.0, zoom=max(scale / 130, 0.25))
    lit = cv2.Sobel(cv2.blur(clumps, (3, 3)), cv2.CV_32F, 0, 1, ksize=3) * np.float32(min(scale / 20, 3.0))
    zoom = float(np.clip(scale / generator.uniform(60, 130), 0.3, 2.0))
    fine = window(generator, leaf_tile(int(generator.integers(TILES))), height, width, zoom=zoom)
    tone = contrast * (0.26 * fine + 0.22 * twigs + 0.24 * clumps - 0.30 * np.clip(lit, -1.2, 1.2))
    tone = cv2.exp(np.clip(tone, -2.0, 0.95).astype(np.float32))
    return paint(tone * np.float32(0.8), colour, warm=0.09 * np.clip(tone - 0.8, -0.8, 1.0))


def ragged(generator: Generator, columns: int, *, bump: float) -> FloatArray:
    """A line of tree tops [columns], about -1 to 1: bumps of about `bump` pixels and finer ones on them."""
    coarse = surface(generator, 2, columns, slope=1.0, zoom=max(bump / 24, 0.3))[0]
    return np.clip(0.5 * coarse, -1, 1)
