"""What every encoder must do to carry prompts and a decoder; a new one joins by a line in ENCODERS."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from timm.layers import convert_sync_batchnorm

from models.small_network import SMALL, SMALL_VIT, images, waken
from spn.models.build import build_network
from spn.models.config import ModelConfig
from spn.models.decoders.options import Skip
from spn.models.encoders.options import EncoderOptions, TimmOptions
from spn.models.encoders.protocol import Encoder
from spn.models.encoders.timm_encoder import TimmEncoder

SLIM = SMALL.encoder
VIT = SMALL_VIT.encoder
TRAINED = {
    "resnet18 slim, stride 8": replace(SLIM, output_stride=8),
    "resnet18 slim, stride 16": SLIM,
    "resnet18 slim, stride 32": replace(SLIM, output_stride=32),
    "convnext_atto": TimmOptions(name="convnext_atto", output_stride=16, style_removal=False),
    "convnext_atto, stride 32, stochastic depth": TimmOptions(
        name="convnext_atto.d2_in1k", output_stride=32, drop_path_rate=0.4, style_removal=False
    ),
    "mobilenetv3_small_100": TimmOptions(name="mobilenetv3_small_100", output_stride=16, style_removal=False),
    "regnety_002": TimmOptions(name="regnety_002", output_stride=32, style_removal=False),
    "efficientnet_lite0": TimmOptions(name="efficientnet_lite0", output_stride=16, style_removal=False),
}
FROZEN = {
    "ViT with class token, stride 8": replace(VIT, output_stride=8),
    "ViT with class token, stride 16": VIT,
    "ViT with a register, stride 32": replace(VIT, name="test_vit2", output_stride=32),
    "EVA-02, patch 14": replace(VIT, name="eva02_tiny_patch14_224"),
}
ENCODERS = TRAINED | FROZEN


@pytest.fixture(params=ENCODERS)
def config(request: pytest.FixtureRequest) -> EncoderOptions:
    return ENCODERS[request.param]


def model_with(config: EncoderOptions) -> ModelConfig:
    """The small network on this encoder; every encoder has a level at stride 4 to join."""
    base = SMALL_VIT if config.kind == "frozen_vit" else SMALL
    return replace(base, encoder=config, decoder=replace(SMALL.decoder, skips=(Skip(4, 8, 8),)))


def test_features_are_as_declared(config: EncoderOptions) -> None:
    encoder: Encoder = build_network(model_with(config)).eval().encoder.backbone  # type: ignore[assignment]
    height, width = 64, 96
    noise = torch.randn(3, 1, encoder.noise_width) if encoder.noise_width else None
    with torch.no_grad():
        (pyramid,), _ = encoder(images(1, height, width))
        assert len(encoder(images(1, height, width), noise).pyramids) == (3 if encoder.noise_width else 1)
    assert len(pyramid) == len(encoder.widths) == len(encoder.strides) == 4
    assert encoder.strides[0] == 4
    assert encoder.strides[-1] == config.output_stride
    assert list(encoder.strides) == sorted(encoder.strides)
    for features, channels, stride in zip(pyramid, encoder.widths, encoder.strides, strict=True):
        assert features.shape == (1, channels, height // stride, width // stride)


@pytest.mark.parametrize("name", TRAINED)
def test_gradients_reach_the_first_layer_from_every_level(name: str) -> None:
    encoder = TimmEncoder(TRAINED[name]).train()
    first = next(encoder.parameters())
    for level, features in enumerate(encoder(images(2, 64, 64)).pyramids[0]):
        (gradient,) = torch.autograd.grad(features.square().mean(), first, retain_graph=True)
        assert gradient.abs().max() > 0, level


@pytest.mark.parametrize("name", FROZEN)
def test_gradients_reach_the_first_prompt_from_every_level(name: str) -> None:
    network = build_network(model_with(FROZEN[name])).train()
    waken(network)
    encoder = network.encoder.backbone
    first = encoder.prompts.blocks[0].strength  # type: ignore[union-attr, index]
    for level, features in enumerate(encoder(images(2, 64, 64)).pyramids[0]):  # type: ignore[operator]
        (gradient,) = torch.autograd.grad(features.square().mean(), first, retain_graph=True)
        assert gradient.abs().max() > 0, level


def test_a_network_on_it_equals_its_baseline_and_then_learns(config: EncoderOptions) -> None:
    model = model_with(config)
    batch = images(1, 65, 70)
    with torch.no_grad():
        network = build_network(model).eval()
        expected = build_network(model.baseline()).eval()(batch).logits
        assert torch.equal(network(batch).logits, expected)
        waken(network)
        assert not torch.equal(network(batch).logits, expected)
    network.train()
    output = network(images(2, 64, 64), num_samples=1, generator=torch.Generator().manual_seed(0))
    (output.logits.square().mean() + output.auxiliary_logits.square().mean()).backward()
    assert [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None] == []


def test_batch_norm_over_several_gpus_is_the_same_network(config: EncoderOptions) -> None:
    network = build_network(model_with(config), seed=0).eval()
    expected = network(images()).logits
    torch.testing.assert_close(convert_sync_batchnorm(network).eval()(images()).logits, expected)
