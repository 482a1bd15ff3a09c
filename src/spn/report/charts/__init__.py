"""The charts of every report: a file of this folder is one, and joins by being there.

To add one, write `charts/NAME.py` with two names in it:

    TITLE = "mIoU of each seed"                          # its heading in report.md and benchmark.md

    def draw(comparison: Comparison) -> Figure | None:   # a matplotlib Figure; None: nothing to show here
        figure = Figure(figsize=(7, 4), layout="constrained")
        ...

It is written as NAME.png and NAME.pdf, in the style of the others; charts stand in the order of their names.
`comparison.methods` has the runs (`mious(domains)`, `class_ious(domain)`; a `Run` has its `results`),
`comparison.domains` and `comparison.title(domain)` what was measured on, and `spn.report.style` the colours.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from spn.report.comparison import Comparison
from spn.report.style import styled, write_figure


def draw_charts(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Write every chart into `folder`, and remove those of an earlier report there that show nothing now.

    Returns the PNGs by their headings.
    """
    drawn = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        chart = importlib.import_module(f"{__name__}.{name}")
        path = folder / f"{name}.png"
        if write_figure(styled(chart.draw)(comparison), path, path.with_suffix(".pdf")):
            drawn[str(chart.TITLE)] = path
    return drawn
