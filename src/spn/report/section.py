"""What stands under one heading of a report, for report.md and report.html alike: neither has figures that
the other lacks."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from spn.evaluation.grid import Grid, html_text, markdown_text

LARGEST_WEBP: Final = 16383
"""Pixels a side."""
CHART_SCALE: Final = 0.66
"""Pixels of a screen for each of a figure's: its smallest letters are then 10 high."""


@dataclass(frozen=True)
class Section:
    """figure: a PNG; about: what it shows, for who cannot see it. notes: stand under all."""

    title: str
    grids: tuple[Grid, ...] = ()
    figure: Path | None = None
    about: str = ""
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """With the figure by its name."""
        title = markdown_text(self.title)
        blocks = [f"## {title}\n", *(grid.markdown() for grid in self.grids)]
        blocks += [f"![{title}]({self.figure.name})\n"] if self.figure else []
        blocks += ["".join(f"- {markdown_text(note)}\n" for note in self.notes)] if self.notes else []
        return "\n".join(blocks)

    def html(self) -> str:
        """Without the heading, with the figure itself."""
        blocks = [wide(self.title, grid.html()) for grid in self.grids]
        if self.figure:
            with Image.open(self.figure) as picture:
                picture.thumbnail((LARGEST_WEBP, LARGEST_WEBP))
                about = f"{self.title}: {self.about}"
                image = image_html(picture.convert("RGB"), about, lossless=True, scale=CHART_SCALE)
            blocks.append(wide(self.title, f'<p class="chart">{image}</p>'))
        return "\n".join([*blocks, notes_html(self.notes)])


def wide(title: str, inner: str) -> str:
    """`inner` where it can be scrolled to the side, by the keyboard too."""
    return f'<div class="wide" tabindex="0" role="group" aria-label="{html_text(title)}">\n{inner}\n</div>'


def notes_html(notes: tuple[str, ...]) -> str:
    """A list; nothing without notes."""
    items = "".join(f"<li>{html_text(note)}</li>\n" for note in notes)
    return f'<ul class="notes">\n{items}</ul>' if notes else ""


def image_html(picture: Image.Image, about: str, *, lossless: bool = False, scale: float = 1.0) -> str:
    """The picture itself as an <img>. lossless: for labels and charts. scale: of its size when shown."""
    data = io.BytesIO()
    picture.save(data, "WEBP", lossless=lossless, quality=60 if lossless else 80, method=4)
    source = f'src="data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"'
    width, height = (round(scale * side) for side in picture.size)
    return f'<img {source} alt="{html_text(about)}" width="{width}" height="{height}">'
