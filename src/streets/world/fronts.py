"""What makes a front look lived in: balconies, shutters and blinds, eaves, stains, shade at the foot."""

import cv2
import numpy as np

from streets.materials import Colour, Generator, Image, any_colour, brighten, rectangle
from streets.world import surfaces


def weather_front(generator: Generator, texture: Image, density: float) -> Image:
    """A front [H, W, 3] at `density` pixels a metre, with what the plain drawing lacks."""
    rows, columns = texture.shape[:2]
    if density > 2.5 and rows > 20:
        if generator.random() < 0.3:
            _balconies(generator, texture, density)
        if generator.random() < 0.35:
            _shutters(generator, texture, density)
        if generator.random() < 0.15:
            _ivy(generator, texture, density)
    stains = surfaces.surface(generator, rows, columns, slope=1.2, zoom=max(density / 5, 0.4))
    grain = surfaces.surface(generator, rows, columns, slope=0.6, zoom=0.8)
    gain = 1 + np.float32(generator.uniform(0.03, 0.1)) * stains + np.float32(0.035) * grain
    eaves = max(round(generator.uniform(0.2, 1.0) * density), 1)
    if generator.random() < 0.6:
        gain[:eaves] *= np.linspace(generator.uniform(0.4, 0.8), 1, eaves, dtype=np.float32)[:, None]
    foot = max(round(generator.uniform(0.5, 3.0) * density), 1)
    gain[-foot:] *= np.linspace(1, generator.uniform(0.55, 0.95), min(foot, rows), dtype=np.float32)[:, None]
    return brighten(texture, cv2.convertScaleAbs(np.clip(gain, 0.2, 1.9), alpha=127), one=127)


def _balconies(generator: Generator, texture: Image, density: float) -> None:
    """Slabs with parapets or bars, the shade they throw, doors behind."""
    rows, columns = texture.shape[:2]
    storey, high = generator.uniform(2.7, 3.3) * density, generator.uniform(0.8, 1.2) * density
    wide, gap = generator.uniform(2.0, 5.0) * density, generator.uniform(0.3, 5.0) * density
    if generator.random() < 0.3:
        wide, gap = float(columns), 1.0  # from end to end
    tone = generator.uniform(60, 235)
    front: Colour = (
        (tone, tone, tone) if generator.random() < 0.6 else tuple(any_colour(generator, 40, 220).tolist())
    )
    bars = generator.random() < 0.4
    start = generator.uniform(0, gap)
    for y in np.arange(rows - generator.uniform(1.0, 1.4) * storey, 0, -storey):
        for x in np.arange(start, columns, wide + gap):
            right = min(x + wide, columns)
            shade = texture[max(round(y - 1.6 * high), 0) : max(round(y), 0), round(x) : round(right)]
            if shade.size:
                shade[:] = cv2.convertScaleAbs(shade, alpha=0.55)
            if bars:
                for bar in np.arange(x, right, max(0.16 * density, 2)):
                    rectangle(texture, bar, y - high, bar + 1, y, front)
                rectangle(texture, x, y - high, right, y - high + 1, front)
            else:
                rectangle(texture, x, y - high, right, y, front)
            slab = texture[max(round(y), 0) : max(round(y + 0.22 * density), 0) + 1, round(x) : round(right)]
            if slab.size:
                slab[:] = cv2.convertScaleAbs(slab, alpha=0.45)


def _shutters(generator: Generator, texture: Image, density: float) -> None:
    """Pairs of boards beside windows, or blinds half down, all of one colour."""
    rows, columns = texture.shape[:2]
    colour: Colour = tuple(any_colour(generator, 30, 225).tolist())
    pitch, storey = generator.uniform(1.8, 3.4) * density, generator.uniform(2.7, 3.3) * density
    wide, tall = generator.uniform(0.3, 0.6) * density, generator.uniform(1.1, 1.6) * density
    blinds = generator.random() < 0.5
    for y in np.arange(rows - 0.7 * storey, 0, -storey):
        for x in np.arange(generator.uniform(0, pitch), columns, pitch):
            if blinds:
                if generator.random() < 0.5:
                    drop = generator.uniform(0.2, 1.0) * tall
                    rectangle(texture, x, y - tall, x + 2.2 * wide, y - tall + drop, colour)
            else:
                for left in (x - wide, x + 2 * wide):
                    rectangle(texture, left, y - tall, left + wide, y, colour)


def _ivy(generator: Generator, texture: Image, density: float) -> None:
    """Stains of another colour: creepers, soot, a mended render; still building."""
    rows, columns = texture.shape[:2]
    cover = surfaces.surface(
        generator, rows, columns, slope=1.2, zoom=max(density / 3, 0.5)
    ) > generator.uniform(0.4, 1.5)
    tone = np.array(any_colour(generator, 30, 160))
    mixed = texture * np.float32(0.4) + (0.6 * tone).astype(np.float32)
    np.copyto(texture, mixed.astype(np.uint8), where=cover[..., None])
