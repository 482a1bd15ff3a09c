"""Classes of one's own, from a TOML to a report: two, five and a hundred; fine-tuning; several sources."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from matplotlib.figure import Figure
from PIL import Image
from safetensors import safe_open

import spn
from spn.cli.main import dispatch
from spn.core.classes import CITYSCAPES_19, IGNORE, numbered_space
from spn.core.errors import CheckpointError, DatasetError, UserError
from spn.core.records import to_plain
from spn.core.seeding import numpy_generator
from spn.data.registry import parse_data_argument
from spn.inference.weights import find_weights
from spn.models.build import per_class
from spn.models.config import ModelConfig
from spn.models.decoders.options import SegFormerOptions
from spn.training.config import TrainConfig
from spn.training.data import open_sources
from spn.training.ingredients import gather_ingredients

NETWORK = {
    "pretrained": False,
    "model": {
        "auxiliary_width": 8,
        "encoder": {"name": "resnet10t", "channels": [8, 8, 8, 8], "layers": None, "stem_width": None,
                    "stem_type": None},
        "prompt": {"width": 8, "tokens": 4, "groups": 2},
        "decoder": {"width": 8, "skips": [{"stride": 4, "width": 4, "out": 8}]},
    },
    "augmentation": {"crop_height": 32, "crop_width": 64},
    "sampling": {"tile": 32},
    "optimisation": {"batch_size": 2},
    "schedule": {"steps": 2, "warmup_steps": 0, "coarse_steps": 0},
    "runtime": {"accelerator": "cpu", "workers": 0, "progress": False, "logger": []},
}  # fmt: skip


def write_folder(
    root: Path, table: str, ids: range | list[int], *, name: str = "mine", images: int = 2
) -> str:
    """A folder with a TOML and blocks of these ids; returns what --data takes."""
    for split in ("train", "val"):
        for number in range(images):
            generator = numpy_generator(number, split)
            grid = generator.permutation(np.resize(np.array(ids, np.uint8), 96)).reshape(8, 12)
            label = np.repeat(np.repeat(grid, 6, 0), 8, 1)
            image = np.stack([label * 2, 255 - label, label], 2)
            for kind, pixels in (("rgb", image), ("gt", label)):
                path = root / kind / split / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    write_toml(root, table, name=name)
    return f"custom={root}"


def write_toml(root: Path, table: str, *, name: str = "mine") -> None:
    (root / "spn_dataset.toml").write_text(
        f'name = "{name}"\nimages = "rgb/{{split}}"\nlabels = "gt/{{split}}"\n'
        f'splits = {{ train = "train", val = "val" }}\n{table}'
    )


def config_of(out: Path, *data: str, **settings: object) -> TrainConfig:
    changes = {**NETWORK, **settings, "sampling.cache": str(out.parent / "cache")}
    return spn.configure("tiny", data=data, validation=[f"{data[0]}:val"], out=out, settings=changes)


TABLES = {
    "two": ('[classes]\n7 = "road"\n"*" = "not road"\n255 = "ignore"\n', [7, 3, 0, 255], 2),
    "five": (
        'things = ["cart"]\n[classes]\n0 = "floor"\n1 = "wall & door"\n2 = "floor"\n3 = "cart"\n'
        '4 = "shelf, x"\n9 = "person"\n[colours]\nfloor = "#102030"\n',
        [0, 1, 2, 3, 4, 9],
        5,
    ),
    "hundred": (
        "[classes]\n" + "".join(f'{i} = "class number {i}"\n' for i in range(100)),
        list(range(100)),
        100,
    ),
}


@pytest.fixture
def coarse_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are laid out and drawn, in fewer dots and once."""
    save = Figure.savefig

    def coarse(figure: Figure, path: Path, **options: object) -> None:
        if Path(path).suffix == ".pdf":
            Path(path).touch()
        else:
            save(figure, path, **{**options, "dpi": 30})

    monkeypatch.setattr(Figure, "savefig", coarse)


@pytest.mark.usefixtures("coarse_figures")
@pytest.mark.parametrize("name", TABLES)
def test_own_classes_go_all_the_way(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Train, evaluate with all counts, report, predict, release; the model says what its classes are."""
    table, ids, count = TABLES[name]
    data = write_folder(tmp_path / "data", table, ids)
    run = tmp_path / "run"
    with caplog.at_level(logging.INFO):
        spn.train(config_of(run, data))
    names = spn.load(run).classes
    assert f"learning the {count} classes mine: {', '.join(names)}" in caplog.text
    assert json.loads((run / "config.json").read_text())["model"]["num_classes"] == len(names) == count
    assert dispatch(
        ["evaluate", str(run), "--data", data, "--calibration", "--per-image", "--predictions", "--quiet"]
    ) == 0  # fmt: skip
    shown = capsys.readouterr().out
    assert all(name in shown for name in names)
    results = json.loads((run / "evaluation/results.json").read_text())["domains"][0]
    assert (results["label_space"], tuple(results["class_names"])) == ("mine", names)
    assert np.shape(results["confusion"]) == (count, count)
    assert dispatch(["report", str(run), "--out", str(tmp_path / "report"), "--samples", "1"]) == 0
    assert {"confusion.png", "per_class_iou.png", "samples_other.png", "calibration.md"} <= {
        path.name for path in (tmp_path / "report").iterdir()
    }
    table_of = (tmp_path / "report/per_class.csv").read_text()
    assert all(f",{name}," in table_of or f',"{name}",' in table_of for name in names)
    photograph = tmp_path / "data/rgb/val/0.png"
    assert dispatch(["predict", str(photograph), "--checkpoint", str(run), "--out", str(tmp_path / "l")]) == 0
    with Image.open(tmp_path / "l/0_label.png") as label:
        found = set(np.unique(np.array(label)).tolist())
        space = spn.load(run).label_space
        assert found <= set(space.label_ids) <= set(range(256)) - {IGNORE}
        for label_id, colour in zip(space.label_ids, space.colours, strict=True):
            assert tuple(label.getpalette()[3 * label_id : 3 * label_id + 3]) == colour
    if name == "five":
        assert dispatch(["release", str(run), "--out", str(tmp_path / "small.safetensors")]) == 0
        for weights in (next((run / "checkpoints").iterdir()), tmp_path / "small.safetensors"):
            assert spn.load(weights).label_space == space
        assert dispatch(["data", "stats", data, "--out", str(tmp_path / "stats"), "--quiet"]) == 0


def test_a_continued_training_notices_other_classes(tmp_path: Path) -> None:
    table, ids, _ = TABLES["five"]
    data = write_folder(tmp_path / "data", table, ids)
    config = config_of(tmp_path / "run", data)
    spn.train(config)
    (tmp_path / "run/model.safetensors").unlink()
    for other in (table.replace("cart", "lorry"), '[classes]\n0 = "floor"\n"*" = "no floor"\n'):
        write_toml(tmp_path / "data", other)
        with pytest.raises(UserError, match="the training data changed since"):
            spn.train(config)
    write_toml(tmp_path / "data", table)
    assert spn.train(config).step == 2


@pytest.mark.parametrize("same_number", [False, True])
def test_fine_tuning_replaces_what_has_a_row_per_class(
    same_number: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And nothing else; five other classes are as other as two."""
    data = write_folder(tmp_path / "data", TABLES["five"][0], [0, 1, 2, 3, 4, 9])
    first = spn.train(config_of(tmp_path / "first", data)).weights
    other = TABLES["five"][0].replace("shelf, x", "lamp") if same_number else TABLES["two"][0]
    write_toml(tmp_path / "data", other)
    config = config_of(tmp_path / "tuned", data, init_from=str(first))
    with caplog.at_level(logging.INFO):
        network = gather_ingredients(config).network
    anew = [
        name
        for name in ("auxiliary", "decoder")
        for name in (f"{name}.classifier.bias", f"{name}.classifier.weight")
    ]
    assert f"{first} knows other classes (mine, 5): {', '.join(anew)} start anew" in caplog.text
    trained = spn.load(first, fold=False).network.state_dict()
    for name, tensor in network.state_dict().items():
        assert (name in anew) != (tensor.shape == trained[name].shape and torch.equal(tensor, trained[name]))
    assert len(spn.load(spn.train(config).weights).classes) == (5 if same_number else 2)


def test_the_shipped_model_is_tuned_onto_own_classes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = write_folder(tmp_path / "data", TABLES["two"][0], [7, 3, 0, 255])
    settings = {name: NETWORK[name] for name in ("augmentation", "runtime", "optimisation")}
    settings |= {"schedule": {"steps": 1, "warmup_steps": 0, "coarse_steps": 0}}
    settings |= {"sampling.cache": str(tmp_path)}
    config = spn.configure("streets", data=[data], out=tmp_path / "run", settings=settings)
    with caplog.at_level(logging.INFO):
        result = spn.train(config)
    assert "shipped knows other classes (cityscapes19, 19): auxiliary.classifier.bias" in caplog.text
    assert "decoder.classifier.weight start anew" in caplog.text
    assert spn.load(result.weights).classes == ("road", "not road")


def test_rows_per_class_are_found_in_every_decoder() -> None:
    segformer = replace(ModelConfig(), decoder=SegFormerOptions(width=8), auxiliary=False, num_classes=7)
    assert per_class(segformer) == ("decoder.classifier.weight", "decoder.classifier.bias")


def weights_with(path: Path, **metadata: str) -> Path:
    """The shipped model's file, with other metadata; None takes an entry away."""
    file = find_weights()
    with safe_open(file, "pt") as opened:
        told = {name: value for name, value in {**opened.metadata(), **metadata}.items() if value}
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    safetensors.torch.save_file(tensors, path, told)
    return path


def test_weights_that_do_not_say_their_classes_have_those_of_cityscapes(tmp_path: Path) -> None:
    assert spn.load(weights_with(tmp_path / "a.safetensors", classes="")).label_space == CITYSCAPES_19
    assert spn.load().label_space == CITYSCAPES_19


@pytest.mark.parametrize("classes", ["{", "[]", "{}", '{"key": 1}', json.dumps(to_plain(numbered_space(3)))])
def test_damaged_classes_are_an_error_with_the_name_of_the_file(classes: str, tmp_path: Path) -> None:
    path = weights_with(tmp_path / "a.safetensors", classes=classes)
    with pytest.raises(CheckpointError, match=f"{path}: its network configuration cannot be used"):
        spn.load(path)


def test_sources_of_other_classes_are_translated_by_the_mapping_of_the_first(tmp_path: Path) -> None:
    """The 19 of Cityscapes beside one's own; what no class of one's own holds is not learnt."""
    mine = write_folder(tmp_path / "mine", 'mappings = ["to.toml"]\n' + TABLES["two"][0], [7, 3, 0])
    rest = [name for name in CITYSCAPES_19.names if name not in ("road", "sky")]
    (tmp_path / "mine/to.toml").write_text(
        f'from = "cityscapes19"\nto = "mine"\nignored = ["sky"]\n[classes]\nroad = "road"\n'
        f'"not road" = {json.dumps(rest)}\n'
    )
    table = 'map = "trainIds"\n'
    city = write_folder(tmp_path / "city", table, [0, 1, 10, 18, 255], name="city")
    own, other = open_sources([mine, city])
    assert own.label_space == other.label_space
    stored, seen = other.read_ids(0), other.read_label(0)
    assert {(int(a), int(b)) for a, b in zip(stored.ravel(), seen.ravel(), strict=True)} == {
        (0, 0), (1, 1), (10, IGNORE), (18, 1), (255, IGNORE),
    }  # fmt: skip
    assert other.fingerprint() != parse_data_argument(f"{city}:train").open().fingerprint()
    with pytest.raises(
        DatasetError, match=r"mine has the classes mine .*, wanted cityscapes19 .*no mapping joins"
    ):
        open_sources([city, mine])
    weights = {**NETWORK, "sampling": {"tile": 32, "weights": ["city=3"]}}
    config = spn.configure(
        "tiny", data=[mine, city], out=tmp_path / "run", settings={**weights, "sampling.cache": str(tmp_path)}
    )
    sampler = gather_ingredients(config).sampler
    drawn = Counter(draw.image_index // 2 for epoch in range(50) for draw in sampler.draws(epoch))
    assert drawn[1] / drawn.total() == pytest.approx(0.75, abs=0.02)
    wrong = replace(config, sampling=replace(config.sampling, weights=("gtav=2",)))
    with pytest.raises(UserError, match=r"sampling.weights names gtav; wanted datasets .*: mine, city"):
        gather_ingredients(wrong)
