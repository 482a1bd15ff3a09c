"""Reads any photograph as RGB the way a person sees it: turned by its EXIF tag, 8 bits, no transparency."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from spn.core.errors import UserError

SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".gif"}
)
BACKGROUND: Final = (255, 255, 255)
"""Colour (RGB) behind transparent pixels."""


class PhotoError(UserError):
    """An image file that cannot be read."""


def read_photo(path: Path) -> NDArray[np.uint8]:
    """uint8 [H, W, 3], RGB. Raises PhotoError for anything that is not a whole image."""
    try:
        with Image.open(path) as opened:
            opened.load()
            image = ImageOps.exif_transpose(opened)
            return as_rgb(image)
    except FileNotFoundError as error:
        raise PhotoError(f"{path}: no such file") from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError) as error:
        raise PhotoError(f"{path}: cannot be read as an image ({error})") from error


def as_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Any PIL image as uint8 [H, W, 3]: 16 bits are scaled, palettes expanded, transparency on white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _eight_bits(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        image = Image.alpha_composite(canvas, image)
    return np.array(image.convert("RGB"))


def _eight_bits(grey: NDArray[np.generic]) -> NDArray[np.uint8]:
    """One channel of more than 8 bits [H, W] → RGB; full scale is 65535, or 1 for floats within 0..1."""
    values = np.nan_to_num(grey.astype(np.float64))
    top = values.max(initial=0)
    full = 1.0 if grey.dtype.kind == "f" and top <= 1 else 255.0 if top <= 255 else 65535.0
    scaled = np.clip(np.round(values * (255 / full)), 0, 255).astype(np.uint8)
    return np.repeat(scaled[:, :, None], 3, axis=2)
