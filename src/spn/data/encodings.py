"""How a label file stores its ids: a check on the header and a decoder, both told by a few fields.

Ids are stored as one channel of 8 bits (a grey PNG, or a palette PNG whose *index* is the id), as colours of
a table, or in one channel of a colour PNG.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spn.core.classes import CLASSES
from spn.core.errors import DatasetError
from spn.core.label_maps import OTHER_LABEL_COLOURS
from spn.data.files import ImageHeader, decode_header, decode_rgb, decode_stored

CHANNELS: Final = ("red", "green", "blue")


@dataclass(frozen=True)
class LabelEncoding:
    """One way of storing ids in an image file.

    form: its name, unique among encodings (fingerprints hold it). index: whether one channel, or a palette's
    index, is taken as ids. colours: 0xRRGGBB and id of each, for labels stored (also) as colours. channel:
    0, 1 or 2, if the id is in the red, green or blue of an RGB(A) PNG of `bits` (0: any). trap: the name in
    `spn.data.traps` of labels that are stored otherwise. hint: where to look instead.
    """

    form: str
    index: bool = field(default=True, repr=False)
    colours: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    channel: int | None = field(default=None, repr=False)
    bits: int = field(default=0, repr=False)
    trap: str = field(default="", repr=False)
    hint: str = field(default="", repr=False)

    def header_problem(self, header: ImageHeader) -> str | None:
        """Why a file with this header cannot be such a label; None if it can."""
        stored = f"found {header.channels} channel(s) of {header.bits} bits"
        if self.channel is not None:
            if header.channels >= 3 and self.bits in (0, header.bits):
                return None
            wanted = f"a {self.bits}-bit colour PNG" if self.bits else "a colour PNG"
            return f"wanted {wanted} with the class in {CHANNELS[self.channel]}{self.hint}, {stored}"
        if header.bits > 8:
            return f"wanted 8-bit ids, {stored}"
        if (header.channels == 1 and self.index) or (header.channels >= 3 and self.colours):
            return None
        if not self.index:
            return None if header.palette else f"wanted colours, {stored}"
        return f"wanted ids (one channel or a palette), {stored}: this looks like a colour map"

    def decode(self, data: bytes, path: Path) -> NDArray[np.uint8]:
        """The stored ids, uint8 [H, W]. Raises DatasetError naming `path`."""
        problem = self.header_problem(decode_header(data))
        if problem is not None:
            raise DatasetError(f"label {path}: {problem}")
        return self.ids_of(self.decode_pixels(data, path), path)

    def decode_pixels(self, data: bytes, path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """What the file holds before it is read as ids: [H, W] or [H, W, C]. Raises DatasetError."""
        return decode_stored(data, path) if self.index else decode_rgb(data, path)

    def ids_of(self, pixels: NDArray[np.uint8] | NDArray[np.uint16], path: Path) -> NDArray[np.uint8]:
        """The ids, uint8 [H, W], in what `decode_pixels` gave. Raises DatasetError naming `path`."""
        if self.channel is not None:
            pixels = pixels[..., self.channel]
            if (highest := int(pixels.max(initial=0))) > 255:
                raise DatasetError(
                    f"label {path}: the {CHANNELS[self.channel]} channel holds {highest}, wanted ids up to "
                    "255; were channels swapped or rescaled when the file was converted?"
                )
        elif pixels.ndim == 3:
            return _ids_of_colours(pixels.astype(np.uint8, copy=False), self.colours, path)
        return pixels.astype(np.uint8, copy=self.channel is not None)


INDEX: Final = LabelEncoding("index")
INDEX_OR_COLOURS: Final = LabelEncoding(
    "index_or_colours",
    colours=tuple(
        ((red << 16) | (green << 8) | blue, label_id)
        for label_id, (red, green, blue) in (*OTHER_LABEL_COLOURS, *((c.label_id, c.colour) for c in CLASSES))
    ),
)
"""LabelIds, or the colours of the Cityscapes label table, which GTAV's palette shares."""


def _ids_of_colours(
    image: NDArray[np.uint8], colours: tuple[tuple[int, int], ...], path: Path
) -> NDArray[np.uint8]:
    """Ids [H, W] of an RGB(A) label [H, W, 3 or 4]; a colour outside the table is an error."""
    wide = image[..., :3].astype(np.uint32)
    packed = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    table = sorted(dict(colours).items())
    known = np.array([colour for colour, _ in table], np.uint32)
    place = np.searchsorted(known, packed).clip(max=len(known) - 1)
    unknown = known[place] != packed
    if unknown.any():
        y, x = np.argwhere(unknown)[0]
        colour = tuple(int(value) for value in image[y, x, :3])
        raise DatasetError(
            f"label {path}: colour {colour} at x={x}, y={y} is not in the table of its colours "
            f"({int(unknown.sum())} such pixels); was the file resized with interpolation or saved as JPEG?"
        )
    return np.array([label_id for _, label_id in table], np.uint8)[place]
