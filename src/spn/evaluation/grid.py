"""A table of texts, for a terminal, in Markdown, LaTeX and HTML; any text stands there as it is. No torch."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_LATEX: Final = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        **{character: f"{{{character}}}" for character in "[]"},  # after \\ they would be its option
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
        "±": r"$\pm$", "Δ": r"$\Delta$", "α": r"$\alpha$", "β": r"$\beta$", "−": "$-$", "–": r"\textendash{}",
    }
)  # fmt: skip
_MARKDOWN: Final = re.compile(r"[\\`*\[\]<|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)", re.ASCII)
_LINE_START: Final = re.compile(r"^[-+#>=]|(?<=^\d)[.)]")
"""What Markdown would take for its own, anywhere and at the beginning of a line."""


_WORD: Final = ' class="word"'


class Bold(str):
    """A cell in bold."""


class Italic(str):
    """A cell in italics."""


class Bar(str):
    """A cell with a number of percent (or a dash), in HTML with a bar behind it."""


def one_line(text: str) -> str:
    """`text` in one line, with what cannot be printed (escape sequences of terminals, too) written out."""
    shown = (c if c.isprintable() or c.isspace() else c.encode("unicode_escape").decode() for c in text)
    return " ".join("".join(shown).split())


def markdown_text(text: str) -> str:
    """`text` as a line of its own, which Markdown shows as it is."""
    return _LINE_START.sub(r"\\\g<0>", _escaped(text))


def html_text(text: str) -> str:
    """`text` in one line of HTML, or between the quotes of an attribute."""
    return html.escape(one_line(text))


def _escaped(text: str) -> str:
    """In a cell, or inside a line."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


@dataclass(frozen=True)
class Grid:
    """headings [columns]; rows of as many cells, and headings (a single cell) over some of them.

    Cells are plain texts, or `Bold`, `Italic` or `Bar`. The first `left` columns hold words, the others
    figures.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1

    def markdown(self) -> str:
        """A Markdown table whose columns also line up as plain text."""
        lines = [[_markdown(cell) for cell in row] for row in (self.headings, *self.rows)]
        first, *others = self._lined_up(lines)
        rule = [("-" * len(t)) if i < self.left else "-" * (len(t) - 1) + ":" for i, t in enumerate(first)]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in (first, rule, *others))

    def text(self) -> str:
        """Aligned columns; what stands under a heading is set in."""
        plain = [[one_line(cell) for cell in row] for row in (self.headings, *self.rows)]
        inset = "  " if any(len(row) == 1 for row in self.rows) else ""
        plain[1:] = [[f"{inset}{first}", *others] if others else [first] for first, *others in plain[1:]]
        first, *others = ("  ".join(cells).rstrip() for cells in self._lined_up(plain))
        return "".join(f"{line}\n" for line in (first, "─" * len(first), *others))

    def latex(self) -> str:
        """A booktabs table (needs \\usepackage{booktabs}), with a rule instead of a heading over rows."""
        columns = "l" * self.left + "r" * (len(self.headings) - self.left)
        rows = self.rows if len(self.rows[0]) == 1 else (("",), *self.rows)
        lines = [r"\midrule" if len(row) == 1 else " & ".join(map(_latex, row)) + r" \\" for row in rows]
        heading = " & ".join(map(_latex, self.headings)) + r" \\"
        head = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", heading]
        return "\n".join([*head, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"

    def html(self) -> str:
        """A table with a body for what stands under each heading; rows whose name is italic are means."""
        heads = "".join(
            f'<th scope="col"{_WORD if 0 < i < self.left else ""}>{html_text(text)}</th>'
            for i, text in enumerate(self.headings)
        )
        bodies = [""]
        for row in self.rows:
            if len(row) == 1:
                bodies.append(
                    f'<tr><th class="group" colspan="{len(self.headings)}">{html_text(row[0])}</th></tr>\n'
                )
                continue
            kind = ' class="mean"' if isinstance(row[0], Italic) else ""
            cells = "".join(_html(cell, word=0 < i < self.left) for i, cell in enumerate(row[1:], start=1))
            bodies[-1] += f'<tr{kind}><th scope="row">{html_text(row[0])}</th>{cells}</tr>\n'
        text = "\n".join(f"<tbody>\n{body}</tbody>" for body in bodies if body)
        return f"<table>\n<thead><tr>{heads}</tr></thead>\n{text}\n</table>\n"

    def _lined_up(self, lines: Sequence[Sequence[str]]) -> list[list[str]]:
        """`lines` of texts, those of a column equally wide; a line of one text is filled up."""
        full = [[*line, *[""] * (len(self.headings) - len(line))] for line in lines]
        widths = [max(3, *map(len, column)) for column in zip(*full, strict=True)]
        return [
            [text.ljust(w) if i < self.left else text.rjust(w) for i, (text, w) in enumerate(cells)]
            for cells in (zip(line, widths, strict=True) for line in full)
        ]


def _markdown(cell: str) -> str:
    text = _escaped(cell)
    mark = "**" if isinstance(cell, Bold) else "*" if isinstance(cell, Italic) else ""
    return f"{mark}{text}{mark}" if text else ""


def _html(cell: str, *, word: bool) -> str:
    text, kind = html_text(cell), _WORD if word else ""
    if isinstance(cell, Bar):
        share = cell if re.fullmatch(r"[0-9.]+", cell) else 0
        kind = f' class="bar" style="--share: {share}%"'
    return f"<td{kind}>{f'<strong>{text}</strong>' if isinstance(cell, Bold) else text}</td>"


def _latex(cell: str) -> str:
    text = re.sub(r"(?<!\w)-(?=\d)", "−", one_line(cell)).translate(_LATEX)
    text = re.sub("-(?=-)", "-{}", text)  # else a longer dash
    style = "textbf" if isinstance(cell, Bold) else "textit" if isinstance(cell, Italic) else ""
    return rf"\{style}{{{text}}}" if style else text
