"""A table of texts, some bold or italic, as Markdown and LaTeX."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from spn.report.cells import escaped, pipes

_SYMBOLS: Final = {"±": r"$\pm$", "Δ": r"$\Delta$", "−": "$-$", "–": "--"}
_MARKS: Final = {"": "", "bold": "**", "italic": "*"}
_COMMANDS: Final = {"bold": r"\textbf", "italic": r"\textit"}


@dataclass(frozen=True)
class Cell:
    text: str
    style: Literal["", "bold", "italic"] = ""


@dataclass(frozen=True)
class Grid:
    """headings [columns]; rows of as many cells. The first `left` columns hold words, the others figures."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left: int = 1


def grid_markdown(grid: Grid) -> str:
    """A Markdown table whose columns also line up as plain text."""
    marked = [tuple(f"{(mark := _MARKS[cell.style])}{cell.text}{mark}" for cell in row) for row in grid.rows]
    widths = [max(3, *map(len, column)) for column in zip(grid.headings, *marked, strict=True)]
    rule = [
        "-" * width if index < grid.left else "-" * (width - 1) + ":" for index, width in enumerate(widths)
    ]
    lines = []
    for texts in (grid.headings, rule, *marked):
        cells = zip(texts, widths, strict=True)
        lines.append(
            pipes([text.ljust(w) if i < grid.left else text.rjust(w) for i, (text, w) in enumerate(cells)])
        )
    return "\n".join(lines) + "\n"


def grid_latex(grid: Grid) -> str:
    """A booktabs table (needs \\usepackage{booktabs})."""
    columns = "l" * grid.left + "r" * (len(grid.headings) - grid.left)
    rows = [" & ".join(_latex_cell(cell) for cell in row) + r" \\" for row in grid.rows]
    head = " & ".join(_latex(text) for text in grid.headings) + r" \\"
    return "\n".join(
        [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *rows, r"\bottomrule",
         r"\end{tabular}"]
    ) + "\n"  # fmt: skip


def _latex_cell(cell: Cell) -> str:
    text = _latex(cell.text)
    return f"{_COMMANDS[cell.style]}{{{text}}}" if cell.style else text


def _latex(text: str) -> str:
    text = re.sub(r"(?<!\w)-(?=\d)", "−", escaped(text))
    for symbol, command in _SYMBOLS.items():
        text = text.replace(symbol, command)
    return text
