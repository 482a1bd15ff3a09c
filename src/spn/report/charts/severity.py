"""mIoU against how heavy fog and rain are, a panel each, a line per method.

Severity is read from the setting after the @ of a split (val@beta_0.02): of fog the attenuation β in 1/m
(Sakaridis et al., IJCV 2018), of rain the coefficient α of the rain layer (Hu et al., CVPR 2019).
"""

from __future__ import annotations

import re
from itertools import cycle
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from spn.report.comparison import Comparison, Domain
from spn.report.statistics import SeedMean
from spn.report.style import FAINT, METHOD_MARKERS, legend_columns, method_colours

TITLE: Final = "mIoU against fog and rain"
PANEL_WIDTH, HEIGHT, LEGEND_ROW = 4.2, 3.6, 0.18
"""Inches."""


WEATHERS: Final = {
    "foggy_cityscapes": ("beta", "fog: attenuation β (1/m)"),
    "rain_cityscapes": ("alpha", "rain: coefficient α"),
}
"""By dataset: the severity's name in the split, and the axis."""


def draw(comparison: Comparison) -> Figure | None:
    """None without two settings of a weather."""
    shown = {key: domains for key in WEATHERS if len(domains := severities(comparison, key)) > 1}
    if not shown:
        return None
    figure = Figure(figsize=(PANEL_WIDTH * len(shown), HEIGHT), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    colours = [FAINT, *method_colours(len(comparison.methods))[1:]]
    for panel, (key, domains) in zip(panels, shown.items(), strict=True):
        places = list(domains)
        for method, colour, marker in zip(comparison.methods, colours, cycle(METHOD_MARKERS), strict=False):
            figures = [SeedMean.of(method.mious((domain,))) for domain in domains.values()]
            means = np.array([one.mean for one in figures])
            spread = np.nan_to_num([one.std for one in figures])
            panel.plot(places, means, f"{marker}-", ms=4, lw=1.6, color=colour, label=method.title)
            panel.fill_between(places, means - spread, means + spread, color=colour, alpha=0.15, linewidth=0)
        panel.margins(x=0.1)
        panel.set_xticks(places, [f"{place:g}" for place in places])
        panel.set_xlabel(WEATHERS[key][1])
        panel.set_title(next(iter(domains.values())).title)
    panels[0].set_ylabel("mIoU (%)")
    handles, names = panels[0].get_legend_handles_labels()
    columns = legend_columns(names, width=PANEL_WIDTH * len(shown), size=8)
    figure.set_figheight(HEIGHT + LEGEND_ROW * (-(-len(names) // columns) - 1))
    figure.legend(
        handles, names, loc="outside lower center", ncols=columns, fontsize=8,
        title="shaded: one standard deviation over seeds", title_fontsize=8,
    )  # fmt: skip
    return figure


def severities(comparison: Comparison, key: str) -> dict[float, Domain]:
    """The domains that are one setting of the weather of this dataset, by severity, ascending."""
    pattern = re.compile(rf"[^@+]+@(?:[^+]*_)?{WEATHERS[key][0]}_([0-9]+(?:\.[0-9]+)?)(?:_[^+]*)?")
    found = {
        float(match[1]): domain
        for domain in comparison.domains
        if domain.key == key and (match := pattern.fullmatch(domain.split))
    }
    return dict(sorted(found.items()))
