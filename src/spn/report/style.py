"""How figures look, and how they are written: one type size, thin grey lines, colours that people with
colour blindness tell apart."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from spn.core.files import atomic_path, is_foreign, refuse_foreign

INK: Final = "#1f2933"
FAINT: Final = "#7b8794"
GRID: Final = "#e4e7eb"
VOID: Final = (236, 238, 240)
"""Colour (RGB) of pixels without ground truth."""
UNCERTAINTY_MAP: Final = "magma"

REFERENCE_COLOUR: Final = "#7b8794"
METHOD_COLOURS: Final = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9",
    "#332288", "#999933", "#882255", "#117733", "#44aa99", "#ddcc77", "#aa4499", "#661100", "#88ccee",
)  # fmt: skip
"""Okabe and Ito's palette ("Color Universal Design", 2008), then Tol's "muted" one (2021).
The reference is grey."""
METHOD_MARKERS: Final = "os^DvPX<>ph*d"
LEGEND_ROW: Final = 0.22
"""Inches."""

_SETTINGS: Final[dict[str, Any]] = {
    "figure.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # names may hold a $
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "axes.spines.left"), False),
    "xtick.color": INK,
    "ytick.color": FAINT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 160,
}
_SIGNATURES: Final = {".png": ("Software", b"Software\0SPN"), ".pdf": ("Creator", b"/Creator (SPN)")}
"""What says in a figure that it is ours: a field of matplotlib's metadata, and as it stands in the file."""
_PLAIN: Final = {key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith("backend")}
styled: Final = mpl.rc_context(_PLAIN | _SETTINGS)
"""Decorates a function that draws: its figure looks like the others, whatever a matplotlibrc says."""


@styled
def write_figure(figure: Figure | None, *paths: Path) -> bool:
    """Write `figure` to every path, .png or .pdf; without one, remove what an earlier report left there.

    Returns whether there is a figure. Raises UserError if it would replace a file that is no figure of ours.
    """
    for path in paths:
        key, signature = _SIGNATURES[path.suffix]
        if figure is not None:
            refuse_foreign(path, signature)
            with atomic_path(path) as temporary:
                figure.savefig(temporary, metadata={key: "SPN"})
        elif not is_foreign(path, signature):
            path.unlink(missing_ok=True)
    return figure is not None


def method_colours(count: int) -> list[str]:
    """One colour per method; the first is the reference."""
    return [REFERENCE_COLOUR, *(METHOD_COLOURS[i % len(METHOD_COLOURS)] for i in range(count - 1))]


def method_legend(figure: Figure, names: Sequence[str], *, title: str = "", markers: bool = False) -> None:
    """Above the panels of `figure`, a line in each method's colour, and `title` over them."""
    columns = legend_columns(names, width=figure.get_figwidth(), size=9)
    rows = -(-len(names) // columns) + bool(title)
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * rows)
    styles = zip(names, method_colours(len(names)), cycle(METHOD_MARKERS), strict=False)
    handles = [  # matplotlib leaves out what begins with an underscore
        Line2D([], [], color=colour, marker=marker if markers else "", ms=4, lw=2, label=f"\u200a{name}")
        for name, colour, marker in styles
    ]
    figure.legend(
        handles=handles, loc="outside upper left", ncols=columns, alignment="left", handlelength=1.4,
        title=title, title_fontsize=9,
    )  # fmt: skip


def heat_map(
    panel: Axes,
    values: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    *,
    colours: str,
    low: float,
    high: float,
) -> None:
    """A field for each of `values` [rows, columns], with its text. NaN has no colour, but its text."""
    scale = mpl.colormaps[colours].with_extremes(bad="white")
    image = panel.imshow(values, cmap=scale, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    for (row, column), rgba in zip(
        np.ndindex(values.shape), image.to_rgba(values).reshape(-1, 4), strict=True
    ):
        known, dark = np.isfinite(values[row, column]), rgba[:3] @ (0.299, 0.587, 0.114) < 0.58
        ink = FAINT if not known else "white" if dark else INK
        if not known:
            corner = (column - 0.5, row - 0.5)
            panel.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", edgecolor=GRID, linewidth=0))
        if texts[row][column]:
            panel.text(column, row, texts[row][column], ha="center", va="center", fontsize=7, color=ink)
    panel.grid(visible=False)
    panel.spines[:].set_visible(False)
    panel.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    panel.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    panel.grid(which="minor", axis="both", color="white", linewidth=1.0)
    panel.tick_params(which="both", length=0)


def legend_columns(names: Sequence[str], *, width: float, size: float) -> int:
    """How many names of a legend fit beside each other into `width` inches, in letters of `size` points."""
    widest = size * (0.6 * max(map(len, names)) + 5)  # the letters, then patch and gaps
    return max(1, min(len(names), int(72 * width / widest)))
