"""mIoU against how heavy fog and rain are, a panel each, a line per method.

`spn.report.weather` reads how heavy."""

from itertools import cycle
from typing import Final

from matplotlib.figure import Figure

from spn.report.comparison import Comparison, Domain
from spn.report.style import METHOD_MARKERS, method_colours, method_legend
from spn.report.weather import WEATHERS, severity

TITLE: Final = "mIoU against fog and rain"
PANEL_WIDTH, HEIGHT = 4.2, 3.2
"""Inches."""


def draw(comparison: Comparison) -> Figure | None:
    """Lines of means, and a point per seed. None without two settings of a weather."""
    shown = {key: domains for key in WEATHERS if len(domains := severities(comparison, key)) > 1}
    if not shown:
        return None
    figure = Figure(figsize=(PANEL_WIDTH * len(shown), HEIGHT), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    colours = method_colours(len(comparison.methods))
    for panel, (key, domains) in zip(panels, shown.items(), strict=True):
        places = list(domains)
        for method, colour, marker in zip(comparison.methods, colours, cycle(METHOD_MARKERS), strict=False):
            values = [method.mious((domain,)) for domain in domains.values()]
            panel.plot(places, [seeds.mean() for seeds in values], "-", lw=1.6, color=colour)
            for place, seeds in zip(places, values, strict=True):
                panel.plot([place] * len(seeds), seeds, marker, ms=4, color=colour, alpha=0.75, mew=0)
        panel.margins(x=0.1)
        panel.set_xticks(places, [f"{place:g}" for place in places])
        panel.set_xlabel(WEATHERS[key].axis)
        panel.set_title(next(iter(domains.values())).title)
    panels[0].set_ylabel("mIoU (%)")
    title = "lines: mean over seeds; points: each seed" if comparison.has_seeds else ""
    method_legend(figure, [method.title for method in comparison.methods], title=title, markers=True)
    return figure


def severities(comparison: Comparison, key: str) -> dict[float, Domain]:
    """The domains that are one setting of the weather of this dataset, by severity, ascending."""
    found = {severity(key, domain.split): domain for domain in comparison.domains if domain.key == key}
    return {value: found[value] for value in sorted(value for value in found if value is not None)}
