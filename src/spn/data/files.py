"""Image files: headers, whole-file checks and decoding, and how labels store ids; errors name the file.

JPEGs are decoded by simplejpeg, which refuses damaged ones and is twice as fast as OpenCV; PNGs with a
palette by Pillow, as OpenCV expands them to colours; other PNGs by OpenCV, which is faster. EXIF orientation
is ignored on purpose: labels are drawn on the stored pixel grid.
"""

import io
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import CLASSES
from spn.core.errors import DatasetError
from spn.core.label_maps import OTHER_LABEL_COLOURS

IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
CHANNELS: Final = ("red", "green", "blue")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8"
_ENDS: Final = {_PNG: b"IEND\xaeB`\x82", _JPEG: b"\xff\xd9"}
"""First bytes of a PNG and of a JPEG, and their end markers."""
_TAIL: Final = 4096
_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class ImageHeader(NamedTuple):
    """What a file says of itself before its pixels: size in pixels, stored channels, bits per channel.

    lossy: whether its format keeps colours only roughly (JPEG).
    """

    width: int
    height: int
    channels: int
    bits: int
    palette: bool
    lossy: bool = False


def read_header(path: Path) -> ImageHeader:
    """Size and pixel format of a PNG or JPEG from its first bytes; its last bytes must be there.

    Raises DatasetError for files that cannot be opened, are not images, or end early.
    """
    try:
        with open(path, "rb") as file:
            header = decode_header(file)
            file.seek(max(0, file.seek(0, io.SEEK_END) - _TAIL))
            tail = file.read()
            file.seek(0)
            start = file.read(len(_PNG))
            if not _ended(start, tail):
                check_whole(start + file.read(), path)
            return header
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path} cannot be read as an image: {error}", trap="damaged") from error


def decode_header(file: BinaryIO) -> ImageHeader:
    """The header of an open image. Raises OSError or ValueError for anything else."""
    start = file.read(33)
    if start.startswith(_PNG) and len(start) == 33:
        width, height, bits, kind = struct.unpack(">IIBB", start[16:26])
        return ImageHeader(width, height, _PNG_CHANNELS.get(kind, 0), bits, kind == 3)
    with Image.open(file) as image:
        return ImageHeader(*image.size, len(image.getbands()), 8, image.mode == "P", lossy=True)


def _ended(start: bytes, data: bytes) -> bool:
    """Whether `data` has the end marker of the format that `start` is of. Anything may stand behind it."""
    return any(start.startswith(mark) and end in data for mark, end in _ENDS.items())


def check_whole(data: bytes, path: Path) -> None:
    """Raises DatasetError unless the image is there to its end, every part of a PNG with its checksum."""
    if data.startswith(_JPEG):
        whole = _ended(data, data[-_TAIL:]) or _ended(data, data)
    elif data.startswith(_PNG):
        view, place, kinds = memoryview(data), len(_PNG), [b""]
        while kinds[-1] != b"IEND" and place + 12 <= len(data):
            end = place + 8 + int.from_bytes(view[place : place + 4], "big")
            if end + 4 > len(data):
                break
            kinds.append(data[place + 4 : place + 8])
            if zlib.crc32(view[place + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
                raise _damaged(path, f"at byte {place}")
            place = end + 4
        whole = kinds[1:2] == [b"IHDR"] and b"IDAT" in kinds and kinds[-1] == b"IEND"
    else:
        raise DatasetError(f"{path} is neither a PNG nor a JPEG file", trap="damaged")
    if not whole:
        text = f"{path} is truncated (no end marker): copy or download it again"
        raise DatasetError(text, trap="truncated")


def _damaged(path: Path, why: object) -> DatasetError:
    return DatasetError(f"{path} is damaged ({why}): copy or download it again", trap="damaged")


def read_bytes(path: Path) -> bytes:
    """The whole file, checked for the end marker of its format, so that a partial copy is never decoded."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}", trap="unreadable") from error
    if not data:
        raise DatasetError(f"{path} is empty: copy or download it again", trap="truncated")
    check_whole(data, path)
    return data


def decode_rgb(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Decode to uint8 [H, W, 3] RGB. Grey images are repeated, alpha is dropped."""
    if data.startswith(_JPEG):
        try:
            return simplejpeg.decode_jpeg(data, "RGB", strict=True)
        except ValueError as error:
            raise _damaged(path, error) from error
    image = _decode(data, path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def decode_stored(data: bytes, path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Decode as stored: [H, W] indices or grey values, or [H, W, C] in RGB(A) order, 8 or 16 bits."""
    header = decode_header(io.BytesIO(data))
    if header.palette:
        try:
            with Image.open(io.BytesIO(data)) as picture:
                return np.array(picture)
        except (OSError, SyntaxError, ValueError) as error:
            raise _damaged(path, error) from error
    image = _decode(data, path, cv2.IMREAD_UNCHANGED)
    if image.ndim == 3 and image.shape[2] >= 3:
        return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    # OpenCV stretches fewer than 8 bits to 0..255
    return image // (255 // (2**header.bits - 1)) if header.bits < 8 else image


def _decode(data: bytes, path: Path, flags: int) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise _damaged(path, error) from error
    if image is None:
        raise _damaged(path, "it cannot be decoded")
    return image


def blend_signs(ids: NDArray[np.uint8], *, as_colours: bool = True) -> str:
    """What shows that ids [H, W] were interpolated, or came out of a JPEG; "" if nothing does.

    as_colours: whether to look for signs that this happened to colours from which ids were made, too.

    Interpolated ids pass through the ids between at edges: of the pixels between two different neighbours in
    a row or column, 1 to 6 % do in sound labels, 20 to 80 % in blended ones. Interpolated colours that became
    ids again make classes that stand only between two others. At 160 pixels' width and more at most one id
    of a sound label has over 30 % of its pixels there, and 2 to 7 % of the edges have a third id; mostly two
    or more ids, and 11 to 20 %, in blended ones. Labels without flat areas tell nothing. Of large labels
    evenly spaced lines are looked at, 128 to 256 of the shorter side.
    """
    step = -(-min(ids.shape) // 256)
    edges = borders_seen = between = flat = seen = 0
    pixels, thin = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for lines in (ids[::step], np.ascontiguousarray(ids[:, ::step].T)):
        before, here, after = lines[:, :-2], lines[:, 1:-1], lines[:, 2:]
        low, high = np.minimum(before, after), np.maximum(before, after)
        edges += int((high - low >= 2).sum())
        borders_seen += int((high != low).sum())
        between += int(((here > low) & (here < high)).sum())
        flat += int(((low == high) & (here == low)).sum())
        seen += here.size
        pixels += np.bincount(here.ravel(), minlength=256)
        thin += np.bincount(here[(low != high) & (here != low) & (here != high)], minlength=256)
    if 2 * flat <= seen:
        return ""
    if edges >= 50 and between > 0.15 * edges:
        return "its edges pass through the ids between"
    borders = np.flatnonzero((pixels >= 60) & (thin > 0.3 * pixels)).tolist()
    if as_colours and len(borders) >= 2 and thin.sum() > 0.08 * borders_seen and min(ids.shape) >= 90:
        return f"its ids {', '.join(map(str, borders))} occur only along borders of two others"
    return ""


def has_colour_profile(data: bytes) -> bool:
    """Whether a PNG carries an ICC profile, by which programs that manage colours convert its values."""
    return data.startswith(_PNG) and b"iCCP" in data[: data.find(b"IDAT")]


@dataclass(frozen=True)
class LabelEncoding:
    """One way of storing ids in an image file.

    form: its name, unique among encodings (fingerprints hold it). index: whether one channel of 8 bits, or a
    palette's index, is taken as ids. colours: 0xRRGGBB and id of each, for labels stored (also) as colours.
    channel: 0, 1 or 2, if the id is in the red, green or blue of an RGB(A) PNG of `bits` (0: any). trap: the
    name in `spn.data.traps` of labels that are stored otherwise. hint: where to look instead.
    """

    form: str
    index: bool = field(default=True, repr=False)
    colours: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    channel: int | None = field(default=None, repr=False)
    bits: int = field(default=0, repr=False)
    trap: str = field(default="", repr=False)
    hint: str = field(default="", repr=False)

    def check_header(self, header: ImageHeader, path: Path) -> None:
        """Raises DatasetError if a file with this header cannot be such a label."""
        if header.lossy:
            text = f"label {path} is a JPEG, which changes ids; wanted the PNG that it was made from"
            raise DatasetError(text, trap="lossy-label")
        coloured, single = header.channels >= 3, header.channels == 1
        if self.channel is not None:
            depth = f"a {self.bits}-bit" if self.bits else "a"
            wanted = f"{depth} colour PNG with the class in {CHANNELS[self.channel]}{self.hint}"
            fits = coloured and self.bits in (0, header.bits)
        elif self.index:
            wanted = "8-bit ids (one channel or a palette), not a colour map"
            fits = header.bits <= 8 and (single or (coloured and bool(self.colours)))
        else:
            wanted, fits = "colours of 8 bits", header.bits <= 8 and (coloured or header.palette)
        if not fits:
            trap = "colour-map" if header.bits == 8 and coloured else self.trap or "bit-depth"
            found = f"found {header.channels} channel(s) of {header.bits} bits"
            raise DatasetError(f"label {path}: wanted {wanted}, {found}", trap=trap)

    def decode(self, data: bytes, path: Path) -> NDArray[np.uint8]:
        """The stored ids, uint8 [H, W]. Raises DatasetError naming `path`."""
        self.check_header(decode_header(io.BytesIO(data)), path)
        pixels = decode_stored(data, path) if self.index else decode_rgb(data, path)
        if self.channel is not None:
            pixels = pixels[..., self.channel]
            if (highest := int(pixels.max(initial=0))) > 255:
                text = (
                    f"label {path}: the {CHANNELS[self.channel]} channel holds {highest}, wanted ids up to "
                    "255; were channels swapped or rescaled when the file was converted?"
                )
                raise DatasetError(text, trap=self.trap or "colour-map")
        elif pixels.ndim == 3:
            return self._ids_of_colours(pixels.astype(np.uint8, copy=False), path)
        return pixels.astype(np.uint8, copy=self.channel is not None)

    def _ids_of_colours(self, image: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
        wide = image[..., :3].astype(np.uint32)
        packed = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
        known, ids = np.array(sorted(dict(self.colours).items()), np.uint32).T
        place = np.searchsorted(known, packed).clip(max=len(known) - 1)
        unknown = known[place] != packed
        if unknown.any():
            y, x = np.argwhere(unknown)[0]
            text = (
                f"label {path}: colour {tuple(image[y, x, :3].tolist())} at x={x}, y={y} is not in the table "
                f"of its colours ({int(unknown.sum())} such pixels); was the file resized with interpolation "
                "or saved as JPEG?"
            )
            raise DatasetError(text, trap=self.trap or "colour-map")
        return ids.astype(np.uint8)[place]


INDEX: Final = LabelEncoding("index")
INDEX_OR_COLOURS: Final = LabelEncoding(
    "index_or_colours",
    colours=tuple(
        ((red << 16) | (green << 8) | blue, label_id)
        for label_id, (red, green, blue) in (*OTHER_LABEL_COLOURS, *((c.label_id, c.colour) for c in CLASSES))
    ),
)
"""LabelIds, or the colours of the Cityscapes label table, which GTAV's palette shares."""
SYNTHIA_RED: Final = LabelEncoding(
    "synthia_red", channel=0, bits=16, trap="synthia-16-bit", hint=" (GT/LABELS, not GT/COLOR)"
)
ENCODINGS: Final = {encoding.form: encoding for encoding in (INDEX, INDEX_OR_COLOURS, SYNTHIA_RED)}
"""By the name that a declaration uses."""
