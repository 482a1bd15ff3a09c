"""What the table of a benchmark says, from runs with made-up figures."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from report.recorded_runs import record_run
from report.test_comparison import iou
from spn.evaluation.results import read_results, write_results
from spn.report.charts.severity import severities
from spn.report.comparison import Comparison, load_comparison
from spn.report.document import table_csv, write_report
from spn.report.tables import Published, Table, comparison_table, rendered
from spn.report.weather import WEATHERS

PAPER = {"Paper": Published("Somebody, 2020, table 1", {"cityscapes": 36.5, "camvid:val": 40.0})}


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    """Baseline with seeds 0, 1, 2; SPN without seed 0, and better by more with seed 2."""
    rights = {
        ("baseline", 0): 0.3,
        ("baseline", 1): 0.5,
        ("baseline", 2): 0.6,
        ("spn", 1): 0.6,
        ("spn", 2): 0.8,
    }
    return load_comparison(
        [
            record_run(tmp_path / f"{method}{seed}", method, seed=seed, right=right)
            for (method, seed), right in rights.items()
        ]
    )


@pytest.fixture
def table(comparison: Comparison) -> Table:
    return comparison_table(comparison, PAPER)


def test_differences_are_over_the_seeds_of_both(table: Table) -> None:
    city = next(row for row in table.rows if row.title == "Cityscapes")
    assert city.figures[0].mean == pytest.approx(np.mean([iou(0.3), iou(0.5), iou(0.6)]), abs=0.01)
    (difference,) = city.differences
    paired = [iou(0.6) - iou(0.5), iou(0.8) - iou(0.6)]
    assert difference is not None
    assert difference.value.mean == pytest.approx(np.mean(paired), abs=0.01)
    half = 12.7062 * abs(paired[1] - paired[0]) / 2  # t of 1 degree of freedom, s/√2 = |d₁ − d₀| / 2
    assert difference.seeds is not None
    assert difference.seeds.n == 2
    assert difference.seeds.high == pytest.approx(np.mean(paired) + half, abs=0.2)
    assert difference.images is None, "there are no counts per image"
    assert city.best is None, "with two seeds, that may be chance"


def test_groups_have_their_means(table: Table) -> None:
    rows = {row.title: row for row in table.rows}
    for title, members in (
        ("Routine mean", ("Cityscapes", "BDD-100K", "SYNTHIA", "Mapillary")),
        ("Rain and fog mean", ("Rain Cityscapes", "Foggy Cityscapes")),
    ):
        mean = np.mean([rows[name].figures[1].mean for name in members])
        assert rows[title].figures[1].mean == pytest.approx(mean)
        assert rows[title].is_mean


def test_published_figures_stay_apart(table: Table) -> None:
    rows = {row.title: row for row in table.rows}
    assert rows["Cityscapes"].published == (36.5,)
    assert rows["CamVid"].published == (40.0,)
    assert math.isnan(rows["GTAV"].published[0])
    assert math.isnan(rows["Routine mean"].published[0])
    assert all(row.best is None for row in table.rows)
    lines = list(csv.DictReader(line for line in table_csv(table).splitlines() if line[0] != "#"))
    assert {line["method"] for line in lines if line["source"] == "published"} == {"Paper"}
    assert {line["method"] for line in lines if line["source"] == "measured"} == {"Baseline", "SPN"}


def test_every_format_carries_figures_intervals_and_sources(table: Table) -> None:
    city = next(row for row in table.rows if row.title == "Cityscapes")
    (difference,) = city.differences
    assert difference is not None
    assert difference.seeds is not None
    markdown, latex, text = rendered(table, "markdown"), rendered(table, "latex"), table_csv(table)
    for document in (markdown, latex, text):
        assert "Somebody, 2020" in document
        assert "SPN n = 2" in document
        assert "Protocol: whole-native (whole image at native size)" in document
    assert f"{difference.seeds.high:+.2f}" in markdown
    assert f"{difference.seeds.high:.4f}" in text
    rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    assert len({len(cells) for cells in rows}) == 1
    assert not any(set("±Δ–−") & set(line) for line in latex.splitlines() if not line.startswith("%"))


def test_without_a_shared_seed_the_difference_is_that_of_the_means_and_has_no_interval(
    tmp_path: Path,
) -> None:
    runs = [
        record_run(tmp_path / "b", "baseline", keys=("camvid",)),
        record_run(tmp_path / "s", "spn", seed=1, keys=("camvid",), right=0.8),
    ]
    table = comparison_table(load_comparison(runs), {})
    (difference,) = table.rows[0].differences
    assert difference.value.mean == pytest.approx(iou(0.8, 11) - iou(0.5, 11), abs=0.01)
    assert (difference.seeds, difference.images) == (None, None)
    assert "95 %" not in rendered(table, "markdown")


def weather_run(folder: Path, method: str, rights: dict[str, float]) -> Path:
    """One run whose share of right pixels depends on the rain's setting."""
    results = None
    for split, right in rights.items():
        run = record_run(
            folder / split, method, keys=("rain_cityscapes",), split=split, right=right, samples=0
        )
        one = read_results(run / "evaluation" / "results.json")
        results = one if results is None else replace(results, domains=(*results.domains, *one.domains))
    assert results is not None
    write_results(folder / "evaluation" / "results.json", results)
    return folder


def test_severity_is_read_from_the_settings_and_drawn(tmp_path: Path) -> None:
    splits = ("val@alpha_0.03_beta_0.015_dropsize_0.002", "val@alpha_0.01", "val", "val@beta_0.01")
    rights = dict(zip(splits, (0.3, 0.6, 0.5, 0.4), strict=True))
    runs = [weather_run(tmp_path / name, name, rights) for name in ("baseline", "spn")]
    comparison = load_comparison(runs)
    fog, rain = WEATHERS
    assert severities(comparison, fog) == {}
    assert [(value, domain.split) for value, domain in severities(comparison, rain).items()] == [
        (0.01, splits[1]),
        (0.03, splits[0]),
    ]
    files = write_report(comparison, tmp_path / "report", missing=["spn:1: not there"])
    assert cv2.imread(str(tmp_path / "report" / "severity.png")).std() > 1
    assert "- spn:1: not there" in files.document.read_text()
    clear = load_comparison([record_run(tmp_path / "c", "baseline", keys=("cityscapes",), samples=0)])
    again = write_report(clear, tmp_path / "report")
    assert "severity.png" not in again.document.read_text()
    assert not (tmp_path / "report" / "severity.png").exists()
