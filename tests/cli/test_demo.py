"""`spn demo` end to end at the smallest size, interrupted and repeated; and that its comparison is fair."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from spn.cli import demo
from spn.cli.demo import METHODS, DemoCommand, train_config
from spn.cli.main import dispatch
from spn.core.errors import UserError
from spn.core.files import SIMULATION
from spn.data.registry import DataArgument
from streets.export import EXPORTED_KEYS

TINY = ["--width", "64", "--height", "48", "--train-images", "6", "--val-images", "2", "--steps", "4"]
TITLES = ("GTAV", "Cityscapes", "BDD-100K", "SYNTHIA", "Mapillary", "Rain", "Foggy", "CamVid")


@pytest.fixture(scope="module")
def camvid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in CamVid's layout with only a validation split, of noise."""
    root = tmp_path_factory.mktemp("camvid")
    generator = np.random.default_rng(0)
    for number in range(2):
        for folder, values in (("val", (256, (36, 48, 3))), ("valannot", (12, (36, 48)))):
            (root / folder).mkdir(exist_ok=True)
            content = generator.integers(0, values[0], values[1], dtype=np.uint8)
            assert cv2.imwrite(str(root / folder / f"0016E5_0000{number}.png"), content)
    return root


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, camvid: Path) -> Path:
    """A demo that was interrupted before its evaluation, then repeated."""
    out = tmp_path_factory.mktemp("demo") / "run"
    arguments = ["demo", "--quick", "--out", str(out), *TINY]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.cpu_count", lambda: 1)  # a handful of frames is not worth starting processes for
        with patch.context() as interrupted:
            interrupted.setattr(demo, "evaluate", _interrupt)
            assert dispatch(arguments) == 130
        before = _training_log(out)
        assert dispatch([*arguments, "--camvid", str(camvid)]) == 0
    assert _training_log(out) == before, "the repeated demo trained again"
    return out


def _interrupt(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


def _training_log(out: Path) -> list[str]:
    return [(out / f"{method}_seed0" / "log.jsonl").read_text() for method in METHODS]


def _pixels(out: Path, camvid: Path, key: str) -> list[int]:
    """Labelled pixels by class in the validation images of a domain."""
    dataset = DataArgument(key, camvid if key == "camvid" else out / "data" / key, "val").open()
    labels = np.concatenate([dataset.read_label(index).flatten() for index in range(len(dataset))])
    return np.bincount(labels[labels != 255], minlength=len(dataset.label_space)).tolist()


@pytest.mark.parametrize("method", METHODS)
def test_every_labelled_pixel_of_every_domain_is_measured(finished: Path, camvid: Path, method: str) -> None:
    path = finished / f"{method}_seed0" / "evaluation" / "results.json"
    results = json.loads(path.read_text())
    assert results["run"]["method"] == method
    assert [domain["key"] for domain in results["domains"]] == [*EXPORTED_KEYS, "camvid"]
    for domain in results["domains"]:
        frames = 6 if domain["key"] in ("rain_cityscapes", "foggy_cityscapes") else 2
        assert domain["images"] == frames
        assert np.sum(domain["confusion"], axis=1).tolist() == _pixels(finished, camvid, domain["key"])
    assert results["domains"][-1]["split"] == "val"


def test_the_table_compares_both_methods_on_every_domain(finished: Path) -> None:
    table = (finished / "report" / "table.md").read_text()
    assert all(word in table for word in ("Baseline", "SPN", *TITLES))
    assert (finished / "report" / "table.csv").is_file()
    assert (finished / "report" / "table.tex").is_file()


def test_the_figures_are_pictures(finished: Path) -> None:
    figures = sorted((finished / "report").glob("*.png"))
    assert len(figures) >= 3
    for figure in figures:
        picture = cv2.imread(str(figure))
        assert picture is not None
        assert picture.std() > 1, f"{figure.name} is blank"


def test_a_finished_demo_repeats_without_work_and_says_how_long_each_stage_took(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [finished / f"{method}_seed0" / "evaluation" / "results.json" for method in METHODS]
    before = _training_log(finished), [path.stat().st_mtime_ns for path in results]
    assert dispatch(["demo", "--quick", "--out", str(finished), *TINY]) == 0
    assert (_training_log(finished), [path.stat().st_mtime_ns for path in results]) == before
    stages = re.findall(r"\[(\d)/4\] (\w+) .*?took \d+ s", capsys.readouterr().out, re.DOTALL)
    assert stages == [("1", "simulate"), ("2", "train"), ("3", "evaluate"), ("4", "report")]


def test_another_size_in_the_same_folder_is_refused(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["demo", "--quick", "--out", str(finished), *TINY, "--width", "80"]) == 1
    assert "another simulation" in capsys.readouterr().err


def test_both_methods_get_the_same_data_crops_steps_and_seed(tmp_path: Path) -> None:
    baseline, spn = (train_config(DemoCommand(tmp_path), method, seed=3) for method in METHODS)
    assert replace(spn, out=baseline.out, method=baseline.method, model=baseline.model) == baseline
    assert (baseline.method.kind, spn.method.kind) == ("baseline", "spn")


def test_only_the_source_domain_has_training_images(finished: Path) -> None:
    for key in EXPORTED_KEYS:
        counts = json.loads((finished / "data" / key / SIMULATION).read_text())["plan"]["counts"]
        assert ("train" in counts) == (key == "gtav")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (DemoCommand(steps=0), "--steps is 0"),
        (DemoCommand(seeds=()), "--seeds"),
        (DemoCommand(seeds=(1, 1)), "--seeds"),
        (DemoCommand(camvid=Path("nowhere")), "nowhere"),
    ],
)
def test_mistakes_are_found_before_any_work(
    command: DemoCommand, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=says):
        demo.run(command)
    assert not list(tmp_path.iterdir())
