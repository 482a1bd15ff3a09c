"""How often each class occurs in a dataset, as bars on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spn.core.files import atomic_path
from spn.core.label_space import LabelSpace
from spn.report.style import FAINT, SETTINGS

_SIZE = (8.0, 3.4)
"""Inches."""


def draw_frequencies(path: Path, pixels: Sequence[int], *, space: LabelSpace, title: str) -> None:
    """Write the figure. pixels [C]: of each class; bars are shares of their sum, in the classes' colours."""
    counts = np.asarray(pixels, np.float64)
    shares = 100 * counts / max(counts.sum(), 1)
    places = np.arange(len(space))
    present = shares > 0
    floor = 10 ** np.floor(np.log10(shares[present].min() / 2)) if present.any() else 0.01
    with mpl.rc_context(dict(SETTINGS)):
        figure = Figure(figsize=_SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        panel = figure.add_subplot()
        colours = np.asarray(space.colours) / 255
        panel.bar(places, np.where(present, shares, 0), 0.78, color=colours, edgecolor=FAINT, linewidth=0.4)
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter("{x:g}")
        panel.minorticks_off()
        panel.set_ylim(floor, 250)
        for place, share in enumerate(shares.tolist()):
            text = f"{share:.2g}" if share else "absent"
            panel.text(
                place, max(share, floor) * 1.15, text, ha="center", va="bottom", fontsize=7,
                color=FAINT, rotation=0 if share else 90,
            )  # fmt: skip
        panel.set_xticks(places, space.names, rotation=38, ha="right", rotation_mode="anchor")
        panel.set_ylabel("% of evaluated pixels")
        panel.set_title(title, loc="left", fontweight="bold", fontsize=11, pad=8)
        with atomic_path(path) as temporary:
            figure.savefig(temporary)
