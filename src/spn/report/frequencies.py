"""How often each class occurs in a dataset, as bars on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spn.core.label_space import LabelSpace
from spn.report.style import FAINT, styled, write_figure


@styled
def draw_frequencies(path: Path, pixels: Sequence[int], *, space: LabelSpace, title: str) -> None:
    """Write the figure. pixels [C]: of each class; bars are shares of their sum, in the classes' colours."""
    counts = np.asarray(pixels, np.float64)
    shares = 100 * counts / max(counts.sum(), 1)
    places = np.arange(len(space))
    present = shares > 0
    floor = 10 ** np.floor(np.log10(shares[present].min() / 2)) if present.any() else 0.01
    figure = Figure(figsize=(8.0, 3.4), layout="constrained")
    panel = figure.add_subplot()
    panel.bar(places, shares, 0.78, color=np.asarray(space.colours) / 255, edgecolor=FAINT, linewidth=0.4)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter("{x:g}")
    panel.minorticks_off()
    panel.set_ylim(floor, 250)
    for place, share in enumerate(shares.tolist()):
        panel.text(
            place, max(share, floor) * 1.15, f"{share:.2g}" if share else "absent", ha="center", va="bottom",
            fontsize=7, color=FAINT, rotation=0 if share else 90,
        )  # fmt: skip
    panel.set_xticks(places, space.names, rotation=38, ha="right", rotation_mode="anchor")
    panel.set_ylabel("% of evaluated pixels")
    panel.set_title(title)
    write_figure(figure, path)
