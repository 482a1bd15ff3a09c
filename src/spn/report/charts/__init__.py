"""The charts of every report: a file of this folder is one, and joins by being there.

It has TITLE, its heading in report.md and benchmark.md, and `draw(comparison) -> Figure | None`: None where
there is nothing to show. It is written as NAME.png and NAME.pdf, in the style of the others; charts stand in
the order of their names. docs/how-to/own-chart.md has an example.
"""

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
