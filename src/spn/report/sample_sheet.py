"""A sheet of samples: image beside the same image under its label, and what the colours mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spn.core.label_space import LabelSpace
from spn.core.sample import Sample
from spn.report.pictures import PictureRow, compose, reduced
from spn.report.style import VOID, write_figure

_OPACITY = 0.6


def draw_sample_sheet(path: Path, samples: Sequence[Sample], *, space: LabelSpace, title: str) -> None:
    """Write the sheet: a row per sample, image left, image under its label right, the legend below."""
    rows = []
    for sample in samples:
        image = np.asarray(reduced(Image.fromarray(sample.image)))
        label = np.asarray(reduced(Image.fromarray(sample.label), smooth=False))
        rows.append(PictureRow((image, overlay(image, label, space=space)), caption=sample.key))
    colours = dict(zip(space.names, space.colours, strict=True))
    write_figure(compose(rows, [title], colours, width=10.0), path)


def overlay(image: NDArray[np.uint8], label: NDArray[np.uint8], *, space: LabelSpace) -> NDArray[np.uint8]:
    """`image` [H, W, 3] under the colours of `label` [H, W]; pale where nothing is evaluated."""
    colours = np.full((256, 3), VOID, np.uint8)
    colours[: len(space)] = space.colours
    return cv2.addWeighted(image, 1 - _OPACITY, colours[label], _OPACITY, 0)
