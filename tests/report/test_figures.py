"""What the figures show: values, true zeros, seeds as points, one colour per method, names as they are."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from report.recorded_runs import record_run
from report.test_benchmark_table import weather_run
from spn.core.errors import UserError
from spn.core.run_log import LOG_NAME
from spn.evaluation.results import read_results, write_results
from spn.report.charts import confusion, learning_curves, per_class_iou, severity
from spn.report.comparison import Comparison, load_comparison
from spn.report.pictures import PictureRow, compose
from spn.report.style import method_colours, styled


def texts(panel: Axes) -> list[str]:
    return [text.get_text() for text in panel.texts]


def legend_names(figure: Figure) -> list[str]:
    return [text.get_text().strip() for text in figure.legends[0].get_texts()]


def with_log(folder: Path, method: str, *, seed: int = 0, loss: float | None = 2.0) -> Path:
    run = record_run(folder / f"{method}{seed}", method, seed=seed, keys=("cityscapes",), samples=0)
    train = [{"event": "train", "step": step, "loss": 9.0, "cross_entropy": loss} for step in (10, 20, 30)]
    events = [*train, {"event": "validate", "step": 30, "miou": 0.25}]
    (run / LOG_NAME).write_text("".join(json.dumps(event) + "\n" for event in events))
    return run


def test_a_true_zero_is_no_missing_class(tmp_path: Path) -> None:
    run = record_run(tmp_path / "b", "baseline", keys=("synthia",), right=0.0, samples=0)
    figure = styled(per_class_iou.draw)(load_comparison([run]))
    names = read_results(run / "evaluation" / "results.json").domains[0].class_names
    shown = dict(zip(names, texts(figure.axes[0]), strict=False))
    assert shown.pop("terrain") == shown.pop("truck") == shown.pop("train") == "–"
    assert set(shown.values()) == {"0"}


def test_the_classes_are_named_once_for_all_domains_and_methods(tmp_path: Path) -> None:
    rights = {"baseline": 0.5, "spn": 0.6, "ibn": 0.4}
    keys = ("cityscapes", "synthia", "mapillary")
    runs = [record_run(tmp_path / m, m, keys=keys, right=right, samples=0) for m, right in rights.items()]
    figure = styled(per_class_iou.draw)(load_comparison(runs))
    assert len(figure.axes) == 3, "the reference and two differences"
    labelled = [panel for panel in figure.axes if any(t.get_text() for t in panel.get_xticklabels())]
    assert labelled == [figure.axes[0]]
    assert texts(figure.axes[0])[0] == "33.3"
    assert (texts(figure.axes[1])[0], texts(figure.axes[2])[0]) == ("+9.5", "−8.3")


def test_label_spaces_have_their_own_classes(tmp_path: Path) -> None:
    run = record_run(tmp_path / "b", "baseline", keys=("cityscapes", "camvid"), samples=0)
    first, second = styled(per_class_iou.draw)(load_comparison([run])).axes
    assert [len(texts(panel)) for panel in (first, second)] == [20, 12], "with the mean"


def test_seeds_are_points_and_methods_keep_their_colours(tmp_path: Path) -> None:
    rights = {"val@alpha_0.01": 0.6, "val@alpha_0.03": 0.3}
    runs = [
        weather_run(tmp_path / f"{method}{seed}", method, {k: v + seed / 10 for k, v in rights.items()})
        for method in ("baseline", "spn")
        for seed in (0, 1)
    ]
    for run in runs:
        path = run / "evaluation" / "results.json"
        write_results(path, replace(read_results(path), seed=int(run.name[-1])))
        (run / LOG_NAME).write_text('{"event": "train", "step": 1, "cross_entropy": 2.0}\n')
    comparison = load_comparison(runs)
    weather, curves = styled(severity.draw)(comparison), styled(learning_curves.draw)(comparison)
    assert weather is not None
    assert curves is not None
    (panel,) = weather.axes
    assert not panel.collections, "no bands"
    assert sorted(len(line.get_xdata()) for line in panel.lines) == [2] * 6, (
        "means, and the seeds of 2 places"
    )
    for figure in (weather, curves):
        assert list(
            dict.fromkeys(to_hex(line.get_color()) for line in figure.axes[0].lines)
        ) == method_colours(2)
        assert legend_names(figure) == ["Baseline", "SPN"]


def test_learning_curves_are_those_of_the_logs(tmp_path: Path) -> None:
    runs = [with_log(tmp_path, "baseline"), with_log(tmp_path, "spn", loss=None)]
    runs.append(record_run(tmp_path / "x", "isw", keys=("cityscapes",), samples=0))
    figure = styled(learning_curves.draw)(load_comparison(runs))
    assert figure is not None
    loss, validation = figure.axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[2.0] * 3], (
        "what is not finite has no point"
    )
    assert [line.get_ydata().tolist() for line in validation.lines] == [[25.0]] * 2
    assert learning_curves.draw(load_comparison(runs[2:])) is None


@pytest.mark.parametrize("damage", ["[1]\n", "{}\nno JSON\n{}\n", '{"event": "train", "step": "a"}\n', "7\n"])
def test_a_foreign_log_is_named(tmp_path: Path, damage: str) -> None:
    run = with_log(tmp_path, "baseline")
    (run / LOG_NAME).write_text(damage)
    with pytest.raises(UserError, match=rf"{LOG_NAME}, line 1: .*move the file away"):
        learning_curves.draw(load_comparison([run]))


@pytest.mark.parametrize("content", [b"", b'{"event": "tra', b"\xff\xfe\x00"])
def test_an_empty_or_unfinished_log_has_no_curves(tmp_path: Path, content: bytes) -> None:
    run = with_log(tmp_path, "baseline")
    (run / LOG_NAME).write_bytes(content)
    assert learning_curves.draw(load_comparison([run])) is None


def test_confusion_is_the_mean_of_rows_that_have_ground_truth(tmp_path: Path) -> None:
    runs = [
        record_run(
            tmp_path / f"{seed}", "baseline", seed=seed, keys=("gtav", "synthia", "mapillary"), right=right
        )
        for seed, right in enumerate((0.5, 0.7))
    ]
    comparison = load_comparison(runs)
    domains = [domain for domain in comparison.domains if domain.key != "gtav"]
    shares = confusion.mean_shares(comparison.methods[0], domains)
    assert np.allclose(np.diag(shares), 60, atol=0.01)
    assert np.allclose(shares.sum(axis=1), 100)
    absent = confusion.mean_shares(comparison.methods[0], [d for d in domains if d.key == "synthia"])
    assert np.flatnonzero(np.isnan(absent).all(axis=1)).tolist() == [9, 14, 16]
    figure = styled(confusion.draw)(comparison)
    assert figure is not None
    assert "GTAV" not in str(figure.get_supxlabel()), "the source is not among unseen domains"
    assert "SYNTHIA, Mapillary" in str(figure.get_supxlabel())


def test_confusion_is_of_domains_that_all_were_measured_on(tmp_path: Path) -> None:
    runs = [
        record_run(tmp_path / "b", "baseline", keys=("cityscapes", "mapillary"), samples=0),
        record_run(tmp_path / "s", "spn", keys=("cityscapes",), samples=0),
    ]
    figure = styled(confusion.draw)(load_comparison(runs))
    assert figure is not None
    assert figure.get_supxlabel().endswith("mean over Cityscapes")
    runs[1] = record_run(tmp_path / "t", "spn", keys=("bdd100k",), samples=0)
    assert confusion.draw(load_comparison(runs)) is None


def test_of_many_methods_the_reference_and_the_best_are_confused(tmp_path: Path) -> None:
    names = ("baseline", "spn", "isw", "ibn", "mrfp")
    runs = [
        record_run(tmp_path / name, name, keys=("cityscapes",), right=0.3 + i % 3 / 10, samples=0)
        for i, name in enumerate(names)
    ]
    figure = styled(confusion.draw)(load_comparison(runs))
    assert figure is not None
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["Baseline", "isw"]


def odd(comparison: Comparison, name: str) -> Comparison:
    return replace(
        comparison, methods=tuple(replace(m, title=f"{name}{m.title}") for m in comparison.methods)
    )


@pytest.mark.parametrize("name", ["_a", "$x$", r"$\frac", "a|b_c&%#[x]{}~^", "<b>"])
def test_names_are_drawn_as_they_are(tmp_path: Path, name: str) -> None:
    comparison = odd(load_comparison([with_log(tmp_path, m) for m in ("baseline", "spn")]), name)
    for chart in (per_class_iou, confusion, learning_curves):
        figure = styled(chart.draw)(comparison)
        assert figure is not None
        styled(figure.savefig)(tmp_path / "figure.png", dpi=20)
        titles = [panel.get_title(loc="left") for panel in figure.axes] + [
            text for legend in figure.legends for text in (t.get_text().strip() for t in legend.get_texts())
        ]
        assert any(title.startswith(f"{name}Baseline") for title in titles)


def test_headings_of_many_pictures_do_not_run_into_each_other() -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    names = [f"a method with a long name, number {number}, and all its options" for number in range(9)]
    title = "A dataset with a long name (simulated; β = 0.02)"
    rows = [PictureRow((picture,) * len(names), title) for _ in range(3)]
    figure = compose(rows, names, {"road": (1, 2, 3)})
    figure.draw_without_rendering()
    boxes = [panel.title.get_window_extent() for panel in figure.axes[: len(names)]]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    labels = [panel.yaxis.label.get_window_extent() for panel in figure.axes[:: len(names)]]
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(labels))
