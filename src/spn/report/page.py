"""report.html: the whole report as one page that needs no other file and no network.

Its tables can be sorted and its samples compared under a slider; without JavaScript, and on paper, all is
there side by side. page.html is the page around what is made here.
"""

import math
from collections.abc import Iterator, Sequence
from importlib import resources
from string import Template
from typing import Final

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import IGNORE
from spn.core.version import __version__
from spn.evaluation.grid import Bar, Grid, html_text
from spn.report.charts.per_class_iou import mean_ious
from spn.report.comparison import Comparison
from spn.report.pictures import ReadSample, reduced
from spn.report.section import Section, image_html, notes_html, wide
from spn.report.style import UNCERTAINTY_MAP, VOID

LARGEST: Final = 14_000_000
"""Bytes of a page."""
PIXELS: Final = 60_000_000
"""Of all samples' pictures together, about."""
LONGEST: Final = 960
"""Pixels of a sample's longer side."""
WRONG: Final = 230, 60, 0
"""Colour (RGB) of wrong pixels."""


def page(
    comparison: Comparison,
    sections: Sequence[Section],
    samples: Sequence[ReadSample],
    sources: tuple[str, ...],
) -> str:
    """The sections; after the first the IoU of each class as bars, before the last the samples.

    sources: notes under the samples.
    """
    methods = [method.title for method in comparison.methods]
    first, *middle, last = [(section.title, section.html()) for section in sections]
    bars = "IoU of each class, in bars", "\n".join(class_bars(comparison))
    side = min(LONGEST, math.isqrt(PIXELS // (len(samples) * (3 + 2 * len(methods)) + 1)))
    template = Template(resources.files("spn.report").joinpath("page.html").read_text(encoding="utf-8"))
    while True:  # until it is small enough
        shown = [("Samples", samples_html(samples, methods, side=side) + notes_html(sources))]
        parts = [
            (f"part-{number}", html_text(title), inner)
            for number, (title, inner) in enumerate([first, bars, *middle, *(shown if samples else []), last])
        ]
        text = template.substitute(
            title=html_text(", ".join(methods)),
            contents="\n".join(f'<li><a href="#{name}">{title}</a></li>' for name, title, _ in parts),
            body="\n".join(
                f'<section id="{name}">\n<h2>{title}</h2>\n{inner}\n</section>'
                for name, title, inner in parts
            ),
            version=__version__,
        )
        if len(text) <= LARGEST or side < 40:
            return text
        side = side * 2 // 3


def class_bars(comparison: Comparison) -> Iterator[str]:
    """A table per domain, the first one open: classes in rows, methods in columns; means over seeds."""
    for number, domain in enumerate(comparison.domains):
        names = comparison.result(domain).class_names
        values = [mean_ious(method, [domain], len(names))[0] for method in comparison.methods]
        rows = [
            (name, *(Bar("–" if math.isnan(value) else f"{value:.1f}") for value in row))
            for name, *row in zip([*names, "mean"], *values, strict=True)
        ]
        grid = Grid(("IoU (%)", *(method.title for method in comparison.methods)), rows)
        title, state = comparison.title(domain), "" if number else " open"
        summary = f"<summary>{html_text(title)}</summary>"
        yield f"<details{state}>{summary}\n{wide(title, grid.html())}\n</details>"


def samples_html(samples: Sequence[ReadSample], methods: Sequence[str], *, side: int) -> str:
    """Every sample's pictures, which the page's script puts under a slider, and what their colours mean."""
    parts: list[str] = []
    colours: dict[str, Sequence[int]] = {}
    for number, sample in enumerate(samples, start=1):
        colours |= sample.colours
        figures = "\n".join(
            f"<figure>{image_html(_fitting(picture, side, exact), f'{sample.title}: {name}', lossless=exact)}"
            f"<figcaption>{html_text(name)}</figcaption></figure>"
            for name, picture, exact in _pictures(sample, methods)
        )
        heading = f"{html_text(sample.title)}, sample {number} of {len(samples)}"
        parts += [
            f'<article class="sample">\n<h3>{heading}</h3>',
            f'<div class="pictures">\n{figures}\n</div>\n</article>',
        ]
    entries = {**colours, "not evaluated": VOID, "wrong (in error maps)": WRONG}
    legend = "".join(
        f'<li><span class="patch" style="background: rgb({r}, {g}, {b})"></span>{html_text(name)}</li>\n'
        for name, (r, g, b) in entries.items()
    )
    scale = "Uncertainty (entropy): from dark, sure, to bright, unsure."
    return "\n".join([f'<ul class="legend">\n{legend}</ul>\n<p>{scale}</p>', *parts])


def _pictures(sample: ReadSample, methods: Sequence[str]) -> Iterator[tuple[str, NDArray[np.uint8], bool]]:
    """Title, picture and whether it has few colours."""
    yield "photograph", sample.image, False
    yield "ground truth", sample.palette[sample.label], True
    for title, prediction in zip(methods, sample.predictions, strict=True):
        yield title, sample.palette[prediction], True
    for title, prediction in zip(methods, sample.predictions, strict=True):
        yield f"errors of {title}", error_map(sample, prediction), False
    scale = (255 * mpl.colormaps[UNCERTAINTY_MAP](np.arange(256))[:, :3]).astype(np.uint8)
    yield f"uncertainty of {methods[-1]}", scale[sample.uncertainty], False


def error_map(sample: ReadSample, prediction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photograph in pale grey under wrong pixels in `WRONG`; what is not evaluated is that of figures."""
    grey = cv2.cvtColor(sample.image, cv2.COLOR_RGB2GRAY) // 2 + 112
    shown = np.repeat(grey[:, :, None], 3, axis=2)
    shown[prediction != sample.label] = WRONG
    shown[sample.label == IGNORE] = VOID
    return shown


def _fitting(picture: NDArray[np.uint8], side: int, exact: bool) -> Image.Image:
    return reduced(Image.fromarray(picture), smooth=not exact, side=side)
