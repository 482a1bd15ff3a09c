"""Big direction signs: green, blue, white or yellow, with arrows and lines of text; and their backs."""

import cv2
import numpy as np

from streets.materials import Colour, Generator, Image, flat, jitter, lettering, rectangle

_FIELDS: tuple[Colour, ...] = ((22, 92, 64), (24, 70, 150), (232, 232, 228), (232, 190, 40), (34, 36, 40))


def direction_board(generator: Generator, rows: int, columns: int) -> Image:
    """A panel that fills the picture: a rim, a field, names and arrows."""
    field = jitter(generator, _FIELDS[int(generator.choice(5, p=(0.35, 0.3, 0.15, 0.12, 0.08)))], 16)
    bright = sum(field) > 380
    ink: Colour = (24, 26, 30) if bright else (238, 238, 234)
    texture = flat(rows, columns, ink)
    edge = max(rows * 0.03, 1)
    rectangle(texture, edge, edge, columns - edge, rows - edge, field)
    if generator.random() < 0.3:  # a strip of another colour
        other = jitter(generator, _FIELDS[int(generator.integers(4))], 16)
        rectangle(texture, edge, edge, columns - edge, rows * generator.uniform(0.2, 0.4), other)
    x = generator.uniform(0.05, 0.3) * columns
    count = int(generator.integers(1, 4))
    for line in range(count):
        y = (0.1 + 0.8 * line / count) * rows
        lettering(
            generator, texture, x, y, columns * generator.uniform(0.7, 0.95), y + 0.7 * rows / count, ink
        )
    if generator.random() < 0.6 and rows > 10:  # an arrow
        ax, size = 0.88 * columns, 0.18 * rows
        tip = np.array(
            [(ax, 0.3 * rows), (ax + size * 0.5, 0.3 * rows + size), (ax - size * 0.5, 0.3 * rows + size)]
        )
        if generator.random() < 0.5:
            tip[:, 1] = rows - tip[:, 1]
        cv2.fillPoly(texture, [np.rint(tip).astype(np.int32)], ink)
        cv2.line(
            texture,
            (round(ax), round(0.3 * rows)),
            (round(ax), round(0.7 * rows)),
            ink,
            max(round(size / 3), 1),
        )
    return texture


def back_of_a_board(generator: Generator, rows: int, columns: int) -> Image:
    """Grey, with the rails that hold it."""
    tone = generator.uniform(90, 160)
    texture = flat(rows, columns, (tone, tone, tone))
    for y in (0.25, 0.7):
        rectangle(texture, 0, y * rows, columns, y * rows + max(rows * 0.06, 1), (tone * 0.7,) * 3)
    return texture
