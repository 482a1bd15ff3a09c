"""Traffic signs and lights: upright pictures whose height in pixels is `size`."""

from streets.materials import Colour, Generator, jitter, lettering
from streets.raster import Sprite
from streets.sheet import Sheet

POLE, LIGHT, SIGN = 5, 6, 7

_FIELDS: tuple[Colour, ...] = (
    (30, 56, 120), (20, 24, 30), (230, 228, 222), (190, 50, 40), (40, 100, 70), (220, 190, 60),
    (120, 120, 124),
)  # fmt: skip


def traffic_sign(generator: Generator, size: int) -> tuple[Sprite, float]:
    """A sign plate and its width over its height: round, triangular, rectangular, or its grey back."""
    kind = generator.random()
    aspect = 1.0 if kind < 0.6 else generator.uniform(0.55, 2.2)
    sheet = Sheet(size, aspect)
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


def information_board(generator: Generator, size: int, *, aspect: float) -> Sprite:
    """A lettered panel that reaches the ground or hangs from a post: a plan of the town, a car park's rules,
    a banner."""
    sheet = Sheet(size, aspect)
    field = jitter(generator, _FIELDS[int(generator.integers(len(_FIELDS)))], 24)
    rim = jitter(generator, (60, 62, 66) if generator.random() < 0.6 else (200, 200, 198), 30)
    right, edge = aspect - 0.01, 0.025
    sheet.polygon([(0.01, 0.0), (right, 0.0), (right, 1.0), (0.01, 1.0)], rim, SIGN)
    inner = [(edge, edge), (aspect - edge, edge), (aspect - edge, 0.94), (edge, 0.94)]
    sheet.polygon(inner, field, SIGN)
    bright = sum(field) > 380
    ink: Colour = (30, 32, 40) if bright else (236, 236, 232)
    if generator.random() < 0.5:  # a picture or a band of another colour
        band = jitter(generator, _FIELDS[int(generator.integers(len(_FIELDS)))], 30)
        y0 = generator.uniform(0.05, 0.6)
        y1 = y0 + generator.uniform(0.1, 0.35)
        sheet.polygon([(edge, y0), (aspect - edge, y0), (aspect - edge, y1), (edge, y1)], band, SIGN)
    y = generator.uniform(0.05, 0.3)
    for _ in range(int(generator.integers(1, 6))):
        tall = generator.uniform(0.06, 0.16)
        if y + tall > 0.92:
            break
        lettering(
            generator,
            sheet.rgb,
            2 * edge * size,
            y * size,
            (aspect - 2 * edge) * size,
            (y + tall) * size,
            ink,
        )
        y += tall + generator.uniform(0.01, 0.06)
    return sheet.shade(generator, 0.05)


def traffic_light(generator: Generator, size: int) -> tuple[Sprite, float]:
    """A housing with three lamps, one lit, from the front, from behind or from the side, often before a black
    board with a white rim; and its width over its height."""
    if generator.random() < 0.18:
        return _light_from_the_side(generator, size)
    board = generator.random() < 0.45
    aspect = generator.uniform(0.5, 0.66) if board else 0.42
    sheet = Sheet(size, aspect)
    tone = generator.uniform(12, 52)
    housing: Colour = (
        (tone, tone, tone) if generator.random() < 0.85 else jitter(generator, (190, 160, 40), 20)
    )
    x, low, high = aspect / 2, 0.0, 1.0
    if board:
        rim: Colour = (215, 215, 215) if generator.random() < 0.5 else housing
        black: Colour = (min(tone, 34),) * 3
        sheet.polygon([(0.0, 0.0), (aspect, 0.0), (aspect, 1.0), (0.0, 1.0)], rim, LIGHT)
        edge = generator.uniform(0.015, 0.035)
        inner = [(edge, edge), (aspect - edge, edge), (aspect - edge, 1 - edge), (edge, 1 - edge)]
        sheet.polygon(inner, black, LIGHT)
        low, high = 0.08, 0.92
    half = 0.18 * (high - low)
    sheet.polygon([(x - half, low), (x + half, low), (x + half, high), (x - half, high)], housing, LIGHT)
    if not board and generator.random() < 0.25 and tone < 40:
        sheet.polygon([(0.0, 0.0), (0.42, 0.0), (0.42, 0.03), (0.0, 0.03)], (220, 220, 220), LIGHT)
    if generator.random() < 0.8:
        lit = int(generator.integers(3))
        radius = 0.12 * (high - low)
        lamps = (
            ((250, 60, 40), (80, 22, 20)),
            ((252, 190, 60), (84, 62, 18)),
            ((70, 240, 150), (16, 66, 44)),
        )
        for index, (on, off) in enumerate(lamps):
            y = low + (0.19 + 0.31 * index) * (high - low)
            sheet.ellipse(x, y, radius, radius, on if index == lit else off, LIGHT)
    return Sprite(sheet.rgb, sheet.alpha, sheet.label), aspect


def _light_from_the_side(generator: Generator, size: int) -> tuple[Sprite, float]:
    """Three hoods before a dark housing, the edge of the board behind it."""
    aspect = 0.3
    sheet = Sheet(size, aspect)
    tone = generator.uniform(10, 48)
    housing: Colour = (tone, tone, tone)
    sheet.polygon([(0.13, 0.06), (0.26, 0.06), (0.26, 0.94), (0.13, 0.94)], housing, LIGHT)
    for y in (0.2, 0.5, 0.8):
        sheet.polygon([(0.14, y - 0.11), (0.0, y - 0.07), (0.03, y + 0.01), (0.14, y + 0.07)], housing, LIGHT)
    rim: Colour = (215, 215, 215) if generator.random() < 0.4 else housing
    sheet.polygon([(0.25, 0.0), (0.3, 0.0), (0.3, 1.0), (0.25, 1.0)], rim, LIGHT)
    sprite = Sprite(sheet.rgb, sheet.alpha, sheet.label)
    return (sprite.mirrored() if generator.random() < 0.5 else sprite), aspect
