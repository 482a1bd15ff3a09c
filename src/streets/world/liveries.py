"""The faces of buses, trams and trucks: glass with what it mirrors, doors, bands, boards, lamps, names."""

import cv2
import numpy as np

from streets.materials import (
    Colour,
    Generator,
    Image,
    any_colour,
    brighten,
    flat,
    jitter,
    lettering,
    rectangle,
)
from streets.world import surfaces

_COACHES: tuple[Colour, ...] = (
    (232, 232, 228), (230, 230, 226), (176, 34, 38), (238, 186, 36), (40, 84, 160), (52, 128, 84),
    (214, 206, 186), (120, 124, 130), (232, 120, 40), (60, 60, 66),
)  # fmt: skip
_BOXES: tuple[Colour, ...] = (
    (235, 235, 232), (226, 226, 224), (210, 212, 214), (196, 40, 40), (38, 70, 140), (48, 110, 80),
    (236, 190, 50), (150, 150, 150), (90, 92, 96), (222, 120, 46),
)  # fmt: skip


def body_colour(generator: Generator, kind: str) -> Colour:
    """Of a bus, tram or truck."""
    options = _BOXES if kind == "truck" else _COACHES
    colour = np.array(options[int(generator.integers(len(options)))], float)
    r, g, b = (colour + 0.6 * generator.random() * (colour.mean() - colour)).tolist()  # faded
    return jitter(generator, (r, g, b), 14)


def glass(generator: Generator, texture: Image, x0: float, y0: float, x1: float, y1: float) -> None:
    """Dark panes that mirror the sky above and the street below, with what sits behind them."""
    part = texture[max(round(y0), 0) : round(y1), max(round(x0), 0) : round(x1)]
    rows, columns = part.shape[:2]
    if rows < 1 or columns < 1:
        return
    dark = generator.uniform(12, 60)
    shape = surfaces.surface(generator, rows, columns, slope=1.2, zoom=max(rows / 60, 0.2))
    sky = np.linspace(generator.uniform(0.3, 2.2), 0, rows, dtype=np.float32)[:, None]
    light = np.clip(dark * (1 + sky + 0.4 * shape) + 40 * (shape > generator.uniform(0.8, 2.5)), 4, 225)
    part[:] = cv2.merge([cv2.convertScaleAbs(light, alpha=tint) for tint in (0.95, 1.02, 1.1)])


def coach_side(
    generator: Generator, colour: Colour, *, tram: bool, length: float, height: float, density: float
) -> Image:
    """The long side of a bus or of a part of a tram."""
    columns, rows = max(round(length * density), 8), max(round(height * density), 6)
    texture = flat(rows, columns, colour)
    other = jitter(generator, _COACHES[int(generator.integers(len(_COACHES)))], 16)
    if generator.random() < 0.6:  # a second colour below, above or as a wave
        split = generator.uniform(0.5, 0.85) * rows
        rectangle(texture, 0, split, columns, rows, other)
    if generator.random() < 0.4:
        y = generator.uniform(0.52, 0.8) * rows
        rectangle(texture, 0, y, columns, y + generator.uniform(0.03, 0.12) * rows, any_tuple(generator))
    decks = (
        ((0.08, 0.3), (0.5, 0.74))
        if height > 3.6
        else ((generator.uniform(0.08, 0.2), generator.uniform(0.5, 0.6)),)
    )
    for top, foot in decks:
        glass(generator, texture, 0.01 * columns, top * rows, 0.99 * columns, foot * rows)
        pillar = generator.uniform(1.0, 2.0) * density
        tone = colour if generator.random() < 0.4 else (24, 25, 28)
        for x in np.arange(pillar, columns, pillar):
            rectangle(texture, x, top * rows, x + max(0.08 * density, 1), foot * rows, tone)
        if generator.random() < 0.6:  # hoppers
            y = (top + 0.28 * (foot - top)) * rows
            rectangle(texture, 0, y, columns, y + max(0.03 * density, 1), tone)
    if generator.random() < 0.35:  # an advertisement
        x = generator.uniform(0.05, 0.6) * columns
        rectangle(texture, x, 0.62 * rows, x + 0.3 * columns, 0.84 * rows, any_tuple(generator))
        lettering(generator, texture, x, 0.64 * rows, x + 0.3 * columns, 0.82 * rows, any_tuple(generator))
    for x in generator.choice([0.06, 0.3, 0.46, 0.7, 0.88], int(generator.integers(0, 4)), replace=False):
        left, wide = x * columns, generator.uniform(1.0, 1.4) * density
        rectangle(texture, left, 0.14 * rows, left + wide, 0.97 * rows, (30, 31, 34))
        glass(
            generator, texture, left + 0.08 * density, 0.18 * rows, left + wide - 0.08 * density, 0.9 * rows
        )
        rectangle(
            texture,
            left + wide / 2,
            0.14 * rows,
            left + wide / 2 + max(0.05 * density, 1),
            0.97 * rows,
            (24, 24, 26),
        )
    if tram:
        rectangle(texture, 0, 0.92 * rows, columns, rows, (60, 60, 64))
        for x in (0, columns - max(0.25 * density, 1)):  # bellows
            rectangle(texture, x, 0.06 * rows, x + max(0.3 * density, 1), rows, (30, 30, 32))
    return finish(generator, texture)


def any_tuple(generator: Generator) -> Colour:
    r, g, b = any_colour(generator, 20, 245).tolist()
    return r, g, b


def coach_end(
    generator: Generator,
    colour: Colour,
    *,
    front: bool,
    tram: bool,
    width: float,
    height: float,
    density: float,
) -> Image:
    """Front or rear of a bus or tram."""
    columns, rows = max(round(width * density), 5), max(round(height * density), 6)
    texture = flat(rows, columns, colour)
    if generator.random() < 0.5:
        rectangle(texture, 0, generator.uniform(0.55, 0.75) * rows, columns, rows, any_tuple(generator))
    if front or tram or generator.random() < 0.75:
        top, foot = generator.uniform(0.08, 0.2), generator.uniform(0.52, 0.66)
        if not front and not tram:
            top, foot = generator.uniform(0.1, 0.3), generator.uniform(0.4, 0.55)
        inset = generator.uniform(0.03, 0.1) * columns
        glass(generator, texture, inset, top * rows, columns - inset, foot * rows)
        if height > 3.6:
            glass(generator, texture, inset, 0.66 * rows, columns - inset, 0.84 * rows)
    if (front or generator.random() < 0.4) and generator.random() < 0.85:  # where it goes
        y0 = generator.uniform(0.02, 0.08) * rows
        rectangle(texture, 0.12 * columns, y0, 0.88 * columns, y0 + 0.11 * rows, (22, 22, 24))
        ink: Colour = (252, 170, 50) if generator.random() < 0.7 else (240, 240, 230)
        lettering(generator, texture, 0.15 * columns, y0, 0.85 * columns, y0 + 0.11 * rows, ink)
    if not front and generator.random() < 0.6:  # grille
        tone = generator.uniform(20, 70)
        rectangle(texture, 0.15 * columns, 0.7 * rows, 0.85 * columns, 0.9 * rows, (tone, tone, tone))
    lamp: Colour = (240, 240, 226) if front else (190, 24, 22)
    y, wide, tall = (
        generator.uniform(0.72, 0.86) * rows,
        generator.uniform(0.08, 0.2) * columns,
        generator.uniform(0.04, 0.1) * rows,
    )
    for x in (0.04 * columns, 0.96 * columns - wide):
        rectangle(texture, x, y, x + wide, y + max(tall, 1), lamp)
        if not front:
            rectangle(texture, x, y - 1.3 * tall, x + wide, y - 0.3 * tall, (206, 120, 30))
    rectangle(texture, 0.38 * columns, 0.88 * rows, 0.62 * columns, 0.93 * rows, (224, 222, 200))
    rectangle(texture, 0, 0.94 * rows, columns, rows, (34, 34, 36))
    return finish(generator, texture)


def cab_front(generator: Generator, colour: Colour, *, width: float, height: float, density: float) -> Image:
    """The front of a lorry."""
    columns, rows = max(round(width * density), 5), max(round(height * density), 6)
    texture = flat(rows, columns, colour)
    top = generator.uniform(0.08, 0.3)
    glass(generator, texture, 0.06 * columns, top * rows, 0.94 * columns, (top + 0.3) * rows)
    grille = generator.uniform(14, 70)
    rectangle(
        texture, 0.2 * columns, (top + 0.36) * rows, 0.8 * columns, 0.8 * rows, (grille, grille, grille)
    )
    for y in np.arange((top + 0.38) * rows, 0.8 * rows, max(0.08 * rows, 2)):
        rectangle(texture, 0.2 * columns, y, 0.8 * columns, y + 1, (grille + 60,) * 3)
    for x in (0.05, 0.78):
        rectangle(texture, x * columns, 0.82 * rows, (x + 0.17) * columns, 0.91 * rows, (238, 238, 226))
    rectangle(texture, 0, 0.92 * rows, columns, rows, (40, 40, 42))
    return finish(generator, texture)


def cab_side(generator: Generator, colour: Colour, *, length: float, height: float, density: float) -> Image:
    columns, rows = max(round(length * density), 5), max(round(height * density), 6)
    texture = flat(rows, columns, colour)
    glass(generator, texture, 0.25 * columns, 0.14 * rows, 0.92 * columns, 0.46 * rows)
    rectangle(texture, 0.22 * columns, 0.1 * rows, 0.22 * columns + 1, 0.9 * rows, (40, 40, 42))
    rectangle(texture, 0, 0.86 * rows, columns, rows, (46, 46, 48))
    return finish(generator, texture)


def cargo(
    generator: Generator, colour: Colour, load: str, *, length: float, height: float, density: float
) -> Image:
    """The side of what a lorry carries: box, curtain, tank, tipper or flat."""
    columns, rows = max(round(length * density), 6), max(round(height * density), 4)
    texture = flat(rows, columns, colour)
    if load == "tank":
        bright = 1.15 - 0.75 * np.abs(np.linspace(-0.7, 1, rows, dtype=np.float32))[:, None] ** 1.5
        gain = np.repeat(cv2.convertScaleAbs(bright, alpha=127), columns, axis=1)
        texture = brighten(texture, gain, one=127)
    step = {"box": generator.uniform(0.5, 2.5), "curtain": 0.6, "tank": 2.0, "tipper": 0.9, "flat": 0.6}[
        load
    ] * density
    if step > 2.5 and generator.random() < 0.8:
        for x in np.arange(0, columns, step):
            seam = texture[:, int(x) : int(x) + max(round(0.06 * density), 1)]
            seam[:] = cv2.convertScaleAbs(seam, alpha=0.78) if seam.size else seam
    if load in ("box", "curtain") and generator.random() < 0.7:
        ink, size = any_tuple(generator), generator.uniform(0.2, 0.5) * rows
        x, y = generator.uniform(0, 0.4) * columns, generator.uniform(0.1, 0.5) * rows
        if generator.random() < 0.4:
            rectangle(texture, x, y - 0.1 * size, x + 5 * size, y + 1.1 * size, any_tuple(generator))
        lettering(generator, texture, x, y, x + 5 * size, y + size, ink)
    edge = (70, 70, 74)
    rectangle(texture, 0, rows - max(0.12 * density, 1), columns, rows, edge)
    if generator.random() < 0.5:
        rectangle(texture, 0, 0, columns, max(0.08 * density, 1), tuple(0.7 * c for c in colour))  # type: ignore[arg-type]
    return finish(generator, texture, dirt=generator.uniform(0, 0.4))


def cargo_rear(
    generator: Generator, colour: Colour, load: str, *, width: float, height: float, density: float
) -> Image:
    """The back of a lorry: doors, hinges, a roller shutter or a tailgate; lamps and stripes below."""
    columns, rows = max(round(width * density), 5), max(round(height * density), 5)
    texture = flat(rows, columns, colour)
    seam = tuple(0.55 * c for c in colour)
    if load in ("box", "curtain"):
        if generator.random() < 0.7:
            for x in (0.25, 0.5, 0.75):
                rectangle(texture, x * columns, 0, x * columns + max(0.03 * density, 1), 0.94 * rows, seam)  # type: ignore[arg-type]
        else:
            for y in np.arange(0, rows, max(0.25 * density, 2)):
                rectangle(texture, 0, y, columns, y + 1, seam)  # type: ignore[arg-type]
        edge = max(0.07 * density, 1)
        frame = any_tuple(generator)
        for x0, y0, x1, y1 in ((0, 0, columns, edge), (0, 0, edge, rows), (columns - edge, 0, columns, rows)):
            rectangle(texture, x0, y0, x1, y1, frame)
        if generator.random() < 0.5:
            ink = any_tuple(generator)
            lettering(generator, texture, 0.1 * columns, 0.3 * rows, 0.9 * columns, 0.5 * rows, ink)
    stripe = max(rows * 0.07, 1)
    rectangle(texture, 0, rows - stripe, columns, rows, (48, 48, 50))
    for x in (0.03, 0.8):
        rectangle(
            texture,
            x * columns,
            rows - 1.6 * stripe,
            (x + 0.17) * columns,
            rows - 0.6 * stripe,
            (196, 26, 24),
        )
    rectangle(
        texture, 0.4 * columns, rows - 1.2 * stripe, 0.6 * columns, rows - 0.4 * stripe, (226, 216, 150)
    )
    return finish(generator, texture, dirt=generator.uniform(0, 0.5))


def finish(generator: Generator, texture: Image, *, dirt: float = 0.1) -> Image:
    """Mirrored light above, dirt below, dents."""
    rows, columns = texture.shape[:2]
    smooth = surfaces.surface(generator, rows, columns, slope=1.4, zoom=max(columns / 300, 0.3))
    fall = np.linspace(generator.uniform(1.0, 1.2), 1.0 - dirt, rows, dtype=np.float32)[:, None]
    gain = np.clip(fall * (1 + 0.05 * smooth), 0.2, 1.9)
    return brighten(texture, cv2.convertScaleAbs(gain, alpha=127), one=127)
