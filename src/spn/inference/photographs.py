"""Photographs: any picture as RGB the way a person sees it."""

from __future__ import annotations

import contextlib
import functools
import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from spn.core.files import list_files
from spn.inference.results import PhotoError, is_result

if TYPE_CHECKING:
    from torch import Tensor

_SUFFIXES: Final = "png jpg jpeg jfif jpe mpo jp2 bmp tif tiff webp ppm pgm pbm pnm gif avif avifs heic heif"
PLUGINS: Final = {
    "HEIC": "HEIC is read where the package pillow-heif is installed: pip install pillow-heif",
    "AVIF": "AVIF is read by Pillow from version 11.3 on: pip install --upgrade pillow",
}
"""Where to get what reads a format that not every Pillow reads."""
_BRANDS: Final = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"
)
"""The kind of picture that a file of ISO's media format holds, whatever its name."""
Picture: TypeAlias = "str | Path | Image.Image | NDArray[Any] | Tensor"


@functools.cache
def suffixes() -> frozenset[str]:
    """Of photographs; those of AVIF and HEIC where Pillow, or a plug-in that is installed, reads them."""
    with contextlib.suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()
    return frozenset(f".{name}" for name in _SUFFIXES.split()) & Image.registered_extensions().keys()


def as_photo(picture: Picture) -> NDArray[np.uint8]:
    """A file, a PIL image, an array uint8 [H, W, 3] (RGB) or a tensor float [3, H, W] in 0..1 (rounded to 8
    bits) as uint8 [H, W, 3].

    Raises PhotoError for a file that is no whole image, ValueError for an array or tensor of another shape or
    type.
    """
    if isinstance(picture, str | Path):
        return _read(Path(picture))
    if isinstance(picture, Image.Image):
        return _as_rgb(ImageOps.exif_transpose(picture))
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


def photographs_in(folder: Path, *, recursive: bool = False) -> tuple[list[Path], list[Path]]:
    """The photographs in a folder, by their names, and its other files; neither hidden files nor results."""
    files = [path for path in list_files(folder, recursive=recursive) if not is_result(path)]
    photos = [path for path in files if path.suffix.lower() in suffixes()]
    return photos, [path for path in files if path.suffix.lower() not in suffixes()]


def refuse_address(path: Path) -> None:
    """Raises PhotoError for an address: http://…, rtsp://… (as a path it has lost a slash)."""
    if re.match(r"[a-zA-Z][\w+.-]+:/", str(path)):
        address = str(path).replace(":/", "://", 1)
        raise PhotoError(
            f"{address}: no such file; addresses are not fetched: download it, and name the file"
        )


def _read(path: Path) -> NDArray[np.uint8]:
    suffixes()  # registers plug-ins
    try:
        with Image.open(path) as opened:
            opened.load()
            return _as_rgb(ImageOps.exif_transpose(opened))
    except FileNotFoundError as error:
        refuse_address(path)
        raise PhotoError(f"{path}: no such file") from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError) as error:
        raise PhotoError(f"{path}: cannot be read as an image ({error}){_advice(path)}") from error


def _advice(path: Path) -> str:
    """What to install, for a picture in a format that this Pillow lacks."""
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return ""
    kind = _BRANDS.get(start[8:], "") if start[4:8] == b"ftyp" else ""
    lacking = kind and f".{kind.lower()}" not in suffixes()
    return f". {PLUGINS[kind]}" if lacking else ""


def _as_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Any PIL image as uint8 [H, W, 3]: palettes are expanded, transparency is put on white, and more than 8
    bits scaled, from 65535 or, for floats within 0..1, from 1."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = np.nan_to_num(np.asarray(image, np.float64))
        top = grey.max(initial=0)
        full = 1 if image.mode == "F" and top <= 1 else 255 if top <= 255 else 65535
        levels = np.clip(np.round(grey * (255 / full)), 0, 255).astype(np.uint8)
        return np.repeat(levels[:, :, None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))
