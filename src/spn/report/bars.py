"""Per-class IoU as bars, a panel per domain, the methods side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spn.core.files import atomic_path
from spn.report.comparison import Comparison, Domain
from spn.report.style import FAINT, INK, SETTINGS, legend_columns, method_colours

PANEL_WIDTH, PANEL_HEIGHT, HEAD = 7.0, 2.6, 0.42
LEFT, RIGHT, BOTTOM, TITLE = 0.5, 0.12, 0.68, 0.34
"""Inches; the last line is what a panel keeps free around its axes."""
HEAD_TEXT, LEGEND_ROW = 4.6, 0.22
"""Inches: the width of the text above the panels, and the height of a row of the legend below it."""
GROUP_WIDTH = 0.78
"""Share of a class's place that its bars fill."""
MOST_LISTED = 4
"""Methods whose figures a panel's title lists."""


def draw_class_bars(comparison: Comparison, paths: Sequence[Path]) -> None:
    """Write the figure to every path, in the format of its suffix (.png, .pdf)."""
    columns = min(2, len(comparison.domains))
    rows = -(-len(comparison.domains) // columns)
    width = columns * PANEL_WIDTH
    legend = _legend_rows(comparison, width)
    head = HEAD + LEGEND_ROW * legend
    height = rows * PANEL_HEIGHT + head
    with mpl.rc_context(dict(SETTINGS)):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        for index, domain in enumerate(comparison.domains):
            left = (index % columns) * PANEL_WIDTH + LEFT
            bottom = height - head - (index // columns + 1) * PANEL_HEIGHT + BOTTOM
            size = PANEL_WIDTH - LEFT - RIGHT, PANEL_HEIGHT - BOTTOM - TITLE
            panel = figure.add_axes((left / width, bottom / height, size[0] / width, size[1] / height))
            _draw_domain(panel, comparison, domain)
        _draw_head(figure, comparison, legend=legend)
        for path in paths:
            with atomic_path(path) as temporary:
                figure.savefig(temporary)


def _draw_domain(panel: Axes, comparison: Comparison, domain: Domain) -> None:
    result = comparison.result(domain)
    names = result.class_names
    places = np.arange(len(names))
    width = GROUP_WIDTH / len(comparison.methods)
    colours = method_colours(len(comparison.methods))
    absent = np.array([name not in result.classes_evaluated for name in names])
    for index, (method, colour) in enumerate(zip(comparison.methods, colours, strict=True)):
        ious = method.class_ious(domain)
        if ious is None:
            continue
        left = places - GROUP_WIDTH / 2 + index * width
        means = np.where(absent, 0, np.nan_to_num(ious.mean(axis=0)))
        panel.bar(left, means, width * 0.94, align="edge", color=colour)
        if len(ious) > 1:
            middle = (left + width * 0.47)[~absent]
            panel.errorbar(
                middle,
                means[~absent],
                yerr=ious.std(axis=0, ddof=1)[~absent],
                fmt="none",
                ecolor=FAINT,
                elinewidth=0.9,
            )
    for place in places[absent]:
        panel.text(place, 1.5, "absent", rotation=90, ha="center", va="bottom", color=FAINT, fontsize=6.5)
    panel.set_xlim(-0.6, len(names) - 0.4)
    panel.set_ylim(0, 100)
    panel.set_yticks([0, 25, 50, 75, 100])
    panel.set_xticks(places, names, rotation=38, ha="right", rotation_mode="anchor")
    panel.tick_params(axis="x", pad=2)
    panel.set_title(comparison.title(domain), loc="left", fontweight="bold", fontsize=11, pad=8)
    panel.set_title(_summary(comparison, domain), loc="right", fontsize=9, color=INK, pad=8)


def _summary(comparison: Comparison, domain: Domain) -> str:
    """mIoU 43.0 → 44.6 (+1.6), or the list of all methods, or of many the first and the best."""
    means = [float(method.mious((domain,)).mean()) for method in comparison.methods]
    if any(map(math.isnan, means)):
        return "  ".join(
            f"{method.title} {mean:.1f}"
            for method, mean in zip(comparison.methods, means, strict=True)
            if not math.isnan(mean)
        )
    if len(means) == 1:
        return f"mIoU {means[0]:.1f}"
    if len(means) == 2:
        return f"mIoU {means[0]:.1f} → {means[1]:.1f}  ({means[1] - means[0]:+.1f})"
    if len(means) <= MOST_LISTED:
        return "mIoU " + " · ".join(f"{mean:.1f}" for mean in means)
    best = int(np.argmax(means))
    return f"mIoU {means[0]:.1f}, best {means[best]:.1f} ({comparison.methods[best].title})"


def _legend_rows(comparison: Comparison, width: float) -> int:
    """Rows of the legend below the head's text; 0 where it has room beside it."""
    names = [method.title for method in comparison.methods]
    if legend_columns(names, width=width - HEAD_TEXT, size=10) == len(names):
        return 0
    return -(-len(names) // legend_columns(names, width=width - LEFT - RIGHT, size=10))


def _draw_head(figure: Figure, comparison: Comparison, *, legend: int) -> None:
    """What is drawn, and the methods' colours, in `legend` rows below it or (0) at its right."""
    width, height = figure.get_size_inches()
    colours = method_colours(len(comparison.methods))
    handles = [
        Patch(color=colour, label=method.title)
        for method, colour in zip(comparison.methods, colours, strict=True)
    ]
    figure.legend(
        handles=handles,
        loc="upper right",
        bbox_to_anchor=(1 - RIGHT / width, 1 - (0.06 + (0.3 if legend else 0)) / height),
        ncols=-(-len(handles) // legend) if legend else len(handles),
        fontsize=10,
        handlelength=1.0,
        handleheight=1.0,
        columnspacing=1.6,
        borderaxespad=0,
        borderpad=0,
    )
    seeds = any(len(method.runs) > 1 for method in comparison.methods)
    text = "IoU per class in percent" + ("; lines: standard deviation over seeds" if seeds else "")
    figure.text(LEFT / width, 1 - 0.08 / height, text, va="top", color=FAINT, fontsize=10)
