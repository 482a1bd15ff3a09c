"""An evaluation over several domains continues where it stopped, and never mixes weights."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from evaluation.memory_dataset import MemoryDataset
from inference.colour_network import ColourNetwork, random_blocks
from spn.cli.main import dispatch
from spn.core.classes import CITYSCAPES_19, own_space
from spn.core.errors import DatasetError, UserError
from spn.core.files import sole_writer
from spn.data.mapping import ClassMapping
from spn.evaluation.counts import EvaluationOptions
from spn.evaluation.results import RunResults, read_results
from spn.evaluation.run import evaluate_run
from spn.inference.model import Model
from spn.inference.tta import TestTimeAugmentation
from spn.inference.weights import save_network
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.decoders.options import DeepLabOptions, Skip
from spn.models.encoders.options import TimmOptions
from spn.models.prompts.options import HybridOptions
from streets.export import ExportPlan, export_dataset


def colour_model(network: ColourNetwork | None = None, *, sha256: str = "aa", **settings: Any) -> Model:
    """A model that knows the palette by heart, as if it came from a file."""
    info, path = {"method": "spn", "seed": 2}, Path("model.safetensors")
    return Model(network or ColourNetwork(), info=info, path=path, sha256=sha256, **settings)


def dataset(key: str) -> MemoryDataset:
    generator = np.random.default_rng(0)
    made = MemoryDataset([random_blocks(generator, height=16, width=24) for _ in range(3)])
    made.key = key
    return made


def measure(
    folder: Path,
    *datasets: MemoryDataset,
    model: Model | None = None,
    options: EvaluationOptions | None = None,
) -> RunResults:
    options = options or EvaluationOptions(pictures=1)
    return evaluate_run(model or colour_model(), datasets, folder=folder, options=options)  # type: ignore[arg-type]


def test_finished_domains_are_not_measured_again(tmp_path: Path) -> None:
    first, broken = dataset("cityscapes"), dataset("bdd100k")
    broken.labels[1] = np.full((16, 24), 99, np.uint8)
    with pytest.raises(ValueError, match="not classes"):
        measure(tmp_path, first, broken)
    assert [d.key for d in read_results(tmp_path / "results.json").domains] == ["cityscapes"]
    first.reads.clear()
    results = measure(tmp_path, first, dataset("bdd100k"))
    assert first.reads == []
    assert [d.key for d in results.domains] == ["cityscapes", "bdd100k"]
    assert (results.method, results.seed) == ("spn", 2)


@pytest.mark.parametrize(
    ("info", "title"),
    [
        ({"method": "spn"}, "SPN"),
        ({"method": "elsewhere", "method_title": "Mine"}, "Mine"),
        ({"method": "elsewhere"}, None),
    ],
)
def test_results_name_method_and_dataset_as_tables_show_them(
    tmp_path: Path, info: dict[str, str], title: str | None
) -> None:
    model = Model(ColourNetwork(), info=dict(info), path=Path("model.safetensors"), sha256="aa")
    measure(tmp_path, dataset("cityscapes"), model=model)
    read = read_results(tmp_path / "results.json")
    assert (read.method_title, read.domains[0].title) == (title, "Memory")


@pytest.mark.parametrize(
    "changes",
    [
        {"model": colour_model(tta=TestTimeAugmentation(flip=True))},
        {"options": EvaluationOptions(pictures=1, again=True)},
        {"options": EvaluationOptions(pictures=2)},
        {"options": EvaluationOptions(pictures=1, predictions=True)},
        {"model": colour_model(sha256="bb")},
    ],
)
def test_what_changed_is_measured_again(tmp_path: Path, changes: dict[str, Any]) -> None:
    data = dataset("cityscapes")
    measure(tmp_path, data)
    data.reads.clear()
    results = measure(tmp_path, data, **changes)
    assert sorted(data.reads) == [0, 1, 2]
    assert len(results.domains) == 1


def test_changed_data_is_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = dataset("cityscapes")
    measure(tmp_path, data)
    monkeypatch.setattr(data, "fingerprint", lambda: "other")
    data.reads.clear()
    measure(tmp_path, data)
    assert len(data.reads) == 3


def test_another_mapping_is_measured_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The 19 classes on two of one's own: results say by which mapping, and are kept under no other."""
    fine = [random_blocks(np.random.default_rng(i), height=16, width=24) for i in range(2)]
    rest = tuple(name for name in CITYSCAPES_19.names if name != "road")
    mapping = ClassMapping("cityscapes19", "mine", (("road", ("road",)), ("rest", rest)), (), "a/one.toml")
    coarse = [np.where(label == 0, 0, np.where(label == 255, 255, 1)).astype(np.uint8) for label in fine]
    data = MemoryDataset(coarse, painted_from=fine, label_space=own_space("mine", ["road", "rest"]))
    model = colour_model()
    (first,) = evaluate_run(model, [data], folder=tmp_path, mappings=[mapping]).domains  # type: ignore[list-item]
    assert (first.miou, first.mapping) == (1, mapping.identity)
    assert read_results(tmp_path).domains[0].mapping == first.mapping
    data.reads.clear()
    evaluate_run(model, [data], folder=tmp_path, mappings=[mapping])  # type: ignore[list-item]
    assert not data.reads
    swapped = replace(mapping, classes=(("road", (*rest,)), ("rest", ("road",))))
    (second,) = evaluate_run(model, [data], folder=tmp_path, mappings=[swapped]).domains  # type: ignore[list-item]
    assert second.miou == 0
    assert "are of other mappings; they are replaced" in caplog.text
    with pytest.raises(DatasetError, match="no mapping joins them"):
        evaluate_run(model, [data], folder=tmp_path)  # type: ignore[list-item]


def test_other_files_of_the_same_name_replace_results_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    measure(tmp_path, dataset("cityscapes"))
    monkeypatch.setattr(MemoryDataset, "fingerprint", lambda self: "other")
    measure(tmp_path, dataset("cityscapes"))
    assert "the results of cityscapes:" in caplog.text
    assert "are of other files; they are replaced" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not locked there")
def test_two_evaluations_into_one_folder_do_not_mix(tmp_path: Path) -> None:
    with sole_writer(tmp_path), pytest.raises(UserError, match="another process is writing into"):
        measure(tmp_path, dataset("cityscapes"))
    measure(tmp_path, dataset("cityscapes"))


def test_other_weights_replace_all_results(tmp_path: Path) -> None:
    measure(tmp_path, dataset("cityscapes"), dataset("bdd100k"))
    results = measure(tmp_path, dataset("bdd100k"), model=colour_model(sha256="bb"))
    assert [d.key for d in results.domains] == ["bdd100k"]
    assert results.checkpoint_sha256 == "bb"


def test_datasets_that_would_take_each_others_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cityscapes:\S+ stands more than once"):
        measure(tmp_path, dataset("cityscapes"), dataset("cityscapes"))
    assert not list(tmp_path.iterdir())


def test_two_maps_of_one_split_keep_their_own_samples(tmp_path: Path) -> None:
    first, second = dataset("mapillary"), dataset("mapillary")
    second.map_name = "B"
    second.labels = [np.full_like(label, 7) for label in second.labels]
    results = measure(tmp_path, first, second)
    folders = [tmp_path / "samples" / domain.folder_name for domain in results.domains]
    shown = [cv2.imread(str(next(folder.glob("*_label.png")))) for folder in folders]
    assert (shown[0] != shown[1]).any()


@pytest.mark.parametrize("changes", [{"batch": 0}, {"batch": -1}, {"pictures": -1}])
def test_options_that_measure_nothing_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(UserError, match="wanted"):
        EvaluationOptions(**changes)  # type: ignore[arg-type]


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    config = ModelConfig(
        encoder=TimmOptions(name="resnet18", channels=(8, 8, 8, 8), layers=(1, 1, 1, 1), style_removal=False),
        prompt=HybridOptions(width=8, tokens=4, groups=2),
        decoder=DeepLabOptions(width=8, skips=(Skip(4, 4, 8, 2),)),
        auxiliary_width=4,
    )
    file = tmp_path / "run" / "model.safetensors"
    save_network(file, build_network(config), model_config=config, info={"method": "spn", "seed": 0})
    return file.parent


def test_the_command_on_a_real_network_and_miniatures(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from simulator.fake_renderer import render_blocks

    arguments = [
        "evaluate",
        str(run_folder),
        "--quiet",
        "--pictures",
        "1",
        "--num-samples",
        "2",
        "--predictions",
    ]
    for key in ("synthia", "foggy_cityscapes"):
        plan = ExportPlan(key=key, root=tmp_path / key, counts={"val": 2}, width=64, height=48)
        export_dataset(plan, workers=1, progress=False, render=render_blocks)
        arguments += ["--data", f"{key}={tmp_path / key}"]
    assert dispatch(arguments) == 0
    results = read_results(run_folder / "evaluation" / "results.json")
    assert set(results.network["encoder"]) >= {"kind", "name"}
    synthia, foggy = results.domains
    assert len(synthia.classes_evaluated) == 16
    assert foggy.images == len(
        list((run_folder / "evaluation/predictions/foggy_cityscapes_val_labelIds").rglob("*.png"))
    )
    assert synthia.protocol_name == "whole-native-draws2"
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines() if "sidewalk" in line] == ["sidewalk"]
    assert "mIoU" in printed
    assert "protocol whole-native-draws2: scored at native label size" in printed


def test_released_weights_are_measured_at_their_height_and_scales_unless_others_are_asked_for(
    run_folder: Path, tmp_path: Path
) -> None:
    from simulator.fake_renderer import render_blocks

    weights = tmp_path / "released.safetensors"
    sizes = ["--input-height", "32", "--scales", "0.75", "1"]
    assert dispatch(["release", str(run_folder), "--out", str(weights), *sizes]) == 0
    plan = ExportPlan(key="gtav", root=tmp_path / "gtav", counts={"val": 1}, width=64, height=48)
    export_dataset(plan, workers=1, progress=False, render=render_blocks)
    arguments = ["evaluate", str(weights), "--quiet", "--data", f"gtav={tmp_path / 'gtav'}:val"]
    for asked, name in (
        ([], "whole-h32-s0.75+1"),
        (["--scales", "1"], "whole-h32"),
        (["--input-height", "48"], "whole-h48"),
    ):
        out = tmp_path / name
        assert dispatch([*arguments, "--out", str(out), *asked]) == 0
        assert read_results(out / "results.json").domains[0].protocol_name == name


def test_the_command_needs_data(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["evaluate", str(run_folder)]) == 1
    assert "KEY=PATH" in capsys.readouterr().err
