"""Pretrained encoder weights from local files: what fits is loaded and reported, anything else stops."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from models.small_network import SMALL, hide_hub
from spn.core.errors import CheckpointError
from spn.models.build import build_network
from spn.models.decoders.options import Skip
from spn.models.encoders.options import TimmOptions

OPTIONS = {"channels": (8, 12, 16, 24), "layers": (1, 1, 1, 1), "stem_width": 4, "stem_type": "deep"}


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """A complete classifier of the small encoder, as a pretraining would leave it."""
    torch.manual_seed(11)
    model = timm.create_model("resnet18", **OPTIONS)
    return {
        name: torch.rand_like(value.float()).to(value.dtype) for name, value in model.state_dict().items()
    }


def write(path: Path, weights: object) -> Path:
    torch.save(weights, path)
    return path


def check_loaded(path: Path, weights: dict[str, torch.Tensor]) -> None:
    network = build_network(SMALL, pretrained=path)
    loaded = network.encoder.backbone.backbone.state_dict()  # type: ignore[union-attr, operator]
    wanted = {name: value for name, value in weights.items() if not name.startswith("fc.")}
    assert {name for name in loaded if not name.endswith(".share")} == set(wanted)  # SPN's own: style removal
    assert all(torch.equal(loaded[name], value) for name, value in wanted.items())
    coarse = network.encoder.statistics[0].by_name()  # type: ignore[operator]
    assert torch.equal(coarse["backbone.bn1.running_mean"], weights["bn1.running_mean"])


def test_safetensors_are_loaded_and_reported(
    tmp_path: Path, weights: dict[str, torch.Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "encoder.safetensors"
    save_file(weights, path)
    with caplog.at_level(logging.INFO):
        check_loaded(path, weights)
    count = len(weights) - 2
    assert f"{count} of {count} tensors loaded" in caplog.text
    assert "2 classifier tensors left out" in caplog.text


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_torch_files_in_common_wrappings_are_loaded(
    tmp_path: Path, weights: dict[str, torch.Tensor], wrapper: str | None, prefix: str
) -> None:
    content: object = {prefix + name: value for name, value in weights.items()}
    if wrapper is not None:
        content = {wrapper: content, "epoch": 3}
    check_loaded(write(tmp_path / "encoder.pth", content), weights)


def test_weights_without_a_classifier_or_with_one_of_other_classes_fit(
    tmp_path: Path, weights: dict[str, torch.Tensor]
) -> None:
    headless = {name: value for name, value in weights.items() if not name.startswith("fc.")}
    check_loaded(write(tmp_path / "headless.pth", headless), weights)
    check_loaded(write(tmp_path / "other.pth", {**headless, "fc.weight": torch.zeros(7, 24)}), weights)


def test_unexpected_missing_and_misshapen_tensors_stop(
    tmp_path: Path, weights: dict[str, torch.Tensor]
) -> None:
    extra = {**weights, "layer9.weight": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"1 unexpected \(layer9.weight\)"):
        build_network(SMALL, pretrained=write(tmp_path / "extra.pth", extra))
    less = {name: value for name, value in weights.items() if name != "layer2.0.bn1.weight"}
    with pytest.raises(CheckpointError, match=r"1 missing \(layer2.0.bn1.weight\)"):
        build_network(SMALL, pretrained=write(tmp_path / "less.pth", less))
    path = write(tmp_path / "narrow.pth", weights)
    wider = replace(SMALL, encoder=replace(SMALL.encoder, channels=(8, 12, 16, 32)))
    with pytest.raises(CheckpointError, match="of another shape"):
        build_network(wider, pretrained=path)


def test_old_files_without_batch_counters_fit(
    tmp_path: Path, weights: dict[str, torch.Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    old = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    build_network(SMALL, pretrained=write(tmp_path / "old.pth", old))
    assert f"{len(weights) - len(old)} BatchNorm counters, which the file lacks, start at 0" in caplog.text


def test_models_whose_pyramid_renames_its_stages_fit(tmp_path: Path) -> None:
    encoder = TimmOptions(name="convnext_atto", output_stride=32, style_removal=False)
    config = replace(SMALL.baseline(), encoder=encoder)
    model = timm.create_model("convnext_atto")
    network = build_network(config, pretrained=write(tmp_path / "convnext.pth", model.state_dict()))
    loaded = network.encoder.backbone.backbone.state_dict()  # type: ignore[union-attr, operator]
    expected = model.state_dict()["stages.1.blocks.0.mlp.fc1.weight"]
    assert torch.equal(loaded["stages_1.blocks.0.mlp.fc1.weight"], expected)


def test_layers_that_exist_at_another_output_stride_only_are_not_dropped_silently(tmp_path: Path) -> None:
    """Equal widths: at stride 32 layer4 begins with a projection, at stride 16 it needs none."""
    options = {**OPTIONS, "channels": (8, 12, 16, 16)}
    encoder = replace(SMALL.encoder, channels=(8, 12, 16, 16))
    path = write(tmp_path / "stride32.pth", timm.create_model("resnet18", **options).state_dict())
    with pytest.raises(CheckpointError, match=r"6 unexpected \(layer4.0.downsample"):
        build_network(replace(SMALL, encoder=encoder), pretrained=path)
    build_network(replace(SMALL, encoder=replace(encoder, output_stride=32)), pretrained=path)


@pytest.mark.parametrize(
    ("name", "output_stride"),
    [("convnext_atto", 16), ("mobilenetv3_small_100", 16), ("regnety_002", 16), ("efficientnet_lite0", 16)],
)
def test_weights_of_the_usual_stride_fit_a_dilated_encoder(
    tmp_path: Path, name: str, output_stride: int
) -> None:
    encoder = TimmOptions(name=name, output_stride=output_stride, style_removal=False)
    decoder = replace(SMALL.decoder, skips=(Skip(4, 8, 8),))
    path = write(tmp_path / "weights.pth", timm.create_model(name).state_dict())
    build_network(replace(SMALL.baseline(), encoder=encoder, decoder=decoder), pretrained=path)


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (Path.touch, (Path("executed"),))  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["damaged.pth", "damaged.safetensors"])
def test_damaged_missing_and_hostile_files_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(CheckpointError, match="no weights at"):
        build_network(SMALL, pretrained=path)
    path.write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match="cannot read weights"):
        build_network(SMALL, pretrained=path)
    with pytest.raises(CheckpointError, match="cannot read weights"):
        build_network(SMALL, pretrained=write(tmp_path / "hostile.pth", {"weight": Hostile()}))
    assert not Path("executed").exists()
    with pytest.raises(CheckpointError, match="table of tensors"):
        build_network(SMALL, pretrained=write(tmp_path / "list.pth", [torch.zeros(1)]))


def test_the_hub_out_of_reach_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_hub(monkeypatch)
    with pytest.raises(CheckpointError, match="path of a local file"):
        build_network(SMALL, pretrained=True)
