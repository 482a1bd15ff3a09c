"""`spn report`: which runs it takes, and what it says of files that are none of ours."""

from __future__ import annotations

import contextlib
import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from report.recorded_runs import record_run
from spn.cli.main import dispatch
from spn.core.errors import UserError
from spn.evaluation.grid import one_line
from spn.evaluation.results import read_results
from spn.report.comparison import load_comparison
from spn.report.document import table_csv
from spn.report.tables import comparison_table, rendered


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as spn demo leaves it."""
    folder = tmp_path_factory.mktemp("demo")
    for method, right in (("spn", 0.6), ("baseline", 0.5)):
        record_run(folder / f"{method}_seed0", method, keys=("cityscapes",), right=right, samples=0)
    (folder / "data").mkdir()
    return folder


def test_a_folder_stands_for_the_runs_below_it(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["report", str(demo)]) == 0
    said = capsys.readouterr().out
    assert f"runs in {demo}: baseline_seed0, spn_seed0" in said
    assert "Δ SPN − Baseline" in said
    assert (demo / "report" / "report.md").is_file()


@pytest.mark.parametrize("ending", ["", "evaluation", "evaluation/results.json"])
def test_a_run_stands_for_itself(demo: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["report", str(demo / "spn_seed0" / ending)]) == 1
    assert "--out is missing" in capsys.readouterr().err


def test_a_run_that_is_named_twice_is_taken_once(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["report", str(demo / "spn_seed0"), str(demo), "--out", str(tmp_path)]) == 0
    assert "Δ Baseline − SPN" in capsys.readouterr().out


def test_names_are_one_per_run_found(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["report", str(demo), "--names", "A"]) == 1
    assert "1 names for 2 runs" in (error := capsys.readouterr().err)
    assert "spn_seed0" in error


def test_a_folder_without_runs_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["report", str(tmp_path)]) == 1
    assert "run spn evaluate on it first" in capsys.readouterr().err


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damaged_results_are_a_sentence_with_their_name(
    tmp_path: Path, demo: Path, data: st.DataObject
) -> None:
    """A field anywhere replaced or removed, half a file, bytes of another kind."""
    text = (demo / "spn_seed0" / "evaluation" / "results.json").read_text()
    place = value = json.loads(text)
    for _ in range(data.draw(st.integers(1, 5))):
        holder, key = (
            place,
            data.draw(st.sampled_from(list(place if isinstance(place, dict) else range(len(place))))),
        )
        place = holder[key]
        if not isinstance(place, dict | list) or not place:
            break
    if data.draw(st.booleans()):
        holder[key] = data.draw(JSON)
    else:
        del holder[key]
    content = data.draw(
        st.sampled_from([json.dumps(value).encode(), text[: data.draw(st.integers(0, len(text)))].encode()])
        | st.binary(max_size=40)
    )
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with contextlib.suppress(UserError):  # whatever else it raises is a fault
        read_results(path)
        return
    with pytest.raises(UserError, match=f"^{re.escape(str(path))}: "):
        read_results(path)


@pytest.mark.parametrize("content", ["", "[]", "7", "null", "[" * 100_000, '{"schema": "other"}', "\ufeff{}"])
def test_foreign_results_are_a_sentence_with_their_name(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run" / "evaluation" / "results.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert dispatch(["report", str(tmp_path), "--out", str(tmp_path / "report")]) == 1
    assert f"{path}: " in capsys.readouterr().err


NAMES = st.text(st.sampled_from("|_&%$#[]{}~^\\*`<>\n\r\x1b,\"'; ab"), max_size=8)


@settings(deadline=None, max_examples=60)
@given(names=st.lists(NAMES.map("m{}".format), min_size=2, max_size=2, unique_by=one_line), title=NAMES)
def test_any_names_stand_in_every_table(demo: Path, names: list[str], title: str) -> None:
    runs = [demo / "baseline_seed0", demo / "spn_seed0"]
    comparison = load_comparison(runs, names=names)
    domains = tuple(replace(domain, title=f"d{title}") for domain in comparison.domains)
    table = comparison_table(replace(comparison, domains=domains))
    read = MarkdownIt("commonmark").enable("table").parse(rendered(table, "markdown"))
    cells = [
        "".join(child.content for child in token.children or []) for token in read if token.type == "inline"
    ]
    wanted = [one_line(name) for name in (*names, f"d{title}")]
    assert [cells[1], cells[2], cells[4]] == wanted
    assert [token.type for token in read].count("table_open") == 1
    assert all(line.isprintable() for line in rendered(table, "text").split("\n"))
    latex = rendered(table, "latex").splitlines()
    assert all(line.startswith("%") for line in latex[latex.index(r"\end{tabular}") + 1 :] if line)
    rows = list(csv.reader(line for line in table_csv(table).split("\n") if not line.startswith("# ")))
    assert len({len(row) for row in rows if row}) == 1


def test_negative_samples_are_refused(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["report", str(demo), "--samples", "-1"]) == 1
    assert "--samples -1: wanted 0 or more" in capsys.readouterr().err


def test_a_name_without_a_letter_is_refused(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["report", str(demo), "--names", "A", " "]) == 1
    assert "the name of a method is empty" in capsys.readouterr().err
