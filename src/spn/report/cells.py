"""Cells and rows of text in Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence


def pipes(cells: Sequence[str]) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def escaped(text: str) -> str:
    """`text` for LaTeX."""
    for character in "&%_#":
        text = text.replace(character, f"\\{character}")
    return text


def number(value: float) -> str:
    """Four decimals; empty for NaN."""
    return "" if math.isnan(value) else f"{value:.4f}"


def csv_text(rows: Sequence[Sequence[str]]) -> str:
    """Rows as CSV."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
