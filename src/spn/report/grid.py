"""A table of texts, some bold or italic, as Markdown, LaTeX and plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

_SYMBOLS: Final = {"±": r"$\pm$", "Δ": r"$\Delta$", "−": "$-$", "–": "--"}
_MARKS: Final = {"": "", "bold": "**", "italic": "*"}
_COMMANDS: Final = {"bold": r"\textbf", "italic": r"\textit"}


@dataclass(frozen=True)
class Cell:
    text: str
    style: Literal["", "bold", "italic"] = ""


@dataclass(frozen=True)
class Grid:
    """headings [columns]; rows of as many cells, and headings (a text) over some of them.

    The first `left` columns hold words, the others figures.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...] | str, ...]
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
    marked = [
        [f"**{row}**"] if isinstance(row, str) else [f"{(m := _MARKS[c.style])}{c.text}{m}" for c in row]
        for row in grid.rows
    ]
    first, *others = grid.lined_up([grid.headings, *marked])
    rule = [("-" * len(t)) if i < grid.left else "-" * (len(t) - 1) + ":" for i, t in enumerate(first)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (first, rule, *others))


def grid_text(grid: Grid) -> str:
    """Aligned columns for a terminal."""
    plain = [[r] if isinstance(r, str) else [f"  {r[0].text}", *(c.text for c in r[1:])] for r in grid.rows]
    first, *others = ("  ".join(cells).rstrip() for cells in grid.lined_up([grid.headings, *plain]))
    return "".join(f"{line}\n" for line in (first, "─" * len(first), *others))


def grid_latex(grid: Grid) -> str:
    """A booktabs table (needs \\usepackage{booktabs}), with a rule instead of a heading over rows."""
    columns = "l" * grid.left + "r" * (len(grid.headings) - grid.left)
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    lines.append(" & ".join(_latex(text) for text in grid.headings) + r" \\")
    rows = grid.rows if isinstance(grid.rows[0], str) else ("", *grid.rows)
    lines += [
        r"\midrule" if isinstance(row, str) else " & ".join(map(_latex_cell, row)) + r" \\" for row in rows
    ]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_cell(cell: Cell) -> str:
    text = _latex(cell.text)
    return f"{_COMMANDS[cell.style]}{{{text}}}" if cell.style else text


def _latex(text: str) -> str:
    for character in "&%_#":
        text = text.replace(character, f"\\{character}")
    text = re.sub(r"(?<!\w)-(?=\d)", "−", text)
    for symbol, command in _SYMBOLS.items():
        text = text.replace(symbol, command)
    return text
