"""Tables show every text as it is: in Markdown, in LaTeX and in a terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from spn.evaluation.grid import Bold, Grid, Italic, markdown_text, one_line

ODD = "|_&%$#[]{}~^\\*`<>!-+=.)(:;\"'\n\r\t\x1b\x00\u2028\udcff aZ0ä素"
TEXTS = st.text(st.sampled_from(ODD), max_size=12) | st.text(max_size=12)
CELLS = st.one_of(TEXTS, TEXTS.map(Bold), TEXTS.map(Italic))
INVERSE = {
    r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textless{}": "<",
    r"\textgreater{}": ">", r"\textbar{}": "|", r"$\pm$": "±", r"$\Delta$": "Δ", r"$\alpha$": "α",
    r"$\beta$": "β", "$-$": "-", r"\textendash{}": "–", "-{}": "-", "{[}": "[", "{]}": "]",
    **{f"\\{character}": character for character in "&%$#_{}"},
}  # fmt: skip
READ = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown: str) -> list[str]:
    """The texts of the cells or paragraphs that a reader sees; None of it is of another kind."""
    found = []
    for token in READ.parse(markdown):
        if token.type == "inline":
            kinds = {child.type for child in token.children or []}
            assert kinds <= {"text", "text_special", "strong_open", "strong_close", "em_open", "em_close"}, (
                kinds
            )
            found.append("".join(child.content for child in token.children or []))
    return found


def grid_of(rows: list[tuple[str, str]]) -> Grid:
    return Grid(("name", "figure"), rows)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=3))
def test_markdown_shows_every_text(rows: list[tuple[str, str]]) -> None:
    cells = shown(grid_of(rows).markdown())
    assert [one_line(cell) for cell in cells] == [
        "name",
        "figure",
        *(one_line(c) for row in rows for c in row),
    ]


@given(TEXTS)
def test_a_note_stays_a_paragraph_of_its_text(text: str) -> None:
    tokens = [token.type for token in READ.parse(markdown_text(text))]
    assert tokens in ([], ["paragraph_open", "inline", "paragraph_close"])
    assert "".join(shown(markdown_text(text))) == one_line(text)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=3))
def test_latex_shows_every_text(rows: list[tuple[str, str]]) -> None:
    lines = grid_of(rows).latex().splitlines()
    assert len(lines) == 6 + len(rows)
    for line, row in zip(lines[4:-2], rows, strict=True):
        cells = re.split(r"(?<!\\) & ", line.removesuffix(r" \\"))
        assert len(cells) == 2
        for found, cell in zip(cells, row, strict=True):
            inside = re.fullmatch(r"\\text(?:bf|it)\{(.*)\}", found) if type(cell) is not str else None
            text, plain = inside[1] if inside else found, ""
            while text:
                code = next((code for code in INVERSE if text.startswith(code)), text[0])
                assert code in INVERSE or code not in "\\{}&%$#_^~[]<>|"
                plain, text = plain + INVERSE.get(code, code), text.removeprefix(code)
            assert plain == one_line(cell).replace("−", "-")


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=3))
def test_a_terminal_shows_every_text_in_its_line(rows: list[tuple[str, str]]) -> None:
    lines = grid_of(rows).text().splitlines()
    assert len(lines) == 2 + len(rows)
    for line, (name, figure) in zip(lines[2:], rows, strict=True):
        assert line.isprintable()
        assert line.strip().startswith(one_line(name).strip())
        assert line.endswith(one_line(figure))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb", "a b"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("caf\udce9", r"caf\udce9"),
        ("a\u2028b\xa0c", "a b c"),
    ],
)
def test_what_cannot_be_printed_is_written_out(text: str, line: str) -> None:
    assert one_line(text) == line


def test_plain_names_stay_readable() -> None:
    assert "**+3.5**" in Grid(("a", "b"), [("x", Bold("+3.5"))]).markdown()
    assert markdown_text("rain_cityscapes val@alpha_0.01 (simulated), +3.5 %") == (
        "rain_cityscapes val@alpha_0.01 (simulated), +3.5 %"
    )
    assert Grid(("a", "b"), [(Bold("x"), Italic("-1.5"))]).latex().splitlines()[4] == (
        r"\textbf{x} & \textit{$-$1.5} \\"
    )
