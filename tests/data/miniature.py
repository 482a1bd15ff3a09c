"""Tiny label and image files written by hand, for datasets that the simulator does not write."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from spn.core.seeding import numpy_generator


def write_image(path: Path, *, height: int = 12, width: int = 16) -> Path:
    """Noise, in the format of the suffix; the same for the same name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = numpy_generator(0, path.name).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), image)
    return path


def write_ids(path: Path, ids: ArrayLike, *, palette: bool = False) -> Path:
    """An 8-bit one-channel PNG, or a palette PNG with these indices. A flat list is laid out on 12x16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.asarray(ids, np.uint8)
    if values.ndim == 1:
        values = np.resize(values, (12, 16))
    image = Image.fromarray(values)
    if palette:
        image.putpalette([value for value in range(255, -1, -1) for _ in range(3)])
    image.save(path)
    return path


def write_pair(image: Path, label: Path, ids: ArrayLike, *, palette: bool = False) -> None:
    write_image(image)
    write_ids(label, ids, palette=palette)
