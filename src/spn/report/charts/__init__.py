"""The charts of every report: a file of this folder is one, and joins by being there.

It has TITLE, its heading in reports, and `draw(comparison) -> Figure | None`: None where there is nothing to
show. The first paragraph of its docstring tells who cannot see the chart what it shows. It is written as
NAME.png and NAME.pdf, in the style of the others; charts stand in the order of their names.
docs/how-to/own-chart.md has an example.
"""

import importlib
import pkgutil
from pathlib import Path
from typing import NamedTuple

from spn.report.comparison import Comparison
from spn.report.style import styled, write_figure


class Chart(NamedTuple):
    """path: the PNG. about: what it shows, in words."""

    path: Path
    about: str


def draw_charts(comparison: Comparison, folder: Path) -> dict[str, Chart]:
    """Write every chart into `folder`, and remove those of an earlier report there that show nothing now.

    Returns them by their headings.
    """
    drawn = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        chart = importlib.import_module(f"{__name__}.{name}")
        path = folder / f"{name}.png"
        if write_figure(styled(chart.draw)(comparison), path, path.with_suffix(".pdf")):
            about, *_ = (chart.__doc__ or "").strip().split("\n\n")
            drawn[str(chart.TITLE)] = Chart(path, about.replace("`", ""))
    return drawn
