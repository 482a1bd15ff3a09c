"""Figures of a dataset: how often each class occurs, and samples beside the same image under its label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from spn.core.classes import LabelSpace
from spn.core.sample import Sample
from spn.report.pictures import PictureRow, compose, reduced
from spn.report.style import FAINT, VOID, styled, write_figure

_OPACITY: Final = 0.6


@styled
def draw_frequencies(path: Path, pixels: Sequence[int], *, space: LabelSpace, title: str) -> None:
    """Write bars on a logarithmic scale: shares of the sum of `pixels` [C], in the classes' colours."""
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


def draw_sample_sheet(path: Path, samples: Sequence[Sample], *, space: LabelSpace, title: str) -> None:
    """Write a row per sample: image left, image under its label right, pale where nothing is evaluated."""
    palette = np.full((256, 3), VOID, np.uint8)
    palette[: len(space)] = space.colours
    rows = []
    for sample in samples:
        image = np.asarray(reduced(Image.fromarray(sample.image)))
        label = np.asarray(reduced(Image.fromarray(sample.label), smooth=False))
        blended = cv2.addWeighted(image, 1 - _OPACITY, palette[label], _OPACITY, 0)
        rows.append(PictureRow((image, blended), caption=sample.key))
    colours = dict(zip(space.names, space.colours, strict=True))
    write_figure(compose(rows, [title], colours, width=10.0), path)
