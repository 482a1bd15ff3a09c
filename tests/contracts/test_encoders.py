"""What every encoder must do to carry prompts and a decoder; a new one joins by a line in ENCODERS."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.small_network import SMALL, images, waken
from spn.models.build import build_network
from spn.models.config import EncoderConfig
from spn.models.encoders.timm_encoder import TimmEncoder

SLIM = SMALL.encoder
ENCODERS = {
    "resnet18 slim, stride 8": replace(SLIM, output_stride=8),
    "resnet18 slim, stride 16": SLIM,
    "resnet18 slim, stride 32": replace(SLIM, output_stride=32),
    "convnext_atto": EncoderConfig(name="convnext_atto", output_stride=16),
    "convnext_atto, stride 32, stochastic depth": EncoderConfig(
        name="convnext_atto.d2_in1k", output_stride=32, drop_path_rate=0.4
    ),
    "mobilenetv3_small_100": EncoderConfig(name="mobilenetv3_small_100", output_stride=16),
    "regnety_002": EncoderConfig(name="regnety_002", output_stride=32),
    "efficientnet_lite0": EncoderConfig(name="efficientnet_lite0", output_stride=16),
}


@pytest.fixture(params=ENCODERS)
def config(request: pytest.FixtureRequest) -> EncoderConfig:
    return ENCODERS[request.param]


def test_features_are_as_declared(config: EncoderConfig) -> None:
    encoder = TimmEncoder(config).eval()
    height, width = 64, 96
    with torch.no_grad():
        pyramid = encoder(images(1, height, width))
    assert len(pyramid) == len(encoder.widths) == len(encoder.strides) == 4
    assert encoder.strides[0] == 4
    assert encoder.strides[-1] == config.output_stride
    assert list(encoder.strides) == sorted(encoder.strides)
    for features, channels, stride in zip(pyramid, encoder.widths, encoder.strides, strict=True):
        assert features.shape == (1, channels, height // stride, width // stride)


def test_gradients_reach_the_first_layer_from_every_level(config: EncoderConfig) -> None:
    encoder = TimmEncoder(config).train()
    first = next(encoder.parameters())
    for level, features in enumerate(encoder(images(2, 64, 64))):
        (gradient,) = torch.autograd.grad(features.square().mean(), first, retain_graph=True)
        assert gradient.abs().max() > 0, level


def test_a_network_on_it_equals_its_baseline_and_then_learns(config: EncoderConfig) -> None:
    decoder = replace(SMALL.decoder, skip_strides=(4,), skip_widths=(8,), refine_widths=(8,))
    decoder = replace(decoder, refine_convolutions=(1,))
    model = replace(SMALL, encoder=config, decoder=decoder)
    batch = images(1, 65, 70)
    with torch.no_grad():
        network = build_network(model).eval()
        expected = build_network(model.baseline()).eval()(batch).logits
        assert torch.equal(network(batch).logits, expected)
        waken(network)
        assert not torch.equal(network(batch).logits, expected)
    network.train()
    output = network(images(2, 64, 64), draws=1, generator=torch.Generator().manual_seed(0))
    (output.logits.square().mean() + output.auxiliary_logits.square().mean()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
