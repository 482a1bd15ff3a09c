"""`spn train` from its arguments to the weights, on a handful of real files with a real, tiny network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch

from spn.cli.main import dispatch
from spn.cli.train import parse
from spn.core.classes import CITYSCAPES_19
from spn.core.seeding import numpy_generator
from spn.inference.model import Model
from spn.inference.tta import TestTimeAugmentation
from spn.inference.weights import load

SMALL = """
pretrained = false
[model]
auxiliary_width = 16
[model.encoder]
name = "resnet10t"
channels = [8, 8, 16, 16]
[model.prompt]
width = 8
tokens = 4
groups = 2
[model.decoder]
width = 16
skips = [{ stride = 4, width = 8, out = 16 }]
[augmentation]
crop_height = 32
crop_width = 64
[sampling]
tile = 32
[optimisation]
batch_size = 2
[schedule]
steps = 2
[runtime]
accelerator = "cpu"
workers = 0
progress = false
tensorboard = false
"""


@pytest.fixture
def miniature(tmp_path: Path) -> Path:
    """Four 48x80 images in GTAV's layout, labels in Cityscapes' labelIds."""
    root = tmp_path / "gtav"
    table = CITYSCAPES_19.to_label_ids()
    for split, count in (("train", 3), ("val", 1)):
        for folder in ("images", "labels"):
            (root / folder / split).mkdir(parents=True)
        for index in range(count):
            generator = numpy_generator(index)
            label = np.repeat(np.repeat(generator.integers(0, 19, (6, 10), dtype=np.uint8), 8, 0), 8, 1)
            image = np.stack([label * 12, 255 - label * 12, label * 5], axis=2)
            name = f"{len(list((root / 'images').rglob('*.png'))):05d}.png"
            cv2.imwrite(str(root / "images" / split / name), image)
            cv2.imwrite(str(root / "labels" / split / name), table[label])
    return root


def test_train_from_the_command_line(
    tmp_path: Path, miniature: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = tmp_path / "small.toml"
    preset.write_text(SMALL)
    command = [
        "train", "--preset", str(preset), "--out", str(tmp_path / "run"), "--method.kind", "spn",
        "--data", f"gtav={miniature}:train", "--validation", f"gtav={miniature}:val",
        "--sampling.cache", str(tmp_path / "cache"), "--tta.input-height", "40",
    ]  # fmt: skip
    assert dispatch(command) == 0
    printed = capsys.readouterr().out
    assert "training done" in printed
    assert "next: spn evaluate" in printed
    loaded = load(tmp_path / "run", fold=False)
    assert (loaded.info["method"], loaded.info["method_title"]) == ("spn", "SPN")
    assert loaded.info["step"] == 2
    assert loaded.tta == TestTimeAugmentation(input_height=40)
    assert loaded.info["trained_on"] == ["GTAV train"]
    assert loaded.info["method_options"]["kind"] == "spn"
    assert dispatch([*command, "--resume"]) == 0
    assert "was already complete" in capsys.readouterr().out
    assert dispatch([*command, "--seed", "1"]) == 1
    assert "seed: 0 -> 1" in capsys.readouterr().err


def test_pretrained_weights_from_a_file_are_reported_once_and_must_fit(
    tmp_path: Path, miniature: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    preset = tmp_path / "small.toml"
    preset.write_text(SMALL)
    file = tmp_path / "encoder.pth"
    command = [
        "train", "--preset", str(preset), "--out", str(tmp_path / "run"), "--pretrained", str(file),
        "--data", f"gtav={miniature}:train", "--sampling.cache", str(tmp_path / "cache"),
    ]  # fmt: skip
    weights = timm.create_model("resnet10t", channels=(8, 8, 16, 16), output_stride=16).state_dict()
    misfit = {name: value for name, value in weights.items() if not name.startswith("layer4.0.conv1")}
    torch.save(misfit, file)
    assert dispatch(command) == 1
    assert "1 missing (layer4.0.conv1.weight)" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()

    torch.save(weights, file)
    caplog.set_level("INFO", logger="spn")
    assert dispatch(command) == 0
    encoder = len(weights) - 2  # without the classifier's weight and bias
    (told,) = [record.getMessage() for record in caplog.records if "tensors loaded" in record.getMessage()]
    assert told.startswith(f"encoder resnet10t: {encoder} of {encoder} tensors loaded from {file}")

    caplog.clear()
    file.unlink()
    assert dispatch(command) == 0  # continuing, here with nothing left to do, does not need the file
    assert "tensors loaded" not in caplog.text


def test_a_training_starts_from_the_weights_of_another_run_of_the_same_network(
    tmp_path: Path, miniature: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = tmp_path / "small.toml"
    preset.write_text(SMALL)
    common = [
        "train", "--preset", str(preset), "--data", f"gtav={miniature}:train",
        "--sampling.cache", str(tmp_path / "cache"),
    ]  # fmt: skip
    first, second = tmp_path / "first", tmp_path / "second"
    assert dispatch([*common, "--out", str(first)]) == 0
    start = [*common, "--out", str(second), "--init-from", str(first), "--seed", "1"]
    assert dispatch([*start, "--model.prompt.tokens", "2"]) == 1
    assert "holds another network (model.prompt.tokens: 4 -> 2)" in capsys.readouterr().err
    assert not second.exists()
    assert dispatch([*start, "--optimisation.learning-rate", "0"]) == 0
    before, after = (load(folder, fold=False).network for folder in (first, second))
    for (name, expected), found in zip(before.named_parameters(), after.parameters(), strict=True):
        assert torch.equal(expected, found), name


def test_a_training_starts_from_a_network_with_fewer_blocks(
    tmp_path: Path, miniature: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO", logger="spn")
    preset = tmp_path / "small.toml"
    preset.write_text(SMALL)
    common = [
        "train", "--preset", str(preset), "--data", f"gtav={miniature}:train",
        "--model.encoder.no-style-removal", "--sampling.cache", str(tmp_path / "cache"), "--out",
    ]  # fmt: skip
    first, deeper = tmp_path / "first", tmp_path / "deeper"
    assert dispatch([*common, str(first), "--model.encoder.layers", "1", "1", "1", "1"]) == 0
    start = ["--init-from", str(first), "--optimisation.learning-rate", "0", "--model.encoder.layers"]
    assert dispatch([*common, str(deeper), *start, "1", "2", "1", "2"]) == 0
    assert "with 2 new parts that change nothing yet" in caplog.text
    shallow, deep = (load(folder, fold=False).network.state_dict() for folder in (first, deeper))
    assert deep.keys() > shallow.keys()
    assert all(torch.equal(deep[name], value) for name, value in shallow.items() if name.endswith("weight"))
    assert dispatch([*common, str(tmp_path / "other"), "--init-from", str(deeper)]) == 1
    assert "model.encoder.layers: (1, 2, 1, 2) -> " in capsys.readouterr().err


def with_small_encoder(preset: str, encoder: str, *, folder: Path, data: Path) -> list[str]:
    """The command of two small steps by a large preset, from a weight file of `encoder`."""
    file = folder / f"{encoder}.pth"
    torch.save(timm.create_model(encoder).state_dict(), file)
    return [
        "train", "--preset", preset, "--model.encoder.name", encoder,
        "--pretrained", str(file), "--out", str(folder / "run"), "--data", f"gtav={data}:train",
        "--model.decoder.width", "16", "--model.decoder.skips.0.out", "16", "--model.auxiliary-width", "16",
        "--augmentation.crop-height", "32", "--augmentation.crop-width", "64", "--sampling.tile", "32",
        "--sampling.cache", str(folder / "cache"), "--optimisation.batch-size", "2",
        "--schedule.steps", "2", "--runtime.accelerator", "cpu", "--runtime.workers", "0",
        "--runtime.no-progress", "--runtime.no-tensorboard",
    ]  # fmt: skip


def test_gtav_convnext_trains_from_a_weight_file_with_a_small_encoder(
    tmp_path: Path, miniature: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="spn")
    command = with_small_encoder("gtav_convnext", "convnext_atto", folder=tmp_path, data=miniature)
    assert dispatch(command) == 0
    assert "encoder convnext_atto: " in caplog.text
    assert load(tmp_path / "run", fold=False).model_config.encoder.drop_path_rate == 0.4


@pytest.mark.parametrize(
    ("preset", "encoder"), [("gtav_dinov2_l", "test_vit"), ("gtav_eva02_l", "eva02_tiny_patch14_224")]
)
def test_frozen_presets_train_what_is_not_frozen_and_leave_a_whole_network(
    tmp_path: Path, miniature: Path, preset: str, encoder: str
) -> None:
    command = with_small_encoder(preset, encoder, folder=tmp_path, data=miniature)
    assert dispatch(command) == 0
    published = torch.load(tmp_path / f"{encoder}.pth", weights_only=True)
    (tmp_path / f"{encoder}.pth").unlink()
    network = load(tmp_path / "run", fold=False).network  # needs no other file
    frozen = network.encoder.backbone.backbone.state_dict()  # type: ignore[union-attr, operator]
    assert all(torch.equal(value, published[name]) for name, value in frozen.items())
    state = torch.load(tmp_path / "run/checkpoints/step_000002/state.pt", weights_only=True)["optimizer"]
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert len(state["state"]) == len(trainable) < len(list(network.parameters()))
    tta = TestTimeAugmentation(num_samples=2, window=(32, 32))
    scene = Model(network, tta=tta).predict(np.full((40, 56, 3), 90, np.uint8))
    assert scene.disagreement is not None
    assert scene.disagreement.shape == (40, 56)


def test_a_preset_sets_the_defaults_and_options_change_them() -> None:
    command = parse(
        ["--preset", "tiny", "--out", "r", "--data", "gtav=a:train", "--data", "gtav=b", "--seed", "4"]
    )
    assert command.config.data == ("gtav=a:train", "gtav=b")
    assert command.config.seed == 4
    assert command.config.augmentation.crop_height == 192
    assert command.config.out == Path("r")


@pytest.mark.parametrize("arguments", [["--preset", "tiny"], ["--out", "r", "--schedule.stpes", "3"]])
def test_bad_arguments_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err


def test_a_source_of_coarser_classes_is_refused_behind_a_finer_one(
    tmp_path: Path, miniature: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first source says what is learnt; nothing turns CamVid's 11 classes into the 19."""
    for folder in ("val", "valannot"):
        (tmp_path / "camvid" / folder).mkdir(parents=True)
        pixels = np.zeros((16, 16, 3) if folder == "val" else (16, 16), np.uint8)
        cv2.imwrite(str(tmp_path / "camvid" / folder / "a.png"), pixels)
    sources = ["--data", f"gtav={miniature}:train", "--data", f"camvid={tmp_path / 'camvid'}:val"]
    assert dispatch(["train", "--preset", "tiny", "--out", str(tmp_path / "run"), *sources]) == 1
    assert "camvid has the classes camvid11" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--optimisation.learning-rate", "-1"], "learning_rate: got -1.0 (float); expected `float` >= 0"),
        (["--optimisation.momentum", "1"], "momentum: got 1.0 (float); expected `float` < 1"),
        (["--loss.label-stride", "0"], "label_stride: got 0 (int); expected `int` >= 1"),
        (["--seed", str(2**32)], "seed: got 4294967296 (int); expected `int` <= 4294967295"),
        (
            ["--schedule.steps", "1" + 22 * "0"],
            "steps: got 10000000000000000000000 (int); expected `int` <= ",
        ),
        (["--method.kl-weight", "nan"], "kl_weight: got nan"),
        (["--method.kl-weight", "inf"], "kl_weight: got inf; expected a finite number"),
        (["--runtime.devices", "-1"], "devices: got -1"),
        (["--augmentation.blur.sigma", "1.3", "0.15"], "blur.sigma is 1.3 0.15; wanted the smaller first"),
        (["--augmentation.perturbation.gamma", "0", "1"], "gamma is 0.0 1.0; wanted the smaller first"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    arguments = ["train", "--preset", "tiny", "--data", "gtav=nowhere", "--out", str(tmp_path / "run")]
    assert dispatch([*arguments, *options]) != 0
    assert says in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()
