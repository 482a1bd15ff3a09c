"""A figure of pictures in rows, every one at its own aspect, with titles at the left and a legend below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from spn.report.style import FAINT, INK, UNCERTAINTY_MAP, VOID, styled

LEFT, GAP, TOP, CAPTION, LEGEND_ROW = 0.32, 0.05, 0.36, 0.22, 0.22
"""Inches."""
LEGEND_COLUMNS: Final = 7
LONGEST_SIDE: Final = 1024
"""Pixels that a picture is reduced to: more cannot be seen at this size."""


@dataclass(frozen=True)
class PictureRow:
    """pictures: uint8 [H, W, 3], or [H, W] for an uncertainty. title: at its left, once for rows that share
    it. caption: below it."""

    pictures: tuple[NDArray[np.uint8], ...]
    title: str = ""
    caption: str = ""


@styled
def compose(
    rows: Sequence[PictureRow],
    columns: Sequence[str],
    colours: Mapping[str, Sequence[int]],
    *,
    width: float = 13.0,
    uncertainty: bool = False,
) -> Figure:
    """The figure, `width` inches wide.

    Args:
        columns: headings, as many as a row has pictures, or one over all of them.
        colours: of the legend, RGB by class; what is not evaluated is added.
        uncertainty: whether the legend explains the colours of an uncertainty.
    """
    count = len(rows[0].pictures)
    cell = (width - LEFT - GAP * count) / count
    heights = [cell * row.pictures[0].shape[0] / row.pictures[0].shape[1] for row in rows]
    captions = [CAPTION if row.caption else 0.0 for row in rows]
    legend = LEGEND_ROW * -(-(len(colours) + 1) // LEGEND_COLUMNS) + 0.3
    total = TOP + sum(heights) + sum(captions) + GAP * len(rows) + legend
    figure = Figure(figsize=(width, total))

    def write(x: float, y: float, text: str, **style: Any) -> None:
        """x, y: inches from the left and the top."""
        figure.text(x / width, 1 - y / total, text, **style)

    for column, heading in enumerate(columns):
        middle = LEFT + column * (cell + GAP) + cell / 2
        place, align = (middle, "center") if len(columns) == count else (LEFT, "left")
        write(place, TOP - 0.08, heading, ha=align, va="bottom", fontsize=11, fontweight="bold")
    top = TOP
    for index, (row, height, caption) in enumerate(zip(rows, heights, captions, strict=True)):
        for column, picture in enumerate(row.pictures):
            left, bottom = (LEFT + column * (cell + GAP)) / width, 1 - (top + height) / total
            axes = figure.add_axes((left, bottom, cell / width, height / total))
            axes.set_axis_off()
            axes.imshow(
                picture, UNCERTAINTY_MAP, vmin=0, vmax=255, aspect="auto", interpolation="antialiased"
            )
        if index == 0 or rows[index - 1].title != row.title:
            span = sum(h + GAP for r, h in zip(rows, heights, strict=True) if r.title == row.title) - GAP
            style = {"rotation": 90, "ha": "right", "va": "center", "fontsize": 10, "fontweight": "bold"}
            write(LEFT - 0.1, top + span / 2, row.title, **style)
        write(LEFT, top + height + 0.03, row.caption, va="top", fontsize=7, color=FAINT)
        top += height + caption + GAP
    entries = [*colours.items(), ("not evaluated", VOID)]
    figure.legend(
        handles=[Patch(color=np.asarray(colour) / 255, label=name) for name, colour in entries],
        loc="upper left", bbox_to_anchor=(LEFT / width, 1 - (top + 0.05) / total), ncols=LEGEND_COLUMNS,
        fontsize=9, handlelength=1.0, handleheight=0.7, borderpad=0, borderaxespad=0, columnspacing=1.2,
    )  # fmt: skip
    if uncertainty:
        _draw_scale(figure, top=top + 0.08)
    return figure


def _draw_scale(figure: Figure, *, top: float) -> None:
    """The colours from sure to unsure at the right. top: inches."""
    width, total = figure.get_size_inches()
    axes = figure.add_axes(
        ((width - GAP - 1.6) / width, 1 - (top + 0.13) / total, 1.05 / width, 0.13 / total)
    )
    axes.set_axis_off()
    axes.imshow(np.linspace(0, 255, 256)[None], UNCERTAINTY_MAP, aspect="auto")
    for x, text, align in ((-0.06, "sure", "right"), (1.06, "unsure", "left")):
        axes.text(x, 0.5, text, transform=axes.transAxes, ha=align, va="center", fontsize=9, color=INK)
    axes.text(1.5, -1.2, "entropy of the prediction", transform=axes.transAxes, ha="right", va="center",
              fontsize=8, color=FAINT)  # fmt: skip


def reduced(picture: Image.Image, *, smooth: bool = True) -> Image.Image:
    """`picture` with at most `LONGEST_SIDE` pixels a side. smooth: mean of pixels, not for labels."""
    scale = LONGEST_SIDE / max(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BOX if smooth else Image.Resampling.NEAREST)
