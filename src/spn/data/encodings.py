"""How a label file stores its ids: the forms in use, each with a check on the header and a decoder.

index: one channel of 8 bits, or a palette PNG whose *index* is the id. index_or_colours: the same, or that
palette expanded to RGB(A). synthia_red: 16-bit RGB(A) PNG with the class in red and the instance elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from spn.core.classes import CLASSES
from spn.core.errors import DatasetError
from spn.core.label_maps import OTHER_LABEL_COLOURS
from spn.data.files import ImageHeader, decode_header, decode_stored

Form = Literal["index", "index_or_colours", "synthia_red"]


@dataclass(frozen=True)
class LabelEncoding:
    """One way of storing ids in an image file."""

    form: Form

    def header_problem(self, header: ImageHeader) -> str | None:
        """Why a file with this header cannot be such a label; None if it can."""
        stored = f"{header.channels} channel(s) of {header.bits} bits"
        if self.form == "synthia_red":
            if header.bits == 16 and header.channels >= 3:
                return None
            return (
                f"wanted a 16-bit colour PNG with the class in red (GT/LABELS, not GT/COLOR), found {stored}"
            )
        if header.bits > 8:
            return f"wanted 8-bit ids, found {stored}"
        if header.channels == 1 or (self.form == "index_or_colours" and header.channels >= 3):
            return None
        return f"wanted ids (one channel or a palette), found {stored}: this looks like a colour map"

    def decode(self, data: bytes, path: Path) -> NDArray[np.uint8]:
        """The stored ids, uint8 [H, W]. Raises DatasetError naming `path`."""
        problem = self.header_problem(decode_header(data, path))
        if problem is not None:
            raise DatasetError(f"label {path}: {problem}")
        stored = decode_stored(data, path)
        if self.form == "synthia_red":
            return _red_channel(stored, path)
        if stored.ndim == 3:
            return _ids_of_colours(stored.astype(np.uint8, copy=False), path)
        return stored.astype(np.uint8, copy=False)


INDEX: Final = LabelEncoding("index")
INDEX_OR_COLOURS: Final = LabelEncoding("index_or_colours")
SYNTHIA_RED: Final = LabelEncoding("synthia_red")


def _red_channel(stored: NDArray[np.uint8] | NDArray[np.uint16], path: Path) -> NDArray[np.uint8]:
    red = stored[..., 0]
    if int(red.max(initial=0)) > 255:
        raise DatasetError(
            f"label {path}: the red channel holds {int(red.max())}, wanted class ids 0..22; "
            "the channels may have been swapped or rescaled when the file was converted"
        )
    return red.astype(np.uint8)


@lru_cache(maxsize=1)
def _colour_table() -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """Packed colours [N], ascending, and the labelId of each."""
    ids = {colour: label_id for label_id, colour in OTHER_LABEL_COLOURS}
    ids.update({info.colour: info.label_id for info in CLASSES})
    packed = {(r << 16) | (g << 8) | b: label_id for (r, g, b), label_id in ids.items()}
    colours = np.array(sorted(packed), np.uint32)
    return colours, np.array([packed[int(colour)] for colour in colours], np.uint8)


def _ids_of_colours(image: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """LabelIds [H, W] of an RGB(A) label [H, W, 3 or 4]; a colour outside the label table is an error."""
    wide = image[..., :3].astype(np.uint32)
    packed = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    colours, label_ids = _colour_table()
    place = np.searchsorted(colours, packed).clip(max=len(colours) - 1)
    unknown = colours[place] != packed
    if unknown.any():
        y, x = np.argwhere(unknown)[0]
        colour = tuple(int(value) for value in image[y, x, :3])
        raise DatasetError(
            f"label {path}: colour {colour} at x={x}, y={y} is not in the Cityscapes label table "
            f"({int(unknown.sum())} such pixels); was the file resized with interpolation or saved as JPEG?"
        )
    return label_ids[place]
