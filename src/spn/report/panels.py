"""Qualitative panels: image, every method's prediction, ground truth, uncertainty; a row per sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import IGNORE
from spn.core.errors import UserError
from spn.core.files import atomic_path
from spn.evaluation.results import DomainResult
from spn.report.comparison import Comparison, Domain, Run
from spn.report.style import FAINT, INK, SETTINGS, UNCERTAINTY_MAP, VOID

WIDTH = 13.0
LEFT, GAP, TOP = 0.32, 0.05, 0.34
LEGEND_ROW, LEGEND_COLUMNS = 0.22, 7
"""Inches; the legend has so many entries in a row."""
LONGEST_SIDE = 1024
"""Pixels that a picture is reduced to: more cannot be seen at this size."""


@dataclass(frozen=True)
class PanelRow:
    """One sample. pictures: uint8 [H, W, 3] per column but the last; uncertainty: uint8 [H, W]."""

    title: str
    pictures: tuple[NDArray[np.uint8], ...]
    uncertainty: NDArray[np.uint8]

    @property
    def aspect(self) -> float:
        """Height over width of the image."""
        return self.pictures[0].shape[0] / self.pictures[0].shape[1]


def draw_panels(
    comparison: Comparison, domains: Sequence[Domain], paths: Sequence[Path], *, samples: int = 2
) -> bool:
    """Write the figure of `domains` to every path, in the format of its suffix; False without samples.

    The first `samples` of the evenly spaced samples of each domain are shown: nothing is picked by its looks.
    """
    runs = [method.runs[0] for method in comparison.methods]
    rows = [
        row
        for domain in domains
        for name in _shared_samples(runs, domain)[:samples]
        for row in [_read_row(runs, domain, name, title=comparison.title(domain))]
    ]
    if not rows:
        return False
    columns = ["Image", *(method.title for method in comparison.methods), "Ground truth"]
    columns.append(f"Uncertainty of {comparison.methods[-1].title}")
    legend = _legend(runs, domains)
    with mpl.rc_context(dict(SETTINGS)):
        figure = _compose(rows, columns, legend)
        for path in paths:
            with atomic_path(path) as temporary:
                figure.savefig(temporary)
    return True


def _compose(
    rows: Sequence[PanelRow], columns: Sequence[str], legend: Sequence[tuple[str, NDArray[np.uint8]]]
) -> Figure:
    """Every picture at its own aspect, placed to the inch; titles above, legend below."""
    cell = (WIDTH - LEFT - GAP * len(columns)) / len(columns)
    heights = [cell * row.aspect for row in rows]
    legend_height = LEGEND_ROW * -(-len(legend) // LEGEND_COLUMNS) + 0.2
    total = TOP + sum(heights) + GAP * len(rows) + legend_height
    figure = Figure(figsize=(WIDTH, total))
    FigureCanvasAgg(figure)
    lefts = [LEFT + column * (cell + GAP) for column in range(len(columns))]
    for left, title in zip(lefts, columns, strict=True):
        figure.text(
            (left + cell / 2) / WIDTH, 1 - (TOP - 0.1) / total, title, ha="center", va="bottom",
            fontsize=11, fontweight="bold",
        )  # fmt: skip
    top = TOP
    for index, (row, height) in enumerate(zip(rows, heights, strict=True)):
        bottom = 1 - (top + height) / total
        for left, picture in zip(lefts, (*row.pictures, row.uncertainty), strict=True):
            axes = figure.add_axes((left / WIDTH, bottom, cell / WIDTH, height / total))
            axes.set_axis_off()
            axes.imshow(
                picture, cmap=UNCERTAINTY_MAP, vmin=0, vmax=255, aspect="auto", interpolation="antialiased"
            )
        if index == 0 or rows[index - 1].title != row.title:
            span = sum(h + GAP for r, h in zip(rows, heights, strict=True) if r.title == row.title) - GAP
            figure.text(
                (LEFT - 0.1) / WIDTH, 1 - (top + span / 2) / total, row.title, rotation=90, ha="right",
                va="center", fontsize=10, fontweight="bold",
            )  # fmt: skip
        top += height + GAP
    _draw_legend(figure, legend, top=top + 0.14, total=total)
    return figure


def _draw_legend(
    figure: Figure, legend: Sequence[tuple[str, NDArray[np.uint8]]], *, top: float, total: float
) -> None:
    """Colour patches with names, and the scale of the uncertainty at the right."""
    scale_width = 2.1
    column_width = (WIDTH - LEFT - scale_width) / LEGEND_COLUMNS
    overlay = figure.add_axes((0, 0, 1, 1))
    overlay.set_axis_off()
    overlay.set_xlim(0, WIDTH)
    overlay.set_ylim(total, 0)
    for index, (name, colour) in enumerate(legend):
        x = LEFT + (index % LEGEND_COLUMNS) * column_width
        y = top + (index // LEGEND_COLUMNS) * LEGEND_ROW
        overlay.add_patch(mpl.patches.Rectangle((x, y - 0.065), 0.2, 0.13, color=colour / 255, linewidth=0))
        overlay.text(x + 0.27, y, name, va="center", fontsize=9)
    right = WIDTH - GAP
    ramp = np.linspace(0, 255, 256)[None]
    overlay.imshow(
        ramp, cmap=UNCERTAINTY_MAP, aspect="auto", vmin=0, vmax=255,
        extent=(right - scale_width + 0.45, right - 0.55, top + 0.065, top - 0.065),
    )  # fmt: skip
    overlay.text(right - scale_width + 0.38, top, "sure", ha="right", va="center", fontsize=9, color=INK)
    overlay.text(right, top, "unsure", ha="right", va="center", fontsize=9, color=INK)
    overlay.text(
        right, top + LEGEND_ROW, "entropy of the prediction", ha="right", va="center", fontsize=8, color=FAINT
    )
    overlay.set_xlim(0, WIDTH)
    overlay.set_ylim(total, 0)


def _shared_samples(runs: Sequence[Run], domain: Domain) -> list[str]:
    """Names of the samples that every run has, with the same image under them."""
    results = [run.result(domain) for run in runs]
    if any(result is None for result in results):
        return []
    first, *others = [{s.name: s.key for s in result.samples} for result in results if result is not None]
    return [name for name, key in first.items() if all(other.get(name) == key for other in others)]


def _read_row(runs: Sequence[Run], domain: Domain, name: str, *, title: str) -> PanelRow:
    folders = [run.sample_folder(result) for run in runs if (result := run.result(domain))]
    image = _reduced(Image.open(_existing(folders[0] / f"{name}_image.png")).convert("RGB"))
    predictions = [_colours(folder / f"{name}_prediction.png") for folder in folders]
    truth = _colours(folders[0] / f"{name}_label.png")
    uncertainty = Image.open(_existing(folders[-1] / f"{name}_uncertainty.png"))
    return PanelRow(
        title,
        (np.asarray(image), *predictions, truth),
        np.asarray(_reduced(uncertainty)),
    )


def _colours(path: Path) -> NDArray[np.uint8]:
    """A palette PNG as RGB, void in its own pale grey."""
    picture = _reduced(Image.open(_existing(path)), smooth=False)
    colours = _palette(picture)
    colours[IGNORE] = VOID
    return colours[np.asarray(picture)]


def _palette(picture: Image.Image) -> NDArray[np.uint8]:
    colours = np.zeros((256, 3), np.uint8)
    stored = np.array(picture.getpalette() or [], np.uint8).reshape(-1, 3)
    colours[: len(stored)] = stored
    return colours


def _reduced(picture: Image.Image, *, smooth: bool = True) -> Image.Image:
    scale = LONGEST_SIDE / max(picture.size)
    if scale >= 1:
        return picture
    size = (round(picture.width * scale), round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BOX if smooth else Image.Resampling.NEAREST)


def _legend(runs: Sequence[Run], domains: Sequence[Domain]) -> list[tuple[str, NDArray[np.uint8]]]:
    """Names and colours of all classes of the domains, then void."""
    entries: dict[str, NDArray[np.uint8]] = {}
    for domain in domains:
        result = next((r for run in runs if (r := run.result(domain)) and r.samples), None)
        if result is not None:
            run = next(run for run in runs if run.result(domain) is result)
            entries |= _class_colours(run, result)
    return [*entries.items(), ("not evaluated", np.array(VOID, np.uint8))]


def _class_colours(run: Run, result: DomainResult) -> dict[str, NDArray[np.uint8]]:
    path = run.sample_folder(result) / f"{result.samples[0].name}_label.png"
    colours = _palette(Image.open(_existing(path)))
    return dict(zip(result.class_names, colours, strict=False))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path}: the sample image is gone; repeat spn evaluate with --again to write it")
    return path
