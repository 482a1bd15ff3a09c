"""Image files as bytes: headers, whole-file checks and decoding, with errors that name the file.

OpenCV expands palette PNGs to colours, so those go through Pillow; everything else through OpenCV, which is
faster. EXIF orientation is ignored on purpose: labels are drawn on the stored pixel grid.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spn.core.errors import DatasetError

IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_END: Final = b"IEND\xaeB`\x82"
_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class TruncatedFileError(DatasetError):
    """A file that ends before its format says it does."""


class ImageHeader(NamedTuple):
    """What a file says of itself before its pixels: size in pixels, stored channels, bits per channel."""

    width: int
    height: int
    channels: int
    bits: int
    palette: bool


def read_header(path: Path) -> ImageHeader:
    """Size and pixel format of a PNG or JPEG from its first bytes, and that a PNG's last bytes are there.

    Raises DatasetError for files that cannot be opened, are not images, or end early.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(33)
            if start.startswith(_PNG_SIGNATURE) and len(start) == 33:
                file.seek(0, io.SEEK_END)
                file.seek(max(0, file.tell() - 4096))
                if _PNG_END not in file.read():
                    raise TruncatedFileError(f"{path} is truncated: its PNG end marker is missing")
                return _png_header(start)
        with Image.open(path) as image:
            return ImageHeader(*image.size, len(image.getbands()), 8, image.mode == "P")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path} cannot be read as an image: {error}") from error


def read_bytes(path: Path) -> bytes:
    """The whole file, checked for the end marker of its format, so that a partial copy is never decoded."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
    if data.startswith(_PNG_SIGNATURE):
        whole = _PNG_END in data[-4096:]
    elif data.startswith(b"\xff\xd8"):
        whole = b"\xff\xd9" in data[-4096:]
    else:
        raise DatasetError(f"{path} is neither a PNG nor a JPEG file ({len(data)} bytes)")
    if not whole:
        raise TruncatedFileError(
            f"{path} is truncated ({len(data)} bytes, no end marker): copy or download it again"
        )
    return data


def decode_rgb(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Decode to uint8 [H, W, 3] RGB. Grey images are repeated, alpha is dropped."""
    image = _decode(data, path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def decode_stored(data: bytes, path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Decode as stored: [H, W] indices or grey values, or [H, W, C] in RGB(A) order, 8 or 16 bits."""
    if data.startswith(_PNG_SIGNATURE) and _png_header(data).palette:
        return _decode_palette_index(data, path)
    image = _decode(data, path, cv2.IMREAD_UNCHANGED)
    if image.ndim == 3 and image.shape[2] >= 3:
        return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    bits = decode_header(data, path).bits
    return image // (255 // (2**bits - 1)) if bits < 8 else image  # OpenCV stretches fewer bits to 0..255


def decode_header(data: bytes, path: Path) -> ImageHeader:
    """The header of an image that is already in memory."""
    if data.startswith(_PNG_SIGNATURE) and len(data) >= 33:
        return _png_header(data)
    with Image.open(io.BytesIO(data)) as image:
        return ImageHeader(*image.size, len(image.getbands()), 8, image.mode == "P")


def _png_header(data: bytes) -> ImageHeader:
    width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
    return ImageHeader(width, height, _PNG_CHANNELS.get(kind, 0), bits, kind == 3)


def _decode(data: bytes, path: Path, flags: int) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DatasetError(f"{path} is damaged: {error}") from error
    if image is None:
        raise DatasetError(f"{path} is damaged: it cannot be decoded. Copy or download it again")
    return image


def _decode_palette_index(data: bytes, path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path} is damaged: {error}. Copy or download it again") from error
