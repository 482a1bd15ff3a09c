"""A sheet of samples: image beside the same image under its label, and what the colours mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from spn.core.files import atomic_path
from spn.core.label_space import LabelSpace
from spn.report.style import FAINT, SETTINGS, VOID

_WIDTH, _GAP, _HEAD, _CAPTION, _LEGEND_ROW = 10.0, 0.08, 0.36, 0.2, 0.22
"""Inches."""
_LEGEND_COLUMNS = 7
_LONGEST_SIDE = 800
"""Pixels that a picture is reduced to."""
_OPACITY = 0.6


class SheetSample(NamedTuple):
    """image: uint8 [H, W, 3] RGB. label: uint8 [H, W] in the label space, 255 where not evaluated."""

    title: str
    image: NDArray[np.uint8]
    label: NDArray[np.uint8]


def draw_sample_sheet(path: Path, samples: Sequence[SheetSample], *, space: LabelSpace, title: str) -> None:
    """Write the sheet: a row per sample, image left, image under its label right, the legend below."""
    reduced = [_reduced(sample) for sample in samples]
    cell = (_WIDTH - 3 * _GAP) / 2
    heights = [cell * sample.image.shape[0] / sample.image.shape[1] for sample in reduced]
    legend = _LEGEND_ROW * -(-(len(space) + 1) // _LEGEND_COLUMNS) + 0.25
    total = _HEAD + sum(heights) + (_GAP + _CAPTION) * len(heights) + legend
    with mpl.rc_context(dict(SETTINGS)):
        figure = Figure(figsize=(_WIDTH, total))
        FigureCanvasAgg(figure)
        figure.text(
            _GAP / _WIDTH, 1 - 0.1 / total, title, va="top", fontsize=11, fontweight="bold"
        )  # fmt: skip
        top = _HEAD
        for sample, height in zip(reduced, heights, strict=True):
            bottom = 1 - (top + height) / total
            for column, picture in enumerate(
                (sample.image, overlay(sample.image, sample.label, space=space))
            ):
                left = (_GAP + column * (cell + _GAP)) / _WIDTH
                axes = figure.add_axes((left, bottom, cell / _WIDTH, height / total))
                axes.set_axis_off()
                axes.imshow(picture, aspect="auto", interpolation="antialiased")
            figure.text(_GAP / _WIDTH, bottom - 0.03 / total, sample.title, va="top", fontsize=7, color=FAINT)
            top += height + _GAP + _CAPTION
        entries = [*zip(space.names, space.colours, strict=True), ("not evaluated", VOID)]
        figure.legend(
            handles=[Patch(color=np.asarray(colour) / 255, label=name) for name, colour in entries],
            loc="lower center", ncols=_LEGEND_COLUMNS, fontsize=8, handlelength=1.0, handleheight=1.0,
        )  # fmt: skip
        with atomic_path(path) as temporary:
            figure.savefig(temporary)


def overlay(image: NDArray[np.uint8], label: NDArray[np.uint8], *, space: LabelSpace) -> NDArray[np.uint8]:
    """`image` [H, W, 3] under the colours of `label` [H, W]; pale where nothing is evaluated."""
    colours = np.full((256, 3), VOID, np.uint8)
    colours[: len(space)] = space.colours
    return cv2.addWeighted(image, 1 - _OPACITY, colours[label], _OPACITY, 0)


def _reduced(sample: SheetSample) -> SheetSample:
    height, width = sample.label.shape
    scale = _LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return sample
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return SheetSample(
        sample.title,
        cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA),
        cv2.resize(sample.label, size, interpolation=cv2.INTER_NEAREST),
    )
