"""Where instance normalisation stands for ISW, what it does, and where it refuses."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from models.small_network import SMALL, images
from spn.models.build import build_network
from spn.models.encoders.options import TimmOptions
from spn.models.encoders.style_parts import InstanceWhitening
from spn.models.encoders.timm_encoder import TimmEncoder


def test_features_have_no_style_left() -> None:
    features = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    normalised = InstanceWhitening(4).eval()(3 * features + 1)
    torch.testing.assert_close(normalised.mean(dim=(2, 3)), torch.zeros(2, 4), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        normalised.var(dim=(2, 3), unbiased=False), torch.ones(2, 4), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize(("name", "activation"), [("resnet18", "act2"), ("resnet50", "act3")])
def test_it_ends_the_stem_and_the_first_two_stages(name: str, activation: str) -> None:
    encoder = TimmOptions(
        name=name, channels=(8, 12, 16, 24), layers=(1, 2, 1, 1), whitening=True, style_removal=False
    )
    found = {
        layer: module
        for layer, module in TimmEncoder(encoder).backbone.named_modules()
        if isinstance(module, InstanceWhitening)
    }
    assert list(found) == ["bn1", f"layer1.0.{activation}.0", f"layer2.1.{activation}.0"]
    expansion = 4 if name == "resnet50" else 1
    assert [len(layer.variance) for layer in found.values()] == [64, 8 * expansion, 12 * expansion]


def test_what_training_measured_does_not_change_a_prediction() -> None:
    model = SMALL.baseline()
    model = dataclasses.replace(model, encoder=dataclasses.replace(model.encoder, whitening=True))
    network = build_network(model).eval()
    before = network(images()).logits
    for layer in network.modules():
        if isinstance(layer, InstanceWhitening):
            layer.variance.fill_(3)
            layer.sensitive.fill_(True)
            layer.steps.fill_(7)
    assert torch.equal(network(images()).logits, before)
