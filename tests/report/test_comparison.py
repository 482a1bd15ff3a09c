"""Which runs may stand in one table, and what the table says."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from report.recorded_runs import record_run
from spn.core.errors import UserError
from spn.evaluation.counts import ImageCounts, write_counts
from spn.evaluation.results import margins, read_results, write_results
from spn.report.comparison import Domain, load_comparison, shares
from spn.report.document import results_csv, table_csv
from spn.report.tables import comparison_notes, comparison_table, rendered


@pytest.fixture
def four_runs(tmp_path: Path) -> list[Path]:
    return [
        record_run(tmp_path / "b0", "baseline", seed=0, right=0.5),
        record_run(tmp_path / "s1", "spn", seed=1, right=0.8),
        record_run(tmp_path / "b1", "baseline", seed=1, right=0.6),
        record_run(tmp_path / "s0", "spn", seed=0, right=0.7),
    ]


def iou(right: float, classes: int = 19) -> float:
    wrong = round(1e6 * (1 - right) / (classes - 1)) * (classes - 1)
    return 100 * 1e6 * right / (1e6 * right + 2 * wrong)


def test_methods_are_grouped_and_the_first_is_the_reference(four_runs: list[Path]) -> None:
    comparison = load_comparison(four_runs)
    assert [(m.title, m.seeds) for m in comparison.methods] == [("Baseline", (0, 1)), ("SPN", (1, 0))]
    assert [d.key for d in comparison.domains] == [
        "gtav", "cityscapes", "bdd100k", "synthia", "mapillary",
        "rain_cityscapes", "foggy_cityscapes", "camvid",
    ]  # fmt: skip


def test_table_figures(four_runs: list[Path]) -> None:
    table = comparison_table(load_comparison(four_runs))
    rows = {row.title: row for row in table.rows}
    city = rows["Cityscapes"]
    assert city.figures[0].mean == pytest.approx((iou(0.5) + iou(0.6)) / 2, abs=0.01)
    assert city.figures[0].std == pytest.approx(np.std([iou(0.5), iou(0.6)], ddof=1), abs=0.01)
    paired = [iou(0.7) - iou(0.5), iou(0.8) - iou(0.6)]
    assert city.differences[0].value.mean == pytest.approx(np.mean(paired), abs=0.01)
    assert city.differences[0].value.std == pytest.approx(np.std(paired, ddof=1), abs=0.01)
    assert city.best == 1
    four = [rows[name].figures[1].mean for name in ("Cityscapes", "BDD-100K", "SYNTHIA", "Mapillary")]
    assert rows["Routine mean"].figures[1].mean == pytest.approx(np.mean(four))
    two = [rows[name].figures[1].mean for name in ("Rain Cityscapes", "Foggy Cityscapes")]
    assert rows["Rain and fog mean"].figures[1].mean == pytest.approx(np.mean(two))
    assert rows["Mean of the six targets"].figures[1].mean == pytest.approx(np.mean(four + two))


def test_a_dataset_counts_once_however_many_splits_of_it_stand_there() -> None:
    city, mild, thick = (
        Domain(key, split, "A", title=key) for key, split in (("c", "val"), ("f", "1"), ("f", "2"))
    )
    assert shares([mild, city, thick]).tolist() == [0.25, 0.5, 0.25]


def test_every_format_carries_the_figures_and_the_protocol(four_runs: list[Path]) -> None:
    comparison = load_comparison(four_runs)
    table = comparison_table(comparison)
    mean = table.rows[0].figures[1].mean
    for text in (
        rendered(table, "markdown"),
        rendered(table, "latex"),
        table_csv(table),
        rendered(table, "text"),
    ):
        figure = f"{mean:.4f}" if text.startswith("group,") else f"{mean:.2f}"
        assert "Protocol: whole-native (whole image at native size)" in text
        assert figure in text
        assert "absent: terrain, truck, train" in text
    assert rendered(table, "latex").count(r"\\") == 2 * (1 + len(table.rows)), "figures, then differences"
    body = [line for line in table_csv(table).splitlines() if not line.startswith("#")]
    assert len({len(cells) for cells in csv.reader(body)}) == 1
    cells = list(csv.DictReader(io.StringIO(results_csv(comparison)[0])))
    assert len(cells) == 4 * (7 * 19 + 11)
    assert {c["class"] for c in cells if c["domain"] == "synthia" and not c["iou"]} == {
        "terrain",
        "truck",
        "train",
    }
    assert len(results_csv(comparison)[1].splitlines()) == 1 + 4 * 8


def test_one_seed_has_no_deviation_and_says_so(tmp_path: Path) -> None:
    runs = [record_run(tmp_path / "b", "baseline"), record_run(tmp_path / "s", "spn", right=0.4)]
    text = rendered(comparison_table(load_comparison(runs)), "text")
    assert "±" not in text
    assert "may be chance" in text


def test_an_average_needs_all_its_domains(tmp_path: Path) -> None:
    keys = ("cityscapes", "bdd100k", "rain_cityscapes")
    table = comparison_table(load_comparison([record_run(tmp_path / "b", "baseline", keys=keys)]))
    assert [row.title for row in table.rows] == ["Cityscapes", "BDD-100K", "Rain Cityscapes"]


def test_a_domain_one_run_lacks_is_a_dash(tmp_path: Path) -> None:
    runs = [
        record_run(tmp_path / "b", "baseline", keys=("cityscapes", "camvid")),
        record_run(tmp_path / "s", "spn", keys=("cityscapes",)),
    ]
    row = comparison_table(load_comparison(runs)).rows[-1]
    assert (row.title, row.figures[1].text(), row.differences[0].value.text(), row.best) == (
        "CamVid",
        "–",
        "–",
        None,
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fingerprint": "f1"}, "different data"),
        ({"split": "train"}, "different splits"),
        (
            {"protocol": {"name": "whole-native-flip", "description": "flip", "views": {}}},
            "different protocols",
        ),
    ],
)
def test_runs_measured_differently_are_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    runs = [
        record_run(tmp_path / "b", "baseline", keys=("cityscapes",)),
        record_run(tmp_path / "s", "spn", keys=("cityscapes",), **change),  # type: ignore[arg-type]
    ]
    with pytest.raises(UserError, match=says):
        load_comparison(runs)
    table = comparison_table(load_comparison(runs, allow_mismatch=True))
    assert f"WARNING: cityscapes{'' if 'split' in change else ':val'}: {says}" in rendered(table, "markdown")


@pytest.mark.parametrize("same", [True, False])
def test_only_runs_on_the_same_images_have_an_interval_over_them(tmp_path: Path, same: bool) -> None:
    runs = [
        record_run(tmp_path / "b", "baseline", keys=("cityscapes",)),
        record_run(tmp_path / "s", "spn", keys=("cityscapes",), fingerprint="f0" if same else "f1"),
    ]
    for run, start in zip(runs, (0, 0 if same else 1), strict=True):
        results = read_results(run)
        (domain,) = results.domains
        keys = np.array([f"image_{start + index}" for index in range(5)])
        shares = np.zeros((3, 5, 19), np.int64)
        shares[:, 0] = margins(domain.confusion)
        write_counts(results.folder, domain, ImageCounts(keys, keys, *shares))
    table = comparison_table(load_comparison(runs, allow_mismatch=not same))
    assert (table.rows[0].differences[0].images is not None) == same


def test_seeds_of_one_method_are_of_one_network(tmp_path: Path) -> None:
    def network(decoder: str) -> dict[str, object]:
        return {"encoder": {"kind": "timm", "name": "resnet18"}, "decoder": {"kind": decoder}}

    runs = [
        record_run(tmp_path / "old", "spn", seed=0, keys=("camvid",)),
        record_run(tmp_path / "a", "spn", seed=1, keys=("camvid",), network=network("deeplab")),
        record_run(tmp_path / "b", "spn", seed=2, keys=("camvid",), network=network("deeplab")),
        record_run(tmp_path / "c", "spn", seed=3, keys=("camvid",), network=network("segformer")),
        record_run(
            tmp_path / "d", "spn", seed=4, keys=("camvid",), network=network("deeplab"), options={"kl": 1}
        ),
        record_run(
            tmp_path / "e", "spn", seed=5, keys=("camvid",), network=network("deeplab"), options={"kl": 2}
        ),
    ]
    assert load_comparison(runs[:3]).methods[0].seeds == (0, 1, 2)
    with pytest.raises(UserError, match=r"runs of SPN are not seeds of one network") as refused:
        load_comparison(runs[:4])
    said = str(refused.value)
    assert "model.decoder.kind" in said
    assert f"{tmp_path / 'c' / 'evaluation'}: segformer" in said
    assert "resnet18" not in said
    with pytest.raises(UserError, match=r"method.kl \(.*: 1; .*: 2\)"):
        load_comparison(runs[4:])
    assert len(load_comparison(runs[1:4], names=["deeplab", "deeplab", "segformer"]).methods) == 2


def test_unequal_budgets_are_pointed_out(tmp_path: Path) -> None:
    runs = [
        record_run(tmp_path / "b", "baseline", keys=("camvid",)),
        record_run(tmp_path / "s", "spn", keys=("camvid",), steps=200),
    ]
    text = rendered(comparison_table(load_comparison(runs)), "text")
    assert "Trained: Baseline 100 steps; SPN 200 steps." in text
    assert "WARNING: the methods were not trained for equally many steps" in text


def test_one_seed_twice_is_refused_unless_named(tmp_path: Path) -> None:
    runs = [record_run(tmp_path / name, "spn", keys=("camvid",)) for name in ("a", "b")]
    with pytest.raises(UserError, match="2 runs of SPN with seed 0"):
        load_comparison(runs)
    named = load_comparison(runs, names=("SPN", "SPN without KL"))
    assert [method.title for method in named.methods] == ["SPN", "SPN without KL"]
    with pytest.raises(UserError, match="one name per run"):
        load_comparison(runs, names=("SPN",))


def test_results_without_titles_take_those_of_other_runs_or_show_the_names(tmp_path: Path) -> None:
    keys = ("cityscapes", "rain_cityscapes")
    old = record_run(tmp_path / "old", "spn", keys=keys, titled=False)
    alone = load_comparison([old])
    assert [method.title for method in alone.methods] == ["spn"]
    assert [alone.title(domain) for domain in alone.domains] == list(keys)
    assert [title for title, _ in alone.groups()] == ["Other domains"]
    mixed = load_comparison([old, record_run(tmp_path / "new", "spn", seed=1, keys=keys)])
    assert [(method.title, method.seeds) for method in mixed.methods] == [("SPN", (0, 1))]
    assert [title for title, _ in mixed.groups()] == ["Routine domains", "Rain and fog"]


def test_a_group_of_its_own_comes_after_the_usual_ones(tmp_path: Path) -> None:
    run = record_run(tmp_path / "b", "baseline", keys=("acdc", "camvid", "unknown", "gtav"))
    file = run / "evaluation" / "results.json"
    results = read_results(file)
    first, *others = results.domains
    night = replace(first, title="ACDC", group="Night")
    write_results(file, replace(results, domains=(night, *others)))
    rows = comparison_table(load_comparison([run])).rows
    assert [(row.group, row.title) for row in rows] == [
        ("Source domain", "GTAV"),
        ("Real photographs", "CamVid"),
        ("Night", "ACDC"),
        ("Other domains", "unknown"),
    ]


@pytest.mark.parametrize(("steps", "few"), [((30, 30), True), ((40_000, 199), True), ((200, 200), False)])
def test_a_short_training_says_what_it_does_not_show(
    tmp_path: Path, steps: tuple[int, int], few: bool
) -> None:
    runs = [
        record_run(tmp_path / method, method, keys=("cityscapes",), samples=0, steps=number)
        for method, number in zip(("baseline", "spn"), steps, strict=True)
    ]
    text = rendered(comparison_table(load_comparison(runs)), "latex")
    assert ("nothing of which method is better" in text) == few


def test_two_mappings_are_refused_and_one_is_said(tmp_path: Path) -> None:
    """A model whose own classes these are is compared with one whose classes are mapped to them."""

    def mapped(run: Path, mapping: str) -> Path:
        file = run / "evaluation/results.json"
        values = json.loads(file.read_text())
        for domain in values["domains"]:
            domain["mapping"] = mapping
        file.write_text(json.dumps(values))
        return run

    runs = [mapped(record_run(tmp_path / name, name, keys=["camvid"]), "") for name in ("baseline", "spn")]
    assert not any("classes mapped" in note for note in comparison_notes(load_comparison(runs)))
    mapped(runs[1], "mine 12ab")
    assert "CamVid: classes mapped, SPN by mine 12ab." in comparison_notes(load_comparison(runs))
    mapped(runs[0], "yours 34cd")
    with pytest.raises(UserError, match="camvid:val: different mappings between classes"):
        load_comparison(runs)
