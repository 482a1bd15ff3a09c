"""Traffic signs and lights of many countries, on poles, from the front and from behind.

Upright pictures whose height in pixels is `size`, with their width over their height.
"""

import numpy as np

from spn.core.classes import IGNORE
from streets.materials import Colour, Generator, choose, jitter, lettering
from streets.raster import Sprite
from streets.sheet import Sheet
from streets.street_signs import LIGHT, SIGN, traffic_sign

_KINDS = {
    "limit": 2.0, "ban": 1.4, "order": 1.4, "danger": 1.6, "yellow diamond": 1.2, "priority": 0.9,
    "stop": 0.9, "yield": 0.8, "parking": 1.2, "arrow": 1.2, "chevron": 0.7, "street name": 1.0, "plate": 1.0,
    "back": 1.6, "crossing": 1.0, "other": 2.0,
}  # fmt: skip


def _regular(corners: int, radius: float, *, turn: float = 0.0, x: float = 0.5) -> list[tuple[float, float]]:
    angles = np.arange(corners) * (2 * np.pi / corners) + turn
    return [(x + radius * float(np.sin(a)), 0.5 - radius * float(np.cos(a))) for a in angles]


def sign(generator: Generator, size: int) -> tuple[Sprite, float]:
    """One of them, faded and dirty at random."""
    kind = choose(generator, _KINDS)
    if kind == "other":
        return traffic_sign(generator, size)
    aspect = {"street name": generator.uniform(2.5, 5.0), "plate": generator.uniform(1.2, 2.4)}.get(kind, 1.0)
    if kind == "chevron":
        aspect = generator.uniform(1.0, 3.0)
    sheet = Sheet(size, aspect)
    red, blue = jitter(generator, (190, 30, 34), 22), jitter(generator, (26, 74, 164), 22)
    yellow, white = jitter(generator, (238, 190, 40), 20), jitter(generator, (232, 232, 228), 12)
    green, black = jitter(generator, (20, 104, 70), 16), (26, 26, 28)
    if kind in ("limit", "ban", "order"):
        sheet.ellipse(0.5, 0.5, 0.49, 0.49, blue if kind == "order" else red, SIGN)
        field = blue if kind == "order" else white if generator.random() < 0.7 else blue
        sheet.ellipse(0.5, 0.5, 0.37, 0.37, field, SIGN)
        ink = white if field == blue else black
        if kind == "limit":
            _digits(sheet, generator, ink)
        elif kind == "ban":
            sheet.line([(0.24, 0.24), (0.76, 0.76)], 0.1, red, SIGN)
            if generator.random() < 0.5:
                sheet.line([(0.76, 0.24), (0.24, 0.76)], 0.1, red, SIGN)
        else:
            _arrow(sheet, generator, 0.5, 0.5, 0.28, white)
    elif kind == "danger":
        rim = yellow if generator.random() < 0.2 else white
        for scale, colour in ((1.0, red), (0.66, rim)):
            foot, half = 0.66 + 0.28 * scale, 0.49 * scale
            sheet.polygon([(0.5, 0.66 - 0.62 * scale), (0.5 + half, foot), (0.5 - half, foot)], colour, SIGN)
        _figure(sheet, generator, 0.5, 0.62, 0.15, black)
    elif kind in ("yellow diamond", "priority"):
        sheet.polygon(_regular(4, 0.5), white if kind == "priority" else black, SIGN)
        orange = generator.random() < 0.25
        sheet.polygon(
            _regular(4, 0.46 if kind != "priority" else 0.36),
            jitter(generator, (236, 130, 30), 14) if orange else yellow,
            SIGN,
        )
        if kind != "priority":
            _figure(sheet, generator, 0.5, 0.5, 0.22, black)
    elif kind == "stop":
        sheet.polygon(_regular(8, 0.52, turn=np.pi / 8), white, SIGN)
        sheet.polygon(_regular(8, 0.48, turn=np.pi / 8), red, SIGN)
        lettering(generator, sheet.rgb, 0.16 * size, 0.34 * size, 0.84 * size, 0.66 * size, white)
    elif kind == "yield":
        for scale, colour in ((1.0, red), (0.6, white)):
            sheet.polygon(
                [
                    (0.5 - 0.49 * scale, 0.36 - 0.28 * scale),
                    (0.5 + 0.49 * scale, 0.36 - 0.28 * scale),
                    (0.5, 0.36 + 0.6 * scale),
                ],
                colour,
                SIGN,
            )
    else:
        _plate(sheet, generator, kind, aspect, (red, blue, yellow, white, green, black))
    sprite = sheet.shade(generator, 0.08)
    if kind == "back":  # void, as in Cityscapes: only the front is a sign
        sprite = Sprite(sprite.rgb, sprite.alpha, np.full_like(sprite.label, IGNORE))
    return sprite, aspect


def _plate(sheet: Sheet, generator: Generator, kind: str, aspect: float, paints: tuple[Colour, ...]) -> None:
    """Rectangles: parking, arrows, chevrons, names, additional plates, pedestrian crossings, backs."""
    _, blue, yellow, white, green, black = paints
    size = sheet.size

    def board(rim: Colour, field: Colour) -> None:
        sheet.polygon([(0.01, 0.01), (aspect - 0.01, 0.01), (aspect - 0.01, 0.99), (0.01, 0.99)], rim, SIGN)
        sheet.polygon([(0.05, 0.05), (aspect - 0.05, 0.05), (aspect - 0.05, 0.95), (0.05, 0.95)], field, SIGN)

    if kind == "back":
        tone = generator.uniform(90, 165)
        grey: Colour = (tone, tone, tone * 1.01)
        roll = generator.random()
        if roll < 0.4:
            sheet.ellipse(0.5, 0.5, 0.49, 0.49, grey, SIGN)
        elif roll < 0.6:
            sheet.polygon([(0.5, 0.02), (0.99, 0.95), (0.01, 0.95)], grey, SIGN)
        else:
            board(grey, grey)
        sheet.polygon([(0.46, 0.1), (0.54, 0.1), (0.54, 0.9), (0.46, 0.9)], (tone * 0.75,) * 3, SIGN)
    elif kind in ("parking", "crossing"):
        board(white, blue)
        if kind == "crossing":
            sheet.polygon([(0.5, 0.14), (0.86, 0.8), (0.14, 0.8)], white, SIGN)
            _figure(sheet, generator, 0.5, 0.58, 0.16, black)
        else:
            sheet.line(
                [(0.38, 0.82), (0.38, 0.2), (0.58, 0.2), (0.64, 0.36), (0.56, 0.52), (0.4, 0.52)],
                0.1,
                white,
                SIGN,
            )
    elif kind == "arrow":
        field, ink = ((blue, white), (black, white), (white, black), (green, white))[
            int(generator.integers(4))
        ]
        board(ink, field)
        _arrow(sheet, generator, 0.5, 0.5, 0.34, ink)
    elif kind == "chevron":
        field, ink = ((black, yellow), (paints[0], white), (black, white))[int(generator.integers(3))]
        board(field, field)
        step = 0.55
        for x in np.arange(0.1, aspect - 0.3, step):
            sheet.line([(x, 0.1), (x + 0.3, 0.5), (x, 0.9)], 0.16, ink, SIGN)
    else:
        field = (green, blue, white, yellow)[int(generator.integers(4))]
        ink = black if sum(field) > 380 else white
        board(ink, field)
        lettering(generator, sheet.rgb, 0.1 * size, 0.15 * size, (aspect - 0.1) * size, 0.85 * size, ink)


def _digits(sheet: Sheet, generator: Generator, ink: Colour) -> None:
    """Two digits of strokes."""
    for x in (0.36, 0.62):
        if generator.random() < 0.5:
            sheet.ellipse(x, 0.5, 0.1, 0.18, ink, SIGN)
            sheet.ellipse(x, 0.5, 0.045, 0.11, (226, 226, 222), SIGN)
        else:
            sheet.line(
                [(x - 0.08, 0.34), (x + 0.07, 0.34), (x - 0.03, 0.5), (x + 0.07, 0.58), (x - 0.08, 0.68)],
                0.06,
                ink,
                SIGN,
            )


def _arrow(sheet: Sheet, generator: Generator, x: float, y: float, r: float, ink: Colour) -> None:
    angle = generator.choice([0, np.pi / 2, -np.pi / 2, np.pi * 0.75])
    dx, dy = r * float(np.sin(angle)), -r * float(np.cos(angle))
    sheet.line([(x - dx, y - dy), (x + dx * 0.4, y + dy * 0.4)], 0.1, ink, SIGN)
    tip = [
        (x + dx, y + dy),
        (x + dx * 0.2 - dy * 0.6, y + dy * 0.2 + dx * 0.6),
        (x + dx * 0.2 + dy * 0.6, y + dy * 0.2 - dx * 0.6),
    ]
    sheet.polygon(tip, ink, SIGN)


def _figure(sheet: Sheet, generator: Generator, x: float, y: float, r: float, ink: Colour) -> None:
    """A walker, a bend, a mark: a few strokes."""
    if generator.random() < 0.4:
        sheet.ellipse(x, y - 0.9 * r, 0.3 * r, 0.3 * r, ink, SIGN)
        sheet.line([(x - 0.5 * r, y + r), (x, y), (x + 0.5 * r, y + r)], 0.35 * r, ink, SIGN)
        sheet.line([(x, y - 0.6 * r), (x, y + 0.2 * r)], 0.45 * r, ink, SIGN)
        return
    points = generator.uniform(-r, r, (3, 2)) + np.array([x, y])
    sheet.line([(float(px), float(py)) for px, py in points], 0.35 * r, ink, SIGN)


def light(generator: Generator, size: int) -> tuple[Sprite, float]:
    """Two to four lamps, upright or in a row, with hoods, boards and arrows; or from behind."""
    lamps = int(generator.choice([2, 3, 4], p=(0.16, 0.78, 0.06)))
    row = generator.random() < 0.08
    board = generator.random() < 0.35
    back = generator.random() < 0.2
    tone = generator.uniform(8, 48)
    housing: Colour = (tone, tone, tone * 1.02)
    roll = generator.random()
    if roll < 0.14:
        housing = jitter(generator, (206, 164, 44), 20)
    elif roll < 0.22:
        housing = jitter(generator, (40, 76, 62), 14)
    elif roll < 0.28:
        housing = jitter(generator, (120, 122, 124), 20)
    thick = 1.0 / lamps
    aspect = 1.0 if row else (0.95 if not board else 1.5) * thick
    sheet = Sheet(size, aspect)
    if board and not row:
        rims: tuple[Colour, ...] = ((216, 216, 214), (14, 14, 15), (230, 190, 60))
        rim = rims[int(generator.choice(3, p=(0.5, 0.4, 0.1)))]
        sheet.polygon([(0, 0), (aspect, 0), (aspect, 1), (0, 1)], rim, LIGHT)
        edge = generator.uniform(0.012, 0.03)
        sheet.polygon(
            [(edge, edge), (aspect - edge, edge), (aspect - edge, 1 - edge), (edge, 1 - edge)],
            (16, 16, 17),
            LIGHT,
        )
    margin = 0.06 if board else 0.0
    long, wide = (aspect, 1.0) if row else (1.0, aspect)
    half = 0.42 * thick if not row else 0.42 * long / lamps

    def spot(along: float) -> tuple[float, float]:
        return (along, wide / 2) if row else (wide / 2, along)

    x0, y0 = (margin, wide / 2 - half) if row else (wide / 2 - half, margin)
    x1, y1 = (long - margin, wide / 2 + half) if row else (wide / 2 + half, 1 - margin)
    sheet.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], housing, LIGHT)
    on: tuple[Colour, ...] = ((252, 62, 40), (255, 184, 56), (80, 246, 170))
    off: tuple[Colour, ...] = ((62, 20, 18), (70, 52, 18), (16, 56, 40))
    if lamps == 2:
        on, off = (on[0], on[2]), (off[0], off[2])
    lit = int(generator.choice([0, 1, 2], p=(0.45, 0.1, 0.45))) if generator.random() < 0.9 else 9
    if lamps == 2:
        lit = lit // 2 if lit < 9 else 9
    for index in range(0 if back else lamps):
        along = margin + (index + 0.5) * (long - 2 * margin) / lamps
        x, y = spot(along)
        radius = 0.72 * half
        colour = on[index % len(on)] if index == lit else off[index % len(off)]
        sheet.ellipse(x, y - 0.15 * radius, radius * 1.12, radius * 1.12, (10, 10, 11), LIGHT)  # the hood
        sheet.ellipse(x, y, radius, radius, colour, LIGHT)
        if index == lit:
            if generator.random() < 0.25:
                sheet.ellipse(x, y, radius, radius, (14, 14, 15), LIGHT)
                sheet.line([(x - 0.6 * radius, y), (x + 0.6 * radius, y)], 0.4 * radius, colour, LIGHT)
            else:
                pale: Colour = (min(colour[0] + 60, 255), min(colour[1] + 60, 255), min(colour[2] + 50, 255))
                sheet.ellipse(x, y, radius * 0.5, radius * 0.5, pale, LIGHT)
    return sheet.shade(generator, 0.04), aspect
