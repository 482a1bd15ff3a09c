"""A file in the folder of the charts is a chart of every report."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from report.recorded_runs import record_run
from spn.report import charts
from spn.report.comparison import load_comparison
from spn.report.document import write_report

CHART = '''
"""mIoU of each seed as points."""
from matplotlib.figure import Figure

TITLE = "mIoU of each seed"

def draw(comparison):
    if len(comparison.methods) < 2:
        return None
    figure = Figure(figsize=(4, 3), layout="constrained")
    panel = figure.add_subplot()
    for method in comparison.methods:
        panel.plot(method.seeds, method.mious(comparison.domains), "o", label=method.title)
    return figure
'''


def test_one_file_adds_a_chart_to_both_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "seeds_of_a_test.py").write_text(CHART)
    monkeypatch.setattr(charts, "__path__", [*charts.__path__, str(tmp_path / "charts")])
    keys = ("cityscapes",)
    runs = [record_run(tmp_path / name, name, keys=keys, samples=0) for name in ("baseline", "spn")]
    both, out = load_comparison(runs), tmp_path / "report"
    files = write_report(both, out)
    assert {"IoU per class", "mIoU of each seed"} <= set(files.figures)
    assert cv2.imread(str(out / "seeds_of_a_test.png")).std() > 1
    assert (out / "seeds_of_a_test.pdf").is_file()
    assert "![mIoU of each seed](seeds_of_a_test.png)" in files.document.read_text()
    benchmark = write_report(both, tmp_path / "benchmark", name="benchmark.md")
    assert benchmark.figures["mIoU of each seed"].is_file()
    write_report(load_comparison(runs[:1]), out)
    assert not list(out.glob("seeds_of_a_test.*")), "it shows nothing of one method"


def test_what_is_not_a_chart_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no_chart_of_a_test.py").write_text("TITLE = 'no draw'\n")
    monkeypatch.setattr(charts, "__path__", [*charts.__path__, str(tmp_path)])
    comparison = load_comparison([record_run(tmp_path / "b", "baseline", keys=("camvid",), samples=0)])
    with pytest.raises(AttributeError, match=r"no_chart_of_a_test.* has no attribute 'draw'"):
        charts.draw_charts(comparison, tmp_path / "report")
