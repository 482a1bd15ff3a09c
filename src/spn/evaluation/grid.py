"""A table of texts, for a terminal, in Markdown and in LaTeX. No torch."""

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

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1

    def markdown(self) -> str:
        """A Markdown table whose columns also line up as plain text."""
        first, *others = self._lined_up([self.headings, *self.rows])
        rule = [("-" * len(t)) if i < self.left else "-" * (len(t) - 1) + ":" for i, t in enumerate(first)]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in (first, rule, *others))

    def text(self) -> str:
        """Aligned columns; what stands under a heading is set in."""
        plain = [[re.sub(r"^\*+(.+?)\*+$", r"\1", cell) for cell in row] for row in self.rows]
        inset = "  " if any(len(row) == 1 for row in plain) else ""
        plain = [[f"{inset}{first}", *others] if others else [first] for first, *others in plain]
        first, *others = ("  ".join(cells).rstrip() for cells in self._lined_up([self.headings, *plain]))
        return "".join(f"{line}\n" for line in (first, "─" * len(first), *others))

    def latex(self) -> str:
        """A booktabs table (needs \\usepackage{booktabs}), with a rule instead of a heading over rows."""
        columns = "l" * self.left + "r" * (len(self.headings) - self.left)
        rows = self.rows if len(self.rows[0]) == 1 else (("",), *self.rows)
        lines = [r"\midrule" if len(row) == 1 else " & ".join(map(_latex, row)) + r" \\" for row in rows]
        heading = " & ".join(map(_latex, self.headings)) + r" \\"
        head = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", heading]
        return "\n".join([*head, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"

    def _lined_up(self, lines: Sequence[Sequence[str]]) -> list[list[str]]:
        """`lines` of texts, those of a column equally wide; a line of one text is filled up."""
        full = [[*line, *[""] * (len(self.headings) - len(line))] for line in lines]
        widths = [max(3, *map(len, column)) for column in zip(*full, strict=True)]
        return [
            [text.ljust(w) if i < self.left else text.rjust(w) for i, (text, w) in enumerate(cells)]
            for cells in (zip(line, widths, strict=True) for line in full)
        ]


def _latex(text: str) -> str:
    text = re.sub(r"([&%_#])", r"\\\1", text)
    text = re.sub(r"(?<!\w)-(?=\d)", "−", text)
    for symbol, command in _SYMBOLS.items():
        text = text.replace(symbol, command)
    for style, command in _STYLES.items():
        text = re.sub(f"^{style}$", command, text)
    return text
