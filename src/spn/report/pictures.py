"""A figure of pictures in rows, every one at its own aspect, with titles at the left and a legend below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from spn.report.style import FAINT, UNCERTAINTY_MAP, VOID, styled

MARGIN, GAP, LINE = 0.35, 0.05, 0.24
"""Inches: of row titles, between pictures, and of a line of text."""
LEGEND_COLUMNS: Final = 8
LONGEST_SIDE: Final = 1024
"""Pixels that a picture is reduced to: more cannot be seen at this size."""


@dataclass(frozen=True)
class PictureRow:
    """pictures: uint8 [H, W, 3], or [H, W] for an uncertainty. title: at the left. caption: below."""

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
        columns: headings, one per picture of a row or fewer.
        colours: of the legend, RGB by class; what is not evaluated is added.
        uncertainty: whether the legend explains the colours of an uncertainty.
    """
    count = len(rows[0].pictures)
    cell = (width - MARGIN - GAP * count) / count
    heights = [cell * row.pictures[0].shape[0] / row.pictures[0].shape[1] for row in rows]
    entries = {**colours, "not evaluated": VOID}
    handles = [Patch(color=np.asarray(colour) / 255, label=name) for name, colour in entries.items()]
    if uncertainty:
        scale = mpl.colormaps[UNCERTAINTY_MAP]
        handles += [Patch(color=scale(0.0), label="sure"), Patch(color=scale(1.0), label="unsure (entropy)")]
    texts = 1 + sum(bool(row.caption) for row in rows) + -(-len(handles) // LEGEND_COLUMNS)
    layout = ConstrainedLayoutEngine(compress=True, w_pad=GAP / 2, h_pad=GAP / 2, wspace=0, hspace=0)
    figure = Figure((width, sum(heights) + GAP * len(rows) + LINE * texts), layout=layout)
    panels = figure.subplots(len(rows), count, squeeze=False, height_ratios=heights)
    for row, line in zip(rows, panels, strict=True):
        style: dict[str, Any] = {"cmap": UNCERTAINTY_MAP, "vmin": 0, "vmax": 255}
        for panel, picture in zip(line, row.pictures, strict=True):
            panel.imshow(picture, interpolation="antialiased", **style)
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
        line[0].set_ylabel(row.title.replace(" (", "\n("), fontsize=10, fontweight="bold")
        line[0].set_xlabel(row.caption, loc="left", fontsize=7, color=FAINT)
    for panel, heading in zip(panels[0], columns, strict=False):
        panel.set_title(heading, loc="center" if len(columns) == count else "left")
    figure.legend(
        handles=handles, loc="outside lower left", ncols=LEGEND_COLUMNS, fontsize=9, handlelength=1.0,
        handleheight=0.7, columnspacing=1.2,
    )  # fmt: skip
    return figure


def reduced(picture: Image.Image, *, smooth: bool = True) -> Image.Image:
    """`picture` with at most `LONGEST_SIDE` pixels a side. smooth: mean of pixels, not for labels."""
    smaller = picture.copy()
    smaller.thumbnail(
        (LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX if smooth else Image.Resampling.NEAREST
    )
    return smaller
