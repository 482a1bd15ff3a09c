"""Any picture as RGB the way a person sees it: turned by its EXIF tag, 8 bits, no transparency."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from spn.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".gif"}
)
BACKGROUND: Final = (255, 255, 255)
"""Colour (RGB) behind transparent pixels."""

Picture: TypeAlias = "str | Path | Image.Image | NDArray[Any] | Tensor"


class PhotoError(UserError):
    """An image file that cannot be read."""


def as_photo(picture: Picture) -> NDArray[np.uint8]:
    """A file, a PIL image, an array uint8 [H, W, 3] (RGB) or a tensor float [3, H, W] in 0..1 as uint8
    [H, W, 3].

    A tensor is rounded to 8 bits. Raises PhotoError for a file that is no image, ValueError for an array or
    tensor of another shape or type.
    """
    if isinstance(picture, str | Path):
        return read_photo(Path(picture))
    if isinstance(picture, Image.Image):
        return as_rgb(ImageOps.exif_transpose(picture))
    shape = tuple(picture.shape)
    whole = len(shape) == 3 and 0 not in shape
    if isinstance(picture, np.ndarray):
        if whole and picture.dtype == np.uint8 and shape[2] == 3:
            return picture
    elif (
        whole and picture.is_floating_point() and shape[0] == 3 and picture.min() >= 0 and picture.max() <= 1
    ):
        levels: NDArray[np.uint8] = (picture.detach().cpu().float() * 255).round().byte().numpy()
        return np.ascontiguousarray(levels.transpose(1, 2, 0))
    raise ValueError(
        f"the picture is {type(picture).__name__} {picture.dtype} {shape}; wanted a file, a PIL image, "
        "an array uint8 [H, W, 3] or a tensor float [3, H, W] in 0..1, RGB; of several, a list"
    )


def read_photo(path: Path) -> NDArray[np.uint8]:
    """uint8 [H, W, 3], RGB. Raises PhotoError for anything that is not a whole image."""
    try:
        with Image.open(path) as opened:
            opened.load()
            return as_rgb(ImageOps.exif_transpose(opened))
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
