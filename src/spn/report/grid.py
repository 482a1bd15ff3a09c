"""A table of texts as Markdown, LaTeX and plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_STYLES: Final = {r"\*\*(.+)\*\*": r"\\textbf{\1}", r"\*(.+)\*": r"\\textit{\1}"}
_SYMBOLS: Final = {"±": r"$\pm$", "Δ": r"$\Delta$", "−": "$-$", "–": "--"}


@dataclass(frozen=True)
class Grid:
    """headings [columns]; rows of as many cells, and headings (a single cell) over some of them.

    Cells are Markdown: `**bold**` or `*italic*` as a whole. The first `left` columns hold words, the others
    figures.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1

    def lined_up(self, lines: Sequence[Sequence[str]]) -> list[list[str]]:
        """`lines` of texts, those of a column equally wide; a line of one text is filled up."""
        full = [[*line, *[""] * (len(self.headings) - len(line))] for line in lines]
        widths = [max(3, *map(len, column)) for column in zip(*full, strict=True)]
        return [
            [text.ljust(w) if i < self.left else text.rjust(w) for i, (text, w) in enumerate(cells)]
            for cells in (zip(line, widths, strict=True) for line in full)
        ]


def grid_markdown(grid: Grid) -> str:
    """A Markdown table whose columns also line up as plain text."""
    first, *others = grid.lined_up([grid.headings, *grid.rows])
    rule = [("-" * len(t)) if i < grid.left else "-" * (len(t) - 1) + ":" for i, t in enumerate(first)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (first, rule, *others))


def grid_text(grid: Grid) -> str:
    """Aligned columns for a terminal."""
    plain = [[re.sub(r"^\*+(.+?)\*+$", r"\1", cell) for cell in row] for row in grid.rows]
    indented = [[f"  {first}", *others] if others else [first] for first, *others in plain]
    first, *others = ("  ".join(cells).rstrip() for cells in grid.lined_up([grid.headings, *indented]))
    return "".join(f"{line}\n" for line in (first, "─" * len(first), *others))


def grid_latex(grid: Grid) -> str:
    """A booktabs table (needs \\usepackage{booktabs}), with a rule instead of a heading over rows."""
    columns = "l" * grid.left + "r" * (len(grid.headings) - grid.left)
    rows = grid.rows if len(grid.rows[0]) == 1 else (("",), *grid.rows)
    lines = [r"\midrule" if len(row) == 1 else " & ".join(map(_latex, row)) + r" \\" for row in rows]
    head = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", " & ".join(map(_latex, grid.headings)) + r" \\"]
    return "\n".join([*head, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex(text: str) -> str:
    text = re.sub(r"([&%_#])", r"\\\1", text)
    text = re.sub(r"(?<!\w)-(?=\d)", "−", text)
    for symbol, command in _SYMBOLS.items():
        text = text.replace(symbol, command)
    for style, command in _STYLES.items():
        text = re.sub(f"^{style}$", command, text)
    return text
