"""Where sliding windows stand: they cover the image, all have one size, and the last touches the border."""

from __future__ import annotations

import math
from typing import NamedTuple


class Window(NamedTuple):
    """Rows top..bottom and columns left..right (exclusive) of an image, in pixels."""

    top: int
    bottom: int
    left: int
    right: int


def windows(height: int, width: int, *, size: tuple[int, int], overlap: float) -> list[Window]:
    """Windows of `size` (height, width), cut to the image, that overlap by at least the given fraction."""
    rows = _starts(height, min(size[0], height), overlap)
    columns = _starts(width, min(size[1], width), overlap)
    tall, wide = min(size[0], height), min(size[1], width)
    return [Window(top, top + tall, left, left + wide) for top in rows for left in columns]


def _starts(length: int, window: int, overlap: float) -> list[int]:
    """Evenly spread starts along one side, in whole pixels."""
    stride = max(1, int(window * (1 - overlap)))
    count = math.ceil((length - window) / stride) + 1
    return [round(i * (length - window) / max(1, count - 1)) for i in range(count)]
