"""Motorcycles and scooters, parked and ridden, from the side and from the end: pictures of `size` rows."""

import cv2

from streets.materials import Colour, Generator, jitter
from streets.people import MOTORCYCLE, RIDER
from streets.raster import Sprite
from streets.sheet import Sheet

_PAINTS: tuple[Colour, ...] = (
    (24, 24, 26), (150, 26, 28), (30, 50, 120), (210, 210, 206), (70, 72, 76), (200, 120, 30), (40, 90, 60),
)  # fmt: skip


def motorcycle(generator: Generator, size: int, *, ridden: bool) -> Sprite:
    """A machine of any kind; `size` counts the rider's height where there is one."""
    share = 0.62 if ridden else 1.0  # of the sheet that the machine takes
    paint = jitter(generator, _PAINTS[int(generator.integers(len(_PAINTS)))], 20)
    side = generator.random() < (0.45 if ridden else 0.7)
    scooter = generator.random() < 0.45
    if not side:
        return _from_the_end(generator, size, share, paint, ridden=ridden)
    aspect = generator.uniform(1.55, 1.85) * share
    sheet = Sheet(size, aspect)
    k, foot = share, 1.0
    radius = (0.17 if scooter else 0.24) * k
    rear, front = 0.02 * k + radius, aspect - 0.02 * k - radius
    if ridden:
        _rider_aside(sheet, generator, rear, front, foot - 0.62 * k, k)
    _machine(sheet, generator, rear, front, foot - radius, radius, k, paint, scooter=scooter)
    sprite = sheet.shade(generator, 0.16)
    if generator.random() < 0.6:  # seen from between the side and the end
        height, width = sprite.alpha.shape
        wanted = max(round(width * generator.uniform(0.4, 1.0)), 2), height
        rgb, alpha = (
            cv2.resize(layer, wanted, interpolation=cv2.INTER_AREA) for layer in (sprite.rgb, sprite.alpha)
        )
        sprite = Sprite(rgb, alpha, cv2.resize(sprite.label, wanted, interpolation=cv2.INTER_NEAREST))
    return sprite


def _machine(
    sheet: Sheet, generator: Generator, rear: float, front: float, axle: float, radius: float, k: float,
    paint: Colour, *, scooter: bool,
) -> None:  # fmt: skip
    """Between the axles at `rear` and `front`, `k` high; shapes in shares of wheelbase and height."""
    span = front - rear
    dark: Colour = (28, 28, 30)
    metal = generator.uniform(70, 190)
    chrome: Colour = (metal, metal, metal * 1.02)

    def at(along: float, up: float) -> tuple[float, float]:
        return rear + along * span, axle - up * k

    def shape(colour: Colour, *points: tuple[float, float]) -> None:
        sheet.polygon([at(*point) for point in points], colour, MOTORCYCLE)

    def bar(colour: Colour, width: float, *points: tuple[float, float]) -> None:
        sheet.line([at(*point) for point in points], width * k, colour, MOTORCYCLE)

    for x in (rear, front):
        for share, colour in ((1.0, (20, 20, 22)), (0.62, chrome), (0.5, (46, 46, 48))):
            sheet.ellipse(x, axle, radius * share, radius * share, colour, MOTORCYCLE)
    bar(chrome if generator.random() < 0.5 else dark, 0.05, (1, 0), (0.8, 0.52))
    if scooter:
        shape(paint, (-0.1, 0.34), (0.45, 0.36), (0.5, 0), (-0.06, 0.06))
        shape(dark, (0.4, 0.02), (0.8, 0.02), (0.76, -0.07), (0.4, -0.07))
        shape(paint, (0.72, 0.52), (0.86, 0.47), (0.96, 0.1), (0.74, -0.02))
        shape(dark, (-0.06, 0.43), (0.48, 0.41), (0.44, 0.33), (-0.1, 0.33))
        if generator.random() < 0.35:  # a box behind
            shape(paint, (-0.2, 0.64), (0.08, 0.64), (0.08, 0.41), (-0.2, 0.41))
    else:
        shape((52, 52, 55), (0.25, 0.2), (0.72, 0.22), (0.66, -0.1), (0.32, -0.1))
        sheet.ellipse(*at(0.45, 0.02), 0.1 * k, 0.1 * k, chrome, MOTORCYCLE)
        bar(chrome, 0.06, (0.4, -0.1), (-0.05, -0.02))
        shape(paint, (0.42, 0.34), (0.7, 0.44), (0.78, 0.32), (0.5, 0.2))
        shape(dark, (-0.2, 0.44), (0.2, 0.36), (0.48, 0.34), (0.36, 0.24), (0.02, 0.26))
        if generator.random() < 0.5:  # a fairing
            shape(paint, (0.74, 0.54), (0.94, 0.36), (0.88, 0.1), (0.66, -0.02))
        if generator.random() < 0.3:  # cases
            shape(jitter(generator, (60, 60, 64), 30), (-0.12, 0.34), (0.16, 0.34), (0.14, 0), (-0.1, 0))
    sheet.ellipse(*at(0.9, 0.46), 0.06 * k, 0.06 * k, (226, 226, 216), MOTORCYCLE)
    bar(dark, 0.035, (0.7, 0.56), (0.82, 0.52))
    bar(dark, 0.03, (0.75, 0.52), (0.76, 0.62))
    shape((180, 24, 22), (-0.2, 0.36), (-0.12, 0.36), (-0.12, 0.3), (-0.2, 0.3))


def _clothes(generator: Generator) -> Colour:
    if generator.random() < 0.12:
        return jitter(generator, (206, 224, 60), 24)
    tone = generator.uniform(14, 90) if generator.random() < 0.75 else generator.uniform(90, 200)
    return jitter(generator, (tone, tone, tone * 1.08), 24)


def _rider_aside(
    sheet: Sheet, generator: Generator, rear: float, front: float, seat: float, k: float
) -> None:
    span = front - rear
    top, trousers = _clothes(generator), _clothes(generator)
    hip, neck = (rear + 0.28 * span, seat + 0.06), (rear + generator.uniform(0.34, 0.5) * span, 0.22)
    knee, ankle = (rear + 0.6 * span, seat + 0.16), (rear + 0.45 * span, seat + 0.36)
    sheet.line([hip, knee, ankle], 0.085, trousers, RIDER)
    sheet.ellipse(ankle[0] + 0.02, ankle[1] + 0.02, 0.05, 0.025, (26, 24, 24), RIDER)
    sheet.line([hip, neck], 0.15, top, RIDER)
    gain = generator.uniform(0.7, 1.1)
    sleeve: Colour = (top[0] * gain, top[1] * gain, top[2] * gain)
    sheet.line(
        [(neck[0], neck[1] + 0.05), (rear + 0.62 * span, 0.4), (front - 0.24 * span, seat - 0.02)],
        0.06,
        sleeve,
        RIDER,
    )
    if generator.random() < 0.25:
        sheet.ellipse(neck[0] - 0.1, 0.34, 0.07, 0.1, _clothes(generator), RIDER)
    _helmet(sheet, generator, neck[0] + 0.03, 0.1)


def _helmet(sheet: Sheet, generator: Generator, x: float, y: float) -> None:
    tone = (
        generator.uniform(10, 235, 3)
        if generator.random() < 0.5
        else generator.uniform(10, 60) * generator.uniform(0.9, 1.1, 3)
    )
    r, g, b = tone.tolist()
    sheet.ellipse(x, y, 0.062, 0.075, (r, g, b), RIDER)
    if generator.random() < 0.6:
        sheet.ellipse(x + 0.03, y + 0.005, 0.032, 0.03, (24, 26, 30), RIDER)


def _from_the_end(generator: Generator, size: int, share: float, paint: Colour, *, ridden: bool) -> Sprite:
    k, front = share, generator.random() < 0.5
    sheet = Sheet(size, 0.5 if ridden else 0.74 * k)
    x = sheet.rgb.shape[1] / size / 2
    dark: Colour = (26, 26, 28)

    def shape(colour: Colour, train_id: int, *points: tuple[float, float]) -> None:
        """Both halves of what lies to the right of the middle, from above down."""
        right = [(x + out, y) for out, y in points]
        left = [(x - out, y) for out, y in reversed(points)]
        sheet.polygon(right + left, colour, train_id)

    axle, wide = 1.0 - 0.22 * k, generator.uniform(0.13, 0.2) * k
    high = axle - 0.52 * k
    shape((20, 20, 22), MOTORCYCLE, (0.06 * k, axle - 0.2 * k), (0.055 * k, 1.0))
    shape(paint, MOTORCYCLE, (wide, axle - 0.28 * k), (0.7 * wide, axle + 0.02 * k))
    shape(
        dark if generator.random() < 0.5 else paint, MOTORCYCLE, (0.6 * wide, high), (wide, axle - 0.28 * k)
    )
    sheet.line([(x - 0.34 * k, high), (x + 0.34 * k, high)], 0.04 * k, dark, MOTORCYCLE)
    for arm in (-1, 1):
        sheet.ellipse(x + arm * 0.3 * k, high - 0.08 * k, 0.05 * k, 0.035 * k, (60, 62, 66), MOTORCYCLE)
    if front:
        sheet.ellipse(x, axle - 0.3 * k, 0.07 * k, 0.06 * k, (246, 244, 226), MOTORCYCLE)
    else:
        sheet.ellipse(x, axle - 0.3 * k, 0.05 * k, 0.03 * k, (196, 24, 22), MOTORCYCLE)
        shape((220, 218, 200), MOTORCYCLE, (0.07 * k, axle - 0.2 * k), (0.07 * k, axle - 0.1 * k))
    if ridden:
        top, trousers, half = _clothes(generator), _clothes(generator), generator.uniform(0.1, 0.14)
        for leg in (-1, 1):
            points = [(x + leg * 0.05, 0.56), (x + leg * 0.13, 0.7), (x + leg * 0.1, 0.88)]
            sheet.line(points, 0.075, trousers, RIDER)
            sheet.ellipse(x + leg * 0.1, 0.9, 0.04, 0.022, (26, 24, 24), RIDER)
        shape(top, RIDER, (0.05, 0.17), (half, 0.22), (0.8 * half, 0.58))
        for arm in (-1, 1):
            points = [(x + arm * half * 0.95, 0.25), (x + arm * (half + 0.06), 0.4), (x + arm * 0.17, 0.5)]
            sheet.line(points, 0.055, top, RIDER)
        _helmet(sheet, generator, x, 0.1)
    return sheet.shade(generator, 0.14)
