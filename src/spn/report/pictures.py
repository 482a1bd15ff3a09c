"""A figure of pictures in rows, every one at its own aspect, with titles at the left and a legend below.

`draw_panels`: image, every method's prediction, ground truth, uncertainty; a row per sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import IGNORE
from spn.core.errors import UserError
from spn.evaluation.results import SAMPLES_FOLDER
from spn.report.comparison import Comparison, Domain
from spn.report.style import FAINT, UNCERTAINTY_MAP, VOID, styled

MARGIN, GAP, LINE = 0.35, 0.05, 0.24
"""Inches: of row titles, between pictures, and of a line of text."""
LEGEND_COLUMNS: Final = 8
LONGEST_SIDE: Final = 1024
"""Pixels that a picture is reduced to: more cannot be seen at this size."""


class PictureRow(NamedTuple):
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
) -> Figure:
    """The figure, `width` inches wide; all rows have as many pictures.

    Args:
        columns: headings, one per picture of a row or fewer.
        colours: of the legend, RGB by class; what is not evaluated, and an uncertainty, are added.
    """
    count = len(rows[0].pictures)
    cell = (width - MARGIN - GAP * count) / count
    heights = [cell * row.pictures[0].shape[0] / row.pictures[0].shape[1] for row in rows]
    entries = {**colours, "not evaluated": VOID}
    handles = [Patch(color=np.asarray(colour) / 255, label=name) for name, colour in entries.items()]
    if rows[0].pictures[-1].ndim == 2:
        scale = mpl.colormaps[UNCERTAINTY_MAP]
        handles += [Patch(color=scale(0.0), label="sure"), Patch(color=scale(1.0), label="unsure (entropy)")]
    texts = 1 + sum(bool(row.caption) for row in rows) + -(-len(handles) // LEGEND_COLUMNS)
    layout = ConstrainedLayoutEngine(compress=True, w_pad=GAP / 2, h_pad=GAP / 2, wspace=0, hspace=0)
    figure = Figure((width, sum(heights) + GAP * len(rows) + LINE * texts), layout=layout)
    panels = figure.subplots(len(rows), count, squeeze=False, height_ratios=heights)
    style: dict[str, Any] = {"cmap": UNCERTAINTY_MAP, "vmin": 0, "vmax": 255, "interpolation": "antialiased"}
    for row, line in zip(rows, panels, strict=True):
        for panel, picture in zip(line, row.pictures, strict=True):
            panel.imshow(picture, **style)
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
    filtering = Image.Resampling.BOX if smooth else Image.Resampling.NEAREST
    smaller.thumbnail((LONGEST_SIDE, LONGEST_SIDE), filtering)
    return smaller


def draw_panels(comparison: Comparison, domains: Sequence[Domain], *, samples: int = 2) -> Figure | None:
    """The figure of `domains`; None without samples.

    The first `samples` of the evenly spaced samples of each domain are shown: nothing is picked by its looks.
    Only those are which every method has, of the same image.
    """
    rows: list[PictureRow] = []
    colours: dict[str, Sequence[int]] = {}
    for domain in domains:
        runs = [method.runs[0] for method in comparison.methods]
        results = [run.result(domain) for run in runs]
        first, *others = [{s.name: s.key for s in result.samples} if result else {} for result in results]
        shared = [name for name, key in first.items() if all(other.get(name) == key for other in others)]
        folders = [
            run.folder / SAMPLES_FOLDER / r.folder_name for run, r in zip(runs, results, strict=True) if r
        ]
        for name in shared[:samples]:
            image = reduced(_open(folders[0] / f"{name}_image.png").convert("RGB"))
            maps = [_open(folder / f"{name}_prediction.png") for folder in folders]
            maps.append(_open(folders[0] / f"{name}_label.png"))
            coloured = (_palette(one)[np.asarray(reduced(one, smooth=False))] for one in maps)
            uncertainty = reduced(_open(folders[-1] / f"{name}_uncertainty.png"))
            pictures = (np.asarray(image), *coloured, np.asarray(uncertainty))
            rows.append(PictureRow(pictures, comparison.title(domain)))
            names = comparison.result(domain).class_names
            colours |= dict(zip(names, _palette(maps[-1]).tolist(), strict=False))
    titles = [method.title for method in comparison.methods]
    columns = ["Image", *titles, "Ground truth", f"Uncertainty of {titles[-1]}"]
    return compose(rows, columns, colours) if rows else None


def _palette(picture: Image.Image) -> NDArray[np.uint8]:
    """The 256 colours of a palette PNG, void in its own pale grey."""
    colours = np.zeros((256, 3), np.uint8)
    stored = np.array(picture.getpalette() or [], np.uint8).reshape(-1, 3)
    colours[: len(stored)] = stored
    colours[IGNORE] = VOID
    return colours


def _open(path: Path) -> Image.Image:
    if not path.is_file():
        raise UserError(f"{path}: the sample image is gone; repeat spn evaluate with --again to write it")
    return Image.open(path)
