"""Per-class IoU as bars, a panel per domain, the methods side by side."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spn.report.comparison import Comparison, Domain
from spn.report.style import FAINT, INK, legend_columns, method_colours

TITLE: Final = "IoU per class"
PANEL_WIDTH, PANEL_HEIGHT, LEGEND_ROW = 7.0, 2.6, 0.22
"""Inches."""
GROUP_WIDTH = 0.78
"""Share of a class's place that its bars fill."""


def draw(comparison: Comparison) -> Figure:
    """Bars of the mean over seeds in percent; lines show the standard deviation."""
    columns = min(2, len(comparison.domains))
    rows = -(-len(comparison.domains) // columns)
    names = [method.title for method in comparison.methods]
    in_row = legend_columns(names, width=columns * PANEL_WIDTH, size=10)
    height = rows * PANEL_HEIGHT + LEGEND_ROW * (-(-len(names) // in_row) + 1)
    figure = Figure(figsize=(columns * PANEL_WIDTH, height), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for panel, domain in zip(panels, comparison.domains, strict=False):
        _draw_domain(panel, comparison, domain)
    for panel in panels[len(comparison.domains) :]:
        panel.set_axis_off()
    colours = method_colours(len(names))
    handles = [Patch(color=colour, label=name) for name, colour in zip(names, colours, strict=True)]
    seeds = any(len(method.runs) > 1 for method in comparison.methods)
    title = "IoU per class in percent" + ("; lines: standard deviation over seeds" if seeds else "")
    figure.legend(
        handles=handles, loc="outside upper left", ncols=in_row, fontsize=10, handlelength=1.0,
        handleheight=1.0, alignment="left", title=title,
    )  # fmt: skip
    return figure


def _draw_domain(panel: Axes, comparison: Comparison, domain: Domain) -> None:
    names, evaluated = comparison.result(domain).class_names, comparison.result(domain).classes_evaluated
    places, width = np.arange(len(names)), GROUP_WIDTH / len(comparison.methods)
    absent = np.array([name not in evaluated for name in names])
    colours = method_colours(len(comparison.methods))
    for index, (method, colour) in enumerate(zip(comparison.methods, colours, strict=True)):
        if (ious := method.class_ious(domain)) is None:
            continue
        left = places - GROUP_WIDTH / 2 + index * width
        means = np.where(absent, 0, np.nan_to_num(ious.mean(axis=0)))
        panel.bar(left, means, width * 0.94, align="edge", color=colour)
        if len(ious) > 1:
            spread, middle = ious.std(axis=0, ddof=1)[~absent], (left + width * 0.47)[~absent]
            panel.errorbar(middle, means[~absent], spread, fmt="none", ecolor=FAINT, elinewidth=0.9)
    for place in places[absent]:
        panel.text(place, 1.5, "absent", rotation=90, ha="center", va="bottom", color=FAINT, fontsize=6.5)
    panel.set_xlim(-0.6, len(names) - 0.4)
    panel.set_ylim(0, 100)
    panel.set_yticks([0, 25, 50, 75, 100])
    panel.set_xticks(places, names, rotation=38, ha="right", rotation_mode="anchor")
    panel.tick_params(axis="x", pad=2)
    panel.set_title(comparison.title(domain))
    panel.set_title(_summary(comparison, domain), loc="right", fontsize=9, fontweight="normal", color=INK)


def _summary(comparison: Comparison, domain: Domain) -> str:
    """mIoU 43.0 → 44.6 (+1.6), or of many methods the first and the best; of all where one lacks it."""
    means = {method.title: float(method.mious((domain,)).mean()) for method in comparison.methods}
    first, *others = means.values()
    if any(map(math.isnan, means.values())):
        return "  ".join(f"{title} {mean:.1f}" for title, mean in means.items() if not math.isnan(mean))
    if len(others) == 1:
        return f"mIoU {first:.1f} → {others[0]:.1f}  ({others[0] - first:+.1f})"
    best = max(means, key=means.__getitem__)
    return f"mIoU {first:.1f}" + (f", best {means[best]:.1f} ({best})" if others else "")
