"""Figures of pictures in rows, every one at its own aspect, with titles at the left and a legend below.

Of runs: image, every method's prediction, ground truth, uncertainty; a row per sample. Of a dataset: samples
beside the same image under its label; and how often each class occurs.
"""

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from spn.core.classes import IGNORE, LabelSpace
from spn.core.errors import UserError
from spn.core.sample import Sample
from spn.evaluation.results import SAMPLES_FOLDER
from spn.report.comparison import Comparison, Domain
from spn.report.style import FAINT, UNCERTAINTY_MAP, VOID, styled, write_figure
from spn.report.weather import severity_text

MARGIN, GAP, LINE, LEAST_WIDTH = 0.35, 0.05, 0.24, 1.5
"""Inches: of row titles, between pictures, of a line of text, and of a picture."""
LEGEND_COLUMNS: Final = 8
LONGEST_SIDE: Final = 1024
"""Pixels that a picture is reduced to: more cannot be seen at this size."""


class PictureRow(NamedTuple):
    """pictures: uint8 [H, W, 3], or [H, W] for an uncertainty. title: at the left. caption: below."""

    pictures: tuple[NDArray[np.uint8], ...]
    title: str = ""
    caption: str = ""


@styled
def compose(
    rows: Sequence[PictureRow],
    columns: Sequence[str],
    colours: Mapping[str, Sequence[int]],
    *,
    width: float = 13.0,
) -> Figure:
    """The figure, `width` inches wide, or more for many pictures; all rows have as many of them.

    Args:
        columns: headings, one per picture of a row or fewer.
        colours: of the legend, RGB by class; what is not evaluated, and an uncertainty, are added.
    """
    count = len(rows[0].pictures)
    width = max(width, MARGIN + (LEAST_WIDTH + GAP) * count)
    cell = (width - MARGIN - GAP * count) / count
    heights = [cell * row.pictures[0].shape[0] / row.pictures[0].shape[1] for row in rows]
    entries = {**colours, "not evaluated": VOID}
    handles = [Patch(color=np.asarray(colour) / 255, label=name) for name, colour in entries.items()]
    if rows[0].pictures[-1].ndim == 2:
        scale = mpl.colormaps[UNCERTAINTY_MAP]
        handles += [Patch(color=scale(0.0), label="sure"), Patch(color=scale(1.0), label="unsure (entropy)")]
    room = cell if len(columns) == count else width
    headings = [_wrapped(heading, inches=room, size=11) for heading in columns]
    texts = (
        max(1 + text.count("\n") for text in headings)
        + sum(bool(row.caption) for row in rows)
        + -(-len(handles) // LEGEND_COLUMNS)
    )
    layout = ConstrainedLayoutEngine(compress=True, w_pad=GAP / 2, h_pad=GAP / 2, wspace=0, hspace=0)
    figure = Figure((width, sum(heights) + GAP * len(rows) + LINE * texts), layout=layout)
    panels = figure.subplots(len(rows), count, squeeze=False, height_ratios=heights)
    style: dict[str, Any] = {"cmap": UNCERTAINTY_MAP, "vmin": 0, "vmax": 255, "interpolation": "antialiased"}
    for row, line, height in zip(rows, panels, heights, strict=True):
        for panel, picture in zip(line, row.pictures, strict=True):
            panel.imshow(picture, **style)
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
        parts = row.title.replace(" (", "\n(").splitlines()
        title = "\n".join(_wrapped(part, inches=height, size=10) for part in parts)
        line[0].set_ylabel(title, fontsize=10, fontweight="bold")
        line[0].set_xlabel(row.caption, loc="left", fontsize=7, color=FAINT)
    for panel, heading in zip(panels[0], headings, strict=False):
        panel.set_title(heading, loc="center" if len(columns) == count else "left")
    figure.legend(
        handles=handles, loc="outside lower left", ncols=LEGEND_COLUMNS, fontsize=9, handlelength=1.0,
        handleheight=0.7, columnspacing=1.2,
    )  # fmt: skip
    return figure


def _wrapped(text: str, *, inches: float, size: float) -> str:
    """In lines that fit, of bold letters of `size` points; four at most."""
    letters = max(6, int(72 * inches / (0.62 * size)))
    return "\n".join(textwrap.wrap(text, letters, max_lines=4, placeholder=" …", break_long_words=False))


def reduced(picture: Image.Image, *, smooth: bool = True, side: int = LONGEST_SIDE) -> Image.Image:
    """`picture` with at most `side` pixels a side. smooth: mean of pixels, not for labels."""
    smaller = picture.copy()
    filtering = Image.Resampling.BOX if smooth else Image.Resampling.NEAREST
    smaller.thumbnail((side, side), filtering)
    return smaller


class ReadSample(NamedTuple):
    """A sample at the size of figures. title: of its domain, with its weather. image: uint8 [H, W, 3].
    label, predictions (one per method): uint8 [H, W], places in `palette` [256, 3], 255 not evaluated.
    uncertainty: uint8 [H, W], of the last method. colours: by class."""

    title: str
    image: NDArray[np.uint8]
    label: NDArray[np.uint8]
    predictions: tuple[NDArray[np.uint8], ...]
    uncertainty: NDArray[np.uint8]
    palette: NDArray[np.uint8]
    colours: Mapping[str, Sequence[int]]


def read_samples(comparison: Comparison, domain: Domain, *, samples: int) -> Iterator[ReadSample]:
    """The first `samples` of the evenly spaced samples of `domain`: nothing is picked by its looks.

    Only those are taken which every method has, of the same image; none where results stand without pictures.
    """
    runs = [method.runs[0] for method in comparison.methods]
    results = [run.at(domain.place) for run in runs]
    first, *others = [{s.name: s.key for s in result.samples} if result else {} for result in results]
    shared = [name for name, key in first.items() if all(other.get(name) == key for other in others)]
    place = Path(SAMPLES_FOLDER) / comparison.result(domain).folder_name
    if not all((run.folder / SAMPLES_FOLDER).is_dir() for run in runs):
        return
    for name in shared[:samples]:
        title, weather = comparison.title(domain), severity_text(domain.key, first[name])
        image = reduced(_open(runs[0].folder / place / f"{name}_image.png").convert("RGB"))
        maps = [_open(run.folder / place / f"{name}_prediction.png") for run in runs]
        maps.append(_open(runs[0].folder / place / f"{name}_label.png"))
        palette = _palette(maps[-1].getpalette() or [])
        *predictions, label = (np.asarray(reduced(one, smooth=False)) for one in maps)
        uncertainty = reduced(_open(runs[-1].folder / place / f"{name}_uncertainty.png"))
        colours = dict(zip(comparison.result(domain).class_names, palette.tolist(), strict=False))
        yield ReadSample(
            title if weather in title else f"{title}\n{weather}",
            *(np.asarray(image), label, tuple(predictions), np.asarray(uncertainty), palette, colours),
        )


def draw_panels(comparison: Comparison, samples: Sequence[ReadSample]) -> Figure | None:
    """A row per sample; None without any."""
    rows: list[PictureRow] = []
    colours: dict[str, Sequence[int]] = {}
    for sample in samples:
        maps = (*sample.predictions, sample.label)
        pictures = (sample.image, *(sample.palette[one] for one in maps), sample.uncertainty)
        rows.append(PictureRow(pictures, sample.title))
        colours |= sample.colours
    titles = [method.title for method in comparison.methods]
    columns = ["Image", *titles, "Ground truth", f"Uncertainty of {titles[-1]}"]
    return compose(rows, columns, colours) if rows else None


@styled
def draw_frequencies(path: Path, pixels: Sequence[int], *, space: LabelSpace, title: str) -> None:
    """Write bars on a logarithmic scale: shares of the sum of `pixels` [C], in the classes' colours."""
    shares = 100 * np.asarray(pixels, np.float64) / max(sum(pixels), 1)
    places = np.arange(len(space))
    floor = 10 ** np.floor(np.log10(shares[shares > 0].min(initial=100) / 2))
    figure = Figure(figsize=(max(8.0, 0.3 * len(space)), 3.4), layout="constrained")
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
    palette = _palette(np.ravel(space.colours).tolist())
    rows = []
    for sample in samples:
        image = np.asarray(reduced(Image.fromarray(sample.image)))
        label = np.asarray(reduced(Image.fromarray(sample.label), smooth=False))
        blended = cv2.addWeighted(image, 0.4, palette[label], 0.6, 0)
        rows.append(PictureRow((image, blended), caption=sample.key))
    colours = dict(zip(space.names, space.colours, strict=True))
    write_figure(compose(rows, [title], colours, width=10.0), path)


def _palette(colours: Sequence[int]) -> NDArray[np.uint8]:
    """[256, 3] that begins with `colours` (red, green, blue, red, …); the last is that of void."""
    found = np.reshape(colours, (-1, 3))[:IGNORE]
    return np.concatenate([found, np.full((256 - len(found), 3), VOID)]).astype(np.uint8)


def _open(path: Path) -> Image.Image:
    remedy = "repeat spn evaluate with --again to write it"
    if not path.is_file():
        raise UserError(f"{path}: the sample image is gone; {remedy}")
    data = io.BytesIO(path.read_bytes())
    try:
        image = Image.open(data)
        image.load()
    except (OSError, ValueError, SyntaxError) as error:  # of Pillow, for what is no PNG or half of one
        raise UserError(f"{path}: the sample image is damaged ({error}); {remedy}") from error
    return image
