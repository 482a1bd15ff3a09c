"""Reliability diagrams: how often pixels are right, by how confident the network was; a panel per dataset.

A line per method; on the dashed diagonal confidence and accuracy agree, below it a network is too sure. The
area of a point grows with its share of the pixels; a method's seeds are counted together. The bins are those
of the calibration error (`spn.evaluation.counts.Calibration`).
"""

from typing import Final

import numpy as np
from matplotlib.figure import Figure

from spn.evaluation.counts import Calibration
from spn.report.comparison import Comparison
from spn.report.style import FAINT, method_colours, method_legend

TITLE: Final = "Reliability of confidence"
COLUMNS, SIDE, LARGEST_POINT = 4, 2.7, 60
"""Panels in a row; inches; square points."""


def draw(comparison: Comparison) -> Figure | None:
    """None without counts of confidences."""
    methods = comparison.methods
    counts = {d: [method.counts(Calibration, d) for method in methods] for d in comparison.domains}
    shown = {domain: found for domain, found in counts.items() if any(found)}
    if not shown:
        return None
    columns = min(COLUMNS, max(len(shown), 2))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(SIDE * columns, SIDE * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    for panel, (domain, found) in zip(panels, shown.items(), strict=False):
        panel.plot([0, 1], [0, 1], "--", lw=0.8, color=FAINT)
        for runs, colour in zip(found, method_colours(len(methods)), strict=True):
            if runs:
                sums = (np.sum([getattr(one, name) for one in runs], axis=0) for name in ("right", "wrong"))
                bins = Calibration(*sums).reliability
                style = {"color": colour, "alpha": 0.85, "lw": 1.2}
                panel.plot(bins.confidence, bins.accuracy, **style)
                panel.scatter(bins.confidence, bins.accuracy, LARGEST_POINT * bins.share, **style)
        panel.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        panel.set_title(comparison.title(domain), fontsize=8)
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    figure.supxlabel("confidence", fontsize=9)
    figure.supylabel("share of right pixels", fontsize=9)
    method_legend(figure, [method.title for method in methods])
    return figure
