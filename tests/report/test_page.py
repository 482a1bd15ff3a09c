"""report.html: one file that says all that report.md says, whatever the names, and works in a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt

from report.recorded_runs import record_run
from report.test_report_command import NAMES
from spn.evaluation.counts import BINS, Calibration, write_counts
from spn.evaluation.grid import Bar, Bold, Grid, Italic, one_line
from spn.evaluation.results import read_results
from spn.report import page as page_module
from spn.report.comparison import load_comparison
from spn.report.document import ReportFiles, write_report
from spn.report.page import WRONG, error_map
from spn.report.pictures import read_samples

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

RARE = 'SPN <img src=x onerror=alert(1)> & "co"'


class Reader(HTMLParser):
    """Texts and attributes of a page, and tags that were opened and not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    """Of two methods, with counts of confidences and a name that is no good HTML."""
    folder = tmp_path_factory.mktemp("runs")
    runs = []
    for method, right in (("baseline", 0.5), ("spn", 0.6)):
        run = record_run(folder / method, method, keys=("camvid", "idd_lite"), right=right)
        results = read_results(run)
        for domain in results.domains:
            hits = int(np.trace(domain.confusion))
            counts = Calibration(np.zeros(BINS, np.int64), np.zeros(BINS, np.int64))
            counts.right[900], counts.wrong[300] = hits, domain.confusion.sum() - hits
            write_counts(results.folder, domain, counts)
        runs.append(run)
    comparison = load_comparison(runs, names=["Baseline", RARE])
    return write_report(comparison, folder / "report", missing=["spn:1: not <there>"])


def test_the_page_says_all_that_the_markdown_says(report: ReportFiles) -> None:
    page = Reader(report.page.read_text())
    assert page.open == []
    tokens = MarkdownIt("commonmark").enable("table").parse(report.document.read_text())
    inline = [token.children or [] for token in tokens if token.type == "inline"]
    said = ["".join(child.content for child in children if child.type != "image") for children in inline]
    samples = [text for text in said if text.startswith("Samples:")]
    assert samples
    assert {text for text in said if text} - set(page.texts) - set(samples) == set()
    charts = [title for title in report.figures if not title.startswith("Samples:")]
    assert {"Reliability of confidence", "Confusion of classes", "IoU per class"} <= set(charts)
    alternatives = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len(alternatives) == len(charts) + 2 * 7, "a sample of each domain, seven pictures each"
    assert all(len(text) > 10 for text in alternatives)


def test_the_page_needs_no_other_file_and_runs_no_name(report: ReportFiles) -> None:
    text = report.page.read_text()
    page = Reader(text)
    links = [value for _, name, value in page.attributes if name in ("src", "href", "srcset", "action")]
    assert links
    assert all(link.startswith(("data:", "#part-")) for link in links)
    assert "default-src 'none'" in text
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert not re.search(r"https?://|@import|url\(", text)
    assert RARE in page.texts


@settings(deadline=None, max_examples=60)
@given(head=NAMES, cell=NAMES)
def test_any_text_stands_in_an_html_table(head: str, cell: str) -> None:
    row = Italic(cell), Bold(cell), Bar("40.0"), Bar("–")
    read = Reader(Grid((head, head, "bar", "none"), [(Bold("part"),), row], left=2).html())
    assert read.open == []
    wanted = [one_line(head)] * 2 + ["bar", "none", "part"] + [one_line(cell)] * 2 + ["40.0", "–"]
    assert [text for text in read.texts if text] == [text for text in wanted if text]
    shares = [value for tag, name, value in read.attributes if (tag, name) == ("td", "style")]
    assert shares == ["--share: 40.0%", "--share: 0%"]


def test_many_samples_are_shown_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = load_comparison([record_run(tmp_path / "b", "baseline", keys=("camvid",))])
    (sample,) = read_samples(comparison, comparison.domains[0], samples=1)
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    plain = np.zeros((300, 400), np.uint8)
    large = [sample._replace(image=noise, label=plain, predictions=(plain,), uncertainty=plain)] * 4
    section = page_module.Section("only")
    sizes = []
    for limit in (page_module.LARGEST, 120_000):
        monkeypatch.setattr(page_module, "LARGEST", limit)
        sizes.append(len(page_module.page(comparison, [section, section], large, ())))
    assert sizes[1] <= 120_000 < sizes[0]


def test_errors_are_where_prediction_and_ground_truth_differ(tmp_path: Path) -> None:
    comparison = load_comparison([record_run(tmp_path / "b", "baseline", keys=("camvid",))])
    (sample,) = read_samples(comparison, comparison.domains[0], samples=1)
    (right,) = sample.predictions
    wrong = right.copy()
    wrong[5, 7] = (wrong[5, 7] + 1) % 11
    marked = [(error_map(sample, one) == WRONG).all(axis=2) for one in (right, wrong)]
    assert not marked[0].any()
    assert np.argwhere(marked[1]).tolist() == [[5, 7]]


def test_results_that_were_copied_without_pictures_have_a_page(tmp_path: Path) -> None:
    run = record_run(tmp_path / "b", "baseline", keys=("camvid",))
    (run / "evaluation" / "samples").rename(tmp_path / "elsewhere")
    files = write_report(load_comparison([run]), tmp_path / "report")
    assert "<h2>Samples</h2>" not in files.page.read_text()


def opened(context: BrowserContext, report: ReportFiles, width: int) -> Page:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(report.page.as_uri())
    return page


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it(
    complaints: tuple[BrowserContext, list[str]], report: ReportFiles, width: int
) -> None:
    context, found = complaints
    context.on("request", lambda asked: found.append(asked.url) if asked.url.startswith("http") else None)
    page = opened(context, report, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing hangs over"
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")

    table = page.locator("#part-0 table").first
    names = table.locator("tbody th[scope=row]")
    assert names.all_inner_texts()[:2] == ["CamVid", "IDD-Lite"]
    head = table.get_by_role("button", name="mIoU (%)")
    for state, first in (("ascending", "CamVid"), ("descending", "IDD-Lite")):
        head.focus()
        page.keyboard.press("Enter")
        assert table.locator("thead th").first.get_attribute("aria-sort") == state
        assert names.first.inner_text() == first
    classes = page.locator("#part-1 table").first
    classes.get_by_role("button", name="IoU (%)").click()
    assert classes.locator("tbody th").first.inner_text() == "bicyclist"

    sample = page.locator(".sample").first
    stage, slider = sample.locator(".stage"), sample.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    assert stage.evaluate("(one) => one.style.getPropertyValue('--place')") == "0%"
    box = stage.bounding_box()
    assert box
    stage.click(position={"x": 0.75 * box["width"], "y": 5})
    assert float(slider.input_value()) == pytest.approx(75, abs=1)
    right = sample.get_by_label("right")
    before = stage.locator("img").last.get_attribute("src")
    right.select_option(label="errors of Baseline")
    assert stage.locator("img").last.get_attribute("src") != before
    assert "errors of Baseline" in (stage.locator("img").last.get_attribute("alt") or "")
    assert not sample.locator(".pictures").is_visible()
    page.emulate_media(media="print")
    assert sample.locator(".pictures").is_visible()
    assert found == []


def test_without_scripts_all_is_there(browser: object, report: ReportFiles) -> None:
    context = browser.new_context(java_script_enabled=False)  # type: ignore[attr-defined]
    page = opened(context, report, 390)
    assert page.locator("figure img").first.is_visible()
    assert page.locator("figcaption", has_text="ground truth").first.is_visible()
    context.close()
