"""Which colour is which class: under a picture, and as a picture and a table of their own in a folder."""

import csv
import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from spn.core.classes import ClassInfo
from spn.core.errors import UserError
from spn.core.files import sole_process, write_text
from spn.inference.results import CLASS_HEADER, CLASS_TABLE, LEGEND, check_ours, write_png

_GROUND: Final = (24, 24, 24)
_INK: Final = (240, 240, 240)
_EDGE: Final = (130, 130, 130)


def with_legend(
    picture: NDArray[np.uint8], classes: Sequence[ClassInfo], *, caption: str = ""
) -> NDArray[np.uint8]:
    """A picture uint8 [H, W, 3] over its legend, as wide as it is; caption: a line of text below."""
    width = picture.shape[1]
    parts = [picture, _swatches(tuple(classes), width)]
    if caption:
        size = _font_size(width)
        line = Image.new("RGB", (width, 2 * size), _GROUND)
        ImageDraw.Draw(line).text((size // 2, size // 3), caption, _INK, ImageFont.load_default(size))
        parts.append(np.asarray(line))
    return np.concatenate(parts)


def write_legend(folder: Path, classes: Sequence[ClassInfo]) -> None:
    """Write legend.png and classes.csv, once for each folder.

    Raises UserError if they are there and somebody else's, or of other classes.
    """
    lines = io.StringIO()
    rows = [(c.train_id, c.label_id, c.name, f"#{bytes(c.colour).hex()}") for c in classes]
    csv.writer(lines, lineterminator="\n").writerows(rows)
    text = f"{CLASS_HEADER}\n{lines.getvalue()}"
    legend, table = folder / LEGEND, folder / CLASS_TABLE
    folder.mkdir(parents=True, exist_ok=True)
    with sole_process(folder):
        if legend.exists() and table.exists() and table.read_bytes() == text.encode():
            return
        check_ours(legend)
        check_ours(table)
        if table.exists():
            raise UserError(f"{table} is of other classes than this model has; choose another --out")
        picture = with_legend(np.zeros((0, 800, 3), np.uint8), classes)
        write_png(legend, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
        write_text(table, text)


def _font_size(width: int) -> int:
    return max(10, width // 56)


@functools.lru_cache(maxsize=8)
def _swatches(classes: tuple[ClassInfo, ...], width: int) -> NDArray[np.uint8]:
    """The classes in columns, uint8 [h, width, 3]: of a video the same under every frame."""
    size = _font_size(width)
    font = ImageFont.load_default(size)
    row = 3 * size // 2
    widest = max((font.getlength(one.name) for one in classes), default=0)
    columns = max(1, int(width // (widest + 2.5 * size)))
    rows = -(-len(classes) // columns)
    strip = Image.new("RGB", (width, rows * row + size // 2), _GROUND)
    draw = ImageDraw.Draw(strip)
    for place, one in enumerate(classes):
        left, top = place // rows * (width // columns) + size // 2, place % rows * row + size // 2
        draw.rectangle((left, top, left + size - 1, top + size - 1), one.colour, _EDGE)
        draw.text((left + 3 * size // 2, top - size // 5), one.name, _INK, font)
    return np.asarray(strip)
