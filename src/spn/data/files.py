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
                file.seek(max(0, file.seek(0, io.SEEK_END) - 4096))
                if _PNG_END not in file.read():
                    raise TruncatedFileError(f"{path} is truncated: its PNG end marker is missing")
            return _header(start, path)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path} cannot be read as an image: {error}") from error


def decode_header(data: bytes) -> ImageHeader:
    """The header of an image that is already in memory. Raises OSError or ValueError for anything else."""
    return _header(data[:33], io.BytesIO(data))


def _header(start: bytes, source: Path | io.BytesIO) -> ImageHeader:
    if start.startswith(_PNG_SIGNATURE) and len(start) == 33:
        width, height, bits, kind = struct.unpack(">IIBB", start[16:26])
        return ImageHeader(width, height, _PNG_CHANNELS.get(kind, 0), bits, kind == 3)
    with Image.open(source) as image:
        return ImageHeader(*image.size, len(image.getbands()), 8, image.mode == "P")


def read_bytes(path: Path) -> bytes:
    """The whole file, checked for the end marker of its format, so that a partial copy is never decoded."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
    for start, end in ((_PNG_SIGNATURE, _PNG_END), (b"\xff\xd8", b"\xff\xd9")):
        if data.startswith(start):
            if end in data[-4096:]:
                return data
            raise TruncatedFileError(
                f"{path} is truncated ({len(data)} bytes, no end marker): copy or download it again"
            )
    raise DatasetError(f"{path} is neither a PNG nor a JPEG file ({len(data)} bytes)")


def decode_rgb(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Decode to uint8 [H, W, 3] RGB. Grey images are repeated, alpha is dropped."""
    image = _decode(data, path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def decode_stored(data: bytes, path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Decode as stored: [H, W] indices or grey values, or [H, W, C] in RGB(A) order, 8 or 16 bits."""
    header = decode_header(data)
    if header.palette:
        try:
            with Image.open(io.BytesIO(data)) as picture:
                return np.array(picture)
        except (OSError, SyntaxError, ValueError) as error:
            raise DatasetError(f"{path} is damaged: {error}. Copy or download it again") from error
    image = _decode(data, path, cv2.IMREAD_UNCHANGED)
    if image.ndim == 3 and image.shape[2] >= 3:
        return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    # OpenCV stretches fewer than 8 bits to 0..255
    return image // (255 // (2**header.bits - 1)) if header.bits < 8 else image


def _decode(data: bytes, path: Path, flags: int) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DatasetError(f"{path} is damaged: {error}") from error
    if image is None:
        raise DatasetError(f"{path} is damaged: it cannot be decoded. Copy or download it again")
    return image
